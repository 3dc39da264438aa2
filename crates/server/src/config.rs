//! `switchback.toml`: read, overridden by the environment, checked. `switchback.example.toml` explains every key.

use carriers::config::duration;
use carriers::{SandboxConfig, SmppConfig};
use flow::{Channel, Price};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// `[shortener]`
    pub shortener: ShortenerConfig,
    /// `[[carrier]]`; without any, a sandbox carries all channels.
    pub carriers: Vec<CarrierConfig>,
}

/// The HTTP side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Requests a second that an application may make; 0 for no limit.
    pub requests_per_second: u32,
    /// How long a shutdown waits for what is in flight.
    #[serde(deserialize_with = "duration")]
    pub shutdown: Duration,
}

/// The store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The data directory.
    pub path: PathBuf,
    /// Closed flows older than this are pruned; 0 keeps them for ever.
    pub retention_days: u32,
    /// Writes that may wait; beyond it, new flows get 503.
    pub queue_max: usize,
    /// Flows kept in memory for the events to come.
    pub cached_flows_max: std::num::NonZeroUsize,
    /// How often the search index is written to disk.
    #[serde(deserialize_with = "duration")]
    pub index_save: Duration,
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

/// Short links.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShortenerConfig {
    /// What short links start with: a URL that leads to `/s` of this server. Without it, steps that ask for short
    /// links are refused.
    pub base_url: Option<String>,
}

/// A `[[carrier]]` table.
#[derive(Clone)]
pub struct CarrierConfig {
    /// What every carrier has.
    pub common: CommonConfig,
    /// What its kind has.
    pub kind: KindConfig,
}

/// What every carrier can be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommonConfig {
    /// Its name: in trackings' logs, metrics and the store. Receipts are matched by it, so it stays.
    pub name: String,
    /// Which channels it carries.
    pub channels: Vec<Channel>,
    /// Messages a second; absent for no limit.
    #[serde(default)]
    pub rate: Option<NonZeroU32>,
    /// Messages that may wait for the carrier's answer at once.
    #[serde(default = "default_window")]
    pub window: usize,
    /// What to do with a message that the carrier may have or not.
    #[serde(default)]
    pub unknown_submit: UnknownSubmit,
    /// What a message costs, by channel: an Sms part, a delivered Viber message, an answered call.
    #[serde(default)]
    pub prices: BTreeMap<Channel, Price>,
}

/// What to do with a message that the carrier may have or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownSubmit {
    /// Send it again: it may arrive twice, and is not lost.
    #[default]
    Resend,
    /// Wait for a receipt until the time to live is over: it may be lost to this step, and never arrives twice.
    Wait,
}

/// What a kind of carrier can be told.
#[derive(Clone)]
pub enum KindConfig {
    /// `kind = "sandbox"`
    Sandbox(SandboxConfig),
    /// `kind = "smpp"`
    Smpp(Box<SmppConfig>),
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            requests_per_second: 0,
            shutdown: Duration::from_secs(10),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            path: "switchback-data".into(),
            retention_days: 365,
            queue_max: 8192,
            cached_flows_max: const { std::num::NonZeroUsize::new(16_384).unwrap() },
            index_save: Duration::from_secs(60),
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            minute: Duration::from_secs(60),
            lenient_order: false,
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

const fn default_window() -> usize {
    100
}

/// The longest that anything may be waited for: well below the engine's lease, after which a task is taken up again.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// The keys of [`CommonConfig`]; the rest of a `[[carrier]]` table belongs to its kind.
const COMMON_KEYS: [&str; 6] = ["name", "channels", "rate", "window", "unknown_submit", "prices"];

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
    shortener: ShortenerConfig,
    #[serde(default)]
    carrier: Vec<toml::Table>,
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
        Config::parse(&text, environment).map_err(|error| match path {
            Some(path) => format!("{}: {error}", path.display()),
            None => error,
        })
    }

    /// Reads a configuration's text and the environment's overrides.
    ///
    /// # Errors
    /// A message that names the key and the rule.
    pub fn parse(
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, String> {
        let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(ENV_PREFIX) {
                set(&mut table, key, &value).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        let sections: Sections = table.try_into().map_err(|error| suggest(&error))?;
        let carriers = if sections.carrier.is_empty() {
            vec![default_sandbox()]
        } else {
            sections.carrier.into_iter().enumerate().map(carrier).collect::<Result<_, _>>()?
        };
        let Sections { server, store, engine, callbacks, shortener, .. } = sections;
        let config = Config { server, store, engine, callbacks, shortener, carriers };
        config.check()?;
        Ok(config)
    }

    /// The carrier of a channel.
    pub fn carrier(&self, channel: Channel) -> Option<&CarrierConfig> {
        self.carriers.iter().find(|carrier| carrier.common.channels.contains(&channel))
    }

    fn check(&self) -> Result<(), String> {
        if self.engine.minute.as_millis() < 10 {
            return Err("engine.minute: must be at least 10ms".into());
        }
        if self.store.queue_max == 0 {
            return Err("store.queue_max: must be at least 1".into());
        }
        if self.callbacks.concurrency == 0 || self.callbacks.concurrency_per_host == 0 {
            return Err("callbacks.concurrency and callbacks.concurrency_per_host: must be at least 1".into());
        }
        if self.callbacks.timeout > ANSWER_MAX {
            return Err("callbacks.timeout: must be at most 2m".into());
        }
        if let Some(url) = &self.shortener.base_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err("shortener.base_url: must be an http or https URL".into());
        }
        for (i, carrier) in self.carriers.iter().enumerate() {
            let CommonConfig { name, channels, window, .. } = &carrier.common;
            let at = format!("carrier[{i}] ({name})");
            if name.is_empty() {
                return Err(format!("carrier[{i}].name: must not be empty"));
            }
            if channels.is_empty() {
                return Err(format!("{at}: channels must name at least one of Sms, Viber, Voice"));
            }
            if *window == 0 {
                return Err(format!("{at}: window must be at least 1"));
            }
            if matches!(carrier.kind, KindConfig::Smpp(_)) && channels.iter().any(|&c| c != Channel::Sms) {
                return Err(format!("{at}: an smpp carrier carries Sms only"));
            }
            if let KindConfig::Smpp(smpp) = &carrier.kind
                && smpp.response_timeout > ANSWER_MAX
            {
                return Err(format!("{at}: response_timeout must be at most 2m"));
            }
            for other in &self.carriers[..i] {
                if other.common.name == *name {
                    return Err(format!("{at}: another carrier has the same name"));
                }
                if let Some(channel) = channels.iter().find(|&c| other.common.channels.contains(c)) {
                    let first = &other.common.name;
                    return Err(format!("{at}: channel {channel} is already carried by {first}"));
                }
            }
        }
        Ok(())
    }
}

