//! `switchback.toml`: read, overridden by the environment, checked. `switchback.example.toml` explains every key.

mod carrier;
mod limits;
mod routing;

pub use carrier::{CarrierConfig, CommonConfig, KindConfig, UnknownSubmit};
pub use limits::LimitsConfig;
pub use routing::{Choice, RouteConfig, SenderConfig};

use crate::rates::Rates;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use carriers::Http;
use carriers::config::document::{self, DocumentError};
use carriers::config::{Secret, duration};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::Keyring;

/// Environment variables that override a key start so: `SWITCHBACK__SERVER__LISTEN`.
pub const ENV_PREFIX: &str = "SWITCHBACK__";

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
    /// `[[carrier]]`; without any, a sandbox carries all channels.
    pub carriers: Vec<CarrierConfig>,
    /// `[[route]]`: which carriers of a channel are tried for what, and in which order.
    pub routes: Vec<RouteConfig>,
    /// `[[sender]]`: who may send as whom.
    pub senders: Vec<SenderConfig>,
}

/// The HTTP side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// What providers call this server by, such as `https://sms.example.com`; receipts come to `/carriers/NAME/receipts`
    /// there.
    pub public_url: Option<String>,
    /// Requests a second that an application may make where it has no limit of its own, and an address before it is
    /// known as whom it asks; 0 for no limit.
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

/// The certificate of the listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file with the certificate and those that it was signed with.
    pub cert: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

impl std::fmt::Display for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "server.tls: {} and {}", self.cert.display(), self.key.display())
    }
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
    /// The key of the configuration, and the rule.
    pub fn keys(&self) -> Result<Keyring, String> {
        if self.encryption_key.is_none() && !self.old_encryption_keys.is_empty() {
            return Err("store.old_encryption_keys: need store.encryption_key beside them".into());
        }
        let named = self.encryption_key.iter().map(|key| ("store.encryption_key", key));
        let old = self.old_encryption_keys.iter().map(|key| ("store.old_encryption_keys", key));
        let keys = named.chain(old).map(|(name, key)| {
            let text = key.read().map_err(|error| format!("{name}: {error}"))?;
            let octets = STANDARD.decode(text).ok().and_then(|octets| octets.try_into().ok());
            octets.ok_or_else(|| {
                format!("{name}: must be 32 octets in base64, as of `openssl rand -base64 32`")
            })
        });
        Ok(Keyring::new(keys.collect::<Result<Vec<[u8; 32]>, String>>()?))
    }
}

/// The engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// How long a ttl minute lasts.
    #[serde(deserialize_with = "duration")]
    pub minute: Duration,
    /// Whether steps with the same `order` are taken in the order of the array instead of refused.
    pub lenient_order: bool,
    /// The longest pause between two attempts to submit.
    #[serde(deserialize_with = "duration")]
    pub retry_max: Duration,
}

/// Callbacks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackConfig {
    /// Whether private, loopback and link-local targets are called.
    pub allow_private: bool,
    /// How long a target may take to answer.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// The pause after the first failure; it doubles from attempt to attempt.
    #[serde(deserialize_with = "duration")]
    pub retry_base: Duration,
    /// The longest pause between two attempts.
    #[serde(deserialize_with = "duration")]
    pub retry_max: Duration,
    /// How long a callback is tried before it is kept as dead.
    #[serde(deserialize_with = "duration")]
    pub give_up: Duration,
    /// Callbacks that are made at once.
    pub concurrency: usize,
    /// Callbacks that are made at once to one host.
    pub concurrency_per_host: usize,
}

/// What messages cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PricingConfig {
    /// A CSV file of rates; docs/pricing.md explains its columns.
    pub rates: Option<PathBuf>,
    /// The currency of all prices, ISO 4217; shown, never converted.
    pub currency: Option<String>,
}

impl PricingConfig {
    /// Reads the rate table.
    ///
    /// # Errors
    /// The file, the line and the rule.
    pub fn read_rates(&self) -> Result<Rates, String> {
        let Some(path) = &self.rates else { return Ok(Rates::default()) };
        let at = |error: String| format!("pricing.rates: {}: {error}", path.display());
        let file = std::fs::File::open(path).map_err(|error| at(error.to_string()))?;
        Rates::read(file).map_err(at)
    }
}

