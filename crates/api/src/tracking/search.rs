//! `POST /failover/tracking`: search (contract, section 4).

use super::export::{Format, export};
use super::page::{Page, Timing};
use crate::error::{ApiError, BodyErrors, CommonErrors};
use crate::request::body::JsonBody;
use crate::request::caller::Caller;
use crate::request::parameters::QueryParameters;
use crate::request::scope::Reads;
use crate::state::Api;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use engine::service::Matches;
use std::sync::Arc;
use wire::read_search::{Search, read_search};
use wire::search::{FiltersRequest, PageView, Sort};

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
    QueryParameters(parameters): QueryParameters,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let errors_max = api.settings.errors_max;
    let search = read_search(&caller.application.id, &parameters, &body.value, errors_max)?;
    // As JSON values it takes many times its octets: that must not wait for a turn.
    drop(body);
    let Search { page: number, size, query, message_filters } = search;
    let (service, of) = (Arc::clone(&api.service), caller.application);
    if let Some(format) = Format::accepted(&headers) {
        return export(service, of, query, message_filters, format).await;
    }
    let mut timing = Timing::start();
    let Matches { total, ids } = service.find(&of, query, message_filters).await?;
    timing.note("index");
    Page::new(service, of, ids, total, number, size).answer(timing).await
}
