//! The whole result of a search as a stream, in constant memory.

use super::tracking::{MessageView, TrackingView};
use super::walk::{Failure, Walk};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream::try_unfold;

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
        let accept = headers.get(header::ACCEPT)?.to_str().ok()?.to_ascii_lowercase();
        let media_types = accept.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
        media_types.into_iter().find_map(|media_type| match media_type {
            "application/x-ndjson" => Some(Format::Ndjson),
            "text/csv" => Some(Format::Csv),
            _ => None,
        })
    }

    const fn media_type(self) -> &'static str {
        match self {
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Streams everything that a walk finds. An error ends the connection.
pub fn export(walk: Walk, format: Format) -> Response {
    let lines = try_unfold((walk, format == Format::Csv), move |(mut walk, header)| async move {
        let lines = if header {
            Some(write_csv(|csv| csv.write_record(COLUMNS))?)
        } else {
            next(&mut walk, format).await.inspect_err(|error| tracing::error!(%error, "an export failed"))?
        };
        Ok::<_, Failure>(lines.map(|lines| (Bytes::from(lines), (walk, false))))
    });
    ([(header::CONTENT_TYPE, format.media_type())], Body::from_stream(lines)).into_response()
}

/// The next lines; `None` at the end.
async fn next(walk: &mut Walk, format: Format) -> Result<Option<Vec<u8>>, Failure> {
    let Some(trackings) = walk.next().await? else { return Ok(None) };
    match format {
        Format::Ndjson => {
            let mut lines = Vec::new();
            for tracking in trackings {
                serde_json::to_writer(&mut lines, &tracking)?;
                lines.push(b'\n');
            }
            Ok(Some(lines))
        }
        Format::Csv => {
            write_csv(|csv| trackings.iter().try_for_each(|tracking| csv.write_record(record(tracking))))
                .map(Some)
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
        tracking.status.to_owned(),
        tracking.status_code.map(|code| code.to_string()).unwrap_or_default(),
        tracking.termination_channel.unwrap_or_default().to_owned(),
        tracking.total_price.to_string(),
        to.join("; "),
        messages.join("; "),
    ]
}

fn write_csv(
    write: impl FnOnce(&mut csv::Writer<&mut Vec<u8>>) -> Result<(), csv::Error>,
) -> Result<Vec<u8>, Failure> {
    let mut lines = Vec::new();
    {
        let mut csv = csv::Writer::from_writer(&mut lines);
        write(&mut csv)?;
        csv.flush()?;
    }
    Ok(lines)
}