/// The carrier of a server that was told nothing. The prices let a demo show totals.
fn default_sandbox() -> CarrierConfig {
    let prices = [
        (Channel::Sms, Price::new(45, 3)),
        (Channel::Viber, Price::new(20, 3)),
        (Channel::Voice, Price::new(60, 3)),
    ];
    CarrierConfig {
        common: CommonConfig {
            name: "sandbox".into(),
            channels: Channel::ALL.to_vec(),
            rate: None,
            window: 1000,
            unknown_submit: UnknownSubmit::default(),
            prices: prices.into(),
        },
        kind: KindConfig::Sandbox(SandboxConfig { delay: Duration::from_millis(50) }),
    }
}

fn carrier((i, mut table): (usize, toml::Table)) -> Result<CarrierConfig, String> {
    let at = |error: String| format!("carrier[{i}]: {error}");
    let kind = match table.remove("kind") {
        Some(toml::Value::String(kind)) => kind,
        _ => return Err(at("kind: must be \"sandbox\" or \"smpp\"".into())),
    };
    let common: toml::Table =
        COMMON_KEYS.iter().filter_map(|&key| Some((key.to_owned(), table.remove(key)?))).collect();
    // An unknown key is reported with the keys of both tables to choose from.
    let with_common = |error: toml::de::Error| at(suggest_among(&error, &COMMON_KEYS));
    let kind = match kind.as_str() {
        "sandbox" => KindConfig::Sandbox(table.try_into().map_err(with_common)?),
        "smpp" => KindConfig::Smpp(Box::new(table.try_into().map_err(with_common)?)),
        other => return Err(at(format!("kind: must be \"sandbox\" or \"smpp\", not \"{other}\""))),
    };
    Ok(CarrierConfig { common: common.try_into().map_err(|error| at(suggest(&error)))?, kind })
}

/// Sets `SECTION__KEY` (of the environment) in the table. Values are TOML where they parse as such, else text.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<(), String> {
    let (section, key) = key.split_once("__").ok_or("expected SWITCHBACK__SECTION__KEY")?;
    let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let section =
        table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut();
    section.ok_or("carriers can't be set by the environment")?.insert(key, value);
    Ok(())
}

fn suggest(error: &toml::de::Error) -> String {
    suggest_among(error, &[])
}

/// The error, with the known key that an unknown one resembles most.
fn suggest_among(error: &toml::de::Error, more: &[&str]) -> String {
    let text = error.to_string();
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    if !error.message().starts_with("unknown field") {
        return text;
    }
    let Some(unknown) = quoted.next() else { return text };
    let best = quoted.chain(more.iter().copied()).map(|known| (strsim::jaro_winkler(unknown, known), known));
    match best.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((score, known)) if score > 0.7 => format!("{}\ndid you mean `{known}`?", text.trim_end()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, [])
    }

    #[test]
    fn nothing_at_all_is_a_sandbox() {
        let config = parse("").unwrap();
        assert_eq!(config.carriers.len(), 1);
        assert!(Channel::ALL.iter().all(|&channel| config.carrier(channel).is_some()));
    }

    #[test]
    fn unknown_keys_get_a_suggestion() {
        let error = |text: &str| parse(text).err().unwrap();
        assert!(error("[server]\nlisen = \"1.2.3.4:5\"").contains("did you mean `listen`?"));
        let sandbox = "[[carrier]]\nname = \"s\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\n";
        assert!(error(&format!("{sandbox}delai = \"1s\"")).contains("did you mean `delay`?"));
        assert!(error(&format!("{sandbox}windw = 3")).contains("did you mean `window`?"));
        assert!(error(&format!("{sandbox}{sandbox}")).contains("same name"));
        assert!(error("[engine]\nminute = \"soon\"").contains("expected a duration"));
        assert!(error("[callbacks]\ntimeout = \"10m\"").contains("callbacks.timeout"));
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = [
            variable("SWITCHBACK__SERVER__LISTEN", "127.0.0.1:9"),
            variable("SWITCHBACK__ENGINE__MINUTE", "1s"),
            variable("SWITCHBACK__ENGINE__LENIENT_ORDER", "true"),
            variable("SWITCHBACK_URL", "not ours"),
        ];
        let config = Config::parse("[server]\nlisten = \"127.0.0.1:1\"", environment).unwrap();
        assert_eq!(config.server.listen.port(), 9);
        assert_eq!(config.engine.minute, Duration::from_secs(1));
        assert!(config.engine.lenient_order);
    }
}
