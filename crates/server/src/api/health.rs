//! `GET /health/live`, `GET /health/ready`, `GET /metrics`.

use super::Api;
use super::error::ErrorBody;
use crate::metrics::recorder;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is wrong: `closing`, `store unavailable`, `store overloaded`, `store slow`.
    status: &'static str,
    /// Whether each carrier is up. One that is down holds up its own messages only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    carriers: BTreeMap<String, bool>,
}

/// The process runs.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "isAlive",
    tag = "operating",
    responses((status = 200, body = Health, description = "It runs."), (status = 400, body = ErrorBody, description = "The request has no `Host`.")),
    security(())
)]
pub async fn live() -> Json<Health> {
    Json(Health { status: "ok", carriers: BTreeMap::new() })
}

/// The server takes flows: something like a flow can be written now.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "isReady",
    tag = "operating",
    responses((status = 200, body = Health, description = "It does."), (status = 503, body = Health, description = "Not now."), (status = 400, body = ErrorBody, description = "The request has no `Host`.")),
    security(())
)]
pub async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Json<Health>) {
    let carriers = api.engine.outlets().iter();
    let carriers = carriers.map(|outlet| (outlet.config.name.clone(), outlet.carrier.is_up())).collect();
    let status = if api.engine.is_closing() { "closing" } else { api.readiness.ask(&*api.store).await };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Health { status, carriers }))
}

/// Counters in Prometheus' text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "readMetrics",
    tag = "operating",
    responses((status = 200, content_type = "text/plain", body = String, description = "A line a counter."), (status = 400, body = ErrorBody, description = "The request has no `Host`.")),
    security(())
)]
pub async fn metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder().render())
}
