//! The configuration: its sections, each key with its default. The engine's sections are the engine's.

use super::origin::Origin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use carriers::config::{Secret, duration};
use engine::config::{
    CallbackConfig, CarrierConfig, EngineConfig, KindConfig, LimitsConfig, RouteConfig, SenderConfig,
    Settings,
};
use engine::outside::Network;
use engine::rates::Rates;
use ipnet::IpNet;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Keyring;

/// A configuration can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigError {
    /// Everything that is wrong, a line each: where, the key and the rule.
    pub problems: Vec<String>,
}

/// The whole configuration.
#[derive(Clone)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[engine]`
    pub engine: EngineConfig,
    /// `[callbacks]`
    pub callbacks: CallbackConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[shortener]`
    pub shortener: ShortenerConfig,
    /// `[pricing]`
    pub pricing: PricingConfig,
    /// `[console]`
    pub console: ConsoleConfig,
    /// `[[carrier]]`; without any, a sandbox carries all channels.
    pub carriers: Vec<CarrierConfig>,
    /// `[[route]]`: which carriers of a channel are tried for what, and in which order.
    pub routes: Vec<RouteConfig>,
    /// `[[sender]]`: who may send as whom.
    pub senders: Vec<SenderConfig>,
    /// Where its keys are written.
    pub origin: Origin,
    /// What is taken though it should be written otherwise.
    pub warnings: Vec<String>,
}

/// The HTTP side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port.
    #[serde(deserialize_with = "super::listen::listen")]
    pub listen: SocketAddr,
    /// What providers call this server by, such as `https://sms.example.com`; receipts come to
    /// `/carriers/NAME/receipts` there.
    pub public_url: Option<String>,
    /// Requests a second that an application may make where it has no limit of its own, and an address before
    /// it is known as whom it asks; 0 for no limit.
    pub requests_per_second: u32,
    /// Networks of the proxies whose `X-Forwarded-For` tells a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a shutdown waits for what is in flight.
    #[serde(deserialize_with = "duration")]
    pub shutdown: Duration,
    /// How long a client may take to send a request: its head, and then its body.
    #[serde(deserialize_with = "duration")]
    pub request_timeout: Duration,
    /// Speaks TLS alone.
    pub tls: Option<TlsConfig>,
}

/// The pages for people.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// The country of numbers that people type without one (ISO 3166-1 alpha-2).
    pub country: Option<String>,
}

impl Default for ConsoleConfig {
    fn default() -> ConsoleConfig {
        ConsoleConfig { enabled: true, country: None }
    }
}

/// The certificate of the listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file with the certificate and those that it was signed with.
    pub cert: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

/// The store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The data directory.
    pub path: PathBuf,
    /// Closed flows older than this are pruned; 0 keeps them for ever.
    pub retention_days: u32,
    /// For how long the wall clock must have been steady before anything is deleted because of its age;
    /// thirty times as long where it is a day or more from where it should be.
    #[serde(deserialize_with = "duration")]
    pub clock_agreement: Duration,
    /// Writes that may wait; beyond it, new flows get 503.
    pub queue_max: usize,
    /// Octets that new flows that wait may have; beyond it, they get 503.
    pub queue_bytes_max: usize,
    /// Flows kept in memory for the events to come.
    pub cached_flows_max: std::num::NonZeroUsize,
    /// Octets of memory that they may take, about.
    pub cached_bytes_max: usize,
    /// How often the search index is written to disk.
    #[serde(deserialize_with = "duration")]
    pub index_save: Duration,
    /// What flows are encrypted with on disk: 32 octets in base64.
    pub encryption_key: Option<Secret>,
    /// Keys that flows were encrypted with before.
    pub old_encryption_keys: Vec<Secret>,
}

impl StoreConfig {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn keys(&self) -> Result<Keyring, KeyError> {
        let keys =
            self.named_keys().map(|(key, secret)| read_key(secret).map_err(|rule| KeyError { key, rule }));
        Ok(Keyring::new(keys.collect::<Result<Vec<[u8; 32]>, KeyError>>()?))
    }

    /// The keys, by the keys of the configuration.
    pub(super) fn named_keys(&self) -> impl Iterator<Item = (String, &Secret)> {
        let key = self.encryption_key.iter().map(|key| ("store.encryption_key".to_owned(), key));
        let old = self.old_encryption_keys.iter().enumerate();
        key.chain(old.map(|(i, key)| (format!("store.old_encryption_keys[{i}]"), key)))
    }
}

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRule {
    /// The file or the variable that it is in can't be read.
    #[error("{0}")]
    Unreadable(String),
    /// It is no key.
    #[error("must be 32 octets in base64, as of `openssl rand -base64 32`")]
    NoKey,
}

