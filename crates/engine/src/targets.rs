//! Which addresses callbacks may reach: public ones, unless the operator allows more.

use flow::{SipAddress, SipHost};
use lru::LruCache;
use parking_lot::Mutex;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Whether an address is on the public Internet, as far as an address tells (IANA special-purpose
/// registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

/// Global unicast (2000::/3) alone, which leaves out loopback, unique and link-local addresses, local NAT64
/// (64:ff9b:1::/48), discarding (100::/64, 100:0:0:1::/64), segment routing (5f00::/16) and multicast.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [a, b, ..] = v6.segments();
    let special = match a {
        // Protocol assignments (Teredo, benchmarking, ORCHID), and documentation.
        0x2001 => b < 0x0200 || b == 0x0db8,
        // Documentation.
        0x3fff => b < 0x1000,
        _ => false,
    };
    a & 0xe000 == 0x2000 && !special
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64 (64:ff9b::/96), 6to4 (2002::/16).
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0x2002, ..) => v4(b, c),
        _ => None,
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64) // shared address space (RFC 6598)
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays, deprecated
        || (a == 198 && b & 0xfe == 18); // benchmarking
    !special
}

/// Why something that a client named may not be called.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// The URL has control characters.
    #[error("must not have control characters (RFC 3986)")]
    ControlCharacters,
    /// It is no URL, or one of another scheme.
    #[error("must be an http or https URL")]
    NotHttp,
    /// Its host is an address that is not public, and only those may be called.
    #[error("{0} is not a public address, and callbacks.allow_private is off")]
    Private(String),
    /// Its host is a name of this machine.
    #[error("localhost is this machine, and callbacks.allow_private is off")]
    OwnName,
}

/// Reads a URL that a client wrote: without control characters (RFC 3986, 2), which the parser would leave
/// out or encode, so that what is stored and shown would be another one.
///
/// # Errors
/// As [`check_url`], and when it is none.
pub fn read_url(text: &str, allow_private: bool) -> Result<Url, TargetError> {
    if text.contains(char::is_control) {
        return Err(TargetError::ControlCharacters);
    }
    let url = Url::parse(text).map_err(|_| TargetError::NotHttp)?;
    check_url(&url, allow_private).map(|()| url)
}

/// Checks what a URL shows by itself: its scheme, and its host where that is an address.
///
/// # Errors
/// Why it may not be called.
pub fn check_url(url: &Url, allow_private: bool) -> Result<(), TargetError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TargetError::NotHttp);
    }
    // The URL parser has turned every way to write an IPv4 address (decimal, octal, hex) into the usual one.
    let address: Option<IpAddr> = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    match address {
        _ if allow_private => Ok(()),
        Some(address) if !is_public(address) => Err(TargetError::Private(address.to_string())),
        None if url.host_str().is_some_and(is_own_name) => Err(TargetError::OwnName),
        _ => Ok(()),
    }
}

/// Whether a name can only be this machine's (RFC 6761, 6.3).
fn is_own_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Checks what a SIP address shows by itself: its host, where that is an address or this machine's own name.
///
/// # Errors
/// Why it may not be called.
pub fn check_sip_address(address: &SipAddress, allow_private: bool) -> Result<(), TargetError> {
    let public = match &address.host {
        SipHost::Address(address) => is_public(*address),
        SipHost::Name(name) => !is_own_name(name),
    };
    if public || allow_private {
        return Ok(());
    }
    Err(TargetError::Private(address.host.to_string()))
}

/// Hosts whose address is remembered.
const ADDRESSES_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Where hosts were last found.
pub struct Addresses(Mutex<LruCache<String, IpAddr>>);

impl Default for Addresses {
    fn default() -> Addresses {
        Addresses(Mutex::new(LruCache::new(ADDRESSES_MAX)))
    }
}

impl Addresses {
    /// The address of a host, where it is known.
    pub fn of(&self, host: &str) -> Option<IpAddr> {
        self.0.lock().get(host).copied()
    }

    fn note(&self, host: &str, address: IpAddr) {
        self.0.lock().put(host.to_owned(), address);
    }
}

