//! The whole result of a search as a stream, in constant memory.

use super::Api;
use super::tracking::{MessageView, TrackingView};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream::try_unfold;
use index::{Key, Order, Query};
use std::sync::Arc;
use uuid::Uuid;

/// Places that the index is asked for at once.
const KEYS_MAX: usize = 20_000;
/// Flows that are read and written at once.
const FLOWS_MAX: usize = 500;

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

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How far an export is.
struct Progress {
    api: Arc<Api>,
    query: Query,
    /// Places that the index found and that are not written yet, the next one last.
    keys: Vec<Key>,
    /// The index has no more.
    exhausted: bool,
    header: bool,
}

/// Streams every match of a query. Each flow that was there at the start and still matches comes exactly once:
/// the export goes on behind the last one, not at a page's number. An error ends the connection.
pub fn export(api: Arc<Api>, query: Query, format: Format) -> Response {
    let query = Query { offset: 0, limit: KEYS_MAX, ..query };
    let progress = Progress { api, query, keys: Vec::new(), exhausted: false, header: format == Format::Csv };
    let lines = try_unfold(progress, move |mut progress| async move {
        let lines =
            progress.next(format).await.inspect_err(|error| tracing::error!(%error, "an export failed"))?;
        Ok::<_, Failure>(lines.map(|lines| (Bytes::from(lines), progress)))
    });
    ([(header::CONTENT_TYPE, format.media_type())], Body::from_stream(lines)).into_response()
}

impl Progress {
    /// The next lines; `None` at the end.
    async fn next(&mut self, format: Format) -> Result<Option<Vec<u8>>, Failure> {
        if self.header {
            self.header = false;
            return write_csv(|csv| csv.write_record(COLUMNS)).map(Some);
        }
        if self.keys.is_empty() && !self.exhausted {
            self.ask().await?;
        }
        if self.keys.is_empty() {
            return Ok(None);
        }
        let next = self.keys.split_off(self.keys.len().saturating_sub(FLOWS_MAX));
        let flows = self.api.store.load(next.iter().rev().map(|key| key.1).collect()).await?;
        let trackings = flows.iter().flatten().map(|flow| TrackingView::of(flow, &flow.state));
        match format {
            Format::Ndjson => {
                let mut lines = Vec::new();
                for tracking in trackings {
                    serde_json::to_writer(&mut lines, &tracking)?;
                    lines.push(b'\n');
                }
                Ok(Some(lines))
            }
            Format::Csv => write_csv(|csv| {
                trackings.into_iter().try_for_each(|tracking| csv.write_record(record(&tracking)))
            })
            .map(Some),
        }
    }

    /// Asks the index for the next places.
    async fn ask(&mut self) -> Result<(), Failure> {
        let (index, query) = (Arc::clone(&self.api.index), self.query.clone());
        let found = tokio::task::spawn_blocking(move || index.search(&query)).await?;
        self.exhausted = found.keys.len() < KEYS_MAX;
        if let Some(last) = found.keys.last() {
            match self.query.order {
                Order::NewestFirst => self.query.until = Some(*last),
                Order::OldestFirst => self.query.from = Some(behind(*last)),
            }
        }
        self.keys = found.keys;
        self.keys.reverse();
        Ok(())
    }
}

/// The first place behind one.
fn behind((ms, id): Key) -> Key {
    match id.as_u128().checked_add(1) {
        Some(next) => (ms, Uuid::from_u128(next)),
        None => (ms.saturating_add(1), Uuid::nil()),
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
