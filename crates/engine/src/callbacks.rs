//! Callbacks: the signed tracking, posted to the client's URL (contract, section 5).

use crate::clock::now_ms;
use crate::config::CallbackConfig;
use crate::metrics;
use crate::slots::{Slot, Slots};
use crate::targets::check_url;
use async_trait::async_trait;
use carriers::backoff;
use flow::{Attempt, Event, Flow, PendingCallback};
use futures::FutureExt;
use parking_lot::RwLock;
use reqwest::Url;
use standardwebhooks::Webhook;
use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use store::{Admission, CallbackKey, Offer};
use tokio::time::Instant;
use uuid::Uuid;
use wire::tracking::TrackingView;

/// A target that answers it wants no more callbacks of the flow (Standard Webhooks).
const GONE: u16 = 410;

/// The headers of a callback.
pub type Headers = [(&'static str, String); 4];

/// What a target answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` (RFC 9110, 10.2.3): how long to wait at least.
    pub retry_after: Option<Duration>,
}

impl From<u16> for Answer {
    fn from(status: u16) -> Answer {
        Answer { status, retry_after: None }
    }
}

/// Why a target gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// It did not answer within `callbacks.timeout`.
    #[error("no answer in time")]
    TimedOut,
    /// It could not be reached, or the connection failed: the client's errors, the outermost first.
    #[error("{0}")]
    Failed(String),
}

/// What posts callbacks.
#[async_trait]
pub trait Post: Send + Sync {
    /// Posts a body once; answers with what the target answered.
    ///
    /// # Errors
    /// Why there was no answer.
    async fn post(&self, url: Url, headers: Headers, body: String) -> Result<Answer, PostError>;

    /// The address that a host was last found at, where it is known.
    fn address_of(&self, _host: &str) -> Option<IpAddr> {
        None
    }
}

/// Why a callback was not acknowledged.
pub struct Failure {
    /// In words.
    pub error: String,
    /// The target said when to come again.
    pub retry_after: Option<Duration>,
    /// The target wants no more callbacks of this flow.
    pub gone: bool,
    /// The HTTP status, where there was an answer.
    status: Option<u16>,
}

impl From<String> for Failure {
    fn from(error: String) -> Failure {
        Failure { error, retry_after: None, gone: false, status: None }
    }
}

/// How often and how long something is tried: the keys of `[callbacks]`.
#[derive(Clone, Copy)]
pub(crate) struct Retries {
    pub(crate) retry_base: Duration,
    pub(crate) retry_max: Duration,
    pub(crate) give_up: Duration,
}

/// Makes callbacks.
pub struct Callbacks {
    post: Box<dyn Post>,
    config: CallbackConfig,
    slots: Arc<Slots>,
    /// What the applications' signing keys are derived from.
    secret_key: [u8; 32],
    /// Which key an application signs with, where it was changed.
    keys: RwLock<HashMap<String, CallbackKey>>,
}

impl Callbacks {
    /// `secret_key` is the installation's.
    pub fn new(config: CallbackConfig, post: Box<dyn Post>, secret_key: [u8; 32]) -> Callbacks {
        let slots = Slots::new(config.concurrency, config.concurrency_per_host);
        Callbacks { post, config, slots, secret_key, keys: RwLock::default() }
    }

    /// Signs with these keys from now on; who is not among them has its first one.
    pub fn use_keys(&self, keys: Vec<(String, CallbackKey)>) {
        *self.keys.write() = keys.into_iter().collect();
    }

    /// Returns when something can be called; answers how many callbacks.
    pub(crate) async fn until_free(&self) -> usize {
        self.slots.until_free().await
    }

    /// Returns when nothing is being called.
    pub(crate) async fn drain(&self) {
        self.slots.until_all_free().await;
    }

    /// The longest that a callback may have to wait until it is made again, milliseconds.
    pub(crate) fn pause_max_ms(&self) -> i64 {
        millis(self.config.give_up.max(self.config.retry_max))
    }

    /// Decides whether a callback is made now; its slot is in `slots` then, by its flow.
    pub(crate) fn admit(&self, offer: &Offer<'_>, slots: &mut HashMap<Uuid, Slot>) -> Admission {
        match self.slots.take(offer.application, offer.target, self.post.address_of(offer.target)) {
            Ok(slot) => {
                slots.insert(offer.flow, slot);
                Admission::Granted
            }
            Err(refusal) => refusal,
        }
    }

