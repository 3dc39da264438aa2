//! The carriers: how each is, what waits for it, and what an operator does about it.

pub(crate) mod acts;
pub(crate) mod list;
