//! SIP addresses that clients may name: `sip:user@host`, with an optional port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest address, in octets.
const LENGTH_MAX: usize = 255;
/// The longest label of a name (RFC 1035, 2.3.4).
const LABEL_MAX: usize = 63;

/// A SIP address. It has no parameters and no headers (RFC 3261, 19.1.1): those of a client would tell this
/// server where to connect and what to say there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SipAddress {
    /// Whether it is to be reached over TLS (`sips:`).
    pub secure: bool,
    /// Who.
    pub user: String,
    /// Where.
    pub host: SipHost,
    /// The port; if absent, RFC 3263 says which.
    pub port: Option<u16>,
}

/// The host of a SIP address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SipHost {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text is no SIP address that clients may name; each variant is the rule that it breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SipAddressError {
    /// It is longer than any address.
    #[error("must have at most {LENGTH_MAX} octets")]
    TooLong,
    /// It has parameters or headers, which a client may not set.
    #[error("must have no parameters and no headers: sip:user@host:port")]
    Parameters,
    /// It has no `@`.
    #[error("must be a SIP address: sip:user@host:port")]
    NoHost,
    /// The user is empty or has other characters than an address may have unescaped.
    #[error("must have a user of letters, digits and -_.!~*'()&=+$,/ before the @")]
    User,
    /// The host is neither a name nor an address, or is another way to write an IPv4 address.
    #[error("must have a host name, an IPv4 address or an IPv6 address in brackets after the @")]
    Host,
    /// What stands between brackets is no IPv6 address.
    #[error("must have an IPv6 address between the brackets")]
    Ipv6,
    /// The port is no number, or one that no port has.
    #[error("must have a port of 1 to 65535, or none")]
    Port,
}

impl SipAddress {
    /// Reads an address; one without a scheme is a `sip:` one (contract, section 2).
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<SipAddress, SipAddressError> {
        if text.len() > LENGTH_MAX {
            return Err(SipAddressError::TooLong);
        }
        let (secure, address) = match scheme(text) {
            Some(("sips", address)) => (true, address),
            Some((_, address)) => (false, address),
            None => (false, text),
        };
        if address.contains([';', '?']) {
            return Err(SipAddressError::Parameters);
        }
        let (user, host) = address.split_once('@').ok_or(SipAddressError::NoHost)?;
        if user.is_empty()
            || !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,/".contains(&b))
        {
            return Err(SipAddressError::User);
        }
        let (host, port) = split_port(host)?;
        Ok(SipAddress { secure, user: user.to_owned(), host: SipHost::parse(host)?, port })
    }
}

/// The scheme of an address in lower case, and what follows it.
fn scheme(text: &str) -> Option<(&'static str, &str)> {
    let (scheme, address) = text.split_once(':')?;
    ["sip", "sips"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known)).map(|known| (known, address))
}

