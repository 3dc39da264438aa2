//! Applications: created, given other secrets, limited, paid for, revoked.

pub(crate) mod acts;
pub(crate) mod list;
