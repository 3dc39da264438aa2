//! What a flow's history tells of its course.

use flow::sample::step;
use flow::*;
use uuid::Uuid;

const START_MS: i64 = 1_700_000_000_000;
const TO: &str = "+306900000001";

/// A flow over Viber, then Sms, and what its history says after some events, each at a time.
fn course(events: &[(i64, Event)]) -> Vec<(i64, Occurrence)> {
    let steps = vec![step(1, sample::viber(TO, false)), step(2, sample::sms(TO, "hi"))];
    let mut flow = sample::flow(steps, Some(CallbackStrategy::OnChange), START_MS, Uuid::nil());
    for (after_ms, event) in events {
        let now_ms = START_MS + after_ms;
        flow.apply(event, now_ms);
        let once = flow.history.clone();
        flow.apply(event, now_ms + 1);
        assert_eq!(flow.history, once, "{event:?}");
    }
    let moments = flow.history.moments(flow.created_ms);
    moments.map(|(at_ms, occurrence)| (at_ms - START_MS, occurrence.clone())).collect()
}

fn receipt(message: u16, status: Status, detail: Detail) -> Event {
    let receipt = Receipt {
        description: Some("stat UNDELIV, err 011".into()),
        error: Some("011".into()),
        ..Receipt::new(status, detail)
    };
    Event::Receipt { message, part: 0, receipt }
}

fn callback_done(number: u32) -> Event {
    Event::CallbackDone { number, attempt: Attempt { status: Some(200), took_ms: 12 } }
}

/// What the history says of [`receipt`].
fn reported(message: u16, status: Status, detail: Option<Detail>) -> Occurrence {
    let (description, error) = (Some("stat UNDELIV, err 011".into()), Some("011".into()));
    Occurrence::Receipt { message, part: 0, status, detail, description, error, is_late: false }
}

