//! Tracking, searching and erasing flows.

pub(crate) mod erase;
pub(crate) mod events;
pub(crate) mod export;
mod page;
pub(crate) mod search;
pub(crate) mod track;
mod waits;

use crate::state::Api;
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/failover/tracking", post(search::post).delete(erase::delete_all))
        .route("/failover/tracking/{trackingId}", get(track::get).delete(erase::delete))
        .route("/failover/tracking/{trackingId}/events", get(events::get))
}
