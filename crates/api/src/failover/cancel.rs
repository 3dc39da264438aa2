//! `DELETE /failover/{trackingId}`: cancels a flow; ours, beyond the contract.

use crate::error::{ApiError, CommonErrors};
use crate::request::caller::Caller;
use crate::request::parameters::TrackingId;
use crate::request::scope::Manages;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use wire::error_body::ErrorBody;
use wire::tracking::TrackingView;

/// Cancels a flow that has not ended: no part of it is handed to a carrier any more, and no further step
/// starts. What a carrier has already may still arrive, and is shown. Cancelling twice is as good as once.
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
    TrackingId(id): TrackingId,
) -> Result<Json<TrackingView>, ApiError> {
    let flow = api.service.cancel(&caller.application.id, id, None).await?;
    Ok(Json(TrackingView::of(&flow, &flow.state)))
}
