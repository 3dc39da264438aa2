//! `GET /console/flows`.

use super::find::{Found, find};
use super::query::{ListQuery, SIZE};
use super::row::row;
use crate::error::PageError;
use crate::form::{channels, choice, which_application};
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use engine::service::ACROSS_MAX;
use flow::FlowStatus;
use maud::{Markup, html};
use std::sync::Arc;

/// Shows a list of flows; leads straight to the flow if an id or a reference means one.
pub(crate) async fn get(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<ListQuery>,
) -> Result<Response, PageError> {
    let found = find(&console, &visitor, &asked).await?;
    let is_id = uuid::Uuid::try_parse(asked.q.trim()).is_ok();
    if let ([(id, Some(_))], true) = (&*found.flows, is_id) {
        return Ok(Redirect::to(&format!("/console/flows/{id}")).into_response());
    }
    let body = html! {
        h1 { "Flows" }
        (form(&visitor, &asked))
        // What was searched for stands still: it may cost much to look for it every few seconds.
        @let is_live = asked.q.is_empty();
        div #list hx-get=[is_live.then(|| asked.address())] hx-trigger=[is_live.then_some("refresh")]
            hx-select="#list" hx-swap="outerHTML" {
            (list(&visitor, &asked, &found))
        }
    };
    Ok(page(&console, &visitor, Section::Flows, "Flows", body).into_response())
}

fn form(visitor: &Visitor, asked: &ListQuery) -> Markup {
    let statuses = FlowStatus::ALL.map(|status| (status.name(), status.name()));
    html! {
        form.card method="get" action="/console/flows" role="search" {
            div.row {
                div.grow {
                    label for="q" { "A number, part of one, an id, a carrier's reference or a label" }
                    input #q type="search" name="q" value=(asked.q) maxlength="255" autocomplete="off"
                        autofocus[asked.q.is_empty()] placeholder="690 000 0010";
                }
                button.main { "Find" }
            }
            details open[asked.is_filtered()] {
                summary { "More conditions" }
                div.row {
                    (which_application(visitor, &asked.application))
                    (choice("status", "Status", &asked.status, Some("any"), statuses))
                    (channels("channel", "A step over", &asked.channel, Some("any")))
                    (channels("ended_by", "Ended by", &asked.ended_by, Some("any")))
                    (time("from", "Accepted from", &asked.from))
                    (time("until", "until before", &asked.until))
                }
            }
        }
    }
}

fn time(name: &str, label: &str, value: &str) -> Markup {
    html! {
        div {
            label for=(name) { (label) }
            input id=(name) type="datetime-local" name=(name) value=(value);
        }
    }
}

fn list(visitor: &Visitor, asked: &ListQuery, found: &Found) -> Markup {
    let pages = found.total.div_ceil(SIZE);
    html! {
        div.row.middle.between {
            p role="status" {
                strong { (found.total) } @if found.total == 1 { " flow" } @else { " flows" }
                @if let Some(words) = &found.understood { ": " (words) }
            }
            @if visitor.sees_all() && found.total > 0 {
                p {
                    "Export: "
                    a href=(format!("/console/flows/export?format=csv&{}", asked.at(0).parameters())) { "CSV" }
                    " · "
                    a href=(format!("/console/flows/export?format=json&{}", asked.at(0).parameters())) {
                        "JSON lines"
                    }
                }
            }
        }
        @if found.flows.is_empty() {
            (nothing(asked, found))
        } @else {
            div.wide tabindex="0" role="region" aria-label="Flows" {
                table {
                    thead {
                        tr {
                            th { "Accepted" } th { "To" } th { "Status" } th { "What became of it" }
                            @if visitor.applications.len() > 1 { th { "Application" } }
                            th.number { "Price" }
                        }
                    }
                    tbody { @for (id, flow) in &found.flows { (row(visitor, *id, flow.as_ref())) } }
                }
            }
        }
        @if pages > 1 {
            nav.row.middle aria-label="Pages of the list" {
                @if asked.page > 0 { a rel="prev" href=(asked.at(asked.page - 1).address()) { "Newer" } }
                span { "Page " (asked.page + 1) " of " (pages) }
                @if asked.page + 1 < pages {
                    a rel="next" href=(asked.at(asked.page + 1).address()) { "Older" }
                    a href=(asked.at(pages - 1).address()) { "Oldest" }
                }
            }
        }
    }
}

/// What to do where there is nothing.
fn nothing(asked: &ListQuery, found: &Found) -> Markup {
    let is_far = asked.page * SIZE > ACROSS_MAX && asked.application.is_empty() && found.total > 0;
    html! {
        div.card {
            @if is_far {
                p { "So far back the flows of one application at a time are shown: choose one above, or a shorter time." }
            } @else if found.total > 0 {
                p { "This page is past the end. " a href=(asked.at(0).address()) { "To the first page" } }
            } @else if asked.q.is_empty() && !asked.is_filtered() {
                p { "Nothing has been sent yet. " a href="/console/try" { "Send something through the sandbox" }
                    ", or send with the API." }
            } @else {
                p { "Nothing was found. Check the number, take away a condition, or choose a longer time. A flow is "
                    "kept for as long as the configuration says (" code { "store.retention_days" } ")." }
                p { a href="/console/flows" { "Show all flows" } }
            }
        }
    }
}
