//! Ids of messages and parts lead to their flow.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::*;
use std::collections::HashSet;
use uuid::Uuid;

const START_MS: i64 = 1_700_000_000_000;

/// A flow of as many Sms as a flow may have steps, each of 255 parts; all were started.
fn largest() -> Flow {
    let id = flow_of(Uuid::from_u128(u128::MAX));
    let body = "a".repeat(255 * 153);
    let steps = (1..=255).map(|order| sample::step(order, sample::sms("+306900000001", &body))).collect();
    let mut flow = sample::flow(steps, None, START_MS, id);
    for message in 0..254 {
        flow.apply(&Event::Expire { message }, flow.state.messages[usize::from(message)].expires_ms);
    }
    flow
}

#[test]
fn every_message_and_part_has_an_id_of_its_own_that_leads_to_the_flow() {
    let flow = largest();
    let mut ids = HashSet::from([flow.id]);
    for (at, message) in flow.state.messages.iter().enumerate() {
        assert!(ids.insert(flow.message_id(at)));
        assert!((0..message.parts.len()).all(|part| ids.insert(flow.part_id(at, part))));
    }
    assert_eq!(ids.len(), 256 * 256 - 255);
    assert!(ids.iter().all(|id| flow_of(*id) == flow.id));
}

#[test]
fn a_flow_has_the_ids_of_what_was_started_alone() {
    let steps = vec![
        sample::step(1, sample::viber("+306900000001", false)),
        sample::step(2, sample::sms("+306900000001", &"a".repeat(200))),
    ];
    let mut flow = sample::flow(steps, None, START_MS, flow_of(Uuid::from_u128(u128::MAX)));
    let (viber, sms, second) = (flow.part_id(0, 0), flow.message_id(1), flow.part_id(1, 1));
    assert!(flow.has_id(flow.id) && flow.has_id(flow.message_id(0)) && flow.has_id(viber));
    assert!(!flow.has_id(sms) && !flow.has_id(second) && !flow.has_id(flow.part_id(0, 1)));
    flow.apply(&Event::Expire { message: 0 }, START_MS + 600_000);
    assert!(flow.has_id(sms) && flow.has_id(second) && !flow.has_id(flow.part_id(1, 2)));
    assert!(!flow.has_id(Uuid::nil()));
}
