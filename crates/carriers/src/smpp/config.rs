//! What an SMPP carrier can be told.

use crate::config::duration;
use flow::{Channel, Detail, Status};
use rusmpp::types::COctetString;
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// An SMPP account and how the SMSC behind it likes things.
/// It has no `Debug`: it holds a password.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmppConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// `system_id` of the bind.
    #[serde(deserialize_with = "c_octets")]
    pub system_id: COctetString<1, 16>,
    /// `password` of the bind; SMPP 3.4 allows 8 characters.
    #[serde(deserialize_with = "c_octets")]
    pub password: COctetString<1, 9>,
    /// `system_type` of the bind.
    #[serde(default, deserialize_with = "c_octets")]
    pub system_type: COctetString<1, 13>,
    /// One session for both directions, or two.
    #[serde(default)]
    pub bind: Bind,
    /// TLS.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file with the certificate authorities to trust, instead of the public ones.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
    /// Between two `enquire_link`s on an idle session.
    #[serde(default = "default_enquire_link", deserialize_with = "duration")]
    pub enquire_link: Duration,
    /// How long an answer may take; afterwards its submit counts as unknown.
    #[serde(default = "default_response_timeout", deserialize_with = "duration")]
    pub response_timeout: Duration,
    /// The longest pause between two attempts to connect.
    #[serde(default = "default_reconnect_max", deserialize_with = "duration")]
    pub reconnect_max: Duration,
    /// How long messages are split.
    #[serde(default)]
    pub concatenation: Concatenation,
    /// Whether `validity_period` carries the time to live.
    #[serde(default = "yes")]
    pub validity_period: bool,
    /// How `submit_sm_resp` writes message ids.
    #[serde(default)]
    pub submit_id: IdForm,
    /// How receipts write them.
    #[serde(default)]
    pub receipt_id: IdForm,
    /// `[ton, npi]` of alphanumeric senders.
    #[serde(default = "alphanumeric")]
    pub alphanumeric_sender: (u8, u8),
    /// `[ton, npi]` of numeric senders of more than 6 digits, or with a plus.
    #[serde(default = "international")]
    pub numeric_sender: (u8, u8),
    /// `[ton, npi]` of short codes: numeric senders of at most 6 digits.
    #[serde(default = "short_code")]
    pub short_code_sender: (u8, u8),
    /// `[ton, npi]` of recipients.
    #[serde(default = "international")]
    pub recipient: (u8, u8),
    /// What `stat` words of receipts mean, over the built-in table.
    #[serde(default)]
    pub stat: HashMap<String, Meaning>,
    /// What `err` codes of receipts mean, over the built-in table.
    #[serde(default)]
    pub err: HashMap<String, Meaning>,
}

/// How sessions are bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    /// One session, `bind_transceiver`.
    #[default]
    Transceiver,
    /// Two sessions, `bind_transmitter` and `bind_receiver`.
    Separate,
}

/// How the parts of a long message say that they belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concatenation {
    /// A user data header (3GPP TS 23.040, 9.2.3.24.1) in `short_message`.
    #[default]
    Udh,
    /// `sar_msg_ref_num`, `sar_total_segments` and `sar_segment_seqnum`.
    Sar,
    /// The whole text in one `message_payload`; the SMSC splits it.
    Payload,
}

/// How a carrier writes a message id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// As it stands.
    #[default]
    Text,
    /// A hexadecimal number.
    Hex,
    /// A decimal number.
    Decimal,
}

impl IdForm {
    /// The same text for the same message, whichever way its id was written.
    pub fn normalize(self, id: &str) -> String {
        let id = id.trim();
        let number = match self {
            IdForm::Text => None,
            IdForm::Hex => u128::from_str_radix(id.trim_start_matches("0x"), 16).ok(),
            IdForm::Decimal => id.parse().ok(),
        };
        number.map_or_else(|| id.to_owned(), |number| number.to_string())
    }
}

/// What a word or a code in a receipt means.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The Sms status.
    #[serde(deserialize_with = "sms_status")]
    pub status: Status,
    /// The detailed status.
    pub detail: Option<Detail>,
}

fn c_octets<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<COctetString<1, MAX>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("must be at most {} ASCII characters", MAX - 1)))
}

fn sms_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
    let name = String::deserialize(deserializer)?;
    Status::parse(Channel::Sms, &name).ok_or_else(|| D::Error::custom("must be a status of an Sms"))
}

const fn default_port() -> u16 {
    2775
}

const fn default_enquire_link() -> Duration {
    Duration::from_secs(30)
}

const fn default_response_timeout() -> Duration {
    Duration::from_secs(10)
}

const fn default_reconnect_max() -> Duration {
    Duration::from_secs(30)
}

const fn yes() -> bool {
    true
}

// SMPP 3.4, 5.2.5 and 5.2.6: TON 1 international, 3 network specific, 5 alphanumeric; NPI 1 ISDN.
const fn alphanumeric() -> (u8, u8) {
    (5, 0)
}

const fn international() -> (u8, u8) {
    (1, 1)
}

const fn short_code() -> (u8, u8) {
    (3, 0)
}

impl SmppConfig {
    /// Checks the files that it names.
    ///
    /// # Errors
    /// The key, the file and the rule.
    pub fn check_files(&self) -> Result<(), String> {
        self.tls_config().map(drop)
    }

    /// The TLS settings; `None` without TLS.
    ///
    /// # Errors
    /// When `tls_ca` can't be read.
    pub(super) fn tls_config(&self) -> Result<Option<Arc<ClientConfig>>, String> {
        if !self.tls {
            return Ok(None);
        }
        let mut roots = RootCertStore::empty();
        match &self.tls_ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let failed = |error: &dyn std::fmt::Display| format!("tls_ca {}: {error}", path.display());
                for certificate in CertificateDer::pem_file_iter(path).map_err(|e| failed(&e))? {
                    roots.add(certificate.map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
                }
                if roots.is_empty() {
                    return Err(failed(&"there is no certificate (PEM) in it"));
                }
            }
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_hex_and_decimal_meet() {
        assert_eq!(IdForm::Hex.normalize("00FF10"), IdForm::Decimal.normalize("0065296"));
        assert_eq!(IdForm::Text.normalize(" a-1 "), "a-1");
        // An id that is no number after all stays what it is.
        assert_eq!(IdForm::Decimal.normalize("x1"), "x1");
    }
}
