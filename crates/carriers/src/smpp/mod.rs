//! SMPP 3.4 (SMPP Protocol Specification v3.4, issue 1.2): a client of a carrier's SMSC.

mod alphabet;
mod answer;
mod command_status;
mod concatenation;
mod config;
mod fields;
mod handset;
mod id;
mod link;
mod meaning;
mod receipt;
mod submit;

pub use config::{SmppConfig, SmppConfigError};
pub use link::Dial;
#[cfg(feature = "fuzzing")]
pub(crate) use receipt::fuzz as fuzz_receipt;

use crate::carrier::{Carrier, Outcome};
use crate::outgoing::Outgoing;
use crate::sink::CarrierSink;
use async_trait::async_trait;
use concatenation::References;
use config::{Bind, Concatenation, ReceiptScope};
use flow::Detail;
use futures::future::join_all;
use link::{Context, Link, Network};
use parking_lot::Mutex;
use smpp::{BindKind, NotSubmitted, Pace, SubmitError, Unanswered};
use std::sync::Arc;
use tokio::time::Instant;

/// A carrier reached over SMPP 3.4.
pub struct Smpp {
    config: Arc<SmppConfig>,
    links: Vec<Link>,
    /// The rate that the SMSC takes of this account, whatever the session.
    pace: Mutex<Pace>,
    references: References,
}

impl Smpp {
    /// Starts the carrier `name`, which keeps itself bound; what it receives goes to `sink`.
    ///
    /// # Errors
    /// [`SmppConfigError`].
    pub fn start(
        name: String,
        config: SmppConfig,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Smpp, SmppConfigError> {
        let config = Arc::new(config);
        let tls = config.tls_config()?;
        let dial = Arc::new(Network { config: Arc::clone(&config), tls });
        Smpp::start_over(dial, name, config, sink)
    }

    /// Starts it as [`Smpp::start`] does, over connections that `dial` makes.
    ///
    /// # Errors
    /// [`SmppConfigError`], for what the bind says.
    pub fn start_over(
        dial: Arc<dyn Dial>,
        name: String,
        config: Arc<SmppConfig>,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Smpp, SmppConfigError> {
        let bind = config.account()?;
        let kinds: &[BindKind] = match config.bind {
            Bind::Transceiver => &[BindKind::Transceiver],
            Bind::Separate => &[BindKind::Transmitter, BindKind::Receiver],
        };
        let context = Arc::new(Context { name, config: Arc::clone(&config), bind, dial, sink });
        let start = |&kind| Link::start(kind, Arc::clone(&context));
        let links = (0..config.binds).flat_map(|_| kinds.iter().map(start)).collect();
        let pace = Mutex::new(Pace::new(Instant::now().into_std()));
        Ok(Smpp { config, links, pace, references: References::new() })
    }

    /// The bound session with the fewest unanswered messages.
    fn link(&self) -> Option<&Link> {
        let able = self.links.iter().filter(|link| link.kind.can_submit() && link.is_bound());
        able.min_by_key(|link| link.under_way())
    }
}

#[async_trait]
impl Carrier for Smpp {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let Some(link) = self.link() else { return Outcome::Later { reason: "not bound", after: None } };
        let message = match submit::build(outgoing, &self.config, &self.references) {
            Ok(message) => message,
            Err(why) => {
                return Outcome::Refused { detail: Detail::FAILED, description: Some(why.to_string()) };
            }
        };
        let sent = Instant::now().into_std();
        let answered = link.submit(outgoing.part_ref(), message, outgoing.time_left).await;
        let now = Instant::now().into_std();
        match answered {
            Ok(answer) => {
                let (outcome, throttled) = answer::understand(answer, outgoing.part_ref(), &self.config);
                let mut pace = self.pace.lock();
                match &outcome {
                    _ if throttled => pace.throttled(sent, now),
                    Outcome::Accepted { .. } => pace.taken(now),
                    _ => {}
                }
                outcome
            }
            Err(SubmitError::NotSubmitted(NotSubmitted::Encode(error))) => {
                Outcome::Refused { detail: Detail::FAILED, description: Some(error.to_string()) }
            }
            Err(SubmitError::NotSubmitted(NotSubmitted::NotBound | NotSubmitted::WindowFull)) => {
                Outcome::Later { reason: "not bound", after: None }
            }
            Err(SubmitError::Unanswered(Unanswered::TimedOut)) => {
                Outcome::Unknown { reason: "response timeout" }
            }
            Err(SubmitError::Unanswered(Unanswered::SessionEnded)) => {
                Outcome::Unknown { reason: "connection lost" }
            }
        }
    }

    fn accepts_whole_message(&self) -> bool {
        self.config.concatenation == Concatenation::Payload
    }

    fn receipts_cover_message(&self) -> bool {
        self.config.receipts == ReceiptScope::Message
    }

    fn room(&self) -> usize {
        self.pace.lock().room(Instant::now().into_std())
    }

    async fn until_admitted(&self) {
        loop {
            let now = Instant::now().into_std();
            let turn = self.pace.lock().turn(now);
            if turn.at <= now {
                // Timers are as coarse as a millisecond, and most carriers throttle nothing.
                return;
            }
            tokio::time::sleep_until(Instant::from_std(turn.at)).await;
            // The SMSC may have throttled meanwhile.
            if self.pace.lock().holds(turn) {
                return;
            }
        }
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        let bound = self.links.iter().filter(|link| link.is_bound()).count();
        let mut figures = vec![("sessions", bound as f64)];
        // Absent while the SMSC throttles nothing.
        figures.extend(self.pace.lock().rate().map(|rate| ("submit_rate", rate)));
        figures
    }

    fn is_up(&self) -> bool {
        let receives = |link: &Link| link.kind.can_receive() && link.is_bound();
        self.link().is_some() && self.links.iter().any(receives)
    }

    async fn close(&self) {
        join_all(self.links.iter().map(Link::close)).await;
    }
}
