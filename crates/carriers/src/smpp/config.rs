//! The configuration of an SMPP carrier.

use super::alphabet::DefaultAlphabet;
use super::id::IdForm;
use crate::config::{Secret, SecretError, duration};
use crate::trust::{self, TrustError};
use flow::{Channel, Detail, Status};
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::{self, ClientConfig};

/// The longest text of a bind or a submit, octets: more than any SMSC takes. SMPP 3.4 has less (5.2.1 to
/// 5.2.3), and providers hand out more; the SMSC judges.
const TEXT_MAX: usize = 255;
/// The most sessions that one carrier opens.
const BINDS_MAX: u8 = 16;
/// The most sessions of an account.
const SESSIONS_MAX: u16 = 1000;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3600);

/// Why the files and variables of a carrier's configuration can't be used. The text begins with the key and
/// has no value in it.
#[derive(Debug, thiserror::Error)]
pub enum SmppConfigError {
    /// A text of the bind is in a variable or a file that can't be read.
    #[error("{key}: {source}")]
    Secret {
        /// The key.
        key: &'static str,
        /// Why.
        source: SecretError,
    },
    /// A text of the bind is too long, or has a character that SMPP can't carry.
    #[error("{0}: {rule}", rule = octets_rule())]
    Octets(&'static str),
    /// The certificate authorities of `tls_ca` can't be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// An SMPP account, and the ways of the SMSC behind it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmppConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// `system_id` of the bind; at most 255 characters of ISO 8859-1, as the two that follow.
    pub system_id: Secret,
    /// `password` of the bind.
    pub password: Secret,
    /// `system_type` of the bind.
    #[serde(default = "no_text")]
    pub system_type: Secret,
    /// `service_type` of submits.
    #[serde(default)]
    pub service_type: String,
    /// `address_range` of the bind.
    #[serde(default)]
    pub address_range: String,
    /// `[ton, npi]` of the bind.
    #[serde(default)]
    pub bind_ton_npi: (u8, u8),
    /// One session for both directions, or two.
    #[serde(default)]
    pub bind: Bind,
    /// Sessions that this server opens, or pairs of them.
    #[serde(default = "one")]
    pub binds: u8,
    /// Sessions that the account allows; `binds` if absent.
    #[serde(default)]
    pub sessions: Option<u16>,
    /// TLS.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file with the certificate authorities to trust, instead of the public ones.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
    /// The time between two `enquire_link`s on an idle session.
    #[serde(default = "default_enquire_link", deserialize_with = "duration")]
    pub enquire_link: Duration,
    /// How long an answer may take; afterwards its submit counts as unknown.
    #[serde(default = "default_response_timeout", deserialize_with = "duration")]
    pub response_timeout: Duration,
    /// The longest pause between two attempts to connect.
    #[serde(default = "default_reconnect_max", deserialize_with = "duration")]
    pub reconnect_max: Duration,
    /// What `data_coding` 0 means at this SMSC.
    #[serde(default)]
    pub alphabet: DefaultAlphabet,
    /// The `data_coding` of submits.
    #[serde(default)]
    pub data_coding: DataCodings,
    /// How long messages are split.
    #[serde(default)]
    pub concatenation: Concatenation,
    /// What a receipt covers.
    #[serde(default)]
    pub receipts: ReceiptScope,
    /// Whether `validity_period` carries the time to live.
    #[serde(default = "yes")]
    pub validity_period: bool,
    /// How `submit_sm_resp` writes message ids.
    #[serde(default)]
    pub submit_id: IdForm,
    /// How the texts of receipts write them.
    #[serde(default)]
    pub receipt_id: IdForm,
    /// How the TLV `receipted_message_id` writes them; as `submit_id` if absent (SMPP 3.4, 5.3.2.12).
    #[serde(default)]
    pub receipt_tlv_id: Option<IdForm>,
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
    /// What a `command_status` that refuses a submit means, over the built-in table.
    #[serde(default, deserialize_with = "command_statuses")]
    pub command_status: BTreeMap<u32, Ruling>,
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

/// How the parts of a long message are marked as belonging together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concatenation {
    /// A user data header with a reference of 8 bits (3GPP TS 23.040, 9.2.3.24.1) in `short_message`.
    #[default]
    Udh,
    /// One with a reference of 16 bits (9.2.3.24.8), if the text needs no more parts with it.
    Udh16,
    /// `sar_msg_ref_num`, `sar_total_segments` and `sar_segment_seqnum`.
    Sar,
    /// The whole text in one `message_payload`; the SMSC splits it.
    Payload,
}

/// What a receipt covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptScope {
    /// The part whose id it has.
    #[default]
    Part,
    /// All parts of that part's message.
    Message,
}

/// The `data_coding` of submits (SMPP 3.4, 5.2.19).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataCodings {
    /// Of texts in the SMSC's default alphabet.
    pub text: u8,
    /// Of texts in UCS-2.
    pub unicode: u8,
}

