//! Clients: each sends one flow, again until it is answered, and some cancel it.

use crate::api::Http;
use crate::parties::{HOSTILE_HOST, SENDING_MS};
use crate::request::Request;
use crate::trial::Trial;
use crate::world::World;
use anyhow::{Context, bail};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Flows that the hostile application sends, and hosts of its targets.
const HOSTILE_FLOWS: usize = 120;
const HOSTILE_HOSTS: usize = 100;
/// Between the hostile application's floods.
const FLOOD_INTERVAL: Duration = Duration::from_secs(600);
/// Idempotency keys are asked for again so long after everything was sent, milliseconds.
const ASK_AGAIN_MS: i64 = 300_000;

/// Sends what the hostile application sends: hundreds of flows at once, again and again.
pub async fn flood(api: Http) -> anyhow::Result<()> {
    for flood in 0..3 {
        for i in 0..HOSTILE_FLOWS {
            let to = format!("+3070{:08}", flood * HOSTILE_FLOWS + i);
            let url = format!("https://{HOSTILE_HOST}{}.example/", i % HOSTILE_HOSTS);
            let step = json!({"type": "Sms", "order": 1, "to": to, "from": "Acme", "ttl": 5,
                "message": {"body": "hi"}});
            let body = json!({"flow": [step], "callback": {"strategy": "OnCompletion", "url": url}});
            // What was too much is not sent again.
            match api.send(&body, None).await {
                (200 | 429 | 503, _) => {}
                (status, answer) => bail!("a flood was answered {status}: {answer}"),
            }
        }
        sleep(FLOOD_INTERVAL).await;
    }
    Ok(())
}

/// Lives a client's life, or what is left of it after a crash. An error is a broken promise.
pub async fn run(world: Arc<World>, index: usize, api: Http) -> anyhow::Result<()> {
    let (request, wait_ms) = world.with(|state| {
        let now = state.now();
        (state.requests[index].clone(), state.requests[index].due_ms - now.elapsed_ms)
    });
    sleep(Duration::from_millis(wait_ms.max(0).unsigned_abs())).await;
    let client = Client { world, index, api, request };
    let id = match &client.request.tracking {
        Some(id) => Some(id.clone()),
        None => client.send().await?,
    };
    if let Some(id) = id {
        client.find(&id).await?;
        client.cancel(&id).await?;
        client.ask_again(&id).await?;
    }
    client.world.with(|state| state.requests[index].settled = true);
    Ok(())
}

struct Client {
    world: Arc<World>,
    index: usize,
    api: Http,
    /// As it was when this life of the server began.
    request: Request,
}

impl Client {
    /// Sends the flow until it is acknowledged; returns its tracking id, or none where the client never
    /// knows.
    async fn send(&self) -> anyhow::Result<Option<String>> {
        let Client { world, index, api, request } = self;
        loop {
            if request.key.is_none() && world.with(|state| state.requests[*index].posted) {
                // It does not know, and does not dare to ask again.
                return Ok(None);
            }
            world.step().await;
            world.with(|state| {
                state.requests[*index].posted = true;
                state.note(format!("{} is sent", request.to));
            });
            let (status, answer) = api.send(&request.body, request.key.as_deref()).await;
            world.step().await;
            world.with(|state| state.note(format!("{} is answered {status}", request.to)));
            match status {
                200 => {
                    let id = answer["trackingId"].as_str().context("an answer without an id")?.to_owned();
                    world.with(|state| {
                        let now = state.now();
                        let request = &mut state.requests[*index];
                        (request.tracking, request.acknowledged) = (Some(id.clone()), Some(now));
                    });
                    return Ok(Some(id));
                }
                // Nothing was stored, so that anybody can ask again.
                429 | 503 => {
                    world.with(|state| state.requests[*index].posted = false);
                    sleep(Duration::from_secs(world.with(|state| state.random.u64(1..10)))).await;
                }
                _ => bail!("a good request was answered {status}: {answer}"),
            }
        }
    }

    /// The next search finds what was acknowledged.
    async fn find(&self, id: &str) -> anyhow::Result<()> {
        let filters = json!([{"fieldName": "to", "searchTerm": self.request.to}]);
        if let (200, page) = self.api.post("/failover/tracking", &filters).await
            && (page["totalElements"] != 1 || page["content"][0]["trackingId"] != *id)
        {
            bail!("{id} was acknowledged, and the next search answered {page}");
        }
        Ok(())
    }

    /// Cancels the flow, where the client wants that.
    async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        let Client { world, index, api, request } = self;
        let Some(after_ms) = request.cancel_after_ms else { return Ok(()) };
        sleep(Duration::from_millis(after_ms)).await;
        loop {
            world.step().await;
            world.with(|state| {
                let now = state.now();
                state.requests[*index].cancel_asked.get_or_insert(now);
            });
            let (status, answer) = api.delete(&format!("/failover/{id}")).await;
            world.step().await;
            world.with(|state| state.note(format!("{} is cancelled: {status}", request.to)));
            match status {
                200 => {
                    world.with(|state| {
                        let now = state.now();
                        state.requests[*index].cancelled = Some(now);
                    });
                    return Ok(());
                }
                409 => return Ok(()),
                429 | 503 => sleep(Duration::from_secs(3)).await,
                _ => bail!("cancelling {id} was answered {status}: {answer}"),
            }
        }
    }

    /// An idempotency key still names the flow, however wrong the clock was meanwhile.
    async fn ask_again(&self, id: &str) -> anyhow::Result<()> {
        let Client { world, api, request, .. } = self;
        let Some(key) = request.key.as_ref().filter(|_| world.with(|state| state.trial) == Trial::Hostile)
        else {
            return Ok(());
        };
        let wait_ms = world.with(|state| SENDING_MS + ASK_AGAIN_MS - state.now().elapsed_ms);
        sleep(Duration::from_millis(wait_ms.max(0).unsigned_abs())).await;
        let (status, answer) = api.send(&request.body, Some(key)).await;
        if status == 200 && answer["trackingId"] != *id {
            bail!("a key was forgotten: {id} was sent, and then {}", answer["trackingId"]);
        }
        Ok(())
    }
}
