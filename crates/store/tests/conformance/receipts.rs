//! Which message a receipt is about, and what is kept of the rest.

use crate::support::*;
use flow::sample::{self, step, submitted};
use flow::{Covers, Detail, Event, Receipt, Status};
use std::sync::Arc;
use store::*;
use uuid::Uuid;

fn report(status: Status) -> Receipt {
    Receipt::new(status, Detail::plain(status))
}

/// A flow of one Sms.
async fn sms(store: &impl Store, to: &str, body: &str) -> Uuid {
    let flow = sample::flow(vec![step(1, sample::sms(to, body))], None, 1000, id());
    let id = flow.id;
    store.accept(flow, None, 1000).await.unwrap();
    id
}

async fn statuses(store: &impl Store, id: Uuid) -> Vec<Status> {
    let flow = load(store, id).await;
    flow.state.messages[0].parts.iter().map(|part| part.status.status).collect()
}

fn handed(part: u16) -> Event {
    Event::Handed { message: 0, part, carrier: "c".into(), covers: Covers::Part }
}

fn unanswered(part: u16) -> Event {
    Event::Unanswered { message: 0, part, carrier: "c".into(), covers: Covers::Part, reason: "lost" }
}

async fn apply(store: &impl Store, id: Uuid, event: Event) {
    store.apply(id, event, 1010).await.unwrap();
}

/// Reports `Delivered`; returns what became of it.
async fn deliver(store: &impl Store, reference: &str, recipient: Option<&str>) -> Matched {
    let recipient = recipient.map(str::to_owned);
    store.receipt(of(reference), recipient, report(Status::Delivered), 1100).await.unwrap()
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

/// Waits for all of them at once.
async fn futures_join(all: impl Iterator<Item = impl Future<Output = ()> + Send + 'static>) {
    let tasks: Vec<_> = all.map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

pub async fn an_id_that_is_used_again_means_the_message_to_the_recipient<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let (first, second, third) =
        (sms(&store, FIRST, "a").await, sms(&store, OTHER, "b").await, sms(&store, OTHER, "c").await);
    for flow in [first, second, third] {
        apply(&store, flow, submitted(0, 0, "c", "1")).await;
    }
    deliver(&store, "1", Some("306900000001")).await;
    assert_eq!(statuses(&store, first).await, [Status::Delivered]);
    assert_eq!(statuses(&store, third).await, [Status::Sent]);
    // Written nationally and masked, and after a restart. Of two that fit the newest that has no end.
    backend.close(&store).await;
    let store = open(backend, &Keyring::default()).await.store;
    deliver(&store, "1", Some("069000XX002")).await;
    assert_eq!(statuses(&store, third).await, [Status::Delivered]);
    assert_eq!(statuses(&store, second).await, [Status::Sent]);
    deliver(&store, "1", None).await;
    assert_eq!(statuses(&store, second).await, [Status::Delivered]);
    // What is told again changes nothing.
    let Matched::Applied(applied) = deliver(&store, "1", Some(OTHER)).await else { panic!("it is known") };
    assert!(!applied.changed);
}

pub async fn an_id_that_one_message_has_is_enough<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flow = sms(&store, FIRST, "a").await;
    apply(&store, flow, submitted(0, 0, "c", "1")).await;
    deliver(&store, "1", Some("15550100")).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered]);
}

pub async fn an_id_of_before_is_found_where_the_newer_message_was_erased<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
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

