//! `GET /s/{code}`: where a short link leads (contract, section 2: `urlShortener`).

use crate::error::ApiError;
use crate::request::parameters::PathParameters;
use crate::request::peer::Peer;
use crate::state::Api;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use wire::error_body::ErrorBody;

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new().route("/s/{code}", get(follow))
}

/// Follows a short link.
#[utoipa::path(
    get,
    path = "/s/{code}",
    operation_id = "followLink",
    tag = "sending",
    params(("code" = String, Path, description = "What the message has after the shortener's base URL.")),
    responses(
        (status = 302, description = "To the link's target."),
        (status = 404, body = ErrorBody, description = "It does not exist, or no longer works."),
        (status = 429, body = ErrorBody, description = "The address asks too often; see `Retry-After`."),
        (status = 503, body = ErrorBody, description = "The store fails."),
    ),
    security(())
)]
pub async fn follow(
    State(api): State<Arc<Api>>,
    peer: Peer,
    PathParameters(path): PathParameters<1>,
) -> Result<impl IntoResponse, ApiError> {
    api.gate.admit_address(peer)?;
    let [code] = path;
    let url = api.service.short_link(code).await?.ok_or(ApiError::NotFound("link"))?;
    Ok((StatusCode::FOUND, [(header::LOCATION, url), (header::CACHE_CONTROL, "private, max-age=60".into())]))
}
