//! Something that happened to a flow, as its history keeps it. What a flow knows anyway is not repeated: a
//! part knows which carrier took it, under which id, and a flow how it ended.

use crate::detail::Detail;
use crate::status::Status;
use crate::texts::json_octets;
use serde::{Deserialize, Serialize};

/// Something that happened to a flow. Positions count from 0. Texts of carriers are cut when an event becomes
/// an occurrence.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Occurrence {
    /// The flow was accepted.
    #[serde(rename = "a")]
    Accepted,
    /// A step was started.
    #[serde(rename = "s")]
    StepStarted {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// Why.
        #[serde(rename = "b", default, skip_serializing_if = "Because::is_first")]
        because: Because,
    },
    /// A part was about to be handed to a carrier, which must not get it twice.
    #[serde(rename = "h")]
    HandedOver {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// The part's position.
        #[serde(rename = "p", default, skip_serializing_if = "is_first")]
        part: u16,
        /// The carrier's name.
        #[serde(rename = "c")]
        carrier: String,
        /// Counts the part's attempts from 1.
        #[serde(rename = "n", default = "one", skip_serializing_if = "is_one")]
        attempt: u32,
    },
    /// A carrier took a part: [`crate::Part::carrier`].
    #[serde(rename = "t")]
    Taken {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// The part's position.
        #[serde(rename = "p", default, skip_serializing_if = "is_first")]
        part: u16,
    },
    /// A carrier did not take a part yet.
    #[serde(rename = "d")]
    Deferred {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// The part's position.
        #[serde(rename = "p", default, skip_serializing_if = "is_first")]
        part: u16,
        /// The carrier's name.
        #[serde(rename = "c")]
        carrier: String,
        /// Why.
        #[serde(rename = "w")]
        reason: String,
        /// Milliseconds until the part is due again; absent: it is not, since its step was left.
        #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
    },
    /// A part was refused for good.
    #[serde(rename = "r")]
    Refused {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// The part's position.
        #[serde(rename = "p", default, skip_serializing_if = "is_first")]
        part: u16,
        /// The carrier's name; absent: no carrier could take it.
        #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
        carrier: Option<String>,
        /// Why.
        #[serde(rename = "d")]
        detail: Detail,
        /// The carrier's words.
        #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// A part was handed to a carrier that did not answer: it may have it.
    #[serde(rename = "u")]
    Unknown {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// The part's position.
        #[serde(rename = "p", default, skip_serializing_if = "is_first")]
        part: u16,
        /// The carrier's name.
        #[serde(rename = "c")]
        carrier: String,
        /// Why.
        #[serde(rename = "w")]
        reason: String,
        /// Milliseconds until the part is handed over again; absent: it waits for a late answer or a receipt.
        #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
    },
    /// A carrier reported on a part, and perhaps on others of its message.
    #[serde(rename = "R")]
    Receipt {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// The part's position.
        #[serde(rename = "p", default, skip_serializing_if = "is_first")]
        part: u16,
        /// The status reported.
        #[serde(rename = "s")]
        status: Status,
        /// Why; absent: [`Detail::plain`].
        #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
        detail: Option<Detail>,
        /// The carrier's words.
        #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The network's error code.
        #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// Its step had been left.
        #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
        is_late: bool,
    },
    /// A message's time to live was over.
    #[serde(rename = "x")]
    Expired {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
    },
    /// A part was not sent, since its recipient is on the application's list of opt-outs.
    #[serde(rename = "o")]
    Suppressed {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
        /// The part's position.
        #[serde(rename = "p", default, skip_serializing_if = "is_first")]
        part: u16,
    },
    /// The application's balance could not pay a message.
    #[serde(rename = "b")]
    Unpayable {
        /// The message's position.
        #[serde(rename = "m", default, skip_serializing_if = "is_first")]
        message: u16,
    },
    /// The application cancelled the flow.
    #[serde(rename = "c")]
    Cancelled,
    /// An operator cancelled the flow.
    #[serde(rename = "O")]
    CancelledBy {
        /// The operator's name.
        #[serde(rename = "b")]
        operator: String,
    },
    /// The flow ended: [`crate::State::status`].
    #[serde(rename = "e")]
    Ended,
    /// A callback was tried.
    #[serde(rename = "C")]
    Callback {
        /// What came of it.
        #[serde(rename = "k", default, skip_serializing_if = "CallbackResult::is_acknowledged")]
        result: CallbackResult,
        /// Counts the callback's attempts from 1.
        #[serde(rename = "n", default = "one", skip_serializing_if = "is_one")]
        attempt: u32,
        /// The HTTP status that the target answered; absent: there was no answer.
        #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// How long the attempt took, milliseconds.
        #[serde(rename = "z")]
        took_ms: u32,
        /// Why it failed, where there was no answer.
        #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// Why a step was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Because {
    /// It is the first one.
    #[default]
    #[serde(rename = "f")]
    First,
    /// The time to live of the one before was over.
    #[serde(rename = "t")]
    Ttl,
    /// The message before reached a status that starts the next step.
    #[serde(rename = "s")]
    Status(Status),
}

/// What came of an attempt of a callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum CallbackResult {
    /// It was acknowledged.
    #[default]
    #[serde(rename = "a")]
    Acknowledged,
    /// It is tried again.
    #[serde(rename = "f")]
    Failed,
    /// It is not tried again.
    #[serde(rename = "g")]
    GivenUp,
    /// The target wants no more callbacks of the flow.
    #[serde(rename = "e")]
    Gone,
}