    /// Makes a flow's oldest pending callback; answers with what came of it. `tells_age`: the clock can be
    /// believed when something has been tried for too long.
    pub(crate) async fn call(&self, flow: &Flow, slot: &Slot, tells_age: bool) -> Option<Event> {
        let (Some(callback), Some(pending)) = (&flow.callback, flow.callbacks.first()) else { return None };
        let target = Url::parse(&callback.url).map_err(|error| error.to_string());
        let target = target.and_then(|url| {
            check_url(&url, self.config.allow_private).map(|()| url).map_err(|error| error.to_string())
        });
        let started = Instant::now();
        let result = match target {
            Ok(url) => {
                let posted = AssertUnwindSafe(self.post_tracking(url, flow, pending)).catch_unwind().await;
                let result = posted.unwrap_or_else(|_| {
                    metrics::count_panic("callback");
                    Err(Failure::from("internal error".to_owned()))
                });
                slot.note(result.as_ref().err().is_none_or(|failure| failure.status.is_some()));
                result
            }
            Err(error) => Err(error.into()),
        };
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        Some(match result {
            Ok(status) => {
                count("acknowledged");
                let attempt = Attempt { status: Some(status), took_ms };
                Event::CallbackDone { number: pending.number, attempt }
            }
            Err(failure) => self.failed(flow, pending, failure, took_ms, tells_age),
        })
    }

    fn failed(
        &self,
        flow: &Flow,
        pending: &PendingCallback,
        failure: Failure,
        took_ms: u32,
        tells_age: bool,
    ) -> Event {
        let Failure { error, retry_after, gone, status } = failure;
        let attempt = Attempt { status, took_ms };
        let (now_ms, give_up_ms) = (now_ms(), millis(self.config.give_up));
        let url = flow.callback.as_ref().and_then(|callback| Url::parse(&callback.url).ok());
        let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
        if gone {
            count("ended");
            tracing::warn!(flow = %flow.id, host, error, "a callback is given up: its target wants no more of this flow");
            return Event::CallbacksEnded { number: pending.number, error, attempt };
        }
        let too_old = now_ms.saturating_sub(pending.since_ms()) >= give_up_ms;
        let given_up = tells_age && too_old;
        count(if given_up { "dead" } else { "failed" });
        if given_up {
            let attempts = u64::from(pending.attempts) + 1;
            tracing::warn!(flow = %flow.id, host, attempts, error, "a callback is given up; it is kept for a replay");
        } else {
            tracing::info!(flow = %flow.id, error, "a callback failed");
        }
        let pause = backoff::delay(pending.attempts, self.config.retry_base, self.config.retry_max);
        let next_ms = now_ms.saturating_add(millis(pause).max(1));
        // The last try is when it is given up, whenever the target wants to be asked again.
        let last_ms = pending
            .since_ms()
            .saturating_add(give_up_ms)
            .clamp(next_ms, next_ms.max(now_ms.saturating_add(give_up_ms)));
        let told_ms = retry_after.map_or(next_ms, |told| now_ms.saturating_add(millis(told)));
        let at_ms = told_ms.clamp(next_ms, last_ms);
        let at_ms = (!given_up).then_some(at_ms);
        Event::CallbackFailed { number: pending.number, at_ms, error, attempt }
    }

    /// Posts the tracking as it was at the change; returns the status that acknowledges it.
    async fn post_tracking(&self, url: Url, flow: &Flow, pending: &PendingCallback) -> Result<u16, Failure> {
        let state = flow.state_at(pending.number).ok_or_else(|| "it is owed no more".to_owned())?;
        let body = serde_json::to_string(&TrackingView::of(flow, &state)).map_err(|e| e.to_string())?;
        self.post_signed(url, &flow.application, flow.webhook_id(pending), body).await
    }

