//! Recipients who want no more messages: found, added, imported, removed.

pub(crate) mod acts;
mod import;
pub(crate) mod list;
