//! What can happen to a flow.

use crate::detail::Detail;
use crate::flow_status::FlowStatus;
use crate::part::{CarrierRef, Covers};
use crate::price::{Price, Rate};
use crate::receipt::Receipt;

/// Something that happened to a flow. Positions count from 0; one that names nothing is ignored.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A part is about to be handed to a carrier that must not get it twice.
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
    /// A part was handed to a carrier, nobody knows whether the carrier has it, and it is not handed over again.
    Unanswered {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The carrier's name.
        carrier: String,
        /// As in [`Event::Handed`].
        covers: Covers,
    },
    /// So much of the application's balance is held for a part that is about to be handed over.
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
    /// A carrier took a part.
    Submitted {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Which carrier, and what it calls the message.
        carrier: CarrierRef,
        /// What it charges, and the recipient's network, if known. If not, it charges what was held for the part.
        rate: Option<Rate>,
        /// What it took under this reference, and what its receipts will be about.
        covers: Covers,
    },
    /// A carrier refused a part for good.
    Refused {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Why.
        detail: Detail,
        /// The carrier's words.
        description: Option<String>,
    },
    /// A carrier says after the fact that it does not have a part whose hand-over had an unknown outcome.
    RefusedLate {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The part's count of unknown hand-overs ([`Submit::Owed`], [`Submit::Handed`]) when the answer came. If it is
        /// another one by now, the event is out of date and changes nothing; so it can't count twice.
        unknown: u8,
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
        /// It was handed over, and nobody knows whether the carrier has it.
        unknown: bool,
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
    /// The application wants no more of it: the flow ends, and nothing is handed over any more.
    Cancel,
    /// The oldest callback that is owed was acknowledged.
    CallbackDone {
        /// Its number.
        number: u32,
    },
    /// It was not; it is due again at `at_ms`, or given up when that is `None`.
    CallbackFailed {
        /// Its number.
        number: u32,
        /// When, Unix milliseconds.
        at_ms: Option<i64>,
        /// Why.
        error: String,
    },
    /// Its target wants no more callbacks of this flow (contract, section 5: `410`); what is owed is given up.
    CallbacksEnded {
        /// Its number.
        number: u32,
        /// What it answered.
        error: String,
    },
    /// Callbacks that were given up are owed again.
    CallbacksReplayed,
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
    },
}

/// Something worth counting about an applied event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// A receipt changed a message whose step had been left.
    LateReceipt,
    /// A receipt told nothing new, or something older than what is known.
    StaleReceipt,
    /// The next step was started.
    Failover,
    /// The flow ended with this status.
    Ended(FlowStatus),
}

/// What an event did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether the flow is another one than before.
    pub changed: bool,
    /// What is worth counting.
    pub notes: Vec<Note>,
}
