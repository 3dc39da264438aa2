//! The clients that are compared.

use crate::smsc::{KIND, stamp};
use futures::StreamExt;
use rusmpp::pdus::{BindTransceiver, DeliverSmResp, SubmitSm};
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::InterfaceVersion;
use smpp::{Bind, CommandStatus, Incoming, Message, Settings};
use std::time::Duration;
use tokio::net::TcpStream;

#[derive(Clone, Copy, PartialEq)]
pub enum Contender {
    /// `crates/smpp`.
    Smpp,
    /// rusmppc, as the carrier used it.
    Rusmppc,
}

/// A bound session, which acknowledges what it receives.
#[derive(Clone)]
pub enum Esme {
    Smpp(smpp::Client<u64>),
    Rusmppc(rusmppc::Client),
}

/// Short: rusmppc can stand still until the next octet of the SMSC.
const ENQUIRE_LINK: Duration = Duration::from_secs(1);
const RECIPIENT: &str = "306900000000";

impl Contender {
    pub const ALL: [Contender; 2] = [Contender::Smpp, Contender::Rusmppc];

    pub fn name(self) -> &'static str {
        match self {
            Contender::Smpp => "crates/smpp",
            Contender::Rusmppc => "rusmppc",
        }
    }

    pub async fn bind(self, port: u16, window: usize) -> anyhow::Result<Esme> {
        match self {
            Contender::Smpp => {
                let stream = smpp::dial("127.0.0.1", port, None).await?;
                let settings =
                    Settings { window, enquire_link: ENQUIRE_LINK, ..Settings::new(KIND, Bind::default()) };
                let (client, mut incoming) = smpp::Client::start(stream, settings)?;
                anyhow::ensure!(matches!(incoming.recv().await, Some(Incoming::Bound(_))), "not bound");
                let acknowledging = client.clone();
                tokio::spawn(async move {
                    while let Some(told) = incoming.recv().await {
                        if let Incoming::Received(received) = told {
                            acknowledging.answer((received.command, received.sequence), CommandStatus::OK);
                        }
                    }
                });
                Ok(Esme::Smpp(client))
            }
            Contender::Rusmppc => {
                let stream = TcpStream::connect(("127.0.0.1", port)).await?;
                stream.set_nodelay(true)?;
                let builder = rusmppc::ConnectionBuilder::new()
                    .max_command_length(128 * 1024)
                    .enquire_link_interval(ENQUIRE_LINK)
                    .response_timeout(Duration::from_secs(10))
                    .disable_interface_version_check();
                let (client, mut events) = builder.connected(stream);
                let bind = BindTransceiver::builder().interface_version(InterfaceVersion::Smpp3_4).build();
                client.bind_transceiver(bind).await?;
                let acknowledging = client.clone();
                tokio::spawn(async move {
                    while let Some(event) = events.next().await {
                        let rusmppc::Event::Incoming(command) = event else { continue };
                        let sequence = command.sequence_number();
                        let client = acknowledging.clone();
                        tokio::spawn(async move {
                            let _ = client.deliver_sm_resp(sequence, DeliverSmResp::default()).await;
                        });
                    }
                });
                Ok(Esme::Rusmppc(client))
            }
        }
    }
}

impl Esme {
    /// Submits a message that says when; whether it was accepted.
    pub async fn submit(&self) -> bool {
        match self {
            Esme::Smpp(client) => {
                let message = Message {
                    destination: smpp::Address { ton: 1, npi: 1, address: RECIPIENT.to_owned() },
                    registered_delivery: 1,
                    short_message: stamp().to_vec(),
                    ..Message::default()
                };
                client.submit(0, message, Duration::from_secs(60)).await.is_ok()
            }
            Esme::Rusmppc(client) => {
                let recipient = COctetString::from_string(RECIPIENT.to_owned()).expect("digits");
                let text = OctetString::from_slice(&stamp()).expect("8 octets");
                let pdu = SubmitSm::builder()
                    .destination_addr(recipient)
                    .registered_delivery(rusmpp::values::RegisteredDelivery::from(1))
                    .short_message(text)
                    .build();
                client.submit_sm(pdu).await.is_ok()
            }
        }
    }
}
