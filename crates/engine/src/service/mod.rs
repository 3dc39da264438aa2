//! What can be done with the server, whatever door it is asked through: one use case a file, each with its
//! input, its result and its errors.

mod accept;
mod across;
mod cancel;
mod carriers;
mod core;
mod costly;
mod erase;
mod explain;
mod find;
mod identify;
mod inbound;
mod periods;
mod readiness;
mod receive;
mod refusals;
mod short_link;
mod statistics;
mod suppress;
mod tokens;
mod track;
mod turns;
mod waiting;
mod walk;

pub use accept::{AcceptError, Sender};
pub use across::ACROSS_MAX;
pub use cancel::CancelError;
pub use carriers::CarrierFigures;
pub use core::Service;
pub use costly::{Searches, Stop, Unanswered, runtime};
pub use explain::Explained;
pub use find::{FindError, Matches};
pub use receive::{Post, ReceiveError};
pub use statistics::{Figures, StatisticsError};
pub use tokens::{IssueError, IssuedToken};
pub use track::TrackError;
pub use waiting::FlowWait;
pub use walk::{FLOWS_MAX, PIECE_BYTES, Walk};
