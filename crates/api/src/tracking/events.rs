//! `GET /failover/tracking/{trackingId}/events` (contract, section 3). Ours, beyond the original service.

use crate::error::{ApiError, CommonErrors};
use crate::request::caller::Caller;
use crate::request::parameters::TrackingId;
use crate::request::scope::Reads;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use wire::error_body::ErrorBody;
use wire::events::EventsView;

/// What happened to a flow, in order.
#[utoipa::path(
    get,
    path = "/failover/tracking/{trackingId}/events",
    operation_id = "listEvents",
    tag = "tracking",
    params(("trackingId" = Uuid, Path, description = "What the send answered with, or the id of one of the flow's messages.")),
    responses(
        (status = 200, body = EventsView, description = "Its course until now."),
        (status = 404, body = ErrorBody, description = "It does not exist, or is another application's."),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover:read"]))
)]
pub async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller<Reads>,
    TrackingId(id): TrackingId,
) -> Result<Json<EventsView>, ApiError> {
    let flow = api.service.track(&caller.application.id, id).await?;
    Ok(Json(EventsView::of(&flow)))
}
