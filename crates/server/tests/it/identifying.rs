//! Any id that somebody has of a flow leads to it.

use crate::support::*;
use engine::outside::Network;
use engine::service::Service;
use flow::{Event, Flow, Limits, flow_of, sample};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::clock::new_flow_id;
use server::config::Config;
use server::{Assembly, Data};
use std::path::Path;
use std::sync::Arc;
use store::{Flows, SqliteOptions, SqliteStore};
use tempfile::TempDir;
use uuid::Uuid;

const NOW_MS: i64 = 1_772_356_500_000;

/// The use cases over a store, where nothing happens by itself.
struct Still {
    store: Arc<SqliteStore>,
    service: Arc<Service>,
    _directory: TempDir,
}

impl Still {
    async fn start() -> Still {
        let directory = tempfile::tempdir().unwrap();
        let text = "[[carrier]]\nname = \"c\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\"]\n";
        let config = Config::parse(text, Path::new("."), []).unwrap();
        let Data { store, followed, .. } = Data::open(directory.path(), SqliteOptions::new(NOW_MS)).unwrap();
        let outside = Network { allow_private: false, limits: Limits::default(), public_url: None };
        let of_store = Arc::clone(&store) as _;
        let assembly = Assembly::start(&config, of_store, &followed, &outside, None, None).await.unwrap();
        Still { store, service: assembly.service, _directory: directory }
    }

    /// Accepts a flow over Viber, then Sms in two parts, whose first message carrier `c` calls `reference`.
    async fn accept(&self, application: &str, id: Uuid, reference: &str) -> Flow {
        let sms = sample::sms("+306900000001", &"a".repeat(200));
        let steps = vec![sample::step(1, sample::viber("+306900000001", false)), sample::step(2, sms)];
        let mut flow = sample::flow(steps, None, NOW_MS, id);
        flow.application = application.into();
        self.store.accept(flow.clone(), None, NOW_MS).await.unwrap();
        let taken = sample::submitted(0, 0, "c", reference);
        self.store.apply(id, taken, NOW_MS).await.unwrap();
        flow
    }

    async fn found(&self, applications: &[&str], text: &str) -> Vec<Uuid> {
        self.service.identify(|application| applications.contains(&application), text).await.unwrap()
    }
}

#[tokio::test]
async fn a_text_leads_to_the_flows_that_it_may_mean() {
    let still = Still::start().await;
    let flow = still.accept("a", new_flow_id(NOW_MS), "ref-1").await;
    let (viber, sms) = (flow.message_id(0), flow.message_id(1));
    for id in [flow.id, viber, flow.part_id(0, 0)] {
        assert_eq!(still.found(&["a"], &id.to_string()).await, [flow.id]);
        assert_eq!(still.found(&["b", "a"], &format!(" {} ", id.simple())).await, [flow.id]);
        assert!(still.found(&["b"], &id.to_string()).await.is_empty());
    }
    // What was not started has no id yet, and what is not there never has.
    assert!(still.found(&["a"], &sms.to_string()).await.is_empty());
    still.store.apply(flow.id, Event::Expire { message: 0 }, NOW_MS + 600_000).await.unwrap();
    for id in [sms, flow.part_id(1, 0), flow.part_id(1, 1)] {
        assert_eq!(still.found(&["a"], &id.to_string()).await, [flow.id]);
    }
    assert!(still.found(&["a"], &flow.part_id(1, 2).to_string()).await.is_empty());
    for nothing in ["", "  ", "ref-", "REF-1", &"x".repeat(256), &Uuid::nil().to_string()] {
        assert!(still.found(&["a"], nothing).await.is_empty(), "{nothing}");
    }
}

#[tokio::test]
async fn what_carriers_call_a_part_leads_to_its_flows_newest_first() {
    let still = Still::start().await;
    let like_an_id = Uuid::from_u128(7).to_string();
    let (mine, theirs) = (new_flow_id(NOW_MS), new_flow_id(NOW_MS + 1));
    let (newer, by_uuid) = (new_flow_id(NOW_MS + 2), new_flow_id(NOW_MS + 3));
    still.accept("a", mine, "ref-1").await;
    still.accept("b", theirs, "ref-1").await;
    still.accept("a", newer, "ref-1").await;
    still.accept("a", by_uuid, &like_an_id).await;
    assert_eq!(still.found(&["a"], "ref-1").await, [newer, mine]);
    assert_eq!(still.found(&["b"], "ref-1\n").await, [theirs]);
    assert!(still.found(&[], "ref-1").await.is_empty());
    // Carriers have ids of this form as well.
    assert_eq!(still.found(&["a"], &like_an_id).await, [by_uuid]);
}

#[tokio::test]
async fn a_flow_whose_ids_were_drawn_is_found_by_its_own() {
    let still = Still::start().await;
    let drawn = Uuid::from_u128(new_flow_id(NOW_MS).as_u128() | 0xabcd);
    assert_ne!(flow_of(drawn), drawn);
    still.accept("a", drawn, "ref-1").await;
    assert_eq!(still.found(&["a"], &drawn.to_string()).await, [drawn]);
    assert!(still.found(&["a"], &flow_of(drawn).to_string()).await.is_empty());
}

#[tokio::test]
async fn a_message_id_answers_with_its_flow_and_changes_none() {
    let mut server = TestServer::start("[engine]\nminute = \"60s\"\n").await;
    let id = server.send(&json!({"flow": [sms(1, "+306900000010"), viber(2, "+306900000010")]})).await;
    let tracking = server.track_to_end(&id).await;
    let message = &tracking["messages"][0];
    let ids = [&message["messageId"], &message["smsId"]].map(|id| id.as_str().unwrap().to_owned());
    assert_ne!(ids[0], ids[1]);
    for given in &ids {
        assert_eq!(server.track(given).await, tracking);
        let events = server.request(Method::GET, &format!("/failover/tracking/{given}/events"));
        assert_eq!(answer(events).await.1["trackingId"], Value::from(&*id));
        for path in [format!("/failover/{given}"), format!("/failover/tracking/{given}")] {
            assert_eq!(answer(server.request(Method::DELETE, &path)).await.0, StatusCode::NOT_FOUND);
        }
    }
    // The second step was not started.
    let other = id.parse::<Uuid>().unwrap().as_u128() | 0x0200;
    let stranger = create_application(&server.data, "stranger");
    let unknown = Uuid::from_u128(other).to_string();
    let status = async |server: &TestServer, id: &str| {
        answer(server.request(Method::GET, &format!("/failover/tracking/{id}"))).await.0
    };
    assert_eq!(status(&server, &unknown).await, StatusCode::NOT_FOUND);
    server.token = token(&server.client, &server.url, &stranger).await;
    assert_eq!(status(&server, &ids[0]).await, StatusCode::NOT_FOUND);
}
