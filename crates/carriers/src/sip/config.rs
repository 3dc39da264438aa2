//! The configuration of a SIP carrier.

use super::error::{NotAHost, TrunkError};
use super::names;
use crate::config::{Secret, duration};
use crate::trust;
use flow::Status;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto;

/// How long asking all trunks may take.
const ASK_MAX: Duration = Duration::from_secs(120);
/// The most calls that can be configured.
const CALLS_MAX: usize = 1_000_000;
const HOUR: Duration = Duration::from_secs(3600);

/// A carrier that makes calls over SIP (RFC 3261).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipConfig {
    /// The address of our side for SIP over UDP; port 0 takes a free one.
    #[serde(default = "default_bind")]
    pub bind: SocketAddr,
    /// The address that the other side is given for media and requests; the one that reaches the trunk if
    /// absent.
    #[serde(default)]
    pub public_address: Option<IpAddr>,
    /// The address of our side for calls to SIP addresses of clients (`to.sip`); that of `bind`, at a free
    /// port, if absent.
    #[serde(default)]
    pub direct_bind: Option<SocketAddr>,
    /// The first and the last port for media, two for each call; any free ones if absent.
    #[serde(default)]
    pub media_ports: Option<[u16; 2]>,
    /// Calls that may be under way at once.
    #[serde(default = "default_calls_max")]
    pub calls_max: usize,
    /// Calls that are prepared (files fetched, speech made) at once; one application gets one less.
    #[serde(default = "default_prepares_max")]
    pub prepares_max: usize,
    /// The sound that one call may have; a sound that is played several times counts once.
    #[serde(default = "default_sound_max", deserialize_with = "duration")]
    pub sound_max: Duration,
    /// The sound that all calls together may have, without the first 30 s of each.
    #[serde(default = "default_sounds_max", deserialize_with = "duration")]
    pub sounds_max: Duration,
    /// How long we speak to a side that sends nothing back, neither sound (RTP) nor reports (RTCP).
    #[serde(default = "default_media_timeout", deserialize_with = "duration")]
    pub media_timeout: Duration,
    /// How long a call may last from its answer.
    #[serde(default = "default_talk_max", deserialize_with = "duration")]
    pub talk_max: Duration,
    /// Calls of one application that may be under way at once; one less than all if absent.
    #[serde(default)]
    pub application_calls_max: Option<usize>,
    /// How long a trunk may take to answer anything before the next one is tried.
    #[serde(default = "default_trunk_timeout", deserialize_with = "duration")]
    pub trunk_timeout: Duration,
    /// The trunks; tried in this order.
    pub trunk: Vec<TrunkConfig>,
    /// What turns texts into speech.
    #[serde(default)]
    pub speech: SpeechConfig,
    /// How an answering machine is recognised.
    #[serde(default)]
    pub machine: MachineConfig,
}

/// A SIP trunk.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkConfig {
    /// Host name or address. A name without a port is looked up by SRV records (RFC 3263).
    pub host: String,
    /// Its port; by SRV records, or 5060 (5061 over TLS), if absent.
    #[serde(default)]
    pub port: Option<u16>,
    /// How it is reached.
    #[serde(default)]
    pub transport: TrunkTransport,
    /// The domain in our addresses; the host if absent.
    #[serde(default)]
    pub domain: Option<String>,
    /// The user of digest authentication (RFC 8760); no authentication if absent.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A PEM file with the certificate authorities to trust over TLS; the usual public ones if absent.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
    /// Whether we register there (RFC 3261, 10).
    #[serde(default)]
    pub register: bool,
}

/// How a trunk is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrunkTransport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

/// What turns texts into speech.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeechConfig {
    /// A program that reads the text from its standard input and writes a WAV file to its standard output.
    /// `{voice}` and `{language}` in its arguments are filled in.
    pub command: Vec<String>,
    /// Or a URL that the text is posted to, with `language`, `gender` and `voice` in the query, and that
    /// answers with a WAV or MP3 file.
    pub url: Option<String>,
    /// The engine's name of a voice, by `LANGUAGE GENDER` or `LANGUAGE`, such as `el-GR female` or `el`.
    pub voices: BTreeMap<String, String>,
    /// How long one text may take.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

