//! Message statuses: which exist on which channel, which are final, and which may follow which
//! (contract, section 7).

use crate::Channel;
use serde::{Deserialize, Serialize};

/// A message status. One vocabulary for all channels; [`Status::exists_on`] says which channel knows which.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Status {
    /// Accepted by us, not yet by a carrier (Sms, Viber).
    Queued,
    /// Accepted by the carrier (Sms).
    Sent,
    /// The handset confirmed it (Sms, Viber).
    Delivered,
    /// The recipient read it (Viber).
    Seen,
    /// It could not be delivered (Sms, Viber).
    Undelivered,
    /// Its time to live passed (Viber).
    Expired,
    /// The carrier refused it or failed.
    Failed,
    /// It was never handed to a carrier.
    Unsent,
    /// The call is being set up (Voice).
    Initiated,
    /// The phone rings (Voice).
    Ringing,
    /// The call was answered and ended (Voice).
    Completed,
    /// The line was busy (Voice).
    Busy,
    /// Nobody answered (Voice).
    NoAnswer,
    /// The callee hung up before the end of the dial plan (Voice).
    Terminated,
}

use Status::*;

impl Status {
    /// The statuses that a channel knows.
    pub const fn all_of(channel: Channel) -> &'static [Status] {
        match channel {
            Channel::Sms => &[Queued, Sent, Delivered, Undelivered, Failed, Unsent],
            Channel::Viber => &[Queued, Delivered, Seen, Expired, Failed, Undelivered, Unsent],
            Channel::Voice => &[Initiated, Ringing, Completed, Busy, NoAnswer, Failed, Unsent, Terminated],
        }
    }

    /// The statuses that a step may name in `failoverOnStatuses`.
    pub const fn failover_choices(channel: Channel) -> &'static [Status] {
        match channel {
            Channel::Sms => &[Undelivered, Failed],
            Channel::Viber => &[Expired, Failed, Undelivered],
            Channel::Voice => &[Completed, Busy, NoAnswer, Failed, Unsent, Terminated],
        }
    }

    /// What `failoverOnStatuses` is when a step does not say.
    pub const fn failover_default(channel: Channel) -> &'static [Status] {
        match channel {
            Channel::Sms => &[Undelivered, Failed],
            Channel::Viber => &[Expired, Failed, Undelivered],
            Channel::Voice => &[Busy, NoAnswer],
        }
    }

    /// Whether the channel has this status.
    pub fn exists_on(self, channel: Channel) -> bool {
        Status::all_of(channel).contains(&self)
    }

    /// The status of a message that has just started.
    pub const fn initial(channel: Channel) -> Status {
        match channel {
            Channel::Sms | Channel::Viber => Queued,
            Channel::Voice => Initiated,
        }
    }

    /// The spelling in `failoverOnStatuses` and in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Queued => "Queued",
            Sent => "Sent",
            Delivered => "Delivered",
            Seen => "Seen",
            Undelivered => "Undelivered",
            Expired => "Expired",
            Failed => "Failed",
            Unsent => "Unsent",
            Initiated => "Initiated",
            Ringing => "Ringing",
            Completed => "Completed",
            Busy => "Busy",
            NoAnswer => "NoAnswer",
            Terminated => "Terminated",
        }
    }

    /// The spelling in a tracking: Viber's are capitals (contract, section 7).
    pub fn tracking_name(self, channel: Channel) -> String {
        match channel {
            Channel::Viber => self.name().to_ascii_uppercase(),
            Channel::Sms | Channel::Voice => self.name().to_owned(),
        }
    }

    /// Reads one of the channel's statuses in any case.
    pub fn parse(channel: Channel, name: &str) -> Option<Status> {
        Status::all_of(channel).iter().copied().find(|status| status.name().eq_ignore_ascii_case(name))
    }

    /// Whether nothing can follow it.
    pub const fn is_final(self) -> bool {
        match self {
            Queued | Sent | Initiated | Ringing => false,
            // Only Sms ends here; for Viber see `is_final_on`.
            Delivered => true,
            Seen | Undelivered | Expired | Failed | Unsent | Completed | Busy | NoAnswer | Terminated => true,
        }
    }

    /// Whether nothing can follow it on this channel: a Viber message that is Delivered can still be Seen.
    pub fn is_final_on(self, channel: Channel) -> bool {
        self.is_final() && !(self == Delivered && channel == Channel::Viber)
    }

    /// Whether the message got through.
    pub const fn is_success(self) -> bool {
        matches!(self, Delivered | Seen | Completed)
    }

    /// How far along a message with this status is; a receipt never takes a message back.
    pub(crate) fn progress(self, channel: Channel) -> u8 {
        match self {
            Queued | Initiated => 0,
            Sent | Ringing => 1,
            Delivered if channel == Channel::Viber => 2,
            _ => 3,
        }
    }

    /// Whether a carrier's `next` may replace this status.
    ///
    /// `provisional` says that we set the status ourselves (our clock ran out, or the step was left before
    /// this part was sent): then the carrier's word, when it comes at last, is the better one. Anything that
    /// a carrier reported as final stays. `expire_on_delivery` is the Viber step's setting.
    pub fn yields_to(
        self,
        next: Status,
        channel: Channel,
        provisional: bool,
        expire_on_delivery: bool,
    ) -> bool {
        if !next.exists_on(channel) || next == self {
            return false;
        }
        if self.is_final_on(channel) {
            return provisional
                && (next.is_final_on(channel) || next == Delivered || (self == Unsent && next == Sent));
        }
        if channel == Channel::Viber && self == Delivered {
            return next == Seen || (next == Expired && expire_on_delivery);
        }
        next.progress(channel) > self.progress(channel)
    }
}

