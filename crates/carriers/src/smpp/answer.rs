//! What an answer to a submit means for the flow.

use super::command_status::{self, Verdict};
use super::config::SmppConfig;
use crate::carrier::Outcome;
use crate::outgoing::PartRef;
use smpp::{Answer, CommandStatus};

/// What became of handing over `part`, and whether the SMSC throttles.
pub(super) fn understand(answer: Answer, part: PartRef, config: &SmppConfig) -> (Outcome, bool) {
    match answer {
        Answer::Accepted { message_id, .. } => {
            let reference = config.submit_id.normalize(&message_id);
            // Without an id no receipt finds it, and yet it was taken.
            let none = || format!("none:{}:{}:{}", part.flow, part.message, part.part);
            let reference = if reference.is_empty() { none() } else { reference };
            (Outcome::Accepted { reference }, false)
        }
        Answer::Refused(status) => refused(status, config),
        Answer::Unclear(_) => (Outcome::Unknown { reason: "unclear answer" }, false),
    }
}

fn refused(status: CommandStatus, config: &SmppConfig) -> (Outcome, bool) {
    match command_status::judge(status, config) {
        Verdict::Later { reason, throttled } => (Outcome::Later { reason, after: None }, throttled),
        Verdict::NotBound => (Outcome::Later { reason: "not bound", after: None }, false),
        Verdict::Refused { detail, description } => {
            (Outcome::Refused { detail, description: Some(description) }, false)
        }
    }
}
