//! Carriers that operators pause, resume and drain while messages are on their way.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};
use server::administration::{Carriers, Which};
use server::{Begin, Server};
use std::time::Duration;
use store::{Halt, Keyring, SqliteAdmin};

const TO: &str = "+306900000000";

/// Two carriers of Sms, and one of Viber.
const CARRIERS: &str = "[engine]\nminute = \"10s\"\n\
    [[carrier]]\nname = \"a\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\ndelay = \"5ms\"\n\
    [[carrier]]\nname = \"b\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\ndelay = \"5ms\"\n\
    [[carrier]]\nname = \"v\"\nkind = \"sandbox\"\nchannels = [\"Viber\"]\ndelay = \"5ms\"\n";

fn admin(server: &TestServer) -> SqliteAdmin {
    SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap()
}

async fn halt(server: &TestServer, name: &str, halt: Halt) {
    let admin = admin(server);
    let carriers = Carriers::new(&admin, None);
    carriers.halt(Which::Named(name.into()), halt, "a test", 1).await.unwrap();
    followed(server, name, true).await;
}

async fn resume(server: &TestServer, name: &str) {
    Carriers::new(&admin(server), None).resume(Which::Named(name.into())).await.unwrap();
    followed(server, name, false).await;
}

/// Waits until the server has seen what was asked for.
async fn followed(server: &TestServer, name: &str, halted: bool) {
    until("the server follows", || server.server.carrier_is_halted(name) == halted).await;
}

/// The carrier that took a flow of one Sms.
async fn carrier_of(server: &TestServer, id: &str) -> String {
    let tracking = server.track_to_end(id).await;
    assert_eq!(tracking["status"], "Succeeded", "{tracking:#}");
    tracking["messages"][0]["carrier"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn messages_go_to_other_carriers_while_one_is_paused_and_wait_while_all_are() {
    let server = TestServer::start(CARRIERS).await;
    let first = server.send(&json!({"flow": [sms(1, TO)]})).await;
    assert_eq!(carrier_of(&server, &first).await, "a");

    // Traffic goes on while it takes effect.
    let mut during = Vec::new();
    for _ in 0..20 {
        during.push(server.send(&json!({"flow": [sms(1, TO)]})).await);
    }
    halt(&server, "a", Halt::Paused).await;
    for _ in 0..20 {
        let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
        assert_eq!(carrier_of(&server, &id).await, "b");
    }
    for id in &during {
        carrier_of(&server, id).await;
    }

    halt(&server, "b", Halt::Draining).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(server.send(&json!({"flow": [sms(1, TO)]})).await);
    }
    // Others are not held up, and the server stays ready.
    let id = server.send(&json!({"flow": [viber(1, TO)]})).await;
    assert_eq!(carrier_of(&server, &id).await, "v");
    tokio::time::sleep(Duration::from_millis(500)).await;
    for id in &waiting {
        let tracking = server.track(id).await;
        assert_eq!(tracking["messages"][0]["status"]["name"], "Queued");
        let since = "1970-01-01T00:00:00.001Z";
        let waits = json!({"for": "carrier", "carrier": "a", "because": "paused", "since": since});
        assert_eq!(tracking["waits"], waits);
    }
    let ready = server.client.get(format!("{}/health/ready", server.url)).send().await.unwrap();
    assert_eq!(ready.status(), 200);

    resume(&server, "a").await;
    for id in &waiting {
        assert_eq!(carrier_of(&server, id).await, "a");
    }
}

#[tokio::test]
async fn a_time_to_live_ends_while_the_carrier_is_paused() {
    let server = TestServer::start(&CARRIERS.replace("10s", "1s")).await;
    halt(&server, "v", Halt::Paused).await;
    let id = server.send(&json!({"flow": [viber(1, TO), sms(2, TO)]})).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["terminationChannel"], "Sms", "{tracking:#}");
    assert_eq!(tracking["messages"][0]["carrier"], json!(null), "nothing was handed over");
}

#[tokio::test]
async fn a_server_begins_paused_and_stays_so_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let first = TestServer::start_on(&data, CARRIERS).await;
    let (token, application) = (first.token, first.application);
    first.server.stop().await;
    // As after a restore.
    let server = Server::begin(config(&data, CARRIERS), Begin::Paused).await.unwrap();
    assert!(["a", "b", "v"].iter().all(|name| server.carrier_is_halted(name)));
    server.stop().await;

    let server = TestServer::start_again(&data, CARRIERS, token, application).await;
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.track(&id).await["messages"][0]["status"]["name"], "Queued");
    Carriers::new(&admin(&server), None).resume(Which::All).await.unwrap();
    assert_eq!(carrier_of(&server, &id).await, "a");
}

async fn status(server: &TestServer) -> Value {
    answer(server.request(Method::GET, "/health/status")).await.1
}

#[tokio::test]
async fn what_waits_is_told_by_carrier_and_why() {
    let server = TestServer::start(CARRIERS).await;
    for (name, state) in [("v", Halt::Draining), ("a", Halt::Paused), ("b", Halt::Paused)] {
        halt(&server, name, state).await;
    }
    for _ in 0..3 {
        server.send(&json!({"flow": [viber(1, TO)]})).await;
    }
    server.send(&json!({"flow": [sms(1, TO)]})).await;
    let shown = loop {
        let status = status(&server).await;
        let counts = status["waiting"].as_array().unwrap().iter().map(|of| of["count"].as_u64().unwrap());
        if counts.sum::<u64>() == 4 {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let waiting = |number: usize, name: &str| shown["waiting"][number][name].clone();
    // Either carrier of Sms could take it.
    assert_eq!((waiting(0, "lane"), waiting(0, "carrier")), (json!("Sms"), Value::Null), "{shown:#}");
    assert_eq!((waiting(1, "lane"), waiting(1, "carrier")), (json!("Viber"), json!("v")), "{shown:#}");
    assert_eq!((waiting(1, "because"), waiting(1, "count")), (json!("paused"), json!(3)), "{shown:#}");
    let carrier = &shown["carriers"][2];
    assert_eq!((&carrier["state"], &carrier["waiting"]), (&json!("drained"), &json!(3)), "{shown:#}");
    assert_eq!((&carrier["up"], &carrier["kind"]), (&json!(true), &json!("sandbox")), "{shown:#}");

    Carriers::new(&admin(&server), None).resume(Which::All).await.unwrap();
    let ended = async || status(&server).await["waiting"] == json!([]);
    for _ in 0..200 {
        if ended().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it still waits: {:#}", status(&server).await);
}

#[tokio::test]
async fn a_flow_says_what_it_waits_for() {
    let server = TestServer::start(CARRIERS).await;
    // The sandbox takes it later, and never tells what became of it.
    let [later, silent] = ["+306900000005", "+306900000003"].map(|to| json!({"flow": [sms(1, to)]}));
    let waits = |tracking: &Value, what: &str| tracking["waits"]["for"] == what;
    let id = server.send(&silent).await;
    let tracking = server.track_until(&id, |tracking| waits(tracking, "receipt")).await;
    assert_eq!(tracking["waits"]["carrier"], "a", "{tracking:#}");
    assert!(tracking["waits"]["until"].is_string(), "{tracking:#}");
    let id = server.send(&later).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["waits"], Value::Null, "{tracking:#}");
}
