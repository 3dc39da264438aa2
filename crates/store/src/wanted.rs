//! What a transaction has to know that is not in memory, and what was found of it.

use crate::cache::Stored;
use crate::error::StoreError;
use crate::inbound::InboundOctets;
use crate::place::Place;
use flow::{CarrierRef, Channel, Price, Receipt};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// A keyed hash, see [`blind`](crate::application::blind).
pub(crate) type Blind = [u8; 32];

/// Whose idempotency key, and the key.
pub(crate) type KeyOf = (String, String);

/// Whose recipient, over what, and who.
pub(crate) type SuppressionOf = (String, Channel, String);

/// What is looked up: all of it at once, as a database does best.
#[derive(Default, Debug)]
pub(crate) struct Wanted {
    /// Flows by id.
    pub(crate) flows: BTreeSet<Uuid>,
    /// Parts by what their carriers call them.
    pub(crate) references: HashSet<CarrierRef>,
    /// Early receipts by reference.
    pub(crate) early: HashSet<CarrierRef>,
    /// Idempotency keys.
    pub(crate) keys: HashSet<KeyOf>,
    /// Balances, by application.
    pub(crate) balances: BTreeSet<String>,
    /// Unanswered parts of flows.
    pub(crate) unanswered: BTreeSet<Uuid>,
    /// Unanswered parts to recipients, and early receipts for them.
    pub(crate) recipients: BTreeSet<Blind>,
    /// Segments of handsets' messages.
    pub(crate) segments: BTreeSet<Blind>,
    /// Opt-outs.
    pub(crate) suppressions: HashSet<SuppressionOf>,
    /// At most so many closed flows that were accepted before a time, Unix milliseconds.
    pub(crate) old_flows: Option<(i64, usize)>,
    /// At most so many flows whose dead callbacks somebody asked to make again.
    pub(crate) replays: Option<usize>,
}

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        self.flows.is_empty()
            && self.references.is_empty()
            && self.early.is_empty()
            && self.keys.is_empty()
            && self.balances.is_empty()
            && self.unanswered.is_empty()
            && self.recipients.is_empty()
            && self.segments.is_empty()
            && self.suppressions.is_empty()
            && self.old_flows.is_none()
            && self.replays.is_none()
    }
}

/// The parts that a carrier calls by one id.
#[derive(Default, Debug)]
pub(crate) struct Reference {
    /// The newest one.
    pub(crate) newest: Option<Place>,
    /// Those before it, if the carrier used the id again, newest first.
    pub(crate) older: Vec<Place>,
}

/// An idempotency key that was used.
#[derive(Debug)]
pub(crate) struct UsedKey {
    /// What it was sent with: a keyed hash, or the hash itself if version 0.1 kept it.
    pub(crate) body_hash: Vec<u8>,
    /// The flow that was accepted with it.
    pub(crate) flow: Uuid,
}

/// A part that was handed to a carrier which did not answer yet, or did not answer at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unanswered {
    pub(crate) place: Place,
    /// A hash of the carrier and the recipient's digits.
    pub(crate) recipient: Blind,
    /// The writer whose process still waits for the answer.
    pub(crate) awaited_by: Option<i64>,
}

/// What is known of a recipient.
#[derive(Default, Debug)]
pub(crate) struct Recipient {
    /// Parts without an answer, by place.
    pub(crate) unanswered: Vec<Unanswered>,
    /// Early receipts, in the order in which they came: when, and under what reference.
    pub(crate) early: Vec<(i64, CarrierRef)>,
}

/// A message of a handset, or the part of it that is there, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HandsetText {
    pub(crate) carrier: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) total: u8,
    pub(crate) segments: Vec<InboundOctets>,
}

/// A segment that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u8,
    pub(crate) received_ms: i64,
    /// `None` if it can't be read.
    pub(crate) text: Option<HandsetText>,
}

/// Flows that are old enough to go.
#[derive(Default, Debug)]
pub(crate) struct OldFlows {
    pub(crate) flows: Vec<Stored>,
    /// Those that can't be read, by [`Stored::handle`].
    pub(crate) unreadable: Vec<i64>,
}

/// What was found. What was looked up and is not there has an entry that says so.
#[derive(Default, Debug)]
pub(crate) struct Found {
    /// Flows; an error for one that can't be read.
    pub(crate) flows: HashMap<Uuid, Result<Option<Stored>, StoreError>>,
    pub(crate) references: HashMap<CarrierRef, Reference>,
    /// Early receipts, in the order in which they came; an error if one can't be read.
    pub(crate) early: HashMap<CarrierRef, Result<Vec<Receipt>, StoreError>>,
    pub(crate) keys: HashMap<KeyOf, Option<UsedKey>>,
    /// `None` for an application without a balance.
    pub(crate) balances: HashMap<String, Option<Price>>,
    pub(crate) unanswered: HashMap<Uuid, Vec<Unanswered>>,
    pub(crate) recipients: HashMap<Blind, Recipient>,
    pub(crate) segments: HashMap<Blind, Vec<Segment>>,
    pub(crate) suppressions: HashMap<SuppressionOf, bool>,
    pub(crate) old_flows: Option<OldFlows>,
    pub(crate) replays: Option<Vec<Uuid>>,
}

impl Found {
    /// Adds what was found later.
    pub(crate) fn extend(&mut self, more: Found) {
        self.flows.extend(more.flows);
        self.references.extend(more.references);
        self.early.extend(more.early);
        self.keys.extend(more.keys);
        self.balances.extend(more.balances);
        self.unanswered.extend(more.unanswered);
        self.recipients.extend(more.recipients);
        self.segments.extend(more.segments);
        self.suppressions.extend(more.suppressions);
        self.old_flows = more.old_flows.or(self.old_flows.take());
        self.replays = more.replays.or(self.replays.take());
    }
}
