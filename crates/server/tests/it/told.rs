//! What carriers tell beside receipts, and how they pace themselves: an engine with an outside of its own.

use crate::panics::NoPost;
use crate::support::until;
use async_trait::async_trait;
use carriers::{
    Carrier, CarrierSink, Encoding, HandsetMessage, Outcome, Outgoing, PartRef, Report, Unread, UnreadReason,
};
use engine::Engine;
use engine::callbacks::Post;
use engine::indexing::Followed;
use engine::outside::{Outside, SetupError};
use flow::{CarrierRef, Detail, Flow, FlowStatus, Receipt, Status, sample};
use server::clock::{new_flow_id, now_ms};
use server::config::{CallbackConfig, CarrierConfig, Config};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Admin, Flows, Keyring, SqliteAdmin, SqliteOptions, SqliteStore, Tasks};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// A carrier that answers as it is told, and takes everything when it is told no more.
struct Scripted {
    outcomes: Mutex<VecDeque<Outcome>>,
    asked: Mutex<Vec<PartRef>>,
    sink: Mutex<Option<Arc<dyn CarrierSink>>>,
    room: AtomicUsize,
    /// Messages that it admits.
    admitted: Semaphore,
}

#[async_trait]
impl Carrier for Scripted {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let mut asked = self.asked.lock().unwrap();
        asked.push(outgoing.part_ref());
        let reference = format!("m{}", asked.len());
        self.outcomes.lock().unwrap().pop_front().unwrap_or(Outcome::Accepted { reference })
    }

    fn receipts_cover_message(&self) -> bool {
        true
    }

    fn room(&self) -> usize {
        self.room.load(Ordering::SeqCst)
    }

    async fn until_admitted(&self) {
        self.admitted.acquire().await.unwrap().forget();
    }

    fn is_up(&self) -> bool {
        true
    }

    async fn close(&self) {}
}

struct There(Arc<Scripted>);

#[async_trait]
impl Outside for There {
    async fn carrier(
        &self,
        _: &CarrierConfig,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Arc<dyn Carrier>, SetupError> {
        *self.0.sink.lock().unwrap() = Some(sink);
        Ok(Arc::clone(&self.0) as _)
    }

    fn post(&self, _: &CallbackConfig) -> Result<Box<dyn Post>, SetupError> {
        Ok(Box::new(NoPost))
    }
}

struct Running {
    carrier: Arc<Scripted>,
    store: Arc<SqliteStore>,
    engine: Arc<Engine>,
    directory: TempDir,
}

async fn start(outcomes: impl IntoIterator<Item = Outcome>) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let text = "[engine]\nretry_max = \"50ms\"\n[[carrier]]\nname = \"c\"\nkind = \"sandbox\"\n\
                channels = [\"Sms\"]\nunknown_submit = \"wait\"\n";
    let config = Config::parse(text, Path::new("."), []).unwrap();
    let options = SqliteOptions::new(now_ms());
    let (store, _) = SqliteStore::open(&directory.path().join("db"), options).unwrap();
    let store = Arc::new(store);
    let carrier = Arc::new(Scripted {
        outcomes: Mutex::new(outcomes.into_iter().collect()),
        asked: Mutex::default(),
        sink: Mutex::default(),
        room: AtomicUsize::new(usize::MAX),
        admitted: Semaphore::new(1000),
    });
    let outside = There(Arc::clone(&carrier));
    let index = Followed::default().index;
    let engine = Engine::start(&config.engine_settings().unwrap(), Arc::clone(&store) as _, index, &outside)
        .await
        .unwrap();
    tokio::spawn(Arc::clone(&engine).run());
    Running { carrier, store, engine, directory }
}

impl Running {
    async fn send(&self, body: &str) -> PartRef {
        let sms = |order, body| sample::step(order, sample::sms("+306900000001", body));
        let flow = sample::flow(vec![sms(1, body), sms(2, "b")], None, now_ms(), new_flow_id(now_ms()));
        let part = PartRef { flow: flow.id, message: 0, part: 0 };
        self.store.accept(flow, None, now_ms()).await.unwrap();
        part
    }

    fn sink(&self) -> Arc<dyn CarrierSink> {
        self.carrier.sink.lock().unwrap().clone().unwrap()
    }

    fn flow(&self, part: PartRef) -> Arc<Flow> {
        self.store.recent(part.flow).unwrap()
    }

    fn statuses(&self, part: PartRef) -> Vec<Status> {
        self.flow(part).state.messages[0].parts.iter().map(|part| part.status.status).collect()
    }

    async fn asked(&self, times: usize) {
        until("the carrier is asked", || self.carrier.asked.lock().unwrap().len() == times).await;
    }

    async fn report(&self, reference: &str, recipient: Option<&str>) {
        let receipt = Receipt::new(Status::Delivered, Detail::DELIVERED);
        let (reference, recipient) = (CarrierRef::new("c", reference), recipient.map(str::to_owned));
        self.sink().report(Report { reference, recipient, receipt }).await.unwrap();
    }
}

