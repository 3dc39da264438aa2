//! The state machine under random courses of events.

use flow::sample::step;
use flow::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

const START_MS: i64 = 1_700_000_000_000;
const ID: Uuid = Uuid::from_u128(0x018b_cfe5_6800_7000_8000_0000_0000_0000);

const TO: &str = "+306900000001";

fn sms(body: &str) -> Content {
    sample::sms(TO, body)
}

fn viber(expire_on_delivery: bool) -> Content {
    sample::viber(TO, expire_on_delivery)
}

fn accept(steps: Vec<Step>, strategy: Option<CallbackStrategy>) -> Flow {
    sample::flow(steps, strategy, START_MS, ID)
}

fn submitted(message: u16, part: u16) -> Event {
    sample::submitted(message, part, "c", &format!("{message}-{part}"))
}

fn receipt(message: u16, part: u16, status: Status) -> Event {
    Event::Receipt { message, part, receipt: Receipt::new(status, Detail::plain(status)) }
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

/// The outcome of a hand-over of the first part is unknown; it is handed over again.
fn unknown(at_ms: i64) -> Event {
    let (carrier, reason) = ("c".into(), "connection lost");
    Event::Deferred { message: 0, part: 0, at_ms, unknown: true, carrier, reason }
}

fn callback_done(number: u32) -> Event {
    Event::CallbackDone { number, attempt: Attempt { status: Some(200), took_ms: 7 } }
}

fn callback_failed(number: u32, at_ms: Option<i64>) -> Event {
    Event::CallbackFailed { number, at_ms, error: "x".into(), attempt: Attempt::default() }
}

#[test]
fn viber_expires_then_sms_arrives() {
    let steps = vec![step(1, viber(false)), step(2, sms("hi"))];
    let mut flow = accept(steps, Some(CallbackStrategy::OnCompletion));
    flow.apply(&submitted(0, 0), START_MS + 5);
    assert_eq!(flow.state.status, FlowStatus::InProgress);
    let early = flow.apply(&Event::Expire { message: 0 }, START_MS + 599_999);
    assert!(!early.changed);
    let expired = flow.apply(&Event::Expire { message: 0 }, START_MS + 600_000);
    assert_eq!(expired.notes, [Note::Failover]);
    assert_eq!(flow.state.messages[0].parts[0].status.status, Status::Expired);
    flow.apply(&submitted(1, 0), START_MS + 600_010);
    // The first message arrives after all: shown and counted, and nothing else.
    let late = flow.apply(&receipt(0, 0, Status::Delivered), START_MS + 600_020);
    assert_eq!(late.notes, [Note::LateReceipt]);
    assert_eq!(flow.state.messages[0].parts[0].status.status, Status::Delivered);
    assert_eq!(flow.state.status, FlowStatus::InProgress);
    flow.apply(&receipt(1, 0, Status::Delivered), START_MS + 600_030);
    assert_eq!((flow.state.status, flow.state.termination), (FlowStatus::Succeeded, Some(Channel::Sms)));
    assert_eq!(flow.total_price(), Price::new(10, 2));
    assert_eq!(flow.callbacks.owed().count(), 1);
}

#[test]
fn status_codes_tell_why_a_flow_failed() {
    let mut flow = accept(vec![step(1, sms("hi"))], None);
    flow.apply(&submitted(0, 0), START_MS);
    flow.apply(&receipt(0, 0, Status::Undelivered), START_MS);
    assert_eq!(flow.state.status_code, Some(StatusCode::NoNextStep));

    let mut narrow = step(1, sms("hi"));
    narrow.failover_on = vec![Status::Failed];
    let mut flow = accept(vec![narrow, step(2, viber(false))], None);
    flow.apply(&submitted(0, 0), START_MS);
    flow.apply(&receipt(0, 0, Status::Undelivered), START_MS);
    assert_eq!(flow.state.status_code, Some(StatusCode::FailoverNotTriggered));
    assert_eq!(flow.state.messages.len(), 1);
}

#[test]
fn delivered_viber_that_is_not_seen_expires_where_asked() {
    let mut flow = accept(vec![step(1, viber(true)), step(2, sms("hi"))], None);
    flow.apply(&submitted(0, 0), START_MS);
    flow.apply(&receipt(0, 0, Status::Delivered), START_MS + 10);
    assert_eq!(flow.state.status, FlowStatus::InProgress);
    flow.apply(&Event::Expire { message: 0 }, START_MS + 600_000);
    assert_eq!(flow.state.messages[0].parts[0].expired_on_delivery_ms, Some(START_MS + 600_000));
    assert_eq!(flow.state.messages.len(), 2);
}

#[test]
fn one_failed_part_ends_a_multipart_sms() {
    let mut flow = accept(vec![step(1, sms(&"x".repeat(400)))], None);
    assert_eq!(flow.state.messages[0].parts.len(), 3);
    flow.apply(&submitted(0, 0), START_MS);
    flow.apply(&submitted(0, 1), START_MS);
    flow.apply(&receipt(0, 0, Status::Delivered), START_MS);
    assert!(!flow.state.status.is_final());
    flow.apply(&receipt(0, 1, Status::Failed), START_MS);
    assert_eq!(flow.state.status, FlowStatus::Failed);
    assert_eq!(flow.state.messages[0].parts[2].status.status, Status::Unsent);
    assert!(flow.tasks().is_empty());
}

#[test]
fn a_carrier_may_take_all_parts_as_one() {
    let mut flow = accept(vec![step(1, sms(&"x".repeat(400)))], None);
    let Event::Submitted { message, part, carrier, rate, .. } = submitted(0, 0) else { unreachable!() };
    let covers = Covers::Message;
    flow.apply(&Event::Submitted { message, part, carrier, rate, covers }, START_MS);
    assert!(!flow.tasks().iter().any(|task| matches!(task.kind, TaskKind::Submit { .. })));
    flow.apply(&receipt(0, 0, Status::Delivered), START_MS + 5);
    assert_eq!(flow.state.status, FlowStatus::Succeeded);
    assert!(flow.state.messages[0].parts.iter().all(|part| part.status.status == Status::Delivered));
    assert_eq!(flow.total_price(), Price::new(15, 2));
}

/// A flow of one Sms of three parts, and one to fall back on.
fn three_parts() -> Flow {
    accept(vec![step(1, sms(&"x".repeat(400))), step(2, sms("hi"))], None)
}

fn statuses(flow: &Flow) -> Vec<Status> {
    flow.state.messages[0].parts.iter().map(|part| part.status.status).collect()
}

fn taken(part: u16, reference: &str, covers: Covers) -> Event {
    let Event::Submitted { message, carrier, rate, .. } = sample::submitted(0, part, "c", reference) else {
        unreachable!()
    };
    Event::Submitted { message, part, carrier, rate, covers }
}

#[test]
fn a_receipt_for_a_message_counts_for_the_parts_that_were_taken_and_later_for_the_others() {
    use Status::{Delivered, Queued, Sent};
    let mut flow = three_parts();
    flow.apply(&taken(0, "a", Covers::Receipts), START_MS);
    flow.apply(&taken(1, "b", Covers::Receipts), START_MS);
    assert_eq!(statuses(&flow), [Sent, Sent, Queued]);
    flow.apply(&receipt(0, 1, Delivered), START_MS + 1);
    assert_eq!(statuses(&flow), [Delivered, Delivered, Queued], "the last one was not handed over");
    assert!(!flow.state.status.is_final());
    flow.apply(&taken(2, "c", Covers::Receipts), START_MS + 2);
    assert_eq!(statuses(&flow), [Delivered; 3]);
    assert_eq!(flow.state.status, FlowStatus::Succeeded);
}

#[test]
fn a_receipt_for_a_message_says_nothing_of_parts_that_another_carrier_took() {
    use Status::{Delivered, Sent};
    let mut flow = three_parts();
    flow.apply(&taken(0, "a", Covers::Receipts), START_MS);
    flow.apply(&sample::submitted(0, 1, "other", "a"), START_MS);
    flow.apply(&taken(2, "b", Covers::Receipts), START_MS);
    flow.apply(&receipt(0, 0, Delivered), START_MS + 1);
    assert_eq!(statuses(&flow), [Delivered, Sent, Delivered]);
}

#[test]
fn one_id_for_all_parts_speaks_for_all_parts() {
    use Status::{Delivered, Queued, Sent};
    let mut flow = three_parts();
    flow.apply(&taken(0, "same", Covers::Part), START_MS);
    flow.apply(&taken(1, "same", Covers::Part), START_MS);
    flow.apply(&receipt(0, 1, Sent), START_MS + 1);
    assert_eq!(statuses(&flow), [Sent, Sent, Queued]);
    flow.apply(&receipt(0, 0, Delivered), START_MS + 1);
    assert_eq!(statuses(&flow), [Delivered, Delivered, Queued]);
    flow.apply(&taken(2, "same", Covers::Part), START_MS + 2);
    assert_eq!(flow.state.status, FlowStatus::Succeeded);
}

fn unanswered(part: u16) -> Event {
    Event::Unanswered { message: 0, part, carrier: "c".into(), covers: Covers::Part, reason: "no answer" }
}

fn refused(part: u16) -> Event {
    Event::Refused { message: 0, part, carrier: some("c"), detail: Detail::FAILED, description: None }
}

fn refused_late(unknown: u8, refusal: LateRefusal) -> Event {
    Event::RefusedLate { message: 0, part: 0, unknown, carrier: "c".into(), refusal }
}

fn for_good() -> LateRefusal {
    LateRefusal::Final { detail: Detail::FAILED, description: None }
}

#[test]
fn a_late_refusal_of_the_only_hand_over_moves_the_flow_on() {
    let mut flow = three_parts();
    flow.apply(&unanswered(0), START_MS);
    let applied = flow.apply(&refused_late(0, for_good()), START_MS + 3000);
    assert_eq!(applied.notes, [Note::Failover]);
    assert_eq!(statuses(&flow)[0], Status::Failed);
    assert_eq!(flow.state.messages.len(), 2);
}

#[test]
fn a_late_refusal_of_one_of_several_hand_overs_decides_nothing() {
    let mut flow = three_parts();
    // Handed over twice, each time with an unknown outcome, and a third time.
    for at_ms in [START_MS + 1, START_MS + 2] {
        flow.apply(&unknown(at_ms), START_MS);
    }
    assert!(!flow.apply(&refused_late(1, for_good()), START_MS + 3).changed, "out of date");
    flow.apply(&refused_late(2, for_good()), START_MS + 3);
    let submit = |flow: &Flow| flow.state.messages[0].parts[0].submit;
    assert_eq!(submit(&flow), Submit::Owed { at_ms: START_MS + 2, attempts: 2, unknown: 1 });
    flow.apply(&unanswered(0), START_MS + 4);
    flow.apply(&refused_late(1, for_good()), START_MS + 5);
    assert_eq!(submit(&flow), Submit::Handed { attempts: 2, unknown: 0 });
    flow.apply(&refused_late(0, for_good()), START_MS + 6);
    assert_eq!(statuses(&flow)[0], Status::Failed);
}

#[test]
fn a_refusal_after_a_hand_over_of_unknown_outcome_moves_the_flow_on_and_yields_to_its_receipt() {
    for waits in [false, true] {
        let mut flow = accept(vec![step(1, sms("a")), step(2, sms("b"))], None);
        flow.apply(&unknown(START_MS + 1), START_MS);
        if waits {
            // The second carrier must not get it twice.
            let (carrier, covers) = ("other".to_owned(), Covers::Part);
            flow.apply(&Event::Handed { message: 0, part: 0, carrier, covers }, START_MS + 2);
        }
        let applied = flow.apply(&refused(0), START_MS + 3);
        assert_eq!(applied.notes, [Note::Failover]);
        // The first carrier's answer is late, and then it reports: it is what the recipient got.
        flow.apply(&submitted(0, 0), START_MS + 4);
        assert_eq!(statuses(&flow), [Status::Failed]);
        let applied = flow.apply(&receipt(0, 0, Status::Delivered), START_MS + 5);
        assert_eq!(applied.notes, [Note::LateReceipt]);
        assert_eq!(statuses(&flow), [Status::Delivered]);
        assert_eq!((flow.state.messages.len(), flow.state.status), (2, FlowStatus::InProgress));
    }
}

#[test]
fn a_refusal_of_the_only_hand_over_yields_to_nothing() {
    let mut flow = accept(vec![step(1, sms("a")), step(2, sms("b"))], None);
    // The outcome of the first hand-over was unknown until its refusal came.
    flow.apply(&unknown(START_MS + 1), START_MS);
    flow.apply(&refused_late(1, for_good()), START_MS + 2);
    flow.apply(&refused(0), START_MS + 3);
    assert!(!flow.apply(&receipt(0, 0, Status::Delivered), START_MS + 5).changed);
    assert_eq!(statuses(&flow), [Status::Failed]);
}

#[test]
fn a_late_refusal_for_now_makes_the_part_owed_again_unless_its_step_was_left() {
    let mut flow = three_parts();
    flow.apply(&unanswered(0), START_MS);
    let mut left = flow.clone();
    let refusal = LateRefusal::Temporary { at_ms: START_MS + 9, reason: "throttled" };
    flow.apply(&refused_late(0, refusal.clone()), START_MS + 5);
    let submit = flow.state.messages[0].parts[0].submit;
    assert_eq!(submit, Submit::Owed { at_ms: START_MS + 9, attempts: 1, unknown: 0 });
    left.apply(&refused(1), START_MS);
    assert_eq!(left.state.messages.len(), 2);
    left.apply(&refused_late(0, refusal), START_MS + 5);
    assert_eq!(statuses(&left), [Status::Unsent, Status::Failed, Status::Unsent]);
}

#[test]
fn a_late_acceptance_is_an_acceptance_and_its_receipt_yields_nothing_to_the_expiry() {
    let mut flow = accept(vec![step(1, sms("a")), step(2, sms("b"))], None);
    flow.apply(&unanswered(0), START_MS);
    let mut expired = flow.clone();
    flow.apply(&submitted(0, 0), START_MS + 3000);
    assert_eq!(statuses(&flow), [Status::Sent]);
    // Its time was over: it is as one that was accepted in time and whose receipt did not come in time.
    expired.apply(&Event::Expire { message: 0 }, START_MS + 600_000);
    expired.apply(&submitted(0, 0), START_MS + 600_001);
    assert_eq!(statuses(&expired), [Status::Undelivered]);
    assert!(expired.state.messages[0].parts[0].carrier.is_some());
    expired.apply(&receipt(0, 0, Status::Delivered), START_MS + 600_002);
    assert_eq!(statuses(&expired), [Status::Delivered]);
    assert_eq!((expired.state.messages.len(), expired.state.status), (2, FlowStatus::InProgress));
}

#[test]
fn what_is_taken_at_an_unknown_rate_costs_what_was_held() {
    let mut flow = accept(vec![step(1, sms("a"))], None);
    let price = Price::new(7, 2);
    flow.apply(&Event::Reserved { message: 0, part: 0, price }, START_MS);
    let carrier = CarrierRef::new("c", "r");
    let event = Event::Submitted { message: 0, part: 0, carrier, rate: None, covers: Covers::Part };
    flow.apply(&event, START_MS);
    assert_eq!((flow.total_price(), flow.committed()), (price, price));
}

#[test]
fn what_a_hand_over_covers_is_stored_as_it_was_before() {
    let mut flow = accept(vec![step(1, sms("a"))], None);
    let stored =
        |flow: &Flow| serde_json::to_value(flow).unwrap()["state"]["messages"][0]["parts"][0].clone();
    assert_eq!(stored(&flow).get("whole"), None);
    for (covers, whole) in [
        (Covers::Message, serde_json::json!(true)),
        (Covers::Receipts, serde_json::json!("receipts")),
        (Covers::Part, serde_json::Value::Null),
    ] {
        flow.state.messages[0].parts[0].covers = covers;
        let part = stored(&flow);
        assert_eq!(part["whole"], whole);
        assert_eq!(serde_json::from_value::<Part>(part).unwrap().covers, covers);
    }
    let mut part = stored(&flow);
    part["whole"] = serde_json::json!(false);
    assert_eq!(serde_json::from_value::<Part>(part).unwrap().covers, Covers::Part);
}

/// What a tracking shows of a state.
fn shown(state: &State) -> State {
    let mut state = state.clone();
    for part in state.messages.iter_mut().flat_map(|message| &mut message.parts) {
        (part.submit, part.held, part.covers) = (Submit::Done, None, Covers::Part);
    }
    state
}

fn contents() -> impl Strategy<Value = Vec<Step>> {
    let content = prop_oneof![
        (1usize..400).prop_map(|n| sms(&"x".repeat(n))),
        any::<bool>().prop_map(viber),
        Just(sample::voice(TO)),
    ];
    let one = content.prop_flat_map(|content| {
        let template = step(1, content);
        let choices = template.channel().rules().failover_choices;
        proptest::sample::subsequence(choices, 0..=choices.len())
            .prop_map(move |failover_on| Step { failover_on, ..template.clone() })
    });
    proptest::collection::vec(one, 1..5).prop_map(|mut steps| {
        for (i, step) in steps.iter_mut().enumerate() {
            step.order = i as u32 + 1;
        }
        steps
    })
}

/// An event as drawn: positions are taken modulo what the flow has, so that most of them mean something.
#[derive(Clone, Debug)]
struct Draw {
    kind: u8,
    message: u16,
    part: u16,
    status: usize,
    wait_ms: i64,
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let draw = (
        0u8..15,
        0u16..4,
        0u16..3,
        0usize..8,
        prop_oneof![Just(0i64), Just(1), Just(300_000), Just(600_000)],
    )
        .prop_map(|(kind, message, part, status, wait_ms)| Draw { kind, message, part, status, wait_ms });
    proptest::collection::vec(draw, 0..60)
}

fn event(flow: &Flow, draw: &Draw, now_ms: i64) -> Event {
    // Most draws concern the live message; some reach back to one that was left, or to none at all.
    let last = flow.state.messages.len() as u16 - 1;
    let (message, part) =
        if draw.kind.is_multiple_of(2) { (draw.message, draw.part) } else { (last, draw.part) };
    match draw.kind {
        0..=2 => match submitted(message, part) {
            Event::Submitted { message, carrier, rate, .. } if draw.status == 7 => {
                Event::Submitted { message, part: 0, carrier, rate, covers: Covers::Message }
            }
            Event::Submitted { message, part, carrier, rate, .. } if draw.status == 6 => {
                Event::Submitted { message, part, carrier, rate, covers: Covers::Receipts }
            }
            Event::Submitted { message, part, rate, covers, .. } if draw.status == 5 => {
                let carrier = CarrierRef::new("c", "same");
                Event::Submitted { message, part, carrier, rate, covers }
            }
            one => one,
        },
        3..=5 => {
            let channel = flow.steps[usize::from(message).min(flow.steps.len() - 1)].channel();
            let statuses = channel.rules().statuses().collect::<Vec<_>>();
            receipt(message, part, statuses[draw.status % statuses.len()])
        }
        6 if draw.status == 0 => Event::Suppressed { message, part },
        6 => Event::Refused { message, part, carrier: some("c"), detail: Detail::FAILED, description: None },
        7 => Event::Expire { message },
        8 => match flow.callbacks.first() {
            Some(callback) if draw.status == 0 => callback_failed(callback.number, None),
            Some(callback) if draw.status < 4 => callback_failed(callback.number, Some(now_ms + 10)),
            Some(callback) if draw.status == 4 => {
                let (number, attempt) = (callback.number, Attempt { status: Some(410), took_ms: 7 });
                Event::CallbacksEnded { number, error: "x".into(), attempt }
            }
            Some(callback) => callback_done(callback.number),
            None => Event::CallbacksReplayed,
        },
        9 if draw.status == 7 => Event::Cancel { by: None },
        9 => Event::Reserved { message, part, price: Price::new(draw.status as i64, 2) },
        10 if draw.status == 0 => Event::Unaffordable { message },
        10 if draw.status == 1 => {
            Event::Expected { message, part, carrier: CarrierRef::new("c", "r"), covers: covers(draw) }
        }
        12 => {
            let parts = flow.state.messages.get(usize::from(message)).map(|message| &message.parts);
            let submit = parts.and_then(|parts| parts.get(usize::from(part))).map(|part| part.submit);
            let unknown = match submit {
                Some(Submit::Owed { unknown, .. } | Submit::Handed { unknown, .. }) => unknown,
                _ => 0,
            };
            let refusal = if draw.status.is_multiple_of(2) {
                LateRefusal::Final { detail: Detail::FAILED, description: None }
            } else {
                LateRefusal::Temporary { at_ms: now_ms + 500, reason: "throttled" }
            };
            Event::RefusedLate { message, part, unknown, carrier: "c".into(), refusal }
        }
        13 => {
            let (carrier, covers) = ("c".into(), covers(draw));
            Event::Unanswered { message, part, carrier, covers, reason: "no answer" }
        }
        _ if draw.status.is_multiple_of(2) => {
            Event::Handed { message, part, carrier: "c".into(), covers: covers(draw) }
        }
        _ => {
            let (at_ms, unknown, carrier) = (now_ms + 1000, draw.status == 1, "c".into());
            Event::Deferred { message, part, at_ms, unknown, carrier, reason: "throttled" }
        }
    }
}

fn covers(draw: &Draw) -> Covers {
    match draw.status {
        0 => Covers::Message,
        2 => Covers::Receipts,
        _ => Covers::Part,
    }
}

/// How many messages have parts that may still be handed to a carrier.
fn startable(flow: &Flow) -> usize {
    let owed =
        |message: &&Message| message.parts.iter().any(|part| matches!(part.submit, Submit::Owed { .. }));
    flow.state.messages.iter().filter(owed).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_under_any_course(steps in contents(), draws in draws(), on_change in any::<bool>()) {
        let strategy = if on_change { CallbackStrategy::OnChange } else { CallbackStrategy::OnCompletion };
        let mut flow = accept(steps, Some(strategy));
        let mut now_ms = START_MS;
        let mut completions = 0;
        let mut told = BTreeMap::new();
        for draw in &draws {
            now_ms += draw.wait_ms;
            let event = event(&flow, draw, now_ms);
            let before = flow.clone();
            let applied = flow.apply(&event, now_ms);

            // What did not change says so, and what changed says so.
            prop_assert_eq!(applied.changed, flow != before);
            // A final flow stays as it ended.
            if before.state.status.is_final() {
                prop_assert_eq!(flow.state.status, before.state.status);
                prop_assert_eq!(flow.state.status_code, before.state.status_code);
                prop_assert_eq!(flow.state.termination, before.state.termination);
                prop_assert_eq!(flow.state.messages.len(), before.state.messages.len());
            } else if flow.state.status.is_final() {
                completions += 1;
                prop_assert!(applied.notes.contains(&Note::Ended(flow.state.status)));
            }
            // A carrier's final word on a part stays.
            for (i, (old, new)) in before.state.messages.iter().zip(&flow.state.messages).enumerate() {
                let rules = flow.steps[i].channel().rules();
                for (old, new) in old.parts.iter().zip(&new.parts) {
                    if rules.is_final(old.status.status) && !old.status.provisional {
                        prop_assert_eq!(&old.status, &new.status);
                    }
                    if old.carrier.is_some() {
                        prop_assert_eq!(&old.carrier, &new.carrier);
                    }
                }
            }
            // At most one step starts per event, and only the last message can still owe a submit.
            prop_assert!(flow.state.messages.len() <= before.state.messages.len() + 1);
            let tasks = flow.tasks();
            for task in &tasks {
                if let TaskKind::Submit { message, .. } | TaskKind::Expire { message } = task.kind {
                    prop_assert_eq!(Some(usize::from(message)), flow.live());
                }
            }
            prop_assert!(startable(&flow) <= usize::from(!flow.state.status.is_final()));
            // A flow that is not final always has a clock running.
            let clock = tasks.iter().any(|task| matches!(task.kind, TaskKind::Expire { .. }));
            prop_assert_eq!(clock, !flow.state.status.is_final());
            // The code says why, and only when it failed.
            prop_assert_eq!(flow.state.status_code.is_some(), flow.state.status == FlowStatus::Failed);
            prop_assert_eq!(flow.state.termination.is_some(), flow.state.status.is_final());
            // Totals add up.
            let sum: Price = flow.state.messages.iter().zip(&flow.steps)
                .flat_map(|(message, step)| message.parts.iter().map(|part| part.price(step.channel())))
                .sum();
            prop_assert_eq!(flow.total_price(), sum);
            // A balance lacks prices, and what is held while they are open.
            let parts = flow.state.messages.iter().flat_map(|message| &message.parts);
            let held: Price = parts.filter_map(|part| part.held).sum();
            prop_assert!(flow.committed() >= Price::ZERO);
            prop_assert!(flow.committed() <= sum + held);
            // A callback tells, whenever it is asked, of the moment that it was owed for.
            if flow.callbacks_made > before.callbacks_made {
                told.insert(flow.callbacks_made, shown(&flow.state));
            }
            for callback in flow.callbacks.owed().chain(flow.callbacks.dead()) {
                let then = flow.state_at(callback.number).expect("is kept");
                prop_assert_eq!(&shown(&then), &told[&callback.number]);
            }
            // The one that may be under way stays, and while it fails the others are one.
            let due = before.callbacks.first().map(|callback| callback.number);
            if !matches!(event, Event::CallbackDone { .. } | Event::CallbackFailed { at_ms: None, .. }
                | Event::CallbacksEnded { .. } | Event::CallbacksReplayed) {
                prop_assert!(due.is_none() || flow.callbacks.first().map(|callback| callback.number) == due);
            }
            if flow.callbacks.first().is_some_and(|first| first.attempts > 0) {
                prop_assert!(flow.callbacks.owed().count() <= 2 + flow.callbacks.dead().count() + 8);
            }
            // The history grows by what changed, in order, and forgets nothing of before.
            let entries = |flow: &Flow| flow.history.moments(flow.created_ms).count()
                + flow.history.left_out() as usize;
            prop_assert!(entries(&flow) >= entries(&before));
            prop_assert!(applied.changed || flow.history == before.history);
            let times: Vec<i64> = flow.history.moments(flow.created_ms).map(|(at_ms, _)| at_ms).collect();
            prop_assert!(times.is_sorted() && times.len() <= 64);
            // Once is as good as twice.
            let once = flow.clone();
            flow.apply(&event, now_ms);
            prop_assert_eq!(&flow, &once);
            // What is stored is what was.
            let json = serde_json::to_vec(&flow).expect("encodes");
            prop_assert_eq!(&serde_json::from_slice::<Flow>(&json).expect("decodes"), &flow);
        }
        if !on_change {
            prop_assert!(flow.callbacks.owed().count() + flow.callbacks.dead().count() <= completions);
        }
        // Left alone, every flow ends by its clocks.
        for _ in 0..flow.steps.len() {
            if let Some(live) = flow.live() {
                now_ms = flow.state.messages[live].expires_ms;
                flow.apply(&Event::Expire { message: live as u16 }, now_ms);
            }
        }
        prop_assert!(flow.state.status.is_final());
        // In the end it lacks what was charged, and nothing is held.
        let mut charged = Price::ZERO;
        for (message, step) in flow.state.messages.iter().zip(&flow.steps) {
            let held = message.parts.iter().filter(|part| part.held.is_some());
            charged += held.map(|part| part.price(step.channel())).sum::<Price>();
        }
        prop_assert_eq!(flow.committed(), charged);
    }
}

#[test]
fn a_call_costs_its_started_intervals() {
    let mut flow = accept(vec![step(1, sample::voice(TO))], None);
    let Event::Submitted { message, part, carrier, covers, .. } = submitted(0, 0) else { unreachable!() };
    let rate = Some(Rate { price: Price::new(6, 2), interval_s: Some(30), operator: None });
    flow.apply(&Event::Submitted { message, part, carrier, rate, covers }, START_MS);
    assert_eq!(flow.total_price(), Price::ZERO);
    let completed = Receipt { duration_s: Some(61), ..Receipt::new(Status::Completed, Detail::COMPLETED) };
    flow.apply(&Event::Receipt { message: 0, part: 0, receipt: completed }, START_MS);
    assert_eq!(flow.total_price(), Price::new(18, 2));
}

#[test]
fn what_is_held_for_a_call_is_free_again_once_nobody_answered() {
    let held = Price::new(50, 2);
    let mut flow = accept(vec![step(1, sample::voice(TO))], None);
    flow.apply(&Event::Reserved { message: 0, part: 0, price: held }, START_MS);
    assert_eq!(flow.committed(), held);
    let Event::Submitted { message, part, carrier, covers, .. } = submitted(0, 0) else { unreachable!() };
    let rate = Some(Rate { price: Price::new(6, 2), interval_s: Some(30), operator: None });
    flow.apply(&Event::Submitted { message, part, carrier, rate, covers }, START_MS);
    flow.apply(&receipt(0, 0, Status::Ringing), START_MS);
    assert_eq!(flow.committed(), held);
    flow.apply(&receipt(0, 0, Status::NoAnswer), START_MS);
    assert_eq!((flow.total_price(), flow.committed()), (Price::ZERO, Price::ZERO));
}

#[test]
fn what_the_balance_cannot_pay_ends_the_flow() {
    let mut flow = accept(vec![step(1, sms("a")), step(2, sms("b"))], None);
    let price = Price::new(7, 2);
    flow.apply(&Event::Reserved { message: 0, part: 0, price }, START_MS);
    assert_eq!(flow.committed(), price);
    flow.apply(&Event::Unaffordable { message: 0 }, START_MS);
    assert_eq!(flow.state.status, FlowStatus::Failed);
    assert_eq!(flow.state.status_code, Some(StatusCode::InsufficientBalance));
    assert_eq!(flow.state.messages[0].parts[0].status.status, Status::Unsent);
    assert_eq!((flow.committed(), flow.tasks()), (Price::ZERO, vec![]));
}

#[test]
fn a_cancelled_flow_ends_at_once_and_hears_only_what_was_under_way() {
    let mut flow = accept(vec![step(1, sms(&"x".repeat(300))), step(2, viber(false))], None);
    flow.apply(&submitted(0, 0), START_MS);
    let applied = flow.apply(&Event::Cancel { by: None }, START_MS + 5);
    assert_eq!(applied.notes, [Note::Ended(FlowStatus::Failed)]);
    assert_eq!(flow.state.status_code, Some(StatusCode::ServerError));
    assert!(flow.state.cancelled && flow.tasks().is_empty());
    let second = flow.state.messages[0].parts[1].status.clone();
    assert_eq!((second.status, second.detail), (Status::Unsent, Detail::CANCELLED));
    // The first part is with a carrier: its fate is shown and decides nothing.
    flow.apply(&receipt(0, 0, Status::Undelivered), START_MS + 9);
    assert_eq!(flow.state.messages[0].parts[0].status.status, Status::Undelivered);
    assert_eq!((flow.state.messages.len(), flow.state.status), (1, FlowStatus::Failed));
    // What has ended can't be cancelled.
    assert!(!flow.apply(&Event::Cancel { by: None }, START_MS + 10).changed);
}

/// The largest flows that are accepted: one Sms of 255 parts, in the GSM alphabet and outside of it, and many
/// steps.
fn large_flows() -> Vec<NewFlow> {
    let new = |bodies: Vec<String>| NewFlow {
        id: Uuid::from_u128(1),
        application: "a".repeat(24),
        kind: FlowKind::Plain,
        minute_ms: 60_000,
        steps: (1..).zip(bodies).map(|(order, body)| step(order, sms(&body))).collect(),
        callback: Some(Callback {
            strategy: CallbackStrategy::OnChange,
            url: "https://a.example/".repeat(100),
        }),
        restrictions: None,
        callback_bytes_max: CALLBACK_BYTES,
    };
    let few_parts = (0..12).map(|_| "x".repeat(16 * 153)).collect();
    vec![
        new(vec!["a".repeat(153 * 255)]),
        new(vec!["é".repeat(153 * 255)]),
        new(vec!["字".repeat(67 * 255)]),
        new(vec!["x".repeat(153 * 20)]),
        new(few_parts),
    ]
}

/// Hostile carriers' words, as long as they like.
fn wordy(status: Status, at_ms: i64) -> Receipt {
    Receipt {
        description: Some("\"\\words\u{1b}".repeat(100)),
        at_ms: Some(at_ms),
        operator: Some("O\u{0}\"".repeat(100)),
        duration_s: Some(u32::MAX),
        answered_by: Some("nobody\"".repeat(100)),
        ..Receipt::new(status, Detail("\"detail".repeat(50).into()))
    }
}

#[test]
fn a_document_never_grows_beyond_its_limit() {
    let limits = Limits::default();
    for mut new in large_flows() {
        new.measure(&limits).expect("is accepted");
        let mut flow = Flow::accept(new, START_MS);
        let mut largest = 0;
        let mut events = 0;
        let mut tell = |flow: &Flow| {
            events += 1;
            if events % 17 == 0 || flow.live().is_none() {
                largest = largest.max(serde_json::to_vec(flow).unwrap().len());
            }
        };
        let mut now_ms = START_MS;
        while let Some(live) = flow.live().map(|live| live as u16) {
            let parts = flow.state.messages[usize::from(live)].parts.len() as u16;
            for part in 0..parts {
                let price = "7922816251426433.7593543950335".parse().unwrap();
                flow.apply(&Event::Reserved { message: live, part, price }, now_ms);
                let carrier = CarrierRef::new("c".repeat(CARRIER_MAX), "\u{1b}reference".repeat(50));
                let rate = Some(Rate { price, interval_s: Some(u32::MAX), operator: Some("\"".repeat(500)) });
                let covers = Covers::Receipts;
                let event = Event::Submitted { message: live, part, carrier, rate, covers };
                flow.apply(&event, now_ms);
                // The target answers nothing at first, and fails now and then.
                if let Some(first) = flow.callbacks.first().filter(|_| part % 32 == 31) {
                    let (number, error) = (first.number, "\"no\u{1b}".repeat(1000));
                    let at_ms = (part % 64 == 31).then_some(now_ms + 1);
                    let attempt = Attempt::default();
                    flow.apply(&Event::CallbackFailed { number, at_ms, error, attempt }, now_ms);
                }
                now_ms += 1;
                tell(&flow);
            }
            for part in 0..parts {
                let receipt = wordy(Status::Undelivered, now_ms);
                flow.apply(&Event::Receipt { message: live, part, receipt }, now_ms);
                tell(&flow);
            }
        }
        assert!(largest <= limits.flow_bytes_max, "{largest} octets");
    }
}

#[test]
fn what_could_grow_beyond_the_limit_is_refused() {
    let limits = Limits::default();
    let mut many = large_flows().remove(0);
    many.steps.push(step(2, sms("one part more")));
    let broken = many.measure(&limits).unwrap_err();
    assert!(broken.message.contains("limits.parts_max") && broken.message.contains("256"), "{broken:?}");
    let mut long = large_flows().remove(2);
    long.steps = (1..=32).map(|order| step(order, viber_of(9000))).collect();
    let broken = long.measure(&limits).unwrap_err();
    assert!(broken.message.contains("limits.flow_bytes_max"), "{broken:?}");
}

fn viber_of(characters: usize) -> Content {
    let body = ViberBody { text: Some("字".repeat(characters)), ..ViberBody::default() };
    let Content::Viber(mut viber) = viber(false) else { unreachable!() };
    viber.message = ViberMessage::Body(body);
    Content::Viber(viber)
}

#[test]
fn a_target_that_answers_gets_one_callback_for_each_change() {
    let mut flow = accept(vec![step(1, sms(&"a".repeat(153 * 255)))], Some(CallbackStrategy::OnChange));
    for part in 0..255 {
        flow.apply(&submitted(0, part), START_MS + i64::from(part));
    }
    for part in 0..255 {
        flow.apply(&receipt(0, part, Status::Delivered), START_MS + 1000 + i64::from(part));
    }
    let mut bodies = Vec::new();
    while let Some(number) = flow.callbacks.first().map(|first| first.number) {
        let state = flow.state_at(number).unwrap();
        let parts = || state.messages[0].parts.iter().map(|part| part.status.status);
        let sent = parts().filter(|status| *status == Status::Sent).count();
        bodies.push((sent, parts().filter(|status| *status == Status::Delivered).count()));
        flow.apply(&callback_done(number), START_MS + 5000);
    }
    let expected: Vec<_> =
        (1..=255).map(|sent| (sent, 0)).chain((1..=255).map(|done| (255 - done, done))).collect();
    assert_eq!(bodies, expected);
}

#[test]
fn callbacks_of_documents_before_are_taken_up() {
    let mut flow = accept(vec![step(1, sms("hi"))], Some(CallbackStrategy::OnChange));
    let old = serde_json::to_value(&flow.state).unwrap();
    flow.apply(&submitted(0, 0), START_MS + 5);
    let mut document = serde_json::to_value(&flow).unwrap();
    let (since_ms, at_ms) = (START_MS, START_MS + 7);
    let pending = |id: &str| serde_json::json!({"id": id, "since_ms": since_ms, "at_ms": at_ms, "attempts": 2, "state": old});
    let (due, dead) = ("00000000-0000-0000-0000-0000000000aa", "00000000-0000-0000-0000-0000000000bb");
    document["callbacks"] = serde_json::json!([pending(due)]);
    document["dead_callbacks"] = serde_json::json!([pending(dead)]);
    document.as_object_mut().unwrap().remove("callbacks_made");
    let mut read: Flow = serde_json::from_value(document).unwrap();
    read.adopt_old_callbacks();
    let first = read.callbacks.first().unwrap();
    assert_eq!((read.webhook_id(first).to_string(), first.due_ms()), (due.into(), START_MS + 7));
    assert_eq!(read.state_at(first.number).unwrap().status, FlowStatus::Queued);
    assert_eq!(read.callbacks.dead().count(), 1);
    // What comes after is told as today's are.
    read.apply(&receipt(0, 0, Status::Delivered), START_MS + 9);
    let numbers: Vec<_> = read.callbacks.owed().map(|callback| callback.number).collect();
    assert_eq!(numbers.len(), 2);
    assert_eq!(read.state_at(numbers[1]).unwrap().status, FlowStatus::Succeeded);
    let again: Flow = serde_json::from_slice(&serde_json::to_vec(&read).unwrap()).unwrap();
    assert_eq!(again, read);
}

#[test]
fn the_part_that_was_handed_over_stands_for_the_whole_message() {
    let mut flow = three_parts();
    flow.apply(&taken(1, "all", Covers::Message), START_MS);
    let parts = &flow.state.messages[0].parts;
    let covers: Vec<_> = parts.iter().map(|part| part.covers).collect();
    assert_eq!(covers, [Covers::Part, Covers::Message, Covers::Part]);
    assert!(parts.iter().all(|part| part.carrier == Some(CarrierRef::new("c", "all"))));
    // Its receipts count for all of them, whichever part they find.
    flow.apply(&receipt(0, 1, Status::Delivered), START_MS + 1);
    assert_eq!(statuses(&flow), [Status::Delivered; 3]);
}

#[test]
fn receipts_of_a_message_are_expected_by_every_part() {
    let mut flow = three_parts();
    for part in [0, 1] {
        flow.apply(&taken(part, &format!("{part}"), Covers::Receipts), START_MS);
    }
    let covers: Vec<_> = flow.state.messages[0].parts.iter().map(|part| part.covers).collect();
    assert_eq!(covers, [Covers::Receipts, Covers::Receipts, Covers::Part]);
}

#[test]
fn the_callback_that_failed_is_put_off_and_no_other() {
    let mut flow = accept(vec![step(1, sms("hi"))], Some(CallbackStrategy::OnChange));
    flow.apply(&submitted(0, 0), START_MS + 10);
    flow.apply(&receipt(0, 0, Status::Delivered), START_MS + 20);
    let failed = callback_failed;
    let dues = |flow: &Flow| -> Vec<(u32, i64, u32)> {
        flow.callbacks.owed().map(|owed| (owed.number, owed.due_ms() - START_MS, owed.attempts)).collect()
    };
    assert_eq!(dues(&flow), [(1, 10, 0), (2, 20, 0)]);
    flow.apply(&failed(1, Some(START_MS + 500)), START_MS + 30);
    assert_eq!(dues(&flow), [(1, 500, 1), (2, 20, 0)]);
    // Told twice, or about none that is owed, it changes nothing.
    for event in [failed(1, Some(START_MS + 500)), failed(1, Some(START_MS + 499)), failed(3, None)] {
        assert!(!flow.apply(&event, START_MS + 40).changed);
    }
    // Given up, it is kept beside those that are owed.
    flow.apply(&failed(1, None), START_MS + 600);
    assert_eq!(dues(&flow), [(2, 20, 0)]);
    let dead: Vec<_> = flow.callbacks.dead().map(|dead| (dead.number, dead.attempts)).collect();
    assert_eq!(dead, [(1, 2)]);
    assert_eq!(flow.callbacks.dead().next().unwrap().error.as_deref(), Some("x"));
    // Replayed, it is due at once and counts from then on.
    flow.apply(&Event::CallbacksReplayed, START_MS + 700);
    assert_eq!(dues(&flow), [(1, 700, 0), (2, 20, 0)]);
    assert_eq!(flow.callbacks.first().unwrap().since_ms(), START_MS + 700);
    assert!(!flow.apply(&Event::CallbacksReplayed, START_MS + 800).changed);
}

#[test]
fn a_target_that_is_gone_is_told_no_more() {
    let mut flow = accept(vec![step(1, sms("hi"))], Some(CallbackStrategy::OnChange));
    flow.apply(&submitted(0, 0), START_MS + 10);
    let attempt = Attempt { status: Some(410), took_ms: 7 };
    let ended = |number| Event::CallbacksEnded { number, error: "gone".into(), attempt };
    assert!(!flow.apply(&ended(2), START_MS + 11).changed);
    assert!(!flow.callbacks_ended);
    assert!(flow.apply(&ended(1), START_MS + 12).changed && flow.callbacks_ended);
    let dead: Vec<_> = flow.callbacks.dead().map(|dead| (dead.number, dead.attempts)).collect();
    assert_eq!(dead, [(1, 1)]);
    flow.apply(&receipt(0, 0, Status::Delivered), START_MS + 20);
    assert_eq!((flow.callbacks.owed().count(), flow.callbacks_made), (0, 1));
}

#[test]
fn given_up_callbacks_are_forgotten_beyond_eight() {
    let steps = (1..=10).map(|order| step(order, sms("hi"))).collect();
    let mut flow = accept(steps, Some(CallbackStrategy::OnChange));
    for message in 0..10 {
        flow.apply(&submitted(message, 0), START_MS + i64::from(message));
        let number = flow.callbacks.first().unwrap().number;
        flow.apply(&callback_failed(number, None), START_MS + i64::from(message));
        flow.apply(&receipt(message, 0, Status::Failed), START_MS + i64::from(message));
        while let Some(number) = flow.callbacks.first().map(|first| first.number) {
            flow.apply(&callback_done(number), START_MS + i64::from(message));
        }
        assert_eq!(flow.callbacks.dead().count(), usize::from(message + 1).min(8));
    }
}

#[test]
fn the_part_that_failed_or_is_least_far_decides() {
    use Status::{Delivered, Failed, Queued, Sent, Undelivered};
    let flow = three_parts();
    let decisive = |statuses: [Status; 3]| {
        let mut message = flow.state.messages[0].clone();
        for (part, status) in message.parts.iter_mut().zip(statuses) {
            part.status.status = status;
        }
        let decisive = message.decisive(Channel::Sms);
        message.parts.iter().position(|part| std::ptr::eq(part, decisive)).unwrap()
    };
    for (statuses, position) in [
        ([Queued, Queued, Queued], 0),
        ([Queued, Failed, Undelivered], 1),
        ([Delivered, Sent, Queued], 2),
        ([Delivered, Sent, Delivered], 1),
        ([Sent, Delivered, Undelivered], 2),
        ([Delivered, Delivered, Delivered], 0),
    ] {
        assert_eq!(decisive(statuses), position, "{statuses:?}");
    }
}

#[test]
fn a_search_sees_the_steps_that_were_started() {
    let other = sample::sms("+306900000009", "hi");
    let steps = vec![step(1, viber(false)), step(2, sms("hi")), step(3, other)];
    let mut flow = accept(steps, None);
    let recipients =
        |flow: &Flow| flow.facets().recipients.iter().map(|to| to.to_string()).collect::<Vec<_>>();
    assert_eq!(recipients(&flow), [TO]);
    assert_eq!(flow.facets().types, ChannelSet::default().with(Channel::Viber));
    flow.apply(&Event::Expire { message: 0 }, START_MS + 600_000);
    assert_eq!(recipients(&flow), [TO]);
    assert_eq!(flow.facets().types, ChannelSet::default().with(Channel::Viber).with(Channel::Sms));
    flow.apply(&Event::Expire { message: 1 }, START_MS + 1_200_000);
    assert_eq!(recipients(&flow), [TO, "+306900000009"]);
    flow.apply(&submitted(2, 0), START_MS + 1_200_001);
    flow.apply(&receipt(2, 0, Status::Delivered), START_MS + 1_200_002);
    let facets = flow.facets();
    assert_eq!((facets.status, facets.termination), (FlowStatus::Succeeded, Some(Channel::Sms)));
    assert_eq!(facets.kind, FlowKind::Plain);
}
