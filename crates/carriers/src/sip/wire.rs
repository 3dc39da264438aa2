//! The way of requests: over which connection, to which address; and what every request of ours carries.

use super::digest::{Account, Asker, Proven};
use parking_lot::Mutex;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{
    Header, Headers, Method, Request, Response, SipMessage, StatusCodeKind, Transport, Uri, Version,
};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::tls::{TlsConfig, TlsConnection};
use rsipstack::transport::{SipAddr, SipConnection};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;

/// Hops that a request may take.
const FORWARDS_MAX: u32 = 70;

/// Where requests go: an address, and how.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) transport: Transport,
    /// Whose certificate it must have.
    pub(super) name: String,
    /// Who vouches for it; there is none where TLS is not used.
    pub(super) trust: Option<Arc<dyn ServerCertVerifier>>,
}

/// A connection, and the address at its other end.
#[derive(Clone)]
pub(super) struct Hop {
    connection: SipConnection,
    address: SipAddr,
}

impl Hop {
    /// Our end, where that is a connection of its own, which the other side's requests come by as well.
    pub(super) fn own_end(&self) -> Option<SocketAddr> {
        self.is_stream().then(|| self.connection.get_addr().get_socketaddr().ok()).flatten()
    }

    /// Whether it is a connection of its own, and not a socket that many go by.
    pub(super) fn is_stream(&self) -> bool {
        self.connection.is_reliable()
    }

