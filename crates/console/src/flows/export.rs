//! `GET /console/flows/export`: everything that a list has, as CSV or JSON lines.

use super::find::{Listed, Resolved, resolved};
use super::query::ListQuery;
use crate::audit::audited;
use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use api::ExportFormat;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use store::Role;

/// How it is written.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Json,
}

/// How it is exported. What is exported is read by itself: members of two structures as one would all be
/// texts, the page's number as well.
#[derive(Deserialize)]
pub(crate) struct Asked {
    format: Format,
}

/// Streams what the list finds, of one application.
pub(crate) async fn get(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(Asked { format }): Query<Asked>,
    Query(list): Query<ListQuery>,
) -> Result<Response, PageError> {
    visitor.require(Role::Support)?;
    let [application] = list.applications(&visitor)? else {
        return Err(PageError::Refused("choose an application first: an export has the flows of one".into()));
    };
    let query = index::Query { offset: 0, limit: 0, ..list.to_index(&visitor)? };
    let Resolved { list, .. } = resolved(&console, &visitor, &list, &query).await?;
    let exported = async { Ok::<_, PageError>(()) };
    audited(&console, &visitor, "flows.export", &application.id, "", exported).await?;
    let (format, disposition) = match format {
        Format::Csv => (ExportFormat::Csv, "attachment; filename=\"flows.csv\""),
        Format::Json => (ExportFormat::Ndjson, "attachment; filename=\"flows.ndjson\""),
    };
    let service = Arc::clone(&console.service);
    let mut response = match list {
        Listed::Matching(query, filters) => {
            api::export(service, Arc::new(application.clone()), query, filters, format).await
        }
        Listed::These(ids) => api::export_these(service, ids, format).await,
    };
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    Ok(response)
}