/// Short links.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShortenerConfig {
    /// What short links start with: a URL that leads to `/s` of this server. Without it, steps that ask for short
    /// links are refused.
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

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            minute: Duration::from_secs(60),
            lenient_order: true,
            retry_max: Duration::from_secs(60),
        }
    }
}

impl Default for CallbackConfig {
    fn default() -> Self {
        CallbackConfig {
            allow_private: false,
            timeout: Duration::from_secs(10),
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(3600),
            give_up: Duration::from_secs(24 * 3600),
            concurrency: 256,
            concurrency_per_host: 32,
        }
    }
}

/// The longest that anything may be waited for: well below the engine's lease, after which a task is taken up again.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// The longest that the clock has to be steady before anything is deleted.
const AGREEMENT_MAX: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    #[serde(default)]
    server: ServerConfig,
    #[serde(default)]
    store: StoreConfig,
    #[serde(default)]
    engine: EngineConfig,
    #[serde(default)]
    callbacks: CallbackConfig,
    #[serde(default)]
    limits: LimitsConfig,
    #[serde(default)]
    shortener: ShortenerConfig,
    #[serde(default)]
    pricing: PricingConfig,
    #[serde(default)]
    carrier: Vec<toml::Table>,
    #[serde(default)]
    route: Vec<RouteConfig>,
    #[serde(default)]
    sender: Vec<SenderConfig>,
}

impl Config {
    /// Reads `path`, or nothing but defaults, and the environment's overrides.
    ///
    /// # Errors
    /// A message that names the file, the key and the rule.
    pub fn load(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, String> {
        let text = match path {
            None => String::new(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
            }
        };
        let directory = path.and_then(Path::parent).unwrap_or(Path::new(""));
        Config::parse(&text, directory, environment).map_err(|error| match path {
            Some(path) => format!("{}: {error}", path.display()),
            None => error,
        })
    }

    /// Reads a configuration's text and the environment's overrides; paths of providers' files are relative to
    /// `directory`.
    ///
    /// # Errors
    /// A message that names the key and the rule.
    pub fn parse(
        text: &str,
        directory: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, String> {
        let mut table = document::parse(text).map_err(|error| error.to_string())?;
        let mut overridden = Vec::new();
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(ENV_PREFIX) {
                let key = set(&mut table, key, &value).map_err(|error| format!("{name}: {error}"))?;
                overridden.push((key, name));
            }
        }
        let sections: Sections = document::read(table).map_err(|error| {
            let by = overridden.iter().find(|(key, _)| key == error.key());
            by.map_or_else(|| suggest(&error), |(_, name)| format!("{name}: {}", suggest(&error)))
        })?;
        let carriers = if sections.carrier.is_empty() {
            vec![carrier::default_sandbox()]
        } else {
            let tables = sections.carrier.into_iter().enumerate();
            tables.map(|(i, table)| carrier::read(i, table, directory)).collect::<Result<_, _>>()?
        };
        let Sections { mut server, store, engine, callbacks, limits, shortener, mut pricing, .. } = sections;
        if let Some(TlsConfig { cert, key }) = &mut server.tls {
            (*cert, *key) = (directory.join(&cert), directory.join(&key));
        }
        pricing.rates = pricing.rates.map(|path| directory.join(path));
        let (routes, senders) = (sections.route, sections.sender);
        let config = Config {
            server,
            store,
            engine,
            callbacks,
            limits,
            shortener,
            pricing,
            carriers,
            routes,
            senders,
        };
        config.check()?;
        Ok(config)
    }

    /// Sets up what carriers over HTTP are told, without calling anybody: finds what is wrong with a provider's file
    /// or its settings. Answers with what is unwise.
    ///
    /// # Errors
    /// The carrier, the key and the rule.
    pub fn check_carriers(&self) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        for carrier in &self.carriers {
            if let KindConfig::Http(http) = &carrier.kind {
                let name = &carrier.common.name;
                let url = self.receipts_url(name);
                let made = Http::new(&http.1, &http.0, url.as_deref());
                let made = made.map_err(|error| format!("carrier {name}: {error}"))?;
                warnings.extend(made.warning().map(|warning| format!("carrier {name}: {warning}")));
            }
        }
        Ok(warnings)
    }

