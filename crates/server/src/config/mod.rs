//! `switchback.toml`: read, overridden by the environment, checked. `switchback.example.toml` explains every key.

mod carrier;
pub mod certificate;
mod check;
mod limits;
mod listen;
mod origin;
mod paths;
mod routing;
mod surroundings;

pub use carrier::{CarrierConfig, CommonConfig, KindConfig, UnknownSubmit};
pub use limits::LimitsConfig;
pub use listen::parse_listen;
pub use origin::Origin;
pub use routing::{Choice, RouteConfig, SenderConfig};
pub use surroundings::Surroundings;

use crate::rates::Rates;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use carriers::config::document::{self, DocumentError};
use carriers::config::{Secret, duration};
use check::Problems;
use ipnet::IpNet;
use paths::Paths;
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
    #[serde(deserialize_with = "listen::listen")]
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
        let keys =
            self.named_keys().map(|(name, key)| read_key(key).map_err(|rule| format!("{name}: {rule}")));
        Ok(Keyring::new(keys.collect::<Result<Vec<[u8; 32]>, String>>()?))
    }

    /// The keys, by the keys of the configuration.
    fn named_keys(&self) -> impl Iterator<Item = (String, &Secret)> {
        let key = self.encryption_key.iter().map(|key| ("store.encryption_key".to_owned(), key));
        let old = self.old_encryption_keys.iter().enumerate();
        key.chain(old.map(|(i, key)| (format!("store.old_encryption_keys[{i}]"), key)))
    }
}

/// The octets of a key.
fn read_key(key: &Secret) -> Result<[u8; 32], String> {
    let octets = STANDARD
        .decode(key.read().map_err(|error| error.to_string())?)
        .ok()
        .and_then(|octets| octets.try_into().ok());
    octets.ok_or_else(|| "must be 32 octets in base64, as of `openssl rand -base64 32`".into())
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
    /// A CSV file of rates; docs/routing.md explains its columns.
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
        self.rates_of_file().map_err(|error| format!("pricing.rates: {error}"))
    }

    fn rates_of_file(&self) -> Result<Rates, String> {
        let Some(path) = &self.rates else { return Ok(Rates::default()) };
        let at = |error: String| {
            let lines: Vec<_> = error.lines().map(|line| format!("{}: {line}", path.display())).collect();
            lines.join("\n")
        };
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

#[derive(Default, Deserialize)]
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
    route: Vec<toml::Table>,
    #[serde(default)]
    sender: Vec<toml::Table>,
}

