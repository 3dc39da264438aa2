//! What the suite needs of a database, and what its tests have in common.

use flow::sample::{self, step};
use flow::{CallbackStrategy, CarrierRef, Detail, Flow, Receipt, Status};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use store::*;
use uuid::Uuid;

pub const DAY_MS: i64 = 86_400_000;
pub const FIRST: &str = "+306900000001";
pub const OTHER: &str = "+306900000002";

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A new id; those that were drawn before are less.
pub fn id() -> Uuid {
    Uuid::from_u128(u128::from(NEXT_ID.fetch_add(1, Ordering::Relaxed)) << 16)
}

/// The changes that an observer saw.
pub type Seen = Arc<Mutex<Vec<Change>>>;

/// A store that was opened.
pub struct Opened<S> {
    pub store: S,
    /// Flows that it took up.
    pub owing_flows: usize,
    pub seen: Seen,
}

/// A database, empty at first, that stores are opened on, one after the other.
pub trait Backend {
    type Store: Store;
    type Admin: Admin;

    /// Opens a store that has two flows in its cache, so that others are looked up, and whose clock shows
    /// 1000.
    async fn open(&self, keys: &Keyring, observer: Observer) -> (Self::Store, usize);

    /// Ends a store after everything that waits is written.
    async fn close(&self, store: &Self::Store);

    /// Administration of the same database.
    fn admin(&self, keys: &Keyring) -> Self::Admin;
}

/// Opens a store with an observer.
pub async fn open<B: Backend>(backend: &B, keys: &Keyring) -> Opened<B::Store> {
    let seen = Seen::default();
    let observer = Arc::clone(&seen);
    let observer: Observer = Box::new(move |changes, _| observer.lock().unwrap().extend_from_slice(changes));
    let (store, owing_flows) = backend.open(keys, observer).await;
    Opened { store, owing_flows, seen }
}

/// A flow over Viber, then Sms.
pub fn new_flow(now_ms: i64) -> Flow {
    let steps = vec![step(1, sample::viber(FIRST, false)), step(2, sample::sms(FIRST, "hi"))];
    sample::flow(steps, Some(CallbackStrategy::OnCompletion), now_ms, id())
}

pub fn of(reference: &str) -> CarrierRef {
    CarrierRef::new("c", reference)
}

pub fn delivered() -> Receipt {
    Receipt::new(Status::Delivered, Detail::DELIVERED)
}

pub async fn load(store: &impl Store, id: Uuid) -> Flow {
    store.load(vec![id]).await.unwrap().remove(0).unwrap()
}

/// The first changes of the feed.
pub async fn feed(store: &impl Store, limit: usize) -> ChangePage {
    store.changes(&Position::START, limit).await.unwrap()
}

/// An application that is there, by its name.
pub async fn application(admin: &impl Admin, id: &str) {
    let key = admin.secret_key().await.unwrap();
    let mut new = NewApplication::draw("A".into(), ApplicationSettings::default(), &key, 1).unwrap();
    new.application.id = id.into();
    admin.add_application(&new).await.unwrap();
}
