//! Deletes what is older than the configuration and the applications want to keep it, in small steps, and
//! only while the clock is believed: what is deleted by a clock that is wrong is gone.

use crate::core::Engine;
use flow::FlowStatus;
use index::{Filter, Order, Predicate, Query, place_of};
use std::time::Duration;
use store::{Cutoffs, StoreError};

/// Between a start and the first pruning.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Between two prunings.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);
/// Flows pruned in one transaction.
const PRUNE_MAX: usize = 200;
/// Between two of them there is room for everybody else.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);
/// How long idempotency keys and receipts without a message are kept (contract, section 2).
const KEYS_KEPT_MS: i64 = 24 * 3600 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// How long receipts that a carrier could not make sense of are kept.
const UNMATCHED_KEPT_MS: i64 = 30 * DAY_MS;

/// Prunes once a minute until the engine closes.
pub(crate) async fn run(engine: &Engine) {
    let mut pause = FIRST_PAUSE;
    while engine.pause(pause).await {
        if let Err(error) = prune(engine).await {
            tracing::error!(%error, "old flows could not be pruned");
        }
        pause = PRUNE_INTERVAL;
    }
}

async fn prune(engine: &Engine) -> Result<(), StoreError> {
    let Some(now_ms) = engine.trusted_ms() else {
        // A commit a minute lets the store do what it does after commits.
        engine.store.prune(Cutoffs::NONE, 1).await?;
        return Ok(());
    };
    engine.store.keep_time(now_ms).await?;
    while let Some(cutoffs) = cutoffs(engine) {
        let pruned = engine.store.prune(cutoffs, PRUNE_MAX).await?;
        count(pruned.flows);
        if !pruned.more {
            break;
        }
        if !engine.pause(PRUNE_PAUSE).await {
            return Ok(());
        }
    }
    for (application, days) in engine.store.own_retentions().await? {
        let Some(now_ms) = engine.trusted_ms() else { return Ok(()) };
        prune_application(engine, application, now_ms - i64::from(days) * DAY_MS).await?;
    }
    Ok(())
}

/// The cut-off times for pruning, by the clock as it is now; nothing while that is not believed.
fn cutoffs(engine: &Engine) -> Option<Cutoffs> {
    let now_ms = engine.trusted_ms()?;
    let kept_ms = i64::from(engine.retention_days) * DAY_MS;
    let flows_before_ms = if kept_ms == 0 { 0 } else { now_ms - kept_ms };
    let (keys_before_ms, unmatched_before_ms) = (now_ms - KEYS_KEPT_MS, now_ms - UNMATCHED_KEPT_MS);
    Some(Cutoffs { flows_before_ms, keys_before_ms, unmatched_before_ms })
}

/// Prunes an application's closed flows from before a time.
async fn prune_application(engine: &Engine, application: String, before_ms: i64) -> Result<(), StoreError> {
    let open = |status| Filter { predicate: Predicate::Status(status), negated: true };
    let mut query = Query {
        application: application.clone(),
        from: None,
        until: Some(place_of(before_ms)),
        filters: vec![open(FlowStatus::Queued), open(FlowStatus::InProgress)],
        order: Order::OldestFirst,
        offset: 0,
        limit: PRUNE_MAX,
    };
    loop {
        let found = engine.index.search(&query).keys;
        let ids: Vec<_> = found.iter().map(|(_, id)| *id).collect();
        let asked = ids.len();
        let pruned = count(engine.store.prune_flows(application.clone(), ids).await?);
        // Those that still owe callbacks stay for now.
        query.offset += asked - pruned;
        let trusted = engine.trusted_ms().is_some();
        if asked < PRUNE_MAX || !trusted || !engine.pause(PRUNE_PAUSE).await {
            return Ok(());
        }
    }
}

fn count(pruned: usize) -> usize {
    metrics::counter!("switchback_flows_pruned_total").increment(pruned as u64);
    pruned
}
