//! Phone calls.

use super::rules::{ChannelContent, ChannelRules, Charge};
use super::sandbox::{Play, PlayedReceipt, SandboxScript, thousandths};
use crate::detail::Detail;
use crate::limits::Limits;
use crate::rule::Rule;
use crate::sip::SipAddress;
use crate::status::Status::{Busy, Completed, Failed, Initiated, NoAnswer, Ringing, Terminated, Unsent};
use crate::ttl::{Ttl, TtlRule};
use crate::violation::Violations;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) static RULES: ChannelRules = ChannelRules {
    name: "Voice",
    open_statuses: &[Initiated, Ringing],
    final_statuses: &[Completed, Busy, NoAnswer, Failed, Unsent, Terminated],
    accepted: None,
    expired: (NoAnswer, Detail::NO_ANSWER),
    failover_choices: &[Completed, Busy, NoAnswer, Failed, Unsent, Terminated],
    failover_default: &[Busy, NoAnswer],
    ttl: TtlRule {
        default: Ttl::minutes(10),
        min: Ttl::minutes(1),
        max: Ttl::minutes(1440),
        has_tenths: false,
    },
    charge: Charge::OnSuccess,
    has_duration: true,
    counts_parts: false,
    has_capital_statuses: false,
    fields: &["verbs", "barge_in", "to_sip", "to_viber", "machine_strategy", "machine_event_url"],
    has_restrictions: false,
    sandbox: SandboxScript {
        price: thousandths(60),
        later_reason: "unavailable",
        digits: &[
            (1, Play::Receipts(&[PlayedReceipt::of(Ringing), PlayedReceipt::of(Busy)])),
            (2, Play::Receipts(&[PlayedReceipt::of(Ringing), PlayedReceipt::of(NoAnswer)])),
            (3, Play::Receipts(&[PlayedReceipt::of(Ringing)])),
            (4, Play::Receipts(&[PlayedReceipt::of(Ringing), PlayedReceipt::answered(Completed, "machine")])),
            (
                6,
                Play::Receipts(&[
                    PlayedReceipt::of(Ringing),
                    PlayedReceipt::answered(Completed, "human"),
                    PlayedReceipt::answered(Completed, "human"),
                ]),
            ),
            (7, Play::Receipts(&[PlayedReceipt::of(Ringing), PlayedReceipt::of(Failed)])),
        ],
        success: Play::Receipts(&[PlayedReceipt::of(Ringing), PlayedReceipt::answered(Completed, "human")]),
    },
    part_octets: 712,
};

/// How often a verb may be repeated.
const REPEAT_MAX: u32 = 100;

/// A call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Voice {
    /// Caller id.
    pub from: String,
    /// Who is called.
    pub to: VoiceTarget,
    /// What is said and played, in order; not empty.
    pub verbs: Vec<Verb>,
    /// What to do when a machine answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_detection: Option<MachineDetection>,
}

/// Whom a call reaches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VoiceTarget {
    /// A phone number, E.164.
    Phone(String),
    /// A SIP address: [`crate::SipAddress`].
    Sip(String),
    /// A Viber number.
    Viber(String),
}

impl VoiceTarget {
    /// The address, whatever its kind.
    pub fn address(&self) -> &str {
        match self {
            VoiceTarget::Phone(to) | VoiceTarget::Sip(to) | VoiceTarget::Viber(to) => to,
        }
    }
}

/// One thing that a call does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Verb {
    /// Speak a text.
    Say {
        /// BCP 47 tag.
        language: String,
        /// Voice, `female` or `male`.
        gender: String,
        /// What is said.
        text: String,
        /// How often.
        repeat: u32,
        /// A key press stops it.
        barge_in: bool,
    },
    /// Play a file.
    Play {
        /// Where it is.
        url: String,
        /// How often.
        repeat: u32,
        /// A key press stops it.
        barge_in: bool,
    },
}

/// What to do when a machine answers the call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MachineDetection {
    /// What to do.
    pub strategy: MachineStrategy,
    /// Where the dial plan for machines is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_url: Option<String>,
}