    /// Passes on what a recipient wrote, signed as callbacks are; any 2xx acknowledges. `id` is its
    /// `webhook-id`, the same each time that the provider tells it.
    ///
    /// # Errors
    /// Why it was not acknowledged.
    pub async fn pass_on(&self, url: &str, application: &str, id: Uuid, body: &str) -> Result<(), Failure> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        check_url(&url, self.config.allow_private).map_err(|error| error.to_string())?;
        let host = url.host_str().unwrap_or_default();
        let slot = self.slots.take(application, host, self.post.address_of(host));
        let slot = slot.map_err(|_| "too many calls to this host are under way".to_owned())?;
        let posted = self.post_signed(url, application, id, body.to_owned()).await;
        slot.note(posted.as_ref().err().is_none_or(|failure| failure.status.is_some()));
        posted.map(drop)
    }

    /// How often and how long what is not acknowledged is tried again.
    pub(crate) fn retries(&self) -> Retries {
        let CallbackConfig { retry_base, retry_max, give_up, .. } = self.config;
        Retries { retry_base, retry_max, give_up }
    }

    async fn post_signed(&self, url: Url, application: &str, id: Uuid, body: String) -> Result<u16, Failure> {
        let id = id.to_string();
        let timestamp = now_ms() / 1000;
        let key = self.keys.read().get(application).copied().unwrap_or_default();
        // Each key's signature, with a blank between them: who checks takes the one it knows (Standard
        // Webhooks).
        let mut signatures = Vec::new();
        for secret in key.secrets(&self.secret_key, application, now_ms()) {
            let webhook = Webhook::from_bytes(secret.into());
            let signed = webhook.and_then(|webhook| webhook.sign(&id, timestamp, body.as_bytes()));
            signatures.push(signed.map_err(|error| error.to_string())?);
        }
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        let Answer { status, retry_after } =
            self.post.post(url, headers, body).await.map_err(|error| error.to_string())?;
        match status {
            200..300 => Ok(status),
            status => {
                let error = format!("the target answered {status}");
                Err(Failure { error, retry_after, gone: status == GONE, status: Some(status) })
            }
        }
    }
}

fn count(result: &'static str) {
    ::metrics::counter!("switchback_callbacks_total", "result" => result).increment(1);
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::sample;

    struct Nowhere;

    #[async_trait]
    impl Post for Nowhere {
        async fn post(&self, _: Url, _: Headers, _: String) -> Result<Answer, PostError> {
            panic!("a mistake")
        }
    }

    fn callbacks() -> Callbacks {
        Callbacks::new(CallbackConfig::default(), Box::new(Nowhere), [0; 32])
    }

    /// A flow that owes a callback for what happened at a time.
    fn flow(at_ms: i64) -> Flow {
        let steps = vec![sample::step(1, sample::sms("+306900000000", "hi"))];
        let mut flow = sample::flow(steps, Some(flow::CallbackStrategy::OnChange), at_ms, Uuid::from_u128(1));
        flow.apply(&Event::Cancel { by: None }, at_ms);
        flow
    }

    fn at_ms(event: Event) -> Option<i64> {
        let Event::CallbackFailed { at_ms, .. } = event else { panic!("{event:?}") };
        at_ms
    }

    #[test]
    fn a_target_is_asked_again_when_it_says_and_not_after_giving_up() {
        let (callbacks, flow) = (callbacks(), flow(now_ms()));
        let pending = flow.callbacks.first().unwrap();
        let failed = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            let failure = Failure { retry_after, status: Some(503), ..Failure::from("503".to_owned()) };
            at_ms(callbacks.failed(&flow, pending, failure, 1, true)).unwrap() - pending.since_ms()
        };
        // Beyond `retry_max`, which is an hour; never sooner than without it; at most to the end of
        // `give_up`.
        assert!((7_200_000..7_210_000).contains(&failed(7200)), "{}", failed(7200));
        assert!(failed(0) >= 1000);
        assert_eq!(failed(u64::MAX), 24 * 3_600_000);
    }

    #[test]
    fn a_target_that_is_gone_is_not_called_again_and_a_clock_that_jumped_gives_nothing_up() {
        let callbacks = callbacks();
        let failed = |flow: &Flow, gone, tells_age| {
            let failure = Failure { gone, status: Some(410), ..Failure::from("no".to_owned()) };
            callbacks.failed(flow, flow.callbacks.first().unwrap(), failure, 1, tells_age)
        };
        let (young, old) = (flow(now_ms()), flow(now_ms() - 400 * 24 * 3_600_000));
        assert!(matches!(failed(&young, true, false), Event::CallbacksEnded { .. }));
        assert!(at_ms(failed(&young, false, true)).is_some());
        assert_eq!(at_ms(failed(&old, false, true)), None);
        assert!(at_ms(failed(&old, false, false)).is_some());
    }

    #[tokio::test]
    async fn a_panic_is_a_failed_attempt_and_gives_its_slot_back() {
        let (callbacks, flow) = (callbacks(), flow(now_ms()));
        let slot = callbacks.slots.take("app", "a.example", None).unwrap();
        let event = callbacks.call(&flow, &slot, true).await.unwrap();
        assert!(at_ms(event).is_some());
        drop(slot);
        callbacks.drain().await;
    }
}
