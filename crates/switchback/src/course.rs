//! The course of a flow for people: what happened, when, and the time between.

use crate::table::{Table, table};
use wire::events::EventsView;
use wire::sentences::sentence;
use wire::time::{parse_iso, span};
use wire::tracking::TrackingView;
use wire::waits::WaitsView;

/// What became of a flow, in a line.
pub fn summary(tracking: &TrackingView) -> String {
    let code = tracking.status_code.map(|code| format!(" (code {code})")).unwrap_or_default();
    let by = tracking.termination_channel.as_ref().map(|channel| format!(" by {channel}"));
    format!(
        "{}: {}{}{code}, price {:?}",
        tracking.tracking_id,
        tracking.status,
        by.unwrap_or_default(),
        tracking.total_price
    )
}

/// What a flow waits for, in a line.
pub fn waits(waits: &WaitsView) -> String {
    let carrier = waits.carrier.as_ref().map(|carrier| format!(" {carrier}")).unwrap_or_default();
    let time = |words: &str, time: &Option<String>| {
        time.as_ref().map(|time| format!(", {words} {time}")).unwrap_or_default()
    };
    let next = time("next try", &waits.next_try);
    match &*waits.what {
        "carrier" => {
            let why = waits.because.as_deref().unwrap_or("busy");
            format!("waits for carrier{carrier}: {why}{}{next}", time("since", &waits.since))
        }
        "receipt" => format!("waits for a receipt of{carrier}{}", time("until", &waits.until)),
        "callback" => {
            let attempts = waits.attempts.unwrap_or(0);
            format!("waits for a callback to be acknowledged, {attempts} attempts so far{next}")
        }
        other => format!("waits for {other}"),
    }
}

/// What happened to a flow, a line each.
pub fn course(events: &EventsView) -> Table {
    let mut table = table(["at", "after", "what happened"]);
    let mut before_ms = None;
    for event in &events.events {
        let at_ms = parse_iso(&event.at);
        let after = at_ms.zip(before_ms).map(|(at_ms, before_ms)| span(at_ms - before_ms));
        table.add_row([event.at.clone(), after.unwrap_or_default(), sentence(event)]);
        before_ms = at_ms;
    }
    table.align_right(1);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::events::EventView;

    fn failover() -> EventsView {
        let event = |at: &str, event: &str| EventView {
            at: format!("2026-03-01T{at}Z"),
            event: event.to_owned().into(),
            ..EventView::default()
        };
        let of = |order, channel: &str, told: EventView| {
            let channel = Some(channel.to_owned().into());
            EventView { order: Some(order), channel, ..told }
        };
        let some = |text: &str| Some(text.to_owned());
        let started = |because: &str, status, told| EventView {
            because: some(because).map(Into::into),
            status,
            ..told
        };
        let taken =
            EventView { carrier: some("viber"), reference: some("v-1"), ..event("09:15:00.012", "taken") };
        let refused = EventView {
            status: some("FAILED"),
            detailed_status: some("Not Viber User"),
            description: some("The number has no Viber account."),
            ..event("09:15:02.500", "receipt")
        };
        let deferred = EventView {
            part: Some(2),
            carrier: some("smsc"),
            description: some("throttled"),
            until: some("2026-03-01T09:15:03.000Z"),
            ..event("09:15:02.501", "deferred")
        };
        let late = EventView {
            part: Some(2),
            status: some("Undelivered"),
            detailed_status: some("Undelivered"),
            description: some("stat UNDELIV, err 011"),
            network_error: some("011"),
            late: true,
            ..event("10:20:02.501", "receipt")
        };
        let called = EventView {
            result: some("failed").map(Into::into),
            attempt: Some(2),
            http_status: Some(503),
            took_ms: Some(12),
            ..event("10:21:03.501", "callback")
        };
        let events = vec![
            event("09:15:00.000", "accepted"),
            of(1, "Viber", started("first", None, event("09:15:00.000", "step_started"))),
            of(1, "Viber", taken),
            of(1, "Viber", refused),
            of(2, "Sms", started("status", some("FAILED"), event("09:15:02.500", "step_started"))),
            of(2, "Sms", deferred),
            of(2, "Sms", late),
            EventView { status: some("Failed"), ..event("10:20:02.501", "ended") },
            called,
        ];
        EventsView { tracking_id: uuid::Uuid::nil(), events, left_out: 0 }
    }

    #[test]
    fn a_failover_reads_as_sentences() {
        let events = failover();
        let said: Vec<String> = events.events.iter().map(sentence).collect();
        let expected = [
            "accepted",
            "step 1 (Viber): started",
            "step 1 (Viber): viber took it as v-1",
            "step 1 (Viber): FAILED: Not Viber User (The number has no Viber account.)",
            "step 2 (Sms): started, since the one before was FAILED",
            "step 2 (Sms), part 2: smsc did not take it (throttled); again at 2026-03-01T09:15:03.000Z",
            "step 2 (Sms), part 2: Undelivered: Undelivered (stat UNDELIV, err 011), network error 011, \
             after the step had been left",
            "ended: Failed",
            "callback failed: 503 in 12 ms, attempt 2",
        ];
        assert_eq!(said, expected);
        let shown = course(&events).to_string();
        for after in [" 0 ms ", " 2.5 s ", " 1 h 5 min ", " 1 min 1 s "] {
            assert!(shown.contains(after), "{after} in {shown}");
        }
    }
}