pub async fn flows_are_found_by_what_any_carrier_calls_them<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let found =
        async |reference: &str, limit| store.flows_by_reference(reference.into(), limit).await.unwrap();
    assert!(found("1", 10).await.is_empty());
    let mut flows = Vec::new();
    for (to, carrier) in [(FIRST, "c"), (OTHER, "c"), (FIRST, "a"), (FIRST, "z")] {
        let flow = sms(&store, to, &"a".repeat(200)).await;
        apply(&store, flow, submitted(0, 0, carrier, "1")).await;
        apply(&store, flow, submitted(0, 1, carrier, &format!("{carrier}-2"))).await;
        flows.insert(0, flow);
    }
    assert_eq!(found("1", 10).await, flows);
    assert_eq!(found("1", 2).await, flows[..2]);
    assert_eq!(found("z-2", 10).await, flows[..1]);
    assert!(found("2", 10).await.is_empty());
    // One that is too long is kept by its hash.
    let long = "x".repeat(flow::REFERENCE_MAX + 1);
    let flow = sms(&store, FIRST, "b").await;
    apply(&store, flow, submitted(0, 0, "c", &long)).await;
    assert_eq!(found(&long, 10).await, [flow]);
    // What is erased is found no more, also where only an older message is left.
    store.erase("app".into(), vec![flows[2]], 1020).await.unwrap();
    assert_eq!(found("1", 10).await, [flows[0], flows[1], flows[3]]);
    store.erase("app".into(), flows.clone(), 1020).await.unwrap();
    assert!(found("1", 10).await.is_empty());
}

pub async fn one_id_for_all_parts_meets_them_all<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flow = sms(&store, FIRST, &"a".repeat(400)).await;
    apply(&store, flow, submitted(0, 0, "c", "same")).await;
    apply(&store, flow, submitted(0, 1, "c", "same")).await;
    deliver(&store, "same", Some(FIRST)).await;
    apply(&store, flow, submitted(0, 2, "c", "same")).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered; 3]);
}

pub async fn a_receipt_under_an_unknown_id_is_for_the_only_unanswered_message_to_its_recipient<B: Backend>(
    backend: &B,
) {
    let store = open(backend, &Keyring::default()).await.store;
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

pub async fn several_unanswered_messages_to_a_recipient_are_told_apart_by_nothing<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
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

pub async fn the_parts_of_an_unanswered_message_take_its_receipts_in_their_order<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flow = sms(&store, FIRST, &"a".repeat(300)).await;
    for part in 0..2 {
        apply(&store, flow, unanswered(part)).await;
    }
    deliver(&store, "m1", Some(FIRST)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered, Status::Queued]);
    deliver(&store, "m2", Some(FIRST)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered; 2]);
}

pub async fn a_receipt_waits_while_its_message_may_still_be_answered<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
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

pub async fn an_early_receipt_is_looked_at_again_where_no_answer_comes<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
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
    backend.close(&store).await;
    let store = open(backend, &Keyring::default()).await.store;
    store.probe().await.unwrap();
    assert_eq!(statuses(&store, crashed).await, [Status::Delivered]);
}

pub async fn a_carrier_that_takes_whole_messages_reports_on_the_whole_message<B: Backend>(backend: &B) {
    let store = open(backend, &Keyring::default()).await.store;
    let flow = sms(&store, FIRST, &"a".repeat(300)).await;
    let covers = Covers::Message;
    let (message, part, carrier, reason) = (0, 0, "c".into(), "lost");
    apply(&store, flow, Event::Unanswered { message, part, carrier, covers, reason }).await;
    deliver(&store, "m1", Some(FIRST)).await;
    assert_eq!(statuses(&store, flow).await, [Status::Delivered; 2]);
}

pub async fn the_oldest_receipts_that_mean_nothing_are_forgotten<B: Backend>(backend: &B) {
    let store = Arc::new(open(backend, &Keyring::default()).await.store);
    for _ in 0..21 {
        let some = (0..500).map(|i| {
            let store = Arc::clone(&store);
            async move { store.keep_unread("c".into(), unread("no-id", "x"), i).await.unwrap() }
        });
        futures_join(some).await;
    }
    let admin = backend.admin(&Keyring::default());
    let left = admin.unmatched_receipts(20_000, 1000).await.unwrap().len();
    assert!((9_900..=10_000).contains(&left), "{left}");
}
