//! `GET /failover/tracking/{trackingId}` (contract, section 3).

use super::waits;
use crate::error::{ApiError, CommonErrors};
use crate::request::caller::Caller;
use crate::request::parameters::TrackingId;
use crate::request::scope::Reads;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use wire::error_body::ErrorBody;
use wire::tracking::TrackingView;

/// One tracking.
#[utoipa::path(
    get,
    path = "/failover/tracking/{trackingId}",
    operation_id = "trackFlow",
    tag = "tracking",
    params(("trackingId" = Uuid, Path, description = "What the send answered with, or the id of one of the flow's messages.")),
    responses(
        (status = 200, body = TrackingView, description = "As it is now."),
        (status = 404, body = ErrorBody, description = "It does not exist, or is another application's."),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover:read"]))
)]
pub async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller<Reads>,
    TrackingId(id): TrackingId,
) -> Result<Json<TrackingView>, ApiError> {
    let flow = api.service.track(&caller.application.id, id).await?;
    let waits = api.service.waits_of(&flow).map(waits::view);
    Ok(Json(TrackingView { waits, ..TrackingView::of(&flow, &flow.state) }))
}
