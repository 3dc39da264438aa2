//! `GET /console/flows/{id}`.

use super::acts::Done;
use super::steps::steps;
use super::timeline::timeline;
use crate::audit::audited;
use crate::error::PageError;
use crate::flows::row::{recipients, status, text, url};
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::{Path, Query, State};
use engine::service::FlowWait;
use flow::{Flow, FlowStatus, PendingCallback, is_e164};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;
use store::Role;
use wire::reasons::headline;
use wire::time::span;
use wire::tracking::TrackingView;

/// What the address says beside the flow.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    /// What was just done, for a notice.
    done: Option<Done>,
    /// Shows what the messages say: that is kept in the audit.
    #[serde(default)]
    texts: bool,
}

/// Shows a flow.
pub(crate) async fn get(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Asked { done, texts }): Query<Asked>,
) -> Result<Markup, PageError> {
    let flow = visitor.flow(&console, if texts { Role::Support } else { Role::Viewer }, &id).await?;
    let id = flow.id;
    if texts {
        let seen = async { Ok::<_, PageError>(()) };
        audited(&console, &visitor, "flow.read-texts", &id.to_string(), "", seen).await?;
    }
    let address = format!("/console/flows/{id}");
    let body = html! {
        @if let Some(done) = done { div.notice.good role="status" { (done.words()) } }
        // Once the texts are shown, the page stands still: each look at them is one entry of the audit.
        div #flow hx-get=[(!texts).then_some(&address)] hx-trigger=[(!texts).then_some("refresh")]
            hx-select="#flow" hx-swap="outerHTML" {
            (summary(&console, &visitor, &flow))
            (steps(&visitor, &flow, texts))
            section.card aria-labelledby="course" {
                h2 #course { "What happened" }
                (timeline(&visitor, &flow))
            }
            (callbacks(&visitor, &flow))
        }
        @if visitor.sees_all() {
            (acts(&visitor, &flow))
            (for_programs(&flow, texts))
        }
    };
    let title = format!("Flow {id}");
    Ok(page(&console, &visitor, Section::Flows, &title, body))
}

/// In one look: whether it arrived, how, when, and what it cost.
fn summary(console: &Console, visitor: &Visitor, flow: &Flow) -> Markup {
    let state = &flow.state;
    let application = visitor.application(&flow.application).map_or("", |of| &*of.name);
    let took = span(state.updated_ms.saturating_sub(flow.created_ms).max(0));
    html! {
        section.card {
            div.row.middle {
                h1 { "To " (recipients(visitor, flow)) }
                (status(state.status))
            }
            p { strong { (headline(flow)) } }
            @if let Some(wait) = console.service.waits_of(flow) { p { (waits(visitor, &wait)) } }
            dl {
                dt { "Accepted" } dd { (visitor.zone.exact(flow.created_ms)) }
                @if state.status.is_final() {
                    dt { "Ended" } dd { (visitor.zone.exact(state.updated_ms)) ", after " (took) }
                } @else {
                    dt { "Last change" } dd { (visitor.zone.exact(state.updated_ms)) }
                }
                dt { "Price" } dd { (flow.total_price().normalize()) }
                dt { "Application" } dd { (application) " " code { (flow.application) } }
                dt { "Tracking id" }
                dd {
                    code #tracking-id { (flow.id) } " "
                    button.plain type="button" data-copy="#tracking-id" { "Copy" }
                }
            }
        }
    }
}

/// What a flow waits for, and when that is over.
fn waits(visitor: &Visitor, wait: &FlowWait) -> Markup {
    let zone = &visitor.zone;
    html! {
        @match wait {
            FlowWait::Carrier { carrier: None, .. } => "No carrier can take it: its step is about to end.",
            FlowWait::Carrier { carrier: Some(name), because, since_ms, next_try_ms } => {
                "It waits for carrier " (name) ", " (because.name()) " since " (zone.moment(*since_ms))
                @match next_try_ms {
                    Some(next_ms) => { "; next try " (zone.moment(*next_ms)) "." },
                    None => "; it is handed over as soon as the carrier takes it.",
                }
            }
            FlowWait::Receipt { carrier, until_ms } => {
                "It waits for a receipt"
                @if let Some(name) = carrier { " of carrier " (name) }
                ", until " (zone.moment(*until_ms)) " at the latest."
            }
            FlowWait::Callback { next_try_ms, attempts, .. } => {
                "A callback waits to be acknowledged, after " (attempts) " attempts; next try "
                (zone.moment(*next_try_ms)) "."
            }
        }
    }
}

