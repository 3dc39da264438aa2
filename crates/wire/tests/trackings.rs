//! The tracking of a flow of each kind is as the file of its name in `trackings/` has it.

#[path = "../../xtask/tests/snapshot/mod.rs"]
mod snapshot;

use flow::{
    CallbackStrategy, Content, Detail, Event, Flow, FlowKind, Receipt, Status, Step, ViberMessage,
    ViberTemplate, sample,
};
use std::collections::BTreeMap;
use uuid::Uuid;
use wire::tracking::TrackingView;

/// When the flows are accepted, Unix milliseconds: 2026-03-01T09:15:00Z.
const START_MS: i64 = 1_772_356_500_000;
const TO: &str = "+306900000010";

/// A flow to which things happen, a second apart.
struct Course {
    flow: Flow,
    now_ms: i64,
}

impl Course {
    fn start(contents: Vec<Content>) -> Course {
        let steps = (1..).zip(contents).map(|(order, content)| sample::step(order, content)).collect();
        Course::of(steps)
    }

    fn of(steps: Vec<Step>) -> Course {
        let flow = sample::flow(steps, Some(CallbackStrategy::OnChange), START_MS, Uuid::from_u128(1 << 16));
        Course { flow, now_ms: START_MS }
    }

    fn then(mut self, event: Event) -> Course {
        self.now_ms += 1000;
        self.flow.apply(&event, self.now_ms);
        self
    }

    fn submitted(self, message: u16, part: u16) -> Course {
        self.then(sample::submitted(message, part, "sandbox", &format!("{message}-{part}")))
    }

    fn receipt(self, message: u16, part: u16, status: Status, detail: Detail) -> Course {
        self.then(Event::Receipt { message, part, receipt: Receipt::new(status, detail) })
    }

    /// The time to live of a message ends.
    fn expired(mut self, message: u16) -> Course {
        self.now_ms += 600_000;
        self.then(Event::Expire { message })
    }

    fn assert_shown_as(self, name: &str) {
        let tracking = TrackingView::of(&self.flow, &self.flow.state);
        let text = serde_json::to_string_pretty(&tracking).expect("JSON") + "\n";
        snapshot::compare(env!("CARGO_MANIFEST_DIR"), &format!("tests/trackings/{name}.json"), &text);
    }
}

fn sms() -> Content {
    sample::sms(TO, "Your parcel is here")
}

fn viber(expire_on_delivery: bool) -> Content {
    sample::viber(TO, expire_on_delivery)
}

#[test]
fn a_flow_that_no_carrier_has_yet() {
    Course::start(vec![sms()]).assert_shown_as("queued");
}

#[test]
fn an_sms_of_two_parts() {
    let course = Course::start(vec![sample::sms(TO, &"a".repeat(200))]).submitted(0, 0).submitted(0, 1);
    let course = course.receipt(0, 0, Status::Delivered, Detail::DELIVERED);
    course.receipt(0, 1, Status::Delivered, Detail::DELIVERED).assert_shown_as("sms_delivered");
}

#[test]
fn viber_fails_over_to_sms() {
    let course = Course::start(vec![viber(false), sms()]).submitted(0, 0);
    let course = course.receipt(0, 0, Status::Undelivered, Detail::NOT_VIBER_USER).submitted(1, 0);
    course.receipt(1, 0, Status::Delivered, Detail::DELIVERED).assert_shown_as("viber_sms_delivered");
}

#[test]
fn viber_is_delivered_and_not_seen_in_time() {
    let course = Course::start(vec![viber(true)]).submitted(0, 0);
    let course = course.receipt(0, 0, Status::Delivered, Detail::DELIVERED);
    course.expired(0).assert_shown_as("viber_expired_on_delivery");
}

#[test]
fn viber_is_seen() {
    let course = Course::start(vec![viber(false)]).submitted(0, 0);
    course.receipt(0, 0, Status::Seen, Detail::SEEN).assert_shown_as("viber_seen");
}

#[test]
fn a_template_is_sent() {
    let mut content = viber(false);
    if let Content::Viber(viber) = &mut content {
        viber.message = ViberMessage::Template(ViberTemplate {
            id: "parcel-arrived".into(),
            language: "en".into(),
            params: BTreeMap::from([("number".into(), "4711".into())]),
            all_devices: false,
            seq: 0,
        });
    }
    let mut course = Course::start(vec![content]);
    course.flow.kind = FlowKind::Transactional;
    course.submitted(0, 0).assert_shown_as("transactional");
}

#[test]
fn a_machine_answers_a_call() {
    let call = Receipt {
        duration_s: Some(7),
        answered_by: Some("machine".into()),
        ..Receipt::new(Status::Completed, Detail::COMPLETED)
    };
    let course = Course::start(vec![sample::voice(TO)]).submitted(0, 0);
    course.then(Event::Receipt { message: 0, part: 0, receipt: call }).assert_shown_as("voice_completed");
}

#[test]
fn the_last_step_ends_in_a_failover_status() {
    Course::start(vec![sms()]).submitted(0, 0).expired(0).assert_shown_as("failed_no_next_step");
}

#[test]
fn a_status_does_not_fail_over() {
    let mut step = sample::step(1, sms());
    step.failover_on = vec![Status::Failed];
    let course = Course::of(vec![step]).submitted(0, 0);
    course.receipt(0, 0, Status::Undelivered, Detail::CALL_BARRED).assert_shown_as("failed_not_triggered");
}

#[test]
fn the_balance_cant_pay() {
    Course::start(vec![sms()]).then(Event::Unaffordable { message: 0 }).assert_shown_as("failed_unpaid");
}

#[test]
fn a_flow_is_cancelled() {
    Course::start(vec![sms()]).then(Event::Cancel { by: None }).assert_shown_as("cancelled");
}
