//! Decides where calls to addresses that clients name may go, whatever the other side answers.

use super::config::public_trust;
use super::wire::Target;
use crate::fetch::Fetch;
use async_trait::async_trait;
use flow::{SipAddress, SipHost};
use rsipstack::resolver::SipResolver;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Host, Param, Port, Response, Transport, Uri};
use rsipstack::transport::SipAddr;
use rsipstack::transport::transport_layer::DomainResolver;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Returns whether anything may be sent to an address that somebody outside names.
pub(super) fn may_reach(fetch: &dyn Fetch, address: IpAddr) -> bool {
    is_one_host(address) && fetch.reaches(address)
}

/// Returns whether an address is that of one host: not of several, nor of none.
pub(super) fn is_one_host(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_multicast() && !address.is_unspecified() && !broadcast
}

/// Why a call has no destination.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum NotFound {
    /// It is no SIP address that can be read; with the rule that it breaks.
    #[error("{0}")]
    Malformed(String),
    /// It is an address of Viber's.
    #[error("to.viber is no SIP address")]
    Viber,
    /// Its host has no address that clients may have us call.
    #[error("{0} has no public address, and callbacks.allow_private is off")]
    NotPublic(String),
    /// Our socket has no part in the address's family.
    #[error("{host} is reached by {there}, and direct_bind is {here}")]
    Family {
        /// The host.
        host: String,
        /// The family of its address.
        there: &'static str,
        /// That of our socket.
        here: &'static str,
    },
    /// Its name could not be looked up now.
    #[error("{host}: {why}")]
    LookUp {
        /// The host.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// Its name was not looked up in time.
    #[error("{0}: no answer in time")]
    TimedOut(String),
}

impl NotFound {
    /// Returns whether it may be found later.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(self, NotFound::LookUp { .. } | NotFound::TimedOut(_))
    }
}

/// Decides where calls to addresses that clients name may go.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) fetch: Arc<dyn Fetch>,
    resolver: SipResolver,
}

impl Guard {
    pub(super) fn new(fetch: Arc<dyn Fetch>) -> Guard {
        Guard { fetch, resolver: SipResolver::new() }
    }

    /// Finds where a call to an address goes. That address is then dialled, so a name whose records change
    /// gains nothing.
    pub(super) async fn locate(&self, address: &SipAddress) -> Result<Target, NotFound> {
        let port = address.port.map(Port::from);
        match &address.host {
            SipHost::Address(ip) if !may_reach(&*self.fetch, *ip) => Err(NotFound::NotPublic(ip.to_string())),
            SipHost::Address(ip) => {
                let transport = if address.secure { Transport::Tls } else { Transport::Udp };
                let port = port.unwrap_or_else(|| transport.default_port());
                Ok(found_at(address, SocketAddr::new(*ip, port.into()), transport))
            }
            SipHost::Name(name) => {
                let (found, transport) = self.look_up(name, port, None, address.secure).await?;
                Ok(found_at(address, found, transport))
            }
        }
    }

    async fn look_up(
        &self,
        name: &str,
        port: Option<Port>,
        transport: Option<Transport>,
        secure: bool,
    ) -> Result<(SocketAddr, Transport), NotFound> {
        let found = self.resolver.lookup(&name.into(), port, transport, secure).await;
        let found = found.map_err(|why| NotFound::LookUp { host: name.to_owned(), why })?;
        let mut allowed = found.into_iter().filter(|target| may_reach(&*self.fetch, target.addr.ip()));
        let target = allowed.next().ok_or_else(|| NotFound::NotPublic(name.to_owned()))?;
        Ok((target.addr, target.transport))
    }

    /// Returns whether the next request of a call may go to a host; names are looked up then, by
    /// [`DomainResolver`].
    fn allows(&self, host: &Host) -> bool {
        match host {
            Host::IpAddr(ip) => may_reach(&*self.fetch, *ip),
            Host::Domain(_) => true,
        }
    }

    /// Replaces the next hop that an answer names, if it may not be reached, by where the answer came from,
    /// as for a peer behind a NAT. Headers that can't be read are left out.
    pub(super) fn pin(&self, response: &mut Response, from: &SipAddr) {
        let mut routes = response.typed_record_route_headers().unwrap_or_default();
        let mut contact = response.typed_contact_headers().ok().and_then(|all| all.into_iter().next());
        // The last proxy that wants to stay in the way is the first one from here (RFC 3261, 12.1.2).
        let next = match routes.last_mut() {
            Some(route) => Some(&mut route.uri),
            None => contact.as_mut().map(|contact| &mut contact.uri),
        };
        if let Some(uri) = next
            && !self.allows(&uri.host_with_port.host)
        {
            let mut there = Uri::from(from);
            there.auth = uri.auth.take();
            let others = std::mem::take(&mut uri.params).into_iter();
            there
                .params
                .extend(others.filter(|param| !matches!(param, Param::Transport(_) | Param::Maddr(_))));
            *uri = there;
        }
        response.headers.retain(|header| !matches!(header, Header::RecordRoute(_) | Header::Contact(_)));
        routes.into_iter().for_each(|route| response.headers.push(Header::RecordRoute(route.into())));
        contact.into_iter().for_each(|contact| response.headers.push(Header::Contact(contact.into())));
    }
}

