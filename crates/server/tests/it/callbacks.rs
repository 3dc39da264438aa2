//! Callbacks against a receiver of our own.

use crate::support::*;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use futures::FutureExt;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::sync::{Arc, Mutex};
use store::{Admin, Keyring, SqliteAdmin};

const ALLOW: &str = "[callbacks]\nallow_private = true\nretry_base = \"20ms\"\n";

/// Answers with each of `answers` in turn, then with the last one; keeps what it got.
#[derive(Clone)]
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Vec<StatusCode>>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/cb", listener.local_addr().unwrap().port());
        let answers = answers.iter().map(|&status| StatusCode::from_u16(status).unwrap()).collect();
        let receiver = Receiver { url, got: Arc::default(), answers: Arc::new(answers) };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    fn bodies(&self) -> Vec<Value> {
        self.got.lock().unwrap().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let mut got = receiver.got.lock().unwrap();
    let answer = receiver.answers.get(got.len()).or(receiver.answers.last()).copied();
    got.push((headers, body));
    (answer.unwrap(), [("location", "/elsewhere")])
}

fn flow(strategy: &str, url: &str, to: &str) -> Value {
    json!({"flow": [viber(1, to), sms(2, to)], "callback": {"strategy": strategy, "url": url}})
}

#[tokio::test]
async fn on_completion_calls_once_with_the_signed_tracking() {
    let server = TestServer::start(ALLOW).await;
    let receiver = Receiver::start(&[200]).await;
    let id = server.send(&flow("OnCompletion", &receiver.url, "+306900000010")).await;
    until("the callback", || receiver.count() == 1).await;
    let (headers, body) = receiver.got.lock().unwrap()[0].clone();
    let webhook = Webhook::from_bytes(server.application.callback_secret.clone()).unwrap();
    webhook.verify(&body, &headers).unwrap();
    let mut forged = body.to_vec();
    forged[10] ^= 1;
    assert!(webhook.verify(&forged, &headers).is_err());
    let shown: Value = serde_json::from_slice(&body).unwrap();
    let mut tracking = server.track(&id).await;
    // Until the server has stored that it was acknowledged, a tracking says that it waits for that.
    tracking.as_object_mut().unwrap().remove("waits");
    assert_eq!(shown, tracking);
    assert_eq!(shown["status"], "Succeeded");
}

