//! Sends requests: over which connection, to which address, and with the headers that all of them carry.

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
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;

/// Why a request was not sent, or has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The name of its target was not looked up in time.
    #[error("its name was not found in time")]
    LookUpTimedOut,
    /// The name of its target could not be looked up; with what the resolver says.
    #[error("{0}")]
    LookUp(String),
    /// The name of its target has no address of our socket's family.
    #[error("its name has no {0} address")]
    NoAddress(&'static str),
    /// A URI in it can't be written so that it is read.
    #[error("{text}: {source}")]
    Uri {
        /// The URI.
        text: String,
        /// Why.
        source: rsipstack::sip::Error,
    },
    /// No address of ours leads to its target.
    #[error("{to}: {source}")]
    OwnAddress {
        /// The target.
        to: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// There is no socket to find our address by.
    #[error(transparent)]
    Socket(#[from] std::io::Error),
    /// Its target can't be connected to.
    #[error("{to}: {source}")]
    Connect {
        /// The target.
        to: String,
        /// Why.
        source: Box<rsipstack::Error>,
    },
    /// The SIP stack refuses it.
    #[error(transparent)]
    Stack(Box<rsipstack::Error>),
    /// Its transaction ended without an answer.
    #[error("the transaction ended")]
    Ended,
}

impl From<rsipstack::Error> for WireError {
    fn from(error: rsipstack::Error) -> WireError {
        WireError::Stack(Box::new(error))
    }
}

/// Hops that a request may take.
const FORWARDS_MAX: u32 = 70;

/// Where requests go: an address, and how.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) transport: Transport,
    /// The name that its certificate must have.
    pub(super) name: String,
    /// Verifies its certificate; `None` without TLS.
    pub(super) trust: Option<Arc<dyn ServerCertVerifier>>,
}

/// A connection, and the address at its other end.
#[derive(Clone)]
pub(super) struct Hop {
    connection: SipConnection,
    address: SipAddr,
}

impl Hop {
    /// Our end, if it is a connection of its own, by which the other side's requests come as well.
    pub(super) fn own_end(&self) -> Option<SocketAddr> {
        self.is_stream().then(|| self.connection.get_addr().get_socketaddr().ok()).flatten()
    }

    /// Returns whether it is a connection of its own, and not a socket that many share.
    pub(super) fn is_stream(&self) -> bool {
        self.connection.is_reliable()
    }

    /// Returns whether requests still go by it: a stream may have ended.
    pub(super) fn is_open(&self) -> bool {
        self.connection.cancel_token().is_none_or(|token| !token.is_cancelled())
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Hop>>>;

/// Sends requests.
pub(super) struct Wire {
    pub(super) endpoint: EndpointInnerRef,
    /// Streams by target, transport and name: all calls through a trunk share one.
    streams: Mutex<HashMap<(SocketAddr, Transport, String), Slot>>,
}

impl Wire {
    pub(super) fn new(endpoint: EndpointInnerRef) -> Wire {
        Wire { endpoint, streams: Mutex::default() }
    }

    /// Opens the way to a target; connects if there is no connection.
    pub(super) async fn open(&self, target: &Target) -> Result<Hop, WireError> {
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
                let to = target.address.to_string();
                let connected =
                    connected.map_err(|error| WireError::Connect { to, source: Box::new(error) })?;
                let connection = SipConnection::Tls(connected);
                self.endpoint.transport_layer.add_connection(connection.clone());
                Hop { connection, address }
            }
            _ => self.look_up(&address).await?,
        };
        *slot = Some(hop.clone());
        Ok(hop)
    }

    /// The way to a URI, whose host may be a name.
    pub(super) async fn to_uri(&self, uri: &Uri) -> Result<Hop, WireError> {
        self.look_up(&SipAddr::try_from(uri)?).await
    }

    async fn look_up(&self, address: &SipAddr) -> Result<Hop, WireError> {
        let found = self.endpoint.transport_layer.lookup(address, None).await;
        let to = address.addr.to_string();
        let (connection, address) =
            found.map_err(|error| WireError::Connect { to, source: Box::new(error) })?;
        Ok(Hop { connection, address })
    }

    /// A Via header for a hop (RFC 3261, 8.1.1.7), with our address.
    pub(super) fn via(hop: &Hop, own: SocketAddr) -> Header {
        let transport = hop.connection.transport();
        Header::Via(
            format!("SIP/2.0/{transport} {own};branch=z9hG4bK{:032x};rport", fastrand::u128(..)).into(),
        )
    }

    /// A transaction for a request by a hop; it is not sent yet.
    ///
    /// # Errors
    /// When the request lacks what identifies it.
    pub(super) fn transaction(&self, hop: &Hop, request: Request) -> Result<Transaction, WireError> {
        let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
        let connection = Some(hop.connection.clone());
        let mut transaction = Transaction::new_client(key, request, Arc::clone(&self.endpoint), connection);
        transaction.destination = Some(hop.address.clone());
        Ok(transaction)
    }

    /// Sends a request that is not answered (ACK).
    pub(super) async fn send(&self, hop: &Hop, request: Request) -> Result<(), WireError> {
        // The transaction repeats nothing once it is dropped.
        Ok(self.transaction(hop, request)?.send().await?)
    }

    /// Sends a request other than INVITE, and waits for its final answer, which is 408 if none comes.
    pub(super) async fn exchange(&self, hop: &Hop, request: Request) -> Result<Response, WireError> {
        let mut transaction = self.transaction(hop, request)?;
        transaction.send().await?;
        while let Some(message) = transaction.receive().await {
            if let SipMessage::Response(response) = message
                && response.status_code.kind() != StatusCodeKind::Provisional
            {
                return Ok(response);
            }
        }
        Err(WireError::Ended)
    }
}

/// A request with the headers that every one has, and with credentials if the account has been challenged.
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

/// The value of `User-Agent`.
pub(super) const USER_AGENT: &str = concat!("Switchback/", env!("CARGO_PKG_VERSION"));

/// Returns whether an answer is a challenge that the account can answer; the request is then worth another
/// try.
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

/// Reads a URI.
pub(super) fn uri(text: &str) -> Result<Uri, WireError> {
    Uri::try_from(text).map_err(|source| WireError::Uri { text: text.to_owned(), source })
}

/// Finds which of our addresses leads to another one; nothing is sent.
pub(super) fn own_address(bound: IpAddr, to: SocketAddr) -> Result<IpAddr, WireError> {
    if !bound.is_unspecified() {
        return Ok(bound);
    }
    let socket = std::net::UdpSocket::bind((bound, 0))?;
    let local = socket.connect(to).and_then(|()| socket.local_addr());
    local.map(|address| address.ip()).map_err(|source| WireError::OwnAddress { to, source })
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
