//! `/suppressions/{channel}`: recipients who want no more messages of the application on a channel. Ours,
//! beyond the contract.

use crate::error::{ApiError, CommonErrors};
use crate::request::caller::Caller;
use crate::request::parameters::{PathParameters, QueryParameters};
use crate::request::scope::Manages;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use engine::administration::REASON_MAX;
use flow::{Channel, Rule, read_number};
use std::sync::Arc;
use store::Suppression;
use wire::parameters::recipient;
use wire::suppression::{SuppressionView, SuppressionsView};
use wire::time::iso;
use wire::words::{ChannelWord, one_of_channels};

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/suppressions/{channel}", get(list))
        .route("/suppressions/{channel}/{recipient}", put(add).delete(remove))
}

/// Most of a page.
const SIZE_MAX: usize = 1000;

fn channel(name: &str) -> Result<Channel, ApiError> {
    let rule = || ApiError::field("channel", Rule::Choice, format!("must be {}", one_of_channels()));
    Channel::parse(name).ok_or_else(rule)
}

fn number(text: &str) -> Result<String, ApiError> {
    let rule = "must be a phone number in E.164 form, such as +306900000001";
    read_number(text).ok_or_else(|| ApiError::field("recipient", Rule::Format, rule))
}

/// Lists them, by number.
#[utoipa::path(
    get,
    path = "/suppressions/{channel}",
    operation_id = "listSuppressions",
    tag = "suppressions",
    params(
        ("channel" = inline(ChannelWord), Path, description = "In any case."),
        ("after" = Option<String>, Query, description = "Numbers behind this one; `next` of the page before."),
        ("size" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "100 by default."),
    ),
    responses((status = 200, body = SuppressionsView, description = "A page."), CommonErrors),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<1>,
    QueryParameters(parameters): QueryParameters,
) -> Result<Json<SuppressionsView>, ApiError> {
    let [name] = path;
    let parameters = parameters.only(&["after", "size"], api.settings.errors_max)?;
    let channel = channel(&name)?;
    let size = parameters.get("size").map_or(Ok(100), |size| size.parse::<usize>());
    let size = size.ok().filter(|size| (1..=SIZE_MAX).contains(size));
    let rule = format!("must be a whole number from 1 to {SIZE_MAX}");
    let size = size.ok_or_else(|| ApiError::field("size", Rule::Range, rule))?;
    let after = parameters.get("after").map(|after| recipient(after)).unwrap_or_default();
    let found = api.service.suppressions(&caller.application.id, channel, after, size).await?;
    let next = found.last().filter(|_| found.len() == size).map(|last| last.recipient.clone());
    let view = |suppression: Suppression| SuppressionView {
        recipient: suppression.recipient,
        reason: suppression.reason,
        since: iso(suppression.since_ms),
    };
    Ok(Json(SuppressionsView { content: found.into_iter().map(view).collect(), next }))
}

/// Remembers that a recipient wants no more messages.
#[utoipa::path(
    put,
    path = "/suppressions/{channel}/{recipient}",
    operation_id = "addSuppression",
    tag = "suppressions",
    params(
        ("channel" = inline(ChannelWord), Path, description = "In any case."),
        ("recipient" = String, Path, description = "E.164."),
        ("reason" = Option<String>, Query, description = "Why, at most 200 characters."),
    ),
    responses((status = 204, description = "Nothing is sent to it any more."), CommonErrors),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<2>,
    QueryParameters(parameters): QueryParameters,
) -> Result<StatusCode, ApiError> {
    let [name, recipient] = path;
    let parameters = parameters.only(&["reason"], api.settings.errors_max)?;
    let reason = parameters.get("reason").map_or("by the API", |reason| reason).to_owned();
    if reason.chars().count() > REASON_MAX {
        return Err(ApiError::field(
            "reason",
            Rule::Length,
            format!("must have at most {REASON_MAX} characters"),
        ));
    }
    let (channel, recipient) = (channel(&name)?, number(&recipient)?);
    api.service.suppress(&caller.application.id, channel, recipient, reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets that a recipient wants no more messages.
#[utoipa::path(
    delete,
    path = "/suppressions/{channel}/{recipient}",
    operation_id = "removeSuppression",
    tag = "suppressions",
    params(
        ("channel" = inline(ChannelWord), Path, description = "In any case."),
        ("recipient" = String, Path, description = "E.164."),
    ),
    responses(
        (status = 204, description = "Messages are sent to it again."),
        (status = 404, body = wire::error_body::ErrorBody, description = "It was not on the list."),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn remove(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<2>,
) -> Result<StatusCode, ApiError> {
    let [name, recipient] = path;
    let (channel, recipient) = (channel(&name)?, number(&recipient)?);
    let known = api.service.unsuppress(&caller.application.id, channel, recipient).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound("suppression")) }
}
