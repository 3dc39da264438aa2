//! What the use cases work with.

use super::costly::Searches;
use super::readiness::Readiness;
use crate::config::Settings;
use crate::core::Engine;
use crate::refusals::Refusals;
use flow::{ChannelSet, Limits};
use index::Index;
use std::sync::Arc;
use store::Store;
use tokio::runtime::Handle;

/// The use cases of the server.
pub struct Service {
    pub(super) engine: Arc<Engine>,
    pub(super) searches: Searches,
    pub(super) readiness: Readiness,
    pub(super) refusals: Refusals,
    /// The channels that some carrier carries.
    pub(super) carried: ChannelSet,
    /// How long a minute of a time to live lasts, milliseconds.
    pub(super) minute_ms: u64,
    /// Whether steps may have the same order.
    pub(super) lenient_order: bool,
    pub(super) limits: Limits,
    /// Whether callbacks and calls may reach private addresses.
    pub(super) allow_private: bool,
    /// Living tokens of an application without a limit of its own.
    pub(super) tokens_max: usize,
}

impl Service {
    /// The use cases over an engine that was started with these settings. Costly searches run in the runtime
    /// `searches`, or in the caller's.
    pub fn new(settings: &Settings, engine: Arc<Engine>, searches: Option<Handle>) -> Service {
        let carried = settings.carriers.iter().flat_map(|carrier| &carrier.common.channels);
        Service {
            engine,
            searches: Searches::new(&settings.limits, searches),
            readiness: Readiness::default(),
            refusals: Refusals::default(),
            carried: carried.fold(ChannelSet::default(), |set, &channel| set.with(channel)),
            minute_ms: settings.engine.minute.as_millis() as u64,
            lenient_order: settings.engine.lenient_order,
            limits: settings.limits.flow(),
            allow_private: settings.callbacks.allow_private,
            tokens_max: settings.limits.tokens_max,
        }
    }

    /// The limits that a flow is checked against.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What runs costly searches.
    pub fn searches(&self) -> &Searches {
        &self.searches
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.engine.store
    }

    pub(super) fn index(&self) -> &Arc<Index> {
        &self.engine.index
    }
}
