//! `POST /failover/tracking`: search (contract, section 4).

use super::auth::Caller;
use super::error::{ApiError, BodyErrors, CommonErrors};
use super::export::{Format, export};
use super::read_search::{Search, read_search};
use super::tracking::TrackingView;
use super::{Api, JsonBody, Parameters};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::ToSchema;

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
        (status = 200, description = "A page; or, with `Accept: application/x-ndjson` or `text/csv`, every match, \
            a line each, whatever `page` and `size` say.", content(
            (PageView = "application/json"), (String = "application/x-ndjson"), (String = "text/csv")
        )),
        CommonErrors,
        BodyErrors,
    ),
    security(("token" = []))
)]
pub async fn post(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Parameters(parameters): Parameters<HashMap<String, String>>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let Search { page, size, query } = read_search(&caller.application.id, &parameters, &body.value)?;
    if let Some(format) = Format::accepted(&headers) {
        return Ok(export(api, query, format));
    }
    let index = Arc::clone(&api.index);
    // A walk over many flows would hold up whoever shares this thread.
    let found =
        tokio::task::spawn_blocking(move || index.search(&query)).await.map_err(|_| ApiError::Store)?;
    let flows = api.store.load(found.keys.iter().map(|key| key.1).collect()).await?;
    // A flow that was pruned between the two questions is not shown; the total was true when it was counted.
    let content: Vec<_> = flows.iter().flatten().map(|flow| TrackingView::of(flow, &flow.state)).collect();
    let total_pages = found.total.div_ceil(size);
    let page = PageView {
        number_of_elements: content.len(),
        content,
        total_pages,
        total_elements: found.total,
        number: page,
        size,
        first: page == 0 || found.total == 0,
        last: page + 1 >= total_pages,
    };
    Ok(Json(page).into_response())
}
