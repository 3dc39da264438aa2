//! The counters that an operator sees at `/metrics`; docs/operating.md lists them.

use crate::descriptions::describe;
use carriers::Outcome;
use flow::{Applied, Note};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;
use store::Matched;

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// The process's recorder; installed on first use.
pub fn recorder() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)
            .unwrap_or_default();
        // Fails only where somebody else installed one; then this handle shows nothing, and nothing breaks.
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let _ = metrics::set_global_recorder(recorder);
        describe();
        handle
    })
}

/// How often samples are put into their buckets.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Puts the samples of histograms into their buckets now and then: nobody may ask for the metrics, which
/// would do it.
pub async fn keep_up(every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        recorder().run_upkeep();
    }
}

/// Counts what an event did.
pub fn count_applied(applied: &Applied) {
    for note in &applied.notes {
        match note {
            Note::LateReceipt => metrics::counter!("switchback_late_receipts_total").increment(1),
            Note::StaleReceipt => metrics::counter!("switchback_stale_receipts_total").increment(1),
            Note::Failover => metrics::counter!("switchback_failovers_total").increment(1),
            Note::Ended(status) => {
                metrics::counter!("switchback_flows_ended_total", "status" => status.name()).increment(1);
            }
        }
    }
}

/// What an outcome is called, and why.
fn outcome_labels(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Accepted { .. } => ("accepted", ""),
        Outcome::Refused { .. } => ("refused", ""),
        Outcome::Later { reason, .. } => ("later", reason),
        Outcome::Unknown { reason } => ("unknown", reason),
    }
}

/// Counts what handing over a part came to.
pub fn count_outcome(carrier: &str, outcome: &Outcome, resend: bool) {
    let (outcome, reason) = outcome_labels(outcome);
    let carrier = carrier.to_owned();
    metrics::counter!("switchback_submits_total", "carrier" => carrier.clone(), "outcome" => outcome, "reason" => reason)
        .increment(1);
    if outcome == "unknown" {
        let then = if resend { "resend" } else { "wait" };
        metrics::counter!("switchback_unknown_submits_total", "carrier" => carrier, "then" => then)
            .increment(1);
    }
}

/// Counts a task that panicked: a mistake of ours, of which only its own message feels something.
pub fn count_panic(task: &'static str) {
    metrics::counter!("switchback_task_panics_total", "task" => task).increment(1);
    tracing::error!(task, "a task panicked; what it did counts as not known");
}

/// Counts a flow that can't be stored while others can.
pub fn count_unstorable() {
    metrics::counter!("switchback_unstorable_events_total").increment(1);
}

/// Counts what a receipt came to.
pub fn count_receipt(carrier: &str, matched: &Matched) {
    let result = match matched {
        Matched::Applied(applied) if applied.changed => "applied",
        Matched::Applied(_) => "stale",
        Matched::ByRecipient(_) => "by-recipient",
        Matched::Early => "early",
    };
    metrics::counter!("switchback_receipts_total", "carrier" => carrier.to_owned(), "result" => result)
        .increment(1);
}

/// Counts a receipt that means nothing to us.
pub fn count_unread_receipt(carrier: &str, reason: &'static str) {
    metrics::counter!("switchback_receipts_total", "carrier" => carrier.to_owned(), "result" => reason)
        .increment(1);
}

/// Counts an answer that came after its hand-over was given up.
pub fn count_late_answer(carrier: &str, outcome: &Outcome) {
    let (outcome, _) = outcome_labels(outcome);
    metrics::counter!("switchback_late_answers_total", "carrier" => carrier.to_owned(), "outcome" => outcome)
        .increment(1);
}

/// Counts what a handset sent.
pub fn count_handset_message() {
    metrics::counter!("switchback_inbound_total", "event" => "sms", "result" => "stored").increment(1);
}

/// Counts what was posted to a carrier's receipts and was refused.
pub fn count_refused_receipt(carrier: &str, reason: &'static str) {
    metrics::counter!("switchback_receipts_refused_total", "carrier" => carrier.to_owned(), "reason" => reason)
        .increment(1);
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Octets of memory that the process has.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
    }

    #[tokio::test]
    async fn memory_does_not_grow_with_the_number_of_requests() {
        const SAMPLES: usize = 2_000_000;
        recorder();
        tokio::spawn(keep_up(Duration::from_millis(1)));
        let mut first = None;
        for _ in 0..5 {
            for _ in 0..SAMPLES {
                metrics::histogram!("test_seconds").record(0.01);
            }
            // On this one thread, what is due goes before what is due later.
            tokio::time::sleep(Duration::from_millis(50)).await;
            first.get_or_insert_with(resident);
        }
        // Kept, four rounds of samples would take 64 MB.
        let grown = resident().saturating_sub(first.unwrap());
        assert!(grown < 4 * SAMPLES * size_of::<f64>() / 2, "{grown}");
    }
}
