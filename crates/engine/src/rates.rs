//! The rate table: what carriers charge, by where a message goes (docs/routing.md).

use flow::{Channel, Content, FlowKind, Price, Rate, Step, ViberMessage};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeSet, HashMap};
use std::io::Read;

/// Longest prefix, with its plus sign.
const PREFIX_MAX: usize = 16;

/// Wrong rows that are told.
const WRONG_ROWS_MAX: usize = 20;

/// The most that anything costs: sums of it stay far below what an exact decimal can hold.
pub(crate) const PRICE_MAX: i64 = 1_000_000_000;

/// Whether something may cost so much.
pub(crate) fn is_price(price: Price) -> bool {
    price <= Price::from(PRICE_MAX) && (price.is_zero() || price.is_sign_positive())
}

/// Rows of a table of rates can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .rows.join("\n"))]
pub struct RatesError {
    /// The rows and the rules that they break, a line each; of many the first ones.
    pub rows: Vec<String>,
}

/// What carriers charge.
#[derive(Default)]
pub struct Rates {
    /// By channel, then by prefix; the empty one is any.
    rows: HashMap<Channel, HashMap<String, Vec<Row>>>,
}

/// What a Viber message is charged as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViberKind {
    /// Texts, files and templates.
    Transactional,
    /// Messages with a picture, a video or a button.
    Promotional,
    /// Messages within a conversation that the recipient began; a carrier that sends such is told so.
    Session,
}

impl ViberKind {
    /// By what a message shows; none for other channels.
    fn of(step: &Step, kind: FlowKind) -> Option<ViberKind> {
        let Content::Viber(viber) = &step.content else { return None };
        Some(match &viber.message {
            ViberMessage::Body(body)
                if kind == FlowKind::Plain
                    && (body.image_url.is_some() || body.video.is_some() || body.action.is_some()) =>
            {
                ViberKind::Promotional
            }
            _ => ViberKind::Transactional,
        })
    }
}

/// A row of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Sms, Viber or Voice.
    channel: Channel,
    /// The carrier; any when empty.
    #[serde(default)]
    carrier: String,
    /// How numbers start; any when empty.
    #[serde(default)]
    prefix: String,
    /// The country of those numbers; any when empty.
    #[serde(default)]
    country: String,
    /// The network that they belong to.
    #[serde(default)]
    operator: String,
    /// Viber: what the message is charged as; any when empty.
    #[serde(default)]
    kind: Option<ViberKind>,
    /// What is charged.
    price: Price,
    /// Voice: for each started interval of so many seconds.
    #[serde(default)]
    interval_s: Option<u32>,
    /// From when on, ISO 8601; always when empty.
    #[serde(default, deserialize_with = "time_ms")]
    valid_from: Option<i64>,
}

/// A date, or a time with its offset, as Unix milliseconds.
fn time_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let midnight = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>();
    let time = text.parse::<jiff::Timestamp>().or_else(|_| midnight());
    let rule = "valid_from: must be a date or a time with its offset (ISO 8601)";
    time.map(|time| Some(time.as_millisecond())).map_err(|_| serde::de::Error::custom(rule))
}

impl Row {
    /// Returns the rule that it breaks, if any, with the column.
    fn broken_rule(&self) -> Option<String> {
        let Row { prefix, country, kind, price, interval_s, .. } = self;
        let digits = prefix.strip_prefix('+').unwrap_or(if prefix.is_empty() { "" } else { "x" });
        if prefix.len() > PREFIX_MAX || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Some(format!("prefix: must be \"+\" and digits, not \"{prefix}\""));
        }
        if !matches!(country.len(), 0 | 2) || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(format!("country: must be two capital letters, not \"{country}\""));
        }
        if kind.is_some() && self.channel != Channel::Viber {
            return Some("kind: must be empty, but for Viber".into());
        }
        if !is_price(*price) {
            return Some(format!("price: must not be negative, and at most {PRICE_MAX}"));
        }
        if interval_s.is_some_and(|interval| interval == 0 || !self.channel.rules().has_duration) {
            return Some("interval_s: must be at least 1, and only for Voice".into());
        }
        None
    }

    fn holds(&self, step: &Step, kind: Option<ViberKind>, carrier: &str, now_ms: i64) -> bool {
        let of_carrier = self.carrier.is_empty() || self.carrier == carrier;
        let of_country = self.country.is_empty() || step.country.as_deref() == Some(&*self.country);
        let of_kind = self.kind.is_none() || self.kind == kind;
        of_carrier && of_country && of_kind && self.valid_from.is_none_or(|from_ms| from_ms <= now_ms)
    }
}

