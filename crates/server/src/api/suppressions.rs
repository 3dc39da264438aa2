//! `/suppressions/{channel}`: recipients who want no more messages of the application on a channel. Ours, beyond the
//! contract.

use super::auth::Caller;
use super::error::{ApiError, CommonErrors};
use super::parameters::{Parameters, recipient};
use super::scope::Manages;
use super::words::ChannelWord;
use super::{Api, PathParameters};
use crate::clock::{iso, now_ms};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use flow::{Channel, Rule, read_number};
use serde::Serialize;
use std::sync::Arc;
use store::Suppression;
use utoipa::ToSchema;

/// Most of a page.
const SIZE_MAX: usize = 1000;
/// Longest reason, in characters.
const REASON_MAX: usize = 200;

/// Recipients who want no more messages.
#[derive(Serialize, ToSchema)]
pub struct SuppressionsView {
    content: Vec<SuppressionView>,
    /// What to ask for as `after` next; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A recipient who wants no more messages.
#[derive(Serialize, ToSchema)]
pub struct SuppressionView {
    recipient: String,
    reason: String,
    #[schema(format = DateTime)]
    since: String,
}

fn channel(name: &str) -> Result<Channel, ApiError> {
    let found = Channel::ALL.into_iter().find(|channel| channel.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| ApiError::field("channel", Rule::Choice, "must be Sms, Viber or Voice"))
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
pub async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<1>,
    parameters: Parameters,
) -> Result<Json<SuppressionsView>, ApiError> {
    let [name] = path;
    let parameters = parameters.only(&["after", "size"], api.errors_max)?;
    let channel = channel(&name)?;
    let size = parameters.get("size").map_or(Ok(100), |size| size.parse::<usize>());
    let size = size.ok().filter(|size| (1..=SIZE_MAX).contains(size));
    let rule = format!("must be a whole number from 1 to {SIZE_MAX}");
    let size = size.ok_or_else(|| ApiError::field("size", Rule::Range, rule))?;
    let after = parameters.get("after").map(|after| recipient(after)).unwrap_or_default();
    let found = api.store.suppressions(caller.application.id.clone(), channel, after, size).await?;
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
pub async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<2>,
    parameters: Parameters,
) -> Result<StatusCode, ApiError> {
    let [name, recipient] = path;
    let parameters = parameters.only(&["reason"], api.errors_max)?;
    let reason = parameters.get("reason").map_or("by the API", |reason| reason).to_owned();
    if reason.chars().count() > REASON_MAX {
        return Err(ApiError::field(
            "reason",
            Rule::Length,
            format!("must have at most {REASON_MAX} characters"),
        ));
    }
    let suppression = Suppression {
        application: caller.application.id.clone(),
        channel: channel(&name)?,
        recipient: number(&recipient)?,
        reason,
        since_ms: now_ms(),
    };
    api.store.suppress(suppression).await?;
    api.engine.read_cautions().await?;
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
        (status = 404, body = super::error::ErrorBody, description = "It was not on the list."),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<2>,
) -> Result<StatusCode, ApiError> {
    let [name, recipient] = path;
    let (channel, recipient) = (channel(&name)?, number(&recipient)?);
    let known = api.store.unsuppress(caller.application.id.clone(), channel, recipient).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound("suppression")) }
}
