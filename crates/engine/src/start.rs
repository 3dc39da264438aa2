//! Puts an engine together: connects its carriers and takes up the clock.

use crate::callbacks::Callbacks;
use crate::clock::now_ms;
use crate::config::Settings;
use crate::core::Engine;
use crate::managed_carrier::ManagedCarrier;
use crate::ongoing::Ongoing;
use crate::outside::{Outside, SetupError};
use crate::routing::Routes;
use crate::sink::Sink;
use crate::steady::{Look, TrustedClock};
use index::Index;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use store::{Store, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;

/// The longest time to live, minutes (contract, section 2).
const TTL_MAX_MINUTES: i64 = 1440;

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A carrier can't be set up as it is configured.
    #[error("carrier {name}: {source}")]
    Carrier {
        /// Its name.
        name: String,
        /// Why.
        source: SetupError,
    },
    /// What posts callbacks can't be set up.
    #[error("callbacks: {0}")]
    Callbacks(#[source] SetupError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Connects the carriers and takes up the clock. Nothing is done before [`Engine::run`].
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        settings: &Settings,
        store: Arc<dyn Store>,
        index: Arc<Index>,
        outside: &dyn Outside,
    ) -> Result<Arc<Engine>, StartError> {
        let stored = Arc::new(AtomicU64::new(0));
        let sink = Arc::new(Sink::new(Arc::clone(&store), Arc::clone(&stored)));
        let mut carriers = Vec::new();
        for (position, carrier) in settings.carriers.iter().enumerate() {
            let connected = outside.carrier(carrier, Arc::clone(&sink) as _).await;
            let connected = connected
                .map_err(|source| StartError::Carrier { name: carrier.common.name.clone(), source })?;
            let number = u16::try_from(position).unwrap_or(u16::MAX);
            let kind = carrier.kind.name();
            carriers.push(Arc::new(ManagedCarrier::new(number, kind, carrier.common.clone(), connected)));
        }
        let routes = Routes::new(settings);
        let post = outside.post(&settings.callbacks).map_err(StartError::Callbacks)?;
        let clock = take_up_clock(settings, &*store).await?;
        let engine = Arc::new(Engine {
            callbacks: Arc::new(Callbacks::new(settings.callbacks.clone(), post, *store.secret_key())),
            store,
            index,
            carriers,
            owed_work: RwLock::default(),
            routes,
            rates: Arc::clone(&settings.rates),
            submit_checks: RwLock::default(),
            ongoing: Ongoing::default(),
            sink: Arc::clone(&sink) as _,
            room: Default::default(),
            room_turn: AtomicUsize::new(0),
            passing: Arc::default(),
            retry_max: settings.engine.retry_max,
            retention_days: settings.retention_days,
            ttl_max_ms: (settings.engine.minute.as_millis() as i64).saturating_mul(TTL_MAX_MINUTES),
            started: Instant::now(),
            clock: Mutex::new(clock),
            stored,
            failing: Mutex::default(),
            closing: watch::channel(false).0,
        });
        sink.attach(&engine);
        Ok(engine)
    }
}

async fn take_up_clock(settings: &Settings, store: &dyn Store) -> Result<TrustedClock, StoreError> {
    let seen_ms = store.kept_time_ms().await?;
    let agreement_ms = settings.clock_agreement.as_millis() as i64;
    let clock = TrustedClock::new(Look { wall_ms: now_ms(), monotonic_ms: 0 }, seen_ms, agreement_ms);
    if clock.needed_ms() > agreement_ms {
        let for_s = clock.needed_ms() / 1000;
        tracing::warn!(
            for_s,
            "the clock is far from where it was; nothing is deleted by age before it was steady for a while"
        );
    }
    Ok(clock)
}
