//! A provider's file: how its HTTP API is spoken, in TOML. docs/carriers-http.md explains every key.

use super::preset;
use crate::config::document::{self, DocumentError};
use crate::config::duration;
use flow::{Channel, Status};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A provider's file. Strings with `{{ … }}` are minijinja templates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What it is, in a sentence.
    pub description: String,
    /// The channels that it can carry.
    pub channels: Vec<Channel>,
    /// What every path is appended to.
    pub base_url: String,
    /// What the operator fills in, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// How requests are authenticated.
    #[serde(default)]
    pub auth: Auth,
    /// The requests; the first one whose `when` holds is made.
    pub request: Vec<Request>,
    /// What answers mean.
    pub answer: Answer,
    /// The receipts that it posts, if it posts any.
    #[serde(default)]
    pub receipts: Option<Receipts>,
    /// The messages from recipients that it posts, if it posts any.
    #[serde(default)]
    pub inbound: Option<Inbound>,
}

/// Something that the operator fills in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it is.
    pub about: String,
    /// Its value if it is not given; without a default it must be given.
    #[serde(default)]
    pub default: Option<String>,
    /// The values that it may have; any if empty.
    #[serde(default)]
    pub choices: Vec<String>,
}

/// How requests are authenticated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// Headers that stay the same.
    Header {
        /// Templates, by name.
        headers: BTreeMap<String, String>,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// A template.
        username: String,
        /// A template.
        password: String,
    },
    /// A call that answers with a token.
    Login {
        /// The path of the call, or a whole URL.
        path: String,
        /// The JSON body, a template.
        body: String,
        /// Where the token is in the answer, a JSON pointer (RFC 6901).
        token: String,
        /// Where the answer gives the token's lifetime in seconds, a JSON pointer.
        #[serde(default)]
        expires_in: Option<String>,
        /// Its lifetime if the answer does not give it.
        #[serde(default = "default_lifetime", deserialize_with = "duration")]
        lifetime: Duration,
        /// What requests carry, templates that know `token`.
        headers: BTreeMap<String, String>,
    },
    /// OAuth 2.0 client credentials (RFC 6749, 4.4).
    OAuth2 {
        /// Where tokens are: a path, or a whole URL.
        path: String,
        /// A template.
        client_id: String,
        /// A template.
        client_secret: String,
        /// The scope that is requested, a template.
        #[serde(default)]
        scope: Option<String>,
    },
}

const fn default_lifetime() -> Duration {
    Duration::from_secs(600)
}

/// A request that hands over a message of some kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What kind of message it hands over.
    pub name: String,
    /// A minijinja expression over the message.
    #[serde(default)]
    pub when: Option<String>,
    /// The path, a template; appended to the base URL.
    pub path: String,
    /// Headers, templates by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, a template. Values are written as JSON; members that are null are left out.
    #[serde(default)]
    pub body: Option<String>,
    /// Or a form, templates by name, several if a name has several values; empty values are left out.
    #[serde(default)]
    pub form: Option<BTreeMap<String, Values>>,
    /// Fields that the provider finds out by itself, so that leaving them out loses nothing.
    #[serde(default)]
    pub implied: Vec<String>,
}

/// One value, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "must be a text, or an array of texts")]
pub enum Values {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// What answers mean; expressions over `status`, `body` and `headers` (names in lower case).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Holds if the provider accepted the message.
    pub accepted: String,
    /// Where the id of an accepted message is, a JSON pointer.
    pub id: String,
    /// Holds if the message was not accepted and may be later.
    #[serde(default = "default_later")]
    pub later: String,
    /// Where an answer gives the seconds to wait, a JSON pointer; the header `Retry-After` has priority.
    #[serde(default)]
    pub retry_after: Option<String>,
    /// Holds if the provider wants another token.
    #[serde(default = "default_unauthorized")]
    pub unauthorized: String,
    /// Where the description of a refusal is, a JSON pointer.
    #[serde(default)]
    pub description: Option<String>,
    /// What refusals mean; the first that holds.
    #[serde(default)]
    pub refused: Vec<Refusal>,
}

fn default_later() -> String {
    "status in [408, 425, 429] or (status >= 500 and status not in [504, 524])".into()
}

fn default_unauthorized() -> String {
    "status == 401".into()
}

/// What some refusals, or failures that are reported, mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// An expression.
    pub when: String,
    /// The detailed status.
    pub detail: String,
}

