//! A session that keeps itself bound: connects, reconnects after a loss, and passes on what the SMSC sends.

use super::answer;
use super::config::SmppConfig;
use super::receipt::{self, Delivered};
use crate::backoff;
use crate::outgoing::PartRef;
use crate::sink::{CarrierSink, NotStored, Report};
use async_trait::async_trait;
use flow::CarrierRef;
use smpp::{
    Answer, Bind, BindKind, Client, CommandStatus, Connection, EncodeError, End, Incoming, OddKind, Oddity,
    Received, Settings,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

/// The first pause before connecting again; it doubles from attempt to attempt.
const RECONNECT_BASE: Duration = Duration::from_millis(200);
/// How long connecting and binding may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// After a session of this length the next one is tried without a longer pause: `reconnect_max`, within these
/// limits.
const LASTED_MIN: Duration = Duration::from_secs(1);
const LASTED_MAX: Duration = Duration::from_secs(30);
/// How much longer than `response_timeout` the end of a session may take.
const CLOSE_MARGIN: Duration = Duration::from_secs(5);
/// Between two attempts to store a late answer, at first and at most.
const STORE_PAUSE: Duration = Duration::from_millis(500);
const STORE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Why a session was not bound.
#[derive(Debug, thiserror::Error)]
enum NotBound {
    /// The SMSC could not be reached, or its certificate is not trusted.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// The bind has a text that SMPP can't carry.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The session ended before the SMSC granted the bind.
    #[error("{}", words(.0))]
    Ended(End),
    /// The session's task is gone.
    #[error("the session ended")]
    Gone,
    /// The SMSC did not grant the bind in time.
    #[error("no answer in time")]
    TimedOut,
}

/// Connects to an SMSC.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// Makes a new connection.
    ///
    /// # Errors
    /// When the SMSC can't be reached.
    async fn dial(&self) -> io::Result<Box<dyn Connection>>;
}

/// Connects over TCP, with or without TLS.
pub(super) struct Network {
    pub(super) config: Arc<SmppConfig>,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

#[async_trait]
impl Dial for Network {
    async fn dial(&self) -> io::Result<Box<dyn Connection>> {
        smpp::dial(&self.config.host, self.config.port, self.tls.clone()).await
    }
}

/// What the sessions of a carrier share.
pub(super) struct Context {
    pub(super) name: String,
    pub(super) config: Arc<SmppConfig>,
    pub(super) bind: Bind,
    pub(super) dial: Arc<dyn Dial>,
    pub(super) sink: Arc<dyn CarrierSink>,
}

/// A session that keeps itself bound.
pub(super) struct Link {
    /// The bound client, while there is one.
    client: watch::Receiver<Option<Client<PartRef>>>,
    /// Becomes true when the session is to end for good.
    closing: watch::Sender<bool>,
    /// Messages that wait for their answer.
    under_way: AtomicUsize,
    pub(super) kind: BindKind,
}

/// What the session's task works with.
struct Keeper {
    context: Arc<Context>,
    kind: BindKind,
    client: watch::Sender<Option<Client<PartRef>>>,
}

impl Link {
    pub(super) fn start(kind: BindKind, context: Arc<Context>) -> Link {
        let (sender, client) = watch::channel(None);
        let (closing, closed) = watch::channel(false);
        tokio::spawn(Keeper { context, kind, client: sender }.run(closed));
        Link { client, closing, under_way: AtomicUsize::new(0), kind }
    }

    /// Returns whether the session is bound, and does not end.
    pub(super) fn is_bound(&self) -> bool {
        self.client.borrow().as_ref().is_some_and(|client| !self.kind.can_submit() || client.is_ready())
    }

    /// How many messages wait for their answers.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Submits a message, if the session is bound.
    pub(super) async fn submit(
        &self,
        part: PartRef,
        message: smpp::Message,
        matters: Duration,
    ) -> Result<Answer, smpp::SubmitError> {
        let client = self.client.borrow().clone();
        let Some(client) = client else { return Err(smpp::NotSubmitted::NotBound.into()) };
        self.under_way.fetch_add(1, Ordering::Relaxed);
        // The caller may drop this future.
        let _under_way = UnderWay(&self.under_way);
        client.submit(part, message, matters).await
    }

