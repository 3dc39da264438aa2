//! What carriers tell: which message it is about, and what is kept of the rest.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::sample::{self, step, submitted};
use flow::{CarrierRef, Covers, Detail, Event, Flow, LateRefusal, Receipt, Status, Submit};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::*;
use uuid::Uuid;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

const DAY_MS: i64 = 86_400_000;
const FIRST: &str = "+306900000001";
const OTHER: &str = "+306900000002";

fn id() -> Uuid {
    Uuid::from_u128(NEXT_ID.fetch_add(1, Ordering::Relaxed).into())
}

fn open(path: &Path) -> SqliteStore {
    open_with(path, Keyring::default())
}

fn open_with(path: &Path, keys: Keyring) -> SqliteStore {
    let options = SqliteOptions { keys, ..SqliteOptions::new(1000, Arc::new(|_| id())) };
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
    let flow = sample::flow(vec![step(1, sample::sms(to, body))], None, 1000, &mut id);
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

fn unanswered(part: u16) -> Event {
    Event::Unanswered { message: 0, part, carrier: "c".into(), covers: Covers::Part }
}

async fn apply(store: &SqliteStore, id: Uuid, event: Event) {
    store.apply(id, event, 1010).await.unwrap();
}

/// Reports `Delivered`; answers what became of it.
async fn deliver(store: &SqliteStore, reference: &str, recipient: Option<&str>) -> Matched {
    let recipient = recipient.map(str::to_owned);
    store.receipt(of(reference), recipient, report(Status::Delivered), 1100).await.unwrap()
}

#[tokio::test]
async fn an_id_that_is_used_again_means_the_message_to_the_recipient() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path);
    let (first, second, third) =
        (sms(&store, FIRST, "a").await, sms(&store, OTHER, "b").await, sms(&store, OTHER, "c").await);
    for flow in [first, second, third] {
        apply(&store, flow, submitted(0, 0, "c", "1")).await;
    }
    deliver(&store, "1", Some("306900000001")).await;
    assert_eq!(statuses(&store, first).await, [Status::Delivered]);
    assert_eq!(statuses(&store, third).await, [Status::Sent]);
    // Written nationally and masked, and after a restart. Of two that fit the newest that has no end.
    store.close().await;
    let store = open(&path);
    deliver(&store, "1", Some("069000XX002")).await;
    assert_eq!(statuses(&store, third).await, [Status::Delivered]);
    assert_eq!(statuses(&store, second).await, [Status::Sent]);
    deliver(&store, "1", None).await;
    assert_eq!(statuses(&store, second).await, [Status::Delivered]);
    // What is told again changes nothing.
    let Matched::Applied(applied) = deliver(&store, "1", Some(OTHER)).await else { panic!("it is known") };
    assert!(!applied.changed);
}

#[tokio::test]
async fn an_id_that_one_message_has_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let flow = sms(&store, FIRST, "a").await;
    apply(&store, flow, submitted(0, 0, "c", "1")).await;
    deliver(&store, "1", Some("15550100")).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered]);
}

#[tokio::test]
async fn an_id_of_before_is_found_where_the_newer_message_was_erased() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let (first, second) = (sms(&store, FIRST, "a").await, sms(&store, OTHER, "b").await);
    apply(&store, first, submitted(0, 0, "c", "1")).await;
    apply(&store, second, submitted(0, 0, "c", "1")).await;
    store.erase("app".into(), vec![second], 1020).await.unwrap();
    deliver(&store, "1", None).await;
    assert_eq!(statuses(&store, first).await, [Status::Delivered]);
    // And nothing is left of both.
    store.erase("app".into(), vec![first], 1020).await.unwrap();
    assert!(matches!(deliver(&store, "1", None).await, Matched::Early));
}

#[tokio::test]
async fn one_id_for_all_parts_meets_them_all() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let flow = sms(&store, FIRST, &"a".repeat(400)).await;
    apply(&store, flow, submitted(0, 0, "c", "same")).await;
    apply(&store, flow, submitted(0, 1, "c", "same")).await;
    deliver(&store, "same", Some(FIRST)).await;
    apply(&store, flow, submitted(0, 2, "c", "same")).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered; 3]);
}

