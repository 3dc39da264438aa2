//! Reads `switchback.toml`, overridden by the environment, and checks it.

use super::carrier;
use super::origin::Origin;
use super::paths::Paths;
use super::problems::Problems;
use super::sections::{
    Config, ConfigError, ConsoleConfig, PricingConfig, ServerConfig, ShortenerConfig, StoreConfig,
};
use super::surroundings::Surroundings;
use carriers::config::document;
use engine::config::{CallbackConfig, CarrierConfig, EngineConfig, LimitsConfig};
use serde::Deserialize;
use std::path::Path;

/// Environment variables that override a key start so: `SWITCHBACK__SERVER__LISTEN`.
pub const ENV_PREFIX: &str = "SWITCHBACK__";

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
    console: ConsoleConfig,
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
    ) -> Result<Config, ConfigError> {
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
    ) -> Result<Config, ConfigError> {
        Config::read(None, text, directory, environment)?.whole()
    }

    /// Looks for everything that is wrong with a configuration, here where it is.
    ///
    /// # Errors
    /// Everything that keeps a server from starting or fails later for certain, a line each.
    pub fn examine(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let Read { mut config, mut problems } = Config::read_file(path, environment)?;
        let Surroundings { refused, failing, unwise } = config.survey();
        problems.extend(refused.into_iter().chain(failing));
        config.warnings.extend(unwise);
        Read { config, problems }.whole()
    }

    fn read_file(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Read, ConfigError> {
        let text = match path {
            None => String::new(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| only(format!("{}: {error}", path.display())))?
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
    ) -> Result<Read, ConfigError> {
        let mut origin = Origin::of_document(file, text);
        let mut table = document::parse(text).map_err(|error| only(origin.in_file(&error.to_string())))?;
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
        let Sections {
            server,
            store,
            engine,
            callbacks,
            limits,
            shortener,
            pricing,
            console,
            carrier,
            route,
            sender,
        } = sections;
        origin.name_carriers(&carrier);
        let carriers = if carrier.is_empty() {
            vec![CarrierConfig::sandbox()]
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
            console,
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
}

/// One thing that is wrong.
fn only(problem: String) -> ConfigError {
    ConfigError { problems: vec![problem] }
}

/// What was read of a configuration, beside what is wrong with it.
struct Read {
    config: Config,
    problems: Vec<String>,
}

impl Read {
    /// The configuration, if nothing is wrong with it.
    fn whole(self) -> Result<Config, ConfigError> {
        if self.problems.is_empty() { Ok(self.config) } else { Err(ConfigError { problems: self.problems }) }
    }
}

/// Why a variable sets nothing.
#[derive(Debug, thiserror::Error)]
enum VariableError {
    /// Its name has no section.
    #[error("expected SWITCHBACK__SECTION__KEY")]
    Name,
    /// The section is an array of tables.
    #[error("[[{0}]] can't be set by the environment")]
    Array(String),
    /// The file has something else where the section should be.
    #[error("what is in the file there is no table")]
    NoTable,
}

/// Sets `SECTION__KEY` (of the environment) in the table; answers with the key's path. Values are TOML where
/// they parse as such, else text.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<String, VariableError> {
    let (section, key) = key.split_once("__").ok_or(VariableError::Name)?;
    let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
    if ["carrier", "route", "sender"].contains(&&*section) {
        return Err(VariableError::Array(section));
    }
    let path = format!("{section}.{key}");
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let section =
        table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut();
    section.ok_or(VariableError::NoTable)?.insert(key, value);
    Ok(path)
}
