//! A part of a message: its status, its way to a carrier, and what it costs.

use crate::channel::Channel;
use crate::channel::rules::Charge;
use crate::detail::Detail;
use crate::price::Price;
use crate::status::Status;
use crate::texts::REFERENCE_MAX;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a carrier sees as one message: a part of an Sms, a Viber message, a call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// The id that a version of before drew for it; absent: it follows from the flow's
    /// ([`crate::Flow::part_id`]).
    #[serde(rename = "id", default, skip_serializing_if = "Option::is_none")]
    pub drawn_id: Option<Uuid>,
    /// Its status.
    pub status: StatusRecord,
    /// How its way to the carrier stands.
    pub submit: Submit,
    /// Which carrier accepted it, under which id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<CarrierRef>,
    /// What the carrier's receipts for this part are about.
    #[serde(rename = "whole", default, skip_serializing_if = "Covers::is_part")]
    pub covers: Covers,
    /// The amount of the application's balance that is held for it until it is charged or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Price>,
    /// The price of it, or of each interval of it, once the carrier accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Price>,
    /// Seconds of an interval: a call is charged for each one that it started; absent: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<u32>,
    /// The recipient's network, if the rate or the carrier names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// When a Viber message with `expireOnDelivery` expired although delivered, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_on_delivery_ms: Option<i64>,
    /// Seconds of talk (Voice).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
    /// Who answered (Voice): `human` or `machine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
}

/// What a hand-over to a carrier, and its receipts, are about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(from = "StoredCovers", into = "StoredCovers")]
pub enum Covers {
    /// The part alone.
    #[default]
    Part,
    /// The part is handed over alone, but a receipt for it counts for every part of the message that the
    /// carrier accepted.
    Receipts,
    /// All parts of the message are handed over as one, and every receipt counts for each of them.
    Message,
}

impl Covers {
    fn is_part(&self) -> bool {
        *self == Covers::Part
    }
}

/// [`Covers`] in documents, where it once was a bool.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredCovers {
    Message(bool),
    Other(StoredCoversName),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredCoversName {
    Receipts,
}

impl From<StoredCovers> for Covers {
    fn from(stored: StoredCovers) -> Covers {
        match stored {
            StoredCovers::Message(false) => Covers::Part,
            StoredCovers::Message(true) => Covers::Message,
            StoredCovers::Other(StoredCoversName::Receipts) => Covers::Receipts,
        }
    }
}

impl From<Covers> for StoredCovers {
    fn from(covers: Covers) -> StoredCovers {
        match covers {
            Covers::Part => StoredCovers::Message(false),
            Covers::Message => StoredCovers::Message(true),
            Covers::Receipts => StoredCovers::Other(StoredCoversName::Receipts),
        }
    }
}

/// A carrier's name and its id of a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct CarrierRef {
    /// The configured name of the carrier.
    pub carrier: String,
    /// Its message id, as receipts will name it.
    pub reference: String,
}

impl CarrierRef {
    /// A message as its carrier calls it. An id of more than [`REFERENCE_MAX`] octets is kept by its hash, so
    /// that a provider can't make a flow larger; its receipts name it alike.
    pub fn new(carrier: impl Into<String>, reference: impl Into<String>) -> CarrierRef {
        let mut reference = reference.into();
        if reference.len() > REFERENCE_MAX {
            reference = format!("hash:{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, reference.as_bytes()));
        }
        CarrierRef { carrier: carrier.into(), reference }
    }
}

/// How a part's way to the carrier stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Submit {
    /// To be submitted at `at_ms` (Unix milliseconds), after `attempts` refusals that allow another.
    Owed {
        /// When.
        at_ms: i64,
        /// Refusals so far.
        attempts: u32,
        /// Hand-overs so far of unknown outcome: each may have reached the recipient.
        #[serde(default, skip_serializing_if = "is_zero")]
        unknown: u8,
    },
    /// Handed to the carrier, whose answer is not known (yet); handed over again only if the carrier reports
    /// that it does not have it.
    Handed {
        /// Refusals so far.
        attempts: u32,
        /// As in [`Submit::Owed`].
        #[serde(default, skip_serializing_if = "is_zero")]
        unknown: u8,
    },
    /// The carrier answered, or nothing is to be sent any more.
    Done,
}

/// A status, why, and since when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusRecord {
    /// The status.
    pub status: Status,
    /// Why.
    pub detail: Detail,
    /// The carrier's own words, if it gave some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Since when, Unix milliseconds.
    pub at_ms: i64,
    /// We set it ourselves (the clock ran out, or the step was left), or it is about the last of several
    /// hand-overs, of which another may have been taken: a carrier's word on the part may still replace it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

fn is_zero(count: &u8) -> bool {
    *count == 0
}

impl Part {
    /// What it costs: nothing until it is charged, at the moment that its channel fixes.
    pub fn price(&self, channel: Channel) -> Price {
        let charged = match channel.rules().charge {
            Charge::OnAcceptance => true,
            Charge::OnSuccess => self.status.status.is_success() || self.expired_on_delivery_ms.is_some(),
        };
        let intervals = match (self.interval_s, self.duration_s) {
            (Some(interval_s), Some(duration_s)) => duration_s.div_ceil(interval_s.max(1)).max(1),
            _ => 1,
        };
        if charged { self.rate.unwrap_or_default() * Price::from(intervals) } else { Price::ZERO }
    }

    /// Whether a carrier's receipt for this part counts for `other`, of the same message, as well: both have
    /// one id, or the carrier sends one receipt for all parts that it accepted.
    pub(crate) fn shares_receipts_with(&self, other: &Part) -> bool {
        let (Some(own), Some(other)) = (&self.carrier, &other.carrier) else { return false };
        own == other || (self.covers == Covers::Receipts && own.carrier == other.carrier)
    }

    /// The amount by which it lowers its application's balance: its price, or what is held while that is
    /// open.
    pub(crate) fn committed(&self, channel: Channel) -> Price {
        let Some(held) = self.held else { return Price::ZERO };
        let price = self.price(channel);
        let open = self.submit != Submit::Done
            || (self.carrier.is_some()
                && !channel.rules().is_final(self.status.status)
                && !self.status.provisional);
        if price == Price::ZERO && open { held } else { price }
    }
}
