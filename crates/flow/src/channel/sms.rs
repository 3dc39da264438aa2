//! Short messages.

use super::rules::{ChannelContent, ChannelRules, Charge};
use super::sandbox::{Play, PlayedReceipt, SandboxScript, thousandths};
use crate::detail::Detail;
use crate::limits::Limits;
use crate::rule::Rule;
use crate::status::Status::{Delivered, Failed, Queued, Sent, Undelivered, Unsent};
use crate::text;
use crate::ttl::{Ttl, TtlRule};
use crate::violation::Violations;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

pub(super) static RULES: ChannelRules = ChannelRules {
    name: "Sms",
    open_statuses: &[Queued, Sent],
    final_statuses: &[Delivered, Undelivered, Failed, Unsent],
    accepted: Some(Sent),
    expired: (Undelivered, Detail::EXPIRED),
    failover_choices: &[Undelivered, Failed],
    failover_default: &[Undelivered, Failed],
    ttl: TtlRule {
        default: Ttl::minutes(1200),
        min: Ttl::minutes(1),
        max: Ttl::minutes(1440),
        has_tenths: false,
    },
    charge: Charge::OnAcceptance,
    has_duration: false,
    counts_parts: true,
    has_capital_statuses: false,
    fields: &["text", "flash"],
    has_restrictions: true,
    sandbox: SandboxScript {
        price: thousandths(45),
        later_reason: "throttled",
        digits: &[
            (1, Play::Receipts(&[PlayedReceipt::because(Undelivered, Detail::UNKNOWN_NUMBER)])),
            (2, Play::Refusal),
            (3, Play::Receipts(&[])),
            (4, Play::Receipts(&[PlayedReceipt::late(Delivered)])),
            (
                6,
                Play::Receipts(&[
                    PlayedReceipt::of(Delivered),
                    PlayedReceipt::of(Delivered),
                    PlayedReceipt::of(Sent),
                ]),
            ),
            (7, Play::Receipts(&[PlayedReceipt::because(Undelivered, Detail::CALL_BARRED)])),
        ],
        success: Play::Receipts(&[PlayedReceipt::of(Delivered)]),
    },
    part_octets: 312,
};

/// Most parts of one Sms: the concatenation header counts them in an octet (3GPP TS 23.040, 9.2.3.24.1).
const PARTS_MAX: usize = 255;
/// Most digits of a sender id that is a number.
const SENDER_DIGITS_MAX: usize = 16;
/// Most characters of any other sender id (3GPP TS 23.040, 9.1.2.5).
const SENDER_CHARACTERS_MAX: usize = 11;

/// A short message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sms {
    /// Sender id: a number, a short code, or at most 11 alphanumeric characters.
    pub from: String,
    /// Recipient, E.164.
    pub to: String,
    /// The text, with short links where that was asked for.
    pub body: String,
    /// Show at once and do not store (class 0).
    #[serde(default)]
    pub flash: bool,
    /// The client's own mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Send in the GSM alphabet by replacing characters that it lacks.
    #[serde(default)]
    pub transcode: bool,
    /// Its links were replaced by short ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortened: Option<Shortened>,
}

/// The short links in an Sms.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shortened {
    /// How long they work, seconds.
    pub validity_s: u32,
    /// What they stand for.
    pub links: Vec<ShortLink>,
}

/// A short link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShortLink {
    /// What comes after the shortener's base URL.
    pub code: String,
    /// Where it leads.
    pub url: String,
}

impl Sms {
    /// The text as it is sent: the body, transcoded where asked.
    pub fn sent_text(&self) -> Cow<'_, str> {
        if self.transcode { text::transcode(&self.body).into() } else { (&*self.body).into() }
    }

    /// The texts of its parts, in order; at least one.
    pub fn parts(&self) -> Vec<String> {
        text::split(&self.sent_text())
    }
}

pub(super) fn empty(from: String, to: String, label: Option<String>) -> Sms {
    Sms { from, to, body: String::new(), flash: false, label, transcode: false, shortened: None }
}

