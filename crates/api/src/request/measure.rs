//! What every answer has, how long each route takes, and which requests are refused.

use super::caller::bearer;
use super::host::require_host;
use crate::error::Refused;
use crate::state::Api;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::Refusal;
use engine::clock::now_ms;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use wire::broken::shortened;

/// Octets of a path that no route has, in a refusal.
const PATH_MAX: usize = 200;
/// Octets of a method, in a refusal.
const METHOD_MAX: usize = 20;

/// What every answer has where its handler did not choose another value.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    // Answers tell who was sent what.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What is kept of a request until its answer is there.
struct Asked {
    authorization: Option<HeaderValue>,
    method: Method,
    /// Where no route has the path: the path.
    unknown_path: Option<String>,
}

impl Asked {
    fn of(request: &Request, route: Option<&MatchedPath>) -> Asked {
        let path = || shortened(request.uri().path().to_owned(), PATH_MAX);
        Asked {
            authorization: request.headers().get(header::AUTHORIZATION).cloned(),
            method: request.method().clone(),
            unknown_path: route.is_none().then(path),
        }
    }

    /// Notes for the application that asked, if it is known, that it was refused.
    fn note(self, api: &Api, route: Option<&MatchedPath>, refused: Refused) {
        let token = self.authorization.as_ref().and_then(bearer);
        let Some(application) = token.and_then(|token| api.gate.recent(token)) else { return };
        let path = route.map(|route| route.as_str().to_owned()).or(self.unknown_path).unwrap_or_default();
        let Refused { request_id, code, broken } = refused;
        let method = shortened(self.method.to_string(), METHOD_MAX);
        let refusal = Refusal { at_ms: now_ms(), request_id, method, path, code, broken };
        api.service.note_refusal(&application.id, refusal);
    }
}

/// Asks for `Host`, adds the headers, notes how long each route takes and what is refused: one layer, since
/// axum copies each for every request.
pub(crate) async fn measure(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let asked = Asked::of(&request, route.as_ref());
    let started = Instant::now();
    // What comes over no network, as in a simulation, is for nobody else.
    let is_local = request.extensions().get::<ConnectInfo<SocketAddr>>().is_none();
    let mut response = match require_host(&request) {
        Err(refused) if !is_local => refused.into_response(),
        _ => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    if let Some(refused) = response.extensions_mut().remove::<Refused>() {
        asked.note(&api, route.as_ref(), refused);
    }
    if let Some(route) = route {
        let status = response.status().as_str().to_owned();
        metrics::histogram!("switchback_http_request_seconds", "route" => route.as_str().to_owned(), "status" => status)
            .record(started.elapsed());
    }
    response
}