fn callbacks(visitor: &Visitor, flow: &Flow) -> Markup {
    let Some(callback) = &flow.callback else {
        return html! {
            section.card { h2 { "Callbacks" } p.soft { "The client asked for none." } }
        };
    };
    let due = |owed: &PendingCallback| {
        html! {
            li {
                "Owed since " (visitor.zone.exact(owed.since_ms()))
                @if owed.attempts > 0 { ", tried " (owed.attempts) " times: " (text(visitor, error_of(owed))) }
                "; next try " (visitor.zone.exact(owed.due_ms()))
            }
        }
    };
    let owed: Vec<_> = flow.callbacks.owed().collect();
    let dead: Vec<_> = flow.callbacks.dead().collect();
    html! {
        section.card aria-labelledby="callbacks" {
            h2 #callbacks { "Callbacks" }
            p { (format!("{:?}", callback.strategy)) " to " code { (url(visitor, &callback.url)) } }
            @if flow.callbacks_ended { p { "The target wants no more callbacks of this flow (410)." } }
            @if owed.is_empty() && dead.is_empty() {
                p.soft { (flow.callbacks_made) " made, none is owed." }
            }
            ul {
                @for owed in &owed { (due(owed)) }
                @for dead in &dead {
                    li.bad-text { "Given up after " (dead.attempts) " attempts: " (text(visitor, error_of(dead))) }
                }
            }
        }
    }
}

fn error_of(callback: &PendingCallback) -> &str {
    callback.error.as_deref().unwrap_or("not acknowledged")
}

/// What can be done about it.
fn acts(visitor: &Visitor, flow: &Flow) -> Markup {
    let is_open = !flow.state.status.is_final();
    let path = |act: &str| format!("/console/flows/{}/{act}", flow.id);
    html! {
        section.card aria-labelledby="acts" {
            h2 #acts { "What can be done" }
            div.row.middle {
                @if is_open {
                    form method="post" action=(path("cancel")) { button { "Cancel: send nothing more" } }
                }
                @if flow.callbacks.dead().next().is_some() {
                    form method="post" action=(path("replay")) { button { "Send the callbacks again" } }
                }
                @for (at, step) in flow.steps.iter().enumerate().filter(|(_, step)| is_e164(step.to())) {
                    form method="post" action=(path("opt-out")) {
                        input type="hidden" name="step" value=(at);
                        button { "Opt " (step.to()) " out of " (step.channel()) }
                    }
                }
                @if visitor.is(Role::Admin) { a href=(path("erase")) { "Erase…" } }
            }
            @if flow.state.status == FlowStatus::Queued {
                p.soft { "Nothing of it was handed to a carrier yet." }
            }
        }
    }
}

/// The same for programs, and for questions to those who write them.
fn for_programs(flow: &Flow, texts: bool) -> Markup {
    let curl = format!(
        "curl -H \"Authorization: Bearer $TOKEN\" \\\n  \"$SWITCHBACK_URL/failover/tracking/{}\"",
        flow.id
    );
    html! {
        section.card {
            @if texts { (as_json(flow)) } @else {
                p { a href=(format!("/console/flows/{}?texts=true", flow.id)) { "Show what the messages say, and the JSON" }
                    span.soft { " (the audit keeps who looked)" } }
            }
            details {
                summary { "As curl" }
                button.plain type="button" data-copy="#curl" { "Copy" }
                pre #curl tabindex="0" { (curl) }
            }
        }
    }
}

fn as_json(flow: &Flow) -> Markup {
    let tracking = TrackingView::of(flow, &flow.state);
    let json = serde_json::to_string_pretty(&tracking).unwrap_or_default();
    html! {
        details {
            summary { "As JSON" }
            button.plain type="button" data-copy="#json" { "Copy" }
            pre #json tabindex="0" { (json) }
        }
    }
}
