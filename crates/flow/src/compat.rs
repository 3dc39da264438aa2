//! Questions about channels by the names that they had before the table.

use crate::channel::Channel;
use crate::status::Status;
use crate::ttl::Ttl;

impl Status {
    /// The statuses that a channel knows.
    pub fn all_of(channel: Channel) -> Vec<Status> {
        channel.rules().statuses().collect()
    }

    /// The statuses that a step may name in `failoverOnStatuses`.
    pub const fn failover_choices(channel: Channel) -> &'static [Status] {
        channel.rules().failover_choices
    }

    /// What `failoverOnStatuses` is when a step does not say.
    pub const fn failover_default(channel: Channel) -> &'static [Status] {
        channel.rules().failover_default
    }

    /// Whether the channel has this status.
    pub fn exists_on(self, channel: Channel) -> bool {
        channel.rules().has(self)
    }

    /// The spelling in a tracking: Viber's are capitals (contract, section 7).
    pub fn tracking_name(self, channel: Channel) -> String {
        channel.rules().tracking_name(self)
    }

    /// Reads one of the channel's statuses in any case.
    pub fn parse(channel: Channel, name: &str) -> Option<Status> {
        channel.rules().parse_status(name)
    }

    /// Whether nothing can follow it on this channel: a Viber message that is Delivered can still be Seen.
    pub fn is_final_on(self, channel: Channel) -> bool {
        channel.rules().is_final(self)
    }
}

impl Ttl {
    /// The ttl of a step that does not say.
    pub const fn default_for(channel: Channel) -> Ttl {
        channel.rules().ttl.default
    }
}
