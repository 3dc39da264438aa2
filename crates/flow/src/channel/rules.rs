//! What a channel's file says of it: [`ChannelRules`] for all of its messages, [`ChannelContent`] for one.

use crate::detail::Detail;
use crate::limits::Limits;
use crate::status::Status;
use crate::ttl::TtlRule;
use crate::violation::Violations;

/// What a channel fixes for all of its messages: data, so that nothing else has to know a channel by its name.
#[derive(Debug)]
pub struct ChannelRules {
    /// The contract's spelling of the channel.
    pub name: &'static str,
    /// The statuses of a message under way, from the first one on; a receipt never takes a message back in it.
    pub open_statuses: &'static [Status],
    /// The statuses that nothing can follow.
    pub final_statuses: &'static [Status],
    /// The status of a part that a carrier accepted; absent: the channel has none, and its status stays.
    pub accepted: Option<Status>,
    /// What a message becomes when its time to live is over, and why.
    pub expired: (Status, Detail),
    /// The statuses that a step may name in `failoverOnStatuses`.
    pub failover_choices: &'static [Status],
    /// What `failoverOnStatuses` is if absent.
    pub failover_default: &'static [Status],
    /// The times to live that its steps may have.
    pub ttl: TtlRule,
    /// When a part is charged.
    pub charge: Charge,
    /// Its messages are conversations: a carrier reports how long they lasted and who answered, and may charge each
    /// interval of them.
    pub has_duration: bool,
    /// Its parts count towards [`Limits::parts_max`].
    pub counts_parts: bool,
    /// Trackings write its statuses in capitals (contract, section 7).
    pub has_capital_statuses: bool,
    /// Octets of JSON that a part takes in a flow's document, at most, beside the texts of its carrier.
    pub part_octets: usize,
}

/// When a part is charged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charge {
    /// When a carrier accepts it.
    OnAcceptance,
    /// When it gets through.
    OnSuccess,
}

impl ChannelRules {
    /// The status of a message that has just started.
    pub const fn initial(&self) -> Status {
        self.open_statuses[0]
    }

    /// Every status that the channel knows.
    pub fn statuses(&self) -> impl Iterator<Item = Status> {
        self.open_statuses.iter().chain(self.final_statuses).copied()
    }

    /// Whether the channel knows this status.
    pub fn has(&self, status: Status) -> bool {
        self.statuses().any(|known| known == status)
    }

    /// Reads one of the channel's statuses in any case.
    pub fn parse_status(&self, name: &str) -> Option<Status> {
        self.statuses().find(|status| status.name().eq_ignore_ascii_case(name))
    }

    /// The spelling of a status in a tracking.
    pub fn tracking_name(&self, status: Status) -> String {
        let name = status.name();
        if self.has_capital_statuses { name.to_ascii_uppercase() } else { name.to_owned() }
    }

    /// Whether nothing can follow the status on this channel. One that the channel doesn't know is final.
    pub fn is_final(&self, status: Status) -> bool {
        !self.open_statuses.contains(&status)
    }

    /// How far along a message with this status is; all final statuses are equally far.
    pub(crate) fn progress(&self, status: Status) -> usize {
        let position = self.open_statuses.iter().position(|open| *open == status);
        position.unwrap_or(self.open_statuses.len())
    }

    /// Whether the status tells of a message that got through before: `Seen` follows `Delivered`.
    pub(crate) fn follows_success(&self, status: Status) -> bool {
        status.is_success()
            && self.is_final(status)
            && self.open_statuses.iter().any(|open| open.is_success())
    }

    /// Whether a carrier's `next` may replace `known`.
    ///
    /// `provisional` says that we set `known` ourselves (our clock ran out, or the step was left before this part was
    /// sent): then the carrier's word is the better one, however late. What a carrier reported as final stays.
    /// `expires_unseen` is [`ChannelContent::expires_unseen`].
    pub(crate) fn yields(
        &self,
        known: Status,
        next: Status,
        provisional: bool,
        expires_unseen: bool,
    ) -> bool {
        if !self.has(next) || next == known {
            return false;
        }
        if self.is_final(known) {
            let was_sent = known == Status::Unsent && Some(next) == self.accepted;
            return provisional && (self.is_final(next) || next.is_success() || was_sent);
        }
        if known.is_success() {
            return next.is_success() || (next == self.expired.0 && expires_unseen);
        }
        self.progress(next) > self.progress(known)
    }
}

/// What every channel's content can be asked.
pub trait ChannelContent {
    /// The sender id, as the channel has it.
    fn sender(&self) -> &str;

    /// The recipient: a number in E.164, or an address where the channel has such.
    fn recipient(&self) -> &str;

    /// The client's own mark.
    fn label(&self) -> Option<&str> {
        None
    }

    /// How many parts it has: the messages that a carrier sees.
    fn part_count(&self) -> usize {
        1
    }

    /// Whether a message that got through and was not seen expires when its time to live is over.
    fn expires_unseen(&self) -> bool {
        false
    }

    /// Adds every rule of the contract's section 2 that it breaks.
    fn check(&self, limits: &Limits, found: &mut Violations);

    /// This content without its type.
    fn as_common(&self) -> &dyn ChannelContent
    where
        Self: Sized,
    {
        self
    }
}