#[tokio::test]
async fn a_changed_key_signs_beside_the_one_of_before() {
    let server = TestServer::start(ALLOW).await;
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    let id = &server.application.id;
    let key = admin.rotate_callback_key(id, server::clock::now_ms()).await.unwrap().unwrap();
    let secret = store::callback_secret(&admin.secret_key().await.unwrap(), id, key.generation);
    let (old, new) = (server.application.callback_secret.clone(), secret.to_vec());
    let signed_by = |receiver: &Receiver| {
        let (headers, body) = receiver.got.lock().unwrap()[0].clone();
        [&old, &new].map(|key| Webhook::from_bytes(key.clone()).unwrap().verify(&body, &headers).is_ok())
    };
    // The running server takes the key up within a second or so.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let receiver = Receiver::start(&[200]).await;
        server.send(&flow("OnCompletion", &receiver.url, "+306900000000")).await;
        until("the callback", || receiver.count() == 1).await;
        match signed_by(&receiver) {
            [true, true] => break,
            other => assert_eq!(other, [true, false]),
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
    // A day later only the new one signs.
    admin.rotate_callback_key(id, 0).await.unwrap().unwrap();
    admin.rotate_callback_key(id, 0).await.unwrap().unwrap();
    loop {
        let receiver = Receiver::start(&[200]).await;
        server.send(&flow("OnCompletion", &receiver.url, "+306900000000")).await;
        until("the callback", || receiver.count() == 1).await;
        if signed_by(&receiver) == [false, false] {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
    assert!(admin.revoke_application(id, 1).await.unwrap());
    assert!(admin.rotate_callback_key(id, 2).await.unwrap().is_none());
    assert!(admin.rotate_callback_key("nobody", 2).await.unwrap().is_none());
}

#[tokio::test]
async fn on_change_tells_every_change_in_order() {
    let server = TestServer::start(ALLOW).await;
    let every = [
        "InProgress Viber QUEUED",
        "InProgress Sms Queued",
        "InProgress Sms Sent",
        "Succeeded Sms Delivered",
    ];
    let last = |body: &Value| {
        let message = body["messages"].as_array().unwrap().last().unwrap();
        format!("{} {} {}", body["status"], message["type"], message["status"]["name"]).replace('"', "")
    };
    // A target that answers gets one callback for each change; one whose first attempts fail gets them again,
    // with the same body and id, and then what came meanwhile, perhaps in fewer.
    for answers in [&[200][..], &[500, 503, 200]] {
        let receiver = Receiver::start(answers).await;
        server.send(&flow("OnChange", &receiver.url, "+306900000010")).await;
        let ended = || receiver.bodies().last().is_some_and(|body| body["status"] == "Succeeded");
        until("the last callback", ended).await;
        let told: Vec<String> = receiver.bodies().iter().map(last).collect();
        let tried = answers.len();
        assert_eq!(told[..tried], vec![every[0]; tried]);
        let got = receiver.got.lock().unwrap().clone();
        assert!(got[..tried].iter().all(|(headers, body)| {
            (&headers["webhook-id"], body) == (&got[0].0["webhook-id"], &got[0].1)
        }));
        let mut rest = every[1..].iter();
        assert!(told[tried..].iter().all(|told| rest.any(|change| change == told)), "{told:?}");
        assert!(tried > 1 || told.len() == every.len(), "{told:?}");
    }
}

#[tokio::test]
async fn redirects_are_failures() {
    let server = TestServer::start(ALLOW).await;
    let receiver = Receiver::start(&[302, 200]).await;
    server.send(&flow("OnCompletion", &receiver.url, "+306900000000")).await;
    // Tried again at the same place, and never elsewhere.
    until("the second attempt", || receiver.count() == 2).await;
}

#[tokio::test]
async fn private_targets_are_not_called() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = TestServer::start_on(&data, &format!("[engine]\nminute = \"200ms\"\n{ALLOW}")).await;
    let receiver = Receiver::start(&[500]).await;
    let body = flow("OnCompletion", &receiver.url, "+306900000000");
    server.send(&body).await;
    until("it is called", || receiver.count() > 0).await;
    server.server.stop().await;
    // What was sent while it was allowed is not called any more.
    let called = receiver.count();
    let text = "[engine]\nminute = \"200ms\"\n[callbacks]\nretry_base = \"20ms\"\ngive_up = \"0s\"\n";
    let server = TestServer::start_again(&data, text, server.token, server.application).await;
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    until("the dead callback", || {
        !admin.dead_callbacks(None, 10).now_or_never().unwrap().unwrap().is_empty()
    })
    .await;
    assert!(
        admin.dead_callbacks(None, 10).await.unwrap()[0].error.contains("callbacks.allow_private is off")
    );
    assert_eq!(receiver.count(), called);
    assert_eq!(server.post("/failover", &body).await.0, 400);
}

#[tokio::test]
async fn dead_callbacks_are_kept_and_replayed() {
    let server = TestServer::start(&format!("{ALLOW}give_up = \"0s\"\n")).await;
    let receiver = Receiver::start(&[404, 200]).await;
    server.send(&flow("OnCompletion", &receiver.url, "+306900000000")).await;
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    until("the dead callback", || {
        !admin.dead_callbacks(None, 10).now_or_never().unwrap().unwrap().is_empty()
    })
    .await;
    let dead = &admin.dead_callbacks(None, 10).await.unwrap()[0];
    assert!(dead.error.contains("404"), "{}", dead.error);
    assert_eq!(admin.request_replay(Some(dead.tracking_id)).await.unwrap(), 1);
    until("the replay", || receiver.count() == 2).await;
    until("the end of it", || admin.dead_callbacks(None, 10).now_or_never().unwrap().unwrap().is_empty())
        .await;
}

/// Accepts connections at every address of the loopback network and never answers.
async fn hang() -> u16 {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            kept.push(connection);
        }
    });
    port
}

#[tokio::test]
async fn targets_that_hang_under_many_names_delay_only_their_own_application() {
    // Each hangs for longer than this test may take.
    let server = TestServer::start(&format!("{ALLOW}timeout = \"2m\"\nconcurrency = 16\n")).await;
    let (port, receiver) = (hang().await, Receiver::start(&[200]).await);
    for i in 1..=200 {
        let url = format!("http://127.0.0.{i}:{port}/x");
        server.send(&flow("OnCompletion", &url, "+306900000000")).await;
    }
    let honest = create_application(&server.data, "honest");
    let token = token(&server.client, &server.url, &honest).await;
    for _ in 0..20 {
        let body = flow("OnCompletion", &receiver.url, "+306900000000");
        let request = server.client.post(format!("{}/failover", server.url)).bearer_auth(&token);
        assert_eq!(answer(request.json(&body)).await.0, 200);
    }
    until("the other application's callbacks", || receiver.count() == 20).await;
}

#[tokio::test]
async fn a_target_that_is_gone_is_not_called_again() {
    let server = TestServer::start(ALLOW).await;
    let receiver = Receiver::start(&[410, 200]).await;
    let gone = server.send(&flow("OnChange", &receiver.url, "+306900000000")).await;
    assert_eq!(server.track_to_end(&gone).await["status"], "Succeeded");
    // Another flow of the same target is called as ever.
    let other = server.send(&flow("OnCompletion", &receiver.url, "+306900000000")).await;
    until("the other flow's callback", || receiver.count() >= 2).await;
    let told: Vec<Value> = receiver.bodies().iter().map(|body| body["trackingId"].clone()).collect();
    assert_eq!(told, [json!(gone), json!(other)]);
}
