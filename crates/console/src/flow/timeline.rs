//! What happened to a flow, in words, with the time between.

use crate::flows::row::text;
use crate::request::visitor::Visitor;
use flow::Flow;
use maud::{Markup, html};
use wire::events::EventsView;
use wire::sentences::sentence;
use wire::time::{parse_iso, span};

/// What happened to a flow, a line each.
pub(crate) fn timeline(visitor: &Visitor, flow: &Flow) -> Markup {
    let EventsView { events, left_out, .. } = EventsView::of(flow);
    if events.is_empty() {
        return html! { p.soft { "Nothing is known of its course: an older version accepted it." } };
    }
    let mut before_ms = None;
    let mut lines = Vec::new();
    for event in &events {
        let at_ms = parse_iso(&event.at);
        let after = at_ms.zip(before_ms).map(|(at_ms, before_ms)| span(at_ms - before_ms));
        lines.push((at_ms, after.unwrap_or_default(), text(visitor, &sentence(event))));
        before_ms = at_ms;
    }
    html! {
        ol.timeline {
            @for (at_ms, after, words) in lines {
                li {
                    span { @if let Some(at_ms) = at_ms { (visitor.zone.exact(at_ms)) } }
                    span.after { @if !after.is_empty() { "+ " (after) } }
                    span { (words) }
                }
            }
        }
        @if left_out > 0 { p.soft { (left_out) " events between the first and the last ones are not kept." } }
    }
}
