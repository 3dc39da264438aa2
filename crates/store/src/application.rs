//! Applications (tenants), their secrets and tokens.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// An application: a tenant with credentials, that owns flows.
#[derive(Clone, Debug)]
pub struct Application {
    /// 24 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `secret_hash` of its secret.
    pub secret_hash: [u8; 32],
    /// When it was created, Unix milliseconds.
    pub created_ms: i64,
    /// Since when it may do nothing any more, Unix milliseconds.
    pub revoked_ms: Option<i64>,
    /// What it may and how it is treated.
    pub settings: ApplicationSettings,
}

/// How an application is treated.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApplicationSettings {
    /// How long its tokens live.
    #[serde(default)]
    pub token_ttl: TokenTtl,
    /// Whether Sms steps that don't say are sent in the GSM alphabet.
    #[serde(default)]
    pub transcode: bool,
    /// How many days its closed flows are kept, where that is less than for all others'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<std::num::NonZeroU32>,
    /// Limits of its own, in place of the server's.
    #[serde(default, skip_serializing_if = "ApplicationLimits::is_empty")]
    pub limits: ApplicationLimits,
    /// Which key its callbacks are signed with.
    #[serde(default, skip_serializing_if = "CallbackKey::is_first")]
    pub callback_key: CallbackKey,
}

/// An application's own limits; where one is absent, the server's configuration says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApplicationLimits {
    /// Requests a second; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Costly searches at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searches_max: Option<std::num::NonZeroU32>,
    /// Living tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_max: Option<std::num::NonZeroU32>,
}

impl ApplicationLimits {
    /// Whether the server's configuration says them all.
    pub fn is_empty(&self) -> bool {
        *self == ApplicationLimits::default()
    }
}

/// Which of an application's keys its callbacks are signed with. Keys are derived, so a number stands for
/// each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CallbackKey {
    /// How often the key was changed.
    pub generation: u32,
    /// When it was changed last, Unix milliseconds.
    pub changed_ms: i64,
}

impl CallbackKey {
    /// How long the key of before signs as well, milliseconds: so long receivers have to take up the new one.
    pub const GRACE_MS: i64 = 24 * 3600 * 1000;

    /// Whether it was never changed.
    pub fn is_first(&self) -> bool {
        self.generation == 0
    }

    /// The key after this one.
    pub fn next(self, now_ms: i64) -> CallbackKey {
        CallbackKey { generation: self.generation.saturating_add(1), changed_ms: now_ms }
    }

    /// The keys that sign a callback of an application, the newest first. `key` is the installation's.
    pub fn secrets(self, key: &[u8; 32], application: &str, now_ms: i64) -> Vec<[u8; 32]> {
        let in_grace = now_ms.saturating_sub(self.changed_ms) < Self::GRACE_MS;
        let before = self.generation.checked_sub(1).filter(|_| in_grace);
        let generations = std::iter::once(self.generation).chain(before);
        generations.map(|generation| callback_secret(key, application, generation)).collect()
    }
}

/// How long an application's tokens live (contract, section 1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenTtl {
    /// 3600 s.
    #[default]
    Hour,
    /// 86400 s.
    Day,
    /// 631139040 s.
    Unlimited,
}

impl TokenTtl {
    /// Seconds.
    pub const fn seconds(self) -> u32 {
        match self {
            TokenTtl::Hour => 3600,
            TokenTtl::Day => 86_400,
            TokenTtl::Unlimited => 631_139_040,
        }
    }
}

/// A new application with the only copy of its secret.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// What is stored.
    pub application: Application,
    /// The secret, 20 letters and digits; not stored.
    pub secret: String,
}

impl NewApplication {
    /// Draws credentials.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn draw(
        name: String,
        settings: ApplicationSettings,
        key: &[u8; 32],
        now_ms: i64,
    ) -> Result<NewApplication, getrandom::Error> {
        let mut id = [0; 12];
        getrandom::fill(&mut id)?;
        let (secret, secret_hash) = draw_secret(key)?;
        let application =
            Application { id: hex(&id), name, secret_hash, created_ms: now_ms, revoked_ms: None, settings };
        Ok(NewApplication { application, secret })
    }
}

/// What secrets are made of: no client's shell, form or header has to escape it.
const SECRET_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Letters and digits of a secret: 119 bits. Base64 of an id, a colon and a secret then has 60 characters, so
/// that clients whose base64 breaks lines after 60 or 76 send one line (contract, section 1).
const SECRET_LENGTH: usize = 20;

/// A new secret and its hash.
pub(crate) fn draw_secret(key: &[u8; 32]) -> Result<(String, [u8; 32]), getrandom::Error> {
    let mut secret = String::with_capacity(SECRET_LENGTH);
    let mut drawn = [0; 32];
    while secret.len() < SECRET_LENGTH {
        getrandom::fill(&mut drawn)?;
        let room = SECRET_LENGTH - secret.len();
        secret.extend(drawn.into_iter().filter_map(symbol).take(room));
    }
    let hash = secret_hash(key, &secret);
    Ok((secret, hash))
}