    /// Whether requests still go by it: a stream may have ended.
    pub(super) fn is_open(&self) -> bool {
        self.connection.cancel_token().is_none_or(|token| !token.is_cancelled())
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Hop>>>;

/// Sends requests.
pub(super) struct Wire {
    pub(super) endpoint: EndpointInnerRef,
    /// Streams by where they lead, transport and name: all calls through a trunk share one.
    streams: Mutex<HashMap<(SocketAddr, Transport, String), Slot>>,
}

impl Wire {
    pub(super) fn new(endpoint: EndpointInnerRef) -> Wire {
        Wire { endpoint, streams: Mutex::default() }
    }

    /// The way to a target; connects where there is no connection.
    pub(super) async fn open(&self, target: &Target) -> Result<Hop, String> {
        let key = (target.address, target.transport, target.name.clone());
        let address = SipAddr { r#type: Some(target.transport), addr: target.address.into() };
        if target.transport == Transport::Udp {
            return self.look_up(&address).await;
        }
        let slot = Arc::clone(self.streams.lock().entry(key).or_default());
        let mut slot = slot.lock().await;
        if let Some(hop) = slot.as_ref().filter(|hop| hop.is_open()) {
            return Ok(hop.clone());
        }
        let hop = match target.transport {
            Transport::Tls => {
                let config = TlsConfig { sni_hostname: Some(target.name.clone()), ..TlsConfig::default() };
                let token = rsipstack::platform::CancellationToken::new();
                let connected =
                    TlsConnection::connect(&address, Some(&config), target.trust.clone(), Some(token)).await;
                let connection =
                    SipConnection::Tls(connected.map_err(|error| format!("{}: {error}", target.address))?);
                self.endpoint.transport_layer.add_connection(connection.clone());
                Hop { connection, address }
            }
            _ => self.look_up(&address).await?,
        };
        *slot = Some(hop.clone());
        Ok(hop)
    }

    /// The way to a URI, whose host may be a name.
    pub(super) async fn to_uri(&self, uri: &Uri) -> Result<Hop, String> {
        self.look_up(&SipAddr::try_from(uri).map_err(|error| error.to_string())?).await
    }

    async fn look_up(&self, address: &SipAddr) -> Result<Hop, String> {
        let found = self.endpoint.transport_layer.lookup(address, None).await;
        let (connection, address) = found.map_err(|error| format!("{}: {error}", address.addr))?;
        Ok(Hop { connection, address })
    }

    /// A Via header for a hop (RFC 3261, 8.1.1.7), which tells our address.
    pub(super) fn via(hop: &Hop, own: SocketAddr) -> Header {
        let transport = hop.connection.transport();
        Header::Via(
            format!("SIP/2.0/{transport} {own};branch=z9hG4bK{:032x};rport", fastrand::u128(..)).into(),
        )
    }

    /// A transaction for a request by a hop. It is sent when it is told to.
    ///
    /// # Errors
    /// When the request lacks what tells it from others.
    pub(super) fn transaction(&self, hop: &Hop, request: Request) -> Result<Transaction, String> {
        let key = TransactionKey::from_request(&request, TransactionRole::Client);
        let key = key.map_err(|error| error.to_string())?;
        let connection = Some(hop.connection.clone());
        let mut transaction = Transaction::new_client(key, request, Arc::clone(&self.endpoint), connection);
        transaction.destination = Some(hop.address.clone());
        Ok(transaction)
    }

    /// Sends a request that is not answered (ACK).
    pub(super) async fn send(&self, hop: &Hop, request: Request) -> Result<(), String> {
        // It repeats nothing once it is dropped.
        self.transaction(hop, request)?.send().await.map_err(|error| error.to_string())
    }

    /// Sends a request other than INVITE, and waits for its final answer; that is 408 where none comes.
    pub(super) async fn exchange(&self, hop: &Hop, request: Request) -> Result<Response, String> {
        let mut transaction = self.transaction(hop, request)?;
        transaction.send().await.map_err(|error| error.to_string())?;
        while let Some(message) = transaction.receive().await {
            if let SipMessage::Response(response) = message
                && response.status_code.kind() != StatusCodeKind::Provisional
            {
                return Ok(response);
            }
        }
        Err("the transaction ended".into())
    }
}

/// A request with what it says of itself, and of who has to be shown who we are.
pub(super) fn request(
    method: Method,
    uri: Uri,
    headers: Vec<Header>,
    body: (&str, Vec<u8>),
    account: Option<&mut Account>,
) -> Request {
    let mut all = vec![Header::MaxForwards(FORWARDS_MAX.into())];
    all.extend(headers);
    if let Some(account) = account {
        let (name, text) = (method.to_string(), uri.to_string());
        let proven = Proven { method: &name, uri: &text, body: &body.1 };
        all.extend(account.proofs(&proven).into_iter().map(|(asker, proof)| match asker {
            Asker::Server => Header::Authorization(proof.into()),
            Asker::Proxy => Header::ProxyAuthorization(proof.into()),
        }));
    }
    all.push(Header::UserAgent(USER_AGENT.into()));
    if !body.1.is_empty() {
        all.push(Header::ContentType(body.0.into()));
    }
    all.push(Header::ContentLength((body.1.len() as u32).into()));
    Request { method, uri, headers: Headers::from(all), body: body.1, version: Version::V2 }
}

/// What we call ourselves.
pub(super) const USER_AGENT: &str = concat!("Switchback/", env!("CARGO_PKG_VERSION"));

/// Whether an answer asks for proof that the account can give; the request is then worth another try.
pub(super) fn is_challenged(account: Option<&mut Account>, response: &Response) -> bool {
    let (Some(account), 401 | 407) = (account, response.status_code.code()) else { return false };
    let of = |asker: Asker| {
        response.headers.iter().filter_map(move |header| match (header, asker) {
            (Header::WwwAuthenticate(challenge), Asker::Server) => Some(challenge.value().to_owned()),
            (Header::ProxyAuthenticate(challenge), Asker::Proxy) => Some(challenge.value().to_owned()),
            _ => None,
        })
    };
    // The status says who asks (RFC 3261, 22.2 and 22.3); some send the header of the other one alone.
    let (first, second) = match response.status_code.code() {
        401 => (Asker::Server, Asker::Proxy),
        _ => (Asker::Proxy, Asker::Server),
    };
    let asker = if of(first).next().is_some() { first } else { second };
    let challenges: Vec<String> = of(asker).collect();
    account.challenged(asker, challenges.iter().map(String::as_str))
}

/// The tag of a To or a From header's value (RFC 3261, 19.3).
pub(super) fn tag(value: &str) -> Option<&str> {
    let parameters = value.rfind('>').map_or(value, |end| &value[end..]);
    parameters.split(';').skip(1).find_map(|parameter| {
        let (name, tag) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("tag").then(|| tag.trim())
    })
}

/// The number and the method of a message's CSeq header.
pub(super) fn sequence(message: &impl HeadersExt) -> Option<(u32, Method)> {
    let header = message.cseq_header().ok()?;
    Some((header.seq().ok()?, header.method().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_wherever_it_is() {
        for (value, expected) in [
            ("<sip:a@b>;tag=1", Some("1")),
            ("\"x;tag=9\" <sip:a@b;tag=8> ; x=y ; Tag = 2", Some("2")),
            ("sip:a@b;tag=3", Some("3")),
            ("<sip:a@b;tag=8>", None),
            ("", None),
        ] {
            assert_eq!(tag(value), expected, "{value}");
        }
    }
}
