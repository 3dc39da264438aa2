//! What an error of a `submit_sm_resp` means for its message (SMPP 3.4, 5.1.3).

use super::config::{Failure, Ruling, RulingWord, SmppConfig};
use flow::Detail;
use smpp::CommandStatus;

/// What becomes of a message that the SMSC did not take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is tried again.
    Later {
        /// Why, for logs and metrics.
        reason: &'static str,
        /// Whether it is the rate of all messages that is too high, not this message.
        throttled: bool,
    },
    /// The session is not what we take it for; another one may be.
    NotBound,
    /// It is Failed.
    Refused {
        /// Why.
        detail: Detail,
        /// The code in words.
        description: String,
    },
}

/// Judges a `command_status` other than 0. What the carrier's configuration says goes first.
///
/// Codes from 0x400 on are the SMSC's own and have no meaning here: 0x400 is "not routeable" at one provider
/// (docs.hollatags.com, "SMPP Response Codes") and "insufficient credit" at another (world-text.com, "SMPP
/// errors").
pub(super) fn judge(status: CommandStatus, config: &SmppConfig) -> Verdict {
    let refused = |detail| Verdict::Refused { detail, description: format!("SMPP command_status {status}") };
    let later = |reason| Verdict::Later { reason, throttled: false };
    if let Some(ruling) = config.command_status.get(&status.0) {
        return match ruling {
            // Configured or not, it is the rate that is too high.
            Ruling::Word(RulingWord::Later) if status == CommandStatus::THROTTLED => throttled(),
            Ruling::Word(RulingWord::Later) => later("configured"),
            Ruling::Word(RulingWord::Failed) => refused(Detail::FAILED),
            Ruling::Failed(Failure { detail, .. }) => refused(detail.clone().unwrap_or(Detail::FAILED)),
        };
    }
    match status {
        CommandStatus::THROTTLED => throttled(),
        CommandStatus::QUEUE_FULL => later("queue full"),
        CommandStatus::SYSTEM_ERROR => later("system error"),
        CommandStatus::TEMPORARY_ERROR => later("temporary error"),
        // "Due to a service outage within the MC" (SMPP 5.0, 4.7.6).
        CommandStatus::SERVICE_TYPE_UNAVAILABLE => later("service unavailable"),
        CommandStatus::INVALID_BIND_STATUS => Verdict::NotBound,
        CommandStatus::INVALID_DESTINATION => refused(Detail::UNKNOWN_NUMBER),
        CommandStatus::INVALID_SOURCE
        | CommandStatus::PROHIBITED
        | CommandStatus::SERVICE_TYPE_DENIED
        | CommandStatus::SERVICE_TYPE_DENIED_NOW => refused(Detail::CARRIER_VIOLATION),
        _ => refused(Detail::FAILED),
    }
}

const fn throttled() -> Verdict {
    Verdict::Later { reason: "throttled", throttled: true }
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::config;
    use super::*;

    fn judged(code: u32, config: &SmppConfig) -> (String, bool) {
        match judge(CommandStatus(code), config) {
            Verdict::Later { reason, throttled } => (reason.into(), throttled),
            Verdict::NotBound => ("not bound".into(), false),
            Verdict::Refused { detail, description } => (format!("{}: {description}", detail.0), false),
        }
    }

    #[test]
    fn errors_pass_or_stay() {
        let config = config("");
        for (code, reason, throttled) in [
            (0x58, "throttled", true),
            (0x14, "queue full", false),
            (0x08, "system error", false),
            (0x64, "temporary error", false),
            (0x102, "service unavailable", false),
            (0x04, "not bound", false),
        ] {
            assert_eq!(judged(code, &config), (reason.to_owned(), throttled));
        }
        for (code, words) in [
            (0x0b, "Unknown Number: SMPP command_status 0x0000000B ESME_RINVDSTADR: the destination address"),
            (0x0a, "Carrier Violation: SMPP command_status 0x0000000A"),
            (0x101, "Carrier Violation: SMPP command_status 0x00000101"),
            (0x45, "Failed: SMPP command_status 0x00000045 ESME_RSUBMITFAIL"),
            (0x65, "Failed: SMPP command_status 0x00000065"),
            (0x400, "Failed: SMPP command_status 0x00000400"),
            (u32::MAX, "Failed: SMPP command_status 0xFFFFFFFF"),
        ] {
            let (told, _) = judged(code, &config);
            assert!(told.starts_with(words), "{told}");
        }
    }

    #[test]
    fn the_configuration_goes_first() {
        let config = config(
            r#""command_status": {"0x400": "later", "69": "later", "0x58": "failed",
               "0x14": {"status": "Failed",
               "detail": "Carrier Violation"}}"#,
        );
        assert_eq!(judged(0x400, &config), ("configured".to_owned(), false));
        assert_eq!(judged(0x45, &config), ("configured".to_owned(), false));
        assert!(judged(0x58, &config).0.starts_with("Failed: SMPP command_status 0x00000058"));
        assert!(judged(0x14, &config).0.starts_with("Carrier Violation: "));
    }
}
