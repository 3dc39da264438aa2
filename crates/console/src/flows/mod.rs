//! The list of flows: one box for whatever people have, filters, pages.

pub(crate) mod export;
pub(crate) mod find;
pub(crate) mod list;
pub(crate) mod meaning;
pub(crate) mod query;
pub(crate) mod row;
