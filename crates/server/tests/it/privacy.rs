//! Erasure, and how long an application's flows are kept.

use crate::support::*;
use reqwest::Method;
use serde_json::json;
use server::clock;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;
use store::{Admin, ApplicationSettings, Keyring, NewApplication, SqliteAdmin};

const SECRET: &str = "the code is 4711-xyzzy";

/// What documents are compressed with (`store/src/document.rs`).
const DICTIONARY: &[u8] = include_bytes!("../../../store/dictionaries/2.zdict");
/// How a zstd frame begins (RFC 8878, 3.1.1).
const FRAME: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// All that zstd frames in some octets have, as far as each can be read: also those that nobody refers to
/// any more.
fn decompressed(content: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let starts = content.windows(FRAME.len()).enumerate().filter(|(_, window)| *window == FRAME);
    for (start, _) in starts {
        let decoder = zstd::stream::Decoder::with_dictionary(&content[start..], DICTIONARY).unwrap();
        // A frame that was partly overwritten ends in an error, behind what could be read.
        let _ = decoder.single_frame().read_to_end(&mut all);
    }
    all
}

/// The files under a directory that contain a text, compressed or not.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        // The index replaces its files while this goes through them.
        } else if let Ok(content) = std::fs::read(&path) {
            let contents = [&decompressed(&content), &content];
            if contents.iter().any(|one| one.windows(text.len()).any(|window| window == text.as_bytes())) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// How many flows the index's files have.
fn flows_of_index(server: &TestServer) -> Option<usize> {
    let stats = index::stats(&server.data.join("index")).ok()?;
    Some(stats.applications.iter().map(|of| of.flows).sum())
}

fn secret(order: u32, to: &str) -> serde_json::Value {
    let mut step = sms(order, to);
    step["message"]["body"] = SECRET.into();
    step
}

#[tokio::test]
async fn nothing_is_left_of_an_erased_flow() {
    let server = TestServer::start("[engine]\nminute = \"60s\"\n[store]\nindex_save = \"10ms\"\n").await;
    let (done_to, waiting_to, kept_to) = ("+306900000000", "+306987654321", "+306900000010");
    let done = server.send(&json!({"flow": [secret(1, done_to)]})).await;
    let waiting = server.send(&json!({"flow": [viber(1, kept_to), secret(2, waiting_to)]})).await;
    server.track_to_end(&done).await;
    until("the index is written", || flows_of_index(&server) == Some(2)).await;
    // The member of documents that has their history.
    let history = "history";
    assert!([SECRET, history].iter().all(|text| !files_with(&server.data, text).is_empty()));

    for id in [&done, &waiting] {
        let path = format!("/failover/tracking/{id}");
        assert_eq!(answer(server.request(Method::DELETE, &path)).await.0, 204);
        assert_eq!(answer(server.request(Method::GET, &path)).await.0, 404);
        assert_eq!(answer(server.request(Method::GET, &format!("{path}/events"))).await.0, 404);
        assert_eq!(answer(server.request(Method::DELETE, &path)).await.0, 404);
    }
    assert_eq!(server.search("", json!([])).await["totalElements"], 0);
    for text in [SECRET, history, done_to, waiting_to, &waiting_to[4..]] {
        until(text, || files_with(&server.data, text).is_empty()).await;
    }
    until("the index's files follow", || flows_of_index(&server) == Some(0)).await;
}

#[tokio::test]
async fn sealed_is_sealed() {
    let server = TestServer::start(
        "[engine]\nminute = \"60s\"\n[store]\nindex_save = \"10ms\"\n\
         encryption_key = \"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYyE=\"\n\
         [shortener]\nbase_url = \"https://s.example/s/\"\n",
    )
    .await;
    let (first_to, later_to) = ("+306900000030", "+306912345670");
    let mut linked = viber(1, first_to);
    linked["message"]["text"] = SECRET.into();
    let mut later = secret(2, later_to);
    later["message"]["body"] = "Go to https://bank.example/reset?tok=s3cr3t-link".into();
    later["urlShortener"] = json!({"urlValidity": 3600});
    let request = server.request(Method::POST, "/failover").json(&json!({"flow": [linked, later]}));
    let (status, flow) = answer(request.header("idempotency-key", "spare-the-key-5150")).await;
    assert_eq!(status, 200, "{flow}");
    until("the index is written", || flows_of_index(&server) == Some(1)).await;
    for text in [SECRET, "bank.example", "s3cr3t-link", &later_to[1..], &later_to[3..], "spare-the-key-5150"]
    {
        assert_eq!(files_with(&server.data, text), Vec::<String>::new(), "{text}");
    }
    // It is there nonetheless: for who follows the link, and who erases by the recipient.
    let path = "/failover/tracking?to=%2B306912345670";
    let body = flow["flow"][1]["message"]["body"].as_str().unwrap();
    let code = body.rsplit_once('/').unwrap().1;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let followed = client.unwrap().get(format!("{}/s/{code}", server.url)).send().await.unwrap();
    assert_eq!(followed.headers()["location"], "https://bank.example/reset?tok=s3cr3t-link");
    assert_eq!(answer(server.request(Method::DELETE, path)).await.1, json!({"erased": 1}));
}

#[tokio::test]
async fn a_recipient_is_erased_from_every_flow_of_the_application_alone() {
    let mut server = TestServer::start("[engine]\nminute = \"60s\"\n").await;
    let (to, other) = ("+306987654321", "+306900000010");
    // More than one transaction erases, one of them where the step was never started, and one under way.
    for _ in 0..250 {
        server.send(&json!({"flow": [secret(1, to)]})).await;
    }
    server.send(&json!({"flow": [viber(1, other), secret(2, to)]})).await;
    let kept = server.send(&json!({"flow": [secret(1, other)]})).await;

    let own = server.token.clone();
    let stranger = create_application(&server.data, "stranger");
    server.token = token(&server.client, &server.url, &stranger).await;
    let path = "/failover/tracking?to=%2B306987654321";
    assert_eq!(answer(server.request(Method::DELETE, path)).await.1, json!({"erased": 0}));
    let one = format!("/failover/tracking/{kept}");
    assert_eq!(answer(server.request(Method::DELETE, &one)).await.0, 404);
    server.token = own;

    assert_eq!(answer(server.request(Method::DELETE, path)).await.1, json!({"erased": 251}));
    // A plus sign that was not escaped means the same.
    let path = "/failover/tracking?to=+306987654321";
    assert_eq!(answer(server.request(Method::DELETE, path)).await.1, json!({"erased": 0}));
    let left = server.search("", json!([])).await;
    assert_eq!(left["content"][0]["trackingId"], kept.as_str());
    assert_eq!(left["totalElements"], 1);

    for path in ["/failover/tracking", "/failover/tracking?to="] {
        let (status, refused) = answer(server.request(Method::DELETE, path)).await;
        assert_eq!((status.as_u16(), &refused["errors"][0]["field"]), (400, &json!("to")));
    }
}

#[tokio::test]
async fn an_application_can_have_its_flows_kept_shorter() {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let today_ms = clock::now_ms();
    // This thread, and with it the server, lives two days ago at first.
    clock::simulate(move || today_ms - 2 * DAY_MS);
    let mut server =
        TestServer::start("[engine]\nminute = \"60s\"\n[store]\nclock_agreement = \"0s\"\n").await;
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    let settings =
        ApplicationSettings { retention_days: NonZeroU32::new(1), ..ApplicationSettings::default() };
    let new =
        NewApplication::draw("short".into(), settings, &admin.secret_key().await.unwrap(), today_ms).unwrap();
    admin.add_application(&new).await.unwrap();
    let short = TestApplication { id: new.application.id, secret: new.secret, callback_secret: Vec::new() };
    let short_token = token(&server.client, &server.url, &short).await;
    let usual_token = std::mem::replace(&mut server.token, short_token);
    let gone = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    server.track_to_end(&gone).await;
    // It is not final, so it stays.
    let open = server.send(&json!({"flow": [viber(1, "+306900000030")]})).await;
    server.track_until(&open, |tracking| tracking["status"] == "InProgress").await;
    server.token = usual_token;
    let usual = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    server.track_to_end(&usual).await;

    clock::simulate(move || today_ms);
    server.token = token(&server.client, &server.url, &short).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let path = format!("/failover/tracking/{gone}");
    while answer(server.request(Method::GET, &path)).await.0 != 404 {
        assert!(tokio::time::Instant::now() < deadline, "it is still there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.track_until(&open, |tracking| tracking["status"] == "Failed").await;
    server.token = token(&server.client, &server.url, &server.application).await;
    server.track(&usual).await;
}