/// What a provider posts to `/carriers/NAME/receipts`. Values are JSON pointers into a receipt where they
/// start with `/`, else templates that know it as `item`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipts {
    /// Where the array of receipts is in the body, a JSON pointer; without it the body is one, or an array of
    /// them.
    #[serde(default)]
    pub each: Option<String>,
    /// The id that the answer to the request gave.
    pub id: String,
    /// The status, in the provider's word.
    pub status: String,
    /// When: ISO 8601, or Unix seconds or milliseconds.
    #[serde(default)]
    pub time: Option<String>,
    /// The provider's description.
    #[serde(default)]
    pub description: Option<String>,
    /// The recipient's network.
    #[serde(default)]
    pub operator: Option<String>,
    /// Seconds of talk.
    #[serde(default)]
    pub duration: Option<String>,
    /// Who answered a call: `human` or `machine`.
    #[serde(default)]
    pub answered_by: Option<String>,
    /// Our statuses by the provider's words, in any case; `""` for those that change nothing.
    pub statuses: BTreeMap<String, MappedStatus>,
    /// What failures mean; the first that holds, over `item`.
    #[serde(default)]
    pub details: Vec<Refusal>,
    /// How an authentic one is told from a forged one.
    pub verify: Verify,
}

/// Our status for a word of the provider's.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "must be a status, or { status = \"…\", detail = \"…\" }")]
pub enum MappedStatus {
    /// Only a status; or `""` for a word that changes nothing.
    Plain(String),
    /// A status, and why.
    Detailed {
        /// The status.
        status: Status,
        /// The detailed status.
        detail: String,
    },
}

/// How an authentic receipt is told from a forged one.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum Verify {
    /// The URL that the provider calls has `?token=…`.
    #[serde(rename = "token")]
    Token {
        /// A template.
        secret: String,
    },
    /// A header has a secret value.
    #[serde(rename = "header")]
    Header {
        /// Its name.
        name: String,
        /// Its whole value, a template.
        value: String,
    },
    /// A header has the body's HMAC-SHA256.
    #[serde(rename = "hmac-sha256")]
    HmacSha256 {
        /// Its name.
        name: String,
        /// The key, a template.
        secret: String,
        /// What is before the value, such as `sha256=`.
        #[serde(default)]
        prefix: String,
        /// How the value is written.
        #[serde(default)]
        encoding: Encoding,
    },
    /// `Authorization: Bearer` has a JWT (RFC 7519) by HS256, whose claim `payload_hash` is the body's
    /// SHA-256.
    #[serde(rename = "jwt-hs256")]
    Jwt {
        /// The key, a template.
        secret: String,
    },
    /// `X-Twilio-Signature`: the HMAC-SHA1 of the URL and the form.
    #[serde(rename = "twilio")]
    Twilio {
        /// The account's token, a template.
        secret: String,
    },
}

/// How octets are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Base 16.
    #[default]
    Hex,
    /// Base 64 (RFC 4648, 4).
    Base64,
}

/// How messages from recipients are read. Values as in [`Receipts`]; conditions are expressions over `item`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// Whether an item is a message.
    #[serde(default)]
    pub message: Option<String>,
    /// Whether it is an opt-out.
    #[serde(default)]
    pub opt_out: Option<String>,
    /// Whether it takes that back.
    #[serde(default)]
    pub opt_in: Option<String>,
    /// The recipient who wrote it.
    pub from: String,
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
    /// The URL of a file sent with it.
    #[serde(default)]
    pub media_url: Option<String>,
    /// The name of that file; without it, what its URL ends in.
    #[serde(default)]
    pub file_name: Option<String>,
    /// When it was written: ISO 8601, or Unix seconds or milliseconds.
    #[serde(default)]
    pub time: Option<String>,
    /// The provider's id of it; without one, a hash of the whole item identifies it.
    #[serde(default)]
    pub id: Option<String>,
}

impl Provider {
    /// Reads a provider's file.
    ///
    /// # Errors
    /// [`DocumentError`]: the line and the column or the key, and the rule.
    pub fn parse(text: &str) -> Result<Provider, DocumentError> {
        document::parse(text).and_then(document::read)
    }

    /// The preset with a name.
    pub fn preset(name: &str) -> Option<Provider> {
        let (_, text) = preset::ALL.iter().find(|(known, _)| *known == name)?;
        Provider::parse(text).ok()
    }

    /// The names of the presets, sorted.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        preset::ALL.iter().map(|(name, _)| *name)
    }
}
