//! What a transaction writes.

use crate::application::Token;
use crate::cache::Stored;
use crate::document::Document;
use crate::place::Place;
use crate::suppression::Suppression;
use crate::unmatched::UnreadReceipt;
use crate::wanted::{Blind, HandsetText, SuppressionOf, Unanswered};
use flow::statistics::{Contribution, Quarter};
use flow::{CarrierRef, Price, Receipt};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// A flow that is new or changed.
#[derive(Debug)]
pub(crate) struct Put {
    /// It, as it is now. Its handle is the database's to set if it is new.
    pub(crate) stored: Stored,
    pub(crate) is_new: bool,
    pub(crate) document: Document,
}

/// A flow that goes, with its references, its unanswered parts and its later recipients.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) stored: Stored,
    /// Its short links go as well, and nothing of it may be left on the disk.
    pub(crate) erased: bool,
}

/// An idempotency key that is used for the first time.
#[derive(Debug)]
pub(crate) struct NewKey {
    /// A keyed hash of the key.
    pub(crate) key: Blind,
    /// A keyed hash of what it was sent with.
    pub(crate) body: Blind,
    pub(crate) flow: Uuid,
    pub(crate) used_ms: i64,
    pub(crate) application: String,
}

/// A receipt that waits until its message is known.
#[derive(Debug)]
pub(crate) struct NewEarly {
    pub(crate) of: CarrierRef,
    pub(crate) receipt: Receipt,
    /// The last three digits of the recipient, for people.
    pub(crate) shown: Option<String>,
    /// As in [`Unanswered`].
    pub(crate) recipient: Option<Blind>,
    pub(crate) received_ms: i64,
}

/// What came from a handset, whole or in part.
#[derive(Debug)]
pub(crate) struct NewHandsetText {
    /// A keyed hash of the sender.
    pub(crate) sender: Blind,
    pub(crate) text: HandsetText,
    pub(crate) received_ms: i64,
}

/// A change of the opt-outs.
#[derive(Debug)]
pub(crate) enum SuppressionChange {
    /// A recipient opted out.
    Add(Suppression),
    /// That is forgotten.
    Remove(SuppressionOf),
}

/// What changes of flows add to the statistics, by application and the quarter that the flows were accepted
/// in.
pub(crate) type Contributions = BTreeMap<(String, Quarter), Contribution>;

/// What a transaction writes: all of it or nothing. References come before removals, and early receipts that
/// are taken before new ones; else the order does not matter.
#[derive(Default, Debug)]
pub(crate) struct Batch {
    /// New and changed flows, in the order of their first change.
    pub(crate) puts: Vec<Put>,
    pub(crate) removals: Vec<Removal>,
    /// Flows that can't be read and are old enough to go, by handle.
    pub(crate) unreadable: Vec<i64>,
    /// What that adds to the statistics.
    pub(crate) contributions: Contributions,
    /// What carriers call parts, in the order in which they did. The last one becomes the newest of its
    /// reference, and the one before it an older one, if that is of another message.
    pub(crate) references: HashMap<CarrierRef, Vec<Place>>,
    /// References whose early receipts are taken.
    pub(crate) taken: HashSet<CarrierRef>,
    pub(crate) early: Vec<NewEarly>,
    /// Parts that wait for an answer from now on, and `None` for those that do no more.
    pub(crate) unanswered: BTreeMap<Place, Option<Unanswered>>,
    pub(crate) keys: Vec<NewKey>,
    /// What the balances lose, by application; nothing of one without a balance.
    pub(crate) spent: BTreeMap<String, Price>,
    /// Tokens, and how many their application may have.
    pub(crate) tokens: Vec<(Token, usize)>,
    pub(crate) suppressions: Vec<SuppressionChange>,
    /// Receipts that a carrier could not read: the carrier, when, and the receipt.
    pub(crate) unread: Vec<(String, i64, UnreadReceipt)>,
    /// Whole messages of handsets.
    pub(crate) inbound: Vec<NewHandsetText>,
    /// Segments by message and sequence; `None` for one that goes.
    pub(crate) segments: BTreeMap<(Blind, u8), Option<NewHandsetText>>,
    /// Replay requests that are done.
    pub(crate) replayed: Vec<Uuid>,
    /// The time to keep, Unix milliseconds.
    pub(crate) time_ms: Option<i64>,
    /// Removals up to this number of the feed are forgotten.
    pub(crate) removals_until: Option<u64>,
    /// Something of no meaning is written, of a large flow's size.
    pub(crate) probe: bool,
}

impl Batch {
    /// Returns whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.puts.is_empty()
            && self.removals.is_empty()
            && self.unreadable.is_empty()
            && self.references.is_empty()
            && self.taken.is_empty()
            && self.early.is_empty()
            && self.unanswered.is_empty()
            && self.keys.is_empty()
            && self.spent.is_empty()
            && self.tokens.is_empty()
            && self.suppressions.is_empty()
            && self.unread.is_empty()
            && self.inbound.is_empty()
            && self.segments.is_empty()
            && self.replayed.is_empty()
            && self.time_ms.is_none()
            && self.removals_until.is_none()
            && !self.probe
    }
}
