//! `/suppressions/{channel}`: recipients who want no more messages of the application on a channel. Ours, beyond the
//! contract.

use super::auth::Caller;
use super::error::{ApiError, CommonErrors};
use super::scope::Manages;
use super::{Api, Parameters, PathParameters};
use crate::clock::{iso, now_ms};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use flow::{Channel, is_e164};
use serde::Serialize;
use std::collections::HashMap;
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
    found.ok_or_else(|| ApiError::field("channel", "choice", "must be Sms, Viber or Voice"))
}

fn number(text: &str) -> Result<String, ApiError> {
    let rule = "must be a phone number in E.164 form, such as +306900000001";
    if is_e164(text) { Ok(text.to_owned()) } else { Err(ApiError::field("recipient", "format", rule)) }
}

/// Lists them, by number.
#[utoipa::path(
    get,
    path = "/suppressions/{channel}",
    tag = "suppressions",
    params(
        ("channel" = String, Path, description = "`Sms`, `Viber` or `Voice`."),
        ("after" = Option<String>, Query, description = "Numbers behind this one; `next` of the page before."),
        ("size" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "100 by default."),
    ),
    responses((status = 200, body = SuppressionsView), CommonErrors),
    security(("token" = []))
)]
pub async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<1>,
    Parameters(parameters): Parameters<HashMap<String, String>>,
) -> Result<Json<SuppressionsView>, ApiError> {
    let [name] = path;
    let channel = channel(&name)?;
    let size = parameters.get("size").map_or(Ok(100), |size| size.parse::<usize>());
    let size = size.ok().filter(|size| (1..=SIZE_MAX).contains(size));
    let rule = format!("must be a whole number from 1 to {SIZE_MAX}");
    let size = size.ok_or_else(|| ApiError::field("size", "range", rule))?;
    let after = parameters.get("after").cloned().unwrap_or_default();
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
    tag = "suppressions",
    params(
        ("channel" = String, Path, description = "`Sms`, `Viber` or `Voice`."),
        ("recipient" = String, Path, description = "E.164."),
        ("reason" = Option<String>, Query, description = "Why, at most 200 characters."),
    ),
    responses((status = 204, description = "Nothing is sent to it any more."), CommonErrors),
    security(("token" = []))
)]
pub async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<2>,
    Parameters(parameters): Parameters<HashMap<String, String>>,
) -> Result<StatusCode, ApiError> {
    let [name, recipient] = path;
    let reason = parameters.get("reason").cloned().unwrap_or_else(|| "by the API".into());
    if reason.chars().count() > REASON_MAX {
        return Err(ApiError::field(
            "reason",
            "length",
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
    tag = "suppressions",
    params(
        ("channel" = String, Path, description = "`Sms`, `Viber` or `Voice`."),
        ("recipient" = String, Path, description = "E.164."),
    ),
    responses(
        (status = 204, description = "Messages are sent to it again."),
        (status = 404, body = super::error::ErrorBody, description = "It was not on the list."),
        CommonErrors,
    ),
    security(("token" = []))
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
