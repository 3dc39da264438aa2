//! The routes of the console.

use crate::error::{self, PageError};
use crate::request::own_site;
use crate::state::Console;
use crate::{
    applications, assets, callbacks, carriers, explain, figures, flow, flows, home, opt_outs, sign_in,
    try_it, users,
};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use std::sync::Arc;

/// What a page may load and where its forms may go: our own files and pages alone, in nobody's frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

/// The routes of the console, and `/`.
pub fn router(console: Arc<Console>) -> Router {
    let pages = Router::new()
        .route("/console", get(async || Redirect::to("/console/flows")))
        .route("/console/", get(async || Redirect::to("/console/flows")))
        .route("/console/flows", get(flows::list::get))
        .route("/console/flows/{id}", get(flow::show::get))
        .route("/console/flows/{id}/cancel", post(flow::acts::cancel))
        .route("/console/flows/{id}/opt-out", post(flow::acts::opt_out))
        .route("/console/flows/{id}/replay", post(flow::acts::resend))
        .route("/console/flows/{id}/erase", get(flow::erase::ask).post(flow::erase::erase))
        .route("/console/flows/export", get(flows::export::get))
        .route("/console/carriers", get(carriers::list::get))
        .route("/console/carriers/pause", post(carriers::acts::pause))
        .route("/console/carriers/drain", post(carriers::acts::drain))
        .route("/console/carriers/resume", post(carriers::acts::resume))
        .route("/console/figures", get(figures::get))
        .route("/console/routes", get(explain::get))
        .route("/console/callbacks", get(callbacks::get))
        .route("/console/callbacks/replay", post(callbacks::resend))
        .route("/console/opt-outs", get(opt_outs::list::get))
        .route("/console/opt-outs/add", post(opt_outs::acts::add))
        .route("/console/opt-outs/remove", post(opt_outs::acts::remove))
        .route("/console/opt-outs/import", post(opt_outs::acts::import))
        .route("/console/applications", get(applications::list::get))
        .route("/console/applications/create", post(applications::acts::add))
        .route("/console/applications/rotate", post(applications::acts::rotate))
        .route("/console/applications/rotate-callback", post(applications::acts::rotate_callback))
        .route("/console/applications/revoke", post(applications::acts::end))
        .route("/console/applications/balance", post(applications::acts::balance))
        .route("/console/applications/limits", post(applications::acts::limits))
        .route("/console/try", get(try_it::get).post(try_it::send))
        .route("/console/users", get(users::list::get))
        .route("/console/users/audit", get(users::audit::get))
        .route("/console/users/add", post(users::acts::add))
        .route("/console/users/link", post(users::acts::link))
        .route("/console/users/role", post(users::acts::role))
        .route("/console/users/disable", post(users::acts::disable))
        .route("/console/users/enable", post(users::acts::enable))
        .route("/console/users/remove", post(users::acts::remove));
    Router::new()
        .route("/", get(home::get))
        .route("/console/assets/{name}", get(assets::get))
        .merge(sign_in::router())
        .merge(pages)
        .route("/console/{*path}", any(async || PageError::NotFound("page")))
        .layer((from_fn(for_browsers), from_fn(own_site::require)))
        .with_state(console)
}

/// Adds what browsers have to know of every page, and makes pages of errors that are none.
async fn for_browsers(request: Request, next: Next) -> Response {
    let is_part = request.headers().contains_key("hx-request");
    let mut response = error::as_page(next.run(request).await).await;
    // A part of a page can't become the page for signing in: the script leads there instead.
    if is_part && let Some(location) = response.headers().get(header::LOCATION).cloned() {
        response = (StatusCode::UNAUTHORIZED, [("hx-redirect", location)]).into_response();
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    // Our own pages are told where a visitor comes from. With a stricter policy browsers would say "null" of
    // our own forms, which then could not be told from those of other sites (Fetch, append a request Origin).
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