    /// Where a carrier's provider posts receipts, where this server has a public URL.
    pub fn receipts_url(&self, carrier: &str) -> Option<String> {
        let base = self.server.public_url.as_ref()?;
        Some(format!("{}/carriers/{carrier}/receipts", base.trim_end_matches('/')))
    }

    fn check(&self) -> Result<(), String> {
        if self.server.request_timeout.is_zero() {
            return Err("server.request_timeout: must be more than 0".into());
        }
        if self.engine.minute.as_millis() < 10 {
            return Err("engine.minute: must be at least 10ms".into());
        }
        if !(1..=1_000_000).contains(&self.store.queue_max) {
            return Err("store.queue_max: must be 1 to 1000000".into());
        }
        for (key, octets) in [
            ("queue_bytes_max", self.store.queue_bytes_max),
            ("cached_bytes_max", self.store.cached_bytes_max),
        ] {
            if !(1 << 20..=1 << 40).contains(&octets) {
                return Err(format!("store.{key}: must be 1048576 to 1099511627776 octets, not {octets}"));
            }
        }
        if self.callbacks.concurrency == 0 || self.callbacks.concurrency_per_host == 0 {
            return Err("callbacks.concurrency and callbacks.concurrency_per_host: must be at least 1".into());
        }
        if self.store.clock_agreement > AGREEMENT_MAX {
            return Err("store.clock_agreement: must be at most 24h".into());
        }
        if self.callbacks.timeout > ANSWER_MAX {
            return Err("callbacks.timeout: must be at most 2m".into());
        }
        self.limits.check()?;
        let urls = [
            ("shortener.base_url", &self.shortener.base_url),
            ("server.public_url", &self.server.public_url),
        ];
        for (key, url) in urls.into_iter().filter_map(|(key, url)| Some((key, url.as_ref()?))) {
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                return Err(format!("{key}: must be an http or https URL"));
            }
        }
        for (i, carrier) in self.carriers.iter().enumerate() {
            carrier.check(i)?;
            let name = &carrier.common.name;
            if self.carriers[..i].iter().any(|other| other.common.name == *name) {
                return Err(format!("carrier[{i}] ({name}): another carrier has the same name"));
            }
            if matches!(carrier.kind, KindConfig::Http(_)) && self.server.public_url.is_none() {
                return Err(format!("carrier[{i}] ({name}): its receipts need server.public_url"));
            }
        }
        if let Some(currency) = &self.pricing.currency
            && !(currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase()))
        {
            return Err("pricing.currency: must be three capital letters (ISO 4217)".into());
        }
        self.pricing.read_rates()?;
        self.store.keys()?;
        for (i, route) in self.routes.iter().enumerate() {
            route.check(&self.carriers).map_err(|error| format!("route[{i}]: {error}"))?;
        }
        for (i, sender) in self.senders.iter().enumerate() {
            sender.check(&self.carriers).map_err(|error| format!("sender[{i}]: {error}"))?;
        }
        Ok(())
    }
}

/// Sets `SECTION__KEY` (of the environment) in the table; answers with the key's path. Values are TOML where they parse
/// as such, else text.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<String, String> {
    let (section, key) = key.split_once("__").ok_or("expected SWITCHBACK__SECTION__KEY")?;
    let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
    let path = format!("{section}.{key}");
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let section =
        table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut();
    section.ok_or("carriers can't be set by the environment")?.insert(key, value);
    Ok(path)
}

fn suggest(error: &DocumentError) -> String {
    suggest_among(error, &[])
}

