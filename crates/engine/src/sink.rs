//! Stores what carriers tell, and counts it.

use crate::clock::now_ms;
use crate::core::Engine;
use crate::managed_carrier::{ManagedCarrier, covers};
use crate::metrics;
use crate::submit::{as_it_is, pause_before};
use async_trait::async_trait;
use carriers::{CarrierSink, HandsetMessage, NotStored, Outcome, PartRef, Report, Unread};
use flow::{CarrierRef, Event, Flow, LateRefusal, Submit};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use store::{InboundMessage, InboundOctets, InboundSegment, Matched, Store, StoreError, UnreadReceipt};
use tokio::time::Instant;

/// Between two lines of the log about receipts of a carrier that mean nothing for the same reason.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Characters of a carrier's word that are logged.
const WORD_MAX: usize = 40;
/// How often a late refusal is tried while its part changes.
const LATE_TRIES: u32 = 5;
/// A late refusal waits so long, at most, until it is written down that its hand-over had an unknown outcome.
const WRITTEN_MAX: Duration = Duration::from_secs(1);
const WRITTEN_POLL: Duration = Duration::from_millis(10);

/// Stores what carriers tell.
pub(crate) struct Sink {
    store: Arc<dyn Store>,
    /// Counts what was stored.
    stored: Arc<AtomicU64>,
    /// Whose carriers they are, once it is there.
    engine: OnceLock<Weak<Engine>>,
    /// When a line of the log was written last, by carrier and reason: both are few.
    logged: Mutex<HashMap<(String, &'static str), Instant>>,
}

impl Sink {
    pub(crate) fn new(store: Arc<dyn Store>, stored: Arc<AtomicU64>) -> Sink {
        Sink { store, stored, engine: OnceLock::new(), logged: Mutex::default() }
    }

    /// Tells whose carriers they are.
    pub(crate) fn attach(&self, engine: &Arc<Engine>) {
        let _ = self.engine.set(Arc::downgrade(engine));
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.get()?.upgrade()
    }

    /// Counts what was stored; what was not is told to the carrier.
    fn stored<T>(&self, carrier: &str, result: Result<T, StoreError>) -> Result<T, NotStored> {
        match result {
            Ok(stored) => {
                self.stored.fetch_add(1, Ordering::Relaxed);
                Ok(stored)
            }
            Err(error) => {
                tracing::debug!(carrier, %error, "what a carrier told could not be stored; it keeps it");
                Err(NotStored)
            }
        }
    }

    /// Whether a line of the log is due.
    fn may_log(&self, carrier: &str, reason: &'static str) -> bool {
        let (now, mut logged) = (Instant::now(), self.logged.lock());
        let last = logged.get(&(carrier.to_owned(), reason));
        let is_due = last.is_none_or(|last| now.duration_since(*last) >= LOG_INTERVAL);
        if is_due {
            logged.insert((carrier.to_owned(), reason), now);
        }
        is_due
    }

    /// Returns when nothing of a part is under way any more, or after a while. Before that its outcome may
    /// not be written down: a refusal would find nothing to refuse, or be undone by it.
    async fn until_written(&self, engine: &Engine, part: PartRef) {
        let is_under_way = || engine.ongoing.hands_over(part.flow, part.message, part.part);
        let until = Instant::now() + WRITTEN_MAX;
        while is_under_way() && Instant::now() < until {
            tokio::time::sleep(WRITTEN_POLL).await;
        }
    }