#[tokio::test]
async fn a_receipt_under_an_unknown_id_is_for_the_only_unanswered_message_to_its_recipient() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let (flow, other) = (sms(&store, FIRST, "a").await, sms(&store, OTHER, "b").await);
    for flow in [flow, other] {
        apply(&store, flow, handed(0)).await;
        apply(&store, flow, unanswered(0)).await;
    }
    // Masked, it names nobody.
    assert!(matches!(deliver(&store, "x", Some("30690*****01")).await, Matched::Early));
    let matched =
        store.receipt(of("m1"), Some("306900000001".into()), report(Status::Sent), 1100).await.unwrap();
    assert!(matches!(matched, Matched::ByRecipient(applied) if applied.changed));
    assert_eq!(statuses(&store, flow).await, [Status::Sent]);
    // From now on its id finds it, whatever else its receipts tell.
    assert!(matches!(deliver(&store, "m1", None).await, Matched::Applied(_)));
    assert_eq!(statuses(&store, flow).await, [Status::Delivered]);
    assert_eq!(statuses(&store, other).await, [Status::Queued]);
}

#[tokio::test]
async fn several_unanswered_messages_to_a_recipient_are_told_apart_by_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let (first, second) = (sms(&store, FIRST, "a").await, sms(&store, FIRST, "b").await);
    for flow in [first, second] {
        apply(&store, flow, unanswered(0)).await;
    }
    assert!(matches!(deliver(&store, "m1", Some(FIRST)).await, Matched::Early));
    // The answer for one of them comes late: the other one stays.
    apply(&store, second, submitted(0, 0, "c", "m2")).await;
    assert!(matches!(deliver(&store, "m3", Some(FIRST)).await, Matched::ByRecipient(_)));
    assert_eq!(statuses(&store, first).await, [Status::Delivered]);
    assert_eq!(statuses(&store, second).await, [Status::Sent]);
}

#[tokio::test]
async fn the_parts_of_an_unanswered_message_take_its_receipts_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let flow = sms(&store, FIRST, &"a".repeat(300)).await;
    for part in 0..2 {
        apply(&store, flow, unanswered(part)).await;
    }
    deliver(&store, "m1", Some(FIRST)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered, Status::Queued]);
    deliver(&store, "m2", Some(FIRST)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered; 2]);
}

#[tokio::test]
async fn a_receipt_waits_while_its_message_may_still_be_answered() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let (asked, lost) = (sms(&store, FIRST, "a").await, sms(&store, FIRST, "b").await);
    apply(&store, lost, unanswered(0)).await;
    apply(&store, asked, handed(0)).await;
    for reference in ["m1", "m2"] {
        assert!(matches!(deliver(&store, reference, Some(FIRST)).await, Matched::Early));
    }
    // The answer tells which of them was for the one; the other one is for the other.
    apply(&store, asked, submitted(0, 0, "c", "m2")).await;
    assert_eq!(statuses(&store, asked).await, [Status::Delivered]);
    assert_eq!(statuses(&store, lost).await, [Status::Delivered]);
}

#[tokio::test]
async fn an_early_receipt_is_looked_at_again_where_no_answer_comes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path);
    let (flow, crashed) = (sms(&store, FIRST, "a").await, sms(&store, OTHER, "b").await);
    // Somebody else's, from before.
    store.receipt(of("m0"), Some(FIRST.into()), report(Status::Undelivered), 500).await.unwrap();
    for flow in [flow, crashed] {
        apply(&store, flow, handed(0)).await;
    }
    deliver(&store, "m1", Some(FIRST)).await;
    deliver(&store, "m2", Some(OTHER)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Queued]);
    apply(&store, flow, unanswered(0)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered]);
    // The process that asked for the other one ends: nobody is told its answer any more.
    store.close().await;
    let store = open(&path);
    store.probe().await.unwrap();
    assert_eq!(statuses(&store, crashed).await, [Status::Delivered]);
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
    apply(&store, refused, Event::RefusedLate { message: 0, part: 0, unknown: 0, refusal }).await;
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

#[tokio::test]
async fn a_carrier_that_takes_whole_messages_reports_on_the_whole_message() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("db"));
    let flow = sms(&store, FIRST, &"a".repeat(300)).await;
    let covers = Covers::Message;
    apply(&store, flow, Event::Unanswered { message: 0, part: 0, carrier: "c".into(), covers }).await;
    deliver(&store, "m1", Some(FIRST)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered; 2]);
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
async fn the_oldest_receipts_that_mean_nothing_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = Arc::new(open(&path));
    for _ in 0..21 {
        let some = (0..500).map(|i| {
            let store = Arc::clone(&store);
            async move { store.keep_unread("c".into(), unread("no-id", "x"), i).await.unwrap() }
        });
        futures_join(some).await;
    }
    let admin = SqliteAdmin::open(&path, &Keyring::default()).unwrap();
    let left = admin.unmatched_receipts(20_000, 1000).await.unwrap().len();
    assert!((9_900..=10_000).contains(&left), "{left}");
}

