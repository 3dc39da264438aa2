//! A trunk: its address, its account, and whether it answers.

use super::Line;
use super::config::{TrunkConfig, TrunkTransport};
use crate::backoff;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::registration::Registration;
use rsipstack::sip::{HostWithPort, StatusCode, Transport, Uri};
use rsipstack::transport::SipAddr;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Calls one after the other that a trunk did not answer, before it counts as down.
const SILENT_MAX: u32 = 3;
/// How often a trunk that is down is asked, and how long that may take.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long a registration lasts, seconds.
const REGISTERED_S: u32 = 300;
/// The first pause after a registration that failed.
const REGISTER_BASE: Duration = Duration::from_secs(2);
const REGISTER_MAX: Duration = Duration::from_secs(60);
/// How long looking up its name may take.
const LOOK_UP_MAX: Duration = Duration::from_secs(2);

/// Where calls go out.
pub(super) struct Trunk {
    pub(super) config: TrunkConfig,
    pub(super) credential: Option<Credential>,
    /// Calls that it did not answer since it last did.
    silent: AtomicU32,
}

impl Trunk {
    pub(super) fn new(config: &TrunkConfig) -> Result<Trunk, String> {
        let credential = match (&config.username, &config.password) {
            (Some(username), Some(password)) => {
                let password = password.read().map_err(|error| format!("trunk {}: {error}", config.host))?;
                Some(Credential { username: username.clone(), password, realm: None, auth_username: None })
            }
            _ => None,
        };
        Ok(Trunk { config: config.clone(), credential, silent: AtomicU32::new(0) })
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

    const fn transport(&self) -> Transport {
        match self.config.transport {
            TrunkTransport::Udp => Transport::Udp,
            TrunkTransport::Tcp => Transport::Tcp,
            TrunkTransport::Tls => Transport::Tls,
        }
    }

    fn domain(&self) -> &str {
        self.config.domain.as_deref().unwrap_or(&self.config.host)
    }

    /// Where requests go; nothing where the name is looked up.
    pub(super) fn destination(&self) -> Result<Option<SipAddr>, String> {
        let is_address = self.config.host.parse::<IpAddr>().is_ok();
        if self.config.port.is_none() && !is_address {
            return Ok(None);
        }
        let default = if self.config.transport == TrunkTransport::Tls { 5061 } else { 5060 };
        let text = format!("{}:{}", self.config.host, self.config.port.unwrap_or(default));
        let host = HostWithPort::try_from(text.as_str());
        let addr = host.map_err(|error| format!("trunk {text}: {error}"))?;
        Ok(Some(SipAddr { r#type: Some(self.transport()), addr }))
    }

    /// Our address there.
    pub(super) fn caller(&self, from: &str) -> Result<Uri, String> {
        uri(&format!("sip:{}@{}", user(from), self.domain()))
    }

    /// A phone number there.
    pub(super) fn callee(&self, number: &str) -> Result<Uri, String> {
        let transport = match self.config.transport {
            TrunkTransport::Udp => "",
            TrunkTransport::Tcp => ";transport=tcp",
            TrunkTransport::Tls => ";transport=tls",
        };
        uri(&format!("sip:{}@{}{transport}", user(number), self.domain()))
    }

    /// Its address; none where its name is not found by itself.
    pub(super) async fn address(&self) -> Option<IpAddr> {
        if let Ok(address) = self.config.host.parse() {
            return Some(address);
        }
        let found =
            tokio::time::timeout(LOOK_UP_MAX, tokio::net::lookup_host((self.config.host.as_str(), 0))).await;
        found.ok()?.ok()?.next().map(|address| address.ip())
    }
}

/// A user part with what it may hold (RFC 3261, 25.1); the rest is left out.
pub(super) fn user(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.!~*'()&=$".contains(*c)).collect()
}

pub(super) fn uri(text: &str) -> Result<Uri, String> {
    Uri::try_from(text).map_err(|error| format!("{text}: {error}"))
}

impl Line {
    /// The address that the other side is told, which is at a host and port.
    pub(super) fn local_ip(&self, host: &str, port: u16) -> Result<IpAddr, String> {
        if let Some(ip) = self.config.public_address {
            return Ok(ip);
        }
        let bound = self.config.bind.ip();
        if !bound.is_unspecified() {
            return Ok(bound);
        }
        // Which of our addresses leads there; nothing is sent.
        let socket = UdpSocket::bind((bound, 0)).map_err(|error| error.to_string())?;
        let connected = socket.connect((host, port));
        connected
            .and_then(|()| socket.local_addr())
            .map(|address| address.ip())
            .map_err(|error| error.to_string())
    }
}

/// Keeps us registered where that is wanted, and asks trunks that are down whether they are back.
pub(super) fn register(line: &Arc<Line>) {
    for at in 0..line.trunks.len() {
        let line = Arc::clone(line);
        let cancel = line.cancel.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = keep(&line, at) => {}
                () = cancel.cancelled() => {}
            }
        });
    }
}

async fn keep(line: &Line, at: usize) {
    let trunk = &line.trunks[at];
    if !trunk.config.register {
        loop {
            tokio::time::sleep(PROBE_EVERY).await;
            // The next call tries it again.
            if !trunk.is_up() {
                trunk.silent.store(SILENT_MAX - 1, Ordering::Relaxed);
            }
        }
    }
    let mut failures = 0;
    loop {
        let registered = registration(line, trunk, REGISTERED_S).await;
        let pause = match registered {
            Ok(()) => {
                failures = 0;
                trunk.note(true);
                Duration::from_secs(u64::from(REGISTERED_S) / 2)
            }
            Err(error) => {
                tracing::warn!(carrier = line.name, trunk = trunk.config.host, error, "could not register");
                trunk.silent.store(SILENT_MAX, Ordering::Relaxed);
                failures += 1;
                backoff::delay(failures - 1, REGISTER_BASE, REGISTER_MAX)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Registers for some seconds; 0 ends a registration.
async fn registration(line: &Line, trunk: &Trunk, seconds: u32) -> Result<(), String> {
    let mut registration = Registration::new(line.stack.endpoint.inner.clone(), trunk.credential.clone());
    let server = uri(&format!("sip:{}", trunk.domain()))?;
    registration.outbound_proxy = trunk.destination()?.and_then(|address| address.get_socketaddr().ok());
    let answer = registration.register(server, Some(seconds)).await.map_err(|error| error.to_string())?;
    if answer.status_code == StatusCode::OK { Ok(()) } else { Err(answer.status_code.to_string()) }
}

/// Ends registrations.
pub(super) async fn unregister(line: &Line) {
    for trunk in line.trunks.iter().filter(|trunk| trunk.config.register && trunk.is_up()) {
        if let Err(error) = registration(line, trunk, 0).await {
            tracing::debug!(error, "a registration was not ended");
        }
    }
}