/// What to do when a machine answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum MachineStrategy {
    /// End the call.
    Hangup,
    /// Go on.
    Continue,
}

/// A call has no label.
pub(super) fn empty(from: String, to: String, _label: Option<String>) -> Voice {
    Voice { from, to: VoiceTarget::Phone(to), verbs: Vec::new(), machine_detection: None }
}

impl ChannelContent for Voice {
    fn sender(&self) -> &str {
        &self.from
    }

    fn recipient(&self) -> &str {
        self.to.address()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("verbs", self.verbs.iter().map(Verb::fields).collect())];
        if self.verbs.iter().any(Verb::has_barge_in) {
            fields.push(("barge_in", true.into()));
        }
        match &self.to {
            VoiceTarget::Phone(_) => {}
            VoiceTarget::Sip(to) => fields.push(("to_sip", to.clone().into())),
            VoiceTarget::Viber(to) => fields.push(("to_viber", to.clone().into())),
        }
        if let Some(MachineDetection { strategy, event_url }) = &self.machine_detection {
            let strategy = match strategy {
                MachineStrategy::Hangup => "hangup",
                MachineStrategy::Continue => "continue",
            };
            fields.push(("machine_strategy", strategy.into()));
            fields.extend(event_url.as_ref().map(|url| ("machine_event_url", url.clone().into())));
        }
        fields
    }

    fn check(&self, limits: &Limits, found: &mut Violations) {
        found.length("from", &self.from, 1, 64);
        match &self.to {
            VoiceTarget::Phone(to) => found.phone("to.phone", to),
            VoiceTarget::Viber(to) => found.phone("to.viber", to),
            VoiceTarget::Sip(to) => {
                if let Err(why) = SipAddress::parse(to) {
                    found.add("to.sip", Rule::Format, why.to_string());
                }
            }
        }
        if self.verbs.is_empty() {
            found.add("dialPlan.verbs", Rule::Required, "must have at least one verb");
        }
        let (count, most) = (self.verbs.len(), limits.verbs_max);
        if count > most {
            let rule = format!("must have at most {most} verbs; it has {count}");
            found.add("dialPlan.verbs", Rule::Length, rule);
        }
        for (at, verb) in self.verbs.iter().take(most).enumerate() {
            verb.check(&format!("dialPlan.verbs[{at}]"), found);
        }
        if let Some(url) = self.machine_detection.as_ref().and_then(|detection| detection.event_url.as_ref())
        {
            found.url("machineDetection.eventUrl", url, false);
        }
    }
}

impl Verb {
    fn has_barge_in(&self) -> bool {
        match self {
            Verb::Say { barge_in, .. } | Verb::Play { barge_in, .. } => *barge_in,
        }
    }

    fn fields(&self) -> Value {
        match self {
            Verb::Say { language, gender, text, repeat, .. } => {
                json!({"text": text, "language": language, "gender": gender, "repeat": repeat})
            }
            Verb::Play { url, repeat, .. } => json!({"url": url, "repeat": repeat}),
        }
    }

