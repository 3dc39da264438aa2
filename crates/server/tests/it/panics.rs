//! Carriers with mistakes of ours: an engine with an outside of its own.

use crate::support::until;
use async_trait::async_trait;
use carriers::{Carrier, CarrierSink, Outcome, Outgoing, Report};
use engine::Engine;
use engine::callbacks::{Answer, Headers, Post, PostError};
use engine::indexing::Followed;
use engine::outside::{Outside, SetupError};
use flow::sample;
use reqwest::Url;
use server::clock::{new_flow_id, now_ms};
use server::config::{CallbackConfig, CarrierConfig, Config};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Flows, SqliteOptions, SqliteStore, Tasks};

/// A carrier that panics at first, then wants to be left alone for years, then takes what it gets under a
/// long name.
#[derive(Default)]
struct Mistaken {
    asked: AtomicUsize,
    sink: Mutex<Option<Arc<dyn CarrierSink>>>,
}

fn long_name() -> String {
    "x".repeat(10_000)
}

#[async_trait]
impl Carrier for Mistaken {
    async fn submit(&self, _: &Outgoing) -> Outcome {
        match self.asked.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("a mistake of ours"),
            1 => Outcome::Later { reason: "throttled", after: Some(Duration::from_secs(u64::MAX)) },
            _ => Outcome::Accepted { reference: long_name() },
        }
    }

    fn is_up(&self) -> bool {
        true
    }

    async fn close(&self) {}
}

struct There(Arc<Mistaken>);

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

pub struct NoPost;

#[async_trait]
impl Post for NoPost {
    async fn post(&self, _: Url, _: Headers, _: String) -> Result<Answer, PostError> {
        Ok(204.into())
    }
}

#[tokio::test]
async fn a_panic_counts_as_not_known_a_long_pause_is_capped_and_a_long_reference_still_meets_its_receipt() {
    let directory = tempfile::tempdir().unwrap();
    // One message at a time: a permit that is not given back would be missed.
    let text = "[engine]\nretry_max = \"50ms\"\n[[carrier]]\nname = \"c\"\nkind = \"sandbox\"\n\
                channels = [\"Sms\"]\nwindow = 1\n";
    let config = Config::parse(text, Path::new("."), []).unwrap();
    let options =
        SqliteOptions { cached_flows_max: NonZeroUsize::new(8).unwrap(), ..SqliteOptions::new(now_ms()) };
    let (store, _) = SqliteStore::open(&directory.path().join("db"), options).unwrap();
    let (store, carrier) = (Arc::new(store), Arc::new(Mistaken::default()));
    let index = Followed::default().index;
    let outside = There(Arc::clone(&carrier));
    let engine = Engine::start(&config.engine_settings().unwrap(), Arc::clone(&store) as _, index, &outside)
        .await
        .unwrap();
    let running = tokio::spawn(Arc::clone(&engine).run());
    let steps = vec![sample::step(1, sample::sms("+306900000001", "hi"))];
    let flow = sample::flow(steps, None, now_ms(), new_flow_id(now_ms()));
    let id = flow.id;
    store.accept(flow, None, now_ms()).await.unwrap();
    let reference = || {
        let recent = store.recent(id)?;
        let carrier = recent.state.messages[0].parts[0].carrier.as_ref()?;
        Some(carrier.reference.clone())
    };
    until("it is taken", || reference().is_some()).await;
    assert_eq!(carrier.asked.load(Ordering::SeqCst), 3);
    assert!(reference().unwrap().len() <= 100);
    let sink = carrier.sink.lock().unwrap().clone().unwrap();
    let of = flow::CarrierRef::new("c", long_name());
    let delivered = flow::Receipt::new(flow::Status::Delivered, flow::Detail::DELIVERED);
    let report = Report { reference: of, recipient: None, receipt: delivered };
    sink.report(report).await.unwrap();
    assert_eq!(store.recent(id).unwrap().state.status, flow::FlowStatus::Succeeded);
    engine.close();
    running.await.unwrap();
}
