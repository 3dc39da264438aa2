//! Who asks: the address of a client, also behind proxies that are trusted to tell it.

use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address that asks, where it came over a network. Of an IPv6 address it is the network of 64 bits,
/// which one client has to itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub Option<IpAddr>);

/// What one client has to itself: an address, or of IPv6 the network of 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// The client of a request: who is connected, or whom the trusted proxies name.
pub fn peer_of(parts: &Parts, trusted: &[IpNet]) -> Peer {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = connected.map(|ConnectInfo(address)| client(address.ip(), &parts.headers, trusted));
    Peer(address.map(network))
}

/// The right-most hop that is not a trusted proxy: what stands left of it is what a client wrote itself.
fn client(connected: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = connected.to_canonical();
    if !is_trusted(&address) {
        return address;
    }
    let values = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let values: Vec<&str> = values.collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        // What is no address was not written by a trusted proxy.
        let Some(named) = hop_address(hop.trim()) else { break };
        address = named;
        if !is_trusted(&address) {
            break;
        }
    }
    address
}

/// An address, as proxies write it: alone or with a port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_word_counts_as_far_as_proxies_are_trusted() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).into();
        let of = |connected: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            client(connected.parse().unwrap(), &headers, &trusted).to_string()
        };
        // Whoever is not trusted may write what it likes.
        assert_eq!(of("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(of("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        // What a client wrote itself stands left of the right-most hop that is not trusted.
        assert_eq!(of("10.0.0.1", &["198.51.100.7, 203.0.113.9, 10.2.2.2"]), "203.0.113.9");
        assert_eq!(of("10.0.0.1", &["198.51.100.7", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(of("10.0.0.1", &["nonsense, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(of("fd00::1", &["[2001:db8::5]:443"]), "2001:db8::5");
        assert_eq!(of("10.0.0.1", &["203.0.113.9:5000"]), "203.0.113.9");
    }
}
