//! A flow and what it holds.

use crate::REFERENCE_MAX;
use crate::callbacks::{Callbacks, PendingCallback};
use crate::{Channel, ChannelSet, Detail, Facets, Price, Restrictions, Status, Step};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A failover flow: what was asked for, and what has become of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// The tracking id (UUIDv7).
    pub id: Uuid,
    /// The application that owns it.
    pub application: String,
    /// Plain or transactional.
    #[serde(default, skip_serializing_if = "FlowKind::is_plain")]
    pub kind: FlowKind,
    /// When it was accepted, Unix milliseconds.
    pub created_ms: i64,
    /// How long a ttl minute lasts, milliseconds; fixed at acceptance so that a restart changes nothing.
    pub minute_ms: u64,
    /// Its steps, ascending by `order`; at least one.
    pub steps: Vec<Step>,
    /// Where results go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// India: registration ids for all Sms steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restrictions: Option<Restrictions>,
    /// What has become of it.
    pub state: State,
    /// Its callbacks that are owed or were given up.
    #[serde(default, skip_serializing_if = "Callbacks::is_empty")]
    pub callbacks: Callbacks,
    /// How many callbacks it has owed so far: the last one's number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub callbacks_made: u32,
    /// Its target wants no more callbacks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callbacks_ended: bool,
    /// Octets that its callbacks may take in its document; what was never sent is told in one beyond it.
    #[serde(default = "callback_bytes_default", skip_serializing_if = "is_callback_bytes_default")]
    pub callback_bytes_max: u32,
    /// Documents of version 0.1: the callbacks that were given up; see [`Flow::adopt_old_callbacks`].
    #[serde(rename = "dead_callbacks", default, skip_serializing)]
    pub(crate) old_dead_callbacks: Vec<PendingCallback>,
}

/// Octets that a flow's callbacks may take in its document, where its steps leave so much.
pub const CALLBACK_BYTES: u32 = 80 * 1024;

fn callback_bytes_default() -> u32 {
    CALLBACK_BYTES
}

fn is_callback_bytes_default(octets: &u32) -> bool {
    *octets == CALLBACK_BYTES
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn is_none_yet(count: &u8) -> bool {
    *count == 0
}

/// The part of a flow that changes and that its tracking shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    /// When it last changed, Unix milliseconds.
    pub updated_ms: i64,
    /// How far it is.
    pub status: FlowStatus,
    /// Why it failed; only when [`FlowStatus::Failed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<StatusCode>,
    /// Its application cancelled it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// The channel of the step that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Channel>,
    /// The steps that were started, in order: message `i` belongs to step `i`.
    pub messages: Vec<Message>,
}

/// Whether a flow is plain or transactional (contract, section 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum FlowKind {
    /// `POST /failover`.
    #[default]
    Plain,
    /// `POST /failover/transactional`.
    Transactional,
}

impl FlowKind {
    fn is_plain(&self) -> bool {
        *self == FlowKind::Plain
    }
}

/// How far a flow is (contract, section 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum FlowStatus {
    /// Accepted; no carrier has taken the first step yet.
    Queued,
    /// Under way.
    InProgress,
    /// A step got through.
    Succeeded,
    /// None did.
    Failed,
}

impl FlowStatus {
    /// Every status, in the order of a flow's life.
    pub const ALL: [FlowStatus; 4] =
        [FlowStatus::Queued, FlowStatus::InProgress, FlowStatus::Succeeded, FlowStatus::Failed];

    /// The contract's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            FlowStatus::Queued => "Queued",
            FlowStatus::InProgress => "InProgress",
            FlowStatus::Succeeded => "Succeeded",
            FlowStatus::Failed => "Failed",
        }
    }

    /// Reads a status in any case.
    pub fn parse(name: &str) -> Option<FlowStatus> {
        FlowStatus::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(name))
    }

    /// Whether nothing can follow it.
    pub const fn is_final(self) -> bool {
        matches!(self, FlowStatus::Succeeded | FlowStatus::Failed)
    }
}

/// Why a flow failed (contract, section 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StatusCode {
    /// Our fault, or cancelled.
    ServerError = 0,
    /// The application's balance can't pay the step.
    InsufficientBalance = 1,
    /// The last step ended in a failover status.
    NoNextStep = 2,
    /// A step ended unsuccessfully in a status that it does not fail over on.
    FailoverNotTriggered = 3,
}

/// A started step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The contract's `messageId` (Sms, Voice) or message `trackingId` (Viber).
    pub id: Uuid,
    /// When it was started, Unix milliseconds.
    pub created_ms: i64,
    /// When its time to live is over, Unix milliseconds.
    pub expires_ms: i64,
    /// Its parts: one or more for Sms, else exactly one.
    pub parts: Vec<Part>,
}

