//! `GET /health/live`, `GET /health/ready`, `GET /health/status`, `GET /metrics`.

pub(crate) mod status;

use crate::state::Api;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use engine::metrics::recorder;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::error_body::ErrorBody;
use wire::health::Health;

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health/status", get(status::show))
        .route("/metrics", get(metrics))
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
    Json(Health { status: "ok".into(), carriers: BTreeMap::new() })
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
    let carriers = api.service.carriers().collect();
    let status = api.service.readiness().await;
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Health { status: status.into(), carriers }))
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
