//! Pruning, the kept time, and the probe.

use crate::support::*;
use flow::sample::{self, submitted};
use flow::{Event, Flow};
use store::*;

pub async fn pruning_takes_old_closed_flows_only<B: Backend>(backend: &B) {
    let Opened { store, seen, .. } = open(backend, &Keyring::default()).await;
    let (open_flow, closed, young) = (new_flow(1000), new_flow(1000), new_flow(9000));
    for flow in [&open_flow, &closed, &young] {
        store.accept(flow.clone(), None, flow.created_ms).await.unwrap();
    }
    for (flow, reference) in [(&closed, "r1"), (&young, "r2")] {
        store.apply(flow.id, submitted(0, 0, "c", reference), 9000).await.unwrap();
        store.receipt(of(reference), None, delivered(), 9000).await.unwrap();
        let number = load(&store, flow.id).await.callbacks.first().unwrap().number;
        store
            .apply(flow.id, Event::CallbackDone { number, attempt: flow::Attempt::default() }, 9000)
            .await
            .unwrap();
    }
    let cutoffs = Cutoffs { flows_before_ms: 5000, keys_before_ms: 0, unmatched_before_ms: 0 };
    assert_eq!(store.prune(cutoffs, 10).await.unwrap().flows, 1);
    assert!(matches!(seen.lock().unwrap().last(), Some(Change::Removed { id, .. }) if *id == closed.id));
    // Who follows the feed hears of it until he says that he has; its position stays.
    let all = feed(&store, 10).await;
    assert!(matches!(all.changes.last(), Some(Change::Removed { id, .. }) if *id == closed.id));
    let last = all.position;
    assert_eq!(store.position().await.unwrap(), last);
    store.forget_removals(&last).await.unwrap();
    assert_eq!(store.position().await.unwrap(), last);
    assert!(store.changes(&last, 10).await.unwrap().changes.is_empty());
    let left = store.load(vec![open_flow.id, closed.id, young.id]).await.unwrap();
    assert_eq!(left.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert!(matches!(store.receipt(of("r1"), None, delivered(), 9001).await.unwrap(), Matched::Early));
}

pub async fn flows_dated_ahead_stand_before_no_older_ones<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let day_ms = 24 * 3_600_000;
    // A clock that was 30 days ahead at first.
    let times_ms = [30 * day_ms, 1000, 2000, 30 * day_ms, 3000, 9000];
    let flows: Vec<Flow> = times_ms.map(|ms| sample::flow(new_flow(ms).steps, None, ms, id())).into();
    for flow in &flows {
        store.accept(flow.clone(), None, flow.created_ms).await.unwrap();
        store.apply(flow.id, Event::Cancel { by: None }, flow.created_ms).await.unwrap();
    }
    let cutoffs = Cutoffs { flows_before_ms: 5000, keys_before_ms: 0, unmatched_before_ms: 0 };
    assert_eq!(store.prune(cutoffs, 2).await.unwrap(), Pruned { flows: 2, more: true });
    assert_eq!(store.prune(cutoffs, 2).await.unwrap(), Pruned { flows: 1, more: false });
    let left = store.load(flows.iter().map(|flow| flow.id).collect()).await.unwrap();
    let left: Vec<bool> = left.iter().map(Option::is_some).collect();
    assert_eq!(left, [true, false, false, true, false, true]);
    assert_eq!(store.prune(Cutoffs::NONE, 2).await.unwrap(), Pruned { flows: 0, more: false });
}

pub async fn keys_are_forgotten_in_small_steps<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    for i in 0..5 {
        let key = IdempotencyKey { key: format!("k{i}"), body_hash: [0; 32] };
        store.accept(new_flow(1000), Some(key), 1000).await.unwrap();
    }
    let cutoffs = Cutoffs { flows_before_ms: 0, keys_before_ms: 2000, unmatched_before_ms: 0 };
    let mut steps = 1;
    while store.prune(cutoffs, 2).await.unwrap().more {
        steps += 1;
    }
    assert_eq!(steps, 3);
    let key = IdempotencyKey { key: "k4".into(), body_hash: [1; 32] };
    assert!(matches!(store.accept(new_flow(1000), Some(key), 1000).await, Ok(Accepted::New)));
}

pub async fn the_last_time_seen_survives_a_restart<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    assert_eq!(store.kept_time_ms().await.unwrap(), None);
    store.keep_time(1000).await.unwrap();
    store.keep_time(2000).await.unwrap();
    backend.close(&store).await;
    assert_eq!(open(backend, &Keyring::default()).await.store.kept_time_ms().await.unwrap(), Some(2000));
}

pub async fn a_probe_is_a_commit_and_leaves_no_change<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    store.probe().await.unwrap();
    store.probe().await.unwrap();
    let position = store.position().await.unwrap();
    assert_eq!(position.single().unwrap().1, 0);
    backend.close(&store).await;
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))));
}
