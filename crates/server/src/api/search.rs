//! `POST /failover/tracking`: search (contract, section 4).

use super::auth::Caller;
use super::error::{ApiError, BodyErrors, CommonErrors};
use super::reader::{Problems, Reader, is_blank};
use super::tracking::TrackingView;
use super::{Api, JsonBody};
use crate::clock::parse_iso;
use axum::Json;
use axum::extract::{Query as UrlQuery, State};
use flow::{Channel, FlowKind, FlowStatus};
use index::{Filter, Order, Predicate, Query, TextOperator};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Most trackings on a page.
const SIZE_MAX: usize = 1000;
/// Most filters of a search.
const FILTERS_MAX: usize = 50;

/// A condition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterRequest {
    /// `type`, `terminationChannel`, `status`, `to` or `flowKind`, in any case.
    field_name: String,
    /// `is` (default), `is_not`; for `to` also `contains`, `starts_with`, `ends_with`.
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
        (status = 200, body = PageView),
        CommonErrors,
        BodyErrors,
    ),
    security(("token" = []))
)]
pub async fn post(
    State(api): State<Arc<Api>>,
    caller: Caller,
    UrlQuery(parameters): UrlQuery<HashMap<String, String>>,
    body: JsonBody,
) -> Result<Json<PageView>, ApiError> {
    let problems = Problems::default();
    let (page, size) = read_page(&parameters, &problems);
    let (from_ms, until_ms) = read_range(&parameters, &problems);
    let order = read_sort(&parameters, &problems);
    let filters = read_filters(&body.value, &problems);
    let errors = problems.into_vec();
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let application = caller.application.id.clone();
    let offset = page.saturating_mul(size);
    let query = Query { application, from_ms, until_ms, filters, order, offset, limit: size };
    let index = Arc::clone(&api.index);
    // A walk over many flows would hold up whoever shares this thread.
    let found =
        tokio::task::spawn_blocking(move || index.search(&query)).await.map_err(|_| ApiError::Store)?;
    let flows = api.store.load(found.ids).await?;
    // A flow that was pruned between the two questions is not shown; the total was true when it was counted.
    let content: Vec<_> = flows.iter().flatten().map(|flow| TrackingView::of(flow, &flow.state)).collect();
    let total_pages = found.total.div_ceil(size);
    Ok(Json(PageView {
        number_of_elements: content.len(),
        content,
        total_pages,
        total_elements: found.total,
        number: page,
        size,
        first: page == 0 || found.total == 0,
        last: page + 1 >= total_pages,
    }))
}

fn read_page(parameters: &HashMap<String, String>, problems: &Problems) -> (usize, usize) {
    let number = |name: &str, default: usize, rule: &str, allowed: fn(usize) -> bool| {
        let Some(text) = parameters.get(name).filter(|text| !text.is_empty()) else { return default };
        match text.parse() {
            Ok(number) if allowed(number) => number,
            _ => {
                problems.add(name, "range", rule);
                default
            }
        }
    };
    let page =
        number("page", 0, "must be a whole number, 0 or more", |page| page <= usize::MAX / (2 * SIZE_MAX));
    let size = number("size", 10, "must be a whole number, 1 to 1000", |size| (1..=SIZE_MAX).contains(&size));
    (page, size)
}

fn read_range(parameters: &HashMap<String, String>, problems: &Problems) -> (Option<i64>, Option<i64>) {
    let time = |name: &str| {
        let text = parameters.get(name).filter(|text| !text.is_empty())?;
        // In a URL that was not encoded, the plus of an offset arrives as a space.
        let parsed = parse_iso(&text.replace(' ', "+")).or_else(|| parse_iso(text));
        if parsed.is_none() {
            problems.add(name, "format", "must be an ISO 8601 time such as 2025-05-05T15:00Z");
        }
        parsed
    };
    let (from_ms, until_ms) = (time("dateStart"), time("dateEnd"));
    if let (Some(from_ms), Some(until_ms)) = (from_ms, until_ms)
        && from_ms > until_ms
    {
        problems.add("dateStart", "range", "must not be after dateEnd");
    }
    (from_ms, until_ms)
}

fn read_sort(parameters: &HashMap<String, String>, problems: &Problems) -> Order {
    let sort = parameters.get("sort").map(|sort| sort.replace(' ', "").to_ascii_lowercase());
    match sort.as_deref() {
        None | Some("" | "createdat" | "createdat,desc") => Order::NewestFirst,
        Some("createdat,asc") => Order::OldestFirst,
        Some(_) => {
            problems.add("sort", "choice", "must be createdAt,desc or createdAt,asc");
            Order::NewestFirst
        }
    }
}

fn read_filters(body: &Value, problems: &Problems) -> Vec<Filter> {
    let filters: Vec<(String, &Value)> = match body {
        Value::Array(filters) => filters.iter().enumerate().map(|(i, f)| (format!("[{i}]"), f)).collect(),
        blank if is_blank(blank) => vec![],
        single => vec![("[0]".into(), single)],
    };
    if filters.len() > FILTERS_MAX {
        problems.add("filters", "length", format!("must be at most {FILTERS_MAX}"));
        return vec![];
    }
    let read = |(path, value): (String, &Value)| read_filter(&Reader::of(value, path, problems)?);
    filters.into_iter().filter_map(read).collect()
}

fn read_filter(reader: &Reader<'_>) -> Option<Filter> {
    let field = reader.required_text("fieldName").to_ascii_lowercase();
    let operator = reader.text("searchOperator").unwrap_or_else(|| "is".into()).to_ascii_lowercase();
    let term = reader.required_text("searchTerm");
    if field.is_empty() || term.is_empty() {
        return None;
    }
    let channel = |name: &str| {
        let channel = Channel::parse(name);
        if channel.is_none() {
            reader.refuse("searchTerm", "choice", "must be Sms, Viber or Voice");
        }
        channel
    };
    let predicate = match field.as_str() {
        "type" => Predicate::Type(channel(&term)?),
        "terminationchannel" => Predicate::Termination(channel(&term)?),
        "status" => match FlowStatus::parse(&term) {
            Some(status) => Predicate::Status(status),
            None => {
                reader.refuse("searchTerm", "choice", "must be Queued, InProgress, Succeeded or Failed");
                return None;
            }
        },
        "flowkind" => match term.to_ascii_lowercase().as_str() {
            "transactional" => Predicate::Kind(FlowKind::Transactional),
            "plain" => Predicate::Kind(FlowKind::Plain),
            _ => {
                reader.refuse("searchTerm", "choice", "must be transactional or plain");
                return None;
            }
        },
        "to" => {
            let text = match operator.as_str() {
                "contains" => TextOperator::Contains,
                "starts_with" => TextOperator::StartsWith,
                "ends_with" => TextOperator::EndsWith,
                _ => TextOperator::Is,
            };
            Predicate::To(text, term)
        }
        _ => {
            reader.refuse("fieldName", "choice", "must be type, terminationChannel, status, to or flowKind");
            return None;
        }
    };
    let text_operators = matches!(predicate, Predicate::To(..));
    match operator.as_str() {
        "is" | "is_not" => {}
        "contains" | "starts_with" | "ends_with" if text_operators => {}
        _ => {
            let choices = if text_operators {
                "must be is, is_not, contains, starts_with or ends_with"
            } else {
                "must be is or is_not"
            };
            reader.refuse("searchOperator", "choice", choices);
            return None;
        }
    }
    Some(Filter { predicate, negated: operator == "is_not" })
}
