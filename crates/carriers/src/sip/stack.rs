//! SIP's transactions and dialogs over a socket. Calls through trunks have one, calls to addresses that
//! clients name have another one, which sends to no address but those that [`Fetch::reaches`] allows,
//! whatever the other side answers.

use super::config::public_trust;
use super::dialog::{ALLOW, Calls};
use super::trace::Trace;
use super::wire::{Target, USER_AGENT, Wire, tag};
use crate::Fetch;
use async_trait::async_trait;
use flow::{SipAddress, SipHost};
use rsipstack::EndpointBuilder;
use rsipstack::platform::CancellationToken;
use rsipstack::resolver::SipResolver;
use rsipstack::sip::param::Received;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{
    Header, Host, Method, Param, Port, Request, Response, SipMessage, StatusCode, Transport, Uri,
};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::endpoint::{Endpoint, EndpointOption, MessageInspector, TransportEventInspector};
use rsipstack::transport::transport_layer::DomainResolver;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, TransportEvent, TransportLayer};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// No call rings that long: the longest ttl ends it before.
const RING_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Transactions and calls over a socket of their own.
pub(super) struct Stack {
    pub(super) wire: Arc<Wire>,
    pub(super) calls: Arc<Calls>,
    /// Whether it reaches IPv6, or IPv4.
    pub(super) is_ipv6: bool,
}

impl Stack {
    /// Starts one that sends to where it is told.
    ///
    /// # Errors
    /// When the address is taken.
    pub(super) async fn start(
        bind: SocketAddr,
        trace: Option<Trace>,
        cancel: &CancellationToken,
    ) -> Result<Stack, String> {
        let transport = TransportLayer::new(cancel.child_token());
        Stack::over(bind, transport, None, trace, cancel).await
    }

    /// Starts one that sends to where its guard allows.
    ///
    /// # Errors
    /// When the address is taken.
    pub(super) async fn start_guarded(
        bind: SocketAddr,
        guard: &Guard,
        trace: Option<Trace>,
        cancel: &CancellationToken,
    ) -> Result<Stack, String> {
        let resolver = Box::new(guard.clone());
        let transport = TransportLayer::new_with_domain_resolver(cancel.child_token(), resolver);
        let fetch = Arc::clone(&guard.fetch);
        transport.set_whitelist(move |ip: IpAddr| std::future::ready(may_reach(&*fetch, ip)));
        Stack::over(bind, transport, Some(guard.clone()), trace, cancel).await
    }

    async fn over(
        bind: SocketAddr,
        transport: TransportLayer,
        guard: Option<Guard>,
        trace: Option<Trace>,
        cancel: &CancellationToken,
    ) -> Result<Stack, String> {
        let udp = UdpConnection::create_connection(bind, None, Some(cancel.child_token())).await;
        transport.add_transport(udp.map_err(|error| format!("{bind}: {error}"))?.into());
        let calls = Arc::new(Calls::default());
        // Who takes a call is acknowledged by `Calls`, which knows where that goes; the timer of proxies (C) is none
        // of ours.
        let option = EndpointOption { auto_ack_2xx: false, timerc: RING_MAX, ..EndpointOption::default() };
        let mut builder = EndpointBuilder::new();
        builder
            .with_user_agent(USER_AGENT)
            .with_transport_layer(transport)
            .with_option(option)
            .with_transport_inspector(Box::new(Arrivals))
            .with_inspector(Box::new(Ears { guard, trace, calls: Arc::clone(&calls) }))
            .with_cancel_token(cancel.child_token());
        let endpoint = builder.build();
        let serving = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = serving.serve().await {
                tracing::warn!(%error, "SIP ends");
            }
        });
        answer_requests(&endpoint, Arc::clone(&calls))?;
        Ok(Stack { wire: Arc::new(Wire::new(endpoint.inner)), calls, is_ipv6: bind.is_ipv6() })
    }

    /// The port that requests of the other side come to.
    pub(super) fn port(&self) -> u16 {
        let addresses = self.wire.endpoint.transport_layer.get_listen_addrs();
        let udp = addresses.into_iter().find(|address| address.r#type == Some(Transport::Udp));
        udp.and_then(|address| address.addr.port).map_or(5060, u16::from)
    }
}

