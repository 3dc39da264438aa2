//! `POST /carriers/{name}/receipts`: what carriers' providers tell us. The provider's file says how it is read.

use super::error::{ApiError, ErrorBody};
use super::peer::Peer;
use super::{Api, BODY_MAX, Body, PathParameters, RECEIPTS_BODY_MAX};
use crate::clock::now_ms;
use crate::inbound;
use crate::metrics::count_refused_receipt;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use carriers::{Heard, Posted, ReceiptError, Report, Unread, UnreadReason};
use flow::{CarrierRef, Rule};
use futures::{StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Receipts of a post that are stored at once.
const RECEIPTS_AT_ONCE: usize = 256;
/// What recipients wrote that is passed on at once.
const INBOUND_AT_ONCE: usize = 16;
/// How long a post waits for the servers of clients, of all that it is passed on to; they are tried further beside it.
const INBOUND_MAX: Duration = Duration::from_secs(3);

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
        (status = 413, body = ErrorBody, description = "The body has more than 4 MiB."),
        (status = 415, body = ErrorBody, description = "The body is compressed."),
    ),
    security(())
)]
pub async fn post(
    State(api): State<Arc<Api>>,
    peer: Peer,
    PathParameters(path): PathParameters<1>,
    uri: Uri,
    headers: HeaderMap,
    Body(body): Body<RECEIPTS_BODY_MAX>,
) -> Result<StatusCode, ApiError> {
    let [name] = path;
    let heard = match read(&api, &name, &uri, &headers, body).await? {
        Ok(heard) => heard,
        Err(error) => return Err(refuse(&api, &name, peer, error)),
    };
    let Sorted { receipts, unread, inbound } = sort(&name, heard);
    // Receipts first: they wait for no client's server. Many of them share a commit. Where something can't be
    // stored or passed on, the rest is all the same, and the provider tells all of it again: what was stored
    // changes nothing then, and what was passed on is not passed on again.
    let stored = stream::iter(receipts)
        .map(|report| api.engine.sink().report(report))
        .buffered(RECEIPTS_AT_ONCE)
        .fold(true, async |all, stored| all && stored.is_ok());
    let kept = stream::iter(unread)
        .map(|unread| api.engine.sink().unread(&name, unread))
        .buffered(RECEIPTS_AT_ONCE)
        .fold(true, async |all, stored| all && stored.is_ok());
    let stored = stored.await & kept.await;
    let (api, name, deadline) = (&api, &name, Instant::now() + INBOUND_MAX);
    let taken = stream::iter(inbound)
        .map(|heard| async move {
            inbound::take(&api.store, &api.index, &api.engine, name, &heard, deadline).await
        })
        .buffered(INBOUND_AT_ONCE)
        .fold(Ok(()), async |all, taken| all.and(taken));
    taken.await?;
    if !stored {
        return Err(ApiError::Store);
    }
    Ok(StatusCode::OK)
}

/// Has the carrier read what was posted to it.
async fn read(
    api: &Api,
    name: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Result<Vec<Heard>, ReceiptError>, ApiError> {
    let outlet = Arc::clone(api.engine.outlet(name).ok_or(ApiError::NotFound("carrier"))?);
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let query = uri.query().unwrap_or_default().to_owned();
    let base = api.public_url.as_deref().unwrap_or_default();
    let url = format!("{base}{}", uri.path_and_query().map_or("", |path| path.as_str()));
    let is_large = body.len() > BODY_MAX;
    let read = move || {
        let posted = Posted { url: &url, query: &query, headers: &headers, body: &body, now_ms: now_ms() };
        outlet.carrier.read_receipts(&posted)
    };
    // Thousands take a while, in which others are served.
    if is_large { tokio::task::spawn_blocking(read).await.map_err(|_| ApiError::Store) } else { Ok(read()) }
}

/// Counts and logs why nothing was read of a post.
fn refuse(api: &Api, name: &str, peer: Peer, error: ReceiptError) -> ApiError {
    let (reason, answer) = match error {
        ReceiptError::NotSupported => return ApiError::NotFound("carrier"),
        ReceiptError::Malformed(why) => {
            count_refused_receipt(name, "malformed");
            tracing::warn!(carrier = name, %why, "a receipt that can't be read was refused");
            return ApiError::field("body", Rule::Receipt, why.to_string());
        }
        ReceiptError::Forged => ("forged", ApiError::Unauthorized("the receipt is not signed as configured")),
        ReceiptError::Encoded => ("compressed", ApiError::UnsupportedEncoding),
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

/// What a post tells, by where it goes.
#[derive(Default)]
struct Sorted {
    receipts: Vec<Report>,
    unread: Vec<Unread>,
    /// What recipients wrote.
    inbound: Vec<Heard>,
}

/// Sorts what a post tells; what goes nowhere is counted and logged.
fn sort(name: &str, heard: Vec<Heard>) -> Sorted {
    let (mut sorted, mut malformed) = (Sorted::default(), 0u32);
    for heard in heard {
        match heard {
            Heard::Receipt { reference, receipt } => {
                let reference = CarrierRef::new(name, reference);
                sorted.receipts.push(Report { reference, recipient: None, receipt });
            }
            Heard::Unknown { reference, word } => {
                count_refused_receipt(name, "unknown status");
                sorted.unread.push(Unread {
                    why: UnreadReason::UnknownWord,
                    text: String::new(),
                    reference: Some(reference),
                    word: Some(word),
                    error: None,
                    recipient: None,
                });
            }
            Heard::Malformed { why } => {
                count_refused_receipt(name, "malformed");
                malformed += 1;
                // There may be thousands.
                if malformed == 1 {
                    tracing::warn!(carrier = name, %why, "a receipt among others can't be read");
                }
            }
            Heard::Nothing => {}
            Heard::Message(_) | Heard::OptOut { .. } | Heard::OptIn { .. } => sorted.inbound.push(heard),
        }
    }
    sorted
}
