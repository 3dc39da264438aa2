//! `kill -9` under load: what was answered 200 is there after a restart, and comes to its end.

use crate::support::{Process, create_application, login, run};
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ROUNDS: usize = 20;
const SENDERS: usize = 8;

fn flow(i: usize) -> String {
    let to = format!("+30690{:07}", i % 1000);
    json!({"flow": [
        {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": to, "ttl": 2, "message": {"text": "hi"}},
        {"type": "Sms", "order": 2, "from": "Acme", "to": to, "ttl": 2, "message": {"body": "hi"}},
    ]})
    .to_string()
}

/// Sends until the server is gone; keeps the ids that were answered.
async fn send(
    client: Client,
    url: String,
    token: String,
    first: usize,
    acknowledged: Arc<Mutex<Vec<String>>>,
) {
    for i in (first..).step_by(SENDERS) {
        let request = client.post(format!("{url}/failover")).bearer_auth(&token);
        let request = request.header("content-type", "application/json").body(flow(i));
        let Ok(response) = request.send().await else { return };
        // Refused under load is as good as not sent.
        if response.status() != 200 {
            continue;
        }
        let Ok(text) = response.text().await else { return };
        let Ok(answer) = serde_json::from_str::<Value>(&text) else { return };
        acknowledged.lock().unwrap().push(answer["trackingId"].as_str().unwrap().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_answered_is_lost_or_stuck() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let config = directory.path().join("switchback.toml");
    std::fs::write(&config, "[engine]\nminute = \"100ms\"\n[store]\nindex_save = \"20ms\"\n").unwrap();
    let application = create_application(&data);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let mut token = String::new();
    for round in 0..ROUNDS {
        let mut process = Process::serve(&data, &config);
        if token.is_empty() {
            token = login(&client, &process.url, &application).await;
        }
        let before = acknowledged.lock().unwrap().len();
        let senders: Vec<_> = (0..SENDERS)
            .map(|i| {
                let (client, url, token) = (client.clone(), process.url.clone(), token.clone());
                tokio::spawn(send(client, url, token, round * 10_000 + i, Arc::clone(&acknowledged)))
            })
            .collect();
        // A random moment, but not before anything was answered.
        let pause = Duration::from_millis(fastrand::u64(5..400));
        tokio::time::sleep(pause).await;
        while acknowledged.lock().unwrap().len() == before {
            tokio::task::yield_now().await;
        }
        process.kill();
        for sender in senders {
            sender.await.unwrap();
        }
    }

    let ids: HashSet<String> = acknowledged.lock().unwrap().iter().cloned().collect();
    let mut process = Process::serve(&data, &config);
    println!("{} flows acknowledged over {ROUNDS} crashes", ids.len());
    let search = async |filters: Value, page: usize| -> Value {
        let url = format!("{}/failover/tracking?size=1000&page={page}", process.url);
        let request = client.post(url).bearer_auth(&token).header("content-type", "application/json");
        let text = request.body(filters.to_string()).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let not = |status: &str| json!({"fieldName": "status", "searchOperator": "is_not", "searchTerm": status});
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let open = search(json!([not("Succeeded"), not("Failed")]), 0).await;
        if open["totalElements"] == 0 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "stuck: {}", open["content"][0]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut found = HashSet::new();
    for page in 0.. {
        let content = search(json!([]), page).await["content"].as_array().unwrap().clone();
        if content.is_empty() {
            break;
        }
        found.extend(content.iter().map(|tracking| tracking["trackingId"].as_str().unwrap().to_owned()));
    }
    let lost: Vec<_> = ids.difference(&found).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    // The index's files came through the crashes as well, whatever was being written then.
    process.kill();
    let output = run(&["index", "verify", "--data", data.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{output:?}");
}