impl ChannelContent for Sms {
    fn sender(&self) -> &str {
        &self.from
    }

    fn recipient(&self) -> &str {
        &self.to
    }

    fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    fn part_count(&self) -> usize {
        self.parts().len()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("text", self.sent_text().into())];
        if self.flash {
            fields.push(("flash", true.into()));
        }
        fields
    }

    fn check(&self, _limits: &Limits, found: &mut Violations) {
        if !is_sender_id(&self.from) {
            let rule = format!(
                "must be a number of at most {SENDER_DIGITS_MAX} digits or at most {SENDER_CHARACTERS_MAX} \
                 printable ASCII characters"
            );
            found.add("from", Rule::Format, rule);
        }
        found.phone("to", &self.to);
        found.label("message.label", self.label.as_ref());
        let parts = self.part_count();
        if parts > PARTS_MAX {
            let rule = format!("must fit into {PARTS_MAX} parts; it makes {parts}");
            found.add("message.body", Rule::Length, rule);
        }
    }
}

/// Whether `value` can be the sender of an Sms: a number, of which a short code is one, or printable ASCII
/// characters.
fn is_sender_id(value: &str) -> bool {
    let digits = value.strip_prefix('+').unwrap_or(value);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return (1..=SENDER_DIGITS_MAX).contains(&digits.len());
    }
    value.len() <= SENDER_CHARACTERS_MAX
        && value.bytes().all(|b| (0x20..0x7f).contains(&b))
        && value.trim() == value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violation::Violation;

    fn sms() -> Sms {
        Sms { body: "hi".into(), ..empty("Acme".into(), "+306900000001".into(), None) }
    }

    fn broken(sms: &Sms) -> Vec<(String, Rule)> {
        let mut found = Violations::default();
        sms.check(&Limits::default(), &mut found);
        found.into_vec().into_iter().map(|Violation { field, rule, .. }| (field, rule)).collect()
    }

    #[test]
    fn senders_are_numbers_or_a_few_printable_characters() {
        for sender in ["1", "+1", "1234567890123456", "+1234567890123456", "Acme", "A", "ELEVEN CHRS", "~ !"]
        {
            assert!(is_sender_id(sender), "{sender}");
        }
        for sender in
            ["", "+", "12345678901234567", "TWELVE CHARS", " Acme", "Acme ", "Ac\u{7f}me", "Ac\tme", "Ακμή"]
        {
            assert!(!is_sender_id(sender), "{sender}");
        }
    }

    #[test]
    fn every_rule_is_checked_at_its_boundary() {
        assert_eq!(broken(&sms()), []);
        let text = |characters| "x".repeat(characters);
        assert_eq!(broken(&Sms { body: text(255 * 153), ..sms() }), []);
        let body = broken(&Sms { body: text(255 * 153 + 1), ..sms() });
        assert_eq!(body, [("message.body".into(), Rule::Length)]);
        assert_eq!(broken(&Sms { label: Some(text(350)), ..sms() }), []);
        for label in [text(0), text(351)] {
            let label = broken(&Sms { label: Some(label), ..sms() });
            assert_eq!(label, [("message.label".into(), Rule::Length)]);
        }
        let ends = broken(&Sms { from: " ".into(), to: "1".into(), ..sms() });
        assert_eq!(ends, [("from".into(), Rule::Format), ("to".into(), Rule::Format)]);
    }

    #[test]
    fn the_sender_rule_is_worded_by_its_limits() {
        let mut found = Violations::default();
        Sms { from: " ".into(), ..sms() }.check(&Limits::default(), &mut found);
        let rule = "must be a number of at most 16 digits or at most 11 printable ASCII characters";
        assert_eq!(found.into_vec()[0].message, rule);
    }

    #[test]
    fn transcoding_saves_parts() {
        let mut greek = Sms { body: "ά".repeat(160), ..sms() };
        assert_eq!(greek.part_count(), 3);
        greek.transcode = true;
        assert_eq!((greek.part_count(), greek.parts()), (1, vec!["A".repeat(160)]));
    }
}
