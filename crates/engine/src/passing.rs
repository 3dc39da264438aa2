//! What recipients wrote, on its way to clients' servers: tried as callbacks are, until it is acknowledged or
//! given up.
//!
//! It waits here in memory. Meanwhile its provider keeps it as well, since it is asked to offer it again for
//! a while; afterwards the provider is told that it is taken, so that nobody's dead server holds up what the
//! provider posts.

use crate::callbacks::{Callbacks, Failure};
use crate::clock::now_ms;
use carriers::backoff;
use lru::LruCache;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

/// How long a provider is asked to offer again what was not acknowledged, milliseconds.
const OFFERED_MAX_MS: i64 = 600_000;
/// What waits for the servers of one application.
const PENDING_MAX: usize = 1000;
/// What was acknowledged lately is known by its id: it is not sent again when it is offered again.
const DONE_KNOWN: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Something that a recipient wrote or did, for a client's server.
pub struct Letter {
    /// Its `webhook-id`: the same each time that it is offered.
    pub id: Uuid,
    /// `message`, `optOut` or `optIn`.
    pub event: &'static str,
    /// Whose it is.
    pub application: String,
    /// Where it goes.
    pub url: String,
    /// The body, JSON.
    pub body: String,
}

/// What is on its way.
#[derive(Default)]
pub struct Passing {
    state: Mutex<State>,
}

struct State {
    pending: HashMap<Uuid, Pending>,
    /// How much of an application's is pending.
    held: HashMap<String, usize>,
    done: LruCache<Uuid, ()>,
}

impl Default for State {
    fn default() -> State {
        State { pending: HashMap::new(), held: HashMap::new(), done: LruCache::new(DONE_KNOWN) }
    }
}

struct Pending {
    since_ms: i64,
    /// Has it tried at once.
    kick: Arc<Notify>,
    progress: watch::Receiver<Progress>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    started: u32,
    ended: u32,
    acknowledged: bool,
}

/// What an offer comes to at first.
enum Entered {
    Acknowledged,
    TooMany,
    /// Pending since a time; what comes of the attempt that the offer caused is known when so many have
    /// ended.
    Pending {
        since_ms: i64,
        attempts: u32,
        progress: watch::Receiver<Progress>,
    },
}

impl Passing {
    /// Tries to pass something on now, and goes on beside the caller where that takes until `deadline` or is
    /// in vain. Answers whether the provider need not offer it again.
    pub async fn offer(
        self: &Arc<Passing>,
        callbacks: &Arc<Callbacks>,
        letter: Letter,
        deadline: Instant,
    ) -> bool {
        let event = letter.event;
        match self.enter(callbacks, letter) {
            Entered::Acknowledged => true,
            Entered::TooMany => {
                count(event, "dropped");
                tracing::warn!(event, "too much waits for an application's inboundUrl; one is dropped");
                true
            }
            Entered::Pending { since_ms, attempts, mut progress } => {
                let ended = progress.wait_for(|now| now.acknowledged || now.ended >= attempts);
                let ended = tokio::time::timeout_at(deadline, ended).await;
                let acknowledged = ended.is_ok_and(|now| now.is_ok_and(|now| now.acknowledged));
                acknowledged || now_ms().saturating_sub(since_ms) > OFFERED_MAX_MS
            }
        }
    }

    fn enter(self: &Arc<Passing>, callbacks: &Arc<Callbacks>, letter: Letter) -> Entered {
        let mut state = self.state.lock();
        if state.done.get(&letter.id).is_some() {
            return Entered::Acknowledged;
        }
        if let Some(Pending { since_ms, kick, progress }) = state.pending.get(&letter.id) {
            let attempts = progress.borrow().started + 1;
            kick.notify_one();
            return Entered::Pending { since_ms: *since_ms, attempts, progress: progress.clone() };
        }
        let held = state.held.entry(letter.application.clone()).or_default();
        if *held >= PENDING_MAX {
            return Entered::TooMany;
        }
        *held += 1;
        let (sender, progress) = watch::channel(Progress::default());
        let (since_ms, kick) = (now_ms(), Arc::new(Notify::new()));
        let pending = Pending { since_ms, kick: Arc::clone(&kick), progress: progress.clone() };
        state.pending.insert(letter.id, pending);
        let place = Place { passing: Arc::clone(self), letter };
        tokio::spawn(place.carry(Arc::downgrade(callbacks), kick, sender));
        Entered::Pending { since_ms, attempts: 1, progress }
    }
}

/// The place of what is pending, until it is dropped.
struct Place {
    passing: Arc<Passing>,
    letter: Letter,
}

impl Place {
    /// Tries until it is acknowledged or given up, or the engine is gone.
    async fn carry(
        self,
        callbacks_of_engine: Weak<Callbacks>,
        kick: Arc<Notify>,
        progress: watch::Sender<Progress>,
    ) {
        let Letter { id, event, application, url, body } = &self.letter;
        let begun = Instant::now();
        for attempt in 0.. {
            let Some(callbacks) = callbacks_of_engine.upgrade() else { return };
            progress.send_modify(|now| now.started += 1);
            let sent = callbacks.pass_on(url, application, *id, body).await;
            if sent.is_ok() {
                self.passing.state.lock().done.put(*id, ());
            }
            progress.send_modify(|now| (now.ended, now.acknowledged) = (now.ended + 1, sent.is_ok()));
            let Err(failure) = sent else { return count(event, "passed on") };
            count(event, "failed");
            let limits = callbacks.retries();
            drop(callbacks);
            if failure.gone || begun.elapsed() >= limits.give_up {
                let Failure { error, .. } = failure;
                count(event, "given up");
                tracing::warn!(event, attempts = attempt + 1, error, "what a recipient wrote is given up");
                return;
            }
            let pause = backoff::delay(attempt, limits.retry_base, limits.retry_max);
            let told = failure.retry_after.unwrap_or(Duration::ZERO).min(limits.give_up);
            tokio::select! {
                () = tokio::time::sleep(pause.max(told)) => {}
                () = kick.notified() => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.passing.state.lock();
        state.pending.remove(&self.letter.id);
        if let Some(held) = state.held.get_mut(&self.letter.application) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&self.letter.application);
            }
        }
    }
}

fn count(event: &'static str, result: &'static str) {
    metrics::counter!("switchback_inbound_total", "event" => event, "result" => result).increment(1);
}
