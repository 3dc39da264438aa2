//! Tells a provider's authentic receipts from forged ones.

use super::error::HttpError;
use super::provider::{Encoding, Verify};
use super::template::Templates;
use crate::posted::{Posted, ReceiptError};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use minijinja::{Value, context};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use subtle::ConstantTimeEq;

/// How far a provider's clock may be from ours, seconds.
const SKEW_S: u64 = 300;

/// The fewest characters of a secret that can't be guessed.
const SECRET_MIN: usize = 16;

/// Verifies with a secret.
pub(super) struct Verifier {
    kind: Verify,
    secret: String,
    /// What is unwise about the secret, though it can be used.
    weakness: Option<String>,
}

impl Verifier {
    pub(super) fn new(
        verify: &Verify,
        settings: &Value,
        templates: &mut Templates,
    ) -> Result<Verifier, HttpError> {
        let source = match verify {
            Verify::Token { secret }
            | Verify::HmacSha256 { secret, .. }
            | Verify::Jwt { secret }
            | Verify::Twilio { secret } => secret,
            Verify::Header { value, .. } => value,
        };
        let name = templates.text("receipts.verify".into(), source)?;
        let secret = templates.render(&name, &context! { settings => settings })?;
        if secret.is_empty() {
            return Err(HttpError::EmptySecret);
        }
        let weakness = weakness(&secret, settings, &templates.variables(&name));
        Ok(Verifier { kind: verify.clone(), secret, weakness })
    }

    /// What is unwise about the secret, though it can be used: the key and the rule.
    pub(super) fn weakness(&self) -> Option<&str> {
        self.weakness.as_deref()
    }

    /// The URL that the provider is told to post to.
    pub(super) fn url(&self, url: &str) -> String {
        match self.kind {
            Verify::Token { .. } => {
                let query = serde_urlencoded::to_string([("token", &self.secret)]).unwrap_or_default();
                format!("{url}?{query}")
            }
            _ => url.to_owned(),
        }
    }

    /// Refuses what the provider did not send.
    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), ReceiptError> {
        let authentic = match &self.kind {
            Verify::Token { .. } => {
                let query: Vec<(String, String)> =
                    serde_urlencoded::from_str(posted.query).unwrap_or_default();
                let token = query.iter().find(|(name, _)| name == "token");
                token.is_some_and(|(_, token)| same(token, &self.secret))
            }
            Verify::Header { name, .. } => posted.header(name).is_some_and(|value| {
                // Its scheme has no case (RFC 9110, 11.1).
                let is_credentials = name.eq_ignore_ascii_case("authorization");
                let parts = if is_credentials { schemes(value, &self.secret) } else { None };
                parts.map_or_else(|| same(value, &self.secret), |(given, expected)| same(given, expected))
            }),
            Verify::HmacSha256 { name, prefix, encoding, .. } => {
                let code = mac::<Hmac<Sha256>>(&self.secret, &[posted.body]);
                let expected = match encoding {
                    Encoding::Hex => HEXLOWER.encode(&code),
                    Encoding::Base64 => BASE64.encode(&code),
                };
                let value = posted.header(name).and_then(|value| value.strip_prefix(prefix.as_str()));
                value.is_some_and(|value| match encoding {
                    Encoding::Hex => same(&value.to_ascii_lowercase(), &expected),
                    Encoding::Base64 => same(value, &expected),
                })
            }
            Verify::Jwt { .. } => self.jwt(posted).is_some(),
            Verify::Twilio { .. } => {
                let signature = posted.header("x-twilio-signature");
                signature.is_some_and(|signature| {
                    let urls = with_and_without_port(posted.url);
                    urls.iter().any(|url| same(signature, &self.twilio(url, posted.body)))
                })
            }
        };
        if authentic { Ok(()) } else { Err(ReceiptError::Forged) }
    }

    /// RFC 7519 by HS256 (RFC 7518, 3.2), no older than a few minutes, of this body.
    fn jwt(&self, posted: &Posted<'_>) -> Option<()> {
        let (scheme, token) = posted.header("authorization")?.split_once(' ')?;
        // RFC 9110, 11.1.
        let token = Some(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let parse = |text: &str| -> Option<serde_json::Value> {
            serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()
        };
        let expected = BASE64URL_NOPAD.encode(&mac::<Hmac<Sha256>>(&self.secret, &[signed.as_bytes()]));
        if parse(header)?["alg"] != "HS256" || !same(signature, &expected) {
            return None;
        }
        let claims = parse(claims)?;
        let now_s = posted.now_ms.unsigned_abs() / 1000;
        let issued_s = claims["iat"].as_u64()?;
        let expired = claims["exp"].as_u64().is_some_and(|until_s| until_s + SKEW_S < now_s);
        let hash = HEXLOWER.encode(&Sha256::digest(posted.body));
        let fresh = issued_s <= now_s + SKEW_S && now_s <= issued_s + SKEW_S && !expired;
        (fresh && same(claims["payload_hash"].as_str()?, &hash)).then_some(())
    }

    /// The whole URL, then each field of the form in the order of names, name and value.
    fn twilio(&self, url: &str, body: &[u8]) -> String {
        let fields: BTreeMap<String, String> = serde_urlencoded::from_bytes(body).unwrap_or_default();
        let mut signed = vec![url.as_bytes()];
        signed.extend(fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
        BASE64.encode(&mac::<Hmac<Sha1>>(&self.secret, &signed))
    }
}

/// What follows the same scheme in both credentials, written in any case (RFC 9110, 11.1).
fn schemes<'a>(given: &'a str, expected: &'a str) -> Option<(&'a str, &'a str)> {
    let ((scheme, given), (wanted, expected)) = (given.split_once(' ')?, expected.split_once(' ')?);
    scheme.eq_ignore_ascii_case(wanted).then_some((given.trim(), expected))
}

