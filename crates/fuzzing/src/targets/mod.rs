//! A file for each target.

pub(crate) mod audio;
pub(crate) mod bodies;
pub(crate) mod configurations;
pub(crate) mod dial_plans;
pub(crate) mod files;
pub(crate) mod filters;
pub(crate) mod heads;
pub(crate) mod http_receipts;
pub(crate) mod provider_answers;
pub(crate) mod queries;
pub(crate) mod sip_answers;
pub(crate) mod smpp_pdus;
pub(crate) mod smpp_receipts;
pub(crate) mod smpp_session;
