//! Where the sound of a call may go, and whose packets it follows.

use super::guard::{is_one_host, may_reach};
use super::sdp::Host;
use crate::fetch::Fetch;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The lowest port that sound is sent to: below are services that are no phones.
const PORT_MIN: u16 = 1024;
/// How long looking up a name of a session description may take.
const LOOK_UP_MAX: Duration = Duration::from_secs(3);

/// A host of a session description whose name was not looked up: it has no address, or not in time.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}, where sound is to go, was not found")]
pub(super) struct HostNotFound(String);

/// Where sound may go.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) fetch: Arc<dyn Fetch>,
    /// The address that our requests go to. A trunk inside our network has its sound inside, too.
    pub(super) peer: IpAddr,
    /// The address that our sound is sent from.
    pub(super) own: IpAddr,
}

impl Reach {
    /// Returns whether anything may be sent to an address.
    pub(super) fn allows(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        let inside = Some(self.peer).filter(|peer| !may_reach(&*self.fetch, *peer));
        // Our own host is that of a trunk only where the trunk is on it.
        let beside = |trunk: IpAddr| trunk.is_loopback() || !ip.to_canonical().is_loopback();
        let is_inside = |trunk: IpAddr| beside(trunk) && is_one_host(ip);
        address.port() >= PORT_MIN
            && self.has_family_of(ip)
            && (may_reach(&*self.fetch, ip) || inside.is_some_and(is_inside))
    }

    /// Returns whether our socket can send there: one for all addresses of IPv6 takes IPv4 as well.
    fn has_family_of(&self, ip: IpAddr) -> bool {
        match self.own {
            IpAddr::V4(_) => ip.is_ipv4(),
            IpAddr::V6(own) => ip.is_ipv6() || own.is_unspecified(),
        }
    }

    /// Returns whether the first packet may be the other side's: one from the host in its description, or
    /// from where it is called, as from behind NAT. If nothing may be sent to the host in its description,
    /// any packet may be.
    pub(super) fn accepts_first(&self, from: SocketAddr, told: Option<SocketAddr>) -> bool {
        let (ip, told) = (from.ip(), told.map(|told| told.ip()));
        self.allows(from)
            && told.is_none_or(|told| told == ip || self.peer == ip || is_local(told) && !is_local(ip))
    }

    /// Finds where sound goes that a description wants at a host and port; `None` if it may not be sent
    /// there.
    ///
    /// # Errors
    /// [`HostNotFound`].
    pub(super) async fn locate(&self, host: &Host, port: u16) -> Result<Option<SocketAddr>, HostNotFound> {
        let found: Vec<SocketAddr> = match host {
            Host::Address(ip) => vec![SocketAddr::new(*ip, port)],
            Host::Name(name) => {
                let lookup = tokio::net::lookup_host((name.as_str(), port));
                match tokio::time::timeout(LOOK_UP_MAX, lookup).await {
                    Ok(Ok(found)) => found.collect(),
                    Ok(Err(_)) | Err(_) => return Err(HostNotFound(name.clone())),
                }
            }
        };
        let found = found.into_iter().map(canonical);
        Ok(found.into_iter().find(|address| self.allows(*address)))
    }
}

