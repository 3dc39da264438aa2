//! `GET /console/carriers`.

use crate::error::PageError;
use crate::form::act;
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::State;
use engine::OwedWork;
use engine::clock::now_ms;
use engine::service::CarrierFigures;
use maud::{Markup, html};
use std::sync::Arc;
use store::{Halt, Lane, Role};
use wire::time::span;

/// Shows how each carrier is, and what waits.
pub(crate) async fn get(State(console): State<Arc<Console>>, visitor: Visitor) -> Result<Markup, PageError> {
    let carriers = console.service.carrier_figures();
    let owed = console.service.owed_work();
    let body = html! {
        h1 { "Carriers" }
        div #carriers hx-get="/console/carriers" hx-trigger="refresh" hx-select="#carriers" hx-swap="outerHTML" {
            div.cards { @for carrier in &carriers { (card(&visitor, carrier)) } }
            (waiting(&visitor, &owed))
        }
        @if visitor.is(Role::Support) {
            p { a href="/console/try" { "Send a test message or call" } ", and watch its course." }
        }
    };
    Ok(page(&console, &visitor, Section::Carriers, "Carriers", body))
}

fn card(visitor: &Visitor, of: &CarrierFigures) -> Markup {
    let channels: Vec<&str> = of.channels.iter().map(|channel| channel.name()).collect();
    let success = of.success.map(|share| format!("{:.1} %", share * 100.0));
    html! {
        section.card {
            div.row.middle { h2 { (of.name) } (state(of)) }
            dl {
                dt { "Kind" } dd { (of.kind) ", " (channels.join(", ")) }
                dt { @if of.standing.is_up { "Up since" } @else { "Down since" } }
                dd { (visitor.zone.moment(of.standing.since_ms)) }
                @if let Some(halt) = &of.halt {
                    dt { (capitalised(halt.halt)) } dd { "since " (visitor.zone.moment(halt.since_ms)) ", by " (halt.by) }
                }
                dt { "Went well lately" }
                dd { @match success { Some(share) => (share), None => "too few messages to tell" } }
                dt { "Under way" } dd { (of.under_way) " of " (of.window) }
                @if let Some(rate) = of.rate { dt { "Rate" } dd { (rate) " a second" } }
                dt { "Waiting" }
                dd {
                    (of.waiting)
                    @if let Some(oldest_ms) = of.oldest_ms { ", the oldest for " (age(oldest_ms)) }
                }
                @for (name, value) in &of.figures { dt { (name.replace('_', " ")) } dd { (value) } }
            }
            @if visitor.is(Role::Operator) && visitor.is_of_all() { (acts(of)) }
        }
    }
}

fn state(of: &CarrierFigures) -> Markup {
    let (class, words) = match (&of.halt, of.standing.is_up) {
        (Some(_), _) => ("badge open", of.state()),
        (None, true) => ("badge good", "up"),
        (None, false) => ("badge bad", "down"),
    };
    html! { span class=(class) { (words) } }
}

const fn capitalised(halt: Halt) -> &'static str {
    match halt {
        Halt::Paused => "Paused",
        Halt::Draining => "Draining",
    }
}

fn acts(of: &CarrierFigures) -> Markup {
    let act = |does: &str, words: &str| {
        act(&format!("/console/carriers/{does}"), ("carrier", &of.name), words, &of.name)
    };
    html! {
        div.row {
            @if of.halt.is_some() { (act("resume", "Resume")) } @else {
                (act("pause", "Pause"))
                (act("drain", "Drain"))
            }
        }
    }
}

/// What waits of the applications that the visitor sees, by lane and carrier.
fn waiting(visitor: &Visitor, owed: &[OwedWork]) -> Markup {
    let seen: Vec<&OwedWork> =
        owed.iter().filter(|owed| visitor.application(&owed.application).is_some()).collect();
    html! {
        h2 { "What waits" }
        @if seen.is_empty() { div.card { p { "Nothing waits." } } } @else {
            div.wide tabindex="0" role="region" aria-label="What waits" {
                table {
                    thead {
                        tr {
                            th { "What" } th { "Application" } th { "For carrier" } th { "Because" } th.number { "How many" }
                            th { "The oldest for" }
                        }
                    }
                    tbody {
                        @for of in seen {
                            tr {
                                td { (lane(of.lane)) }
                                td { (visitor.application(&of.application).map_or("", |of| &*of.name)) }
                                td { (of.carrier.as_deref().unwrap_or("any")) }
                                td { (of.because.name()) }
                                td.number { (of.count) }
                                td { (age(of.oldest_ms)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lane(lane: Lane) -> String {
    match lane {
        Lane::Submit(channel) => format!("{channel} to be sent"),
        Lane::Expire => "times to live that end".to_owned(),
        Lane::Callback => "callbacks".to_owned(),
    }
}

/// How long ago something was, or that it is planned.
fn age(since_ms: i64) -> String {
    match now_ms() - since_ms {
        ..0 => "planned for later".to_owned(),
        age_ms => span(age_ms),
    }
}
