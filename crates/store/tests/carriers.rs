//! What the conformance suite can't see of receipts: the rows and octets that SQLite keeps, and older
//! databases.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::sample::{self, step, submitted};
use flow::{CarrierRef, Covers, Detail, Event, Flow, LateRefusal, Receipt, Status, Submit};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use store::*;
use uuid::Uuid;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

const DAY_MS: i64 = 86_400_000;
const FIRST: &str = "+306900000001";

fn id() -> Uuid {
    Uuid::from_u128(u128::from(NEXT_ID.fetch_add(1, Ordering::Relaxed)) << 16)
}

fn open(path: &Path) -> SqliteStore {
    open_with(path, Keyring::default())
}

fn open_with(path: &Path, keys: Keyring) -> SqliteStore {
    let options = SqliteOptions { keys, ..SqliteOptions::new(1000) };
    SqliteStore::open(path, options).unwrap().0
}

fn of(reference: &str) -> CarrierRef {
    CarrierRef::new("c", reference)
}

fn report(status: Status) -> Receipt {
    Receipt::new(status, Detail::plain(status))
}

/// A flow of one Sms.
async fn sms(store: &SqliteStore, to: &str, body: &str) -> Uuid {
    let flow = sample::flow(vec![step(1, sample::sms(to, body))], None, 1000, id());
    let id = flow.id;
    store.accept(flow, None, 1000).await.unwrap();
    id
}

async fn load(store: &SqliteStore, id: Uuid) -> Flow {
    store.load(vec![id]).await.unwrap().remove(0).unwrap()
}

async fn statuses(store: &SqliteStore, id: Uuid) -> Vec<Status> {
    let flow = load(store, id).await;
    flow.state.messages[0].parts.iter().map(|part| part.status.status).collect()
}

fn handed(part: u16) -> Event {
    Event::Handed { message: 0, part, carrier: "c".into(), covers: Covers::Part }
}

async fn apply(store: &SqliteStore, id: Uuid, event: Event) {
    store.apply(id, event, 1010).await.unwrap();
}

/// Reports `Delivered`; returns what became of it.
async fn deliver(store: &SqliteStore, reference: &str, recipient: Option<&str>) -> Matched {
    let recipient = recipient.map(str::to_owned);
    store.receipt(of(reference), recipient, report(Status::Delivered), 1100).await.unwrap()
}

#[tokio::test]
async fn a_part_is_found_by_its_recipient_after_a_restart_and_only_while_it_waits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path);
    let (flow, refused, erased) =
        (sms(&store, FIRST, "a").await, sms(&store, FIRST, "b").await, sms(&store, FIRST, "c").await);
    for flow in [flow, refused, erased] {
        apply(&store, flow, handed(0)).await;
    }
    let refusal = LateRefusal::Final { detail: Detail::FAILED, description: None };
    apply(
        &store,
        refused,
        Event::RefusedLate { message: 0, part: 0, unknown: 0, carrier: "c".into(), refusal },
    )
    .await;
    store.erase("app".into(), vec![erased], 1020).await.unwrap();
    assert!(matches!(deliver(&store, "m0", Some("15550100")).await, Matched::Early));
    store.close().await;
    let store = open(&path);
    assert!(matches!(deliver(&store, "m1", Some(FIRST)).await, Matched::ByRecipient(_)));
    assert_eq!(statuses(&store, flow).await, [Status::Delivered]);
    assert_eq!(statuses(&store, refused).await, [Status::Failed]);
    let again = load(&store, flow).await;
    assert_eq!(again.state.messages[0].parts[0].submit, Submit::Done);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let left: i64 = connection.query_row("SELECT count(*) FROM unanswered", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

fn unread(reason: &str, text: &str) -> UnreadReceipt {
    UnreadReceipt {
        reason: reason.into(),
        text: text.into(),
        reference: Some("m1".into()),
        word: Some("ODD".into()),
        error: None,
        recipient: Some(FIRST.into()),
    }
}

#[tokio::test]
async fn receipts_that_reach_no_message_are_listed_and_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let keys = Keyring::new([[7; 32]]);
    let store = open_with(&path, keys.clone());
    let now_ms = 40 * DAY_MS;
    store.keep_unread("c".into(), unread("unknown-word", "stat:ODD text:lottery"), 1000).await.unwrap();
    store.keep_unread("c".into(), unread("no-id", "stat:ODD"), now_ms - 9).await.unwrap();
    for (reference, ago_ms) in [("m2", 59_000), ("m3", 61_000)] {
        let receipt = report(Status::Delivered);
        store.receipt(of(reference), Some(FIRST.into()), receipt, now_ms - ago_ms).await.unwrap();
    }
    let admin = SqliteAdmin::open(&path, &keys).unwrap();
    let listed = admin.unmatched_receipts(10, now_ms).await.unwrap();
    let shown: Vec<_> = listed
        .iter()
        .map(|one| (&*one.reason, one.reference.as_deref(), one.word.as_deref(), &*one.text))
        .collect();
    assert_eq!(
        shown,
        [
            ("no-id", Some("m1"), Some("ODD"), "stat:ODD"),
            ("no-message", Some("m3"), Some("Delivered"), ""),
            ("unknown-word", Some("m1"), Some("ODD"), "stat:ODD "),
        ]
    );
    assert!(listed.iter().all(|one| one.recipient.as_deref() == Some("***001")));
    assert_eq!(admin.unmatched_receipts(1, now_ms).await.unwrap().len(), 1);
    let cutoffs = Cutoffs { unmatched_before_ms: 2000, ..Cutoffs::NONE };
    store.prune(cutoffs, 10).await.unwrap();
    assert_eq!(admin.unmatched_receipts(10, now_ms).await.unwrap().len(), 2);
    store.close().await;
    let file = std::fs::read(&path).unwrap();
    for secret in ["lottery", "306900000001", "stat:ODD"] {
        assert!(!file.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn a_database_of_before_is_taken_up_with_its_early_receipts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path);
    let flow = sms(&store, FIRST, "a").await;
    deliver(&store, "m1", None).await;
    store.close().await;
    // As version 5 left it.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "DROP TABLE reused_refs; DROP TABLE unanswered; DROP TABLE unmatched; DROP TABLE inbound;
             DROP TABLE inbound_segments; DROP INDEX early_recipient; ALTER TABLE early DROP COLUMN recipient;
             CREATE INDEX flows_closed ON flows (created_ms) WHERE owes = 0;
             DROP TABLE statistics; DROP TABLE statistics_keys; DROP TABLE statistics_days;
             DROP TABLE halted_carriers;
             DROP TABLE operators; DROP TABLE operator_links; DROP TABLE sessions; DROP TABLE audit;
             ALTER TABLE installation DROP COLUMN statistics_owed;
             PRAGMA user_version = 5;",
        )
        .unwrap();
    drop(connection);
    let store = open(&path);
    apply(&store, flow, submitted(0, 0, "c", "m1")).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered]);
}
