//! A flow's page: did it arrive, how, when, what it cost, what it waits for, and what can be done about it.

pub(crate) mod acts;
pub(crate) mod erase;
pub(crate) mod show;
mod steps;
mod timeline;