impl Default for SpeechConfig {
    fn default() -> SpeechConfig {
        SpeechConfig {
            command: SipConfig::speech_command(),
            url: None,
            voices: BTreeMap::new(),
            timeout: Duration::from_secs(20),
        }
    }
}

/// How an answering machine is recognised: people say a word and wait; machines talk on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MachineConfig {
    /// Who talks longer than this before the first pause is a machine.
    #[serde(deserialize_with = "duration")]
    pub greeting_max: Duration,
    /// A pause of this length ends a greeting.
    #[serde(deserialize_with = "duration")]
    pub pause: Duration,
    /// Who says nothing for this long is a person.
    #[serde(deserialize_with = "duration")]
    pub silence_max: Duration,
    /// Louder than this is speech: the root mean square of 20 ms, of 32,768.
    pub loudness: f64,
    /// The status of a call that a machine answered, with the strategy Hangup.
    pub status: Status,
}

impl Default for MachineConfig {
    fn default() -> MachineConfig {
        MachineConfig {
            greeting_max: Duration::from_millis(1800),
            pause: Duration::from_millis(700),
            silence_max: Duration::from_millis(3000),
            loudness: 400.0,
            status: Status::NoAnswer,
        }
    }
}

fn default_bind() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 0))
}

const fn default_calls_max() -> usize {
    100
}

const fn default_prepares_max() -> usize {
    3
}

const fn default_sound_max() -> Duration {
    Duration::from_secs(600)
}

const fn default_sounds_max() -> Duration {
    Duration::from_secs(3600)
}

const fn default_media_timeout() -> Duration {
    Duration::from_secs(10)
}

const fn default_talk_max() -> Duration {
    HOUR
}

const fn default_trunk_timeout() -> Duration {
    Duration::from_secs(4)
}

impl SipConfig {
    /// The program that speaks if none is configured, with its arguments.
    pub fn speech_command() -> Vec<String> {
        ["espeak-ng", "--stdin", "--stdout", "-v", "{voice}"].map(String::from).into()
    }

    /// A carrier with one trunk, and the defaults for all else.
    ///
    /// ```
    /// let config = carriers::SipConfig::through("192.0.2.1")?;
    /// assert_eq!((config.trunk.len(), config.check()), (1, vec![]));
    /// # Ok::<(), carriers::NotAHost>(())
    /// ```
    ///
    /// # Errors
    /// [`NotAHost`].
    pub fn through(host: &str) -> Result<SipConfig, NotAHost> {
        let not_a_host = || NotAHost(host.to_owned());
        if host.is_empty() || host.contains(['"', '\\', '\n']) {
            return Err(not_a_host());
        }
        toml::from_str(&format!("[[trunk]]\nhost = \"{host}\"\n")).map_err(|_| not_a_host())
    }

    /// Checks what the types don't express: each key that breaks a rule, with the rule.
    pub fn check(&self) -> Vec<(String, String)> {
        let mut broken = Vec::new();
        let mut check = |holds: bool, key: &str, rule: String| {
            if !holds {
                broken.push((key.to_owned(), rule));
            }
        };
        check(!self.trunk.is_empty(), "trunk", "must have at least one".into());
        check((1..=CALLS_MAX).contains(&self.calls_max), "calls_max", format!("must be 1 to {CALLS_MAX}"));
        let each = self.application_calls_max.is_none_or(|most| (1..=self.calls_max).contains(&most));
        check(each, "application_calls_max", "must be 1 to calls_max".into());
        let told = self.public_address.is_none_or(|told| told.is_ipv6() == self.bind.is_ipv6());
        check(told, "public_address", "must be IPv6 where bind is, and IPv4 where bind is".into());
        check((1..=64).contains(&self.prepares_max), "prepares_max", "must be 1 to 64".into());
        for (key, value, most) in [
            ("sound_max", self.sound_max, HOUR),
            ("sounds_max", self.sounds_max, 24 * HOUR),
            ("media_timeout", self.media_timeout, HOUR),
            ("talk_max", self.talk_max, 4 * HOUR),
        ] {
            let fits = (Duration::from_secs(1)..=most).contains(&value);
            check(fits, key, format!("must be 1s to {}s, not {value:?}", most.as_secs()));
        }
        let ports = self.media_ports.is_none_or(|[first, last]| first > 0 && first <= last);
        check(ports, "media_ports", "must be the first and the last port".into());
        let asked = self.trunk_timeout.saturating_mul(self.trunk.len() as u32);
        check(asked <= ASK_MAX, "trunk_timeout", "all trunks together must not take longer than 2m".into());
        let speaks = !self.speech.command.is_empty() || self.speech.url.is_some();
        check(speaks, "speech", "must have a command or a url".into());
        let statuses = flow::Channel::Voice.rules().failover_choices;
        check(
            statuses.contains(&self.machine.status),
            "machine.status",
            "must be a final status of Voice".into(),
        );
        for (i, trunk) in self.trunk.iter().enumerate() {
            let at = format!("trunk[{i}]");
            let whole = trunk.username.is_some() == trunk.password.is_some();
            check(whole, &at, format!("{}: username and password belong together", trunk.host));
            let family = names::address(&trunk.host).map(|address| address.is_ipv6());
            let (there, any) = if family == Some(true) { ("IPv6", "[::]:0") } else { ("IPv4", "0.0.0.0:0") };
            let reached = family.is_none_or(|is_ipv6| is_ipv6 == self.bind.is_ipv6());
            let rule = format!("{}: it is {there}, and bind is not; bind = \"{any}\" reaches it", trunk.host);
            check(reached, &at, rule);
            let vouched = trunk.tls_ca.is_none() || trunk.transport == TrunkTransport::Tls;
            check(vouched, &at, format!("{}: tls_ca needs transport = \"tls\"", trunk.host));
            let known = !trunk.register || trunk.username.is_some();
            check(known, &at, format!("{}: register needs a username", trunk.host));
        }
        broken
    }
}

