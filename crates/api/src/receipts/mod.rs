//! `POST /carriers/{name}/receipts`: what carriers' providers tell us. The provider's file says how it is
//! read.

use crate::error::ApiError;
use crate::request::body::{Body, RECEIPTS_BODY_MAX};
use crate::request::parameters::PathParameters;
use crate::request::peer::Peer;
use crate::state::Api;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::routing::post;
use engine::metrics::count_refused_receipt;
use engine::service::{Post, ReceiveError};
use flow::Rule;
use std::sync::Arc;
use wire::error_body::ErrorBody;

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    let receive = post(receive).layer(DefaultBodyLimit::max(RECEIPTS_BODY_MAX));
    Router::new().route("/carriers/{name}/receipts", receive)
}

/// Takes what a provider posts: receipts, messages from recipients, opt-outs. Authenticated as the carrier's
/// provider does; answered once everything is stored.
#[utoipa::path(
    post,
    path = "/carriers/{name}/receipts",
    operation_id = "postReceipts",
    tag = "operating",
    params(("name" = String, Path, description = "The carrier.")),
    request_body(content = serde_json::Value, description = "As the provider posts: JSON, or a form."),
    responses(
        (status = 200, description = "Stored."),
        (status = 401, body = ErrorBody, description = "It is not signed as the provider signs."),
        (status = 404, body = ErrorBody, description = "There is no such carrier, or it takes no receipts here."),
        (status = 429, body = ErrorBody, description = "The address posts too much that is not signed."),
        (status = 413, body = ErrorBody, description = "The body has more than 4 MiB."),
        (status = 415, body = ErrorBody, description = "The body is compressed."),
    ),
    security(())
)]
pub async fn receive(
    State(api): State<Arc<Api>>,
    peer: Peer,
    PathParameters(path): PathParameters<1>,
    uri: Uri,
    headers: HeaderMap,
    Body(body): Body<RECEIPTS_BODY_MAX>,
) -> Result<StatusCode, ApiError> {
    let [name] = path;
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let base = api.settings.public_url.as_deref().unwrap_or_default();
    let post = Post {
        url: format!("{base}{}", uri.path_and_query().map_or("", |path| path.as_str())),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.into(),
    };
    let received = api.service.receive(&name, post).await;
    received.map(|()| StatusCode::OK).map_err(|error| refuse(&api, &name, peer, error))
}

/// Counts and logs why a post was not taken.
fn refuse(api: &Api, name: &str, peer: Peer, error: ReceiveError) -> ApiError {
    let (reason, answer) = match error {
        ReceiveError::NoCarrier => return ApiError::NotFound("carrier"),
        ReceiveError::NotStored => return ApiError::Store,
        ReceiveError::Store(error) => return error.into(),
        ReceiveError::NotAcknowledged => {
            tracing::info!("what a recipient wrote could not be passed on");
            return ApiError::NotPassedOn;
        }
        ReceiveError::Malformed(why) => {
            count_refused_receipt(name, "malformed");
            tracing::warn!(carrier = name, %why, "a receipt that can't be read was refused");
            return ApiError::field("body", Rule::Receipt, why.to_string());
        }
        ReceiveError::Forged => ("forged", ApiError::Unauthorized("the receipt is not signed as configured")),
        ReceiveError::Encoded => ("compressed", ApiError::UnsupportedEncoding),
    };
    count_refused_receipt(name, reason);
    // Each is a line of the log, and whoever likes can make them.
    if let Err(too_many) = api.gate.admit_address(peer) {
        return too_many;
    }
    tracing::warn!(
        carrier = name,
        reason,
        "a receipt that is not signed, or not written, as configured was refused"
    );
    answer
}
