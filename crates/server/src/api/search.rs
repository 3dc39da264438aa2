//! `POST /failover/tracking`: search (contract, section 4).

use super::auth::Caller;
use super::error::{ApiError, BodyErrors, CommonErrors};
use super::export::{Format, export};
use super::message_filter::MessageFilter;
use super::read_search::{Search, read_search};
use super::scope::Reads;
use super::tracking::TrackingView;
use super::walk::{Walk, ask_index};
use super::{Api, JsonBody, Parameters};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use index::Query;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use utoipa::ToSchema;

/// Most flows that are read for one page.
const READ_MAX: usize = 200_000;

/// A condition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterRequest {
    /// `type`, `terminationChannel`, `status`, `to`, `flowKind`, `messageStatus`, `from`, `label`, `country` or
    /// `operator`, in any case.
    field_name: String,
    /// `is` (default), `is_not`; for `to` and `label` also `contains`, `starts_with`, `ends_with`.
    #[schema(nullable = false)]
    search_operator: Option<String>,
    #[schema(min_length = 1)]
    search_term: String,
}

/// Filters, or a single one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // It is the schema of what `read_filters` reads.
pub enum FiltersRequest {
    /// All of them must hold.
    Many(Vec<FilterRequest>),
    /// Just one.
    One(FilterRequest),
}

/// A page of trackings.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageView {
    content: Vec<TrackingView>,
    total_pages: usize,
    /// Exact.
    total_elements: usize,
    /// The page's number, from 0.
    number: usize,
    size: usize,
    number_of_elements: usize,
    first: bool,
    last: bool,
}

/// Searches the application's trackings, newest first.
#[utoipa::path(
    post,
    path = "/failover/tracking",
    tag = "tracking",
    params(
        ("dateStart" = Option<String>, Query, description = "Accepted at this time or later; ISO 8601."),
        ("dateEnd" = Option<String>, Query, description = "Accepted before this time; ISO 8601."),
        ("page" = Option<u64>, Query, description = "From 0 (default)."),
        ("size" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "10 by default."),
        ("sort" = Option<String>, Query, description = "`createdAt,desc` (default) or `createdAt,asc`."),
    ),
    request_body = FiltersRequest,
    responses(
        (status = 200, description = "A page, with a header `Server-Timing` that tells what the index, the documents \
            and their JSON took; or, with `Accept: application/x-ndjson` or `text/csv`, every match, a line each, \
            whatever `page` and `size` say.", content(
            (PageView = "application/json"), (String = "application/x-ndjson"), (String = "text/csv")
        )),
        CommonErrors,
        BodyErrors,
    ),
    security(("token" = []))
)]
pub async fn post(
    State(api): State<Arc<Api>>,
    caller: Caller<Reads>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<HashMap<String, String>>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let search = read_search(&caller.application.id, &parameters, &body.value)?;
    if let Some(format) = Format::accepted(&headers) {
        return Ok(export(Walk::new(api, search.query, search.message_filters), format));
    }
    let mut timing = Timing { last: Instant::now(), spent: Vec::new() };
    let (total, content) = if search.message_filters.is_empty() {
        find(&api, search.query, &mut timing).await?
    } else {
        let found = read_through(&api, search.query, search.message_filters).await?;
        timing.note("documents");
        found
    };
    let Search { page, size, .. } = search;
    let total_pages = total.div_ceil(size);
    let page = PageView {
        number_of_elements: content.len(),
        content,
        total_pages,
        total_elements: total,
        number: page,
        size,
        first: page == 0 || total == 0,
        last: page + 1 >= total_pages,
    };
    let mut response = Json(page).into_response();
    timing.note("json");
    if let Ok(value) = timing.header().try_into() {
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    Ok(response)
}

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What the parts of an answer took, for the header `Server-Timing` (W3C Server Timing).
struct Timing {
    last: Instant,
    /// Milliseconds, by part.
    spent: Vec<(&'static str, f64)>,
}

impl Timing {
    /// A part took the time since the last one.
    fn note(&mut self, part: &'static str) {
        let now = Instant::now();
        self.spent.push((part, (now - self.last).as_secs_f64() * 1e3));
        self.last = now;
    }

    fn header(&self) -> String {
        let parts = self.spent.iter().map(|(part, spent)| format!("{part};dur={spent:.3}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// Total and page, by the index.
async fn find(api: &Api, query: Query, timing: &mut Timing) -> Result<(usize, Vec<TrackingView>), ApiError> {
    let found = ask_index(api, query).await.map_err(|_| ApiError::Store)?;
    timing.note("index");
    let flows = api.store.load(found.keys.iter().map(|key| key.1).collect()).await?;
    timing.note("documents");
    // A flow that was pruned between the two questions is not shown; the total was true when it was counted.
    let content = flows.iter().flatten().map(|flow| TrackingView::of(flow, &flow.state)).collect();
    Ok((found.total, content))
}

/// Total and page, by reading every flow that the index leaves.
async fn read_through(
    api: &Arc<Api>,
    query: Query,
    filters: Vec<MessageFilter>,
) -> Result<(usize, Vec<TrackingView>), ApiError> {
    let count = Query { offset: 0, limit: 0, ..query.clone() };
    let candidates = ask_index(api, count).await.map_err(|_| ApiError::Store)?;
    if candidates.total > READ_MAX {
        let rule = format!(
            "leaves {} flows to be read for messageStatus, from, label, country or operator, and must leave at most \
             {READ_MAX}: narrow the range, add filters, or export",
            candidates.total
        );
        return Err(ApiError::field("filters", "range", rule));
    }
    let (offset, limit) = (query.offset, query.limit);
    let mut walk = Walk::new(Arc::clone(api), query, filters);
    let (mut total, mut content) = (0, Vec::new());
    while let Some(trackings) = walk.next().await.map_err(|_| ApiError::Store)? {
        for tracking in trackings {
            if total >= offset && content.len() < limit {
                content.push(tracking);
            }
            total += 1;
        }
    }
    Ok((total, content))
}
