//! What a channel's file says of it: [`ChannelRules`] for all of its messages, [`ChannelContent`] for one.

use super::sandbox::SandboxScript;
use crate::detail::Detail;
use crate::limits::Limits;
use crate::status::Status;
use crate::ttl::TtlRule;
use crate::violation::Violations;
use serde_json::Value;

/// What a channel fixes for all of its messages: data, so that nothing else has to know a channel by its
/// name.
#[derive(Debug)]
pub struct ChannelRules {
    /// The contract's spelling of the channel.
    pub name: &'static str,
    /// The statuses of a message under way, from the first one on; a receipt never takes a message back in
    /// it.
    pub open_statuses: &'static [Status],
    /// The statuses that nothing can follow.
    pub final_statuses: &'static [Status],
    /// The status of a part that a carrier accepted; absent: the part's status stays.
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
    /// Its messages are conversations: a carrier reports how long they lasted and who answered, and may
    /// charge each interval of them.
    pub has_duration: bool,
    /// Its parts count towards [`Limits::parts_max`].
    pub counts_parts: bool,
    /// Trackings write its statuses in capitals (contract, section 7).
    pub has_capital_statuses: bool,
    /// The fields of [`ChannelContent::fields`] that its messages may have.
    pub fields: &'static [&'static str],
    /// Its messages carry the flow's registration ids ([`crate::Restrictions`]), in the fields
    /// `content_template_id` and `principal_entity_id`.
    pub has_restrictions: bool,
    /// What the sandbox carrier plays.
    pub sandbox: SandboxScript,
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

    /// Whether the status implies an earlier success: `Seen` follows `Delivered`.
    pub(crate) fn follows_success(&self, status: Status) -> bool {
        status.is_success()
            && self.is_final(status)
            && self.open_statuses.iter().any(|open| open.is_success())
    }

    /// Whether a carrier's `next` may replace `known`.
    ///
    /// `provisional` is [`crate::StatusRecord::provisional`]: the carrier knows better then, however late.
    /// What a carrier reported as final stays. `expires_unseen` is [`ChannelContent::expires_unseen`].
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

/// What the rest of the crate asks of a step's content, whatever its channel.
pub trait ChannelContent {
    /// The sender id, as the channel has it.
    fn sender(&self) -> &str;

    /// The sender as trackings show it.
    fn shown_sender(&self) -> &str {
        self.sender()
    }

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

    /// What it shows or says, by names that providers' templates use. A message must be carried with all of
    /// its fields, or not at all.
    fn fields(&self) -> Vec<(&'static str, Value)>;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::channel::sandbox::Play;

    /// The statuses that may replace one.
    fn next(channel: Channel, known: Status, provisional: bool, expires_unseen: bool) -> Vec<Status> {
        let rules = channel.rules();
        Status::ALL
            .into_iter()
            .filter(|next| rules.yields(known, *next, provisional, expires_unseen))
            .collect()
    }

    #[test]
    fn what_a_carrier_reports_replaces_what_came_before_it() {
        use Channel::{Sms, Viber, Voice};
        use Status::*;
        let sms_ends = [Delivered, Undelivered, Failed, Unsent];
        assert_eq!(next(Sms, Queued, false, false), [&[Sent], &sms_ends[..]].concat());
        assert_eq!(next(Sms, Sent, false, false), sms_ends);
        let viber = [Delivered, Seen, Undelivered, Expired, Failed, Unsent];
        assert_eq!(next(Viber, Queued, false, false), viber);
        assert_eq!(next(Viber, Delivered, false, false), [Seen]);
        assert_eq!(next(Viber, Delivered, false, true), [Seen, Expired]);
        let call_ends = [Failed, Unsent, Completed, Busy, NoAnswer, Terminated];
        assert_eq!(
            next(Voice, Initiated, false, false),
            [&call_ends[..2], &[Ringing], &call_ends[2..]].concat()
        );
        assert_eq!(next(Voice, Ringing, false, false), call_ends);
    }

    #[test]
    fn what_ended_stays_unless_we_ended_it_ourselves() {
        for channel in Channel::ALL {
            let rules = channel.rules();
            for known in rules.final_statuses.iter().copied() {
                assert_eq!(next(channel, known, false, true), []);
                let ends = next(channel, known, true, false);
                for status in rules.statuses() {
                    let is_sent = known == Status::Unsent && Some(status) == rules.accepted;
                    let is_better = rules.is_final(status) || status.is_success() || is_sent;
                    assert_eq!(ends.contains(&status), is_better && status != known, "{known:?} {status:?}");
                }
            }
        }
    }

    #[test]
    fn seen_follows_a_success() {
        for channel in Channel::ALL {
            let rules = channel.rules();
            let following: Vec<Status> =
                rules.statuses().filter(|status| rules.follows_success(*status)).collect();
            let is_confirmed = rules.open_statuses.contains(&Status::Delivered);
            assert_eq!(following, if is_confirmed { vec![Status::Seen] } else { vec![] }, "{channel}");
        }
    }

    #[test]
    fn the_rules_of_a_channel_fit_together() {
        for channel in Channel::ALL {
            let rules = channel.rules();
            assert_eq!(rules.initial(), rules.open_statuses[0]);
            for status in Status::ALL {
                let count = rules.statuses().filter(|known| *known == status).count();
                assert_eq!(count, usize::from(rules.has(status)), "{channel} {status:?}");
            }
            for open in rules.open_statuses {
                assert!(!rules.is_final(*open) && (!open.is_final() || open.is_success()));
            }
            for end in rules.final_statuses {
                assert!(rules.is_final(*end) && end.is_final());
                assert!(rules.progress(*end) > rules.progress(*rules.open_statuses.last().unwrap()));
            }
            assert!(rules.accepted.is_none_or(|status| rules.open_statuses.contains(&status)));
            assert!(rules.final_statuses.contains(&rules.expired.0) && !rules.expired.0.is_success());
            for needed in [Status::Failed, Status::Unsent] {
                assert!(rules.final_statuses.contains(&needed), "{channel}: {needed:?} is set by us");
            }
            assert!(rules.failover_choices.iter().all(|status| rules.final_statuses.contains(status)));
            assert!(rules.failover_default.iter().all(|status| rules.failover_choices.contains(status)));
            assert!(rules.ttl.allows(rules.ttl.default));
        }
    }

    #[test]
    fn statuses_are_read_and_written_by_their_names() {
        let viber = Channel::Viber.rules();
        assert_eq!(viber.parse_status("sEEN"), Some(Status::Seen));
        assert_eq!(viber.parse_status("Ringing"), None);
        assert_eq!(viber.tracking_name(Status::Seen), "SEEN");
        assert_eq!(Channel::Sms.rules().tracking_name(Status::Sent), "Sent");
    }

    #[test]
    fn the_sandbox_plays_statuses_that_the_channel_has() {
        for channel in Channel::ALL {
            let rules = channel.rules();
            let plays = rules.sandbox.digits.iter().map(|(_, play)| play).chain([&rules.sandbox.success]);
            for play in plays {
                if let Play::Receipts(receipts) = play {
                    assert!(receipts.iter().all(|receipt| rules.has(receipt.status)), "{channel}: {play:?}");
                }
            }
            let Play::Receipts(receipts) = rules.sandbox.play(0) else { panic!("{channel} has no success") };
            assert!(receipts.last().is_some_and(|last| last.status.is_success()));
        }
        assert!(matches!(Channel::Sms.rules().sandbox.play(2), Play::Refusal));
        assert_eq!(Channel::Sms.rules().sandbox.price.to_string(), "0.045");
    }
}
