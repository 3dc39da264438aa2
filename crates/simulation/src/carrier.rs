//! Carriers that throttle, lose connections, answer late, and report twice, out of order or wrongly.

use crate::Trial;
use crate::world::{Reply, State, Submission, World};
use async_trait::async_trait;
use carriers::{Carrier, Outcome, Outgoing};
use flow::{Channel, Detail, Receipt, Status};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A carrier of the world.
pub struct SimulatedCarrier {
    pub name: String,
    pub waits: bool,
    pub world: Arc<World>,
}

/// What a carrier does with a part.
#[derive(Clone, Copy)]
enum Course {
    Throttle,
    Refuse,
    DropBefore,
    DropAfter,
    Take { answer_ms: u64 },
}

fn draw(state: &mut State) -> Course {
    if state.happens(state.mood.throttled) {
        return Course::Throttle;
    }
    if state.happens(state.mood.refused) {
        return Course::Refuse;
    }
    if state.happens(state.mood.dropped_before) {
        return Course::DropBefore;
    }
    if state.happens(state.mood.dropped_after) {
        return Course::DropAfter;
    }
    // Every carrier of ours answers within two minutes, or its own timeout makes the outcome unknown.
    let usual_ms = if state.trial == Trial::Hostile { 2000 } else { 300 };
    let longest_ms = if state.happens(state.mood.slow) { 120_000 } else { usual_ms };
    Course::Take { answer_ms: state.random.u64(0..longest_ms) }
}

/// The receipts of a part that was taken, each with its delay, milliseconds.
fn script(state: &mut State, channel: Channel, ttl_ms: i64) -> Vec<(i64, Status)> {
    use Status::{Busy, Completed, Delivered, Expired, Failed, NoAnswer, Ringing, Seen, Sent, Undelivered};
    let choice = state.random.u8(0..20);
    let statuses: &[Status] = match (channel, choice) {
        (_, 0..2) => &[],
        (Channel::Sms, 2..6) => &[Undelivered],
        (Channel::Sms, 6) => &[Failed],
        (Channel::Sms, _) => &[Delivered],
        (Channel::Viber, 2..6) => &[Undelivered],
        (Channel::Viber, 6) => &[Expired],
        (Channel::Viber, 7..12) => &[Delivered],
        (Channel::Viber, _) => &[Delivered, Seen],
        (Channel::Voice, 2..5) => &[Ringing, Busy],
        (Channel::Voice, 5..8) => &[Ringing, NoAnswer],
        (Channel::Voice, 8) => &[Failed],
        (Channel::Voice, _) => &[Ringing, Completed],
    };
    let mut statuses = statuses.to_vec();
    if state.happens(state.mood.disordered) {
        if channel == Channel::Sms {
            statuses.push(Sent);
        }
        state.random.shuffle(&mut statuses);
    }
    if state.happens(state.mood.wrong) {
        // It contradicts itself.
        statuses.push(if channel == Channel::Voice { NoAnswer } else { Undelivered });
    }
    let late = state.random.u8(0..10) == 0;
    let mut at_ms = if late { ttl_ms + state.random.i64(0..600_000) } else { state.random.i64(0..30_000) };
    let mut receipts = Vec::new();
    for status in statuses {
        receipts.push((at_ms, status));
        if state.happens(state.mood.repeated) {
            receipts.push((at_ms + state.random.i64(0..60_000), status));
        }
        at_ms += state.random.i64(0..20_000);
    }
    receipts
}

impl SimulatedCarrier {
    /// Takes a part: from now on it is on its way, whatever becomes of the answer.
    fn take(&self, submission: usize, channel: Channel, ttl_ms: i64) -> String {
        let reference = format!("{}-{submission}", self.name);
        let (receipts, wrong) = self.world.with(|state| {
            state.submissions[submission].reference = Some(reference.clone());
            let wrong = state.happens(state.mood.wrong);
            (script(state, channel, ttl_ms), wrong)
        });
        for (after_ms, status) in receipts {
            let receipt = Receipt::new(status, Detail::plain(status));
            self.world.post(after_ms, Some(submission), &self.name, &reference, receipt);
        }
        if wrong {
            // Of a message that is not ours, and of a status that this channel does not have.
            let nonsense = Receipt::new(Status::Delivered, Detail::DELIVERED);
            self.world.post(500, None, &self.name, &format!("{reference}x"), nonsense);
            let foreign = if channel == Channel::Voice { Status::Seen } else { Status::Busy };
            let foreign = Receipt::new(foreign, Detail::plain(foreign));
            self.world.post(500, None, &self.name, &reference, foreign);
        }
        reference
    }
}

#[async_trait]
impl Carrier for SimulatedCarrier {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let step = outgoing.step();
        let channel = step.channel();
        let (submission, course) = self.world.with(|state| {
            let begun = state.now();
            state.submissions.push(Submission {
                waits: self.waits,
                to: step.to().to_owned(),
                step: outgoing.message,
                part: outgoing.part,
                begun,
                reference: None,
                reply: None,
            });
            (state.submissions.len() - 1, draw(state))
        });
        self.world.step().await;
        let ttl_ms = outgoing.time_left.as_millis() as i64;
        let (reply, outcome) = match course {
            Course::Throttle => {
                let after = self.world.with(|state| state.random.bool().then(|| Duration::from_secs(5)));
                (Reply::Later, Outcome::Later { reason: "throttled", after })
            }
            Course::Refuse => {
                (Reply::Refused, Outcome::Refused { detail: Detail::FAILED, description: None })
            }
            Course::DropBefore => (Reply::Unknown, Outcome::Unknown { reason: "connection lost" }),
            Course::DropAfter => {
                self.take(submission, channel, ttl_ms);
                (Reply::Unknown, Outcome::Unknown { reason: "connection lost" })
            }
            Course::Take { answer_ms } => {
                let reference = self.take(submission, channel, ttl_ms);
                self.world.step().await;
                sleep(Duration::from_millis(answer_ms)).await;
                (Reply::Accepted, Outcome::Accepted { reference })
            }
        };
        self.world.step().await;
        self.world.with(|state| {
            let now = state.now();
            state.submissions[submission].reply = Some((now, reply));
        });
        outcome
    }

    /// What it calls its last hand-over of the part, as if it took an id of ours; only some carriers do.
    fn expected_reference(&self, outgoing: &Outgoing) -> Option<String> {
        let to = outgoing.step().to();
        self.world.with(|state| {
            let here = |submission: &Submission| {
                (submission.to.as_str(), submission.step, submission.part)
                    == (to, outgoing.message, outgoing.part)
            };
            let last = state.submissions.iter().rposition(here)?;
            (self.name == "eager").then(|| format!("{}-{last}", self.name))
        })
    }

    fn is_up(&self) -> bool {
        self.world.with(|state| !state.down.contains(&self.name))
    }

    async fn close(&self) {}
}
