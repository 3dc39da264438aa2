//! `[[carrier]]`: the ways out.

use super::{ANSWER_MAX, suggest, suggest_among};
use crate::rates::ViberKind;
use carriers::config::document::{self, DocumentError};
use carriers::{HttpConfig, Provider, SandboxConfig, SipConfig, SmppConfig};
use flow::{Channel, Price};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

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
    /// With [`UnknownSubmit::Resend`]: how often a part is sent again at most after outcomes that nobody knows; then it
    /// waits.
    #[serde(default = "default_unknown_resends_max")]
    pub unknown_resends_max: u8,
    /// The share of its last minute's messages that must go well; with less, other carriers of a channel go first.
    #[serde(default = "default_success_min")]
    pub success_min: f64,
    /// What it charges all its Viber messages as; by what they show when absent.
    #[serde(default)]
    pub viber_kind: Option<ViberKind>,
    /// What a message costs where no rate table says more, by channel: an Sms part, a delivered Viber message, an answered call.
    #[serde(default)]
    pub prices: BTreeMap<Channel, Price>,
}

/// What to do with a message that the carrier may have or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownSubmit {
    /// Send it again, a bounded number of times: it may arrive twice.
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
    /// `kind = "sip"`
    Sip(Box<SipConfig>),
    /// `kind = "http"`, with its provider's file.
    Http(Box<(HttpConfig, Provider)>),
}

const fn default_window() -> usize {
    100
}

const fn default_unknown_resends_max() -> u8 {
    1
}

const fn default_success_min() -> f64 {
    0.5
}

/// The keys of [`CommonConfig`]; the rest of a `[[carrier]]` table belongs to its kind.
const COMMON_KEYS: [&str; 9] = [
    "name",
    "channels",
    "rate",
    "window",
    "unknown_submit",
    "unknown_resends_max",
    "success_min",
    "viber_kind",
    "prices",
];

const KIND_RULE: &str = "kind: must be \"sandbox\", \"smpp\", \"http\" or \"sip\"";

/// The carrier of a server that was told nothing. The prices let a demo show totals.
pub(super) fn default_sandbox() -> CarrierConfig {
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
            unknown_resends_max: default_unknown_resends_max(),
            success_min: default_success_min(),
            viber_kind: None,
            prices: prices.into(),
        },
        kind: KindConfig::Sandbox(SandboxConfig { delay: Duration::from_millis(50) }),
    }
}

/// Reads a `[[carrier]]` table; paths in it are relative to `directory`.
pub(super) fn read(i: usize, mut table: toml::Table, directory: &Path) -> Result<CarrierConfig, String> {
    let at = |error: String| format!("carrier[{i}]: {error}");
    let kind = match table.remove("kind") {
        Some(toml::Value::String(kind)) => kind,
        _ => return Err(at(KIND_RULE.into())),
    };
    let common: toml::Table =
        COMMON_KEYS.iter().filter_map(|&key| Some((key.to_owned(), table.remove(key)?))).collect();
    // An unknown key is reported with the keys of both tables to choose from.
    let with_common = |error: DocumentError| at(suggest_among(&error, &COMMON_KEYS));
    let kind = match kind.as_str() {
        "sandbox" => KindConfig::Sandbox(document::read(table).map_err(with_common)?),
        "smpp" => KindConfig::Smpp(Box::new(document::read(table).map_err(with_common)?)),
        "sip" => KindConfig::Sip(Box::new(document::read(table).map_err(with_common)?)),
        "http" => {
            let http: HttpConfig = document::read(table).map_err(with_common)?;
            let provider = provider(&http.provider, directory).map_err(at)?;
            KindConfig::Http(Box::new((http, provider)))
        }
        _ => return Err(at(KIND_RULE.into())),
    };
    Ok(CarrierConfig { common: document::read(common).map_err(|error| at(suggest(&error)))?, kind })
}

/// A preset, or a file.
fn provider(name: &str, directory: &Path) -> Result<Provider, String> {
    if let Some(preset) = Provider::preset(name) {
        return Ok(preset);
    }
    if !name.ends_with(".toml") {
        let presets: Vec<&str> = Provider::presets().collect();
        return Err(format!("provider: must be the path of a .toml file or one of {}", presets.join(", ")));
    }
    let path = directory.join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Provider::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

impl CarrierConfig {
    /// Checks what no type says.
    ///
    /// # Errors
    /// The carrier, the key and the rule.
    pub(super) fn check(&self, i: usize) -> Result<(), String> {
        let CommonConfig { name, channels, window, success_min, .. } = &self.common;
        let at = format!("carrier[{i}] ({name})");
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err(format!("carrier[{i}].name: must be letters, digits, \"-\", \"_\" and \".\""));
        }
        if channels.is_empty() {
            return Err(format!("{at}: channels must name at least one of Sms, Viber, Voice"));
        }
        if *window == 0 {
            return Err(format!("{at}: window must be at least 1"));
        }
        if !(0.0..=1.0).contains(success_min) {
            return Err(format!("{at}: success_min must be from 0 to 1"));
        }
        match &self.kind {
            KindConfig::Sandbox(_) => {}
            KindConfig::Smpp(smpp) => {
                if channels.iter().any(|&channel| channel != Channel::Sms) {
                    return Err(format!("{at}: an smpp carrier carries Sms only"));
                }
                if smpp.response_timeout > ANSWER_MAX {
                    return Err(format!("{at}: response_timeout must be at most 2m"));
                }
            }
            KindConfig::Sip(sip) => {
                if channels.iter().any(|&channel| channel != Channel::Voice) {
                    return Err(format!("{at}: a sip carrier carries Voice only"));
                }
                sip.check().map_err(|error| format!("{at}: {error}"))?;
            }
            KindConfig::Http(http) => {
                let (config, provider) = &**http;
                if let Some(channel) = channels.iter().find(|channel| !provider.channels.contains(channel)) {
                    return Err(format!("{at}: {} does not carry {channel}", config.provider));
                }
                // A token may be taken before, and again.
                if config.timeout * 4 > ANSWER_MAX {
                    return Err(format!("{at}: timeout must be at most 30s"));
                }
            }
        }
        Ok(())
    }
}
