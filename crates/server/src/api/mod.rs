//! The HTTP API; one file an endpoint. Wire JSON lives here and nowhere else.

mod accept;
mod auth;
mod cancel;
mod erase;
mod error;
mod export;
mod failures;
mod health;
mod host;
mod link;
mod message_filter;
mod page;
mod parameters;
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
mod step_request;
mod step_view;
mod suppressions;
mod throttle;
mod token;
pub mod tracking;
mod turns;
mod walk;
mod words;
mod written;

pub use read_step::read_dial_plan;

use crate::config::Config;
use crate::engine::Engine;
use auth::Gate;
use axum::Router;
use axum::body::{Bytes, HttpBody};
use axum::extract::rejection::BytesRejection;
use axum::extract::{
    ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, MatchedPath, RawPathParams, Request,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use carriers::body::without_mark;
use error::ApiError;
use failures::Failures;
use flow::{ChannelSet, Limits};
use host::require_host;
use index::Index;
use ipnet::IpNet;
use ready::Readiness;
use scope::Grant;
use searches::Searches;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use store::Store;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{
    ClientCredentials, Flow as OAuthFlow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme,
};
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
    /// Turns of large bodies that are parsed and checked: some core is always left for small ones.
    parsing: Arc<Semaphore>,
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
            parsing: Arc::new(Semaphore::new(
                available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
            )),
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
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "authentication", description = "First: a token for the application's id and secret."),
        (name = "sending", description = "Then: a flow, and how to stop it."),
        (name = "tracking", description = "What became of it: one flow, or a search."),
        (name = "suppressions", description = "Recipients who want no more messages."),
        (name = "operating", description = "For operators and carriers' providers.")
    ),
    paths(
        token::post,
        send::post,
        send::post_transactional,
        cancel::delete,
        link::get,
        tracking::get,
        search::post,
        erase::delete,
        erase::delete_all,
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
        let scopes = Grant::ALL.map(|grant| (grant.word(), grant.allows()));
        let flow =
            OAuthFlow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::from_iter(scopes)));
        components.add_security_scheme("oauth", SecurityScheme::OAuth2(OAuth2::new([flow])));
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

/// Asks for `Host`, adds the headers, and notes how long each route takes: one layer, since axum copies each for every
/// request.
async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
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
    if let Some(route) = route {
        let status = response.status().as_str().to_owned();
        metrics::histogram!("switchback_http_request_seconds", "route" => route.as_str().to_owned(), "status" => status)
            .record(started.elapsed());
    }
    response
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
        let length = content_length(request.headers()).unwrap_or(MAX);
        if length > MAX {
            return Err(ApiError::TooLarge(MAX));
        }
        let units = if length > SMALL_BODY { length.div_ceil(BODY_UNIT).min(api.bodies_units) } else { 0 };
        // Until it has arrived: who sends slowly holds room that large bodies share, and small ones do not need.
        let _room = api.bodies.try_acquire_many(units as u32).map_err(|_| ApiError::Overloaded)?;
        let read = Bytes::from_request(request, api);
        let read = tokio::time::timeout(api.request_timeout, read).await;
        let late = |_| ApiError::NotJson(format!("it did not arrive within {:?}", api.request_timeout));
        read.map_err(late)?.map(Body).map_err(refused)
    }
}

/// Octets of a body, where its client tells.
fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a body that is not as it is: compressed, for example.
fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    let is_plain = encoding.is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_plain { Ok(()) } else { Err(ApiError::UnsupportedEncoding) }
}

/// A JSON body; an empty one is null.
pub struct JsonBody {
    value: Value,
    octets: Bytes,
    /// Until it is checked.
    _turn: Option<OwnedSemaphorePermit>,
}

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<JsonBody, ApiError> {
        check_encoding(request.headers())?;
        let media_type =
            request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let is_json = media_type.is_none_or(|text| {
            let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            essence == "application/json" || essence.ends_with("+json")
        });
        if !is_json && !request.body().is_end_stream() {
            return Err(ApiError::UnsupportedMediaType);
        }
        let Body(octets) = Body::<BODY_MAX>::from_request(request, api).await?;
        let octets = octets.slice_ref(without_mark(&octets));
        if octets.is_empty() {
            return Ok(JsonBody { value: Value::Null, octets, _turn: None });
        }
        let turn = if octets.len() > SMALL_BODY {
            let turn = Arc::clone(&api.parsing).acquire_owned().await;
            // It is never closed.
            Some(turn.map_err(|_| ApiError::Overloaded)?)
        } else {
            None
        };
        let value = serde_json::from_slice(&octets).map_err(|error| ApiError::NotJson(error.to_string()))?;
        Ok(JsonBody { value, octets, _turn: turn })
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
