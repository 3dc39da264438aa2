//! A flow in a line: to whom, and why it is as it is.

use crate::mask::{masked, site};
use crate::request::visitor::Visitor;
use flow::{Flow, FlowStatus};
use maud::{Markup, html};
use uuid::Uuid;
use wire::reasons::{Outcome, step_reasons};

/// A flow's line of a table.
pub(crate) fn row(visitor: &Visitor, id: Uuid, flow: Option<&Flow>) -> Markup {
    let href = format!("/console/flows/{id}");
    html! {
        tr data-href=(href) {
            @if let Some(flow) = flow {
                td.tight { a href=(href) { (visitor.zone.moment(flow.created_ms)) } }
                td.tight { (recipients(visitor, flow)) }
                td { (status(flow.state.status)) }
                td { (reason(visitor, flow)) }
                @if visitor.applications.len() > 1 {
                    td { (visitor.application(&flow.application).map_or("", |of| &*of.name)) }
                }
                td.number { (flow.total_price().normalize()) }
            } @else {
                td { a href=(href) { code { (id) } } }
                td colspan="5" { "It can't be read: it was set aside, or has just been erased." }
            }
        }
    }
}

/// To whom a flow goes.
pub(crate) fn recipients(visitor: &Visitor, flow: &Flow) -> Markup {
    let mut all: Vec<&str> = flow.steps.iter().map(|step| step.to()).collect();
    all.dedup();
    html! {
        @for (at, to) in all.iter().enumerate() {
            @if at > 0 { ", " }
            (number(visitor, to))
        }
    }
}

/// A recipient as the visitor may see it.
pub(crate) fn number(visitor: &Visitor, to: &str) -> String {
    if visitor.sees_all() { to.to_owned() } else { masked(to) }
}

/// A text of a flow as the visitor may see it.
pub(crate) fn text(visitor: &Visitor, text: &str) -> String {
    if visitor.sees_all() { text.to_owned() } else { masked(text) }
}

/// A URL of a flow as the visitor may see it.
pub(crate) fn url(visitor: &Visitor, url: &str) -> String {
    if visitor.sees_all() { url.to_owned() } else { site(url) }
}

/// A flow's status, in its colour.
pub(crate) fn status(status: FlowStatus) -> Markup {
    let (class, words) = match status {
        FlowStatus::Queued => ("badge", "waiting"),
        FlowStatus::InProgress => ("badge open", "under way"),
        FlowStatus::Succeeded => ("badge good", "succeeded"),
        FlowStatus::Failed => ("badge bad", "failed"),
    };
    html! { span class=(class) { (words) } }
}

/// Why a flow is as it is: what became of each step.
pub(crate) fn reason(visitor: &Visitor, flow: &Flow) -> Markup {
    let steps = step_reasons(flow);
    html! {
        @for (at, step) in steps.iter().enumerate() {
            @if at > 0 { " → " }
            span.(colour(step.outcome)) { (step.channel) ": " (text(visitor, &step.words)) }
        }
        @if flow.state.cancelled { " (cancelled)" }
        @if steps.is_empty() { span.soft { "waits for its first step" } }
    }
}

/// The colour of an outcome.
pub(crate) fn colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open-text",
        Outcome::Success => "good-text",
        Outcome::Failure => "bad-text",
    }
}