/// A host, and its port if it names one.
fn split_port(text: &str) -> Result<(&str, Option<u16>), SipAddressError> {
    let colon = match text.strip_prefix('[') {
        Some(_) => text.find("]:").map(|bracket| bracket + 1),
        None => text.find(':'),
    };
    let Some(colon) = colon else { return Ok((text, None)) };
    let (host, digits) = (&text[..colon], &text[colon + 1..]);
    let port = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
    match port {
        Some(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(SipAddressError::Port),
    }
}

impl SipHost {
    fn parse(text: &str) -> Result<SipHost, SipAddressError> {
        if let Some(v6) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let v6 = v6.parse::<Ipv6Addr>().map_err(|_| SipAddressError::Ipv6)?;
            return Ok(SipHost::Address(v6.into()));
        }
        if let Ok(v4) = text.parse::<Ipv4Addr>() {
            return Ok(SipHost::Address(v4.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=LABEL_MAX).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        // The last label begins with a letter, or the name would be another way to write an IPv4 address.
        let last = name.rsplit('.').next().unwrap_or_default();
        if !name.split('.').all(is_label) || !last.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(SipAddressError::Host);
        }
        Ok(SipHost::Name(name))
    }
}

impl std::fmt::Display for SipAddress {
    /// In full: scheme, user, host, and the port if it has one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SipAddress { secure, user, host, port } = self;
        write!(f, "{}:{user}@{host}", if *secure { "sips" } else { "sip" })?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl std::fmt::Display for SipHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SipHost::Name(name) => f.write_str(name),
            SipHost::Address(IpAddr::V4(v4)) => write!(f, "{v4}"),
            SipHost::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_user_host_and_port() {
        for (text, full) in [
            ("1111@test.com:55080", "sip:1111@test.com:55080"),
            ("sip:alice@192.0.2.1", "sip:alice@192.0.2.1"),
            ("SIPS:alice@Example.COM.", "sips:alice@example.com"),
            ("sip:+30-210.x~(1)@[2001:db8::1]:5070", "sip:+30-210.x~(1)@[2001:db8::1]:5070"),
            ("sip:a@[::ffff:10.0.0.1]", "sip:a@[::ffff:10.0.0.1]"),
            ("bob@pbx", "sip:bob@pbx"),
            ("sip:x@_sip._udp.example", "sip:x@_sip._udp.example"),
        ] {
            let parsed = SipAddress::parse(text).unwrap();
            assert_eq!(parsed.to_string(), full);
            assert_eq!(SipAddress::parse(full).unwrap(), parsed);
        }
    }

    #[test]
    fn parameters_headers_and_other_ways_to_write_an_address_are_refused() {
        for text in [
            "",
            "sip:",
            "sip:example.com",
            "sip:@example.com",
            "sip:x@",
            "sip:x@example.com;maddr=127.0.0.1",
            "sip:x@example.com;transport=tcp",
            "sip:x@example.com?Subject=hi&X-Evil=1",
            "sip:x;y=1@example.com",
            "sip:x:password@example.com",
            "sip:x@y@example.com",
            "sip:x%0d%0aEvil: 1@example.com",
            "sip:x y@example.com",
            "sip:x@exa mple.com",
            "sip:x@example.com\r\nEvil: 1",
            "<sip:x@example.com>",
            "\"Bob\" <sip:x@example.com>",
            "tel:+306900000000",
            "http://x@example.com",
            "sip:x@example.com:0",
            "sip:x@example.com:65536",
            "sip:x@example.com:",
            "sip:x@example.com:+80",
            "sip:x@example.com:80:90",
            "sip:x@2130706433",
            "sip:x@127.1",
            "sip:x@0x7f.1",
            "sip:x@0x7f000001",
            "sip:x@0177.0.0.1",
            "sip:x@127.0.0.1.",
            "sip:x@::1",
            "sip:x@[::1%lo]",
            "sip:x@[::1",
            "sip:x@[127.0.0.1]",
            "sip:x@example..com",
            "sip:x@-",
            "sip:x@ex\u{430}mple.com",
        ] {
            let read = SipAddress::parse(text).map(|address| address.to_string());
            let why = read.expect_err(text).to_string();
            assert!(why.starts_with("must have") || why.starts_with("must be"), "{text}: {why}");
        }
    }

    #[test]
    fn an_error_names_the_rule() {
        use SipAddressError::*;
        let of_octets = |octets: usize| format!("{}@b", "x".repeat(octets - 2));
        assert!(SipAddress::parse(&of_octets(255)).is_ok());
        for (text, error) in [
            (&*of_octets(256), TooLong),
            ("x@b;a", Parameters),
            ("x@b?a", Parameters),
            ("x", NoHost),
            ("x y@b", User),
            ("@b", User),
            ("x@[b]", Ipv6),
            ("x@b:0", Port),
            ("x@b:x", Port),
            ("x@[::1]:65536", Port),
            ("x@b c", Host),
            ("x@1", Host),
        ] {
            assert_eq!(SipAddress::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn labels_are_of_1_to_63_octets() {
        let host = |octets: usize| SipAddress::parse(&format!("x@{}.example", "b".repeat(octets)));
        assert!(host(1).is_ok() && host(63).is_ok());
        assert_eq!(host(64), Err(SipAddressError::Host));
        assert_eq!(SipAddress::parse("x@.example"), Err(SipAddressError::Host));
        assert!(SipAddress::parse("x@a-b_c.example").is_ok());
    }
}
