//! The sandbox: a carrier that plays the outcome that the recipient's last three digits select. The last
//! digit selects for Sms, the one before it for Viber, the one before that for Voice (docs/sandbox.md has the
//! table).

use crate::carrier::{Carrier, Outcome};
use crate::outgoing::Outgoing;
use crate::sink::{CarrierSink, Report};
use async_trait::async_trait;
use flow::{CarrierRef, Channel, Detail, Receipt, Status};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The configuration of a sandbox.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxConfig {
    /// The time between two events.
    #[serde(default = "default_delay", deserialize_with = "crate::config::duration")]
    pub delay: Duration,
}

const fn default_delay() -> Duration {
    Duration::from_millis(50)
}

/// Attempts that are answered with "later" before one is accepted (digit 5).
const REFUSALS: u32 = 3;
/// How long a played call lasts, seconds.
const TALK_S: u32 = 7;

/// A carrier that plays outcomes.
pub struct Sandbox {
    name: String,
    delay: Duration,
    sink: Arc<dyn CarrierSink>,
    /// Becomes true when no more receipts are to be played.
    closing: watch::Sender<bool>,
}

impl Sandbox {
    /// A sandbox called `name`, whose receipts go to `sink`.
    pub fn new(name: String, config: &SandboxConfig, sink: Arc<dyn CarrierSink>) -> Sandbox {
        Sandbox { name, delay: config.delay, sink, closing: watch::channel(false).0 }
    }

    /// Plays receipts, each after its delay.
    fn play(&self, reference: String, receipts: Vec<(Duration, Receipt)>) {
        let reference = CarrierRef::new(&*self.name, reference);
        let (sink, mut closing) = (Arc::clone(&self.sink), self.closing.subscribe());
        let play = async move {
            for (delay, receipt) in receipts {
                tokio::time::sleep(delay).await;
                let report = Report { reference: reference.clone(), recipient: None, receipt };
                // As a carrier would, offer it again until it is stored.
                while sink.report(report.clone()).await.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = play => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
        });
    }
}

/// The digit that selects the outcome on a channel; 0 if the recipient has none there.
fn digit(to: &str, channel: Channel) -> u32 {
    let from_end = match channel {
        Channel::Sms => 0,
        Channel::Viber => 1,
        Channel::Voice => 2,
    };
    to.chars().rev().nth(from_end).and_then(|c| c.to_digit(10)).unwrap_or(0)
}

/// The receipts that follow an accepted part, each with the delay after the one before.
fn script(channel: Channel, digit: u32, delay: Duration, time_left: Duration) -> Vec<(Duration, Receipt)> {
    let soon = |status, detail| (delay, Receipt::new(status, detail));
    let late = |status, detail| (time_left.mul_f64(1.5), Receipt::new(status, detail));
    let talked = |who: &str| {
        let (after, receipt) = soon(Status::Completed, Detail::COMPLETED);
        (after, Receipt { duration_s: Some(TALK_S), answered_by: Some(who.into()), ..receipt })
    };
    let delivered = soon(Status::Delivered, Detail::DELIVERED);
    let seen = soon(Status::Seen, Detail::SEEN);
    let ringing = soon(Status::Ringing, Detail::RINGING);
    match (channel, digit) {
        (Channel::Sms, 1) => vec![soon(Status::Undelivered, Detail::UNKNOWN_NUMBER)],
        (Channel::Sms, 3) => vec![],
        (Channel::Sms, 4) => vec![late(Status::Delivered, Detail::DELIVERED)],
        (Channel::Sms, 6) => vec![delivered.clone(), delivered, soon(Status::Sent, Detail::SENT)],
        (Channel::Sms, 7) => vec![soon(Status::Undelivered, Detail::CALL_BARRED)],
        (Channel::Sms, _) => vec![delivered],

        (Channel::Viber, 1) => vec![soon(Status::Undelivered, Detail::NOT_VIBER_USER)],
        (Channel::Viber, 2) => vec![soon(Status::Failed, Detail::MESSAGE_REJECTED)],
        (Channel::Viber, 3) => vec![],
        (Channel::Viber, 4) => vec![late(Status::Delivered, Detail::DELIVERED)],
        (Channel::Viber, 6) => vec![seen.clone(), delivered.clone(), seen, delivered],
        (Channel::Viber, 7) => vec![delivered],
        (Channel::Viber, _) => vec![delivered, seen],

        (Channel::Voice, 1) => vec![ringing, soon(Status::Busy, Detail::BUSY)],
        (Channel::Voice, 2) => vec![ringing, soon(Status::NoAnswer, Detail::NO_ANSWER)],
        (Channel::Voice, 3) => vec![ringing],
        (Channel::Voice, 4) => vec![ringing, talked("machine")],
        (Channel::Voice, 6) => vec![ringing, talked("human"), talked("human")],
        (Channel::Voice, 7) => vec![ringing, soon(Status::Failed, Detail::FAILED)],
        (Channel::Voice, _) => vec![ringing, talked("human")],
    }
}

#[async_trait]
impl Carrier for Sandbox {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let step = outgoing.step();
        let channel = step.channel();
        let digit = digit(step.to(), channel);
        if digit == 5 && outgoing.attempts < REFUSALS {
            let reason = if channel == Channel::Sms { "throttled" } else { "unavailable" };
            return Outcome::Later { reason, after: Some(self.delay) };
        }
        if (channel, digit) == (Channel::Sms, 2) {
            let description = Some("The sandbox refuses this number.".to_owned());
            return Outcome::Refused { detail: Detail::FAILED, description };
        }
        let reference = outgoing.part().id.simple().to_string();
        self.play(reference.clone(), script(channel, digit, self.delay, outgoing.time_left));
        Outcome::Accepted { reference }
    }

    fn is_up(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.closing.send_replace(true);
    }
}
