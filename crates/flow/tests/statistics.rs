//! What flows contribute to statistics.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::sample::{self, step, submitted};
use flow::statistics::{Contribution, Summary};
use flow::{Detail, Event, Flow, FlowStatus, Price, Receipt, Status};
use uuid::Uuid;

const START_MS: i64 = 1_700_000_000_000;

fn summary(contribution: &Contribution) -> Summary {
    let mut summary = Summary::default();
    contribution.messages.iter().for_each(|(key, figures)| summary.add_messages(key, figures));
    contribution.flows.iter().for_each(|(key, figures)| summary.add_flows(key, figures));
    summary
}

/// A flow over Viber, then Sms, which Viber does not deliver and Sms does, after each of its events.
fn course() -> Vec<Flow> {
    let mut steps = vec![
        step(1, sample::viber("+306900000001", false)),
        step(2, sample::sms("+306900000001", &"long ".repeat(50))),
    ];
    steps.iter_mut().for_each(|step| step.country = Some("GR".into()));
    let mut flow = sample::flow(steps, None, START_MS, Uuid::nil());
    let mut course = vec![flow.clone()];
    let receipt = |operator: &str| Receipt {
        operator: Some(operator.into()),
        ..Receipt::new(Status::Delivered, Detail::DELIVERED)
    };
    for (event, after_ms) in [
        (submitted(0, 0, "main", "id-0"), 10),
        (Event::Expire { message: 0 }, 600_000),
        (submitted(1, 0, "second", "id-1"), 600_010),
        (submitted(1, 1, "second", "id-2"), 600_020),
        (Event::Receipt { message: 1, part: 0, receipt: receipt("Cosmote") }, 601_000),
        (Event::Receipt { message: 1, part: 1, receipt: receipt("Cosmote") }, 604_000),
    ] {
        flow.apply(&event, START_MS + after_ms);
        course.push(flow.clone());
    }
    course
}

#[test]
fn what_got_through_has_ended_though_it_may_still_be_seen() {
    let mut flow =
        sample::flow(vec![step(1, sample::viber("+306900000001", false))], None, START_MS, Uuid::nil());
    flow.apply(&submitted(0, 0, "main", "id-0"), START_MS + 10);
    let receipt = Receipt::new(Status::Delivered, Detail::DELIVERED);
    flow.apply(&Event::Receipt { message: 0, part: 0, receipt }, START_MS + 20);
    let mut contribution = Contribution::default();
    contribution.add(&flow);
    let found = summary(&contribution);
    assert_eq!((found.ended_messages, found.successful_messages), (1, 1));
}

#[test]
fn a_flow_counts_with_all_that_became_of_it() {
    let course = course();
    let last = course.last().unwrap();
    assert_eq!(last.state.status, FlowStatus::Succeeded);
    let mut contribution = Contribution::default();
    contribution.add(last);
    let found = summary(&contribution);
    assert_eq!(
        (found.flows, found.ended_flows, found.succeeded_flows, found.failed_over_flows),
        (1, 1, 1, 1)
    );
    assert_eq!((found.messages, found.ended_messages, found.successful_messages, found.parts), (2, 2, 1, 3));
    assert_eq!(found.price, last.total_price());
    assert_eq!(found.price, Price::new(10, 2));
    assert_eq!(found.time_ms, 604_000);
    // From the start of its step.
    assert!((1_000..=4_000).contains(&found.latency.sum_ms()), "{:?}", found.latency);
    let delivered = contribution.messages.keys().find(|key| key.status == Status::Delivered).unwrap();
    let known = [&delivered.carrier, &delivered.country, &delivered.network];
    assert_eq!(known.map(|value| value.as_deref()), [Some("second"), Some("GR"), Some("Cosmote")]);
}

#[test]
fn changes_add_up_to_the_flow_as_it_is() {
    let course = course();
    let mut sum = Contribution::default();
    sum.add(&course[0]);
    for two in course.windows(2) {
        sum.add(&two[1]);
        sum.subtract(&two[0]);
        let mut as_it_is = Contribution::default();
        as_it_is.add(&two[1]);
        sum.drop_zeros();
        assert_eq!(sum, as_it_is);
    }
    sum.subtract(&course[course.len() - 1]);
    sum.drop_zeros();
    assert_eq!(sum, Contribution::default());
}