/// The detailed statuses of the contract (section 7): why a message has its status.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Detail(pub std::borrow::Cow<'static, str>);

macro_rules! details {
    ($($constant:ident = $text:literal: $description:literal,)*) => {
        impl Detail {
            $(#[doc = $description] pub const $constant: Detail = Detail(std::borrow::Cow::Borrowed($text));)*

            /// A sentence for people, for a detailed status that the contract names.
            pub fn description(&self) -> &'static str {
                match &*self.0 {
                    $($text => $description,)*
                    _ => "",
                }
            }

            /// Every detailed status that the contract names.
            pub const NAMES: &'static [&'static str] = &[$($text,)*];
        }
    };
}

details! {
    QUEUED = "Queued": "Accepted, not yet handed to a carrier.",
    SENT = "Sent": "The carrier accepted the message.",
    DELIVERED = "Delivered": "The handset confirmed the message.",
    SEEN = "Seen": "The recipient opened the message.",
    UNDELIVERED = "Undelivered": "The carrier could not deliver the message.",
    FAILED = "Failed": "The carrier failed to handle the message.",
    UNDELIVERED_ON_HANDSET = "Undelivered on Handset": "The handset could not take the message.",
    UNKNOWN_NUMBER = "Unknown Number": "The number is not assigned.",
    ROAMING = "Roaming": "The recipient is roaming and can't be reached.",
    CALL_BARRED = "Call Barred": "The recipient's line is barred.",
    UNKNOWN_STATUS = "Unknown Status": "The carrier does not know what became of the message.",
    CARRIER_VIOLATION = "Carrier Violation": "The message breaks a rule of the carrier.",
    EXPIRED = "Expired": "Not delivered within its time to live.",
    DND_ERROR_CODE = "DND Error Code": "The recipient is registered as do-not-disturb (India).",
    NOT_VIBER_USER = "Not Viber User": "The number has no Viber account.",
    OPTED_OUT = "Opted Out": "The recipient does not want messages of this sender.",
    SYSTEM_FAILURE = "System Failure": "A system on the way failed.",
    MESSAGE_REJECTED = "Message Rejected": "The carrier rejected the message.",
    TIMED_OUT = "Timed Out": "The carrier gave up waiting.",
    UNSUPPORTED_EQUIPMENT = "Unsupported Equipment": "The device can't show this message.",
    TTL_EXPIRED = "TTL Expired": "Not delivered within its time to live.",
    NOT_SENT = "Not Sent": "The step was left before this part was handed to a carrier.",
    CANCELLED = "Cancelled": "The application cancelled the flow.",
    INITIATED = "Initiated": "The call is being set up.",
    RINGING = "Ringing": "The phone rings.",
    COMPLETED = "Completed": "The call was answered.",
    BUSY = "Busy": "The line was busy.",
    NO_ANSWER = "No Answer": "Nobody answered in time.",
    TERMINATED = "Terminated": "The callee hung up early.",
}

impl Detail {
    /// The detailed status that says no more than the status itself.
    pub const fn plain(status: Status) -> Detail {
        match status {
            Queued => Detail::QUEUED,
            Sent => Detail::SENT,
            Delivered => Detail::DELIVERED,
            Seen => Detail::SEEN,
            Undelivered => Detail::UNDELIVERED,
            Expired => Detail::TTL_EXPIRED,
            Failed => Detail::FAILED,
            Unsent => Detail::NOT_SENT,
            Initiated => Detail::INITIATED,
            Ringing => Detail::RINGING,
            Completed => Detail::COMPLETED,
            Busy => Detail::BUSY,
            NoAnswer => Detail::NO_ANSWER,
            Terminated => Detail::TERMINATED,
        }
    }
}
