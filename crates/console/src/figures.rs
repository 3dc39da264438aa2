//! `GET /console/figures`: volume, success, cost and latency, from the statistics.

use crate::chart::{Bar, bars};
use crate::error::PageError;
use crate::form::{choice, which_application};
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::{Query, State};
use engine::clock::now_ms;
use engine::service::Figures;
use flow::statistics::{Dimension, Quarter, Summary};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Application;
use wire::read_statistics::{Interval, StatisticsRequest};
use wire::statistics::FiguresView;
use wire::time::span;

const HOUR_MS: i64 = 3_600_000;
/// The times that can be chosen: a name, hours, and what its bars stand for.
const TIMES: [(&str, i64, Interval); 4] = [
    ("24 hours", 24, Interval::Hour),
    ("7 days", 7 * 24, Interval::Day),
    ("30 days", 30 * 24, Interval::Day),
    ("365 days", 365 * 24, Interval::Month),
];

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    application: String,
    /// Hours until now.
    hours: i64,
    by: String,
}

/// Sums of a time: all of it, by period, and by group.
#[derive(Default)]
struct Sums {
    totals: Summary,
    periods: BTreeMap<i64, Summary>,
    groups: BTreeMap<String, Summary>,
}

/// Shows the figures of a time until now, beside those of the time before it.
pub(crate) async fn get(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Markup, PageError> {
    let (name, hours, interval) = TIMES.into_iter().find(|of| of.1 == asked.hours).unwrap_or(TIMES[1]);
    let by = Dimension::parse(&asked.by).unwrap_or(Dimension::Channel);
    let end = Quarter::of(now_ms()).next();
    let start_ms = end.start_ms() - hours * HOUR_MS;
    let start = Quarter::of(start_ms);
    let before = Quarter::of(start_ms - hours * HOUR_MS);
    let now = sum(&console, &visitor, &asked, (start, end), interval, by).await?;
    let then = sum_before(&console, &visitor, &asked, (before, start)).await?;
    let body = html! {
        h1 { "Figures" }
        (form(&visitor, &asked, hours, by))
        @if now.totals.flows == 0 && then.flows == 0 {
            div.card { p { "Nothing was sent in this time, nor in the one before. Choose a longer one." } }
        } @else {
            (totals(name, &now.totals, &then))
            section.card aria-labelledby="volume" {
                h2 #volume { "Flows by " (interval_name(interval)) }
                (bars(&bars_of(&visitor, &now, interval)))
            }
            (groups(by, &now))
        }
    };
    Ok(page(&console, &visitor, Section::Figures, "Figures", body))
}

/// The applications whose flows are summed.
fn chosen<'a>(visitor: &'a Visitor, asked: &Asked) -> impl Iterator<Item = &'a Application> {
    visitor.applications.iter().filter(|of| asked.application.is_empty() || asked.application == of.id)
}

/// The sums of the chosen applications.
async fn sum(
    console: &Console,
    visitor: &Visitor,
    asked: &Asked,
    range: (Quarter, Quarter),
    interval: Interval,
    by: Dimension,
) -> Result<Sums, PageError> {
    let mut sums = Sums::default();
    for application in chosen(visitor, asked) {
        let of_all = request(visitor, range, interval, Vec::new());
        let Figures { totals, starts_ms, rows } = console.service.statistics(application, of_all).await?;
        sums.totals.add(&totals, 1);
        for row in rows {
            let start_ms = starts_ms.get(row.period).copied().unwrap_or_default();
            sums.periods.entry(start_ms).or_default().add(&row.summary, 1);
        }
        // By months, since no periods of them are shown.
        let grouped = request(visitor, range, Interval::Month, vec![by]);
        for mut row in console.service.statistics(application, grouped).await?.rows {
            let name = row.group.pop().flatten().unwrap_or_else(|| "not known".to_owned());
            sums.groups.entry(name).or_default().add(&row.summary, 1);
        }
    }
    Ok(sums)
}

