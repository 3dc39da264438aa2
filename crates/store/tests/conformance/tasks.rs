//! Tasks are owed until they are done, and leased meanwhile.

use crate::support::*;
use flow::sample::{self, step, submitted};
use flow::{Event, FlowStatus, TaskKind};
use std::sync::Arc;
use store::*;

pub async fn what_is_owed_survives_a_restart<B: Backend>(backend: &B) {
    let Opened { store, seen, .. } = open(backend, &Keyring::default()).await;
    let flow = new_flow(1000);
    assert!(matches!(store.accept(flow.clone(), None, 1000).await, Ok(Accepted::New)));
    assert_eq!(seen.lock().unwrap().len(), 1);
    let lane = Lane::Submit(flow::Channel::Viber);
    let claims = store.claim(lane, 10, 1000, 60_000, &mut admit_all).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert!(store.claim(lane, 10, 1001, 60_000, &mut admit_all).await.unwrap().is_empty(), "it is leased");
    backend.close(&store).await;

    let Opened { store, owing_flows, .. } = open(backend, &Keyring::default()).await;
    assert_eq!(owing_flows, 1);
    let claims = store.claim(lane, 10, 1000, 60_000, &mut admit_all).await.unwrap();
    assert_eq!(*claims[0].flow, flow);
    store.apply(flow.id, submitted(0, 0, "c", "r1"), 1010).await.unwrap();
    assert_eq!(store.next_due_ms(lane), None);
    // The time to live runs on.
    assert_eq!(store.next_due_ms(Lane::Expire), Some(1000 + 600_000));
    store.receipt(of("r1"), None, delivered(), 1020).await.unwrap();
    let claims = store.claim(Lane::Callback, 10, 1020, 60_000, &mut admit_all).await.unwrap();
    assert!(matches!(claims[0].task, TaskKind::Callback { .. }));
    let done = Event::CallbackDone {
        number: claims[0].flow.callbacks.first().unwrap().number,
        attempt: flow::Attempt::default(),
    };
    store.apply(flow.id, done, 1030).await.unwrap();
    backend.close(&store).await;

    let Opened { store, owing_flows, .. } = open(backend, &Keyring::default()).await;
    assert_eq!(owing_flows, 0);
    assert_eq!(load(&store, flow.id).await.state.status, FlowStatus::Succeeded);
}

pub async fn what_is_not_admitted_is_not_taken<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flow = new_flow(1000);
    store.accept(flow.clone(), None, 1000).await.unwrap();
    let lane = Lane::Submit(flow::Channel::Viber);
    let mut full = |offer: &Offer<'_>| {
        assert_eq!((offer.flow, offer.application, offer.target), (flow.id, "app", ""));
        Admission::ApplicationFull
    };
    assert!(store.claim(lane, 10, 1000, 60_000, &mut full).await.unwrap().is_empty());
    assert!(store.next_due_ms(lane).is_some_and(|due_ms| due_ms > 1000));
    store.resume(lane, "app", "");
    assert!(store.next_due_ms(lane).is_some_and(|due_ms| due_ms <= 1000));
    assert_eq!(store.claim(lane, 10, 1000, 60_000, &mut admit_all).await.unwrap().len(), 1);
}

pub async fn a_flow_is_read_once_however_many_of_its_parts_are_due<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let steps = vec![step(1, sample::sms("+306900000001", &"a".repeat(1000)))];
    let flow = sample::flow(steps, None, 1000, id());
    store.accept(flow.clone(), None, 1000).await.unwrap();
    // The cache has two of them, and these are newer.
    for _ in 0..2 {
        store.accept(new_flow(2000), None, 2000).await.unwrap();
    }
    let claims =
        store.claim(Lane::Submit(flow::Channel::Sms), 10, 3000, 60_000, &mut admit_all).await.unwrap();
    assert_eq!(claims.len(), 7);
    assert!(claims.iter().all(|claim| *claim.flow == flow && Arc::ptr_eq(&claim.flow, &claims[0].flow)));
}
