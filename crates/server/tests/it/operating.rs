//! Limits, health, metrics, the description, and restarts.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};
use server::Server;
use std::path::Path;

#[tokio::test]
async fn an_application_that_asks_too_often_is_told_when_to_come_back() {
    let server = TestServer::start("[server]\nrequests_per_second = 2\n").await;
    let mut refused = None;
    for _ in 0..10 {
        let response =
            server.request(Method::POST, "/failover/tracking").json(&json!([])).send().await.unwrap();
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("ten requests at once are too many");
    assert_eq!(refused.headers()["retry-after"], "1");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["code"], "429000005");
}

#[tokio::test]
async fn health_metrics_and_description() {
    let server = TestServer::start("").await;
    let id = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    server.track_to_end(&id).await;
    let (status, health) = answer(server.request(Method::GET, "/health/ready")).await;
    assert_eq!((status.as_u16(), health), (200, json!({"status": "ok", "carriers": {"sandbox": true}})));
    assert_eq!(answer(server.request(Method::GET, "/health/live")).await.0, 200);
    let (_, metrics) = answer(server.request(Method::GET, "/metrics")).await;
    let metrics = metrics.as_str().unwrap();
    for name in
        ["switchback_flows_accepted_total", "switchback_submits_total", "switchback_http_request_seconds"]
    {
        assert!(metrics.contains(name), "{name}");
    }
    let (_, description) = answer(server.request(Method::GET, "/openapi.json")).await;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/oauth/token", "/failover", "/failover/transactional", "/failover/tracking"] {
        assert!(description["paths"][path]["post"].is_object(), "{path}");
    }
    let page = server.request(Method::GET, "/docs/").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("swagger"));
}

#[tokio::test]
async fn a_restart_takes_up_what_is_owed() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let text = "[engine]\nminute = \"500ms\"\n";
    let first = TestServer::start_on(&data, text).await;
    let to = "+306900000030";
    // Viber stays silent, so the flow waits for its ttl; a second one is long finished.
    let waiting = first.send(&json!({"flow": [viber(1, to), sms(2, to)]})).await;
    let done = first.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    let done_before = first.track_to_end(&done).await;
    first.server.stop().await;

    let mut second = TestServer::start_on(&data, text).await;
    // The same application's token still works.
    second.token = first.token;
    assert_eq!(second.track(&done).await, done_before);
    let tracking = second.track_to_end(&waiting).await;
    assert_eq!(tracking["terminationChannel"], "Sms");
    assert_eq!(second.search("", json!([])).await["totalElements"], 2);
}

#[tokio::test]
async fn two_servers_never_share_a_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let _first = Server::start(config(&data, "")).await.unwrap();
    let error = Server::start(config(&data, "")).await.err().unwrap();
    assert!(error.to_string().contains("another server"), "{error}");
    // Nor does it help to take away what older versions lock.
    std::fs::remove_file(data.join("lock")).unwrap();
    let error = Server::start(config(&data, "")).await.err().unwrap();
    assert!(error.to_string().contains("another server"), "{error}");
}

/// Starts a server, sends flows with the token of an earlier one, stops it; answers how many flows a search
/// found.
async fn go_on(data: &Path, token: &str, to: &str, flows: usize) -> u64 {
    let mut server = TestServer::start_on(data, "").await;
    server.token = token.to_owned();
    for _ in 0..flows {
        server.send(&json!({"flow": [sms(1, to)]})).await;
    }
    let found = server.search("", json!([])).await["totalElements"].as_u64().unwrap();
    server.server.stop().await;
    found
}

/// Puts a database in the place of another one, whose index stays.
fn replace(data: &Path, by: &Path) {
    for name in ["switchback.db", "switchback.db-wal", "switchback.db-shm"] {
        let _ = std::fs::remove_file(data.join(name));
    }
    std::fs::copy(by, server::database(data)).unwrap();
}

#[tokio::test]
async fn the_index_answers_for_the_database_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let [data, elsewhere, backup] = ["a", "b", "backup.db"].map(|name| directory.path().join(name));
    let server = TestServer::start_on(&data, "").await;
    for _ in 0..30 {
        server.send(&json!({"flow": [sms(1, "+306900000010")]})).await;
    }
    // A backup, while it runs.
    let database = rusqlite::Connection::open(server::database(&data)).unwrap();
    database.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(database);
    let token = server.token.clone();
    for _ in 0..20 {
        server.send(&json!({"flow": [sms(1, "+306911111100")]})).await;
    }
    server.server.stop().await;

    // It comes back, and what came after it is gone.
    replace(&data, &backup);
    assert_eq!(go_on(&data, &token, "", 0).await, 30);
    // One that went on elsewhere, further than this one, comes here.
    assert_eq!(go_on(&data, &token, "+306911111100", 10).await, 40);
    std::fs::create_dir(&elsewhere).unwrap();
    replace(&elsewhere, &backup);
    assert_eq!(go_on(&elsewhere, &token, "+306922222200", 50).await, 80);
    replace(&data, &server::database(&elsewhere));
    let mut server = TestServer::start_on(&data, "").await;
    server.token = token;
    let to = |number| json!([{"fieldName": "to", "searchOperator": "is", "searchTerm": number}]);
    for (number, flows) in [("+306900000010", 30), ("+306911111100", 0), ("+306922222200", 50)] {
        assert_eq!(server.search("", to(number)).await["totalElements"], flows, "{number}");
    }
    assert_eq!(server.search("size=100", json!([])).await["content"].as_array().unwrap().len(), 80);
}

#[tokio::test]
async fn a_carriers_rate_is_kept() {
    let text = "[engine]\nminute = \"60s\"\n[[carrier]]\nname = \"s\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\nrate = 20\ndelay = \"1ms\"\n";
    let server = TestServer::start(text).await;
    let started = std::time::Instant::now();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(server.send(&json!({"flow": [sms(1, "+306900000000")]})).await);
    }
    for id in &ids {
        server.track_until(id, |tracking| tracking["messages"][0]["status"]["name"] != "Queued").await;
    }
    // A burst of 20, then 20 a second: a bound from below, whatever the machine.
    assert!(started.elapsed().as_millis() >= 900, "{:?}", started.elapsed());
}