/// The totals alone of the chosen applications.
async fn sum_before(
    console: &Console,
    visitor: &Visitor,
    asked: &Asked,
    range: (Quarter, Quarter),
) -> Result<Summary, PageError> {
    let mut sum = Summary::default();
    for application in chosen(visitor, asked) {
        let request = request(visitor, range, Interval::Month, Vec::new());
        sum.add(&console.service.statistics(application, request).await?.totals, 1);
    }
    Ok(sum)
}

fn request(
    visitor: &Visitor,
    (from, until): (Quarter, Quarter),
    interval: Interval,
    group_by: Vec<Dimension>,
) -> StatisticsRequest {
    let zone = visitor.zone.rules().clone();
    StatisticsRequest { from: Some(from), until: Some(until), interval, zone, group_by }
}

fn form(visitor: &Visitor, asked: &Asked, hours: i64, by: Dimension) -> Markup {
    let times = TIMES.map(|(name, hours, _)| (hours.to_string(), name));
    let times = times.iter().map(|(hours, name)| (&**hours, *name));
    html! {
        form.card.row method="get" {
            (which_application(visitor, &asked.application))
            (choice("hours", "The last", &hours.to_string(), None, times))
            (choice("by", "By", by.name(), None, Dimension::ALL.map(|of| (of.name(), of.name()))))
            button.main { "Show" }
        }
    }
}

fn totals(name: &str, now: &Summary, then: &Summary) -> Markup {
    let (now_view, then_view) = (FiguresView::of_flows(now), FiguresView::of_flows(then));
    let rows = [
        ("Flows", now.flows.to_string(), then.flows.to_string()),
        ("Succeeded", share(now_view.success_share), share(then_view.success_share)),
        ("Went on to a second step", share(now_view.failover_share), share(then_view.failover_share)),
        ("Messages", now.messages.to_string(), then.messages.to_string()),
        ("Price", now.price.normalize().to_string(), then.price.normalize().to_string()),
        ("Half got through within", time(now_view.latency_p50), time(then_view.latency_p50)),
        ("95 of 100 got through within", time(now_view.latency_p95), time(then_view.latency_p95)),
    ];
    html! {
        div.wide tabindex="0" role="region" aria-label="Totals" {
            table {
                thead { tr { td {} th.number { "The last " (name) } th.number { "The " (name) " before" } } }
                tbody {
                    @for (what, now, then) in rows { tr { th scope="row" { (what) } td.number { (now) } td.number { (then) } } }
                }
            }
        }
    }
}

fn groups(by: Dimension, sums: &Sums) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(format!("Messages by {}", by.name())) {
            table {
                thead {
                    tr {
                        th { (by.name()) } th.number { "Messages" } th.number { "Got through" } th.number { "Price" }
                        th.number { "p50" } th.number { "p95" }
                    }
                }
                tbody {
                    @for (name, summary) in &sums.groups {
                        @let view = FiguresView::of_messages(summary);
                        tr {
                            td { (name) }
                            td.number { (summary.messages) }
                            td.number { (share(view.success_share)) }
                            td.number { (summary.price.normalize()) }
                            td.number { (time(view.latency_p50)) }
                            td.number { (time(view.latency_p95)) }
                        }
                    }
                }
            }
        }
    }
}

fn bars_of(visitor: &Visitor, sums: &Sums, interval: Interval) -> Vec<Bar> {
    let bar = |(start_ms, summary): (&i64, &Summary)| Bar {
        name: visitor.zone.short(*start_ms, interval == Interval::Hour),
        all: summary.flows,
        good: summary.succeeded_flows,
    };
    sums.periods.iter().map(bar).collect()
}

fn interval_name(interval: Interval) -> &'static str {
    match interval {
        Interval::Hour => "hour",
        Interval::Day => "day",
        Interval::Month => "month",
    }
}

fn share(share: Option<f64>) -> String {
    share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_else(|| "–".to_owned())
}

fn time(ms: Option<u64>) -> String {
    ms.map(|ms| span(i64::try_from(ms).unwrap_or(i64::MAX))).unwrap_or_else(|| "–".to_owned())
}
