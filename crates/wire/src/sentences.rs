//! What happened to a flow, as sentences for people.

use crate::events::EventView;
use std::fmt::Write;

/// What happened, in words.
pub fn sentence(event: &EventView) -> String {
    let carrier = event.carrier.as_deref().unwrap_or("no carrier");
    let until = |words: &str| event.until.as_ref().map(|until| format!("{words} {until}"));
    let why = event.description.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let said = match &*event.event {
        "step_started" => format!("started{}", cause(event)),
        "handed_over" => format!("handed to {carrier}, attempt {}", event.attempt.unwrap_or(1)),
        "taken" => format!("{carrier} took it as {}", event.reference.as_deref().unwrap_or("?")),
        "deferred" => {
            let again = until("; again at").unwrap_or_else(|| "; its step had been left".to_owned());
            format!("{carrier} did not take it{why}{again}")
        }
        "refused" if event.carrier.is_none() => format!("no carrier can take it: {}", reason(event)),
        "refused" => format!("{carrier} refused it: {}", reason(event)),
        "unknown" => {
            let then = until("; sent again at").unwrap_or_else(|| "; waits for a receipt".to_owned());
            format!("{carrier} did not answer{why} and may have it{then}")
        }
        "receipt" => receipt(event),
        "expired" => "its time to live was over".to_owned(),
        "suppressed" => "not sent: the recipient opted out".to_owned(),
        "unpayable" => "not sent: the balance can't pay it".to_owned(),
        "cancelled" => match event.by.as_deref() {
            Some("application") | None => "cancelled by the application".to_owned(),
            Some(operator) => format!("cancelled by {operator}"),
        },
        "ended" => format!("ended: {}", event.status.as_deref().unwrap_or_default()),
        "callback" => callback(event),
        other => other.to_owned(),
    };
    match (event.order, &event.channel, event.part) {
        (Some(order), Some(channel), Some(part)) => format!("step {order} ({channel}), part {part}: {said}"),
        (Some(order), Some(channel), None) => format!("step {order} ({channel}): {said}"),
        _ => said,
    }
}

/// Why a step was started.
fn cause(event: &EventView) -> String {
    match (event.because.as_deref(), &event.status) {
        (Some("ttl"), _) => ", since the time to live of the one before was over".to_owned(),
        (Some("status"), Some(status)) => format!(", since the one before was {status}"),
        _ => String::new(),
    }
}

/// Why something was refused.
fn reason(event: &EventView) -> String {
    let detail = event.detailed_status.as_deref().unwrap_or_default();
    let words = event.description.as_ref().map(|words| format!(" ({words})"));
    format!("{detail}{}", words.unwrap_or_default())
}

fn receipt(event: &EventView) -> String {
    let mut said = format!("{}: {}", event.status.as_deref().unwrap_or_default(), reason(event));
    if let Some(error) = &event.network_error {
        // Writing to a text does not fail.
        let _ = write!(said, ", network error {error}");
    }
    if event.late {
        said.push_str(", after the step had been left");
    }
    said
}

fn callback(event: &EventView) -> String {
    let result = match event.result.as_deref() {
        Some("given_up") => "given up",
        Some("gone") => "ended by its target",
        Some(result) => result,
        None => "tried",
    };
    let status = event.http_status.map(|status| status.to_string());
    let answer = status.or_else(|| event.description.clone()).unwrap_or_default();
    let (took_ms, attempt) = (event.took_ms.unwrap_or(0), event.attempt.unwrap_or(1));
    format!("callback {result}: {answer} in {took_ms} ms, attempt {attempt}")
}
