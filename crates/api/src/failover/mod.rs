//! Sending and cancelling flows.

pub(crate) mod cancel;
pub(crate) mod send;

use crate::state::Api;
use axum::Router;
use axum::routing::{delete, post};
use std::sync::Arc;

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/failover", post(send::post))
        .route("/failover/transactional", post(send::post_transactional))
        .route("/failover/{trackingId}", delete(cancel::delete))
}
