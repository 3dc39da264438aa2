//! What can happen to a flow.

use crate::detail::Detail;
use crate::flow_status::FlowStatus;
use crate::part::{CarrierRef, Covers};
use crate::price::{Price, Rate};
use crate::receipt::Receipt;

/// Something that happened to a flow. Positions count from 0; one that names nothing is ignored.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A part is about to be handed to a carrier, which must not get it twice.
    Handed {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The carrier's name.
        carrier: String,
        /// What is handed over with it, and what its receipts will be about.
        covers: Covers,
    },
    /// A part was handed to a carrier that did not answer, and is not handed over again: the carrier may have
    /// it.
    Unanswered {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The carrier's name.
        carrier: String,
        /// As in [`Event::Handed`].
        covers: Covers,
        /// Why there is no answer.
        reason: &'static str,
    },
    /// An amount of the application's balance is held for a part that is about to be handed over.
    Reserved {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// What is expected to be charged.
        price: Price,
    },
    /// The application's balance can't pay a message: the flow ends (contract, section 6).
    Unaffordable {
        /// The message's position.
        message: u16,
    },
    /// A carrier may have a part: its receipts would find it.
    Expected {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Which carrier, and what it would call the message.
        carrier: CarrierRef,
        /// As in [`Event::Handed`].
        covers: Covers,
    },
    /// A carrier accepted a part.
    Submitted {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Which carrier, and what it calls the message.
        carrier: CarrierRef,
        /// What it charges, and the recipient's network, if known. If not, it charges what was held for the
        /// part.
        rate: Option<Rate>,
        /// What it accepted under this reference, and what its receipts will be about.
        covers: Covers,
    },
    /// A carrier refused a part for good, or no carrier can take it.
    Refused {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The carrier's name; absent: no carrier can take it.
        carrier: Option<String>,
        /// Why.
        detail: Detail,
        /// The carrier's words.
        description: Option<String>,
    },
    /// The recipient is on the application's list of opt-outs: the part is not sent.
    Suppressed {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
    },
    /// A carrier refuses, late, a part whose hand-over had an unknown outcome: it does not have it.
    RefusedLate {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The part's count of unknown hand-overs ([`crate::Submit`]) when the answer came. If the count has
        /// changed since, the event is out of date and changes nothing; so it can't count twice.
        unknown: u8,
        /// The carrier's name.
        carrier: String,
        /// What the carrier said.
        refusal: LateRefusal,
    },
    /// A part could not be handed over now; it is due again at `at_ms`.
    Deferred {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// When, Unix milliseconds.
        at_ms: i64,
        /// It was handed over, and the carrier may have it.
        unknown: bool,
        /// The carrier's name.
        carrier: String,
        /// Why.
        reason: &'static str,
    },
    /// A carrier reports on a part.
    Receipt {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The report.
        receipt: Receipt,
    },
    /// A message's time to live is over.
    Expire {
        /// The message's position.
        message: u16,
    },
    /// The application cancels the flow: it ends, and no part is handed over any more.
    Cancel {
        /// The operator who asked for it; `None`: the application did.
        by: Option<String>,
    },
    /// The oldest callback that is owed was acknowledged.
    CallbackDone {
        /// Its number.
        number: u32,
        /// How it was tried.
        attempt: Attempt,
    },
    /// The oldest callback that is owed was not acknowledged.
    CallbackFailed {
        /// Its number.
        number: u32,
        /// When it is due again, Unix milliseconds; absent: it is given up.
        at_ms: Option<i64>,
        /// Why.
        error: String,
        /// How it was tried.
        attempt: Attempt,
    },
    /// The target refuses further callbacks of this flow (contract, section 5: `410`); those owed are given
    /// up.
    CallbacksEnded {
        /// Its number.
        number: u32,
        /// What it answered.
        error: String,
        /// How it was tried.
        attempt: Attempt,
    },
    /// Callbacks that were given up are owed again.
    CallbacksReplayed,
}

/// An attempt of a callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attempt {
    /// The HTTP status that the target answered; absent: there was no answer.
    pub status: Option<u16>,
    /// How long it took, milliseconds.
    pub took_ms: u32,
}

/// A refusal that came late.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LateRefusal {
    /// For good.
    Final {
        /// Why.
        detail: Detail,
        /// The carrier's words.
        description: Option<String>,
    },
    /// For now.
    Temporary {
        /// When the part may be handed over again, Unix milliseconds.
        at_ms: i64,
        /// Why.
        reason: &'static str,
    },
}

/// Something about an applied event that metrics count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// A receipt changed a message whose step had been left.
    LateReceipt,
    /// A receipt reported what was known already, or something older.
    StaleReceipt,
    /// The next step was started.
    Failover,
    /// The flow ended with this status.
    Ended(FlowStatus),
}

/// What an event did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether the flow changed.
    pub changed: bool,
    /// What metrics count.
    pub notes: Vec<Note>,
}
