//! Messages by what they have in common.

use super::dimension::Dimension;
use super::latency::Latency;
use crate::channel::Channel;
use crate::detail::Detail;
use crate::flow_status::FlowKind;
use crate::price::Price;
use crate::state::Message;
use crate::status::Status;
use crate::step::Step;
use crate::texts::words;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What stands for a network or a detailed status that is not counted by its name.
pub const OTHER: &str = "other";

/// Octets of a network's name.
const NETWORK_MAX: usize = 40;
/// Digits in the name of a network: a code of one has at most six (E.212), and a person's number has seven.
const NETWORK_DIGITS_MAX: usize = 6;

/// What messages that are counted together have in common. Its part whose status speaks for the whole message
/// ([`Message::decisive`]) says carrier, network and statuses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct MessageKey {
    /// The channel.
    pub channel: Channel,
    /// The kind of its flow.
    pub kind: FlowKind,
    /// The status.
    pub status: Status,
    /// Why: one that the contract names (section 7), or [`OTHER`].
    pub detail: Detail,
    /// The configured name of the carrier that accepted it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// ISO 3166-1 alpha-2 country of the recipient, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The recipient's network, if it is known: at most 40 octets, or [`OTHER`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

impl MessageKey {
    /// That of a message of a flow of this kind.
    pub(super) fn of(kind: FlowKind, step: &Step, message: &Message) -> MessageKey {
        let part = message.decisive(step.channel());
        MessageKey {
            channel: step.channel(),
            kind,
            status: part.status.status,
            detail: named(&part.status.detail),
            carrier: part.carrier.as_ref().map(|of| of.carrier.clone()),
            country: step.country.clone(),
            network: part.operator.as_deref().and_then(network),
        }
    }

    /// Its value in a dimension; `None` if it is not known.
    pub fn value(&self, dimension: Dimension) -> Option<&str> {
        match dimension {
            Dimension::Channel => Some(self.channel.name()),
            Dimension::Carrier => self.carrier.as_deref(),
            Dimension::Country => self.country.as_deref(),
            Dimension::Network => self.network.as_deref(),
            Dimension::Status => Some(self.status.name()),
        }
    }
}

/// A detailed status if the contract names it. Carriers and configurations may word others without end.
fn named(detail: &Detail) -> Detail {
    let known = Detail::NAMES.iter().find(|name| **name == detail.0);
    Detail(Cow::Borrowed(known.copied().unwrap_or(OTHER)))
}

/// The name of a network, cut to what is kept of it; `None` for a blank one. A carrier that gives a number
/// instead makes no person's number a part of the statistics.
fn network(text: &str) -> Option<String> {
    let name = words(text.trim(), NETWORK_MAX);
    let digits = name.chars().filter(char::is_ascii_digit).count();
    if digits > NETWORK_DIGITS_MAX {
        return Some(OTHER.to_owned());
    }
    (!name.is_empty()).then(|| name.into_owned())
}

/// What is counted of messages with a common key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MessageFigures {
    /// How many.
    pub messages: i64,
    /// Their parts.
    pub parts: i64,
    /// What they cost.
    pub price: Price,
    /// Of those that got through, the time from the start of the step to that status.
    pub latency: Latency,
}

impl MessageFigures {
    /// Counts a message, or takes it away again if `times` is -1.
    pub(super) fn count(&mut self, step: &Step, message: &Message, times: i64) {
        self.messages = self.messages.saturating_add(times);
        self.parts = self.parts.saturating_add(message.parts.len() as i64 * times);
        let price: Price = message.parts.iter().map(|part| part.price(step.channel())).sum();
        self.price = self.price.saturating_add(price * Price::from(times));
        let status = &message.decisive(step.channel()).status;
        if status.status.is_success() {
            let took_ms = status.at_ms.saturating_sub(message.created_ms).clamp(0, u32::MAX.into());
            self.latency.count(took_ms as u32, times);
        }
    }

    /// Adds others.
    pub fn add(&mut self, others: &MessageFigures) {
        self.messages = self.messages.saturating_add(others.messages);
        self.parts = self.parts.saturating_add(others.parts);
        self.price = self.price.saturating_add(others.price);
        self.latency.add(&others.latency, 1);
    }

    /// Whether nothing is counted.
    pub fn is_zero(&self) -> bool {
        self.messages == 0 && self.parts == 0 && self.price.is_zero() && self.latency.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carriers_word_is_bounded_and_names_nobody() {
        for (text, kept) in [
            ("Cosmote", Some("Cosmote")),
            ("20201", Some("20201")),
            ("310410", Some("310410")),
            ("+306900000001", Some(OTHER)),
            ("user 69 000 0001", Some(OTHER)),
            (" \u{a0}", None),
        ] {
            assert_eq!(network(text).as_deref(), kept, "{text}");
        }
        assert_eq!(network(&"é".repeat(100)).map(|name| name.len()), Some(NETWORK_MAX));
        assert_eq!(named(&Detail(Cow::Owned("Busy".into()))), Detail::BUSY);
        assert_eq!(named(&Detail(Cow::Owned("busy, call +30690".into()))).0, OTHER);
    }
}
