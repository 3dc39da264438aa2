//! `DELETE /failover/tracking/{trackingId}` and `DELETE /failover/tracking?to=`: leave nothing of a message;
//! ours, beyond the contract.

use crate::error::{ApiError, CommonErrors};
use crate::request::caller::Caller;
use crate::request::parameters::{QueryParameters, TrackingId};
use crate::request::scope::Manages;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use flow::{Rule, SipAddress, read_number};
use std::sync::Arc;
use wire::error_body::ErrorBody;
use wire::parameters::recipient;
use wire::tracking::ErasedView;

/// Erases a flow: its bodies, its recipients and what became of it. Where it is under way it is cancelled
/// first.
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
    TrackingId(id): TrackingId,
) -> Result<StatusCode, ApiError> {
    api.service.erase(&caller.application.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A recipient that was asked for, as steps keep it. A number may be written as people write it, where its
/// plus was escaped or there is none.
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
    QueryParameters(parameters): QueryParameters,
) -> Result<Json<ErasedView>, ApiError> {
    let parameters = parameters.only(&["to"], api.settings.errors_max)?;
    let to = parameters.get("to").filter(|to| !to.trim().is_empty());
    let to = to.ok_or_else(|| ApiError::field("to", Rule::Required, "is required: a recipient"))?;
    let to = kept(to).ok_or_else(|| {
        let rule =
            "must be a number in E.164 form, such as +306900000001, or a SIP address, such as sip:user@host";
        ApiError::field("to", Rule::Format, rule)
    })?;
    let erased = api.service.erase_recipient(&caller.application.id, &to).await?;
    Ok(Json(ErasedView { erased }))
}