/// The symbol for a random octet; none for the last octets, which would make some symbols likelier than
/// others.
fn symbol(octet: u8) -> Option<char> {
    const FAIR: usize = 256 - 256 % SECRET_ALPHABET.len();
    let octet = usize::from(octet);
    (octet < FAIR).then(|| char::from(SECRET_ALPHABET[octet % SECRET_ALPHABET.len()]))
}

impl Application {
    /// Whether `secret` is its secret; takes the same time whatever is wrong.
    pub fn has_secret(&self, key: &[u8; 32], secret: &str) -> bool {
        use subtle::ConstantTimeEq;
        self.secret_hash.ct_eq(&secret_hash(key, secret)).into()
    }
}

/// Secrets are at least 119 random bits (256 before they became short), so there is nothing to guess that a
/// slow hash (argon2) would slow down; the installation's key makes hashes useless elsewhere.
fn secret_hash(key: &[u8; 32], secret: &str) -> [u8; 32] {
    keyed_hash(key, secret.as_bytes())
}

/// The key of a generation that an application's callbacks are signed with: derived, so that there is nothing
/// to store.
pub fn callback_secret(key: &[u8; 32], application: &str, generation: u32) -> [u8; 32] {
    let text = match generation {
        0 => format!("callbacks of {application}"),
        later => format!("callbacks of {application}, key {later}"),
    };
    keyed_hash(key, text.as_bytes())
}

/// A hash that nobody without the installation's key can try values against: of values of one kind, and of
/// one application.
pub(crate) fn blind(key: &[u8; 32], kind: &str, application: &str, value: &[u8]) -> [u8; 32] {
    keyed_hash(key, &[kind.as_bytes(), b"\0", application.as_bytes(), b"\0", value].concat())
}

/// HMAC-SHA-256.
fn keyed_hash(key: &[u8; 32], octets: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    // RFC 2104: a key shorter than the hash's block is filled up with zeros.
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(octets);
    mac.finalize().into_bytes().into()
}

/// An access token: opaque to clients, stored only as a hash.
#[derive(Clone, Debug)]
pub struct Token {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Whose it is.
    pub application: String,
    /// When it ends, Unix milliseconds.
    pub expires_ms: i64,
    /// The roles it carries, space-separated.
    pub scope: String,
}

impl Token {
    /// The hash that a token is stored by: it is 256 random bits, so a plain hash can't be searched.
    pub fn hash_of(token: &str) -> [u8; 32] {
        Sha256::digest(token.as_bytes()).into()
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_before_signs_for_a_day_and_no_older_one() {
        let key = [7; 32];
        let first = CallbackKey::default();
        let secret = |generation| callback_secret(&key, "a", generation);
        assert_eq!(first.secrets(&key, "a", 5), [secret(0)]);
        let second = first.next(1000);
        assert_eq!(second.secrets(&key, "a", 1000), [secret(1), secret(0)]);
        assert_eq!(second.secrets(&key, "a", 999 + CallbackKey::GRACE_MS), [secret(1), secret(0)]);
        assert_eq!(second.secrets(&key, "a", 1000 + CallbackKey::GRACE_MS), [secret(1)]);
        assert_eq!(second.next(2000).secrets(&key, "a", 2001), [secret(2), secret(1)]);
        assert_ne!(secret(0), secret(1));
        assert_ne!(secret(1), callback_secret(&key, "b", 1));
    }

    #[test]
    fn rule_9_secrets_are_twenty_letters_and_digits_each_as_likely_as_any_other() {
        let key = [7; 32];
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let (secret, hash) = draw_secret(&key).unwrap();
            assert!(secret.len() == 20 && secret.bytes().all(|b| b.is_ascii_alphanumeric()), "{secret}");
            assert_eq!(hash, secret_hash(&key, &secret));
            assert!(seen.insert(secret), "a secret came twice");
        }
        let counts = (0..=u8::MAX).filter_map(symbol).fold([0; 128], |mut counts, symbol| {
            counts[symbol as usize] += 1;
            counts
        });
        let counts = counts.into_iter().filter(|count| *count > 0).collect::<Vec<_>>();
        assert_eq!(counts, [4; 62]);
    }

    #[test]
    fn rule_9_secrets_of_before_stay_valid() {
        let key = [7; 32];
        let old = "ab".repeat(32);
        let new = NewApplication::draw("a".into(), ApplicationSettings::default(), &key, 0).unwrap();
        let application = Application { secret_hash: secret_hash(&key, &old), ..new.application };
        assert!(application.has_secret(&key, &old) && !application.has_secret(&key, &new.secret));
    }

    #[test]
    fn settings_of_before_are_read_and_keep_their_form() {
        let stored = r#"{"token_ttl":"hour","transcode":false}"#;
        let settings: ApplicationSettings = serde_json::from_str(stored).unwrap();
        assert_eq!(settings, ApplicationSettings::default());
        assert_eq!(serde_json::to_string(&settings).unwrap(), stored);
    }
}
