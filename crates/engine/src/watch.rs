//! Looks at the clocks, the carriers, what operators want of them, and the submit checks once a second, and
//! starts replays.

use crate::clock::now_ms;
use crate::core::Engine;
use crate::managed_carrier::ManagedCarrier;
use std::time::Duration;
use store::Lane;

/// Between two looks.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks for replays that an operator asked for.
const REPLAY_INTERVAL: Duration = Duration::from_secs(1);

/// Looks at everything that is watched until the engine closes.
pub(crate) async fn run(engine: &Engine) {
    // Callbacks may be due long after now; the others never are.
    let planned: Vec<Lane> = Lane::ALL.into_iter().filter(|lane| *lane != Lane::Callback).collect();
    // What a clock that was wrong put off before this start.
    engine.pull_in(&Lane::ALL, false, engine.retry_max);
    while engine.pause(WATCH_INTERVAL).await {
        engine.look_at_clocks();
        // Where it jumped there and back between two looks.
        engine.pull_in(&planned, false, engine.longest_planned());
        for carrier in engine.carriers() {
            show_carrier(carrier, now_ms());
        }
        if let Err(error) = engine.read_halts().await {
            tracing::error!(%error, "which carriers are paused could not be read");
        }
        if let Err(error) = engine.read_submit_checks().await {
            tracing::error!(%error, "balances and suppressions could not be read");
        }
    }
}

/// Starts the replays that an operator asked for, until the engine closes.
pub(crate) async fn replay(engine: &Engine) {
    while engine.pause(REPLAY_INTERVAL).await {
        if let Err(error) = engine.store.replay_requested(now_ms()).await {
            tracing::error!(%error, "replays could not be started");
        }
    }
}

/// Shows whether a carrier is up, and how it does.
fn show_carrier(carrier: &ManagedCarrier, now_ms: i64) {
    let name = carrier.config.name.clone();
    let up = if carrier.carrier.is_up() { 1.0 } else { 0.0 };
    metrics::gauge!("switchback_carrier_up", "carrier" => name.clone()).set(up);
    let halted = if carrier.halt().is_some() { 1.0 } else { 0.0 };
    metrics::gauge!("switchback_carrier_halted", "carrier" => name.clone()).set(halted);
    let under_way = carrier.under_way() as f64;
    metrics::gauge!("switchback_carrier_under_way", "carrier" => name.clone()).set(under_way);
    for (figure, value) in carrier.carrier.figures() {
        metrics::gauge!("switchback_carrier_figure", "carrier" => name.clone(), "figure" => figure)
            .set(value);
    }
    if let Some(success) = carrier.health.success(now_ms) {
        metrics::gauge!("switchback_carrier_success", "carrier" => name).set(success);
    }
}