/// Waits for all of them at once.
async fn futures_join(all: impl Iterator<Item = impl Future<Output = ()> + Send + 'static>) {
    let tasks: Vec<_> = all.map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn inbound(from: &str, octets: &[u8], segment: Option<(u16, u8, u8)>) -> InboundMessage {
    let segment = segment.map(|(reference, total, sequence)| InboundSegment { reference, total, sequence });
    let content = InboundOctets { octets: octets.to_vec(), encoding: "gsm".into(), data_coding: 0 };
    InboundMessage { carrier: "c".into(), from: from.into(), to: "Acme".into(), segment, content }
}

/// What is listed: octets of each segment that is there, and how many there should be.
async fn listed(admin: &SqliteAdmin, from: Option<&str>) -> Vec<(Vec<String>, u8)> {
    let messages = admin.inbound(10, from).await.unwrap();
    let text = |octets: &InboundOctets| String::from_utf8(octets.octets.clone()).unwrap();
    messages.iter().map(|one| (one.segments.iter().map(text).collect(), one.total)).collect()
}

fn message(segments: &[&str], total: u8) -> (Vec<String>, u8) {
    (segments.iter().map(|segment| (*segment).to_owned()).collect(), total)
}

#[tokio::test]
async fn what_handsets_send_is_joined_listed_and_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let keys = Keyring::new([[7; 32]]);
    let store = open_with(&path, keys.clone());
    let admin = SqliteAdmin::open(&path, &keys).unwrap();
    store.keep_inbound(inbound(FIRST, b"STOP", None), 1000).await.unwrap();
    // In any order, one of them twice, and another sender's among them.
    store.keep_inbound(inbound(FIRST, b"B", Some((7, 3, 2))), 2000).await.unwrap();
    store.keep_inbound(inbound(OTHER, b"o", Some((7, 3, 1))), 2001).await.unwrap();
    store.keep_inbound(inbound(FIRST, b"c", Some((7, 3, 3))), 2002).await.unwrap();
    store.keep_inbound(inbound(FIRST, b"b", Some((7, 3, 2))), 2003).await.unwrap();
    let open = [message(&["b", "c"], 3), message(&["o"], 3), message(&["STOP"], 1)];
    assert_eq!(listed(&admin, None).await, open);
    store.close().await;
    let store = open_with(&path, keys.clone());
    store.keep_inbound(inbound(FIRST, b"a", Some((7, 3, 1))), 2004).await.unwrap();
    assert_eq!(listed(&admin, None).await[0], message(&["a", "b", "c"], 3));
    // By number, however it is written.
    assert_eq!(
        listed(&admin, Some("00306900000001")).await,
        [message(&["a", "b", "c"], 3), message(&["STOP"], 1)]
    );
    assert_eq!(listed(&admin, Some("306900000003")).await, []);
    // After a day a number is another message's; what is there of the first one stays.
    store.keep_inbound(inbound(OTHER, b"x", Some((7, 3, 2))), 2002 + DAY_MS).await.unwrap();
    assert_eq!(listed(&admin, Some(OTHER)).await, [message(&["x"], 3), message(&["o"], 3)]);
    let cutoffs = Cutoffs { flows_before_ms: 2005, ..Cutoffs::NONE };
    store.prune(cutoffs, 10).await.unwrap();
    assert_eq!(listed(&admin, None).await, [message(&["x"], 3)]);
    store.prune(Cutoffs { flows_before_ms: 2 * DAY_MS, ..cutoffs }, 10).await.unwrap();
    assert_eq!(listed(&admin, None).await, []);
}

#[tokio::test]
async fn a_segment_that_makes_no_sense_is_a_message() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&path);
    for (i, segment) in [(1, 0, 0), (1, 1, 1), (1, 2, 3), (1, 2, 0)].into_iter().enumerate() {
        store.keep_inbound(inbound(FIRST, b"x", Some(segment)), i as i64).await.unwrap();
    }
    let admin = SqliteAdmin::open(&path, &Keyring::default()).unwrap();
    assert_eq!(listed(&admin, None).await, vec![message(&["x"], 1); 4]);
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
             PRAGMA user_version = 5;",
        )
        .unwrap();
    drop(connection);
    let store = open(&path);
    apply(&store, flow, submitted(0, 0, "c", "m1")).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered]);
}
