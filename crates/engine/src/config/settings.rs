//! Everything that the engine is told.

use super::callbacks::CallbackConfig;
use super::carrier::CarrierConfig;
use super::engine::EngineConfig;
use super::limits::LimitsConfig;
use super::routing::{RouteConfig, SenderConfig};
use crate::rates::Rates;
use std::sync::Arc;
use std::time::Duration;

/// Everything that the engine is told.
pub struct Settings {
    /// How it works.
    pub engine: EngineConfig,
    /// How it makes callbacks.
    pub callbacks: CallbackConfig,
    /// What anybody outside may ask for at once.
    pub limits: LimitsConfig,
    /// The carriers, in their order.
    pub carriers: Vec<CarrierConfig>,
    /// Which carriers of a channel are tried for what, in which order.
    pub routes: Vec<RouteConfig>,
    /// Who may send as whom.
    pub senders: Vec<SenderConfig>,
    /// What carriers charge.
    pub rates: Arc<Rates>,
    /// Closed flows older than this are pruned, days; 0 keeps them for ever.
    pub retention_days: u32,
    /// For how long the wall clock must have been steady before anything is deleted because of its age.
    pub clock_agreement: Duration,
    /// What providers call this server by, without a slash at its end; `None` if they do not.
    pub public_url: Option<String>,
}
