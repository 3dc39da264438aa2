//! People with a login, and the audit of what they did.

pub(crate) mod acts;
pub(crate) mod audit;
pub(crate) mod list;