/// The error, with the known key that an unknown one resembles most.
fn suggest_among(error: &DocumentError, more: &[&str]) -> String {
    let text = error.to_string();
    let Some(unknown) = error.unknown_key() else { return text };
    let known = unknown.known.iter().chain(more).copied();
    let best = known.map(|known| (strsim::jaro_winkler(&unknown.written, known), known));
    match best.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((score, known)) if score > 0.7 => format!("{text}; did you mean `{known}`?"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carriers::Provider;
    use flow::Channel;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new(""), [])
    }

    #[test]
    fn nothing_at_all_is_a_sandbox() {
        let config = parse("").unwrap();
        assert_eq!(config.carriers.len(), 1);
        assert_eq!(config.carriers[0].common.channels, Channel::ALL);
    }

    #[test]
    fn unknown_keys_get_a_suggestion() {
        let error = |text: &str| parse(text).err().unwrap();
        assert!(error("[server]\nlisen = \"1.2.3.4:5\"").contains("did you mean `listen`?"));
        let sandbox = "[[carrier]]\nname = \"s\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\n";
        assert!(error(&format!("{sandbox}delai = \"1s\"")).contains("did you mean `delay`?"));
        assert!(error(&format!("{sandbox}windw = 3")).contains("did you mean `window`?"));
        assert!(error(&format!("{sandbox}{sandbox}")).contains("same name"));
        assert!(error("[engine]\nminute = \"soon\"").contains("engine.minute: expected a duration"));
        assert!(error("[callbacks]\ntimeout = \"10m\"").contains("callbacks.timeout"));
        assert!(
            error("[store]\nencryption_key = \"c2hvcnQ=\"").starts_with("store.encryption_key: must be 32")
        );
        assert!(error("[store]\nold_encryption_keys = [\"c2hvcnQ=\"]").contains("need store.encryption_key"));
    }

    /// A configuration with every kind of table.
    const EVERYTHING: &str = r#"
