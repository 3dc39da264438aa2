//! Carriers that throttle, lose connections, answer late, and report twice, out of order or wrongly.

use crate::fault::Fault;
use crate::trial::Trial;
use crate::world::{Reply, State, Submission, World};
use async_trait::async_trait;
use carriers::{Carrier, Outcome, Outgoing, Smpp};
use flow::{Channel, Detail, Receipt, Status};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A carrier of the world.
pub struct SimulatedCarrier {
    pub name: String,
    pub waits: bool,
    pub world: Arc<World>,
    /// What Sms go through.
    pub smpp: Option<Smpp>,
}

/// What a carrier does with a part.
#[derive(Clone, Copy)]
pub enum Course {
    Throttle,
    Refuse,
    DropBefore,
    DropAfter,
    Take { answer_ms: u64 },
}

/// Draws it.
pub fn draw(state: &mut State) -> Course {
    if state.happens(Fault::Throttled) {
        return Course::Throttle;
    }
    if state.happens(Fault::Refused) {
        return Course::Refuse;
    }
    if state.happens(Fault::DroppedBefore) {
        return Course::DropBefore;
    }
    if state.happens(Fault::DroppedAfter) {
        return Course::DropAfter;
    }
    // Every carrier of ours answers within two minutes, or its own timeout makes the outcome unknown.
    let usual_ms = if state.trial == Trial::Hostile { 2000 } else { 300 };
    let longest_ms = if state.happens(Fault::Slow) { 120_000 } else { usual_ms };
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
        (_, _) => &[Ringing, Completed],
    };
    let mut statuses = statuses.to_vec();
    if state.happens(Fault::Disordered) {
        if channel == Channel::Sms {
            statuses.push(Sent);
        }
        state.random.shuffle(&mut statuses);
    }
    if state.happens(Fault::Wrong) {
        // It contradicts itself.
        statuses.push(if channel == Channel::Voice { NoAnswer } else { Undelivered });
    }
    let late = state.random.u8(0..10) == 0;
    let mut at_ms = if late { ttl_ms + state.random.i64(0..600_000) } else { state.random.i64(0..30_000) };
    let mut receipts = Vec::new();
    for status in statuses {
        receipts.push((at_ms, status));
        if state.happens(Fault::Repeated) {
            receipts.push((at_ms + state.random.i64(0..60_000), status));
        }
        at_ms += state.random.i64(0..20_000);
    }
    receipts
}

/// Takes a part for a carrier: from now on it is on its way, whatever becomes of the answer. Its receipts go
/// by the carrier's SMPP session, or directly.
pub fn take(world: &Arc<World>, carrier: &str, submission: usize, channel: Channel, by_smsc: bool) -> String {
    let reference = format!("{carrier}-{submission}");
    let (receipts, wrong) = world.with(|state| {
        let taken = &mut state.submissions[submission];
        taken.reference = Some(reference.clone());
        let ttl_ms = taken.ttl_ms;
        let wrong = state.happens(Fault::Wrong);
        (script(state, channel, ttl_ms), wrong)
    });
    for (after_ms, status) in receipts {
        let receipt = Receipt::new(status, Detail::plain(status));
        world.post(after_ms, Some(submission), carrier, &reference, receipt, by_smsc);
    }
    if wrong {
        // Of a message that is not ours, and of a status that this channel does not have.
        let nonsense = Receipt::new(Status::Delivered, Detail::DELIVERED);
        world.post(500, None, carrier, &format!("{reference}x"), nonsense, by_smsc);
        let foreign = if channel == Channel::Voice { Status::Seen } else { Status::Busy };
        let foreign = Receipt::new(foreign, Detail::plain(foreign));
        world.post(500, None, carrier, &reference, foreign, by_smsc);
    }
    reference
}

impl SimulatedCarrier {
    /// A part comes.
    fn begin(&self, outgoing: &Outgoing) -> usize {
        self.world.with(|state| {
            let begun = state.now();
            state.submissions.push(Submission {
                carrier: self.name.clone(),
                waits: self.waits,
                to: outgoing.step().to().to_owned(),
                step: outgoing.message,
                part: outgoing.part,
                begun,
                ttl_ms: outgoing.time_left.as_millis() as i64,
                reference: None,
                reply: None,
                answered: None,
            });
            let (to, step, part) = (outgoing.step().to(), outgoing.message, outgoing.part);
            state.note(format!("{to} step {step} part {part} comes to {}", self.name));
            state.submissions.len() - 1
        })
    }

    /// The server has heard what became of it.
    fn end(&self, submission: usize, reply: Reply) {
        self.world.with(|state| {
            let now = state.now();
            state.submissions[submission].reply = Some((now, reply));
            let Submission { to, step, part, .. } = &state.submissions[submission];
            state.note(format!("{to} step {step} part {part} is answered: {reply:?}"));
        });
    }

    /// The SMPP carrier, where a part goes through it.
    fn smpp(&self, channel: Channel) -> Option<&Smpp> {
        self.smpp.as_ref().filter(|_| channel == Channel::Sms)
    }
}

#[async_trait]
impl Carrier for SimulatedCarrier {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let channel = outgoing.step().channel();
        let submission = self.begin(outgoing);
        if let Some(smpp) = self.smpp(channel) {
            self.world.step().await;
            let outcome = smpp.submit(outgoing).await;
            self.world.step().await;
            self.end(
                submission,
                match outcome {
                    Outcome::Accepted { .. } => Reply::Accepted,
                    Outcome::Refused { .. } => Reply::Refused,
                    Outcome::Later { .. } => Reply::Later,
                    Outcome::Unknown { .. } => Reply::Unknown,
                },
            );
            return outcome;
        }
        let course = self.world.with(draw);
        self.world.step().await;
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
                take(&self.world, &self.name, submission, channel, false);
                (Reply::Unknown, Outcome::Unknown { reason: "connection lost" })
            }
            Course::Take { answer_ms } => {
                let reference = take(&self.world, &self.name, submission, channel, false);
                self.world.step().await;
                sleep(Duration::from_millis(answer_ms)).await;
                (Reply::Accepted, Outcome::Accepted { reference })
            }
        };
        self.world.step().await;
        self.end(submission, reply);
        outcome
    }

    /// What it calls its last hand-over of the part, as if it took an id of ours; only some carriers do.
    fn expected_reference(&self, outgoing: &Outgoing) -> Option<String> {
        let to = outgoing.step().to();
        if self.smpp(outgoing.step().channel()).is_some() {
            return None;
        }
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

    async fn close(&self) {
        if let Some(smpp) = &self.smpp {
            smpp.close().await;
        }
    }
}
