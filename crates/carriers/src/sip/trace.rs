//! The SIP messages of calls as they go by, without their secrets: what a trunk's support asks for.

use rsipstack::sip::SipMessage;
use rsipstack::transport::SipAddr;
use std::borrow::Cow;
use std::sync::Arc;

/// Replaces a secret.
const MASK: &str = "***";
/// What credentials may show: none of it helps who does not know the password (RFC 7616, 3.4).
const SHOWN: [&str; 5] = ["realm", "algorithm", "qop", "nc", "uri"];

type Take = dyn Fn(&str, &str) + Send + Sync;

/// Takes each message: a line on its way, and its text, in lines without carriage returns.
#[derive(Clone)]
pub struct Trace(Arc<Take>);

impl Trace {
    /// One that hands messages on; it is called on threads that serve calls, so it should be quick.
    pub fn new(take: impl Fn(&str, &str) + Send + Sync + 'static) -> Trace {
        Trace(Arc::new(take))
    }

    pub(super) fn sent(&self, message: &SipMessage, to: Option<&SipAddr>) {
        self.take(message, "sent to", to);
    }

    pub(super) fn received(&self, message: &SipMessage, from: Option<&SipAddr>) {
        // A message without an origin is our own, such as a timeout.
        if from.is_some() {
            self.take(message, "received from", from);
        }
    }

    fn take(&self, message: &SipMessage, way: &str, other: Option<&SipAddr>) {
        let other = other.map_or_else(|| "where it came from".into(), SipAddr::to_string);
        (self.0)(&format!("{way} {other}"), &masked(&message.to_string()));
    }
}

/// A message without its secrets: credentials, passwords in addresses, keys of media.
pub(super) fn masked(message: &str) -> String {
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    // A header's value goes on in lines that begin with a space (RFC 3261, 7.3.1).
    let (mut hides, mut in_body) = (false, false);
    for line in message.lines() {
        in_body |= line.is_empty();
        if !in_body && line.starts_with([' ', '\t']) && hides {
            continue;
        }
        let credentials = line.split_once(':').filter(|(name, _)| !in_body && is_secret(name));
        hides = credentials.is_some();
        lines.push(match credentials {
            Some((name, value)) => format!("{name}: {}", without_proof(value)).into(),
            None if in_body => without_key(line),
            None => without_password(line),
        });
    }
    lines.join("\n")
}

fn is_secret(header: &str) -> bool {
    let header = header.trim();
    header.eq_ignore_ascii_case("Authorization") || header.eq_ignore_ascii_case("Proxy-Authorization")
}

/// Credentials with what may be shown of them: only a mask if they are not digest.
fn without_proof(value: &str) -> String {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if !scheme.eq_ignore_ascii_case("Digest") {
        return MASK.into();
    }
    let shown: Vec<String> = parameters(rest)
        .into_iter()
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if !SHOWN.iter().any(|shown| name.trim().eq_ignore_ascii_case(shown)) => {
                format!("{}=\"{MASK}\"", name.trim())
            }
            Some(_) => parameter.trim().to_owned(),
            None => MASK.into(),
        })
        .collect();
    format!("{scheme} {}", shown.join(", "))
}

/// Splits at commas that are not in quotes.
fn parameters(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let is_comma = |c: char| {
        let ends = c == ',' && !quoted;
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        ends
    };
    text.split(is_comma).collect()
}

/// A line without passwords of addresses: `sip:user:password@host` (RFC 3261, 19.1.1).
fn without_password(line: &str) -> Cow<'_, str> {
    let (mut shown, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        let scheme = ["sip:", "sips:"].into_iter().filter_map(|scheme| {
            let lower = before.to_ascii_lowercase();
            lower.rfind(scheme).map(|found| found + scheme.len())
        });
        let user = scheme.max().unwrap_or(before.len());
        match before[user..].split_once(':') {
            Some((name, _)) => shown.extend([&before[..user], name, ":", MASK]),
            None => shown.push_str(before),
        }
        shown.push('@');
        rest = &after[1..];
    }
    if shown.is_empty() { Cow::Borrowed(line) } else { (shown + rest).into() }
}

/// A line of a session description without the key of its media (RFC 4568; RFC 4566, 5.12).
fn without_key(line: &str) -> Cow<'_, str> {
    for secret in ["k=", "a=crypto:", "a=key-mgmt:"] {
        if line.starts_with(secret) {
            return format!("{secret}{MASK}").into();
        }
    }
    Cow::Borrowed(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_nothing_else() {
        let plain = "INVITE sip:+306900000000@192.0.2.1 SIP/2.0\nFrom: \"x@y: z\" <sip:a@b>;tag=1\n\
            Contact: <sip:a@192.0.2.9:5060>\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n\nv=0\n\
            c=IN IP4 192.0.2.9";
        assert_eq!(masked(plain), plain);
        assert_eq!(masked(&plain.replace('\n', "\r\n")), plain);
        for (line, shown) in [
            (
                "Authorization: Digest username=\"u\", realm=\"a, \\\"b\", nonce=\"n\", uri=\"sip:x\", \
                 response=\"0f\", algorithm=MD5",
                "Authorization: Digest username=\"***\", realm=\"a, \\\"b\", nonce=\"***\", uri=\"sip:x\", \
                 response=\"***\", algorithm=MD5",
            ),
            (
                "proxy-authorization:DIGEST response=0f,cnonce=\"c\",qop=auth",
                "proxy-authorization: DIGEST response=\"***\", cnonce=\"***\", qop=auth",
            ),
            ("Authorization: Basic dTpw", "Authorization: ***"),
            ("Authorization: token", "Authorization: ***"),
            (
                "Authorization: Digest response=\"0f\",\n cnonce=\"c\"\nX: y",
                "Authorization: Digest response=\"***\", ***\nX: y",
            ),
            ("To: <sip:a:hunter2@b>, <SIPS:c:d@e>", "To: <sip:a:***@b>, <SIPS:c:***@e>"),
            ("INVITE sip:a:hunter2@b SIP/2.0", "INVITE sip:a:***@b SIP/2.0"),
            ("To: é <sip:é:p@b>", "To: é <sip:é:***@b>"),
            ("\n\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc", "\n\na=crypto:***"),
            ("\n\nk=clear:abc\na=ptime:20", "\n\nk=***\na=ptime:20"),
        ] {
            assert_eq!(masked(line), shown, "{line}");
        }
    }
}
