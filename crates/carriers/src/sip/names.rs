//! How hosts and users are written in URIs (RFC 3261, 25.1).

use std::fmt::Write;
use std::net::IpAddr;

/// The characters of a user besides letters and digits.
const USER: &[u8] = b"-_.!~*'()&=+$,";

/// A host as URIs have it: an IPv6 address in brackets, whether it had any or not.
pub(super) fn host(text: &str) -> String {
    match address(text) {
        Some(IpAddr::V6(address)) => format!("[{address}]"),
        _ => text.to_owned(),
    }
}

/// The address that a host is; `None` if it is a name.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host).parse().ok()
}

/// A user, with other characters escaped.
pub(super) fn user(text: &str) -> String {
    text.bytes().fold(String::new(), |mut user, octet| {
        if octet.is_ascii_alphanumeric() || USER.contains(&octet) {
            user.push(char::from(octet));
        } else {
            let _ = write!(user, "%{octet:02X}");
        }
        user
    })
}

/// The caller: a URI in angle brackets, with a display name if the URI can't show it.
pub(super) fn caller(name: &str, domain: &str) -> String {
    // A URI needs a user, also without a caller id.
    let user = if name.is_empty() { "anonymous".to_owned() } else { user(name) };
    let uri = format!("<sip:{user}@{}>", host(domain));
    if user == name || name.is_empty() {
        return uri;
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).collect();
    format!("{} {uri}", super::digest::quoted(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_in_brackets_and_nothing_else_is() {
        for (text, expected) in [
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("2001:DB8::1", "[2001:db8::1]"),
            ("192.0.2.1", "192.0.2.1"),
            ("sip.example.com", "sip.example.com"),
        ] {
            assert_eq!(host(text), expected);
        }
        assert_eq!((address("[::1]"), address("x")), (Some("::1".parse().unwrap()), None));
    }

    #[test]
    fn every_caller_makes_a_valid_uri() {
        for (name, expected) in [
            ("+302100000000", "<sip:+302100000000@d>"),
            ("Acme", "<sip:Acme@d>"),
            ("Acme Ltd", "\"Acme Ltd\" <sip:Acme%20Ltd@d>"),
            ("Ελ", "\"Ελ\" <sip:%CE%95%CE%BB@d>"),
            ("a\"b\\c@<>", "\"a\\\"b\\\\c@<>\" <sip:a%22b%5Cc%40%3C%3E@d>"),
            ("x\r\nVia: y", "\"xVia: y\" <sip:x%0D%0AVia%3A%20y@d>"),
            ("", "<sip:anonymous@d>"),
        ] {
            assert_eq!(caller(name, "d"), expected);
        }
        assert_eq!(caller("1", "::1"), "<sip:1@[::1]>");
    }
}
