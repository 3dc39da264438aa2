//! The steps of a flow side by side.

use crate::flows::row::{colour, number, text};
use crate::request::visitor::Visitor;
use flow::{Flow, Message, Step};
use maud::{Markup, html};
use serde_json::Value;
use wire::reasons::{StepReason, step_reasons};

/// Octets of a field that are shown; the JSON has all of it.
const FIELD_MAX: usize = 600;

/// The steps of a flow, also those that were not started; with what they say if `texts` are shown.
pub(crate) fn steps(visitor: &Visitor, flow: &Flow, texts: bool) -> Markup {
    let reasons = step_reasons(flow);
    html! {
        div.cards {
            @for (at, step) in flow.steps.iter().enumerate() {
                (card(visitor, step, flow.state.messages.get(at), reasons.get(at), texts))
            }
        }
    }
}

fn card(
    visitor: &Visitor,
    step: &Step,
    message: Option<&Message>,
    reason: Option<&StepReason>,
    texts: bool,
) -> Markup {
    let common = step.content.common();
    html! {
        section.card {
            h2 { "Step " (step.order) ": " (step.channel()) }
            @match reason {
                Some(reason) => p { strong.(colour(reason.outcome)) { (text(visitor, &reason.words)) } },
                None => p.soft { "not started" },
            }
            dl {
                dt { "To" } dd { (number(visitor, step.to())) @if let Some(country) = &step.country { " " (country) } }
                dt { "From" } dd { (text(visitor, common.shown_sender())) }
                @if let Some(label) = common.label() { dt { "Label" } dd { (text(visitor, label)) } }
                @if let Some(message) = message { (started(visitor, message)) }
                dt { "Goes on after" } dd { (failover(step)) }
                @if texts {
                    @for (name, value) in common.fields() {
                        @if !is_empty(&value) { dt { (name) } dd { (shown(&value)) } }
                    }
                }
            }
        }
    }
}

/// What is known of a step that was started.
fn started(visitor: &Visitor, message: &Message) -> Markup {
    let carriers: Vec<_> = message.parts.iter().filter_map(|part| part.carrier.as_ref()).collect();
    html! {
        dt { "Started" } dd { (visitor.zone.exact(message.created_ms)) }
        dt { "Time to live" } dd { "until " (visitor.zone.exact(message.expires_ms)) }
        @if message.parts.len() > 1 { dt { "Parts" } dd { (message.parts.len()) } }
        @if let Some(first) = carriers.first() {
            dt { "Carrier" } dd { (first.carrier) }
            dt { "Its reference" }
            dd {
                @for (at, carrier) in carriers.iter().enumerate() {
                    @if at > 0 { ", " }
                    code { (text(visitor, &carrier.reference)) }
                }
            }
        }
        @for part in message.parts.iter().take(1) {
            @if let Some(network) = &part.operator { dt { "Network" } dd { (network) } }
            @if let Some(words) = &part.status.description { dt { "Carrier's words" } dd { (text(visitor, words)) } }
        }
    }
}

fn failover(step: &Step) -> String {
    let names: Vec<&str> = step.failover_on.iter().map(|status| status.name()).collect();
    let minutes = f64::from(step.ttl.tenths) / 10.0;
    match &*names {
        [] => format!("nothing (time to live {minutes} min)"),
        names => format!("{} (time to live {minutes} min)", names.join(", ")),
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// A field of a message.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(FIELD_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
