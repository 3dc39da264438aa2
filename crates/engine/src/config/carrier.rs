//! `[[carrier]]`: the ways out.

use super::rule::{AT_ONCE_MAX, BrokenKey};
use crate::rates::{PRICE_MAX, Rates, ViberKind, is_price};
use carriers::{HttpConfig, Provider, SandboxConfig, SipConfig, SmppConfig};
use flow::{Channel, FlowKind, Price, Rate, Step};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
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
    /// With [`UnknownSubmit::Resend`]: how often a part is sent again at most after outcomes that nobody
    /// knows; then it waits.
    #[serde(default = "default_unknown_resends_max")]
    pub unknown_resends_max: u8,
    /// The share of its last minute's messages that must go well; with less, other carriers of a channel go
    /// first.
    #[serde(default = "default_success_min")]
    pub success_min: f64,
    /// What it charges all its Viber messages as; by what they show when absent.
    #[serde(default)]
    pub viber_kind: Option<ViberKind>,
    /// What a message costs where no rate table says more, by channel: an Sms part, a delivered Viber
    /// message, an answered call.
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
    /// Wait for a receipt until the time to live is over: it may be lost to this step, and never arrives
    /// twice.
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

impl KindConfig {
    /// Its word.
    pub fn name(&self) -> &'static str {
        match self {
            KindConfig::Sandbox(_) => "sandbox",
            KindConfig::Smpp(_) => "smpp",
            KindConfig::Sip(_) => "sip",
            KindConfig::Http(_) => "http",
        }
    }
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
pub const COMMON_KEYS: [&str; 9] = [
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

impl CarrierConfig {
    /// The carrier of a server without any `[[carrier]]`: the sandbox. The prices let a demo show totals.
    pub fn sandbox() -> CarrierConfig {
        let prices = Channel::ALL.map(|channel| (channel, channel.rules().sandbox.price));
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

    /// The key of its table.
    pub fn key(&self) -> String {
        format!("carrier[{}]", self.position)
    }
}

/// Whether a carrier may be called so: the name is a part of URLs and metrics.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

impl CommonConfig {
    /// What it charges for a step: by the rate table, else by its own price for the channel.
    pub fn rate(&self, rates: &Rates, step: &Step, kind: FlowKind, now_ms: i64) -> Option<Rate> {
        rates.find(step, kind, &self.name, self.viber_kind, now_ms).or_else(|| {
            let price = self.prices.get(&step.channel()).copied()?;
            Some(Rate { price, interval_s: None, operator: None })
        })
    }

    /// Returns the keys that break a rule which no type says.
    pub fn check(&self) -> Vec<BrokenKey> {
        let CommonConfig { name, channels, window, success_min, prices, .. } = self;
        let mut broken = Vec::new();
        let mut add = |key: &str, rule: String| broken.push((key.to_owned(), rule));
        if !is_name(name) {
            add("name", "must be letters, digits, \"-\", \"_\" and \".\"".into());
        }
        if channels.is_empty() {
            add(
                "channels",
                format!("must name at least one of {}", Channel::ALL.map(Channel::name).join(", ")),
            );
        }
        if !(1..=AT_ONCE_MAX).contains(window) {
            add("window", format!("must be at least 1 and at most {AT_ONCE_MAX}"));
        }
        if !(0.0..=1.0).contains(success_min) {
            add("success_min", "must be from 0 to 1".into());
        }
        for channel in prices.iter().filter(|(_, price)| !is_price(**price)).map(|(channel, _)| channel) {
            add(&format!("prices.{channel}"), format!("must be 0 to {PRICE_MAX}"));
        }
        broken
    }
}