impl Rates {
    /// Reads a table.
    ///
    /// # Errors
    /// [`RatesError`].
    pub fn read(csv: impl Read) -> Result<Rates, RatesError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(csv);
        let mut rates = Rates::default();
        let mut wrong = Vec::new();
        for (i, row) in reader.deserialize().enumerate() {
            let row = row.map_err(|error| error.to_string()).and_then(|row: Row| match row.broken_rule() {
                Some(rule) => Err(format!("row {}: {rule}", i + 1)),
                None => Ok(row),
            });
            match row {
                Err(_) if wrong.len() == WRONG_ROWS_MAX => {
                    wrong.push("and more".into());
                    break;
                }
                Err(error) => wrong.push(error),
                Ok(row) => {
                    let of_channel = rates.rows.entry(row.channel).or_default();
                    of_channel.entry(row.prefix.clone()).or_default().push(row);
                }
            }
        }
        if wrong.is_empty() { Ok(rates) } else { Err(RatesError { rows: wrong }) }
    }

    /// The carriers that rows are for.
    pub fn carriers(&self) -> BTreeSet<&str> {
        let rows = self.rows.values().flat_map(HashMap::values).flatten();
        rows.map(|row| &*row.carrier).filter(|carrier| !carrier.is_empty()).collect()
    }

    /// What a carrier charges for a step: of the rows that hold, those with the longest prefix, of those the
    /// carrier's own, of those the ones for the country and for the kind, of those the newest.
    /// `viber_kind` is what the carrier charges all its Viber messages as, where it does.
    pub fn find(
        &self,
        step: &Step,
        kind: FlowKind,
        carrier: &str,
        viber_kind: Option<ViberKind>,
        now_ms: i64,
    ) -> Option<Rate> {
        let of_channel = self.rows.get(&step.channel())?;
        let kind = ViberKind::of(step, kind).map(|kind| viber_kind.unwrap_or(kind));
        let to = step.to();
        let lengths = (0..=to.len().min(PREFIX_MAX)).rev().filter(|length| to.is_char_boundary(*length));
        for rows in lengths.filter_map(|length| of_channel.get(&to[..length])) {
            let holding = rows.iter().filter(|row| row.holds(step, kind, carrier, now_ms));
            let rank = |row: &&Row| {
                (!row.carrier.is_empty(), !row.country.is_empty(), row.kind.is_some(), row.valid_from)
            };
            if let Some(row) = holding.max_by_key(rank) {
                let operator = (!row.operator.is_empty()).then(|| row.operator.clone());
                return Some(Rate { price: row.price, interval_s: row.interval_s, operator });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::{Sms, Ttl};

    fn sms(to: &str) -> Step {
        let sms = Sms {
            from: "Acme".into(),
            to: to.into(),
            body: "x".into(),
            flash: false,
            label: None,
            transcode: false,
            shortened: None,
        };
        let country = wire::country(to);
        Step { order: 1, failover_on: vec![], ttl: Ttl::minutes(1), content: Content::Sms(sms), country }
    }

    const TABLE: &str = "channel,carrier,prefix,country,operator,price,valid_from\n\
        Sms,,,,,0.10,\n\
        Sms,,+30,,,0.05,\n\
        Sms,,+3069,GR,Cosmote,0.045,\n\
        Sms,b,+3069,,,0.04,\n\
        Sms,b,+3069,,,0.039,2030-01-01\n";

    #[test]
    fn the_longest_prefix_wins_then_the_carrier_then_the_newest() {
        let rates = Rates::read(TABLE.as_bytes()).unwrap();
        let price = |to: &str, carrier: &str, now_ms: i64| {
            rates.find(&sms(to), FlowKind::Plain, carrier, None, now_ms).unwrap().price.to_string()
        };
        assert_eq!(price("+442071838750", "a", 0), "0.10");
        assert_eq!(price("+302101234567", "a", 0), "0.05");
        assert_eq!(price("+306900000001", "a", 0), "0.045");
        assert_eq!(price("+306900000001", "b", 0), "0.04");
        assert_eq!(price("+306900000001", "b", 1_893_456_000_000), "0.039");
        let rate = rates.find(&sms("+306900000001"), FlowKind::Plain, "a", None, 0).unwrap();
        assert_eq!(rate.operator.as_deref(), Some("Cosmote"));
    }

    #[test]
    fn a_row_with_a_mistake_is_refused_with_its_line() {
        let error = |row: &str| {
            let head = "channel,prefix,kind,price,interval_s,valid_from\n";
            Rates::read(format!("{head}{row}").as_bytes()).err().unwrap().to_string()
        };
        assert!(error("Sms,30,,0.1,,\n").contains("row 1: prefix"));
        assert!(error("Sms,+30,,-0.1,,\n").contains("price: must not be negative"));
        assert!(error("Sms,+30,promotional,0.1,,\n").contains("but for Viber"));
        assert!(error("Sms,+30,,0.1,60,\n").contains("only for Voice"));
        assert!(error("Sms,+30,,cheap,,\n").contains("line: 2"), "{}", error("Sms,+30,,cheap,,\n"));
        assert!(error("Sms,+30,,0.1,,soon\n").contains("valid_from"));
        assert!(error("Sms,+30,,1000000001,,\n").contains("at most 1000000000"));
        // All of them, or the first ones of many.
        let several = error("Sms,30,,0.1,,\nSms,+30,,0.1,,\nSms,+30,,-1,,\n");
        assert!(several.contains("row 1: prefix") && several.contains("row 3: price"), "{several}");
        assert_eq!(error(&"Sms,30,,0.1,,\n".repeat(1000)).lines().count(), WRONG_ROWS_MAX + 1);
    }
}
