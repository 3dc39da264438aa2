//! The HTTP API over the use cases: a folder a resource, each with its own routes. The JSON is `wire`'s.

mod description;
mod error;
mod failover;
mod health;
mod links;
mod oauth;
mod receipts;
mod refusals;
pub mod request;
mod settings;
mod state;
mod statistics;
mod suppressions;
mod tracking;

pub use settings::Settings;
pub use state::Api;
pub use tracking::export::{Format as ExportFormat, export_for_others as export, export_these};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use description::Description;
use error::ApiError;
use request::body::BODY_MAX;
use request::measure::measure;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

/// The routes, and `others` that are no part of the API, behind the same measures.
pub fn router(api: Arc<Api>, others: Router) -> Router {
    let resources = [
        oauth::router(),
        failover::router(),
        tracking::router(),
        statistics::router(),
        suppressions::router(),
        receipts::router(),
        refusals::router(),
        links::router(),
        health::router(),
    ];
    let routes = resources.into_iter().fold(Router::new(), Router::merge);
    let measure = axum::middleware::from_fn_with_state(Arc::clone(&api), measure);
    routes
        .with_state(api)
        .merge(others)
        .merge(SwaggerUi::new("/docs").url("/openapi.json", Description::openapi()))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .fallback(async || ApiError::NotFound("path"))
        // One layer, the first one outermost: axum copies the layers inside each one for every request. A
        // handler that panics costs its request, not the connection of others.
        .layer((CatchPanicLayer::new(), measure, DefaultBodyLimit::max(BODY_MAX)))
}

/// The description of the API, as it is served at `/openapi.json`.
pub fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}
