//! Reads `[[carrier]]`: the ways out.

use super::problems::Problems;
use super::sections::Config;
use carriers::{HttpConfig, Provider};
use engine::config::{ANSWER_MAX, COMMON_KEYS, CarrierConfig, CommonConfig, KindConfig};
use flow::Channel;
use std::path::{Path, PathBuf};

const KIND_RULE: &str = "must be \"sandbox\", \"smpp\", \"http\" or \"sip\"";

/// Reads a `[[carrier]]` table, as far as it can be; paths in it are relative to `directory`.
pub(super) fn read(
    position: usize,
    mut table: toml::Table,
    directory: &Path,
    problems: &mut Problems,
) -> Option<CarrierConfig> {
    let at = format!("carrier[{position}]");
    let kind = table.remove("kind");
    let common: toml::Table =
        COMMON_KEYS.iter().filter_map(|&key| Some((key.to_owned(), table.remove(key)?))).collect();
    let common: Option<CommonConfig> = problems.read(&at, common, &[]);
    // Here, since it holds whatever is wrong with the rest.
    if let Some(common) = &common {
        problems.add_all(&at, common.check());
    }
    // An unknown key is reported with the keys of both tables to choose from.
    let kind = match kind.as_ref().and_then(toml::Value::as_str) {
        Some("sandbox") => problems.read(&at, table, &COMMON_KEYS).map(KindConfig::Sandbox),
        Some("smpp") => problems.read(&at, table, &COMMON_KEYS).map(|smpp| KindConfig::Smpp(Box::new(smpp))),
        Some("sip") => problems.read(&at, table, &COMMON_KEYS).map(|sip| KindConfig::Sip(Box::new(sip))),
        Some("http") => problems.read::<HttpConfig>(&at, table, &COMMON_KEYS).and_then(|http| {
            let read = provider(&http.provider, directory);
            let provider =
                read.map_err(|error| problems.add(format!("{at}.provider"), error.to_string())).ok()?;
            Some(KindConfig::Http(Box::new((http, provider))))
        }),
        _ => {
            problems.add(format!("{at}.kind"), KIND_RULE);
            None
        }
    };
    Some(CarrierConfig { position, common: common?, kind: kind? })
}

/// Why a provider can't be used.
#[derive(Debug, thiserror::Error)]
enum ProviderError {
    /// It is neither a preset nor a file.
    #[error("must be the path of a .toml file or one of {0}")]
    Unknown(String),
    /// Its file can't be read.
    #[error("{}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// Its file is no provider.
    #[error("{}: {rule}", .path.display())]
    Invalid { path: PathBuf, rule: String },
}

/// A preset, or a file.
fn provider(name: &str, directory: &Path) -> Result<Provider, ProviderError> {
    if let Some(preset) = Provider::preset(name) {
        return Ok(preset);
    }
    if !name.ends_with(".toml") {
        let presets: Vec<&str> = Provider::presets().collect();
        return Err(ProviderError::Unknown(presets.join(", ")));
    }
    let path = directory.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            Provider::parse(&text).map_err(|error| ProviderError::Invalid { path, rule: error.to_string() })
        }
        Err(source) => Err(ProviderError::Unreadable { path, source }),
    }
}

/// Checks what no type says.
pub(super) fn check(carrier: &CarrierConfig, config: &Config, problems: &mut Problems) {
    let (at, channels) = (carrier.key(), &carrier.common.channels);
    let carries_only = |only: Channel| channels.iter().all(|&channel| channel == only);
    match &carrier.kind {
        KindConfig::Sandbox(_) => {}
        KindConfig::Smpp(smpp) => {
            if !carries_only(Channel::Sms) {
                problems.add(format!("{at}.channels"), "an smpp carrier carries Sms only");
            }
            if smpp.response_timeout > ANSWER_MAX {
                problems.add(format!("{at}.response_timeout"), "must be at most 2m");
            }
            for (key, rule) in smpp.check() {
                problems.add(format!("{at}.{key}"), rule);
            }
        }
        KindConfig::Sip(sip) => {
            if !carries_only(Channel::Voice) {
                problems.add(format!("{at}.channels"), "a sip carrier carries Voice only");
            }
            for (key, rule) in sip.check() {
                problems.add(format!("{at}.{key}"), rule);
            }
        }
        KindConfig::Http(http) => {
            let (http, provider) = &**http;
            for channel in channels.iter().filter(|channel| !provider.channels.contains(channel)) {
                problems.add(format!("{at}.channels"), format!("{} does not carry {channel}", http.provider));
            }
            // A token may be taken before, and again.
            if http.timeout * 4 > ANSWER_MAX {
                problems.add(format!("{at}.timeout"), "must be at most 30s");
            }
            if config.server.public_url.is_none() && !problems.has("server.public_url") {
                problems.add(at, "its receipts need server.public_url");
            }
        }
    }
}
