//! Coming in and going out: the password, the one-time link, the end of a session, and the time zone.

mod password;
mod welcome;
mod zone;

use crate::state::Console;
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// Its routes: those that need no session.
pub(crate) fn router() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/sign-in", get(password::ask).post(password::sign_in))
        .route("/console/sign-out", post(password::sign_out))
        .route("/console/welcome", get(welcome::ask).post(welcome::set_password))
        .route("/console/zone", post(zone::choose))
}
