//! Which addresses callbacks may reach: public ones, unless the operator allows more.

use lru::LruCache;
use parking_lot::Mutex;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Whether an address is on the public Internet, as far as an address tells (IANA special-purpose registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public_v4(v4),
            // Global unicast only, less documentation (2001:db8::/32) and Teredo (2001::/32).
            None => {
                let [a, b, ..] = v6.segments();
                a & 0xe000 == 0x2000 && !(a == 0x2001 && (b == 0x0db8 || b == 0))
            }
        },
    }
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
        || (a == 198 && b & 0xfe == 18); // benchmarking
    !special
}

/// Checks what a URL shows by itself: its scheme, and its host where that is an address.
///
/// # Errors
/// Why it may not be called.
pub fn check_url(url: &Url, allow_private: bool) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must be an http or https URL".into());
    }
    // The URL parser has turned every way to write an IPv4 address (decimal, octal, hex) into the usual one.
    let address: Option<IpAddr> = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    match address {
        Some(address) if !allow_private && !is_public(address) => {
            Err(format!("{address} is not a public address, and callbacks.allow_private is off"))
        }
        _ => Ok(()),
    }
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

/// Resolves host names, and leaves out addresses that may not be called: the check is on the address that is then
/// connected to, so a name that changes its mind gains nothing.
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
        ] {
            let parsed = Url::parse(url).unwrap();
            assert!(check_url(&parsed, false).is_err(), "{url}");
        }
        for url in ["https://example.com/cb", "http://8.8.8.8/", "http://[2606:4700::1]/"] {
            assert_eq!(check_url(&Url::parse(url).unwrap(), false), Ok(()), "{url}");
        }
        assert_eq!(check_url(&Url::parse("http://127.0.0.1/").unwrap(), true), Ok(()));
    }
}
