//! Bodies of requests, within limits.

use crate::error::ApiError;
use crate::state::{Api, BODY_UNIT};
use axum::body::{Bytes, HttpBody};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use carriers::body::without_mark;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Largest body, octets.
pub(crate) const BODY_MAX: usize = 256 * 1024;
/// Largest body of receipts, octets: as many as are taken in one post have room.
pub(crate) const RECEIPTS_BODY_MAX: usize = 4 << 20;
/// A body of at most so many octets needs no place among the large ones.
pub(crate) const SMALL_BODY: usize = 16 * 1024;
/// A body of any type, of at most `MAX` octets.
pub struct Body<const MAX: usize = BODY_MAX>(pub(crate) Bytes);

impl<const MAX: usize> FromRequest<Arc<Api>> for Body<MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Body<MAX>, ApiError> {
        let refused = |rejection: BytesRejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::TooLarge(MAX)
            } else {
                ApiError::NotJson("it was cut off".into())
            }
        };
        let length = content_length(request.headers()).unwrap_or(MAX);
        if length > MAX {
            return Err(ApiError::TooLarge(MAX));
        }
        let units = if length > SMALL_BODY { length.div_ceil(BODY_UNIT).min(api.bodies_units) } else { 0 };
        // Until it has arrived: who sends slowly holds room that large bodies share, and small ones do not
        // need.
        let _room = api.bodies.try_acquire_many(units as u32).map_err(|_| ApiError::Overloaded)?;
        let read = Bytes::from_request(request, api);
        let read = tokio::time::timeout(api.settings.request_timeout, read).await;
        let late =
            |_| ApiError::NotJson(format!("it did not arrive within {:?}", api.settings.request_timeout));
        read.map_err(late)?.map(Body).map_err(refused)
    }
}

/// Octets of a body, where its client tells.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a body that is not as it is: compressed, for example.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    let is_plain = encoding.is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_plain { Ok(()) } else { Err(ApiError::UnsupportedEncoding) }
}

/// A JSON body; an empty one is null.
pub struct JsonBody {
    /// What it says.
    pub(crate) value: Value,
    /// As it came.
    pub(crate) octets: Bytes,
    /// Until it is checked.
    _turn: Option<OwnedSemaphorePermit>,
}

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<JsonBody, ApiError> {
        check_encoding(request.headers())?;
        let media_type =
            request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let is_json = media_type.is_none_or(|text| {
            let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            essence == "application/json" || essence.ends_with("+json")
        });
        if !is_json && !request.body().is_end_stream() {
            return Err(ApiError::UnsupportedMediaType);
        }
        let Body(octets) = Body::<BODY_MAX>::from_request(request, api).await?;
        let octets = octets.slice_ref(without_mark(&octets));
        if octets.is_empty() {
            return Ok(JsonBody { value: Value::Null, octets, _turn: None });
        }
        let turn = if octets.len() > SMALL_BODY {
            let turn = Arc::clone(&api.parsing).acquire_owned().await;
            // It is never closed.
            Some(turn.map_err(|_| ApiError::Overloaded)?)
        } else {
            None
        };
        let value = serde_json::from_slice(&octets).map_err(|error| ApiError::NotJson(error.to_string()))?;
        Ok(JsonBody { value, octets, _turn: turn })
    }
}