impl TrunkConfig {
    /// What verifies its certificate over TLS.
    ///
    /// # Errors
    /// [`TrunkError`].
    pub(super) fn trust(&self) -> Result<Arc<dyn ServerCertVerifier>, TrunkError> {
        verifier(self.tls_ca.as_deref())
    }

    /// Checks the files that it names.
    ///
    /// # Errors
    /// [`TrunkError`].
    pub fn look_at_files(&self) -> Result<(), TrunkError> {
        self.tls_ca.as_ref().map_or(Ok(()), |_| self.trust().map(drop))
    }
}

/// What verifies certificates by the usual public authorities.
pub(super) fn public_trust() -> Result<Arc<dyn ServerCertVerifier>, TrunkError> {
    verifier(None)
}

fn verifier(tls_ca: Option<&Path>) -> Result<Arc<dyn ServerCertVerifier>, TrunkError> {
    let (roots, provider) = (Arc::new(trust::roots(tls_ca)?), Arc::new(crypto::ring::default_provider()));
    Ok(WebPkiServerVerifier::builder_with_provider(roots, provider).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_that_the_bind_can_not_reach_is_refused() {
        let broken = |bind: &str, host: &str| {
            let text = format!("bind = \"{bind}\"\n[[trunk]]\nhost = \"{host}\"\n");
            toml::from_str::<SipConfig>(&text).unwrap().check()
        };
        for (bind, host, fits) in [
            ("0.0.0.0:0", "192.0.2.1", true),
            ("0.0.0.0:0", "::1", false),
            ("127.0.0.1:0", "[2001:db8::1]", false),
            ("[::]:0", "2001:db8::1", true),
            ("[::1]:0", "192.0.2.1", false),
            ("[::]:0", "sip.example.com", true),
        ] {
            let broken = broken(bind, host);
            assert_eq!(broken.is_empty(), fits, "{bind} {host}: {broken:?}");
            assert!(fits || broken[0].1.contains("bind ="), "{broken:?}");
        }
    }

    #[test]
    fn calls_are_bounded() {
        let check = |keys: &str| {
            let text = format!("calls_max = 10\n{keys}\n[[trunk]]\nhost = \"192.0.2.1\"\n");
            toml::from_str::<SipConfig>(&text).unwrap().check()
        };
        for keys in ["", "talk_max = \"4h\"", "application_calls_max = 10", "public_address = \"192.0.2.9\""]
        {
            assert!(check(keys).is_empty(), "{keys}");
        }
        for keys in [
            "talk_max = \"5h\"",
            "talk_max = \"0s\"",
            "application_calls_max = 0",
            "application_calls_max = 11",
            "public_address = \"::1\"",
        ] {
            assert_eq!(check(keys).len(), 1, "{keys}");
        }
    }
}
