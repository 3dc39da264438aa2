//! Clients: each sends one flow, again until it is answered, and some cancel it.

use crate::Trial;
use crate::api::Http;
use crate::world::{At, Mood, World};
use fastrand::Rng;
use flow::{CallbackStrategy, Channel};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Flows are sent within so long, milliseconds.
pub const SENDING_MS: i64 = 1_800_000;

/// The host of a target that hangs during an outage.
pub const HANGING: &str = "hanging";

/// How the hosts of the hostile application's targets are called.
pub const HOSTILE_HOST: &str = "hostile";
/// Flows that the hostile application sends, and hosts of its targets.
const HOSTILE_FLOWS: usize = 120;
const HOSTILE_HOSTS: usize = 100;
/// Between the hostile application's floods.
const FLOOD_INTERVAL: Duration = Duration::from_secs(600);
/// Idempotency keys are asked for again so long after everything was sent, milliseconds.
const ASK_AGAIN_MS: i64 = 300_000;

/// What is asked for in a step.
#[derive(Clone, Debug)]
pub struct Plan {
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
    pub steps: Vec<Plan>,
    pub callback: Option<CallbackStrategy>,
    /// Its callbacks go to a target that hangs during an outage.
    pub hangs: bool,
    /// With it a client asks again when it was not answered; without it, it never knows.
    key: Option<String>,
    due_ms: i64,
    cancel_after_ms: Option<u64>,
    body: Value,
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

/// The channels that clients send over. The simulation knows by itself what is right on each of them.
pub const CHANNELS: [Channel; 3] = [Channel::Sms, Channel::Viber, Channel::Voice];

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
            steps.push(Plan { channel, ttl_ms: minutes * 60_000, parts, failover_on });
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
        let cancels = random.f64() < mood.cancels;
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

/// Sends what the hostile application sends: hundreds of flows at once, again and again.
pub async fn flood(api: Http) -> Result<(), String> {
    for flood in 0..3 {
        for i in 0..HOSTILE_FLOWS {
            let to = format!("+3070{:08}", flood * HOSTILE_FLOWS + i);
            let url = format!("https://{HOSTILE_HOST}{}.example/", i % HOSTILE_HOSTS);
            let step = json!({"type": "Sms", "order": 1, "to": to, "from": "Acme", "message": {"body": "hi"}, "ttl": 5});
            let body = json!({"flow": [step], "callback": {"strategy": "OnCompletion", "url": url}});
            // What was too much is not sent again.
            match api.send(&body, None).await {
                (200 | 429 | 503, _) => {}
                (status, answer) => return Err(format!("a flood was answered {status}: {answer}")),
            }
        }
        sleep(FLOOD_INTERVAL).await;
    }
    Ok(())
}

/// Lives a client's life, or what is left of it after a crash. An error is a broken promise.
pub async fn run(world: Arc<World>, index: usize, api: Http) -> Result<(), String> {
    let (request, wait_ms) = world.with(|state| {
        let now = state.now();
        (state.requests[index].clone(), state.requests[index].due_ms - now.elapsed_ms)
    });
    sleep(Duration::from_millis(wait_ms.max(0).unsigned_abs())).await;
    let mut tracking = request.tracking;
    while tracking.is_none() {
        if request.key.is_none() && world.with(|state| state.requests[index].posted) {
            // It does not know, and does not dare to ask again.
            world.with(|state| state.requests[index].settled = true);
            return Ok(());
        }
        world.step().await;
        world.with(|state| state.requests[index].posted = true);
        let (status, answer) = api.send(&request.body, request.key.as_deref()).await;
        world.step().await;
        match status {
            200 => {
                let id = answer["trackingId"].as_str().ok_or("an answer without an id")?.to_owned();
                world.with(|state| {
                    let now = state.now();
                    let request = &mut state.requests[index];
                    (request.tracking, request.acknowledged) = (Some(id.clone()), Some(now));
                });
                tracking = Some(id);
            }
            // Nothing was stored, so that anybody can ask again.
            429 | 503 => {
                world.with(|state| state.requests[index].posted = false);
                sleep(Duration::from_secs(world.with(|state| state.random.u64(1..10)))).await;
            }
            _ => return Err(format!("a good request was answered {status}: {answer}")),
        }
    }
    let Some(id) = tracking else { return Ok(()) };
    let filters = json!([{"fieldName": "to", "searchTerm": request.to}]);
    if let (200, page) = api.post("/failover/tracking", &filters).await
        && (page["totalElements"] != 1 || page["content"][0]["trackingId"] != *id)
    {
        return Err(format!("{id} was acknowledged, and the next search answered {page}"));
    }
    if let Some(after_ms) = request.cancel_after_ms {
        sleep(Duration::from_millis(after_ms)).await;
        loop {
            world.step().await;
            world.with(|state| {
                let now = state.now();
                state.requests[index].cancel_asked.get_or_insert(now);
            });
            let (status, answer) = api.delete(&format!("/failover/{id}")).await;
            world.step().await;
            match status {
                200 => {
                    world.with(|state| {
                        let now = state.now();
                        state.requests[index].cancelled = Some(now);
                    });
                    break;
                }
                409 => break,
                429 | 503 => sleep(Duration::from_secs(3)).await,
                _ => return Err(format!("cancelling {id} was answered {status}: {answer}")),
            }
        }
    }
    if let Some(key) = request.key.filter(|_| world.with(|state| state.trial == Trial::Hostile)) {
        let wait_ms = world.with(|state| SENDING_MS + ASK_AGAIN_MS - state.now().elapsed_ms);
        sleep(Duration::from_millis(wait_ms.max(0).unsigned_abs())).await;
        let (status, answer) = api.send(&request.body, Some(&key)).await;
        if status == 200 && answer["trackingId"] != *id {
            return Err(format!("a key was forgotten: {id} was sent, and then {}", answer["trackingId"]));
        }
    }
    world.with(|state| state.requests[index].settled = true);
    Ok(())
}