    /// Applies what a late answer comes to.
    async fn apply_late(
        &self,
        engine: &Engine,
        part: PartRef,
        managed: &ManagedCarrier,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        if matches!(outcome, Outcome::Refused { .. } | Outcome::Later { .. }) {
            self.until_written(engine, part).await;
        }
        for _ in 0..LATE_TRIES {
            let Some(flow) = as_it_is(&*self.store, part.flow).await? else { return Ok(()) };
            let Some(event) = late_event(engine, &flow, part, managed, outcome) else { return Ok(()) };
            match self.store.apply(part.flow, event, now_ms()).await {
                Ok(applied) => {
                    metrics::count_applied(&applied);
                    // A refusal is out of date where the part was handed over again meanwhile.
                    if applied.changed || matches!(outcome, Outcome::Accepted { .. }) {
                        return Ok(());
                    }
                }
                // Nothing will ever be applied to it.
                Err(StoreError::NotFound | StoreError::Quarantined) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a late answer comes to for the flow as it is; nothing where the part waits for none.
fn late_event(
    engine: &Engine,
    flow: &Flow,
    part: PartRef,
    managed: &ManagedCarrier,
    outcome: &Outcome,
) -> Option<Event> {
    let PartRef { message, part, .. } = part;
    let step = flow.steps.get(usize::from(message))?;
    let state = flow.state.messages.get(usize::from(message))?.parts.get(usize::from(part))?;
    let refused = |refusal| match state.submit {
        Submit::Owed { unknown, .. } | Submit::Handed { unknown, .. } => {
            let carrier = managed.config.name.clone();
            Some(Event::RefusedLate { message, part, unknown, carrier, refusal })
        }
        Submit::Done => None,
    };
    match outcome {
        Outcome::Accepted { reference } => {
            let carrier = CarrierRef::new(&*managed.config.name, reference);
            let rate = engine.rate(step, flow.kind, managed);
            Some(Event::Submitted { message, part, carrier, rate, covers: covers(&*managed.carrier) })
        }
        Outcome::Refused { detail, description } => {
            let (detail, description) = (detail.clone(), description.clone());
            refused(LateRefusal::Final { detail, description })
        }
        Outcome::Later { after, reason } => {
            let attempts = match state.submit {
                Submit::Owed { attempts, .. } | Submit::Handed { attempts, .. } => attempts,
                Submit::Done => return None,
            };
            let pause = pause_before(engine, attempts, *after);
            let at_ms = now_ms().saturating_add(pause.as_millis().max(1) as i64);
            refused(LateRefusal::Temporary { at_ms, reason })
        }
        Outcome::Unknown { .. } => None,
    }
}

/// The last digits of a number, for the log.
fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(3)..].iter().collect()
}

#[async_trait]
impl CarrierSink for Sink {
    async fn report(&self, report: Report) -> Result<(), NotStored> {
        let Report { reference, recipient, receipt } = report;
        let name = reference.carrier.clone();
        let status = receipt.clone();
        let matched = self.store.receipt(reference, recipient, receipt, now_ms()).await;
        let matched = self.stored(&name, matched)?;
        metrics::count_receipt(&name, &matched);
        if let Matched::Applied(applied) | Matched::ByRecipient(applied) = &matched {
            metrics::count_applied(applied);
            if applied.changed
                && let Some(engine) = self.engine()
                && let Some(managed) = engine.carrier(&name)
            {
                managed.health.note_receipt(&status, now_ms());
            }
        }
        Ok(())
    }

    async fn answered_late(&self, part: PartRef, carrier: &str, outcome: Outcome) -> Result<(), NotStored> {
        let Some(engine) = self.engine() else { return Err(NotStored) };
        // One that is not there has told nothing.
        let Some(managed) = engine.carrier(carrier).cloned() else { return Ok(()) };
        let applied = self.apply_late(&engine, part, &managed, &outcome).await;
        self.stored(carrier, applied)?;
        metrics::count_late_answer(carrier, &outcome);
        Ok(())
    }

    async fn unread(&self, carrier: &str, unread: Unread) -> Result<(), NotStored> {
        let Unread { why, text, reference, word, error, recipient } = unread;
        let told: String = word.iter().flat_map(|word| word.chars()).take(WORD_MAX).collect();
        let to = recipient.as_deref().map(masked).unwrap_or_default();
        let reason = why.name();
        let receipt = UnreadReceipt { reason: reason.into(), text, reference, word, error, recipient };
        let stored = self.store.keep_unread(carrier.to_owned(), receipt, now_ms()).await;
        self.stored(carrier, stored)?;
        metrics::count_unread_receipt(carrier, reason);
        if self.may_log(carrier, reason) {
            tracing::warn!(
                carrier,
                reason,
                word = told,
                to,
                "receipts mean nothing to us: `switchback receipts unmatched` lists them"
            );
        }
        Ok(())
    }

    async fn handset_message(&self, carrier: &str, message: HandsetMessage) -> Result<(), NotStored> {
        let HandsetMessage { from, to, octets, encoding, data_coding, segment } = message;
        let segment = segment.map(|segment| InboundSegment {
            reference: segment.reference,
            total: segment.total,
            sequence: segment.sequence,
        });
        let content = InboundOctets { octets, encoding: encoding.name().into(), data_coding };
        let message = InboundMessage { carrier: carrier.to_owned(), from, to, segment, content };
        let stored = self.store.keep_inbound(message, now_ms()).await;
        self.stored(carrier, stored)?;
        metrics::count_handset_message();
        Ok(())
    }
}
