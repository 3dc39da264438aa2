//! The server's HTTP API, called without a network.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt;

/// The token that every client has.
pub const TOKEN: &str = "simulated";
/// The token of the application that takes what it can.
pub const HOSTILE_TOKEN: &str = "hostile";

/// Calls the API.
#[derive(Clone)]
pub struct Http {
    pub router: Router,
    pub token: &'static str,
}

impl Http {
    /// Sends a flow.
    pub async fn send(&self, body: &Value, key: Option<&str>) -> (u16, Value) {
        let headers: Vec<_> = key.into_iter().map(|key| ("idempotency-key", key)).collect();
        self.call("POST", "/failover", &headers, body).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call("POST", path, &[], body).await
    }

    /// Deletes something.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.call("DELETE", path, &[], &Value::Null).await
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // A status of 0 is no answer, which no caller takes for one.
        let Ok(request) = request.body(Body::from(body.to_string())) else { return (0, Value::Null) };
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let octets = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
        (status, serde_json::from_slice(&octets).unwrap_or_default())
    }
}