/// An address as it is compared: a mapped IPv4 address of an IPv6 socket as IPv4.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Returns whether an address belongs to a network behind NAT (RFC 1918, 6598, 4193, 3927, 4291), where the
/// same one may be somebody else's elsewhere.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::reaches::Reaches;
    use super::*;

    /// Reaches 192.0.2.0/24 alone.
    const PUBLIC: Reaches = Reaches(|address| address.to_string().starts_with("192.0.2."));
    const ALL: Reaches = Reaches(|_| true);

    /// Ours, for a call to an address, or to one that is nobody's.
    fn reach(fetch: Reaches, peer: Option<&str>, own: &str) -> Reach {
        let peer = peer.unwrap_or("192.0.2.99").parse().unwrap();
        Reach { fetch: Arc::new(fetch), peer, own: own.parse().unwrap() }
    }

    #[test]
    fn sound_goes_to_public_addresses_and_to_those_beside_a_trunk_inside() {
        for (address, peer, reached) in [
            ("192.0.2.1:4000", None, true),
            ("192.0.2.1:53", None, false),
            ("192.0.2.1:1023", Some("10.0.0.1"), false),
            ("10.0.0.2:4000", None, false),
            ("10.0.0.2:4000", Some("192.0.2.1"), false),
            ("10.0.0.2:4000", Some("10.0.0.1"), true),
            ("127.0.0.1:4000", Some("10.0.0.1"), false),
            ("[::ffff:127.0.0.1]:4000", Some("10.0.0.1"), false),
            ("127.0.0.1:4000", Some("127.0.0.1"), true),
            ("224.0.0.1:4000", Some("10.0.0.1"), false),
            ("255.255.255.255:4000", Some("10.0.0.1"), false),
            ("0.0.0.0:4000", Some("127.0.0.1"), false),
            ("[ff02::1]:4000", Some("10.0.0.1"), false),
        ] {
            let reach = reach(PUBLIC, peer, "::");
            assert_eq!(reach.allows(address.parse().unwrap()), reached, "{address} {peer:?}");
        }
    }

    #[test]
    fn a_socket_reaches_addresses_of_its_family() {
        for (own, address, reached) in [
            ("0.0.0.0", "192.0.2.1:4000", true),
            ("0.0.0.0", "[2001:db8::1]:4000", false),
            ("2001:db8::9", "192.0.2.1:4000", false),
            ("2001:db8::9", "[2001:db8::1]:4000", true),
            ("::", "192.0.2.1:4000", true),
        ] {
            assert_eq!(reach(ALL, None, own).allows(address.parse().unwrap()), reached, "{own} {address}");
        }
    }

    #[test]
    fn the_first_packet_comes_from_the_host_that_is_told_or_called() {
        for (told, peer, from, believed) in [
            (Some("192.0.2.1:4000"), None, "192.0.2.1:9999", true),
            (Some("192.0.2.1:4000"), None, "192.0.2.2:4000", false),
            (Some("192.0.2.1:4000"), Some("192.0.2.2"), "192.0.2.2:4000", true),
            (Some("127.0.0.1:4000"), Some("127.0.0.1"), "127.0.0.2:4000", false),
            // What is told is another network's.
            (Some("10.0.0.2:4000"), Some("192.0.2.1"), "192.0.2.2:4000", true),
            (Some("10.0.0.2:4000"), Some("192.0.2.1"), "10.0.0.3:4000", false),
            (None, None, "192.0.2.2:4000", true),
            (None, None, "192.0.2.2:80", false),
        ] {
            let told = told.map(|told| told.parse().unwrap());
            let reach = reach(ALL, peer, "0.0.0.0");
            assert_eq!(
                reach.accepts_first(from.parse().unwrap(), told),
                believed,
                "{told:?} {peer:?} {from}"
            );
        }
        let reach = reach(PUBLIC, None, "0.0.0.0");
        assert!(!reach.accepts_first("10.0.0.2:4000".parse().unwrap(), None));
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_its_address_held_to_the_rules() {
        let localhost = Host::Name("localhost".into());
        assert_eq!(reach(PUBLIC, None, "127.0.0.1").locate(&localhost, 4000).await, Ok(None));
        let found = reach(ALL, None, "127.0.0.1").locate(&localhost, 4000).await;
        assert_eq!(found, Ok(Some("127.0.0.1:4000".parse().unwrap())));
        let nowhere = Host::Name("nowhere.invalid".into());
        assert!(reach(ALL, None, "127.0.0.1").locate(&nowhere, 4000).await.is_err());
        let mapped = Host::Address("::ffff:192.0.2.1".parse().unwrap());
        let found = reach(PUBLIC, None, "0.0.0.0").locate(&mapped, 4000).await;
        assert_eq!(found, Ok(Some("192.0.2.1:4000".parse().unwrap())));
    }
}