/// An encryption key of the configuration can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {rule}")]
pub struct KeyError {
    /// The key of the configuration.
    pub key: String,
    /// Why.
    #[source]
    pub rule: KeyRule,
}

/// The octets of a key.
pub(super) fn read_key(key: &Secret) -> Result<[u8; 32], KeyRule> {
    let octets = STANDARD
        .decode(key.read().map_err(|error| KeyRule::Unreadable(error.to_string()))?)
        .ok()
        .and_then(|octets| octets.try_into().ok());
    octets.ok_or(KeyRule::NoKey)
}

/// What messages cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PricingConfig {
    /// A CSV file of rates; docs/routing.md explains its columns.
    pub rates: Option<PathBuf>,
    /// The currency of all prices, ISO 4217; shown, never converted.
    pub currency: Option<String>,
}

impl PricingConfig {
    /// Reads the rate table.
    ///
    /// # Errors
    /// [`ConfigError`]: the file, the line and the rule.
    pub fn read_rates(&self) -> Result<Rates, ConfigError> {
        let told = |problems: Vec<String>| ConfigError {
            problems: vec![format!("pricing.rates: {}", problems.join("\n"))],
        };
        self.rates_of_file().map_err(told)
    }

    /// The rate table, or what is wrong with it, a line each.
    pub(super) fn rates_of_file(&self) -> Result<Rates, Vec<String>> {
        let Some(path) = &self.rates else { return Ok(Rates::default()) };
        let at = |line: &str| format!("{}: {line}", path.display());
        let file = std::fs::File::open(path).map_err(|error| vec![at(&error.to_string())])?;
        Rates::read(file).map_err(|error| error.to_string().lines().map(at).collect())
    }
}

/// Short links.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShortenerConfig {
    /// What short links start with: a URL that leads to `/s` of this server. Without it, steps that ask for
    /// short links are refused.
    pub base_url: Option<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            requests_per_second: 1000,
            trusted_proxies: Vec::new(),
            shutdown: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            tls: None,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            path: "switchback-data".into(),
            retention_days: 365,
            clock_agreement: Duration::from_secs(120),
            queue_max: 8192,
            queue_bytes_max: 64 << 20,
            cached_flows_max: const { std::num::NonZeroUsize::new(16_384).unwrap() },
            cached_bytes_max: 128 << 20,
            index_save: Duration::from_secs(60),
            encryption_key: None,
            old_encryption_keys: Vec::new(),
        }
    }
}

impl Config {
    /// What providers call this server by, without a slash at its end.
    pub fn public_url(&self) -> Option<String> {
        self.server.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned())
    }

    /// Where a carrier's provider posts receipts, if this server has a public URL.
    pub fn receipts_url(&self, carrier: &str) -> Option<String> {
        self.public_url().map(|url| engine::outside::receipts_url(&url, carrier))
    }

    /// What the engine is told.
    ///
    /// # Errors
    /// [`ConfigError`], when the rate table can't be read.
    pub fn engine_settings(&self) -> Result<Settings, ConfigError> {
        Ok(Settings {
            engine: self.engine.clone(),
            callbacks: self.callbacks.clone(),
            limits: self.limits.clone(),
            carriers: self.carriers.clone(),
            routes: self.routes.clone(),
            senders: self.senders.clone(),
            rates: Arc::new(self.pricing.read_rates()?),
            retention_days: self.store.retention_days,
            clock_agreement: self.store.clock_agreement,
            public_url: self.public_url(),
        })
    }

    /// The outside of the engine.
    pub fn network(&self) -> Network {
        Network {
            allow_private: self.callbacks.allow_private,
            limits: self.limits.flow(),
            public_url: self.public_url(),
        }
    }

    /// What the API is told.
    pub fn api_settings(&self) -> api::Settings {
        api::Settings {
            requests_per_second: self.server.requests_per_second,
            trusted_proxies: self.server.trusted_proxies.clone(),
            request_timeout: self.server.request_timeout,
            errors_max: self.limits.errors_max,
            bodies_bytes_max: self.limits.bodies_bytes_max,
            public_url: self.public_url(),
            short_base: self.shortener.base_url.clone(),
        }
    }

    /// What the console is told.
    pub fn console_settings(&self) -> console::Settings {
        let plays = |carrier: &&CarrierConfig| matches!(carrier.kind, KindConfig::Sandbox(_));
        let is_secure = self.server.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        console::Settings {
            trusted_proxies: self.server.trusted_proxies.clone(),
            country: self.console.country.clone(),
            is_secure: is_secure || self.server.tls.is_some(),
            sandboxes: self
                .carriers
                .iter()
                .filter(plays)
                .map(|carrier| carrier.common.name.clone())
                .collect(),
        }
    }
}