impl Because {
    fn is_first(&self) -> bool {
        *self == Because::First
    }
}

impl CallbackResult {
    /// The contract's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            CallbackResult::Acknowledged => "acknowledged",
            CallbackResult::Failed => "failed",
            CallbackResult::GivenUp => "given_up",
            CallbackResult::Gone => "gone",
        }
    }

    fn is_acknowledged(&self) -> bool {
        *self == CallbackResult::Acknowledged
    }
}

fn is_first(position: &u16) -> bool {
    *position == 0
}

fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

/// Octets of a number in JSON.
pub(crate) fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |power| power as usize + 1)
}

impl Occurrence {
    /// The contract's words (section 3), in the order of the occurrences.
    pub const NAMES: [&'static str; 14] = [
        "accepted",
        "step_started",
        "handed_over",
        "taken",
        "deferred",
        "refused",
        "unknown",
        "receipt",
        "expired",
        "suppressed",
        "unpayable",
        "cancelled",
        "ended",
        "callback",
    ];

    /// The contract's word for it.
    pub const fn name(&self) -> &'static str {
        let position = match self {
            Occurrence::Accepted => 0,
            Occurrence::StepStarted { .. } => 1,
            Occurrence::HandedOver { .. } => 2,
            Occurrence::Taken { .. } => 3,
            Occurrence::Deferred { .. } => 4,
            Occurrence::Refused { .. } => 5,
            Occurrence::Unknown { .. } => 6,
            Occurrence::Receipt { .. } => 7,
            Occurrence::Expired { .. } => 8,
            Occurrence::Suppressed { .. } => 9,
            Occurrence::Unpayable { .. } => 10,
            Occurrence::Cancelled | Occurrence::CancelledBy { .. } => 11,
            Occurrence::Ended => 12,
            Occurrence::Callback { .. } => 13,
        };
        Occurrence::NAMES[position]
    }

    /// The message that it is about, and its part.
    pub const fn place(&self) -> (Option<u16>, Option<u16>) {
        match self {
            Occurrence::HandedOver { message, part, .. }
            | Occurrence::Taken { message, part }
            | Occurrence::Deferred { message, part, .. }
            | Occurrence::Refused { message, part, .. }
            | Occurrence::Unknown { message, part, .. }
            | Occurrence::Receipt { message, part, .. }
            | Occurrence::Suppressed { message, part } => (Some(*message), Some(*part)),
            Occurrence::StepStarted { message, .. }
            | Occurrence::Expired { message }
            | Occurrence::Unpayable { message } => (Some(*message), None),
            Occurrence::Accepted
            | Occurrence::Cancelled
            | Occurrence::CancelledBy { .. }
            | Occurrence::Ended
            | Occurrence::Callback { .. } => (None, None),
        }
    }

    /// Octets that it takes in a document, at most.
    pub(crate) fn octets(&self) -> usize {
        // Each with the JSON around it: a name of one letter, quotes, a colon and a comma.
        let number = |number: u64| 5 + digits(number);
        let text = |text: &str| 7 + json_octets(text);
        let maybe = |given: &Option<String>| given.as_deref().map_or(0, text);
        let wait = |wait_ms: &Option<u64>| wait_ms.map_or(0, number);
        let (message, part) = self.place();
        let places = [message, part].into_iter().flatten();
        let places: usize = places.map(|position| number(position.into())).sum();
        8 + places
            + match self {
                Occurrence::Accepted
                | Occurrence::Taken { .. }
                | Occurrence::Expired { .. }
                | Occurrence::Suppressed { .. }
                | Occurrence::Unpayable { .. }
                | Occurrence::Cancelled
                | Occurrence::Ended => 0,
                Occurrence::StepStarted { because: Because::Status(status), .. } => 13 + status.name().len(),
                Occurrence::StepStarted { .. } => 8,
                Occurrence::CancelledBy { operator } => text(operator),
                Occurrence::HandedOver { carrier, attempt, .. } => text(carrier) + number((*attempt).into()),
                Occurrence::Deferred { carrier, reason, wait_ms, .. }
                | Occurrence::Unknown { carrier, reason, wait_ms, .. } => {
                    text(carrier) + text(reason) + wait(wait_ms)
                }
                Occurrence::Refused { carrier, detail, description, .. } => {
                    maybe(carrier) + text(&detail.0) + maybe(description)
                }
                Occurrence::Receipt { status, detail, description, error, is_late, .. } => {
                    let detail = detail.as_ref().map_or(0, |detail| text(&detail.0));
                    let late = if *is_late { 9 } else { 0 };
                    text(status.name()) + detail + maybe(description) + maybe(error) + late
                }
                Occurrence::Callback { attempt, status, took_ms, error, .. } => {
                    let status = status.map_or(0, |status| number(status.into()));
                    8 + number((*attempt).into()) + status + number((*took_ms).into()) + maybe(error)
                }
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, as large as they come.
    fn all() -> Vec<Occurrence> {
        let (message, part, wait_ms) = (u16::MAX, u16::MAX, Some(u64::MAX));
        let (carrier, reason) = ("c".repeat(64), "\"why".to_owned());
        let description = Some("\\words".to_owned());
        let named = |carrier: &str| carrier.to_owned();
        vec![
            Occurrence::Accepted,
            Occurrence::StepStarted { message, because: Because::Status(Status::Undelivered) },
            Occurrence::StepStarted { message, because: Because::Ttl },
            Occurrence::HandedOver { message, part, carrier: named(&carrier), attempt: u32::MAX },
            Occurrence::Taken { message, part },
            Occurrence::Deferred { message, part, carrier: named(&carrier), reason: reason.clone(), wait_ms },
            Occurrence::Refused {
                message,
                part,
                carrier: Some(named(&carrier)),
                detail: Detail::CARRIER_VIOLATION,
                description: description.clone(),
            },
            Occurrence::Unknown { message, part, carrier, reason, wait_ms },
            Occurrence::Receipt {
                message,
                part,
                status: Status::Undelivered,
                detail: Some(Detail::UNDELIVERED_ON_HANDSET),
                description: description.clone(),
                error: Some("0011".into()),
                is_late: true,
            },
            Occurrence::Expired { message },
            Occurrence::Suppressed { message, part },
            Occurrence::Unpayable { message },
            Occurrence::Cancelled,
            Occurrence::CancelledBy { operator: "o".repeat(64) },
            Occurrence::Ended,
            Occurrence::Callback {
                result: CallbackResult::GivenUp,
                attempt: u32::MAX,
                status: Some(u16::MAX),
                took_ms: u32::MAX,
                error: description,
            },
        ]
    }

    #[test]
    fn occurrences_are_read_as_they_were_written_and_no_larger_than_reckoned() {
        for occurrence in all() {
            let json = serde_json::to_string(&occurrence).unwrap();
            // Not much larger either: room that nothing takes is history that is left out too early.
            assert!((json.len()..json.len() + 40).contains(&occurrence.octets()), "{json}");
            assert_eq!(serde_json::from_str::<Occurrence>(&json).unwrap(), occurrence);
        }
        let small = Occurrence::Taken { message: 0, part: 0 };
        assert_eq!(serde_json::to_string(&small).unwrap(), r#"{"t":{}}"#);
    }

    #[test]
    fn each_occurrence_has_its_word() {
        let mut names: Vec<&str> = all().iter().map(Occurrence::name).collect();
        names.dedup();
        assert_eq!(names, Occurrence::NAMES);
    }
}
