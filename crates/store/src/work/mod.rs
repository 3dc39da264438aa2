//! What a transaction does: a pure function of its jobs, of what is in memory and of what was looked up. It
//! yields a [`Batch`](crate::batch::Batch), or what it still has to know: then that is looked up, and
//! everything is done again.

mod accept;
mod accounts;
mod handsets;
mod plan;
mod receipts;
mod removing;
mod transaction;
mod unanswered;

pub(crate) use plan::{Need, plan};
pub(crate) use receipts::CANDIDATES_MAX;
pub(crate) use transaction::{Context, Outcome, Stop, Work};
pub(crate) use unanswered::TO_RECIPIENT_MAX;
