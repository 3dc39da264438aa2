//! Looks at the clocks, the carriers, what waits, what operators want of carriers, and the submit checks once
//! a second, and starts replays.

use crate::clock::now_ms;
use crate::core::Engine;
use crate::managed_carrier::ManagedCarrier;
use crate::owed_work::OwedWork;
use std::collections::{BTreeMap, BTreeSet};
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
    let mut shown = BTreeSet::new();
    while engine.pause(WATCH_INTERVAL).await {
        engine.look_at_clocks();
        // Where it jumped there and back between two looks.
        engine.pull_in(&planned, false, engine.longest_planned());
        for carrier in engine.carriers() {
            show_carrier(carrier, now_ms());
        }
        show_owed_work(&engine.look_at_owed_work(), &mut shown, now_ms());
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

/// The labels of a gauge of what waits: the lane, the carrier (empty: any of several) and why.
type Labels = (&'static str, String, &'static str);

/// Shows what waits and how old the oldest is, without applications: nobody bounds their number. `shown` is
/// what was shown before, which falls to 0.
fn show_owed_work(owed: &[OwedWork], shown: &mut BTreeSet<Labels>, now_ms: i64) {
    let mut sums: BTreeMap<Labels, (usize, i64)> =
        shown.iter().map(|labels| (labels.clone(), (0, now_ms))).collect();
    for OwedWork { lane, carrier, because, count, oldest_ms, .. } in owed {
        let labels = (lane.name(), carrier.clone().unwrap_or_default(), because.name());
        let (sum, oldest) = sums.entry(labels).or_insert((0, now_ms));
        (*sum, *oldest) = (*sum + count, (*oldest).min(*oldest_ms));
    }
    for ((lane, carrier, because), (count, oldest_ms)) in sums {
        let labels =
            [("lane", lane.to_owned()), ("carrier", carrier.clone()), ("because", because.to_owned())];
        metrics::gauge!("switchback_waiting", &labels).set(count as f64);
        let age_s = (now_ms - oldest_ms) as f64 / 1000.0;
        metrics::gauge!("switchback_waiting_oldest_seconds", &labels).set(age_s);
        shown.insert((lane, carrier, because));
    }
}

/// Shows whether a carrier is up, and how it does.
fn show_carrier(carrier: &ManagedCarrier, now_ms: i64) {
    let name = carrier.config.name.clone();
    let up = if carrier.look(now_ms).is_up { 1.0 } else { 0.0 };
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