/// Answers what comes in: requests of calls under way; nothing else is for us.
fn answer_requests(endpoint: &Endpoint, calls: Arc<Calls>) -> Result<(), String> {
    let mut incoming = endpoint.incoming_transactions().map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Some(transaction) = incoming.recv().await {
            let Err(mut stray) = calls.answer(transaction) else { continue };
            tokio::spawn(async move {
                if let Err(error) = answer_stray(&mut stray).await {
                    let id = stray.original.call_id_header().map(ToString::to_string).unwrap_or_default();
                    tracing::debug!(%error, call = id, "a SIP request could not be answered");
                }
            });
        }
    });
    Ok(())
}

/// Answers a request of no call of ours: we tell that we are there, and take no calls.
async fn answer_stray(transaction: &mut Transaction) -> rsipstack::Result<()> {
    let is_within_call = transaction.original.to_header().is_ok_and(|to| tag(to.value()).is_some());
    match transaction.original.method {
        Method::Ack => Ok(()),
        // A notice belongs to a subscription that we don't have (RFC 6665, 4.1.3).
        Method::Notify => transaction.reply(StatusCode::CallTransactionDoesNotExist).await,
        _ if is_within_call => transaction.reply(StatusCode::CallTransactionDoesNotExist).await,
        Method::Options => {
            transaction.reply_with(StatusCode::OK, vec![Header::Allow(ALLOW.into())], None).await
        }
        _ => {
            let allow = vec![Header::Allow("OPTIONS".into())];
            transaction.reply_with(StatusCode::MethodNotAllowed, allow, None).await
        }
    }
}

/// Whether anything may be sent to an address that somebody outside names.
pub(super) fn may_reach(fetch: &dyn Fetch, address: IpAddr) -> bool {
    is_one_host(address) && fetch.reaches(address)
}

/// Whether an address is that of one host: not of several, nor of none.
pub(super) fn is_one_host(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_multicast() && !address.is_unspecified() && !broadcast
}

/// Why an address was not found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotFound {
    /// It may not be called.
    Refused(String),
    /// Its name could not be looked up.
    Failed(String),
}

/// Decides where calls to addresses that clients name may go.
#[derive(Clone)]
pub(super) struct Guard {
    fetch: Arc<dyn Fetch>,
    resolver: SipResolver,
}

impl Guard {
    pub(super) fn new(fetch: Arc<dyn Fetch>) -> Guard {
        Guard { fetch, resolver: SipResolver::new() }
    }

