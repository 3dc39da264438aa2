//! What every request goes through before its endpoint: who asks, from where, how often, and what was sent.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod caller;
pub mod failures;
pub(crate) mod gate;
pub(crate) mod host;
pub(crate) mod measure;
pub(crate) mod parameters;
pub mod peer;
pub(crate) mod scope;
pub mod throttle;
pub(crate) mod transport;
