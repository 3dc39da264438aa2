//! Flows for the tests of the crates that build on this one (feature `sample`).

mod made_up;
mod small;

pub use made_up::made_up;
pub use small::{flow, sms, step, submitted, viber, voice};
