//! `GET /`: what this is, for people and for programs.

use crate::page::open_page;
use crate::state::Console;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use maud::html;
use serde_json::json;
use std::sync::Arc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Says what this is: a page for browsers, JSON for everybody else.
pub(crate) async fn get(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let sandboxes = &console.settings.sandboxes;
    if !accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        let about = json!({
            "name": "Switchback",
            "version": VERSION,
            "sandboxCarriers": sandboxes,
            "openapi": "/openapi.json",
            "docs": "/docs",
            "console": "/console",
            "health": "/health/ready",
        });
        return Json(about).into_response();
    }
    let body = html! {
        h1 { "Switchback " (VERSION) }
        p { "A failover messaging server: it sends a message over Sms, Viber and Voice, in order, until one gets "
            "through, and tells what became of it." }
        @if sandboxes.is_empty() {
            p { span.badge.good { "live" } " What is sent here reaches people." }
        } @else {
            p { span.badge.open { "sandbox" } " What goes to " (sandboxes.join(", ")) " reaches nobody." }
        }
        ul {
            li { a href="/console/flows" { "The console" } ": what happened to a message" }
            li { a href="/docs" { "The API, to read and try" } }
            li { a href="/openapi.json" { "The API's description (OpenAPI)" } }
            li { a href="/health/ready" { "Whether flows are accepted now" } }
        }
    };
    open_page("Switchback", body).into_response()
}
