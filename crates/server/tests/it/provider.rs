//! An HTTP provider of our own: keeps what it got, answers as it is told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    /// JSON, or a form as an object of texts.
    pub body: Value,
}

/// What is answered.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// How long it takes.
    pub after: Duration,
}

impl Reply {
    pub fn json(status: u16, body: Value) -> Reply {
        Reply { status, headers: vec![], body: body.to_string(), after: Duration::ZERO }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn after(mut self, after: Duration) -> Reply {
        self.after = after;
        self
    }
}

type Script = dyn Fn(&Got, usize) -> Reply + Send + Sync;

#[derive(Clone)]
pub struct Provider {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    script: Arc<Script>,
}

impl Provider {
    /// Starts one; the script gets the request and how many came before.
    pub async fn start(script: impl Fn(&Got, usize) -> Reply + Send + Sync + 'static) -> Provider {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Provider { url, got: Arc::default(), script: Arc::new(script) };
        let router = Router::new().fallback(receive).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// How many requests came to a path.
    pub fn count(&self, path: &str) -> usize {
        self.got.lock().unwrap().iter().filter(|got| got.path == path).count()
    }
}

async fn receive(
    State(provider): State<Provider>,
    _: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, String) {
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| {
        let form: BTreeMap<String, String> = serde_urlencoded::from_bytes(&body).unwrap_or_default();
        serde_json::to_value(form).unwrap()
    });
    let got = Got { path: uri.path().to_owned(), headers, body };
    let before = {
        let mut all = provider.got.lock().unwrap();
        all.push(got.clone());
        all.len() - 1
    };
    let reply = (provider.script)(&got, before);
    tokio::time::sleep(reply.after).await;
    let headers = reply.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    (StatusCode::from_u16(reply.status).unwrap(), headers.collect(), reply.body)
}

/// Whether a body is as expected: `"$any"` stands for some text that is not empty.
pub fn is_like(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::String(any), Value::String(text)) if any == "$any" => !text.is_empty(),
        (Value::Object(expected), Value::Object(got)) => {
            expected.len() == got.len()
                && expected.iter().all(|(name, value)| got.get(name).is_some_and(|got| is_like(value, got)))
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len() && expected.iter().zip(got).all(|(e, g)| is_like(e, g))
        }
        _ => expected == got,
    }
}
