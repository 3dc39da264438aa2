//! A trunk: its address, its account, and whether it answers.

use super::config::{TrunkConfig, TrunkTransport};
use super::digest::Account;
use super::error::{SipError, TrunkError};
use super::names;
use super::wire::{Target, WireError, uri};
use rsipstack::resolver::SipResolver;
use rsipstack::sip::{Port, Transport, Uri};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;

/// Consecutive calls that a trunk did not answer, before it counts as down.
const SILENT_MAX: u32 = 3;
/// How long looking up a trunk's name may take.
const LOOK_UP_MAX: Duration = Duration::from_secs(2);

/// The requested time of a registration, seconds, unless the registrar wants a longer one.
const REGISTERED_S: u32 = 300;

/// A trunk: where calls go out.
pub(super) struct Trunk {
    pub(super) config: TrunkConfig,
    pub(super) account: Option<Account>,
    /// Our registration there, if it wants one.
    pub(super) registration: tokio::sync::Mutex<Registration>,
    resolver: SipResolver,
    trust: Option<Arc<dyn ServerCertVerifier>>,
    /// Consecutive calls that it did not answer.
    silent: AtomicU32,
}

impl Trunk {
    pub(super) fn new(config: &TrunkConfig) -> Result<Trunk, SipError> {
        let failed = |source: TrunkError| SipError::Trunk { host: config.host.clone(), source };
        let account = match (&config.username, &config.password) {
            (Some(username), Some(password)) => {
                let password = password.read().map_err(|error| failed(error.into()))?;
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

    /// Returns whether it answered lately.
    pub(super) fn is_up(&self) -> bool {
        self.silent.load(Ordering::Relaxed) < SILENT_MAX
    }

    /// Notes whether it answered a call.
    pub(super) fn note(&self, answered: bool) {
        if answered {
            self.silent.store(0, Ordering::Relaxed);
        } else {
            self.silent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that it takes no calls until it answers something.
    pub(super) fn note_down(&self) {
        self.silent.store(SILENT_MAX, Ordering::Relaxed);
    }

    /// Has it asked once more if it is down.
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

    /// Finds where its requests go, in a family of addresses: a name is looked up (RFC 3263).
    pub(super) async fn target(&self, is_ipv6: bool) -> Result<Target, WireError> {
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
        let found = found.map_err(|_| WireError::LookUpTimedOut)?.map_err(WireError::LookUp)?;
        let address = found.iter().map(|found| found.addr).find(|address| address.is_ipv6() == is_ipv6);
        let family = if is_ipv6 { "IPv6" } else { "IPv4" };
        address.map(target).ok_or(WireError::NoAddress(family))
    }

    /// The transport parameter of our URIs there.
    pub(super) fn transport_parameter(&self) -> &'static str {
        match self.config.transport {
            TrunkTransport::Udp => "",
            TrunkTransport::Tcp => ";transport=tcp",
            TrunkTransport::Tls => ";transport=tls",
        }
    }

    /// Our address there, with a display name if the address can't show it.
    pub(super) fn caller(&self, from: &str) -> String {
        names::caller(from, self.domain())
    }

    /// A phone number there.
    pub(super) fn callee(&self, number: &str) -> Result<Uri, WireError> {
        let host = names::host(self.domain());
        uri(&format!("sip:{}@{host}{}", names::user(number), self.transport_parameter()))
    }

    /// The URI of its registrar.
    pub(super) fn registrar(&self) -> Result<Uri, WireError> {
        uri(&format!("sip:{}{}", names::host(self.domain()), self.transport_parameter()))
    }
}

/// A registration: one Call-ID, and a count of its requests (RFC 3261, 10.2.4).
pub(super) struct Registration {
    pub(super) call_id: String,
    pub(super) tag: String,
    pub(super) sequence: u32,
    pub(super) account: Option<Account>,
    /// The requested time, seconds.
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
