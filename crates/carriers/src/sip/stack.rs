//! SIP's transactions and dialogs over a socket. Calls through trunks have one, calls to addresses that
//! clients name have another one, which sends only to addresses that its guard allows, whatever the other
//! side answers.

use super::dialog::{ALLOW, Calls};
use super::error::BindError;
use super::guard::{Guard, may_reach};
use super::trace::Trace;
use super::wire::{USER_AGENT, Wire, tag};
use async_trait::async_trait;
use rsipstack::EndpointBuilder;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::param::Received;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{Header, Host, Method, Param, Request, SipMessage, StatusCode, Transport};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::endpoint::{Endpoint, EndpointOption, MessageInspector, TransportEventInspector};
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
    /// Whether it reaches IPv6; else IPv4.
    pub(super) is_ipv6: bool,
}

impl Stack {
    /// Starts one that sends to any address.
    ///
    /// # Errors
    /// [`BindError`].
    pub(super) async fn start(
        bind: SocketAddr,
        trace: Option<Trace>,
        cancel: &CancellationToken,
    ) -> Result<Stack, BindError> {
        let transport = TransportLayer::new(cancel.child_token());
        Stack::over(bind, transport, None, trace, cancel).await
    }

    /// Starts one that sends only to addresses that its guard allows.
    ///
    /// # Errors
    /// [`BindError`].
    pub(super) async fn start_guarded(
        bind: SocketAddr,
        guard: &Guard,
        trace: Option<Trace>,
        cancel: &CancellationToken,
    ) -> Result<Stack, BindError> {
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
    ) -> Result<Stack, BindError> {
        let udp = UdpConnection::create_connection(bind, None, Some(cancel.child_token())).await;
        transport.add_transport(
            udp.map_err(|error| BindError::Address { address: bind, source: Box::new(error) })?.into(),
        );
        let calls = Arc::new(Calls::default());
        // `Calls` sends the ACK of an accepted call, since it knows where that goes; timer C is for proxies.
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

    /// The port to which requests of the other side come.
    pub(super) fn port(&self) -> u16 {
        let addresses = self.wire.endpoint.transport_layer.get_listen_addrs();
        let udp = addresses.into_iter().find(|address| address.r#type == Some(Transport::Udp));
        udp.and_then(|address| address.addr.port).map_or(5060, u16::from)
    }
}

/// Answers incoming requests: those within calls under way; all others are strays.
fn answer_requests(endpoint: &Endpoint, calls: Arc<Calls>) -> Result<(), BindError> {
    let mut incoming = endpoint.incoming_transactions()?;
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

/// Answers a request outside our calls: says that we are here, and take no calls.
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

/// Sees every incoming message before its transaction does, and every outgoing one.
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
        // A message without an origin was made by rsipstack, for a transaction that nobody answered.
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

/// Makes the first `Via` of requests say where they came from: answers go to its `received` (RFC 3261,
/// 18.2.2), and rsipstack keeps one that the sender wrote itself if the rest is right.
struct Arrivals;

#[async_trait]
impl TransportEventInspector for Arrivals {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        let TransportEvent::Incoming(SipMessage::Request(mut request), connection, from) = event else {
            return Some(event);
        };
        // A request that can't be answered is dropped.
        came_from(&mut request, from.get_socketaddr().ok()?)?;
        Some(TransportEvent::Incoming(request.into(), connection, from))
    }
}

/// Writes where a request came from into its first `Via`; `None` if it has none.
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
    use super::*;
    use rsipstack::transport::SipConnection;

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