    /// Unbinds and ends the session.
    pub(super) async fn close(&self) {
        let _ = self.closing.send(true);
        let mut client = self.client.clone();
        // The sender goes away with the session's task.
        while client.changed().await.is_ok() {}
    }
}

struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Keeper {
    async fn run(self, mut closing: watch::Receiver<bool>) {
        let config = &self.context.config;
        let lasts = config.reconnect_max.clamp(LASTED_MIN, LASTED_MAX);
        let mut attempt = 0;
        while !*closing.borrow() {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect());
            let connected = tokio::select! {
                connected = connected => connected.unwrap_or(Err(NotBound::TimedOut)),
                _ = closing.changed() => return,
            };
            match connected {
                Ok((client, incoming)) => {
                    let bound = Instant::now();
                    tracing::info!(carrier = self.context.name, kind = ?self.kind, "bound");
                    self.client.send_replace(Some(client.clone()));
                    self.attend(&client, incoming, &mut closing).await;
                    self.client.send_replace(None);
                    if bound.elapsed() >= lasts {
                        attempt = 0;
                    }
                }
                Err(error) => {
                    let smsc = format!("{}:{}", config.host, config.port);
                    tracing::warn!(
                        carrier = self.context.name,
                        smsc,
                        kind = ?self.kind,
                        %error,
                        "could not bind"
                    );
                }
            }
            let pause = backoff::delay(attempt, RECONNECT_BASE, config.reconnect_max);
            attempt += 1;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = closing.changed() => return,
            }
        }
    }

    /// Connects and waits until the SMSC has granted the bind.
    async fn connect(&self) -> Result<(Client<PartRef>, mpsc::Receiver<Incoming<PartRef>>), NotBound> {
        let connection = self.context.dial.dial().await?;
        let settings = self.context.settings(self.kind);
        let (client, mut incoming) = Client::start(connection, settings)?;
        loop {
            match incoming.recv().await {
                Some(Incoming::Bound(_)) => return Ok((client, incoming)),
                Some(Incoming::Ended(end)) => return Err(NotBound::Ended(end)),
                Some(other) => self.take(&client, other),
                None => return Err(NotBound::Gone),
            }
        }
    }

    /// Handles what comes in until the session is over.
    async fn attend(
        &self,
        client: &Client<PartRef>,
        mut incoming: mpsc::Receiver<Incoming<PartRef>>,
        closing: &mut watch::Receiver<bool>,
    ) {
        let mut ends_at: Option<Instant> = None;
        loop {
            let event = tokio::select! {
                event = incoming.recv() => event,
                _ = closing.changed(), if ends_at.is_none() => {
                    client.close();
                    ends_at = Some(Instant::now() + self.context.config.response_timeout + CLOSE_MARGIN);
                    continue;
                }
                () = until(ends_at) => return,
            };
            match event {
                Some(Incoming::Ended(End::Closed)) | None => return,
                Some(Incoming::Ended(end)) => {
                    let (carrier, why) = (&self.context.name, words(&end));
                    tracing::warn!(carrier, kind = ?self.kind, why, "session ended");
                    return;
                }
                Some(event) => self.take(client, event),
            }
        }
    }

    fn take(&self, client: &Client<PartRef>, event: Incoming<PartRef>) {
        match event {
            Incoming::Received(received) => self.deliver(client, received),
            Incoming::Late { key, answer } => {
                let context = Arc::clone(&self.context);
                tokio::spawn(async move { context.answered_late(key, answer).await });
            }
            Incoming::Odd(odd) => self.context.note_odd(&odd),
            Incoming::Bound(_) | Incoming::Ended(_) => {}
        }
    }

    /// Stores what came on a task of its own, and acknowledges it once it is durable.
    fn deliver(&self, client: &Client<PartRef>, received: Received) {
        let Received { command, sequence, message, flaws } = received;
        if !flaws.is_empty() {
            self.context.note_odd(&Oddity { command, sequence, kind: OddKind::Flaws(flaws) });
        }
        let delivered = receipt::read(&message, &self.context.config);
        let (context, client) = (Arc::clone(&self.context), client.clone());
        tokio::spawn(async move {
            let status = match context.store(delivered).await {
                Ok(()) => CommandStatus::OK,
                // The SMSC keeps it and tries again.
                Err(NotStored) => CommandStatus::TEMPORARY_ERROR,
            };
            client.answer((command, sequence), status);
        });
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Context {
    fn settings(&self, kind: BindKind) -> Settings {
        Settings {
            // The engine keeps the carrier's window.
            window: usize::MAX,
            enquire_link: self.config.enquire_link,
            response_timeout: self.config.response_timeout,
            ..Settings::new(kind, self.bind.clone())
        }
    }

    async fn store(&self, delivered: Delivered) -> Result<(), NotStored> {
        match delivered {
            Delivered::Receipt { reference, recipient, receipt } => {
                let reference = CarrierRef::new(&*self.name, reference);
                self.sink.report(Report { reference, recipient, receipt }).await
            }
            Delivered::NoEnd => {
                let carrier = self.name.clone();
                metrics::counter!("switchback_receipts_total", "carrier" => carrier, "result" => "on-its-way")
                    .increment(1);
                Ok(())
            }
            Delivered::Unread(unread) => self.sink.unread(&self.name, unread).await,
            Delivered::Message(message) => self.sink.handset_message(&self.name, message).await,
        }
    }

    /// Passes on an answer that came after its submit counted as unknown. Tries until it is stored: the SMSC
    /// sends it once.
    async fn answered_late(&self, part: PartRef, answer: Answer) {
        let (outcome, _) = answer::understand(answer, part, &self.config);
        for attempt in 0u32.. {
            if self.sink.answered_late(part, &self.name, outcome.clone()).await.is_ok() {
                return;
            }
            tokio::time::sleep(backoff::delay(attempt, STORE_PAUSE, STORE_PAUSE_MAX)).await;
        }
    }

    /// Logs and counts what the SMSC sends amiss, without any text or number of it.
    fn note_odd(&self, odd: &Oddity) {
        let Oddity { command, kind, .. } = odd;
        match kind {
            OddKind::Flaws(flaws) => {
                let flaws: Vec<_> = flaws.iter().map(smpp::Flaw::words).collect();
                let (carrier, flaws) = (&self.name, flaws.join(", "));
                tracing::debug!(carrier, %command, flaws, "read as far as it could be");
                self.count("flawed");
            }
            OddKind::Rejected(status) => {
                tracing::warn!(carrier = self.name, %command, %status, "the SMSC sent what can't be used");
                self.count("rejected");
            }
            OddKind::NotAsked(status) => {
                let carrier = &self.name;
                tracing::info!(carrier, %command, %status, "the SMSC answered what was not asked");
                self.count("not asked");
            }
            OddKind::Ignored => self.count("ignored"),
        }
    }

    /// Counts a PDU that is not as it should be.
    fn count(&self, what: &'static str) {
        metrics::counter!("switchback_smpp_odd_total", "carrier" => self.name.clone(), "what" => what)
            .increment(1);
    }
}

/// Why a session ended, with what an operator should check.
fn words(end: &End) -> String {
    let End::BindRefused(status) = end else { return end.to_string() };
    let why = match *status {
        CommandStatus::BIND_FAILED => "bind failed: system_id, password or system_type may be wrong",
        CommandStatus::ALREADY_BOUND => "already bound: the account may allow fewer sessions than `binds`",
        CommandStatus::INVALID_BIND_STATUS => "this kind of bind is not allowed",
        CommandStatus::INVALID_COMMAND_ID => "this kind of bind is not known",
        status => return format!("the SMSC said no: command_status {status}"),
    };
    format!("the SMSC said no: {why} (command_status 0x{:08X})", status.0)
}
