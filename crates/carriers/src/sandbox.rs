//! The sandbox: a carrier that plays the outcome that the recipient's last three digits select. The last
//! digit selects for Sms, the one before it for Viber, the one before that for Voice (docs/sandbox.md has the
//! table).

use crate::carrier::{Carrier, Outcome};
use crate::outgoing::Outgoing;
use crate::sink::{CarrierSink, Report};
use async_trait::async_trait;
use flow::{CarrierRef, Channel, Detail, Play, PlayedReceipt, Receipt};
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
    to.chars().rev().nth(channel as usize).and_then(|c| c.to_digit(10)).unwrap_or(0)
}

/// What follows after the part was taken: the receipts, each with how long after the one before.
fn script(receipts: &[PlayedReceipt], delay: Duration, time_left: Duration) -> Vec<(Duration, Receipt)> {
    let timed = |played: &PlayedReceipt| {
        let after = if played.is_late { time_left.mul_f64(1.5) } else { delay };
        let answered_by = played.answered_by.map(str::to_owned);
        let duration_s = played.answered_by.map(|_| TALK_S);
        (after, Receipt { duration_s, answered_by, ..Receipt::new(played.status, played.detail.clone()) })
    };
    receipts.iter().map(timed).collect()
}

#[async_trait]
impl Carrier for Sandbox {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let step = outgoing.step();
        let channel = step.channel();
        let sandbox = &channel.rules().sandbox;
        let digit = digit(step.to(), channel);
        if digit == 5 && outgoing.attempts < REFUSALS {
            return Outcome::Later { reason: sandbox.later_reason, after: Some(self.delay) };
        }
        let Play::Receipts(receipts) = sandbox.play(digit) else {
            let description = Some("The sandbox refuses this number.".to_owned());
            return Outcome::Refused { detail: Detail::FAILED, description };
        };
        let reference = outgoing.part_id().simple().to_string();
        self.play(reference.clone(), script(receipts, self.delay, outgoing.time_left));
        Outcome::Accepted { reference }
    }

    fn is_up(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.closing.send_replace(true);
    }
}
