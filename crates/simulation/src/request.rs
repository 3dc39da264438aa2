//! What clients want: flows that a seed draws.

use crate::fault::{Fault, Mood};
use crate::moment::At;
use crate::parties::{CHANNELS, HANGING, SENDING_MS};
use fastrand::Rng;
use flow::{CallbackStrategy, Channel};
use serde_json::{Value, json};

/// What is asked for in a step.
#[derive(Clone, Debug)]
pub struct RequestedStep {
    pub channel: Channel,
    pub ttl_ms: i64,
    pub parts: u16,
    /// Statuses that start the next step, in the contract's spelling.
    pub failover_on: Vec<&'static str>,
}

/// A client's flow.
#[derive(Clone, Debug)]
pub struct Request {
    /// Unlike anybody else's.
    pub to: String,
    pub steps: Vec<RequestedStep>,
    pub callback: Option<CallbackStrategy>,
    /// Its callbacks go to a target that hangs during an outage.
    pub hangs: bool,
    /// The idempotency key. With it a client asks again when it was not answered; without it, it never knows.
    pub key: Option<String>,
    /// When it is sent, milliseconds from the start.
    pub due_ms: i64,
    /// It is cancelled so long after it was acknowledged, milliseconds.
    pub cancel_after_ms: Option<u64>,
    /// The JSON that is posted.
    pub body: Value,
    /// Nothing more is to be done.
    pub settled: bool,
    /// It was posted once at least.
    pub posted: bool,
    /// When it was acknowledged.
    pub acknowledged: Option<At>,
    /// What it was answered.
    pub tracking: Option<String>,
    /// When a cancellation was first asked for, and when one was acknowledged.
    pub cancel_asked: Option<At>,
    pub cancelled: Option<At>,
}

impl Request {
    /// Draws what a client wants.
    pub fn draw(number: usize, random: &mut Rng, mood: &Mood) -> Request {
        let to = format!("+306{number:09}");
        let (mut steps, mut bodies) = (Vec::new(), Vec::new());
        for order in 1..=random.usize(1..=4) {
            let channel = CHANNELS[random.usize(0..CHANNELS.len())];
            let minutes = random.i64(1..=10);
            let parts = if channel == Channel::Sms { random.u16(1..=3) } else { 1 };
            let (failover_on, mut body): (Vec<&'static str>, Value) = match channel {
                Channel::Sms => (
                    vec!["Undelivered", "Failed"],
                    json!({"from": "Acme", "message": {"body": "x".repeat(usize::from(parts) * 150)}}),
                ),
                Channel::Viber => (
                    vec!["Expired", "Failed", "Undelivered"],
                    json!({"senderInfoTrackingId": "acme", "message": {"text": "hi"}}),
                ),
                _ => (
                    vec!["Busy", "NoAnswer"],
                    json!({"from": "+302100000000", "dialPlan": {"verbs": [{"type": "SAY", "message":
                        {"language": "en-US", "gender": "female", "text": "hi"}}]}}),
                ),
            };
            body["type"] = channel.name().into();
            body["order"] = order.into();
            body["to"] = to.clone().into();
            body["ttl"] = minutes.into();
            bodies.push(body);
            steps.push(RequestedStep { channel, ttl_ms: minutes * 60_000, parts, failover_on });
        }
        let callback = match random.u8(0..3) {
            0 => None,
            1 => Some((CallbackStrategy::OnChange, "OnChange")),
            _ => Some((CallbackStrategy::OnCompletion, "OnCompletion")),
        };
        let hangs = number % 2 == 1;
        let mut body = json!({"flow": bodies});
        if let Some((_, strategy)) = callback {
            let host = if hangs { HANGING } else { "target" };
            body["callback"] = json!({"strategy": strategy, "url": format!("https://{host}.example/")});
        }
        let cancels = random.f64() < mood.of(Fault::Cancels);
        Request {
            to,
            steps,
            callback: callback.map(|(strategy, _)| strategy),
            hangs,
            key: (random.u8(0..4) > 0).then(|| format!("key {number}")),
            due_ms: random.i64(0..SENDING_MS),
            cancel_after_ms: cancels.then(|| random.u64(0..900_000)),
            body,
            settled: false,
            posted: false,
            acknowledged: None,
            tracking: None,
            cancel_asked: None,
            cancelled: None,
        }
    }
}
