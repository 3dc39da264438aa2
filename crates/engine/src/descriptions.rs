//! What each metric is: the types and help texts of `/metrics`. docs/operating.md has the same list, with the
//! labels.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// The type of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Every metric: its name, its type and its help text.
const METRICS: [(&str, Kind, &str); 29] = [
    (
        "switchback_flows_accepted_total",
        Kind::Counter,
        "Flows that were answered 200, without replays of an Idempotency-Key.",
    ),
    ("switchback_flows_ended_total", Kind::Counter, "Flows that ended."),
    ("switchback_flows_pruned_total", Kind::Counter, "Flows that were deleted because of their age."),
    (
        "switchback_flows_quarantined_total",
        Kind::Counter,
        "Flows that were set aside because they can't be read, changed or stored.",
    ),
    ("switchback_failovers_total", Kind::Counter, "Steps that were left for the next one."),
    ("switchback_submits_total", Kind::Counter, "Parts that were handed to a carrier, by outcome."),
    (
        "switchback_unknown_submits_total",
        Kind::Counter,
        "Submits of unknown outcome: possible duplicates (resend) or losses to the step (wait).",
    ),
    (
        "switchback_resumed_parts_total",
        Kind::Counter,
        "Parts that a start found still to be handed over: the most that a killed process can have duplicated.",
    ),
    ("switchback_late_answers_total", Kind::Counter, "Answers to submits that had been given up as unknown."),
    ("switchback_receipts_total", Kind::Counter, "Delivery receipts, by what became of them."),
    ("switchback_receipts_refused_total", Kind::Counter, "Posted receipts that were refused."),
    ("switchback_late_receipts_total", Kind::Counter, "Receipts for a step that had been left."),
    ("switchback_stale_receipts_total", Kind::Counter, "Receipts that changed nothing."),
    (
        "switchback_inbound_total",
        Kind::Counter,
        "Messages from handsets, and what recipients wrote over Viber.",
    ),
    ("switchback_smpp_odd_total", Kind::Counter, "PDUs of an SMSC that were not as they should be."),
    ("switchback_callbacks_total", Kind::Counter, "Attempts to make a callback."),
    ("switchback_logins_refused_total", Kind::Counter, "Wrong ids or secrets at /oauth/token."),
    ("switchback_carrier_up", Kind::Gauge, "1 while the carrier is up."),
    ("switchback_carrier_halted", Kind::Gauge, "1 while an operator has the carrier paused or drained."),
    (
        "switchback_carrier_under_way",
        Kind::Gauge,
        "Messages that the carrier has not answered, or that are about to be handed to it.",
    ),
    (
        "switchback_carrier_success",
        Kind::Gauge,
        "Share of the carrier's messages of the last minute or two that went well.",
    ),
    ("switchback_carrier_figure", Kind::Gauge, "Figures of a carrier of one kind."),
    (
        "switchback_waiting",
        Kind::Gauge,
        "Messages to be handed to a carrier and callbacks to be made that wait, by why.",
    ),
    (
        "switchback_waiting_oldest_seconds",
        Kind::Gauge,
        "Age of the oldest of them, exact to ten seconds; 0 for what is planned for later.",
    ),
    (
        "switchback_index_rebuilds_total",
        Kind::Counter,
        "Starts that rebuilt the search index because it was damaged.",
    ),
    (
        "switchback_task_panics_total",
        Kind::Counter,
        "Panics in a task: a submit then counts as unknown, a callback as failed.",
    ),
    (
        "switchback_unstorable_events_total",
        Kind::Counter,
        "Events that could not be stored while those of other flows could; they are tried again.",
    ),
    ("switchback_http_request_seconds", Kind::Histogram, "Duration of requests in seconds."),
    (
        "switchback_connections_closed_total",
        Kind::Counter,
        "Connections of clients that the server closed early.",
    ),
];

/// Gives each metric its help text.
pub fn describe() {
    for (name, kind, help) in METRICS {
        match kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_operators_has_the_same_types_and_texts() {
        let page = include_str!("../../../docs/operating.md");
        let rows = page.lines().filter(|line| line.starts_with("| `switchback_"));
        let documented: Vec<[&str; 3]> = rows
            .map(|row| {
                let mut cells = row.split('|').skip(1).map(str::trim);
                std::array::from_fn(|_| cells.next().unwrap_or_default().trim_matches('`'))
            })
            .collect();
        let described: Vec<[String; 3]> = METRICS
            .iter()
            .map(|(name, kind, help)| {
                [(*name).to_owned(), format!("{kind:?}").to_lowercase(), (*help).to_owned()]
            })
            .collect();
        assert_eq!(documented, described);
    }
}