[server]
listen = "127.0.0.1:1"
public_url = "https://a.example"
requests_per_second = 5
shutdown = "1s"
tls = { cert = "a", key = "b" }
[store]
path = "data"
retention_days = 3
cached_flows_max = 7
encryption_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
old_encryption_keys = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
[engine]
minute = "1s"
lenient_order = false
[callbacks]
allow_private = true
timeout = "5s"
concurrency = 5
[limits]
steps_max = 5
search_timeout = "5s"
[shortener]
base_url = "https://s.example"
[pricing]
currency = "EUR"
[[carrier]]
name = "smsc"
kind = "smpp"
channels = ["Sms"]
rate = 5
window = 5
unknown_submit = "wait"
success_min = 0.5
prices = { Sms = "0.05" }
host = "a.example"
port = 2775
system_id = "id"
password = "password"
bind = "separate"
tls = true
response_timeout = "3s"
concatenation = "sar"
submit_id = "hex"
alphanumeric_sender = [5, 0]
stat = { X = { status = "Delivered", detail = "Delivered" } }
[[carrier]]
name = "trunk"
kind = "sip"
channels = ["Voice"]
bind = "0.0.0.0:0"
public_address = "192.0.2.1"
media_ports = [1000, 2000]
calls_max = 5
trunk = [{ host = "a.example", port = 5060, transport = "tls", username = "u", password = "p", register = true }]
speech = { command = ["say"], timeout = "3s" }
machine = { pause = "1s", loudness = 3.5, status = "Busy" }
[[carrier]]
name = "provider"
kind = "http"
channels = ["Sms"]
provider = "infobip-sms"
base_url = "https://a.example"
timeout = "3s"
settings = { base_url = "https://x.api.infobip.com", api_key = "key", receipt_token = "0123456789abcdef" }
[[route]]
channel = "Sms"
prefixes = ["+30"]
countries = ["GR"]
carriers = ["smsc", { carrier = "provider", priority = 1, weight = 2 }]
[[sender]]
id = "Acme"
channel = "Sms"
name = "Acme"
carriers = { smsc = "ACME" }
"#;

    /// Whatever is in the place of a value, the error says where it is and never what it is.
    #[test]
    fn no_error_of_the_configuration_repeats_a_value() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let check = |text: &str, environment: Vec<(String, String)>| {
            Config::parse(text, Path::new(""), environment)?.check_carriers().map(drop)
        };
        assert_eq!(check(EVERYTHING, Vec::new()), Ok(()));
        // Text that is wrong by its characters or by its length, other types, and what is no TOML.
        let wrong = [
            "\"hunter2 \\u001b \"",
            "\"hunter2",
            "hunter2",
            "{ env = \"hunter2!\" }",
            "{ env = [\"hunter2\"] }",
            "{ hunter = \"hunter2\" }",
            "[[\"hunter2\"], \"hunter2\", 7732777]",
            "7732777",
            "-7732777",
            "7732777.5",
            "7732-07-07",
        ];
        let mut refused = 0;
        let mut section = "";
        for (at, line) in EVERYTHING.lines().enumerate() {
            section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(section);
            let Some((key, _)) = line.split_once(" = ") else { continue };
            for value in wrong {
                let mut lines: Vec<String> = EVERYTHING.lines().map(str::to_owned).collect();
                lines[at] = format!("{key} = {value}");
                let mut errors = vec![check(&lines.join("\n"), Vec::new())];
                if !section.starts_with('[') {
                    let name = format!("{ENV_PREFIX}{section}__{key}").to_uppercase();
                    errors.push(check(EVERYTHING, vec![(name, value.to_owned())]));
                }
                for error in errors.into_iter().filter_map(Result::err) {
                    assert!(
                        !error.contains("hunter2") && !error.contains("7732"),
                        "{key} = {value}: {error}"
                    );
                    refused += 1;
                }
            }
        }
        assert!(refused > 400, "{refused}");
        let error = check("[store]\nencryption_key = \"hunter2", Vec::new()).unwrap_err();
        assert!(error.starts_with("line 2, column "), "{error}");
        let error = check(&EVERYTHING.replace("password = \"password\"", "password = 5"), Vec::new());
        assert!(error.unwrap_err().starts_with("carrier[0]: password: must be a string"));
    }

    #[test]
    fn no_error_of_a_providers_file_repeats_a_value() {
        let preset = include_str!("../../../carriers/presets/vonage-sms.toml");
        assert!(Provider::parse(preset).is_ok());
        let mut refused = 0;
        for (at, line) in preset.lines().enumerate() {
            let Some((key, _)) = line.split_once(" = ") else { continue };
            for value in ["\"hunter2", "[[\"hunter2\"]]", "7732777", "{ hunter = \"hunter2\" }"] {
                let mut lines: Vec<String> = preset.lines().map(str::to_owned).collect();
                lines[at] = format!("{key} = {value}");
                if let Err(error) = Provider::parse(&lines.join("\n")) {
                    assert!(
                        !error.contains("hunter2") && !error.contains("7732"),
                        "{key} = {value}: {error}"
                    );
                    refused += 1;
                }
            }
        }
        assert!(refused > 40, "{refused}");
    }

    #[test]
    fn an_override_that_is_wrong_is_named() {
        let environment = [("SWITCHBACK__STORE__QUEUE_MAX".to_owned(), "hunter2".to_owned())];
        let error = Config::parse("", Path::new(""), environment).err().unwrap();
        assert!(error.starts_with("SWITCHBACK__STORE__QUEUE_MAX: store.queue_max: must be"), "{error}");
    }

    #[test]
    fn networks_of_trusted_proxies_are_read_and_mistakes_named() {
        let config = parse("[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1/128\"]").unwrap();
        assert!(config.server.trusted_proxies[0].contains(&std::net::IpAddr::from([10, 1, 2, 3])));
        let error = parse("[server]\ntrusted_proxies = [\"10.0.0.0\"]").err().unwrap();
        assert!(error.contains("trusted_proxies"), "{error}");
        assert_eq!(parse("").unwrap().server.requests_per_second, 1000);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = [
            variable("SWITCHBACK__SERVER__LISTEN", "127.0.0.1:9"),
            variable("SWITCHBACK__ENGINE__MINUTE", "1s"),
            variable("SWITCHBACK__ENGINE__LENIENT_ORDER", "false"),
            variable("SWITCHBACK_URL", "not ours"),
        ];
        let text = "[server]\nlisten = \"127.0.0.1:1\"";
        let config = Config::parse(text, Path::new(""), environment).unwrap();
        assert_eq!(config.server.listen.port(), 9);
        assert_eq!(config.engine.minute, Duration::from_secs(1));
        assert!(!config.engine.lenient_order);
    }
}
