//! A trunk: its address, its account, and whether it answers.

use super::config::{TrunkConfig, TrunkTransport};
use super::digest::Account;
use super::names;
use super::wire::Target;
use rsipstack::resolver::SipResolver;
use rsipstack::sip::{Port, Transport, Uri};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;

/// Calls one after the other that a trunk did not answer, before it counts as down.
const SILENT_MAX: u32 = 3;
/// How long looking up its name may take.
const LOOK_UP_MAX: Duration = Duration::from_secs(2);

/// How long a registration is to last, seconds, unless the registrar wants it longer.
const REGISTERED_S: u32 = 300;

/// Where calls go out.
pub(super) struct Trunk {
    pub(super) config: TrunkConfig,
    pub(super) account: Option<Account>,
    /// How it knows us, where it wants to.
    pub(super) registration: tokio::sync::Mutex<Registration>,
    resolver: SipResolver,
    trust: Option<Arc<dyn ServerCertVerifier>>,
    /// Calls that it did not answer since it last did.
    silent: AtomicU32,
}

impl Trunk {
    pub(super) fn new(config: &TrunkConfig) -> Result<Trunk, String> {
        let failed = |error: String| format!("trunk {}: {error}", config.host);
        let account = match (&config.username, &config.password) {
            (Some(username), Some(password)) => {
                let password = password.read().map_err(|error| failed(error.to_string()))?;
                Some(Account::new(username.clone(), password))
            }
            _ => None,
        };
        let trust = (config.transport == TrunkTransport::Tls).then(|| config.trust()).transpose();
        Ok(Trunk {
            config: config.clone(),
            registration: tokio::sync::Mutex::new(Registration::new(account.clone())),
            account,
            resolver: SipResolver::new(),
            trust: trust.map_err(failed)?,
            silent: AtomicU32::new(0),
        })
    }

    /// Whether it answered lately.
    pub(super) fn is_up(&self) -> bool {
        self.silent.load(Ordering::Relaxed) < SILENT_MAX
    }

    /// It answered a call, or did not.
    pub(super) fn note(&self, answered: bool) {
        if answered {
            self.silent.store(0, Ordering::Relaxed);
        } else {
            self.silent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It takes no calls until it says something.
    pub(super) fn note_down(&self) {
        self.silent.store(SILENT_MAX, Ordering::Relaxed);
    }

    /// One that is down is asked once more.
    pub(super) fn give_a_chance(&self) {
        if !self.is_up() {
            self.silent.store(SILENT_MAX - 1, Ordering::Relaxed);
        }
    }

    fn transport(&self) -> Transport {
        match self.config.transport {
            TrunkTransport::Udp => Transport::Udp,
            TrunkTransport::Tcp => Transport::Tcp,
            TrunkTransport::Tls => Transport::Tls,
        }
    }

    pub(super) fn domain(&self) -> &str {
        self.config.domain.as_deref().unwrap_or(&self.config.host)
    }

    /// Where its requests go, by an address of a family: looked up (RFC 3263) where it is a name.
    pub(super) async fn target(&self, is_ipv6: bool) -> Result<Target, String> {
        let transport = self.transport();
        let target = |address| Target {
            address,
            transport,
            name: self.config.host.trim_matches(['[', ']']).to_owned(),
            trust: self.trust.clone(),
        };
        if let Some(ip) = names::address(&self.config.host) {
            let port = self.config.port.unwrap_or_else(|| transport.default_port().into());
            return Ok(target(SocketAddr::new(ip, port)));
        }
        let name = self.config.host.as_str().into();
        let port = self.config.port.map(Port::from);
        let looked_up = self.resolver.lookup(&name, port, Some(transport), transport == Transport::Tls);
        let found = tokio::time::timeout(LOOK_UP_MAX, looked_up).await;
        let found = found.map_err(|_| "its name was not found in time")??;
        let address = found.iter().map(|found| found.addr).find(|address| address.is_ipv6() == is_ipv6);
        let family = if is_ipv6 { "IPv6" } else { "IPv4" };
        address.map(target).ok_or_else(|| format!("its name has no {family} address"))
    }

    /// What URIs of ours there say about the transport.
    pub(super) fn transport_parameter(&self) -> &'static str {
        match self.config.transport {
            TrunkTransport::Udp => "",
            TrunkTransport::Tcp => ";transport=tcp",
            TrunkTransport::Tls => ";transport=tls",
        }
    }

    /// Our address there, with a name where the address can't show it.
    pub(super) fn caller(&self, from: &str) -> String {
        names::caller(from, self.domain())
    }

    /// A phone number there.
    pub(super) fn callee(&self, number: &str) -> Result<Uri, String> {
        let host = names::host(self.domain());
        uri(&format!("sip:{}@{host}{}", names::user(number), self.transport_parameter()))
    }

    /// Where it takes registrations.
    pub(super) fn registrar(&self) -> Result<Uri, String> {
        uri(&format!("sip:{}{}", names::host(self.domain()), self.transport_parameter()))
    }
}

/// How a trunk knows us: one registration has one Call-ID, and its requests are counted (RFC 3261, 10.2.4).
pub(super) struct Registration {
    pub(super) call_id: String,
    pub(super) tag: String,
    pub(super) sequence: u32,
    pub(super) account: Option<Account>,
    /// How long it is to last, seconds.
    pub(super) wanted_s: u32,
    pub(super) is_registered: bool,
}

impl Registration {
    pub(super) fn new(account: Option<Account>) -> Registration {
        Registration {
            call_id: format!("{:032x}", fastrand::u128(..)),
            tag: format!("{:016x}", fastrand::u64(..)),
            sequence: 0,
            account,
            wanted_s: REGISTERED_S,
            is_registered: false,
        }
    }
}

pub(super) fn uri(text: &str) -> Result<Uri, String> {
    Uri::try_from(text).map_err(|error| format!("{text}: {error}"))
}

/// Which of our addresses leads to another one; nothing is sent.
pub(super) fn own_address(bound: IpAddr, to: SocketAddr) -> Result<IpAddr, String> {
    if !bound.is_unspecified() {
        return Ok(bound);
    }
    let socket = std::net::UdpSocket::bind((bound, 0)).map_err(|error| error.to_string())?;
    let connected = socket.connect(to);
    connected
        .and_then(|()| socket.local_addr())
        .map(|address| address.ip())
        .map_err(|error| format!("{to}: {error}"))
}