impl Default for DataCodings {
    fn default() -> DataCodings {
        DataCodings { text: 0, unicode: 8 }
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

/// What a `command_status` means for the message that it refuses.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged, expecting = "must be \"later\", \"failed\" or { status = \"Failed\", detail = \"…\" }")]
pub enum Ruling {
    /// One word for it.
    Word(RulingWord),
    /// It is Failed, and why.
    Failed(Failure),
}

/// See [`Ruling`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulingWord {
    /// It is tried again.
    Later,
    /// It is Failed.
    Failed,
}

/// See [`Ruling`].
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A message that is refused has no other status.
    pub status: FailureStatus,
    /// The detailed status.
    pub detail: Option<Detail>,
}

/// See [`Failure`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum FailureStatus {
    /// Failed.
    Failed,
}

fn sms_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
    let name = String::deserialize(deserializer)?;
    Channel::Sms.rules().parse_status(&name).ok_or_else(|| D::Error::custom("must be a status of an Sms"))
}

fn command_statuses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u32, Ruling>, D::Error> {
    let mut rulings = BTreeMap::new();
    for (key, ruling) in BTreeMap::<String, Ruling>::deserialize(deserializer)? {
        let code = match key.strip_prefix("0x").or_else(|| key.strip_prefix("0X")) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => key.parse().ok(),
        };
        let code = code.filter(|&code| code > 0 && !key.contains('+')).ok_or_else(|| {
            D::Error::custom("its keys must be codes of errors, such as \"0x400\" or \"1024\"")
        })?;
        if rulings.insert(code, ruling).is_some() {
            return Err(D::Error::custom("it has the same code twice, in hexadecimal and in decimal"));
        }
    }
    Ok(rulings)
}

fn no_text() -> Secret {
    Secret::Text(String::new())
}

