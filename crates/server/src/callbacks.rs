//! Callbacks: the signed tracking, posted to the client's URL (contract, section 5).

use crate::api::tracking::TrackingView;
use crate::clock::{new_id, now_ms};
use crate::config::CallbackConfig;
use crate::targets::{GuardedResolver, check_url};
use async_trait::async_trait;
use carriers::backoff;
use flow::{Event, Flow, PendingCallback};
use parking_lot::Mutex;
use reqwest::{Client, Url, redirect::Policy};
use standardwebhooks::Webhook;
use std::collections::HashMap;
use std::sync::Arc;
use store::callback_secret;
use uuid::Uuid;

/// The headers of a callback.
pub type Headers = [(&'static str, String); 4];

/// What posts callbacks.
#[async_trait]
pub trait Post: Send + Sync {
    /// Posts a body once; answers with the HTTP status.
    ///
    /// # Errors
    /// Why there was no answer.
    async fn post(&self, url: Url, headers: Headers, body: String) -> Result<u16, String>;
}

/// Posts over the network, to where callbacks may go.
pub struct HttpPost(Client);

impl HttpPost {
    /// # Errors
    /// When the HTTP client can't be set up.
    pub fn new(config: &CallbackConfig) -> Result<HttpPost, String> {
        let client = Client::builder()
            .timeout(config.timeout)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver { allow_private: config.allow_private }))
            .user_agent(concat!("Switchback/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(HttpPost).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Post for HttpPost {
    async fn post(&self, url: Url, headers: Headers, body: String) -> Result<u16, String> {
        let request =
            headers.into_iter().fold(self.0.post(url), |request, (name, value)| request.header(name, value));
        // Clients put secrets into their URLs.
        let response = request.body(body).send().await.map_err(|error| chain(&error.without_url()))?;
        Ok(response.status().as_u16())
    }
}

/// Makes callbacks.
pub struct Callbacks {
    post: Box<dyn Post>,
    config: CallbackConfig,
    /// Callbacks under way, by host, so that one that hangs can't take every slot.
    under_way: Arc<Mutex<HashMap<String, usize>>>,
    /// What the applications' signing keys are derived from.
    secret_key: [u8; 32],
}

/// One of a host's slots; given back on drop.
struct Slot {
    host: String,
    under_way: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock();
        if let Some(count) = under_way.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.host);
            }
        }
    }
}

impl Callbacks {
    /// `secret_key` is the installation's.
    pub fn new(config: CallbackConfig, post: Box<dyn Post>, secret_key: [u8; 32]) -> Callbacks {
        Callbacks { post, config, under_way: Arc::default(), secret_key }
    }

    /// How many callbacks are made at once.
    pub fn concurrency(&self) -> usize {
        self.config.concurrency
    }

    /// Makes a flow's oldest pending callback; answers with what came of it, or `None` when its host has no free
    /// slot.
    pub async fn call(&self, flow: &Flow) -> Option<Event> {
        let (Some(callback), Some(pending)) = (&flow.callback, flow.callbacks.first()) else { return None };
        let target = Url::parse(&callback.url).map_err(|error| error.to_string());
        let target = target.and_then(|url| check_url(&url, self.config.allow_private).map(|()| url));
        let result = match target {
            Ok(url) => {
                let _slot = self.slot(url.host_str().unwrap_or_default())?;
                self.post_tracking(url, flow, pending).await
            }
            Err(error) => Err(error),
        };
        let event = match result {
            Ok(()) => {
                metrics::counter!("switchback_callbacks_total", "result" => "acknowledged").increment(1);
                Event::CallbackDone { number: pending.number }
            }
            Err(error) => {
                let now_ms = now_ms();
                let given_up = now_ms - pending.since_ms() >= self.config.give_up.as_millis() as i64;
                let result = if given_up { "dead" } else { "failed" };
                metrics::counter!("switchback_callbacks_total", "result" => result).increment(1);
                tracing::info!(flow = %flow.id, error, given_up, "a callback failed");
                let pause = backoff::delay(pending.attempts, self.config.retry_base, self.config.retry_max);
                let at_ms = (!given_up).then(|| now_ms.saturating_add(pause.as_millis().max(1) as i64));
                Event::CallbackFailed { number: pending.number, at_ms, error }
            }
        };
        Some(event)
    }

    fn slot(&self, host: &str) -> Option<Slot> {
        let mut under_way = self.under_way.lock();
        let count = under_way.entry(host.to_owned()).or_default();
        if *count >= self.config.concurrency_per_host {
            return None;
        }
        *count += 1;
        Some(Slot { host: host.to_owned(), under_way: Arc::clone(&self.under_way) })
    }

    /// Posts the tracking as it was at the change; any 2xx acknowledges.
    async fn post_tracking(&self, url: Url, flow: &Flow, pending: &PendingCallback) -> Result<(), String> {
        let state = flow.state_at(pending.number).ok_or("it is owed no more")?;
        let body = serde_json::to_string(&TrackingView::of(flow, &state)).map_err(|e| e.to_string())?;
        self.post_signed(url, &flow.application, flow.webhook_id(pending), body).await
    }

    /// Passes on what a recipient wrote, signed as callbacks are; any 2xx acknowledges.
    pub async fn pass_on(&self, url: &str, application: &str, body: &str) -> Result<(), String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        check_url(&url, self.config.allow_private)?;
        let slot = self.slot(url.host_str().unwrap_or_default());
        let _slot = slot.ok_or("too many calls to this host are under way")?;
        self.post_signed(url, application, new_id(now_ms()), body.to_owned()).await
    }

    async fn post_signed(&self, url: Url, application: &str, id: Uuid, body: String) -> Result<(), String> {
        let id = id.to_string();
        let timestamp = now_ms() / 1000;
        let signature = Webhook::from_bytes(callback_secret(&self.secret_key, application).into())
            .and_then(|webhook| webhook.sign(&id, timestamp, body.as_bytes()))
            .map_err(|error| error.to_string())?;
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        match self.post.post(url, headers, body).await? {
            200..300 => Ok(()),
            status => Err(format!("the target answered {status}")),
        }
    }
}

/// An error with its causes: reqwest's own says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