impl Config {
    /// Reads `path`, or nothing but defaults, and the environment's overrides.
    ///
    /// # Errors
    /// Everything that is wrong, a line each: the file and the line, or the variable, the key and the rule.
    pub fn load(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, String> {
        Config::read_file(path, environment)?.whole()
    }

    /// Reads a configuration's text and the environment's overrides; paths in it are relative to `directory`.
    ///
    /// # Errors
    /// Everything that is wrong, a line each: the line or the variable, the key and the rule.
    pub fn parse(
        text: &str,
        directory: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, String> {
        Config::read(None, text, directory, environment)?.whole()
    }

    /// Looks for everything that is wrong with a configuration, here where it is.
    ///
    /// # Errors
    /// Everything that keeps a server from starting or fails later for certain, a line each.
    pub fn examine(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, String> {
        let Read { mut config, mut problems } = Config::read_file(path, environment)?;
        let Surroundings { refused, failing, unwise } = config.survey();
        problems.extend(refused.into_iter().chain(failing));
        config.warnings.extend(unwise);
        Read { config, problems }.whole()
    }

    fn read_file(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Read, String> {
        let text = match path {
            None => String::new(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
            }
        };
        let directory = path.and_then(Path::parent).unwrap_or(Path::new(""));
        Config::read(path, &text, directory, environment)
    }

    /// Reads what can be read, beside what is wrong.
    fn read(
        file: Option<&Path>,
        text: &str,
        directory: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Read, String> {
        let mut origin = Origin::of_document(file, text);
        let mut table = document::parse(text).map_err(|error| origin.in_file(&error.to_string()))?;
        let mut problems = Problems::default();
        let mut unset = Vec::new();
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(ENV_PREFIX) else { continue };
            match set(&mut table, key, &value) {
                Ok(key) => origin.override_key(key, name),
                Err(error) => unset.push(format!("{name}: {error}")),
            }
        }
        let names_data = table.get("store").and_then(|store| store.get("path")).is_some();
        let sections: Sections = problems.read("", table, &[]).unwrap_or_default();
        let Sections { server, store, engine, callbacks, limits, shortener, pricing, carrier, route, sender } =
            sections;
        origin.name_carriers(&carrier);
        let carriers = if carrier.is_empty() {
            vec![carrier::default_sandbox()]
        } else {
            let tables = carrier.into_iter().enumerate();
            tables.filter_map(|(i, table)| carrier::read(i, table, directory, &mut problems)).collect()
        };
        let routes = problems.read_each("route", route);
        let senders = problems.read_each("sender", sender);
        let mut config = Config {
            server,
            store,
            engine,
            callbacks,
            limits,
            shortener,
            pricing,
            carriers,
            routes: routes.iter().map(|(_, route)| route).cloned().collect(),
            senders: senders.iter().map(|(_, sender)| sender).cloned().collect(),
            origin,
            warnings: Vec::new(),
        };
        config.warnings = Paths::new(directory, &config.origin.clone()).resolve(&mut config, names_data);
        config.check(&routes, &senders, &mut problems);
        let told = problems.told(&config.origin);
        Ok(Read { config, problems: unset.into_iter().chain(told).collect() })
    }

    /// Where a carrier's provider posts receipts, where this server has a public URL.
    pub fn receipts_url(&self, carrier: &str) -> Option<String> {
        let base = self.server.public_url.as_ref()?;
        Some(format!("{}/carriers/{carrier}/receipts", base.trim_end_matches('/')))
    }
}

/// What was read of a configuration, beside what is wrong with it.
struct Read {
    config: Config,
    problems: Vec<String>,
}

impl Read {
    /// The configuration, if nothing is wrong with it.
    fn whole(self) -> Result<Config, String> {
        if self.problems.is_empty() { Ok(self.config) } else { Err(self.problems.join("\n")) }
    }
}

/// Sets `SECTION__KEY` (of the environment) in the table; answers with the key's path. Values are TOML where they parse
/// as such, else text.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<String, String> {
    let (section, key) = key.split_once("__").ok_or("expected SWITCHBACK__SECTION__KEY")?;
    let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
    if ["carrier", "route", "sender"].contains(&&*section) {
        return Err(format!("[[{section}]] can't be set by the environment"));
    }
    let path = format!("{section}.{key}");
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let section =
        table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut();
    section.ok_or("what is in the file there is no table")?.insert(key, value);
    Ok(path)
}

/// The rule, with the known key that an unknown one resembles most.
fn suggest_among(error: &DocumentError, more: &[&str]) -> String {
    let text = error.rule().to_owned();
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
        assert!(error("[engine]\nminute = \"soon\"").contains("line 2: engine.minute: expected a duration"));
        assert!(error("[callbacks]\ntimeout = \"10m\"").contains("line 2: callbacks.timeout"));
        let keys = parse("[store]\nencryption_key = \"c2hvcnQ=\"").unwrap().store.keys();
        assert!(keys.err().unwrap().starts_with("store.encryption_key: must be 32"));
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
            let Surroundings { refused, failing, .. } =
                Config::parse(text, Path::new(""), environment)?.survey();
            // The files and the program of this configuration are nowhere.
            let named = ["server.tls.", "pricing.rates", "speech.command", ".direct_bind"];
            let others = refused.into_iter().chain(failing);
            let others: Vec<_> = others
                .filter(|text| text.contains("hunter2") || !named.iter().any(|key| text.contains(key)))
                .collect();
            if others.is_empty() { Ok(()) } else { Err(others.join("\n")) }
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
        assert!(error.unwrap_err().starts_with("line 40: carrier smsc: password: must be a text"));
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
                    let error = error.to_string();
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
    fn rule_21_an_override_that_is_wrong_is_named() {
        for (name, value, told) in [
            ("STORE__QUEUE_MAX", "hunter2", "store.queue_max: must be a whole number"),
            ("STORE__QUEUE_MAX", "0", "store.queue_max: must be 1 to 1000000"),
            ("SERVER__LISTN", "x", "server.listn: unknown key `listn`"),
            ("SERVER__LISTEN", "example.com:80", "server.listen: must be an address and a port"),
            ("SERVR__LISTEN", "x", "servr: unknown key `servr`"),
            ("SERVER__TLS", "{ cert = \"a\" }", "server.tls: the key `key` is missing"),
            ("LISTEN", "x", "expected SWITCHBACK__SECTION__KEY"),
            ("CARRIER__NAME", "x", "[[carrier]] can't be set"),
            ("ROUTE__CHANNEL", "Sms", "[[route]] can't be set"),
        ] {
            let name = format!("SWITCHBACK__{name}");
            let text = "[server]\nlisten = \"127.0.0.1:1\"\n[store]\nqueue_max = 5";
            let error = Config::parse(text, Path::new(""), [(name.clone(), value.to_owned())]).err().unwrap();
            assert!(error.starts_with(&format!("{name}: {told}")), "{error}");
            assert!(error.lines().count() == 1 && !error.contains("hunter2"), "{error}");
        }
    }

    /// A configuration with a mistake of every kind, each in its line.
    const MISTAKES: &str = r#"
[server]
listn = "127.0.0.1:1"
public_url = 5
[engine]
minute = "soon"
[limits]
steps_max = 0
tokens_max = 0
[pricing]
currency = "euro"
[[carrier]]
name = "smsc"
kind = "smpp"
channels = ["Sms", "Voice"]
window = 0
prices = { Sms = "-1", Voice = "1000000001" }
host = "a.example"
port = "x"
system_id = "id"
password = 5
[[carrier]]
kind = "carrier-pigeon"
[[carrier]]
name = "lost"
kind = "http"
channels = ["Sms"]
provider = "nobody"
[[route]]
channel = "Sms"
carriers = ["smsc", "lost", "nowhere"]
[[route]]
channel = "Fax"
[[sender]]
id = "a"
channel = "Sms"
carriers = { nowhere = "1" }
"#;

    #[test]
    fn rule_18_all_mistakes_are_told_at_once_with_line_and_carrier() {
        let error = parse(MISTAKES).err().unwrap();
        for told in [
            "line 3: server.listn: unknown key",
            "line 4: server.public_url: must be a string",
            "line 6: engine.minute: expected a duration",
            "line 8: limits.steps_max: must be 1 to",
            "line 9: limits.tokens_max: must be 1 to",
            "line 11: pricing.currency: must be three",
            "line 21: carrier smsc: password: must be a text",
            "line 16: carrier smsc: window: must be at least 1",
            "line 17: carrier smsc: prices.Sms: must be 0 to",
            "line 17: carrier smsc: prices.Voice: must be 0 to",
            "line 19: carrier smsc: port: must be a whole number from 0 to 65535, not this text",
            "line 22: carrier[1]: the key `name` is missing",
            "line 23: carrier[1]: kind: must be",
            "line 28: carrier lost: provider: must be the path",
            "line 31: route[0]: carriers[2]: there is no carrier \"nowhere\"",
            "line 33: route[1]: channel: must be one of Sms, Viber, Voice",
            "line 37: sender[0]: carriers.nowhere: there is no carrier \"nowhere\"",
        ] {
            assert!(error.contains(told), "{told} in:\n{error}");
        }
        assert_eq!(error.lines().count(), 17, "{error}");
    }

    #[test]
    fn rule_19_every_relative_path_is_relative_to_the_file() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
            ("token", "0123456789abcdef"),
            ("password", "secret"),
            ("rates.csv", "channel,price\nSms,0.1\n"),
            ("acme.toml", include_str!("../../../carriers/presets/infobip-sms.toml")),
        ] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let text = r#"
[server]
public_url = "https://a.example"
tls = { cert = "cert", key = "tls-key" }
[store]
path = "data"
encryption_key = { file = "key" }
old_encryption_keys = [{ file = "key" }]
[pricing]
rates = "rates.csv"
[[carrier]]
name = "smsc"
kind = "smpp"
channels = ["Sms"]
host = "a.example"
system_id = "id"
password = "password"
tls = true
tls_ca = "ca"
[[carrier]]
name = "acme"
kind = "http"
channels = ["Sms"]
provider = "acme.toml"
settings = { base_url = "https://x.example", api_key = "key", receipt_token = { file = "token" } }
[[carrier]]
name = "trunk"
kind = "sip"
channels = ["Voice"]
trunk = [{ host = "a.example", username = "u", password = { file = "password" }, transport = "tls", tls_ca = "trunk-ca" }]
speech = { command = ["bin/say"] }
"#;
        let config = Config::parse(text, directory.path(), []).unwrap();
        assert_eq!(config.warnings, Vec::<String>::new());
        assert_eq!(config.store.path, directory.path().join("data"));
        let found = config.survey();
        let missing = |key: &str, name: &str| {
            let path = directory.path().join(name);
            let told = found.refused.iter().chain(&found.failing).filter(|text| text.contains(key));
            assert!(told.clone().count() == 1, "{key} in {found:?}");
            assert!(told.clone().all(|text| text.contains(path.to_str().unwrap())), "{key} in {found:?}");
        };
        // What is not there is looked for beside the file, and what is there is found.
        missing("server.tls.cert", "cert");
        missing("server.tls.key", "tls-key");
        missing("carrier smsc: tls_ca", "ca");
        missing("carrier trunk: trunk[0].tls_ca", "trunk-ca");
        missing("carrier trunk: speech.command", "bin/say");
        assert_eq!((found.refused.len(), found.failing.len()), (4, 1), "{found:?}");
    }

    #[test]
    fn rule_19_what_was_relative_to_the_current_directory_is_taken_with_a_warning() {
        // Tests run in their crate's directory.
        let directory = tempfile::tempdir().unwrap();
        let text = "[store]\npath = \"src\"\nencryption_key = { file = \"Cargo.toml\" }\n";
        let config = Config::parse(text, directory.path(), []).unwrap();
        assert_eq!(config.store.path, Path::new("src"));
        assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
        assert!(
            config.warnings[0].starts_with("line 2: store.path: src is taken from the current directory")
        );
        assert!(config.warnings[1].starts_with("line 3: store.encryption_key: Cargo.toml is taken from"));
        // What is beside the file goes first.
        std::fs::create_dir(directory.path().join("src")).unwrap();
        let config = Config::parse(text, directory.path(), []).unwrap();
        assert_eq!((config.store.path, config.warnings.len()), (directory.path().join("src"), 1));
        // Where nothing is said, the data are in the current directory, with and without a file.
        let config = Config::parse("", directory.path(), []).unwrap();
        assert_eq!(config.store.path, Path::new("switchback-data"));
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
