//! The HTTP API; one file an endpoint. Wire JSON lives here and nowhere else.

mod auth;
mod cancel;
mod erase;
mod error;
mod export;
mod failures;
mod health;
mod link;
mod message_filter;
mod page;
mod peer;
mod read_search;
mod read_step;
mod reader;
mod ready;
mod receipts;
mod scope;
mod search;
pub mod searches;
mod send;
mod step_view;
mod suppressions;
mod throttle;
mod token;
pub mod tracking;
mod turns;
mod walk;

pub use read_step::read_dial_plan;

use crate::config::Config;
use crate::engine::Engine;
use auth::Gate;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{
    DefaultBodyLimit, FromRequest, FromRequestParts, MatchedPath, Query, RawPathParams, Request,
};
use axum::http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use error::ApiError;
use failures::Failures;
use flow::{ChannelSet, Limits};
use index::Index;
use ipnet::IpNet;
use ready::Readiness;
use searches::Searches;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Store;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

/// Largest body, octets.
const BODY_MAX: usize = 256 * 1024;
/// Largest body of receipts, octets: as many as are taken in one post have room.
const RECEIPTS_BODY_MAX: usize = 4 << 20;
/// A body of at most so many octets needs no place among the large ones.
const SMALL_BODY: usize = 16 * 1024;
/// Places for large bodies are counted in so many octets.
const BODY_UNIT: usize = 1024;

/// What the endpoints work with.
pub struct Api {
    store: Arc<dyn Store>,
    index: Arc<Index>,
    engine: Arc<Engine>,
    gate: Gate,
    failures: Failures,
    searches: Searches,
    readiness: Readiness,
    /// Whose word on a client's address counts.
    trusted_proxies: Vec<IpNet>,
    /// Living tokens of an application without a limit of its own.
    tokens_max: usize,
    /// How long a body may take to arrive.
    request_timeout: Duration,
    /// The channels that some carrier carries.
    carried: ChannelSet,
    minute_ms: u64,
    lenient_order: bool,
    limits: Limits,
    /// Broken rules that an answer tells.
    errors_max: usize,
    /// Places for the octets of large bodies that are under way, in units of [`BODY_UNIT`].
    bodies: Semaphore,
    /// How many places there are.
    bodies_units: usize,
    allow_private: bool,
    /// What providers call this server by.
    public_url: Option<String>,
    /// What short links start with.
    short_base: Option<String>,
}

impl Api {
    /// What the endpoints work with. Costly searches run in the runtime `searches`, or in the caller's.
    pub fn new(
        config: &Config,
        store: Arc<dyn Store>,
        index: Arc<Index>,
        engine: Arc<Engine>,
        searches: Option<Handle>,
    ) -> Arc<Api> {
        let carried = config.carriers.iter().flat_map(|carrier| &carrier.common.channels);
        Arc::new(Api {
            store,
            index,
            engine,
            gate: Gate::new(config.server.requests_per_second),
            failures: Failures::default(),
            searches: Searches::new(&config.limits, searches),
            readiness: Readiness::default(),
            trusted_proxies: config.server.trusted_proxies.clone(),
            tokens_max: config.limits.tokens_max,
            request_timeout: config.server.request_timeout,
            carried: carried.fold(ChannelSet::default(), |set, &channel| set.with(channel)),
            minute_ms: config.engine.minute.as_millis() as u64,
            lenient_order: config.engine.lenient_order,
            limits: config.limits.flow(),
            errors_max: config.limits.errors_max,
            bodies: Semaphore::new(config.limits.bodies_bytes_max / BODY_UNIT),
            bodies_units: config.limits.bodies_bytes_max / BODY_UNIT,
            allow_private: config.callbacks.allow_private,
            public_url: config.server.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            short_base: config.shortener.base_url.clone(),
        })
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Switchback",
        description = "Sends one message over several channels, in order, until one of them gets through. \
            In requests, null, empty strings, empty arrays and objects of such count as not given, unknown \
            members are ignored, and names of types, statuses, fields and operators are case-insensitive.",
        license(name = "Apache-2.0 OR MIT")
    ),
    paths(
        token::post,
        send::post,
        send::post_transactional,
        cancel::delete,
        erase::delete,
        erase::delete_all,
        tracking::get,
        search::post,
        link::get,
        suppressions::get,
        suppressions::put,
        suppressions::delete,
        receipts::post,
        health::live,
        health::ready,
        health::metrics
    ),
    modifiers(&Security)
)]
struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        let scheme = |scheme| SecurityScheme::Http(Http::new(scheme));
        components.add_security_scheme("token", scheme(HttpAuthScheme::Bearer));
        components.add_security_scheme("application", scheme(HttpAuthScheme::Basic));
    }
}