/// Resolves host names, and leaves out addresses that may not be called: the check is on the address that is
/// then connected to, so a name that changes its mind gains nothing.
pub struct GuardedResolver {
    /// Whether private addresses may be called.
    pub allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name has no public address, and callbacks.allow_private is off".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// Resolves as [`GuardedResolver`] does, and notes where hosts were found.
pub struct NotingResolver {
    /// What resolves.
    pub guarded: GuardedResolver,
    /// Where it is noted.
    pub found: Arc<Addresses>,
}

impl Resolve for NotingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, found) = (name.as_str().to_owned(), Arc::clone(&self.found));
        let resolving = self.guarded.resolve(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = resolving.await?.collect();
            if let Some(first) = addresses.first() {
                found.note(&host, first.ip());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sip_addresses_of_this_machine_and_of_its_network_are_refused() {
        for address in [
            "sip:x@127.0.0.1:5099",
            "x@10.0.0.1",
            "sip:x@169.254.169.254",
            "sip:x@0.0.0.0",
            "sip:x@224.0.0.1",
            "sip:x@255.255.255.255",
            "sips:x@[::1]:5061",
            "sip:x@[::ffff:192.168.0.1]",
            "sip:x@[fe80::1]",
            "sip:x@localhost",
            "sip:x@LOCALHOST.:5060",
            "sip:x@a.localhost",
        ] {
            let parsed = SipAddress::parse(address).unwrap();
            let why = check_sip_address(&parsed, false).unwrap_err();
            assert!(why.to_string().contains("callbacks.allow_private"), "{address}: {why}");
            assert_eq!(check_sip_address(&parsed, true), Ok(()), "{address}");
        }
        for address in
            ["sip:x@example.com", "1111@test.com:55080", "sip:x@8.8.8.8", "sip:x@localhost.example"]
        {
            assert_eq!(check_sip_address(&SipAddress::parse(address).unwrap(), false), Ok(()), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_refused_however_they_are_written() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.1.2.3:8080/x",
            "http://169.254.169.254/latest",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::ffff:192.168.0.1]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[2002:7f00:1::]/",
            "ftp://example.com/",
            "http://localhost/",
            "https://LocalHost.:8443/x",
            "http://a.b.localhost/",
        ] {
            assert!(read_url(url, false).is_err(), "{url}");
        }
        for url in [
            "https://example.com/cb",
            "http://8.8.8.8/",
            "http://[2606:4700::1]/",
            "https://localhost.example/",
            "https://mylocalhost/",
        ] {
            assert!(read_url(url, false).is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1/", "http://localhost/"] {
            assert!(read_url(url, true).is_ok(), "{url}");
        }
    }

    /// Whatever name it has: the address counts.
    #[tokio::test]
    async fn a_name_that_leads_here_is_not_resolved() {
        let resolve = async |allow_private: bool| {
            let name: Name = "localhost".parse().unwrap();
            GuardedResolver { allow_private }.resolve(name).await.map(Iterator::count)
        };
        assert!(resolve(false).await.unwrap_err().to_string().contains("no public address"));
        assert!(resolve(true).await.unwrap() > 0);
    }

    #[test]
    fn a_url_has_no_control_characters() {
        for c in ['\u{1b}', '\u{7}', '\t', '\n', '\r', '\0', '\u{7f}', '\u{9b}'] {
            for url in [
                format!("http://a.example/{c}]0;PWNED"),
                format!("http://a.example/x{c}"),
                format!("{c}http://a/"),
            ] {
                let error = read_url(&url, true).unwrap_err();
                assert!(error.to_string().contains("control characters"), "{url:?}: {error}");
            }
        }
    }

    /// The IANA IPv4 and IPv6 special-purpose address registries: what is not globally reachable, its first
    /// and its last address, and the public neighbours.
    #[test]
    fn special_purpose_addresses_are_not_public() {
        for address in [
            "0.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.0",
            "192.88.99.255",
            "192.168.0.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:192.88.99.1",
            "64:ff9b::192.88.99.1",
            "64:ff9b:1::1",
            "64:ff9b:1:ffff::8.8.8.8",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:2f:ffff::",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8::1",
            "2002:c058:6301::1",
            "3fff::",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "100.63.255.255",
            "100.128.0.0",
            "192.0.1.1",
            "192.31.196.1",
            "192.88.98.255",
            "192.88.100.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2002:808:808::1",
            "3ffe:ffff::1",
            "3fff:1000::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
