//! Clients that send as fast as they are answered, and remember what was answered.

use crate::support::{create_application, login};
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

const SENDERS: usize = 8;
/// How long anything may take that should happen at all.
const DEADLINE: Duration = Duration::from_secs(60);

fn flow(i: usize) -> String {
    let to = format!("+30690{:07}", i % 1000);
    json!({"flow": [
        {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": to, "ttl": 2, "message": {"text": "hi"}},
        {"type": "Sms", "order": 2, "from": "Acme", "to": to, "ttl": 2, "message": {"body": "hi"}},
    ]})
    .to_string()
}

/// Clients of one application, over any number of starts of its server.
pub struct Load {
    client: Client,
    application: Value,
    token: String,
    sent: Arc<AtomicUsize>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    /// How many were acknowledged when the senders started last.
    before: usize,
}

/// Senders under way.
pub struct Senders(Vec<JoinHandle<()>>);

impl Senders {
    /// Waits until the server is gone for all of them.
    pub async fn end(self) {
        for sender in self.0 {
            sender.await.unwrap();
        }
    }
}

impl Load {
    /// Makes the application.
    pub fn new(data: &Path) -> Load {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let application = create_application(data);
        let (sent, acknowledged) = (Arc::default(), Arc::default());
        Load { client, application, token: String::new(), sent, acknowledged, before: 0 }
    }

    /// Takes a token, where there is none yet.
    pub async fn login(&mut self, url: &str) {
        if self.token.is_empty() {
            self.token = login(&self.client, url, &self.application).await;
        }
    }

    /// Takes another token.
    pub async fn login_again(&mut self, url: &str) {
        self.token.clear();
        self.login(url).await;
    }

    /// Erases a flow; answers the status.
    pub async fn erase(&self, url: &str, id: &str) -> u16 {
        let request = self.client.delete(format!("{url}/failover/tracking/{id}")).bearer_auth(&self.token);
        request.send().await.unwrap().status().as_u16()
    }

    /// Sends until the server is gone.
    pub async fn start(&mut self, url: &str) -> Senders {
        self.login(url).await;
        self.before = self.acknowledged();
        let senders = (0..SENDERS).map(|_| {
            let (client, url, token) = (self.client.clone(), url.to_owned(), self.token.clone());
            let (sent, acknowledged) = (Arc::clone(&self.sent), Arc::clone(&self.acknowledged));
            tokio::spawn(async move {
                while let Some(answer) =
                    post(&client, &url, &token, flow(sent.fetch_add(1, Ordering::Relaxed))).await
                {
                    // Refused under load is as good as not sent.
                    if let Some(id) = answer["trackingId"].as_str() {
                        acknowledged.lock().unwrap().push(id.to_owned());
                    }
                }
            })
        });
        Senders(senders.collect())
    }

    /// How many flows were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until something was acknowledged since the senders started.
    pub async fn until_answered(&self) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while self.acknowledged() == self.before {
            assert!(tokio::time::Instant::now() < deadline, "nothing was answered");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Sends one flow: what was answered, or nothing where the server is gone.
    pub async fn send_one(&self, url: &str) -> Option<Value> {
        post(&self.client, url, &self.token, flow(self.sent.fetch_add(1, Ordering::Relaxed))).await
    }

    /// How many flows a search finds.
    pub async fn found(&self, url: &str) -> u64 {
        self.search(url, json!([]), 0).await["totalElements"].as_u64().unwrap()
    }

    /// Waits until every flow has ended, and finds each that was acknowledged.
    pub async fn check(&self, url: &str) {
        let not =
            |status: &str| json!({"fieldName": "status", "searchOperator": "is_not", "searchTerm": status});
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let open = self.search(url, json!([not("Succeeded"), not("Failed")]), 0).await;
            if open["totalElements"] == 0 {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "stuck: {}", open["content"][0]);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut found = HashSet::new();
        for page in 0.. {
            let content = self.search(url, json!([]), page).await["content"].as_array().unwrap().clone();
            if content.is_empty() {
                break;
            }
            found.extend(content.iter().map(|tracking| tracking["trackingId"].as_str().unwrap().to_owned()));
        }
        let acknowledged = self.acknowledged.lock().unwrap();
        let lost: Vec<_> = acknowledged.iter().filter(|id| !found.contains(*id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }

    async fn search(&self, url: &str, filters: Value, page: usize) -> Value {
        let url = format!("{url}/failover/tracking?size=1000&page={page}");
        let request =
            self.client.post(url).bearer_auth(&self.token).header("content-type", "application/json");
        let text = request.body(filters.to_string()).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

async fn post(client: &Client, url: &str, token: &str, body: String) -> Option<Value> {
    let request = client.post(format!("{url}/failover")).bearer_auth(token);
    let request = request.header("content-type", "application/json").body(body);
    let text = request.send().await.ok()?.text().await.ok()?;
    serde_json::from_str(&text).ok()
}
