//! SMPP 3.4 (SMPP Protocol Specification v3.4, issue 1.2): a client of a carrier's SMSC.

mod alphabet;
#[allow(dead_code)] // The sessions that use it replace the carrier below.
mod command_status;
#[allow(dead_code)] // As above.
mod concatenation;
#[allow(dead_code)] // As above.
mod config;
mod fields;
mod handset;
mod id;
mod meaning;
#[allow(dead_code)] // As above.
mod receipt;
#[allow(dead_code)] // As above.
mod submit;

pub use config::SmppConfig;
#[cfg(feature = "fuzzing")]
pub(crate) use receipt::fuzz as fuzz_receipt;

use crate::{Carrier, Outcome, Outgoing, ReceiptSink};
use async_trait::async_trait;
use config::Concatenation;
use std::sync::Arc;

/// A carrier reached over SMPP 3.4.
pub struct Smpp {
    config: Arc<SmppConfig>,
}

impl Smpp {
    /// Starts the carrier `name`, which keeps itself bound; receipts go to `sink`.
    ///
    /// # Errors
    /// When a file or a variable that the configuration names can't be read.
    pub fn start(_: String, config: SmppConfig, _: Arc<dyn ReceiptSink>) -> Result<Smpp, String> {
        config.check_files()?;
        Ok(Smpp { config: Arc::new(config) })
    }
}

#[async_trait]
impl Carrier for Smpp {
    async fn submit(&self, _: &Outgoing) -> Outcome {
        Outcome::Later { reason: "not bound", after: None }
    }

    fn takes_whole(&self) -> bool {
        self.config.concatenation == Concatenation::Payload
    }

    fn is_up(&self) -> bool {
        false
    }

    async fn close(&self) {}
}