fn unknown() -> Outcome {
    Outcome::Unknown { reason: "response timeout" }
}

#[tokio::test]
async fn answers_that_come_late_count() {
    let running = start([unknown(), unknown(), unknown()]).await;
    let accepted = running.send("a").await;
    running.asked(1).await;
    let reference = "late".to_owned();
    running.sink().answered_late(accepted, "c", Outcome::Accepted { reference }).await.unwrap();
    assert_eq!(running.statuses(accepted), [Status::Sent]);
    running.report("late", None).await;
    assert_eq!(running.flow(accepted).state.status, FlowStatus::Succeeded);

    let refused = running.send("a").await;
    running.asked(2).await;
    let refusal = Outcome::Refused { detail: Detail::FAILED, description: None };
    running.sink().answered_late(refused, "c", refusal).await.unwrap();
    assert_eq!(running.statuses(refused), [Status::Failed]);
    assert_eq!(running.flow(refused).state.messages.len(), 2, "the flow moves on");
    running.asked(3).await;

    // The third hand-over, of the second step, is unknown as well; then it is throttled, and handed over
    // again.
    let part = *running.carrier.asked.lock().unwrap().last().unwrap();
    assert_eq!((part.flow, part.message), (refused.flow, 1));
    running.sink().answered_late(part, "c", unknown()).await.unwrap();
    let later = Outcome::Later { reason: "throttled", after: None };
    running.sink().answered_late(part, "c", later).await.unwrap();
    running.asked(4).await;
    let is_sent = || running.flow(part).state.messages[1].parts[0].status.status == Status::Sent;
    until("it is taken", is_sent).await;
    // One that is gone has nothing to say.
    let gone = PartRef { flow: uuid::Uuid::nil(), message: 0, part: 0 };
    running.sink().answered_late(gone, "c", unknown()).await.unwrap();
    running.engine.close();
}

#[tokio::test]
async fn a_refusal_that_comes_at_once_is_not_undone_by_the_outcome_before_it() {
    let running = start([unknown()]).await;
    let part = running.send("a").await;
    // As soon as it was asked: what came of it is not written down yet.
    while running.carrier.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let later = Outcome::Later { reason: "throttled", after: None };
    running.sink().answered_late(part, "c", later).await.unwrap();
    running.asked(2).await;
    until("it is taken", || running.statuses(part) == [Status::Sent]).await;
    running.engine.close();
}

#[tokio::test]
async fn a_receipt_finds_the_message_that_was_not_answered_and_counts_for_all_its_parts() {
    let running = start([]).await;
    let part = running.send(&"a".repeat(300)).await;
    running.asked(2).await;
    until("both are taken", || running.statuses(part) == [Status::Sent; 2]).await;
    running.report("m2", None).await;
    assert_eq!(running.statuses(part), [Status::Delivered; 2]);
    running.carrier.outcomes.lock().unwrap().push_back(unknown());
    let lost = running.send("a").await;
    running.asked(3).await;
    // It may still wait for its answer to be written down.
    let is_delivered = async || {
        running.report("whatever", Some("306900000001")).await;
        running.statuses(lost) == [Status::Delivered]
    };
    let mut tries = 0;
    while !is_delivered().await {
        tries += 1;
        assert!(tries < 100, "it is not delivered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.engine.close();
}

#[tokio::test]
async fn a_carrier_paces_itself() {
    let running = start([]).await;
    running.carrier.room.store(0, Ordering::SeqCst);
    running.send("a").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.asked(0).await;
    // It wants some, but not yet.
    running.carrier.admitted.forget_permits(1000);
    running.carrier.room.store(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(700)).await;
    running.asked(0).await;
    running.carrier.admitted.add_permits(1);
    running.asked(1).await;
    running.engine.close();
}

#[tokio::test]
async fn what_means_nothing_and_what_handsets_send_is_kept() {
    let running = start([]).await;
    let unread = Unread {
        why: UnreadReason::UnknownWord,
        text: "id:m1 stat:ODD text:hello".into(),
        reference: Some("m1".into()),
        word: Some("ODD".into()),
        error: None,
        recipient: Some("306900000123".into()),
    };
    running.sink().unread("c", unread).await.unwrap();
    let (from, to) = ("306900000001".to_owned(), "Acme".to_owned());
    let (octets, encoding) = (b"STOP".to_vec(), Encoding::Latin1);
    let message = HandsetMessage { from, to, octets, encoding, data_coding: 3, segment: None };
    running.sink().handset_message("c", message).await.unwrap();
    let admin = SqliteAdmin::open(&running.directory.path().join("db"), &Keyring::default()).unwrap();
    let receipts = admin.unmatched_receipts(10, now_ms()).await.unwrap();
    assert_eq!((&*receipts[0].reason, &*receipts[0].text), ("unknown-word", "id:m1 stat:ODD "));
    let messages = admin.inbound(10, None).await.unwrap();
    assert_eq!(
        (&*messages[0].segments[0].octets, &*messages[0].segments[0].encoding),
        (&b"STOP"[..], "latin1")
    );
    running.engine.close();
}
