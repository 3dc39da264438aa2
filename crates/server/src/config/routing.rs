//! `[[route]]` and `[[sender]]`: which carrier carries what, and who may send as whom.

use super::Config;
use super::check::Problems;
use flow::Channel;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A `[[route]]` table. What is empty holds for everything; the first route of which all holds is taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// The channel that it is for.
    pub channel: Channel,
    /// How the recipient's number starts, such as `+30`; one of them.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// The recipient's country, ISO 3166-1 alpha-2; one of them.
    #[serde(default)]
    pub countries: Vec<String>,
    /// The sender: an Sms sender id, a `senderInfoTrackingId`, a caller id; one of them.
    #[serde(default)]
    pub senders: Vec<String>,
    /// The application's id; one of them.
    #[serde(default)]
    pub applications: Vec<String>,
    /// The message's label; one of them.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The carriers that are tried.
    pub carriers: Vec<Choice>,
}

/// A carrier of a route.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "ChoiceForm")]
pub struct Choice {
    /// Its name.
    pub carrier: String,
    /// Lower ones are tried first; without it, those of a route are tried in their order.
    pub priority: Option<u32>,
    /// Its share among those of the same priority.
    pub weight: u32,
}

/// How a choice is written.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a carrier's name, or a table with carrier, priority and weight")]
enum ChoiceForm {
    Name(String),
    Table(ChoiceTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceTable {
    carrier: String,
    #[serde(default)]
    priority: Option<u32>,
    #[serde(default = "one")]
    weight: u32,
}

const fn one() -> u32 {
    1
}

impl From<ChoiceForm> for Choice {
    fn from(form: ChoiceForm) -> Choice {
        match form {
            ChoiceForm::Name(carrier) => Choice { carrier, priority: None, weight: 1 },
            ChoiceForm::Table(ChoiceTable { carrier, priority, weight }) => {
                Choice { carrier, priority, weight }
            }
        }
    }
}

/// A `[[sender]]` table. Once a channel has any, only those may send on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderConfig {
    /// What clients write: a `senderInfoTrackingId`, or an Sms sender id.
    pub id: String,
    /// The channel that it is for.
    pub channel: Channel,
    /// What trackings show; the id when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The applications that may use it; all when empty.
    #[serde(default)]
    pub applications: Vec<String>,
    /// What carriers call it, by the carrier's name; the id where a carrier is absent.
    #[serde(default)]
    pub carriers: BTreeMap<String, String>,
}

/// Checks that there is such a carrier for the channel; `at` is where it is named.
fn check_carrier(at: &str, name: &str, channel: Channel, config: &Config, problems: &mut Problems) {
    match config.carriers.iter().find(|carrier| carrier.common.name == name) {
        // One that can't be read is another mistake.
        None if config.origin.has_carrier(name) => {}
        None => problems.add(at, format!("there is no carrier \"{name}\"")),
        Some(carrier) if !carrier.common.channels.contains(&channel) => {
            problems.add(at, format!("{name} does not carry {channel}"));
        }
        Some(_) => {}
    }
}

impl RouteConfig {
    /// Checks what no type says; `at` is its key.
    pub(super) fn check(&self, at: &str, config: &Config, problems: &mut Problems) {
        if self.carriers.is_empty() {
            problems.add(format!("{at}.carriers"), "must name at least one");
        }
        for (i, choice) in self.carriers.iter().enumerate() {
            let at = format!("{at}.carriers[{i}]");
            check_carrier(&at, &choice.carrier, self.channel, config, problems);
            if choice.weight == 0 {
                problems.add(at, "the weight must be at least 1");
            }
        }
        let is_prefix = |prefix: &str| {
            prefix.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        };
        let is_country =
            |country: &str| country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        for (i, _) in self.prefixes.iter().enumerate().filter(|(_, prefix)| !is_prefix(prefix)) {
            problems.add(format!("{at}.prefixes[{i}]"), "must be \"+\" and digits");
        }
        for (i, _) in self.countries.iter().enumerate().filter(|(_, country)| !is_country(country)) {
            problems.add(format!("{at}.countries[{i}]"), "must be two capital letters");
        }
    }
}

impl SenderConfig {
    /// Checks what no type says; `at` is its key.
    pub(super) fn check(&self, at: &str, config: &Config, problems: &mut Problems) {
        if self.id.is_empty() {
            problems.add(format!("{at}.id"), "must not be empty");
        }
        for name in self.carriers.keys() {
            check_carrier(&format!("{at}.carriers.{name}"), name, self.channel, config, problems);
        }
    }
}
