//! A server under test, and its client.

use futures::FutureExt;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use server::Server;
use server::config::Config;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{Admin, ApplicationSettings, Keyring, NewApplication, SqliteAdmin, callback_secret};
use tempfile::TempDir;

/// How long anything may take that should happen at all.
const DEADLINE: Duration = Duration::from_secs(20);

pub struct TestServer {
    pub server: Server,
    pub url: String,
    pub application: TestApplication,
    pub token: String,
    pub client: Client,
    pub data: PathBuf,
    _directory: Option<TempDir>,
}

pub struct TestApplication {
    pub id: String,
    pub secret: String,
    /// The key of its callbacks' signatures.
    pub callback_secret: Vec<u8>,
}

pub fn config(data: &Path, text: &str) -> Config {
    let mut config = Config::parse(text, std::path::Path::new(env!("CARGO_MANIFEST_DIR")), []).unwrap();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.store.path = data.to_owned();
    config
}

pub fn create_application(data: &Path, name: &str) -> TestApplication {
    let admin = SqliteAdmin::open(&server::database(data), &Keyring::default()).unwrap();
    // It works on the caller's thread and never waits.
    let key = admin.secret_key().now_or_never().unwrap().unwrap();
    let new = NewApplication::draw(name.into(), ApplicationSettings::default(), &key, 0).unwrap();
    admin.add_application(&new).now_or_never().unwrap().unwrap();
    let id = new.application.id;
    let callback_secret = callback_secret(&key, &id, 0).to_vec();
    TestApplication { id, secret: new.secret, callback_secret }
}

impl TestServer {
    /// Starts a server on fresh data; a ttl minute lasts 200 ms unless the configuration says otherwise.
    pub async fn start(text: &str) -> TestServer {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let engine = if text.contains("[engine]") { "" } else { "[engine]\nminute = \"200ms\"\n" };
        let mut started = TestServer::start_on(&data, &format!("{engine}{text}")).await;
        started._directory = Some(directory);
        started
    }

    pub async fn start_on(data: &Path, text: &str) -> TestServer {
        let server = Server::start(config(data, text)).await.unwrap();
        let application = create_application(data, "test");
        let url = format!("http://{}", server.address);
        let client = Client::builder().no_proxy().build().unwrap();
        let token = token(&client, &url, &application).await;
        TestServer { server, url, application, token, client, data: data.to_owned(), _directory: None }
    }

    /// Starts a server again on the data of one that was stopped, with the token of then.
    pub async fn start_again(
        data: &Path,
        text: &str,
        token: String,
        application: TestApplication,
    ) -> TestServer {
        let server = Server::start(config(data, text)).await.unwrap();
        let url = format!("http://{}", server.address);
        let client = Client::builder().no_proxy().build().unwrap();
        TestServer { server, url, application, token, client, data: data.to_owned(), _directory: None }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a flow that must be accepted; answers with its tracking id.
    pub async fn send(&self, body: &Value) -> String {
        let (status, answer) = self.post("/failover", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["trackingId"].as_str().unwrap().to_owned()
    }

    pub async fn track(&self, id: &str) -> Value {
        let (status, tracking) = answer(self.request(Method::GET, &format!("/failover/tracking/{id}"))).await;
        assert_eq!(status, 200, "{tracking}");
        tracking
    }

    /// The tracking, once it is as wanted.
    pub async fn track_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let tracking = self.track(id).await;
            if wanted(&tracking) {
                return tracking;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {tracking:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn track_to_end(&self, id: &str) -> Value {
        self.track_until(id, |tracking| {
            ["Succeeded", "Failed"].contains(&tracking["status"].as_str().unwrap())
        })
        .await
    }

    /// A search that must succeed.
    pub async fn search(&self, query: &str, filters: Value) -> Value {
        let (status, page) = self.post(&format!("/failover/tracking?{query}"), &filters).await;
        assert_eq!(status, 200, "{page}");
        page
    }
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub async fn token(client: &Client, url: &str, application: &TestApplication) -> String {
    let request = client.post(format!("{url}/oauth/token?grant_type=client_credentials"));
    let (status, body) = answer(request.basic_auth(&application.id, Some(&application.secret))).await;
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn sms(order: u32, to: &str) -> Value {
    json!({"type": "Sms", "order": order, "from": "Acme", "to": to, "ttl": 2, "message": {"body": "hello"}})
}

pub fn viber(order: u32, to: &str) -> Value {
    json!({"type": "Viber", "order": order, "senderInfoTrackingId": "acme", "to": to, "ttl": 2,
           "message": {"text": "hello"}})
}

pub fn voice(order: u32, to: &str) -> Value {
    json!({"type": "Voice", "order": order, "from": "+302100000000", "to": {"phone": to}, "ttl": 2,
           "dialPlan": {"verbs": [{"type": "PLAY", "fileURL": "https://a.example/x.wav"}]}})
}