/// Where an address is, as it was found.
fn found_at(address: &SipAddress, found: SocketAddr, transport: Transport) -> Target {
    let name = match &address.host {
        SipHost::Name(name) => name.clone(),
        SipHost::Address(ip) => ip.to_string(),
    };
    let trust = (transport == Transport::Tls).then(|| public_trust().ok()).flatten();
    Target { address: found, transport, name, trust }
}

#[async_trait]
impl DomainResolver for Guard {
    async fn resolve(&self, target: &SipAddr) -> rsipstack::Result<SipAddr> {
        let name = target.addr.host.to_string();
        let secure = matches!(target.r#type, Some(Transport::Tls));
        let found = self.look_up(&name, target.addr.port, target.r#type, secure).await;
        match found {
            Ok((address, transport)) => Ok(SipAddr { r#type: Some(transport), addr: address.into() }),
            Err(why) => Err(rsipstack::Error::DnsResolutionError(why.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reaches::Reaches;
    use super::*;
    use rsipstack::sip::{HostWithPort, SipMessage};

    /// Reaches public addresses as far as the tests have any.
    const PUBLIC: Reaches =
        Reaches(|address| matches!(address, IpAddr::V4(v4) if !v4.is_loopback() && !v4.is_private()));

    fn guard() -> Guard {
        Guard::new(Arc::new(PUBLIC))
    }

    #[tokio::test]
    async fn an_address_inside_is_not_located_whether_written_or_looked_up() {
        for address in [
            "sip:x@127.0.0.1:5099",
            "sip:x@10.1.2.3",
            "sip:x@224.0.0.1",
            "sip:x@0.0.0.0",
            "sips:x@localhost:5061",
        ] {
            let located = guard().locate(&SipAddress::parse(address).unwrap()).await;
            assert!(located.is_err_and(|why| !why.may_pass()), "{address}");
        }
        for (address, transport, expected) in [
            ("sip:x@192.0.2.1", Transport::Udp, "192.0.2.1:5060"),
            ("sips:x@192.0.2.1", Transport::Tls, "192.0.2.1:5061"),
        ] {
            let located = guard().locate(&SipAddress::parse(address).unwrap()).await.unwrap();
            assert_eq!((located.transport, located.address.to_string().as_str()), (transport, expected));
        }
        let inside =
            SipAddr { r#type: Some(Transport::Udp), addr: HostWithPort::try_from("localhost:5060").unwrap() };
        assert!(guard().resolve(&inside).await.is_err());
    }

    /// Where the requests of a call go after an answer with these headers came from 192.0.2.1:5080.
    fn next_hop(headers: &str) -> String {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        let from =
            SipAddr { r#type: Some(Transport::Udp), addr: HostWithPort::try_from("192.0.2.1:5080").unwrap() };
        let message = SipMessage::try_from(text.as_bytes()).unwrap();
        let SipMessage::Response(mut response) = message else { panic!() };
        guard().pin(&mut response, &from);
        let routes = response.typed_record_route_headers().unwrap();
        let contact = response.typed_contact_headers().unwrap();
        assert!(contact.len() < 2);
        let uri = routes.last().map(|route| &route.uri).or(contact.first().map(|contact| &contact.uri));
        let pinned = uri.filter(|uri| uri.host_with_port.to_string() == "192.0.2.1:5080");
        assert!(pinned.is_none_or(|uri| SipAddr::try_from(uri).unwrap().r#type.is_none()), "{uri:?}");
        uri.map(|uri| uri.host_with_port.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_answer_can_not_send_the_call_inside() {
        let pinned = "192.0.2.1:5080";
        for (headers, hop) in [
            ("Contact: <sip:x@127.0.0.1:5099>\r\n", pinned),
            // The way is that of the answer, too.
            ("Contact: <sip:x@10.0.0.5;transport=tcp>\r\n", pinned),
            ("Contact: <sips:x@10.0.0.5;maddr=10.0.0.6>\r\n", pinned),
            ("Contact: <sip:x@192.0.2.7:5099>\r\n", "192.0.2.7:5099"),
            ("Contact: <sip:x@192.0.2.7>, <sip:x@127.0.0.1>\r\n", "192.0.2.7"),
            ("Record-Route: <sip:127.0.0.1:25;lr>\r\nContact: <sip:x@192.0.2.7>\r\n", pinned),
            ("Record-Route: <sip:192.0.2.3;lr>, <sip:10.0.0.1;lr>\r\nContact: <sip:x@192.0.2.7>\r\n", pinned),
            (
                "Record-Route: <sip:10.0.0.1;lr>\r\nRecord-Route: <sip:192.0.2.3;lr>\r\n\
                 Contact: <sip:x@10.0.0.9>\r\n",
                "192.0.2.3",
            ),
            ("", ""),
        ] {
            assert_eq!(next_hop(headers), hop, "{headers}");
        }
    }
}