/// What a carrier sees as one message: a part of an Sms, a Viber message, a call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// The contract's `smsId` for Sms; internal otherwise.
    pub id: Uuid,
    /// What became of it.
    pub status: StatusRecord,
    /// How its way to the carrier stands.
    pub submit: Submit,
    /// Which carrier took it and what it calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<CarrierRef>,
    /// What the carrier's receipts for this part are about.
    #[serde(rename = "whole", default, skip_serializing_if = "Covers::is_part")]
    pub covers: Covers,
    /// What of the application's balance is held for it until it is charged or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Price>,
    /// What the carrier charges for it, or for each interval of it, once charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Price>,
    /// A call is charged for each started interval of so many seconds; absent: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<u32>,
    /// The recipient's network, when the rate or the carrier tells.
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
    /// The part is handed over alone, but a receipt for it counts for every part of the message that the carrier took.
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
    /// A message as its carrier calls it. An id of more than [`REFERENCE_MAX`] octets is kept by its hash, so that a
    /// provider can't make a flow larger; its receipts name it alike.
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
        /// Hand-overs so far whose outcome nobody knows: each may have reached the recipient.
        #[serde(default, skip_serializing_if = "is_none_yet")]
        unknown: u8,
    },
    /// Handed to the carrier, whose answer is not known (yet); not handed again unless the carrier turns out not
    /// to have it.
    Handed {
        /// Refusals so far.
        attempts: u32,
        /// As in [`Submit::Owed`].
        #[serde(default, skip_serializing_if = "is_none_yet")]
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
    /// More words from the carrier, where it gave some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Since when, Unix milliseconds.
    pub at_ms: i64,
    /// We set it ourselves (the clock ran out, or the step was left): the carrier's word may still replace it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

/// Where results go and when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Callback {
    /// When it is called.
    pub strategy: CallbackStrategy,
    /// Where.
    pub url: String,
}

/// When a callback is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CallbackStrategy {
    /// On every change of a status.
    OnChange,
    /// Once, at the flow's final status.
    OnCompletion,
}

/// What a client asks for, checked and with every default filled in.
#[derive(Clone, Debug)]
pub struct NewFlow {
    /// The tracking id.
    pub id: Uuid,
    /// The application that owns it.
    pub application: String,
    /// Plain or transactional.
    pub kind: FlowKind,
    /// How long a ttl minute lasts, milliseconds.
    pub minute_ms: u64,
    /// Its steps, ascending by `order`; at least one.
    pub steps: Vec<Step>,
    /// Where results go.
    pub callback: Option<Callback>,
    /// India: registration ids for all Sms steps.
    pub restrictions: Option<Restrictions>,
    /// Octets that its callbacks may take in its document: [`NewFlow::measure`].
    pub callback_bytes_max: u32,
}

impl Part {
    /// What it costs: an Sms part when a carrier took it, a Viber message when it was delivered, a call when it
    /// was answered.
    pub fn price(&self, channel: Channel) -> Price {
        let charged = match channel {
            Channel::Sms => true,
            Channel::Viber | Channel::Voice => {
                self.status.status.is_success() || self.expired_on_delivery_ms.is_some()
            }
        };
        let intervals = match (self.interval_s, self.duration_s) {
            (Some(interval_s), Some(duration_s)) => duration_s.div_ceil(interval_s.max(1)).max(1),
            _ => 1,
        };
        if charged { self.rate.unwrap_or_default() * Price::from(intervals) } else { Price::ZERO }
    }
}

impl Part {
    /// Whether a carrier's receipt for this part counts for `other`, of the same message, as well: it called both by one
    /// id, or sends one receipt for all parts that it took.
    pub(crate) fn shares_receipts_with(&self, other: &Part) -> bool {
        let (Some(own), Some(other)) = (&self.carrier, &other.carrier) else { return false };
        own == other || (self.covers == Covers::Receipts && own.carrier == other.carrier)
    }

    /// What its application's balance has less because of it: what it costs, or what is held while that is open.
    fn committed(&self, channel: Channel) -> Price {
        let Some(held) = self.held else { return Price::ZERO };
        let price = self.price(channel);
        let open = self.submit != Submit::Done
            || (self.carrier.is_some()
                && !self.status.status.is_final_on(channel)
                && !self.status.provisional);
        if price == Price::ZERO && open { held } else { price }
    }
}

impl Message {
    /// The part whose status speaks for the whole message: the first that failed, else the one that is least
    /// far along.
    pub fn decisive(&self, channel: Channel) -> &Part {
        let rank = |part: &&Part| {
            let status = part.status.status;
            if status.is_final_on(channel) && !status.is_success() { 0 } else { 1 + status.progress(channel) }
        };
        // A message has at least one part.
        self.parts.iter().min_by_key(rank).unwrap_or(&self.parts[0])
    }
}

impl Flow {
    /// What it costs so far.
    pub fn total_price(&self) -> Price {
        self.state.total_price(&self.steps)
    }

    /// What its application's balance has less because of it; falls again where something held was not charged.
    pub fn committed(&self) -> Price {
        let messages = self.state.messages.iter().zip(&self.steps);
        messages
            .flat_map(|(message, step)| message.parts.iter().map(|part| part.committed(step.channel())))
            .sum()
    }

    /// What a search looks at.
    pub fn facets(&self) -> Facets {
        let started = self.state.messages.len().max(1);
        let steps = &self.steps[..started.min(self.steps.len())];
        let mut recipients: Vec<&str> = steps.iter().map(Step::to).collect();
        recipients.sort_unstable();
        recipients.dedup();
        Facets {
            kind: self.kind,
            status: self.state.status,
            termination: self.state.termination,
            types: steps.iter().fold(ChannelSet::default(), |set, step| set.with(step.channel())),
            recipients: recipients.into_iter().map(Into::into).collect(),
        }
    }
}

impl State {
    /// What the messages cost so far; `steps` are the flow's.
    pub fn total_price(&self, steps: &[Step]) -> Price {
        let prices = self.messages.iter().zip(steps);
        prices.flat_map(|(message, step)| message.parts.iter().map(|part| part.price(step.channel()))).sum()
    }
}
