//! What the sandbox carrier plays on a channel: the outcomes that a digit of the recipient selects
//! (docs/sandbox.md).

use crate::detail::Detail;
use crate::price::Price;
use crate::status::Status;

/// What the sandbox carrier plays on a channel.
#[derive(Debug)]
pub struct SandboxScript {
    /// What it charges for a part by default, so that a demo shows totals.
    pub price: Price,
    /// The reason that it gives when it puts a part off.
    pub later_reason: &'static str,
    /// The outcomes of the digits that have one of their own.
    pub digits: &'static [(u32, Play)],
    /// The outcome of all other digits: the message gets through.
    pub success: Play,
}

/// An outcome that the sandbox plays.
#[derive(Debug)]
pub enum Play {
    /// It refuses the part.
    Refusal,
    /// It accepts the part and sends these receipts.
    Receipts(&'static [PlayedReceipt]),
}

/// A receipt that the sandbox sends.
#[derive(Debug)]
pub struct PlayedReceipt {
    /// The status reported.
    pub status: Status,
    /// Why.
    pub detail: Detail,
    /// It comes after the time to live is over.
    pub is_late: bool,
    /// Who answered a conversation, which then has a duration.
    pub answered_by: Option<&'static str>,
}

impl PlayedReceipt {
    pub(super) const fn of(status: Status) -> PlayedReceipt {
        PlayedReceipt { status, detail: Detail::plain(status), is_late: false, answered_by: None }
    }

    pub(super) const fn because(status: Status, detail: Detail) -> PlayedReceipt {
        PlayedReceipt { status, detail, is_late: false, answered_by: None }
    }

    pub(super) const fn late(status: Status) -> PlayedReceipt {
        PlayedReceipt { status, detail: Detail::plain(status), is_late: true, answered_by: None }
    }

    pub(super) const fn answered(status: Status, who: &'static str) -> PlayedReceipt {
        PlayedReceipt { status, detail: Detail::plain(status), is_late: false, answered_by: Some(who) }
    }
}

impl SandboxScript {
    /// What is played for a digit.
    pub fn play(&self, digit: u32) -> &Play {
        self.digits.iter().find(|(known, _)| *known == digit).map_or(&self.success, |(_, play)| play)
    }
}

/// Thousandths of the currency.
pub(super) const fn thousandths(count: u32) -> Price {
    Price::from_parts(count, 0, 0, false, 3)
}
