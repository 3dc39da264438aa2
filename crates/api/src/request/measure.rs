//! What every answer has, and how long each route takes.

use super::host::require_host;
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::time::Instant;

/// What every answer has where its handler did not choose another value.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    // Answers tell who was sent what.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Asks for `Host`, adds the headers, and notes how long each route takes: one layer, since axum copies each
/// for every request.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    // What comes over no network, as in a simulation, is for nobody else.
    let is_local = request.extensions().get::<ConnectInfo<SocketAddr>>().is_none();
    let mut response = match require_host(&request) {
        Err(refused) if !is_local => refused.into_response(),
        _ => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    if let Some(route) = route {
        let status = response.status().as_str().to_owned();
        metrics::histogram!("switchback_http_request_seconds", "route" => route.as_str().to_owned(), "status" => status)
            .record(started.elapsed());
    }
    response
}
