//! `DELETE /failover/{trackingId}`: cancels a flow; ours, beyond the contract.

use super::auth::Caller;
use super::error::{ApiError, CommonErrors, ErrorBody};
use super::scope::Manages;
use super::tracking::{TrackingView, load_own};
use super::{Api, PathParameters};
use crate::clock::now_ms;
use axum::Json;
use axum::extract::State;
use flow::Event;
use std::sync::Arc;

/// Cancels a flow that has not ended: no part of it is handed to a carrier any more, and no further step starts. What a
/// carrier has already may still arrive, and is shown. Cancelling twice is as good as once.
#[utoipa::path(
    delete,
    path = "/failover/{trackingId}",
    operation_id = "cancelFlow",
    tag = "sending",
    params(("trackingId" = Uuid, Path, description = "What the send answered with.")),
    responses(
        (status = 200, body = TrackingView, description = "Cancelled: it ended `Failed`, with `reason`."),
        (status = 404, body = ErrorBody, description = "It does not exist, or is another application's."),
        (status = 409, body = ErrorBody, description = "It had ended by itself."),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller<Manages>,
    PathParameters(path): PathParameters<1>,
) -> Result<Json<TrackingView>, ApiError> {
    let id = load_own(&api, &caller, &path[0]).await?.id;
    let applied = api.store.apply(id, Event::Cancel, now_ms()).await?;
    crate::metrics::count_applied(&applied);
    let flow = load_own(&api, &caller, &path[0]).await?;
    if flow.state.cancelled { Ok(Json(TrackingView::of(&flow, &flow.state))) } else { Err(ApiError::Ended) }
}
