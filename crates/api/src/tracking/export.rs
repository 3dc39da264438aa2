//! The whole result of a search as a stream, in constant memory, however slowly the client takes it.

use crate::error::ApiError;
use crate::request::accept::preferred;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use engine::service::{PIECE_BYTES, Service, Stop, Unanswered, Walk};
use flow::Flow;
use futures::stream::{StreamExt, iter, once, try_unfold};
use index::Query;
use std::io;
use std::sync::Arc;
use store::Application;
use uuid::Uuid;
use wire::channel::MessageView;
use wire::message_filter::MessageFilter;
use wire::tracking::TrackingView;

/// How an export is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A tracking as JSON, a line each.
    Ndjson,
    /// Comma-separated values (RFC 4180), with a header.
    Csv,
}

impl Format {
    /// The format that a request accepts; `None` for a page of JSON.
    pub fn accepted(headers: &HeaderMap) -> Option<Format> {
        match preferred(headers, &["application/json", "application/x-ndjson", "text/csv"]) {
            Some("application/x-ndjson") => Some(Format::Ndjson),
            Some("text/csv") => Some(Format::Csv),
            _ => None,
        }
    }

    /// What comes before the first line.
    fn header(self) -> Result<Vec<u8>, Unanswered> {
        match self {
            Format::Ndjson => Ok(Vec::new()),
            Format::Csv => write_csv(|csv| csv.write_record(COLUMNS)),
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Streams everything that a search of an application finds, for another door than the API.
pub async fn export_for_others(
    service: Arc<Service>,
    of: Arc<Application>,
    query: Query,
    filters: Vec<MessageFilter>,
    format: Format,
) -> Response {
    export(service, of, query, filters, format).await.into_response()
}

/// Streams flows that are known by their ids, for another door than the API: one after the other, since each
/// may be large. One that is gone is left out. An error after the first piece ends the connection.
pub async fn export_these(service: Arc<Service>, ids: Vec<Uuid>, format: Format) -> Response {
    let header = match format.header() {
        Ok(header) => Bytes::from(header),
        Err(error) => return ApiError::from(error).into_response(),
    };
    let flows = iter(ids).then(move |id| {
        let service = Arc::clone(&service);
        async move {
            let read = service.read_flows(vec![id], PIECE_BYTES).await;
            let read = read.inspect_err(|error| tracing::error!(%error, "an export failed"));
            let flows: Vec<Flow> = read.map_err(io::Error::other)?.into_iter().flatten().collect();
            lines(&flows, format).map(Bytes::from).map_err(io::Error::other)
        }
    });
    let lines = once(async move { Ok(header) }).chain(flows);
    ([(header::CONTENT_TYPE, format.media_type())], Body::from_stream(lines)).into_response()
}

/// Streams everything that a search of an application finds: each piece is read when its turn among costly
/// searches comes, and when the client has taken those before it. An error after the first piece ends the
/// connection.
///
/// # Errors
/// [`ApiError::SearchOverdue`], [`ApiError::Store`].
pub(super) async fn export(
    service: Arc<Service>,
    of: Arc<Application>,
    query: Query,
    filters: Vec<MessageFilter>,
    format: Format,
) -> Result<Response, ApiError> {
    let query = Query { application: of.id.clone(), ..query };
    let walk = Walk::new(Arc::clone(&service), query, filters, PIECE_BYTES);
    let (walk, lines) = service.searches().run(&of, |stop| piece(walk, format, stop)).await?;
    let mut first = format.header()?;
    first.extend(lines);
    let rest = try_unfold(walk, move |walk| {
        let (service, of) = (Arc::clone(&service), Arc::clone(&of));
        async move {
            let Some(walk) = walk else { return Ok(None) };
            let next = service.searches().go_on(&of, |stop| piece(walk, format, stop)).await;
            let (walk, lines) = next.inspect_err(|error| tracing::error!(%error, "an export failed"))?;
            Ok::<_, Unanswered>(Some((Bytes::from(lines), walk)))
        }
    });
    let lines = once(async move { Ok(Bytes::from(first)) }).chain(rest);
    Ok(([(header::CONTENT_TYPE, format.media_type())], Body::from_stream(lines)).into_response())
}

/// The next lines, perhaps none, and the walk where it goes on.
async fn piece(mut walk: Walk, format: Format, stop: Stop) -> Result<(Option<Walk>, Vec<u8>), Unanswered> {
    let Some(flows) = walk.next(&stop).await? else { return Ok((None, Vec::new())) };
    Ok((Some(walk), lines(&flows, format)?))
}

/// A line for each flow.
fn lines(flows: &[Flow], format: Format) -> Result<Vec<u8>, Unanswered> {
    let mut trackings = flows.iter().map(|flow: &Flow| TrackingView::of(flow, &flow.state));
    match format {
        Format::Ndjson => {
            let mut lines = Vec::new();
            for tracking in trackings {
                serde_json::to_writer(&mut lines, &tracking).map_err(|_| Unanswered::Failed)?;
                lines.push(b'\n');
            }
            Ok(lines)
        }
        Format::Csv => {
            write_csv(|csv| trackings.try_for_each(|tracking| csv.write_record(record(&tracking))))
        }
    }
}

const COLUMNS: [&str; 9] = [
    "trackingId",
    "createdAt",
    "updatedAt",
    "status",
    "statusCode",
    "terminationChannel",
    "totalPrice",
    "to",
    "messages",
];

/// A tracking as values; messages as `Viber EXPIRED; Sms Delivered`.
fn record(tracking: &TrackingView) -> [String; 9] {
    let mut to: Vec<&str> = tracking.messages.iter().map(MessageView::to).collect();
    to.dedup();
    let messages: Vec<String> = tracking.messages.iter().map(MessageView::summary).collect();
    [
        tracking.tracking_id.to_string(),
        tracking.created_at.clone(),
        tracking.updated_at.clone(),
        tracking.status.clone().into_owned(),
        tracking.status_code.map(|code| code.to_string()).unwrap_or_default(),
        tracking.termination_channel.clone().unwrap_or_default().into_owned(),
        tracking.total_price.to_string(),
        to.join("; "),
        messages.join("; "),
    ]
}

fn write_csv(
    write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), csv::Error>,
) -> Result<Vec<u8>, Unanswered> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    write(&mut csv).map_err(|_| Unanswered::Failed)?;
    csv.into_inner().map_err(|_| Unanswered::Failed)
}
