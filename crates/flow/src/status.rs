//! Message statuses (contract, section 7). Which of them a channel knows, and which may follow which, is said
//! by the channel's rules.

use serde::{Deserialize, Serialize};

/// A message status. One vocabulary for all channels; a channel's rules say which of them it knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
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
    /// Every status.
    pub const ALL: [Status; 14] = [
        Queued,
        Sent,
        Delivered,
        Seen,
        Undelivered,
        Expired,
        Failed,
        Unsent,
        Initiated,
        Ringing,
        Completed,
        Busy,
        NoAnswer,
        Terminated,
    ];

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

    /// Whether a message ends with it. On a channel where something better can follow it does not:
    /// [`crate::ChannelRules::is_final`].
    pub const fn is_final(self) -> bool {
        !matches!(self, Queued | Sent | Initiated | Ringing)
    }

    /// Whether the message got through.
    pub const fn is_success(self) -> bool {
        matches!(self, Delivered | Seen | Completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_stored_by_its_name() {
        for (at, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, at);
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }

    #[test]
    fn what_gets_through_ends() {
        let is_open = |status: &Status| matches!(status, Queued | Sent | Initiated | Ringing);
        for status in Status::ALL {
            assert_eq!(status.is_final(), !is_open(&status), "{status:?}");
            let is_success = matches!(status.name(), "Delivered" | "Seen" | "Completed");
            assert_eq!(status.is_success(), is_success, "{status:?}");
        }
    }
}