/// A URL as it stands, without a port, and with its scheme's default port: Twilio signs one of them, and its
/// own libraries try them all.
fn with_and_without_port(url: &str) -> Vec<String> {
    let mut urls = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return urls };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let port =
        authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|octet| octet.is_ascii_digit()));
    let host = port.map_or(authority, |(host, _)| host);
    urls.push(format!("{scheme}://{host}{path}"));
    let standard = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    urls.push(format!("{scheme}://{host}:{standard}{path}"));
    urls
}

/// What is unwise about a secret that is made with `variables`. What the operator fills in counts, not what
/// the provider's file puts around it.
fn weakness(secret: &str, settings: &Value, variables: &HashSet<String>) -> Option<String> {
    let length = |name: &str| {
        let value = settings.get_attr(name).ok()?;
        Some((format!("settings.{name}"), value.as_str()?.chars().count()))
    };
    let filled = variables.iter().filter_map(|variable| length(variable.strip_prefix("settings.")?));
    let longest = filled.max_by_key(|(_, length)| *length);
    let (key, length) = longest.unwrap_or_else(|| ("receipts.verify".to_owned(), secret.chars().count()));
    (length < SECRET_MIN).then(|| {
        format!(
            "{key}: has {length} characters; a secret that tells receipts from forged ones should have at \
             least {SECRET_MIN}, as of `openssl rand -hex 32`"
        )
    })
}

fn mac<M: Mac + KeyInit>(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    // An HMAC takes keys of any length (RFC 2104, 2).
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.as_bytes()) else { return vec![] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// Compares in constant time, so that timing does not show where they differ.
fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_tried_with_and_without_its_port() {
        let tried = |url: &str| with_and_without_port(url).join(" ");
        assert_eq!(
            tried("https://a.example:8443/p/x?y=1:2"),
            "https://a.example:8443/p/x?y=1:2 https://a.example/p/x?y=1:2 https://a.example:443/p/x?y=1:2"
        );
        assert_eq!(tried("http://[::1]/p"), "http://[::1]/p http://[::1]/p http://[::1]:80/p");
        assert_eq!(tried("http://[::1]:81"), "http://[::1]:81 http://[::1] http://[::1]:80");
    }
}
