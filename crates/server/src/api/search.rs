//! `POST /failover/tracking`: search (contract, section 4).

use super::auth::Caller;
use super::error::{ApiError, BodyErrors, CommonErrors};
use super::export::{Format, export};
use super::message_filter::MessageFilter;
use super::page::{Page, Timing};
use super::parameters::Parameters;
use super::read_search::{Search, read_search};
use super::scope::Reads;
use super::searches::{Stop, Unanswered};
use super::tracking::TrackingView;
use super::walk::{PIECE_BYTES, Walk, is_quick};
use super::{Api, JsonBody};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use flow::Rule;
use index::{Found, Query};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// Most flows that are read for one page.
const READ_MAX: usize = 200_000;
/// Octets of their documents that are read at once: few do so at a time.
const READ_BYTES: usize = 2 << 20;

/// A condition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterRequest {
    /// In any case.
    field_name: FieldName,
    /// `is` (by default) and `is_not` for every field; the others for `to` and `label`.
    #[schema(nullable = false)]
    search_operator: Option<Operator>,
    /// For `type` and `terminationChannel` a channel, for `status` a status of a flow, for `messageStatus` one of a
    /// message, for `flowKind` `plain` or `transactional`; any text for the others.
    #[schema(min_length = 1, max_length = 350)]
    search_term: String,
}

/// What a condition is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of what `read_filters` reads.
pub enum FieldName {
    /// The channel of a message.
    Type,
    /// The channel of the step that ended the flow.
    TerminationChannel,
    /// The flow's status.
    Status,
    /// A recipient.
    To,
    /// Plain or transactional.
    FlowKind,
    /// A message's status.
    MessageStatus,
    /// A sender.
    From,
    /// A label.
    Label,
    /// A recipient's country, ISO 3166-1 alpha-2.
    Country,
    /// A recipient's operator.
    Operator,
}

/// How a condition compares.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)] // It is the schema of what `read_filters` reads.
pub enum Operator {
    /// Any message has it.
    Is,
    /// No message has it.
    IsNot,
    /// It is somewhere in it.
    Contains,
    /// It begins so.
    StartsWith,
    /// It ends so.
    EndsWith,
}

/// The order of a search.
#[derive(ToSchema)]
#[allow(dead_code)] // It is the schema of what `read_sort` reads.
pub enum Sort {
    /// The newest first.
    #[schema(rename = "createdAt,desc")]
    NewestFirst,
    /// The oldest first.
    #[schema(rename = "createdAt,asc")]
    OldestFirst,
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
#[allow(dead_code)] // It is the schema of what `Page` writes.
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
    operation_id = "searchTrackings",
    tag = "tracking",
    params(
        ("dateStart" = Option<String>, Query, description = "Accepted at this time or later; ISO 8601."),
        ("dateEnd" = Option<String>, Query, description = "Accepted before this time; ISO 8601."),
        ("page" = Option<u64>, Query, description = "From 0 (default)."),
        ("size" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "10 by default."),
        ("sort" = inline(Option<Sort>), Query, description = "`createdAt,desc` by default."),
    ),
    request_body(content = Option<FiltersRequest>, examples(
        ("Everything" = (summary = "No filter", value = json!([]))),
        ("A number" = (summary = "What happened to the message to this number?", value = json!([
            {"fieldName": "to", "searchOperator": "is", "searchTerm": "+306900000010"}
        ]))),
        ("Failed, not by Voice" = (summary = "Failed flows without a call", value = json!([
            {"fieldName": "status", "searchTerm": "Failed"},
            {"fieldName": "type", "searchOperator": "is_not", "searchTerm": "Voice"}
        ])))
    )),
    responses(
        (status = 200, description = "A page, with a header `Server-Timing` that tells what the index, the documents \
            and their JSON took; or, with `Accept: application/x-ndjson` or `text/csv`, every match, a line each, \
            whatever `page` and `size` say.", content(
            (PageView = "application/json"), (String = "application/x-ndjson"), (String = "text/csv")
        )),
        CommonErrors,
        BodyErrors,
    ),
    security(("token" = []), ("oauth" = ["failover:read"]))
)]
pub async fn post(
    State(api): State<Arc<Api>>,
    caller: Caller<Reads>,
    headers: HeaderMap,
    parameters: Parameters,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let search = read_search(&caller.application.id, &parameters, &body.value, api.errors_max)?;
    // As JSON values it takes many times its octets: that must not wait for a turn.
    drop(body);
    let Search { page: number, size, query, message_filters } = search;
    let of = caller.application;
    if let Some(format) = Format::accepted(&headers) {
        let walk = Walk::new(Arc::clone(&api), query, message_filters, PIECE_BYTES);
        return export(api, of, walk, format).await;
    }
    let mut timing = Timing::start();
    let (total, ids) = if !message_filters.is_empty() {
        let reader = Arc::clone(&api);
        api.searches.run(&of, |stop| read_through(reader, query, message_filters, stop)).await??
    } else if is_quick(&query) {
        ids_of(api.index.search(&query))
    } else {
        let index = Arc::clone(&api.index);
        let ask = move |stop: Stop| async move {
            let found = index.search_while(&query, &|| stop.goes_on()).ok_or(Unanswered::Overdue)?;
            Ok(ids_of(found))
        };
        api.searches.run(&of, ask).await?
    };
    timing.note("index");
    Page::new(api, of, ids, total, number, size).answer(timing).await
}

fn ids_of(found: Found) -> (usize, Vec<Uuid>) {
    (found.total, found.keys.into_iter().map(|(_, id)| id).collect())
}

/// The total, and the ids of the page, by reading every flow that the index leaves. The flows of the page are read again
/// for the answer, since they may be large together.
async fn read_through(
    api: Arc<Api>,
    query: Query,
    filters: Vec<MessageFilter>,
    stop: Stop,
) -> Result<Result<(usize, Vec<Uuid>), ApiError>, Unanswered> {
    let count = Query { offset: 0, limit: 0, ..query.clone() };
    let candidates = api.index.search_while(&count, &|| stop.goes_on()).ok_or(Unanswered::Overdue)?;
    if candidates.total > READ_MAX {
        let rule = format!(
            "leaves {} flows to be read for messageStatus, from, label, country or operator, and must leave at most \
             {READ_MAX}: narrow the range, add filters, or export",
            candidates.total
        );
        return Ok(Err(ApiError::field("filters", Rule::Range, rule)));
    }
    let (offset, limit) = (query.offset, query.limit);
    let mut walk = Walk::new(api, query, filters, READ_BYTES);
    let (mut total, mut ids) = (0, Vec::new());
    while let Some(trackings) = walk.next(&stop).await? {
        for tracking in trackings {
            if total >= offset && ids.len() < limit {
                ids.push(tracking.tracking_id);
            }
            total += 1;
        }
    }
    Ok(Ok((total, ids)))
}
