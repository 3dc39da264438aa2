//! `GET /s/{code}`: where a short link leads (contract, section 2: `urlShortener`).

use super::error::{ApiError, ErrorBody};
use super::peer::Peer;
use super::{Api, PathParameters};
use crate::clock::now_ms;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use std::sync::Arc;

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
pub async fn get(
    State(api): State<Arc<Api>>,
    peer: Peer,
    PathParameters(path): PathParameters<1>,
) -> Result<impl IntoResponse, ApiError> {
    api.gate.admit_address(peer)?;
    let [code] = path;
    let url = api.store.link(code, now_ms()).await?.ok_or(ApiError::NotFound("link"))?;
    Ok((StatusCode::FOUND, [(header::LOCATION, url), (header::CACHE_CONTROL, "private, max-age=60".into())]))
}
