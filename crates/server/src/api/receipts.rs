//! `POST /carriers/{name}/receipts`: what carriers' providers tell us. The provider's file says how it is read.

use super::error::{ApiError, BodyErrors, ErrorBody};
use super::peer::Peer;
use super::{Api, Body, PathParameters};
use crate::clock::now_ms;
use crate::inbound;
use crate::metrics::count_refused_receipt;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use carriers::{Heard, Posted, ReceiptError};
use flow::{CarrierRef, Rule};
use futures::{StreamExt, stream};
use std::sync::Arc;

/// Receipts of a post that are stored at once.
const RECEIPTS_AT_ONCE: usize = 256;
/// What recipients wrote that is passed on at once.
const INBOUND_AT_ONCE: usize = 16;

/// Takes what a provider posts: receipts, messages from recipients, opt-outs. Authenticated as the carrier's provider
/// does; answered once everything is stored.
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
        BodyErrors,
    ),
    security(())
)]
pub async fn post(
    State(api): State<Arc<Api>>,
    peer: Peer,
    PathParameters(path): PathParameters<1>,
    uri: Uri,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, ApiError> {
    let [name] = path;
    let outlet = api.engine.outlet(&name).ok_or(ApiError::NotFound("carrier"))?;
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let query = uri.query().unwrap_or_default();
    let base = api.public_url.as_deref().unwrap_or_default();
    let url = format!("{base}{}", uri.path_and_query().map_or("", |path| path.as_str()));
    let posted = Posted { url: &url, query, headers: &headers, body: &body, now_ms: now_ms() };
    let heard = outlet.carrier.read_receipts(&posted).map_err(|error| match error {
        ReceiptError::NotSupported => ApiError::NotFound("carrier"),
        ReceiptError::Forged => {
            count_refused_receipt(&name, "forged");
            // Each is a line of the log, and whoever likes can make them.
            if let Err(too_many) = api.gate.admit_address(peer) {
                return too_many;
            }
            tracing::warn!(carrier = name, "a receipt that is not signed as configured was refused");
            ApiError::Unauthorized("the receipt is not signed as configured")
        }
        ReceiptError::Malformed(why) => {
            count_refused_receipt(&name, "malformed");
            tracing::warn!(carrier = name, why, "a receipt that can't be read was refused");
            ApiError::field("body", Rule::Receipt, why)
        }
    })?;
    let (mut receipts, mut inbound) = (Vec::new(), Vec::new());
    for heard in heard {
        match heard {
            Heard::Receipt { reference, receipt } => {
                receipts.push((CarrierRef::new(&name, reference), receipt));
            }
            Heard::Unknown { reference, word } => {
                count_refused_receipt(&name, "unknown status");
                tracing::warn!(
                    carrier = name,
                    reference,
                    word,
                    "a receipt with a status that is not in the table"
                );
            }
            Heard::Nothing => {}
            Heard::Message(_) | Heard::OptOut { .. } | Heard::OptIn { .. } => inbound.push(heard),
        }
    }
    // Receipts first: they wait for no client's server. Many of them share a commit. Where something can't be
    // stored or passed on, the rest is all the same, and the provider tells all of it again: what was stored
    // changes nothing then, and what was passed on has the same `webhook-id`.
    let stored = stream::iter(receipts)
        .map(|(carrier, receipt)| api.engine.sink().take(carrier, receipt))
        .buffered(RECEIPTS_AT_ONCE)
        .fold(true, async |all, stored| all && stored.is_ok());
    let stored = stored.await;
    let (api, name) = (&api, &name);
    let taken = stream::iter(inbound)
        .map(|heard| async move {
            inbound::take(&api.store, &api.index, &api.engine, name, &heard, now_ms()).await
        })
        .buffered(INBOUND_AT_ONCE)
        .fold(Ok(()), async |all, taken| all.and(taken));
    taken.await?;
    if !stored {
        return Err(ApiError::Store);
    }
    Ok(StatusCode::OK)
}
