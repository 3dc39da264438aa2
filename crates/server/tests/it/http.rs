//! The carrier over HTTP when things go wrong, and a provider that is connected by a file alone.

use crate::provider::{Provider, Reply};
use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const TO: &str = "+306900000010";

/// A provider with a login, in a file of its own.
const LOGIN: &str = r#"
description = "a test"
channels = ["Sms"]
base_url = "http://replaced"
[auth]
kind = "login"
path = "/login"
body = '{"name": "x"}'
token = "/token"
expires_in = "/seconds"
headers = { Authorization = "Bearer {{ token }}" }
[[request]]
name = "text"
path = "/send"
body = '{"to": {{ to }}, "text": {{ text }}}'
[answer]
accepted = "status == 200"
id = "/id"
description = "/why"
[[answer.refused]]
when = "body.code == 7"
detail = "Unknown Number"
[receipts]
id = "/id"
status = "/status"
statuses = { delivered = "Delivered" }
verify = { kind = "header", name = "x-secret", value = "s3cret" }
"#;

fn config(provider: &Provider, file: &std::path::Path, more: &str) -> String {
    format!(
        "[engine]\nminute = \"10s\"\n[server]\npublic_url = \"https://sms.example\"\n\
         [[carrier]]\nname = \"a\"\nkind = \"http\"\nprovider = \"{}\"\nchannels = [\"Sms\"]\nbase_url = \"{}\"\n{more}",
        file.display(),
        provider.url
    )
}

async fn start(provider: &Provider, more: &str) -> (TestServer, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("provider.toml");
    std::fs::write(&file, LOGIN).unwrap();
    (TestServer::start(&config(provider, &file, more)).await, directory)
}

fn token(number: usize) -> Reply {
    Reply::json(200, json!({"token": format!("t{number}"), "seconds": 3600}))
}

async fn sent(server: &TestServer) -> Value {
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    server
        .track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] != "Queued")
        .await["messages"][0]
        .clone()
}

#[tokio::test]
async fn a_token_that_ends_in_mid_flow_is_taken_anew_and_the_message_goes_once() {
    // The second message finds its token refused.
    let provider = Provider::start(|got, number| match got.path.as_str() {
        "/login" => token(number),
        _ if got.headers["authorization"] == "Bearer t0" && number > 1 => Reply::json(401, json!({})),
        _ => Reply::json(200, json!({"id": number})),
    })
    .await;
    let (server, _directory) = start(&provider, "").await;
    assert_eq!(sent(&server).await["status"]["name"], "Sent");
    assert_eq!(sent(&server).await["status"]["name"], "Sent");
    assert_eq!((provider.count("/login"), provider.count("/send")), (2, 3));
}

#[tokio::test]
async fn one_call_for_a_token_serves_all_who_wait() {
    let provider = Provider::start(|got, number| match got.path.as_str() {
        "/login" => token(number).after(Duration::from_millis(100)),
        _ => Reply::json(200, json!({"id": number})),
    })
    .await;
    let (server, _directory) = start(&provider, "").await;
    let sends = (0..20).map(|_| sent(&server));
    for message in futures::future::join_all(sends).await {
        assert_eq!(message["status"]["name"], "Sent");
    }
    assert_eq!(provider.count("/login"), 1);
}

#[tokio::test]
async fn a_throttled_message_comes_back_when_it_was_told_to() {
    let provider = Provider::start(|got, number| match (got.path.as_str(), number) {
        ("/login", _) => token(number),
        (_, 1) => Reply::json(429, json!({})).header("retry-after", "1"),
        _ => Reply::json(200, json!({"id": number})),
    })
    .await;
    let (server, _directory) = start(&provider, "").await;
    let started = tokio::time::Instant::now();
    assert_eq!(sent(&server).await["status"]["name"], "Sent");
    assert!(started.elapsed() >= Duration::from_millis(950));
    assert_eq!(provider.count("/send"), 2);
}

#[tokio::test]
async fn errors_of_the_provider_hold_a_message_and_open_the_circuit() {
    let provider = Provider::start(|got, number| match (got.path.as_str(), number) {
        ("/login", _) => token(number),
        (_, 1..=5) => Reply::json(500, json!({})),
        _ => Reply::json(200, json!({"id": number})),
    })
    .await;
    let (server, _directory) = start(&provider, "").await;
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    until("the circuit is open", || !server.server.carrier_is_up("a")).await;
    server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] == "Sent").await;
    assert_eq!(provider.count("/send"), 6);
}

