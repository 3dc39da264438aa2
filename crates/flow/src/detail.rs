//! Detailed statuses: why a message has its status (contract, section 7).

use crate::status::Status;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The detailed statuses of the contract (section 7): why a message has its status.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Detail(pub Cow<'static, str>);

macro_rules! details {
    ($($constant:ident = $text:literal: $description:literal,)*) => {
        impl Detail {
            $(#[doc = $description] pub const $constant: Detail = Detail(Cow::Borrowed($text));)*

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
        use Status::*;
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