#[test]
fn a_failover_tells_its_course() {
    let (viber, status) = ("viber".to_owned(), Status::Failed);
    let (message, part, covers) = (0, 0, Covers::Part);
    let attempt = Attempt { status: None, took_ms: 10_000 };
    let failed =
        Event::CallbackFailed { number: 1, at_ms: Some(START_MS + 900), error: "no".into(), attempt };
    let told = course(&[
        (5, Event::Handed { message, part, carrier: viber.clone(), covers }),
        (6, sample::submitted(0, 0, "viber", "v-1")),
        (7, failed),
        (900, receipt(0, status, Detail::NOT_VIBER_USER)),
        (901, sample::submitted(1, 0, "smsc", "s-1")),
        (950, callback_done(1)),
        (5000, receipt(1, Status::Delivered, Detail::DELIVERED)),
        (5010, callback_done(3)),
    ]);
    let called = |result, attempt, status: Option<u16>, took_ms| Occurrence::Callback {
        result,
        attempt,
        status,
        took_ms,
        error: status.is_none().then(|| "no".to_owned()),
    };
    let expected = [
        (0, Occurrence::Accepted),
        (0, Occurrence::StepStarted { message: 0, because: Because::First }),
        (5, Occurrence::HandedOver { message, part, carrier: viber, attempt: 1 }),
        (6, Occurrence::Taken { message, part }),
        (7, called(CallbackResult::Failed, 1, None, 10_000)),
        (900, reported(0, status, Some(Detail::NOT_VIBER_USER))),
        (900, Occurrence::StepStarted { message: 1, because: Because::Status(status) }),
        (901, Occurrence::Taken { message: 1, part }),
        (950, called(CallbackResult::Acknowledged, 2, Some(200), 12)),
        (5000, reported(1, Status::Delivered, None)),
        (5000, Occurrence::Ended),
        (5010, called(CallbackResult::Acknowledged, 1, Some(200), 12)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_a_carrier_does_not_take_is_told_with_why_and_until_when() {
    let (message, part, covers) = (0, 0, Covers::Part);
    let carrier = || "viber".to_owned();
    let deferred = |at_ms, unknown, reason| Event::Deferred {
        message,
        part,
        at_ms: START_MS + at_ms,
        unknown,
        carrier: carrier(),
        reason,
    };
    let unanswered =
        |covers| Event::Unanswered { message, part, carrier: carrier(), covers, reason: "connection lost" };
    let told = course(&[
        (1, deferred(100, false, "throttled")),
        (100, deferred(200, true, "connection lost")),
        (200, Event::Handed { message, part, carrier: carrier(), covers }),
        (210, unanswered(covers)),
        (600_000, Event::Expire { message }),
        (600_001, receipt(0, Status::Delivered, Detail::DELIVERED)),
        (600_002, Event::Suppressed { message: 1, part }),
    ]);
    let (throttled, lost) = ("throttled".to_owned(), "connection lost".to_owned());
    let starts = |message, because| Occurrence::StepStarted { message, because };
    let expected = [
        (0, Occurrence::Accepted),
        (0, starts(0, Because::First)),
        (1, Occurrence::Deferred { message, part, carrier: carrier(), reason: throttled, wait_ms: Some(99) }),
        (
            100,
            Occurrence::Unknown {
                message,
                part,
                carrier: carrier(),
                reason: lost.clone(),
                wait_ms: Some(100),
            },
        ),
        (200, Occurrence::HandedOver { message, part, carrier: carrier(), attempt: 3 }),
        (210, Occurrence::Unknown { message, part, carrier: carrier(), reason: lost, wait_ms: None }),
        (600_000, Occurrence::Expired { message }),
        (600_000, starts(1, Because::Ttl)),
    ];
    assert_eq!(told[..expected.len()], expected);
    let rest: Vec<&Occurrence> = told[expected.len()..].iter().map(|(_, occurrence)| occurrence).collect();
    let [
        Occurrence::Receipt { is_late: true, .. },
        Occurrence::Suppressed { message: 1, part: 0 },
        Occurrence::Ended,
    ] = rest[..]
    else {
        panic!("{rest:?}")
    };
}

#[test]
fn refusals_and_ends_by_us_are_told() {
    let (message, part) = (0, 0);
    let words = "w".repeat(100);
    let refused = Event::Refused {
        message,
        part,
        carrier: Some("viber".into()),
        detail: Detail::FAILED,
        description: Some(words.clone()),
    };
    let told = course(&[(1, refused), (2, Event::Unaffordable { message: 1 })]);
    let expected = Occurrence::Refused {
        message,
        part,
        carrier: Some("viber".into()),
        detail: Detail::FAILED,
        description: Some(words[..60].to_owned()),
    };
    assert_eq!(told[2], (1, expected));
    assert_eq!(told[3].1, Occurrence::StepStarted { message: 1, because: Because::Status(Status::Failed) });
    assert_eq!(told[4..], [(2, Occurrence::Unpayable { message: 1 }), (2, Occurrence::Ended)]);
    let told = course(&[(1, Event::Cancel { by: None })]);
    assert_eq!(told[2..], [(1, Occurrence::Cancelled), (1, Occurrence::Ended)]);
}

#[test]
fn a_late_refusal_is_told() {
    let carrier = || "viber".to_owned();
    let (message, part, covers, reason) = (0, 0, Covers::Part, "no answer");
    let unanswered = Event::Unanswered { message, part, carrier: carrier(), covers, reason };
    let late = |refusal| Event::RefusedLate { message, part, unknown: 0, carrier: carrier(), refusal };
    let refusal = LateRefusal::Temporary { at_ms: START_MS + 50, reason: "throttled" };
    let told = course(&[(1, unanswered), (30, late(refusal))]);
    let reason = "throttled".to_owned();
    let expected = Occurrence::Deferred { message, part, carrier: carrier(), reason, wait_ms: Some(20) };
    assert_eq!(told.last(), Some(&(30, expected)));
}
