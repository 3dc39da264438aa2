//! One SMPP session: connects, binds, keeps itself alive, comes back after a loss, and passes receipts on.

use super::config::SmppConfig;
use super::receipt::{self, Delivered};
use crate::{CarrierSink, Report, backoff};
use flow::CarrierRef;
use futures::{Stream, StreamExt};
use rusmpp::pdus::{BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, DeliverSmResp};
use rusmpp::values::InterfaceVersion;
use rusmpp::{CommandStatus, Pdu};
use rusmppc::error::Error;
use rusmppc::{Client, ConnectionBuilder, Event};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, pki_types::ServerName};

/// The first pause before connecting again; it doubles from attempt to attempt.
const RECONNECT_BASE: Duration = Duration::from_millis(200);
/// How long connecting and binding may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an unbind may take.
const UNBIND_TIMEOUT: Duration = Duration::from_secs(3);
/// Receipts that are stored at once; further ones wait in the socket.
const RECEIPTS_MAX: usize = 256;

/// What a session is bound as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Transceiver,
    Transmitter,
    Receiver,
}

/// A session that keeps itself bound.
pub(super) struct Link {
    /// The bound client, while there is one.
    client: watch::Receiver<Option<Client>>,
    /// Becomes true when the session is to end for good.
    closing: watch::Sender<bool>,
}

/// What the session's task works with.
struct Session {
    role: Role,
    name: String,
    config: Arc<SmppConfig>,
    tls: Option<Arc<ClientConfig>>,
    sink: Arc<dyn CarrierSink>,
    client: watch::Sender<Option<Client>>,
    receipts: Arc<Semaphore>,
}

impl Link {
    pub(super) fn start(
        role: Role,
        name: String,
        config: Arc<SmppConfig>,
        tls: Option<Arc<ClientConfig>>,
        sink: Arc<dyn CarrierSink>,
    ) -> Link {
        let (sender, client) = watch::channel(None);
        let (closing, closed) = watch::channel(false);
        let receipts = Arc::new(Semaphore::new(RECEIPTS_MAX));
        tokio::spawn(Session { role, name, config, tls, sink, client: sender, receipts }.run(closed));
        Link { client, closing }
    }

    /// The bound client, if the session is up.
    pub(super) fn client(&self) -> Option<Client> {
        self.client.borrow().clone()
    }

    /// Unbinds and ends the session.
    pub(super) async fn close(&self) {
        let _ = self.closing.send(true);
        let mut client = self.client.clone();
        // The sender goes away with the session's task.
        while client.changed().await.is_ok() {}
    }
}

