//! SMPP 3.4 (SMPP Protocol Specification v3.4, issue 1.2): a client of a carrier's SMSC.

mod config;
mod link;
mod receipt;
mod submit;

pub use config::SmppConfig;
#[cfg(feature = "fuzzing")]
pub(crate) use receipt::fuzz as fuzz_receipt;

use crate::{Carrier, CarrierSink, Outcome, Outgoing};
use async_trait::async_trait;
use config::{Bind, Concatenation};
use flow::Detail;
use futures::future::join_all;
use link::{Link, Role};
use rusmpp::CommandStatus;
use rusmppc::error::Error;
use std::sync::Arc;

/// A carrier reached over SMPP 3.4.
pub struct Smpp {
    config: Arc<SmppConfig>,
    /// One transceiver, or a transmitter and a receiver; the first one submits.
    links: Vec<Link>,
}

impl Smpp {
    /// Starts the carrier `name`, which keeps itself bound; receipts go to `sink`.
    ///
    /// # Errors
    /// When the TLS files can't be read.
    pub fn start(name: String, config: SmppConfig, sink: Arc<dyn CarrierSink>) -> Result<Smpp, String> {
        let config = Arc::new(config);
        let tls = config.tls_config()?;
        let roles: &[Role] = match config.bind {
            Bind::Transceiver => &[Role::Transceiver],
            Bind::Separate => &[Role::Transmitter, Role::Receiver],
        };
        let start =
            |&role| Link::start(role, name.clone(), Arc::clone(&config), tls.clone(), Arc::clone(&sink));
        Ok(Smpp { links: roles.iter().map(start).collect(), config })
    }
}

#[async_trait]
impl Carrier for Smpp {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let Some(client) = self.links[0].client() else {
            return Outcome::Later { reason: "not bound", after: None };
        };
        let pdu = match submit::build(outgoing, &self.config) {
            Ok(pdu) => pdu,
            Err(why) => return Outcome::Refused { detail: Detail::FAILED, description: Some(why) },
        };
        if !client.is_active() {
            return Outcome::Later { reason: "not connected", after: None };
        }
        match client.submit_sm(pdu).await {
            Ok(response) => {
                let reference = self.config.submit_id.normalize(response.message_id().as_str());
                // Without an id its receipts don't find it, and yet it was taken.
                let own = || outgoing.part().id.to_string();
                Outcome::Accepted { reference: if reference.is_empty() { own() } else { reference } }
            }
            Err(Error::UnexpectedResponse { response }) => refused(response.status()),
            Err(Error::Encode(error)) => {
                Outcome::Refused { detail: Detail::FAILED, description: Some(error.to_string()) }
            }
            // From here on the SMSC may have it: the connection or its answer was lost after sending.
            Err(Error::ResponseTimeout { .. }) => Outcome::Unknown { reason: "response timeout" },
            Err(_) => Outcome::Unknown { reason: "connection lost" },
        }
    }

    fn takes_whole(&self) -> bool {
        self.config.concatenation == Concatenation::Payload
    }

    fn is_up(&self) -> bool {
        self.links.iter().all(|link| link.client().is_some())
    }

    async fn close(&self) {
        join_all(self.links.iter().map(Link::close)).await;
    }
}

/// What a `submit_sm_resp` with an error means (SMPP 3.4, 5.1.3).
fn refused(status: CommandStatus) -> Outcome {
    let detail = match status {
        CommandStatus::EsmeRthrottled => return Outcome::Later { reason: "throttled", after: None },
        CommandStatus::EsmeRmsgqful => return Outcome::Later { reason: "queue full", after: None },
        CommandStatus::EsmeRsyserr => return Outcome::Later { reason: "system error", after: None },
        CommandStatus::EsmeRinvbndsts => return Outcome::Later { reason: "not bound", after: None },
        CommandStatus::EsmeRxTAppn => return Outcome::Later { reason: "temporary error", after: None },
        CommandStatus::EsmeRinvdstadr => Detail::UNKNOWN_NUMBER,
        CommandStatus::EsmeRprohibited | CommandStatus::EsmeRinvsrcadr => Detail::CARRIER_VIOLATION,
        _ => Detail::FAILED,
    };
    let code = u32::from(status);
    Outcome::Refused { detail, description: Some(format!("SMPP command_status 0x{code:08X}")) }
}