    fn check(&self, path: &str, found: &mut Violations) {
        let repeat = match self {
            Verb::Say { text, repeat, gender, language, .. } => {
                found.length(&format!("{path}.message.text"), text, 1, 4000);
                found.length(&format!("{path}.message.language"), language, 2, 35);
                if !matches!(gender.as_str(), "female" | "male") {
                    found.add(&format!("{path}.message.gender"), Rule::Choice, "must be female or male");
                }
                *repeat
            }
            Verb::Play { url, repeat, .. } => {
                found.url(&format!("{path}.fileURL"), url, false);
                *repeat
            }
        };
        if !(1..=REPEAT_MAX).contains(&repeat) {
            found.add(&format!("{path}.repeat"), Rule::Range, format!("must be 1 to {REPEAT_MAX}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violation::Violation;

    fn play(url: &str, repeat: u32) -> Verb {
        Verb::Play { url: url.into(), repeat, barge_in: false }
    }

    fn say(text: usize, language: usize, gender: &str, repeat: u32) -> Verb {
        let (text, language, gender) = ("x".repeat(text), "x".repeat(language), gender.into());
        Verb::Say { language, gender, text, repeat, barge_in: false }
    }

    fn call(verbs: Vec<Verb>) -> Voice {
        let to = VoiceTarget::Phone("+306900000001".into());
        Voice { from: "+302100000000".into(), to, verbs, machine_detection: None }
    }

    fn good() -> Voice {
        call(vec![play("http://a.example/x.wav", 1)])
    }

    fn breaks(voice: &Voice) -> Vec<(String, Rule)> {
        let mut found = Violations::default();
        voice.check(&Limits { verbs_max: 3, ..Limits::default() }, &mut found);
        found.into_vec().into_iter().map(|Violation { field, rule, .. }| (field, rule)).collect()
    }

    fn one(field: &str, rule: Rule) -> Vec<(String, Rule)> {
        vec![(field.into(), rule)]
    }

    #[test]
    fn callers_and_callees_are_checked() {
        assert_eq!(breaks(&good()), []);
        for (characters, is_allowed) in [(0, false), (1, true), (64, true), (65, false)] {
            let found = breaks(&Voice { from: "x".repeat(characters), ..good() });
            assert_eq!(found.is_empty(), is_allowed, "{characters}: {found:?}");
        }
        let to = |to| breaks(&Voice { to, ..good() });
        assert_eq!(to(VoiceTarget::Viber("+306900000001".into())), []);
        assert_eq!(to(VoiceTarget::Sip("sip:x@example.com".into())), []);
        assert_eq!(to(VoiceTarget::Phone("1".into())), one("to.phone", Rule::Format));
        assert_eq!(to(VoiceTarget::Viber("1".into())), one("to.viber", Rule::Format));
        assert_eq!(to(VoiceTarget::Sip("1".into())), one("to.sip", Rule::Format));
    }

    #[test]
    fn a_dial_plan_has_one_verb_to_as_many_as_are_allowed() {
        let plays = |count| call(vec![play("http://a.example/x.wav", 1); count]);
        assert_eq!(breaks(&plays(0)), one("dialPlan.verbs", Rule::Required));
        assert_eq!(breaks(&plays(3)), []);
        assert_eq!(breaks(&plays(4)), one("dialPlan.verbs", Rule::Length));
    }

    #[test]
    fn verbs_are_checked_at_their_boundaries() {
        let verb = |verb| breaks(&call(vec![play("http://a.example/x.wav", 1), verb]));
        for (repeat, is_allowed) in [(0, false), (1, true), (100, true), (101, false)] {
            assert_eq!(verb(play("http://a.example/x.wav", repeat)).is_empty(), is_allowed, "{repeat}");
            assert_eq!(verb(say(1, 2, "male", repeat)).is_empty(), is_allowed, "{repeat}");
        }
        for (text, is_allowed) in [(0, false), (1, true), (4000, true), (4001, false)] {
            assert_eq!(verb(say(text, 2, "female", 1)).is_empty(), is_allowed, "{text}");
        }
        for (language, is_allowed) in [(1, false), (2, true), (35, true), (36, false)] {
            assert_eq!(verb(say(1, language, "female", 1)).is_empty(), is_allowed, "{language}");
        }
        let path = "dialPlan.verbs[1]";
        let gender = verb(say(1, 2, "none", 1));
        assert_eq!(gender, one(&format!("{path}.message.gender"), Rule::Choice));
        assert_eq!(verb(play("x.wav", 1)), one(&format!("{path}.fileURL"), Rule::Format));
    }

    #[test]
    fn machines_are_handled_at_a_url() {
        let detection = |url: &str| {
            let event_url = Some(url.to_owned());
            let detection = MachineDetection { strategy: MachineStrategy::Hangup, event_url };
            breaks(&Voice { machine_detection: Some(detection), ..good() })
        };
        assert_eq!(detection("http://a.example/m"), []);
        assert_eq!(detection("a.example"), one("machineDetection.eventUrl", Rule::Format));
    }
}