impl Session {
    async fn run(self, mut closing: watch::Receiver<bool>) {
        let mut attempt = 0;
        while !*closing.borrow() {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect());
            let connected = tokio::select! {
                connected = connected => connected.unwrap_or_else(|_| Err("no answer in time".into())),
                _ = closing.changed() => return,
            };
            match connected {
                Ok((client, events)) => {
                    attempt = 0;
                    tracing::info!(carrier = self.name, role = ?self.role, "bound");
                    self.client.send_replace(Some(client.clone()));
                    self.attend(&client, events, &mut closing).await;
                    self.client.send_replace(None);
                }
                Err(error) => {
                    let SmppConfig { host, port, .. } = &*self.config;
                    let smsc = format!("{host}:{port}");
                    tracing::warn!(carrier = self.name, smsc, role = ?self.role, error, "could not bind");
                }
            }
            let pause = backoff::delay(attempt, RECONNECT_BASE, self.config.reconnect_max);
            attempt += 1;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = closing.changed() => return,
            }
        }
    }

    async fn connect(&self) -> Result<(Client, Box<dyn Stream<Item = Event> + Unpin + Send>), String> {
        let config = &*self.config;
        let stream = TcpStream::connect((&*config.host, config.port)).await.map_err(|e| e.to_string())?;
        // PDUs are small and answered one by one.
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let builder = ConnectionBuilder::new()
            .max_command_length(128 * 1024)
            .enquire_link_interval(config.enquire_link)
            .enquire_link_response_timeout(config.response_timeout)
            .response_timeout(config.response_timeout)
            .disable_interface_version_check();
        let (client, events): (_, Box<dyn Stream<Item = Event> + Unpin + Send>) = match &self.tls {
            None => {
                let (client, events) = builder.connected(stream);
                (client, Box::new(events))
            }
            Some(tls) => {
                let host = ServerName::try_from(config.host.clone()).map_err(|e| e.to_string())?;
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector.connect(host, stream).await.map_err(|e| e.to_string())?;
                let (client, events) = builder.connected(stream);
                (client, Box::new(events))
            }
        };
        self.bind(&client).await.map_err(|error| words(&error))?;
        Ok((client, events))
    }

    async fn bind(&self, client: &Client) -> Result<(), Error> {
        let SmppConfig { system_id, password, system_type, .. } = &*self.config;
        macro_rules! bind {
            ($pdu:ident) => {
                $pdu::builder()
                    .system_id(system_id.clone())
                    .password(password.clone())
                    .system_type(system_type.clone())
                    .interface_version(InterfaceVersion::Smpp3_4)
                    .build()
            };
        }
        match self.role {
            Role::Transceiver => client.bind_transceiver(bind!(BindTransceiver)).await.map(drop),
            Role::Transmitter => client.bind_transmitter(bind!(BindTransmitter)).await.map(drop),
            Role::Receiver => client.bind_receiver(bind!(BindReceiver)).await.map(drop),
        }
    }

    /// Handles what comes in until the session is lost or to be closed.
    async fn attend(
        &self,
        client: &Client,
        mut events: Box<dyn Stream<Item = Event> + Unpin + Send>,
        closing: &mut watch::Receiver<bool>,
    ) {
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = closing.changed() => {
                    let _ = tokio::time::timeout(UNBIND_TIMEOUT, client.unbind()).await;
                    let _ = client.close().await;
                    return;
                }
            };
            match event {
                Some(Event::Incoming(command)) => {
                    let sequence = command.sequence_number();
                    match command.pdu() {
                        Some(Pdu::DeliverSm(pdu)) => self.deliver(client, sequence, pdu).await,
                        Some(Pdu::Unbind) => {
                            tracing::warn!(carrier = self.name, role = ?self.role, "the SMSC unbound");
                            let _ = client.unbind_resp(sequence).await;
                            let _ = client.close().await;
                            return;
                        }
                        Some(Pdu::EnquireLink) | None => {}
                        Some(_) => {
                            let command = u32::from(command.id());
                            tracing::info!(
                                carrier = self.name,
                                command,
                                "the SMSC sent what is not read here"
                            );
                            self.count_dropped("other");
                        }
                    }
                }
                Some(Event::Error(error)) => {
                    let error = words(&error);
                    tracing::warn!(carrier = self.name, role = ?self.role, error, "session lost");
                    return;
                }
                None => {
                    tracing::warn!(carrier = self.name, role = ?self.role, "session lost");
                    return;
                }
            }
        }
    }

    /// Leaves a trace of what is taken and goes nowhere: neither its text nor its numbers.
    fn note(&self, delivered: &Delivered, pdu: &DeliverSm) {
        let octets = pdu.short_message().as_ref().len();
        let what = match delivered {
            Delivered::Message => {
                tracing::info!(
                    carrier = self.name,
                    octets,
                    "a handset sent a message, which is not passed on"
                );
                "message"
            }
            Delivered::Unreadable => {
                tracing::warn!(carrier = self.name, octets, "a receipt that can't be read");
                "unreadable receipt"
            }
            Delivered::NoEnd | Delivered::Receipt(..) => return,
        };
        self.count_dropped(what);
    }

    /// Counts what the SMSC sent and we had no use for.
    fn count_dropped(&self, what: &'static str) {
        metrics::counter!("switchback_smpp_dropped_total", "carrier" => self.name.clone(), "what" => what)
            .increment(1);
    }

    /// Stores a receipt beside the others, and acknowledges it once it is safe.
    async fn deliver(&self, client: &Client, sequence: u32, pdu: &DeliverSm) {
        let (reference, receipt) = match receipt::read(pdu, &self.config) {
            Delivered::Receipt(reference, receipt) => (reference, receipt),
            other => {
                self.note(&other, pdu);
                let _ = client.deliver_sm_resp(sequence, DeliverSmResp::default()).await;
                return;
            }
        };
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.receipts).acquire_owned().await else { return };
        let reference = CarrierRef::new(&*self.name, reference);
        let (client, sink) = (client.clone(), Arc::clone(&self.sink));
        tokio::spawn(async move {
            let _permit = permit;
            let status = match sink.report(Report { reference, recipient: None, receipt }).await {
                Ok(()) => CommandStatus::EsmeRok,
                // "ESME receiver temporary app error": the SMSC keeps it and tries again.
                Err(_) => CommandStatus::EsmeRxTAppn,
            };
            let _ = client.status(status).deliver_sm_resp(sequence, DeliverSmResp::default()).await;
        });
    }
}

/// What went wrong, in words: a refusal without the PDU around it.
fn words(error: &Error) -> String {
    let Error::UnexpectedResponse { response } = error else { return error.to_string() };
    let why = match response.status() {
        CommandStatus::EsmeRbindfail => "bind failed: system_id, password or system_type may be wrong",
        CommandStatus::EsmeRinvpaswd => "invalid password",
        CommandStatus::EsmeRinvsysid => "invalid system_id",
        CommandStatus::EsmeRinvsystyp => "invalid system_type",
        CommandStatus::EsmeRalybnd => "already bound",
        CommandStatus::EsmeRinvbndsts => "this kind of bind is not allowed",
        CommandStatus::EsmeRsyserr => "system error",
        CommandStatus::EsmeRthrottled => "throttled",
        CommandStatus::EsmeRinvcmdid => "this kind of bind is not known",
        _ => "refused",
    };
    format!("the SMSC said no: {why} (command_status 0x{:08X})", u32::from(response.status()))
}