/// The routes.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/oauth/token", post(token::post))
        .route("/failover", post(send::post))
        .route("/failover/transactional", post(send::post_transactional))
        .route("/failover/{trackingId}", delete(cancel::delete))
        .route("/failover/tracking", post(search::post).delete(erase::delete_all))
        .route("/failover/tracking/{trackingId}", get(tracking::get).delete(erase::delete))
        .route("/suppressions/{channel}", get(suppressions::get))
        .route("/suppressions/{channel}/{recipient}", put(suppressions::put).delete(suppressions::delete))
        .route(
            "/carriers/{name}/receipts",
            post(receipts::post).layer(DefaultBodyLimit::max(RECEIPTS_BODY_MAX)),
        )
        .route("/s/{code}", get(link::get))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(api)
        .merge(SwaggerUi::new("/docs").url("/openapi.json", Description::openapi()))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .fallback(async || ApiError::NotFound("path"))
        // One layer, the first one outermost: axum copies the layers inside each one for every request. A handler that
        // panics costs its request, not the connection of others.
        .layer((CatchPanicLayer::new(), axum::middleware::from_fn(measure), DefaultBodyLimit::max(BODY_MAX)))
}

/// What every answer has where its handler did not choose another value.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    // Answers tell who was sent what.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Adds the headers, and notes how long each route takes.
async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    if let Some(route) = route {
        let status = response.status().as_str().to_owned();
        metrics::histogram!("switchback_http_request_seconds", "route" => route.as_str().to_owned(), "status" => status)
            .record(started.elapsed());
    }
    response
}

/// The parameters of the URL; reading them never fails in another error body.
pub struct Parameters<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Parameters<T>, ApiError> {
        let parameters = Query::from_request_parts(parts, state).await;
        let rule = "must be URL-encoded, each name once";
        parameters
            .map(|Query(parameters)| Parameters(parameters))
            .map_err(|_| ApiError::field("query", "format", rule))
    }
}

/// A body of any type, of at most `MAX` octets.
pub struct Body<const MAX: usize = BODY_MAX>(Bytes);

impl<const MAX: usize> FromRequest<Arc<Api>> for Body<MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Body<MAX>, ApiError> {
        let refused = |rejection: BytesRejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::TooLarge(MAX)
            } else {
                ApiError::NotJson("it was cut off".into())
            }
        };
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|text| text.parse().ok()).unwrap_or(MAX).min(MAX);
        let units = if length > SMALL_BODY { length.div_ceil(BODY_UNIT).min(api.bodies_units) } else { 0 };
        // Until it has arrived: who sends slowly holds room that large bodies share, and small ones do not need.
        let _room = api.bodies.try_acquire_many(units as u32).map_err(|_| ApiError::Overloaded)?;
        let read = Bytes::from_request(request, api);
        let read = tokio::time::timeout(api.request_timeout, read).await;
        let late = |_| ApiError::NotJson(format!("it did not arrive within {:?}", api.request_timeout));
        read.map_err(late)?.map(Body).map_err(refused)
    }
}

/// A JSON body; an empty one is null.
pub struct JsonBody {
    value: Value,
    octets: Bytes,
}

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<JsonBody, ApiError> {
        let media_type =
            request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let is_json = media_type.is_none_or(|text| {
            let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            essence == "application/json" || essence.ends_with("+json")
        });
        let Body(octets) = Body::<BODY_MAX>::from_request(request, api).await?;
        if octets.is_empty() {
            return Ok(JsonBody { value: Value::Null, octets });
        }
        if !is_json {
            return Err(ApiError::UnsupportedMediaType);
        }
        let value = serde_json::from_slice(&octets).map_err(|error| ApiError::NotJson(error.to_string()))?;
        Ok(JsonBody { value, octets })
    }
}

/// The parameters of a path, as they stand; reading them never fails in another error body.
pub struct PathParameters<const N: usize>([String; N]);

impl<const N: usize, S: Send + Sync> FromRequestParts<S> for PathParameters<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PathParameters<N>, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
        let mut values = parameters.iter().flat_map(|parameters| parameters.iter());
        Ok(PathParameters(std::array::from_fn(|_| {
            values.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
        })))
    }
}