#[tokio::test]
async fn what_the_provider_may_have_is_sent_again_or_not_as_configured() {
    // No answer in time, then an answer that says nothing, then one without an id, which is accepted.
    let script = |got: &crate::provider::Got, number: usize| match (got.path.as_str(), number) {
        ("/login", _) => token(number),
        (_, 1) => Reply::json(200, json!({"id": 1})).after(Duration::from_secs(3)),
        (_, 2) => Reply { body: "<html>".into(), ..Reply::json(202, json!({})) },
        (_, 3) => Reply::json(200, json!({"id": null})),
        _ => Reply::json(200, json!({"id": number})),
    };
    let provider = Provider::start(script).await;
    let more = "timeout = \"200ms\"\nunknown_resends_max = 2\n";
    let (server, _directory) = start(&provider, more).await;
    assert_eq!(sent(&server).await["status"]["name"], "Sent");
    assert_eq!(provider.count("/send"), 3);

    let provider = Provider::start(script).await;
    let (server, _directory) = start(&provider, "timeout = \"200ms\"\nunknown_submit = \"wait\"\n").await;
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    until("it is handed over", || provider.count("/send") == 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(provider.count("/send"), 1, "never twice");
    assert_eq!(server.track(&id).await["messages"][0]["status"]["name"], "Queued");
}

#[tokio::test]
async fn a_refusal_has_the_providers_words() {
    let provider = Provider::start(|got, number| match got.path.as_str() {
        "/login" => token(number),
        _ => Reply::json(400, json!({"code": 7, "why": "who is that?"})),
    })
    .await;
    let (server, _directory) = start(&provider, "").await;
    let message = sent(&server).await;
    assert_eq!(message["status"]["name"], "Failed");
    let reason = json!({"detailedStatus": "Unknown Number", "description": "who is that?"});
    assert_eq!(message["status"]["reason"], reason);
}

#[tokio::test]
async fn a_provider_that_is_not_there_and_one_that_gives_no_token_cost_only_time() {
    let provider = Provider::start(|got, number| match (got.path.as_str(), number) {
        ("/login", 0) => Reply::json(403, json!({})),
        ("/login", _) => token(number),
        _ => Reply::json(200, json!({"id": number})),
    })
    .await;
    let (server, _directory) = start(&provider, "").await;
    assert_eq!(sent(&server).await["status"]["name"], "Sent");
    assert_eq!(provider.count("/login"), 2);

    // Nobody listens: a port that is taken for as long as the test lasts, and not listened to.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nowhere = taken.local_addr().unwrap();
    let mut provider = provider;
    provider.url = format!("http://{nowhere}");
    let (server, _directory) = start(&provider, "").await;
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    until("the circuit is open", || !server.server.carrier_is_up("a")).await;
    assert_eq!(server.track(&id).await["messages"][0]["status"]["name"], "Queued");
}

#[tokio::test]
async fn client_credentials_are_exchanged_for_a_token() {
    let provider = Provider::start(|got, number| match got.path.as_str() {
        "/oauth" => {
            assert_eq!(got.headers["authorization"], "Basic aWQ6c2VjcmV0");
            assert_eq!(got.body, json!({"grant_type": "client_credentials", "scope": "sms"}));
            Reply::json(200, json!({"access_token": "t", "expires_in": 3600}))
        }
        _ => {
            assert_eq!(got.headers["authorization"], "Bearer t");
            Reply::json(200, json!({"id": number}))
        }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("oauth.toml");
    let (before, after) = (LOGIN.split("[auth]").next().unwrap(), LOGIN.split("[[request]]").nth(1).unwrap());
    let auth = "[auth]\nkind = \"oauth2\"\npath = \"/oauth\"\nclient_id = \"id\"\nclient_secret = \"secret\"\n\
        scope = \"sms\"\n[[request]]";
    std::fs::write(&file, format!("{before}{auth}{after}")).unwrap();
    let server = TestServer::start(&config(&provider, &file, "")).await;
    assert_eq!(sent(&server).await["status"]["name"], "Sent");
    assert_eq!(sent(&server).await["status"]["name"], "Sent");
    assert_eq!(provider.count("/oauth"), 1);
}

/// The file of docs/carriers-http.md.
fn documented() -> String {
    let text = include_str!("../../../../docs/carriers-http.md");
    let file = text.split("```toml provider\n").nth(1).and_then(|rest| rest.split("```").next());
    file.unwrap().to_owned()
}

#[tokio::test]
async fn the_documented_provider_runs() {
    let file = documented();
    assert!(file.lines().count() < 60);
    let provider = Provider::start(|got, number| {
        assert_eq!(got.path, "/v1/sms");
        assert_eq!(got.headers["x-api-key"], "k3y");
        assert_eq!(got.body["to"], TO);
        assert_eq!(got.body["from"], "Acme");
        assert_eq!(got.body["text"], "hello");
        Reply::json(202, json!({"message": {"id": format!("m{number}")}}))
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("acme-sms.toml");
    std::fs::write(&path, file).unwrap();
    let settings = "settings = { api_key = \"k3y\", receipt_secret = \"s3cret\" }\n";
    let server = TestServer::start(&config(&provider, &path, settings)).await;
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] == "Sent").await;
    let body =
        json!({"events": [{"id": "m0", "state": "DELIVRD", "at": "2026-01-07T05:16:01Z"}]}).to_string();
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(b"s3cret").unwrap();
    mac.update(body.as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    let post = |code: String| {
        let request = server.client.request(Method::POST, format!("{}/carriers/a/receipts", server.url));
        request.header("x-signature", format!("sha256={code}")).body(body.clone()).send()
    };
    assert_eq!(post("00".into()).await.unwrap().status(), 401);
    assert_eq!(post(code).await.unwrap().status(), 200);
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["messages"][0]["status"]["name"], "Delivered");
}
