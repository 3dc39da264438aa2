//! `DELETE /failover/tracking/{trackingId}` and `DELETE /failover/tracking?to=`: leave nothing of a message; ours, beyond
//! the contract.

use super::auth::Caller;
use super::error::{ApiError, CommonErrors, ErrorBody};
use super::parameters::{Parameters, recipient};
use super::scope::Manages;
use super::tracking::load_own;
use super::{Api, PathParameters};
use crate::clock::now_ms;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use flow::{Rule, SipAddress, read_number};
use index::{Filter, Order, Predicate, Query, TextOperator};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Flows that are erased in one transaction.
const ERASED_MAX: usize = 200;

/// How many flows were erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedView {
    erased: usize,
}

/// Erases a flow: its bodies, its recipients and what became of it. Where it is under way it is cancelled first.
#[utoipa::path(
    delete,
    path = "/failover/tracking/{trackingId}",
    operation_id = "eraseFlow",
    tag = "tracking",
    params(("trackingId" = Uuid, Path, description = "What the send answered with.")),
    responses(
        (status = 204, description = "Nothing of it is left in the database; the index's files follow within minutes."),
        (status = 404, body = ErrorBody, description = "It does not exist, or is another application's."),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<1>,
) -> Result<StatusCode, ApiError> {
    let flow = load_own(&api, &caller, &path[0]).await?;
    let erased = api.store.erase(flow.application, vec![flow.id], now_ms()).await?;
    if erased == 1 { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound("tracking")) }
}

/// A recipient that was asked for, as steps keep it. A number may be written as people write it, where its plus was
/// escaped or there is none.
fn kept(to: &str) -> Option<String> {
    let unescaped = recipient(to);
    let sip = || SipAddress::parse(&unescaped).ok().map(|address| address.to_string());
    read_number(&unescaped).or_else(|| read_number(to)).or_else(sip)
}

/// Erases every flow of the application with a step to a recipient, also where that step was never started.
#[utoipa::path(
    delete,
    path = "/failover/tracking",
    operation_id = "eraseRecipient",
    tag = "tracking",
    params(("to" = String, Query, description = "The recipient, as the steps have it.")),
    responses((status = 200, body = ErasedView, description = "How many there were."), CommonErrors),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn delete_all(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    parameters: Parameters,
) -> Result<Json<ErasedView>, ApiError> {
    let parameters = parameters.only(&["to"], api.errors_max)?;
    let to = parameters.get("to").filter(|to| !to.trim().is_empty());
    let to = to.ok_or_else(|| ApiError::field("to", Rule::Required, "is required: a recipient"))?;
    let to = kept(to).ok_or_else(|| {
        let rule =
            "must be a number in E.164 form, such as +306900000001, or a SIP address, such as sip:user@host";
        ApiError::field("to", Rule::Format, rule)
    })?;
    let application = &caller.application.id;
    let query = Query {
        application: application.clone(),
        from: None,
        until: None,
        filters: vec![Filter { predicate: Predicate::To(TextOperator::Is, to.clone()), negated: false }],
        order: Order::OldestFirst,
        offset: 0,
        limit: ERASED_MAX,
    };
    let mut erased = 0;
    loop {
        let mut ids = api.store.flows_to_later_recipient(application.clone(), to.clone(), ERASED_MAX).await?;
        ids.extend(api.index.search(&query).keys.into_iter().map(|(_, id)| id));
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(ERASED_MAX);
        let count = api.store.erase(application.clone(), ids, now_ms()).await?;
        if count == 0 {
            return Ok(Json(ErasedView { erased }));
        }
        erased += count;
    }
}
