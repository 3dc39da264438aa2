//! `GET /refusals`: the application's requests that were refused (contract, section 8). Ours, beyond the
//! original service.

use crate::error::{ApiError, CommonErrors};
use crate::request::caller::Caller;
use crate::request::scope::Reads;
use crate::state::Api;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use engine::Refusal;
use std::sync::Arc;
use wire::refusals::{RefusalView, RefusalsView};
use wire::time::iso;

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new().route("/refusals", get(list))
}

/// The requests that were refused, newest first: the last 1,000 since the server started.
#[utoipa::path(
    get,
    path = "/refusals",
    operation_id = "listRefusals",
    tag = "tracking",
    responses(
        (status = 200, body = RefusalsView, description = "Without what the requests had in them."),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover:read"]))
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller<Reads>,
) -> Result<Json<RefusalsView>, ApiError> {
    let view = |refusal: Refusal| {
        let Refusal { at_ms, request_id, method, path, code, broken } = refusal;
        let (field, rule) = broken.map(|(field, rule)| (field, rule.name().into())).unzip();
        RefusalView { at: iso(at_ms), request_id, method, path, code, field, rule }
    };
    let content = api.service.refusals(&caller.application.id).into_iter().map(view).collect();
    Ok(Json(RefusalsView { content }))
}
