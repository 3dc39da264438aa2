//! `GET /console/users/audit`: who did what, when, on what.

use crate::error::PageError;
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::{Query, State};
use engine::administration::audit;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{AuditEntry, AuditQuery, Outcome, Role};

/// Entries on a page.
const SIZE: usize = 50;

/// Which entries.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    operator: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<i64>,
}

/// Lists what was done, the newest first.
pub(crate) async fn get(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Markup, PageError> {
    visitor.require_of_all(Role::Admin)?;
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let query = AuditQuery {
        before: asked.before,
        limit: SIZE,
        operator: given(&asked.operator),
        action: None,
        subject: given(&asked.subject),
    };
    let entries = console.desk.run(async move |admin| audit::list(admin, query).await).await?;
    let older = entries.last().filter(|_| entries.len() == SIZE).map(|last| {
        let next =
            Asked { before: Some(last.id), operator: asked.operator.clone(), subject: asked.subject.clone() };
        format!("/console/users/audit?{}", serde_urlencoded::to_string(next).unwrap_or_default())
    });
    let body = html! {
        h1 { "Audit" }
        form.card.row method="get" {
            div { label for="operator" { "Who" } input #operator name="operator" value=(asked.operator); }
            div.grow { label for="subject" { "On what (an id or a name)" } input #subject name="subject" value=(asked.subject); }
            button.main { "Show" }
        }
        @if entries.is_empty() {
            div.card { p { "Nothing was done, or nothing that fits. " a href="/console/users/audit" { "Show all" } } }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Audit" {
                table {
                    thead { tr { th { "When" } th { "Who" } th { "What" } th { "On what" } th { "More" } th { "Outcome" } } }
                    tbody { @for entry in &entries { (row(&visitor, entry)) } }
                }
            }
        }
        @if let Some(older) = older { p { a rel="next" href=(older) { "Older" } } }
    };
    Ok(page(&console, &visitor, Section::Users, "Audit", body))
}

fn row(visitor: &Visitor, AuditEntry { entry, outcome, .. }: &AuditEntry) -> Markup {
    html! {
        tr {
            td.tight { (visitor.zone.moment(entry.at_ms)) }
            td { (entry.operator) }
            td.tight { (entry.action) }
            td { (entry.subject) }
            td { (entry.detail) }
            td {
                @match outcome {
                    Some(Outcome::Done) => span.badge.good { "done" },
                    Some(Outcome::Failed(why)) => { span.badge.bad { "failed" } " " (why) },
                    None => span.badge.open { "unknown" },
                }
            }
        }
    }
}
