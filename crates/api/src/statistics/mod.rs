//! `GET /failover/statistics`: figures by period and group (contract, section 4); ours.

use crate::error::{ApiError, CommonErrors};
use crate::request::accept::preferred;
use crate::request::caller::Caller;
use crate::request::parameters::QueryParameters;
use crate::request::scope::Reads;
use crate::state::Api;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use engine::service::Figures;
use flow::statistics::Dimension;
use std::sync::Arc;
use wire::read_statistics::read_statistics;
use wire::statistics::{FiguresView, PeriodView, StatisticsView};
use wire::time::iso_in;

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new().route("/failover/statistics", get(show))
}

/// Figures of all flows that were ever accepted, pruned and erased ones as well, exact at every moment.
#[utoipa::path(
    get,
    path = "/failover/statistics",
    operation_id = "statistics",
    tag = "statistics",
    params(
        ("dateStart" = Option<String>, Query, description = "Accepted at this time or later; ISO 8601, at a quarter of \
            an hour. Open by default."),
        ("dateEnd" = Option<String>, Query, description = "Accepted before this time; likewise."),
        ("interval" = Option<String>, Query, description = "`hour`, `day` (default) or `month`: the periods of rows."),
        ("timeZone" = Option<String>, Query, description = "Where these begin: a name of the IANA database such as \
            `Europe/Athens`; `UTC` by default."),
        ("groupBy" = Option<String>, Query, description = "What messages are grouped by: of `channel`, `carrier`, \
            `country`, `network` and `status` any, separated by commas."),
    ),
    responses(
        (status = 200, description = "Totals and rows; with `Accept: text/csv` the rows alone, under a header.", content(
            (StatisticsView = "application/json"), (String = "text/csv")
        )),
        CommonErrors,
    ),
    security(("token" = []), ("oauth" = ["failover:read"]))
)]
pub async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller<Reads>,
    headers: HeaderMap,
    QueryParameters(parameters): QueryParameters,
) -> Result<Response, ApiError> {
    let request = read_statistics(&parameters, api.settings.errors_max)?;
    let (zone, group_by) = (request.zone.clone(), request.group_by.clone());
    let Figures { totals, starts_ms, rows } = api.service.statistics(&caller.application, request).await?;
    let start = |period: usize| starts_ms.get(period).map(|ms| iso_in(*ms, &zone)).unwrap_or_default();
    let rows =
        rows.into_iter().map(|row| PeriodView::of(start(row.period), &group_by, row.group, &row.summary));
    let view = StatisticsView { totals: FiguresView::of_flows(&totals), rows: rows.collect() };
    if preferred(&headers, &["application/json", "text/csv"]) == Some("text/csv") {
        let lines = lines(&view, &group_by).map_err(|error| {
            tracing::error!(%error, "statistics can't be written");
            ApiError::Store
        })?;
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], lines).into_response());
    }
    Ok(Json(view).into_response())
}

/// The rows as CSV with a header.
fn lines(view: &StatisticsView, group_by: &[Dimension]) -> Result<Vec<u8>, csv::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let names = group_by.iter().map(|dimension| dimension.name());
    let figures = FiguresView::default().cells().map(|(name, _)| name);
    csv.write_record(["start"].into_iter().chain(names).chain(figures))?;
    for row in &view.rows {
        let values = group_by.iter().map(|dimension| row.value(*dimension).unwrap_or_default().to_owned());
        let figures = row.figures.cells().map(|(_, cell)| cell);
        csv.write_record([row.start.clone()].into_iter().chain(values).chain(figures))?;
    }
    csv.into_inner().map_err(|error| error.into_error().into())
}
