//! `[[carrier]]`: the ways out.

use super::Config;
use super::check::{ANSWER_MAX, AT_ONCE_MAX, Problems};
use crate::rates::{PRICE_MAX, ViberKind, is_price};
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
    /// Its position among the tables of the file, from 0.
    pub position: usize,
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

const KIND_RULE: &str = "must be \"sandbox\", \"smpp\", \"http\" or \"sip\"";

/// The carrier of a server that was told nothing. The prices let a demo show totals.
pub(super) fn default_sandbox() -> CarrierConfig {
    let prices = [
        (Channel::Sms, Price::new(45, 3)),
        (Channel::Viber, Price::new(20, 3)),
        (Channel::Voice, Price::new(60, 3)),
    ];
    CarrierConfig {
        position: 0,
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

/// Whether a carrier may be called so: the name is a part of URLs and metrics.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

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
        common.check(&at, problems);
    }
    // An unknown key is reported with the keys of both tables to choose from.
    let kind = match kind.as_ref().and_then(toml::Value::as_str) {
        Some("sandbox") => problems.read(&at, table, &COMMON_KEYS).map(KindConfig::Sandbox),
        Some("smpp") => problems.read(&at, table, &COMMON_KEYS).map(|smpp| KindConfig::Smpp(Box::new(smpp))),
        Some("sip") => problems.read(&at, table, &COMMON_KEYS).map(|sip| KindConfig::Sip(Box::new(sip))),
        Some("http") => problems.read::<HttpConfig>(&at, table, &COMMON_KEYS).and_then(|http| {
            let read = provider(&http.provider, directory);
            let provider = read.map_err(|error| problems.add(format!("{at}.provider"), error)).ok()?;
            Some(KindConfig::Http(Box::new((http, provider))))
        }),
        _ => {
            problems.add(format!("{at}.kind"), KIND_RULE);
            None
        }
    };
    Some(CarrierConfig { position, common: common?, kind: kind? })
}

/// A preset, or a file.
fn provider(name: &str, directory: &Path) -> Result<Provider, String> {
    if let Some(preset) = Provider::preset(name) {
        return Ok(preset);
    }
    if !name.ends_with(".toml") {
        let presets: Vec<&str> = Provider::presets().collect();
        return Err(format!("must be the path of a .toml file or one of {}", presets.join(", ")));
    }
    let path = directory.join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Provider::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

impl CarrierConfig {
    /// The key of its table.
    pub(super) fn key(&self) -> String {
        format!("carrier[{}]", self.position)
    }

    /// Checks what no type says.
    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        let (at, channels) = (self.key(), &self.common.channels);
        let carries_only = |only: Channel| channels.iter().all(|&channel| channel == only);
        match &self.kind {
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
                    problems
                        .add(format!("{at}.channels"), format!("{} does not carry {channel}", http.provider));
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
}

impl CommonConfig {
    /// Checks what no type says; `at` is its key.
    fn check(&self, at: &str, problems: &mut Problems) {
        let CommonConfig { name, channels, window, success_min, prices, .. } = self;
        if !is_name(name) {
            problems.add(format!("{at}.name"), "must be letters, digits, \"-\", \"_\" and \".\"");
        }
        if channels.is_empty() {
            problems.add(format!("{at}.channels"), "must name at least one of Sms, Viber, Voice");
        }
        if !(1..=AT_ONCE_MAX).contains(window) {
            problems.add(format!("{at}.window"), format!("must be at least 1 and at most {AT_ONCE_MAX}"));
        }
        if !(0.0..=1.0).contains(success_min) {
            problems.add(format!("{at}.success_min"), "must be from 0 to 1");
        }
        for channel in prices.iter().filter(|(_, price)| !is_price(**price)).map(|(channel, _)| channel) {
            problems.add(format!("{at}.prices.{channel}"), format!("must be 0 to {PRICE_MAX}"));
        }
    }
}
