//! Deletes what is older than the configuration and the applications want to keep it.

use super::Engine;
use crate::clock::now_ms;
use flow::FlowStatus;
use index::{Filter, Order, Predicate, Query, place_of};
use std::time::Duration;
use store::{Retention, StoreError};

/// Flows pruned in one transaction.
const PRUNE_MAX: usize = 200;
/// Between two of them there is room for everybody else.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);
/// How long idempotency keys and receipts without a message are kept (contract, section 2).
const KEYS_KEPT_MS: i64 = 24 * 3600 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Prunes everything that is too old.
pub(super) async fn prune(engine: &Engine) {
    if let Err(error) = prune_all(engine).await {
        tracing::error!(%error, "old flows could not be pruned");
    }
}

async fn prune_all(engine: &Engine) -> Result<(), StoreError> {
    let now_ms = now_ms();
    let kept_ms = i64::from(engine.retention_days) * DAY_MS;
    let flows_before_ms = if kept_ms == 0 { 0 } else { now_ms - kept_ms };
    let retention = Retention { flows_before_ms, keys_before_ms: now_ms - KEYS_KEPT_MS };
    while count(engine.store.prune(retention, PRUNE_MAX).await?) == PRUNE_MAX {
        if !engine.pause(PRUNE_PAUSE).await {
            return Ok(());
        }
    }
    for (application, days) in engine.store.retentions().await? {
        prune_application(engine, application, now_ms - i64::from(days) * DAY_MS).await?;
    }
    Ok(())
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
        if asked < PRUNE_MAX || !engine.pause(PRUNE_PAUSE).await {
            return Ok(());
        }
    }
}

fn count(pruned: usize) -> usize {
    metrics::counter!("switchback_flows_pruned_total").increment(pruned as u64);
    pruned
}
