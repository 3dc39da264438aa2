//! `[[route]]` and `[[sender]]`: which carrier carries what, and who may send as whom.

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

impl RouteConfig {
    /// What it asks for, in words.
    pub fn conditions(&self) -> String {
        let asked = [
            ("prefix", &self.prefixes),
            ("country", &self.countries),
            ("sender", &self.senders),
            ("application", &self.applications),
            ("label", &self.labels),
        ];
        let asked = asked.iter().filter(|(_, values)| !values.is_empty());
        let asked: Vec<_> = asked.map(|(name, values)| format!("{name} {}", values.join(" or "))).collect();
        if asked.is_empty() { format!("every message over {}", self.channel) } else { asked.join(", ") }
    }
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