    /// Where a call to an address goes: this is then dialled, so a name that changes its mind gains nothing.
    pub(super) async fn locate(&self, address: &SipAddress) -> Result<Target, NotFound> {
        let port = address.port.map(Port::from);
        match &address.host {
            SipHost::Address(ip) if !may_reach(&*self.fetch, *ip) => Err(not_reached(&address.host)),
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
        let found = found.map_err(|why| NotFound::Failed(format!("{name}: {why}")))?;
        let mut allowed = found.into_iter().filter(|target| may_reach(&*self.fetch, target.addr.ip()));
        let target = allowed.next().ok_or_else(|| not_reached(&name))?;
        Ok((target.addr, target.transport))
    }

    /// Whether the next request of a call may go to a host; names are looked up then, by [`DomainResolver`].
    fn allows(&self, host: &Host) -> bool {
        match host {
            Host::IpAddr(ip) => may_reach(&*self.fetch, *ip),
            Host::Domain(_) => true,
        }
    }

    /// Makes an answer name no next hop that may not be reached: it becomes where the answer came from, as
    /// for who answers from behind a NAT. What can't be read is left out.
    fn pin(&self, response: &mut Response, from: &SipAddr) {
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

fn not_reached(host: &dyn std::fmt::Display) -> NotFound {
    NotFound::Refused(format!("{host} has no public address, and callbacks.allow_private is off"))
}

#[async_trait]
impl DomainResolver for Guard {
    async fn resolve(&self, target: &SipAddr) -> rsipstack::Result<SipAddr> {
        let name = target.addr.host.to_string();
        let secure = matches!(target.r#type, Some(Transport::Tls));
        let found = self.look_up(&name, target.addr.port, target.r#type, secure).await;
        match found {
            Ok((address, transport)) => Ok(SipAddr { r#type: Some(transport), addr: address.into() }),
            Err(NotFound::Refused(why) | NotFound::Failed(why)) => {
                Err(rsipstack::Error::DnsResolutionError(why))
            }
        }
    }
}

/// Looks at what comes in before anybody else does, and at what goes out.
struct Ears {
    guard: Option<Guard>,
    trace: Option<Trace>,
    calls: Arc<Calls>,
}

impl MessageInspector for Ears {
    fn before_send(&self, message: SipMessage, to: Option<&SipAddr>) -> SipMessage {
        if let Some(trace) = &self.trace {
            trace.sent(&message, to);
        }
        message
    }

    fn after_received(&self, message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        if let Some(trace) = &self.trace {
            trace.received(&message, from);
        }
        // What comes from nowhere was made by us, for a transaction that nobody answered.
        let (SipMessage::Response(mut response), Some(from)) = (message.clone(), from) else {
            return message;
        };
        if let Some(guard) = &self.guard {
            guard.pin(&mut response, from);
        }
        self.calls.overhear(&response);
        SipMessage::Response(response)
    }
}

/// Makes requests say where they come from, and nothing else: answers go to what the first `Via` has as
/// `received` (RFC 3261, 18.2.2), and rsipstack leaves one there that the sender wrote himself when the rest is
/// right.
struct Arrivals;

#[async_trait]
impl TransportEventInspector for Arrivals {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        let TransportEvent::Incoming(SipMessage::Request(mut request), connection, from) = event else {
            return Some(event);
        };
        // Who can't be answered is not heard.
        came_from(&mut request, from.get_socketaddr().ok()?)?;
        Some(TransportEvent::Incoming(request.into(), connection, from))
    }
}

/// Writes where a request came from into its first `Via`; nothing where it has none.
fn came_from(request: &mut Request, from: SocketAddr) -> Option<()> {
    let via = request.via_header_mut().ok()?;
    let received = match from.ip() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    };
    via.update_first_value(|via| {
        let mut via = via.typed()?;
        let had = via.params.len();
        via.params.retain(|param| !matches!(param, Param::Received(_) | Param::Maddr(_)));
        if via.params.len() < had || via.uri.host_with_port.host != Host::IpAddr(from.ip()) {
            via.params.push(Param::Received(Received::new(received)));
        }
        Ok(via.into())
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::super::reaches::Reaches;
    use super::*;
    use rsipstack::sip::HostWithPort;
    use rsipstack::transport::SipConnection;

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
            assert!(matches!(&located, Err(NotFound::Refused(_))), "{address}");
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
                "Record-Route: <sip:10.0.0.1;lr>\r\nRecord-Route: <sip:192.0.2.3;lr>\r\nContact: <sip:x@10.0.0.9>\r\n",
                "192.0.2.3",
            ),
            ("", ""),
        ] {
            assert_eq!(next_hop(headers), hop, "{headers}");
        }
    }

    /// Where an answer goes to a request that came from 192.0.2.1:5080 with this `Via`.
    async fn answered_to(via: &str) -> String {
        let text = format!(
            "OPTIONS sip:x@192.0.2.9 SIP/2.0\r\nVia: {via};branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let from: SocketAddr = "192.0.2.1:5080".parse().unwrap();
        let message = SipMessage::try_from(text.as_bytes()).unwrap();
        let SipMessage::Request(mut request) =
            SipConnection::update_msg_received(message, from, Transport::Udp).unwrap()
        else {
            panic!()
        };
        came_from(&mut request, from).unwrap();
        let (_, address) = SipConnection::parse_target_from_via(request.via_header().unwrap()).unwrap();
        address.to_string()
    }

    #[tokio::test]
    async fn an_answer_goes_to_where_its_request_came_from() {
        for via in [
            "SIP/2.0/UDP 192.0.2.1:5080",
            "SIP/2.0/UDP 192.0.2.1:5080;rport",
            "SIP/2.0/UDP 192.0.2.1:5080;received=127.0.0.1",
            "SIP/2.0/UDP 192.0.2.1:5080;received=127.0.0.1;rport=5099",
            "SIP/2.0/UDP 192.0.2.1:5080;maddr=127.0.0.1",
            "SIP/2.0/UDP 127.0.0.1:5099;received=10.0.0.1;rport",
            "SIP/2.0/UDP 127.0.0.1:5099",
            "SIP/2.0/UDP inside.example",
        ] {
            assert_eq!(answered_to(via).await, "192.0.2.1:5080", "{via}");
        }
    }
}