const fn one() -> u8 {
    1
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

/// Returns whether SMPP can carry a text: a C-octet string has no NUL (SMPP 3.4, 3.1).
fn is_octets(text: &str) -> bool {
    text.chars().count() <= TEXT_MAX && text.chars().all(|c| c != '\0' && u8::try_from(c).is_ok())
}

fn octets_rule() -> String {
    format!("must be at most {TEXT_MAX} characters of ISO 8859-1, without NUL")
}

impl SmppConfig {
    /// Checks what the types don't express.
    ///
    /// # Errors
    /// Not an error type: each key that breaks a rule, with the rule.
    pub fn check(&self) -> Vec<(String, String)> {
        let mut broken = Vec::new();
        let mut check = |holds: bool, key: &str, rule: String| {
            if !holds {
                broken.push((key.to_owned(), rule));
            }
        };
        for (key, text) in [("service_type", &self.service_type), ("address_range", &self.address_range)] {
            check(is_octets(text), key, octets_rule());
        }
        for (key, secret) in self.texts() {
            if let Secret::Text(text) = secret {
                check(is_octets(text), key, octets_rule());
            }
        }
        check((1..=BINDS_MAX).contains(&self.binds), "binds", format!("must be 1 to {BINDS_MAX}"));
        let sessions = u16::from(self.binds)..=SESSIONS_MAX;
        let rule = format!("must be at least binds, {}, and at most {SESSIONS_MAX}", self.binds);
        check(self.sessions.is_none_or(|count| sessions.contains(&count)), "sessions", rule);
        for (key, value) in [
            ("enquire_link", self.enquire_link),
            ("response_timeout", self.response_timeout),
            ("reconnect_max", self.reconnect_max),
        ] {
            check((SHORTEST_PAUSE..=HOUR).contains(&value), key, "must be 10ms to 1h".into());
        }
        broken
    }

    /// Checks the files and variables that it names.
    ///
    /// # Errors
    /// [`SmppConfigError`].
    pub fn check_files(&self) -> Result<(), SmppConfigError> {
        self.account()?;
        self.tls_config().map(drop)
    }

    /// The texts that may be elsewhere, by their keys.
    fn texts(&self) -> [(&'static str, &Secret); 3] {
        [("system_id", &self.system_id), ("password", &self.password), ("system_type", &self.system_type)]
    }

    /// The paths of the texts that are in files, by their keys.
    pub fn secret_files(&mut self) -> impl Iterator<Item = (&'static str, &mut PathBuf)> {
        let texts = [
            ("system_id", &mut self.system_id),
            ("password", &mut self.password),
            ("system_type", &mut self.system_type),
        ];
        texts.into_iter().filter_map(|(key, text)| Some((key, text.file_mut()?)))
    }

    /// What the bind says.
    ///
    /// # Errors
    /// As [`SmppConfig::check_files`].
    pub(super) fn account(&self) -> Result<smpp::Bind, SmppConfigError> {
        let [system_id, password, system_type] = self.texts().map(|(key, secret)| {
            let text = secret.read().map_err(|source| SmppConfigError::Secret { key, source })?;
            if is_octets(&text) { Ok(text) } else { Err(SmppConfigError::Octets(key)) }
        });
        let (addr_ton, addr_npi) = self.bind_ton_npi;
        Ok(smpp::Bind {
            system_id: system_id?,
            password: password?,
            system_type: system_type?,
            interface_version: smpp::VERSION_3_4,
            addr_ton,
            addr_npi,
            address_range: self.address_range.clone(),
        })
    }

    /// How the TLV `receipted_message_id` writes ids.
    pub(super) fn tlv_id(&self) -> IdForm {
        self.receipt_tlv_id.unwrap_or(self.submit_id)
    }

    /// How many sessions the account allows.
    pub fn sessions(&self) -> u16 {
        self.sessions.unwrap_or(self.binds.into())
    }

    /// The TLS settings; `None` without TLS.
    ///
    /// # Errors
    /// As [`SmppConfig::check_files`].
    pub(super) fn tls_config(&self) -> Result<Option<Arc<ClientConfig>>, SmppConfigError> {
        if !self.tls {
            return Ok(None);
        }
        let config = trust::client(trust::roots(self.tls_ca.as_deref())?)?;
        Ok(Some(Arc::new(config)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::document;

    /// A configuration with some more members, as JSON.
    pub(in super::super) fn config(more: &str) -> SmppConfig {
        let comma = if more.is_empty() { "" } else { "," };
        let text = format!(r#"{{"host": "h", "system_id": "i", "password": "p"{comma}{more}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn read(more: &str) -> Result<SmppConfig, String> {
        let document = format!("host = 'h'\nsystem_id = 'i'\npassword = 'p'\n{more}");
        document::parse(&document).and_then(document::read).map_err(|error| error.to_string())
    }

    #[test]
    fn accounts_are_as_wide_as_real_ones() {
        let config: SmppConfig = serde_json::from_str(
            r#"{"host": "h", "system_id": "a-system-id-of-many-letters", "password": "123456789 é",
                "system_type": "a-type-of-14-c", "service_type": "CMT"}"#,
        )
        .unwrap();
        assert!(config.check().is_empty() && config.check_files().is_ok());
        let account = config.account().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(account.password, "123456789 é");
    }

    #[test]
    fn a_password_may_be_in_a_file() {
        let path = std::env::temp_dir().join(format!("switchback-smpp-{}", std::process::id()));
        std::fs::write(&path, "from-a-file\n").unwrap();
        let mut config = config("");
        config.password = Secret::File { file: path.clone() };
        assert_eq!(config.account().unwrap().password, "from-a-file");
        assert_eq!(config.secret_files().map(|(key, _)| key).collect::<Vec<_>>(), ["password"]);
        std::fs::write(&path, "x".repeat(256)).unwrap();
        assert!(config.check_files().unwrap_err().to_string().starts_with("password: must be at most 255"));
        std::fs::remove_file(&path).unwrap();
        assert!(config.check_files().unwrap_err().to_string().starts_with("password: "));
    }

    #[test]
    fn every_setting_has_its_rule() {
        for (more, key) in [
            (r#""binds": 0"#, "binds"),
            (r#""binds": 17"#, "binds"),
            (r#""binds": 3, "sessions": 2"#, "sessions"),
            (r#""sessions": 1001"#, "sessions"),
            (r#""enquire_link": "0s""#, "enquire_link"),
            (r#""reconnect_max": "2h""#, "reconnect_max"),
            (r#""service_type": "α""#, "service_type"),
            (r#""system_type": "\u0000""#, "system_type"),
        ] {
            let broken = config(more).check();
            assert_eq!(broken.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), [key], "{more}");
        }
        assert_eq!(config(r#""binds": 3"#).sessions(), 3);
        for (more, rule) in [
            ("alphabet = 'utf8'", "alphabet: must be one of gsm, gsm_packed, ascii, latin1"),
            ("concatenation = 'x'", "concatenation: must be one of udh, udh16, sar, payload"),
            ("receipts = 'x'", "receipts: must be one of part, message"),
            ("data_coding = { binary = 4 }", "unknown key `binary`"),
            ("command_status = { '0x400' = 'never' }", "command_status.0x400: must be \"later\""),
            ("command_status = { '0x400' = { status = 'Sent' } }", "command_status.0x400: must be"),
            ("command_status = { x = 'later' }", "command_status: its keys must be codes"),
            ("command_status = { '0' = 'later' }", "command_status: its keys must be codes"),
            ("command_status = { '0x400' = 'later', '1024' = 'failed' }", "the same code twice"),
        ] {
            let error = read(more).err().unwrap_or_else(|| panic!("{more} is taken"));
            assert!(error.contains(rule), "{more}: {error}");
        }
        let rulings = read("command_status = { '0x400' = 'later', 1025 = { status = 'Failed' } }");
        let rulings = rulings.unwrap_or_else(|error| panic!("{error}")).command_status;
        assert_eq!(rulings[&0x400], Ruling::Word(RulingWord::Later));
        assert_eq!(rulings[&0x401], Ruling::Failed(Failure { status: FailureStatus::Failed, detail: None }));
    }
}
