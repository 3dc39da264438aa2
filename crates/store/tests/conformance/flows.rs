//! Flows are stored once, found, and their callbacks replayed.

use crate::support::*;
use flow::sample::{self, step, submitted};
use flow::{Event, Flow, FlowStatus};
use store::*;
use uuid::Uuid;

pub async fn receipts_may_come_before_their_message_is_recorded<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flow = new_flow(1000);
    store.accept(flow.clone(), None, 1000).await.unwrap();
    assert!(matches!(store.receipt(of("r1"), None, delivered(), 1001).await.unwrap(), Matched::Early));
    assert!(matches!(store.receipt(of("other"), None, delivered(), 1001).await.unwrap(), Matched::Early));
    store.apply(flow.id, submitted(0, 0, "c", "r1"), 1002).await.unwrap();
    assert_eq!(load(&store, flow.id).await.state.status, FlowStatus::Succeeded);
    // A second one is stale, not early.
    let Matched::Applied(applied) = store.receipt(of("r1"), None, delivered(), 1003).await.unwrap() else {
        panic!("the reference is known")
    };
    assert!(!applied.changed);
}

pub async fn an_idempotency_key_stores_one_flow<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let key = |body| Some(IdempotencyKey { key: "k".into(), body_hash: [body; 32] });
    let first = new_flow(1000);
    assert!(matches!(store.accept(first.clone(), key(1), 1000).await, Ok(Accepted::New)));
    match store.accept(new_flow(1001), key(1), 1001).await.unwrap() {
        Accepted::Replayed(flow) => assert_eq!(flow.id, first.id),
        Accepted::New => panic!("stored twice"),
    }
    assert!(matches!(store.accept(new_flow(1002), key(2), 1002).await, Err(StoreError::KeyReused)));
    assert_eq!(feed(&store, 10).await.changes.len(), 1);
    // Keys are forgotten, and then count as new.
    let cutoffs = Cutoffs { flows_before_ms: 0, keys_before_ms: 2000, unmatched_before_ms: 0 };
    assert_eq!(store.prune(cutoffs, 10).await.unwrap().flows, 0);
    assert!(matches!(store.accept(new_flow(1003), key(2), 1003).await, Ok(Accepted::New)));
}

pub async fn flows_are_read_as_far_as_octets_allow<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let mut ids = Vec::new();
    for _ in 0..10 {
        let flow = new_flow(0);
        ids.push(flow.id);
        store.accept(flow, None, 0).await.unwrap();
    }
    let read = async |bytes_max: usize| store.load_within(ids.clone(), bytes_max).await.unwrap();
    assert_eq!(read(usize::MAX).await.len(), 10);
    // At least one, so that a reader comes forward.
    assert_eq!(read(0).await.len(), 1);
    let some = read(3000).await;
    assert!((2..10).contains(&some.len()), "{}", some.len());
    assert!(some.iter().zip(&ids).all(|(flow, id)| flow.as_ref().unwrap().id == *id));
    assert_eq!(store.load_within(vec![], 1).await.unwrap().len(), 0);
}

/// Accepts a flow whose callback is given up; returns that one's webhook id.
async fn give_up(store: &impl Store, flow: Flow, reference: &str) -> Uuid {
    let id = flow.id;
    store.accept(flow, None, 1000).await.unwrap();
    store.apply(id, submitted(0, 0, "c", reference), 1000).await.unwrap();
    store.receipt(of(reference), None, delivered(), 1000).await.unwrap();
    let now = load(store, id).await;
    let (number, webhook_id) =
        now.callbacks.first().map(|first| (first.number, now.webhook_id(first))).unwrap();
    let error = "404".into();
    let failed = Event::CallbackFailed { number, at_ms: None, error, attempt: flow::Attempt::default() };
    store.apply(id, failed, 1001).await.unwrap();
    webhook_id
}

pub async fn dead_callbacks_are_listed_and_replayed_from_beside<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flow = new_flow(1000);
    let webhook_id = give_up(&store, flow.clone(), "r1").await;

    let admin = backend.admin(&Keyring::default());
    let dead = admin.dead_callbacks(None, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].webhook_id, dead[0].error.as_str()), (1, webhook_id, "404"));
    // The limit counts those of the applications that are asked for.
    let named = |name: &str| [name.to_owned()];
    assert_eq!(admin.dead_callbacks(Some(&named(&dead[0].application_id)), 1).await.unwrap().len(), 1);
    assert!(admin.dead_callbacks(Some(&named("other")), 1).await.unwrap().is_empty());
    let mut younger = new_flow(1001);
    younger.application = "other".into();
    give_up(&store, younger.clone(), "r2").await;
    let others = admin.dead_callbacks(Some(&named("other")), 1).await.unwrap();
    assert_eq!(others.iter().map(|dead| dead.tracking_id).collect::<Vec<_>>(), [younger.id]);
    assert_eq!(admin.dead_callbacks(None, 1).await.unwrap()[0].tracking_id, flow.id, "the oldest");
    assert_eq!(admin.request_replay(Some(younger.id)).await.unwrap(), 1);
    assert_eq!(store.replay_requested(2000).await.unwrap(), 1);
    assert_eq!(store.replay_requested(2000).await.unwrap(), 0);
    assert_eq!(admin.request_replay(None).await.unwrap(), 1);
    assert_eq!(store.replay_requested(2000).await.unwrap(), 1);
    assert!(store.next_due_ms(Lane::Callback).is_some_and(|due_ms| due_ms <= 2000), "due at once");
    assert!(admin.dead_callbacks(None, 10).await.unwrap().is_empty());
}

/// What is erased is cancelled and gone, of its own application only, and nothing is sent again by its key.
pub async fn what_is_erased_is_gone_and_its_key_spent<B: Backend>(backend: &B) {
    let Opened { store, seen, .. } = open(backend, &Keyring::default()).await;
    let key = |body| Some(IdempotencyKey { key: "k".into(), body_hash: [body; 32] });
    let steps = vec![step(1, sample::sms(FIRST, "hi")), step(2, sample::sms(OTHER, "hi"))];
    let flow = sample::flow(steps, None, 1000, id());
    store.accept(flow.clone(), key(1), 1000).await.unwrap();
    let later = async |application: &str, recipient: &str| {
        store.flows_to_later_recipient(application.into(), recipient.into(), 9).await.unwrap()
    };
    assert_eq!(later("app", OTHER).await, [flow.id]);
    assert!(later("app", FIRST).await.is_empty() && later("other", OTHER).await.is_empty());
    assert_eq!(store.erase("other".into(), vec![flow.id], 1001).await.unwrap(), 0);
    assert_eq!(store.erase("app".into(), vec![flow.id, id(), flow.id], 1001).await.unwrap(), 1);
    assert!(matches!(seen.lock().unwrap().last(), Some(Change::Removed { erased: true, .. })));
    assert!(later("app", OTHER).await.is_empty());
    assert!(store.load(vec![flow.id]).await.unwrap()[0].is_none());
    let gone = store.apply(flow.id, Event::Expire { message: 0 }, 1002).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    assert!(matches!(store.accept(new_flow(1002), key(1), 1002).await, Err(StoreError::KeySpent)));
    assert!(matches!(store.accept(new_flow(1002), key(2), 1002).await, Err(StoreError::KeyReused)));
}
