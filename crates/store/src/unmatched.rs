//! Receipts that reached no message.

use crate::recipient::masked;
use serde::{Deserialize, Serialize};

/// Characters that are kept of a receipt's text.
const TEXT_MAX: usize = 200;
/// Characters that are kept of its id, its word and its error code.
const FIELD_MAX: usize = 64;

/// A receipt that a carrier could not make sense of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnreadReceipt {
    /// Why, as a word that never changes.
    pub reason: String,
    /// Its text. What follows `text:` is of the message and is not kept.
    pub text: String,
    /// What it calls the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Its word for the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// Its error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The recipient as the carrier wrote it. The last three digits are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
}

impl UnreadReceipt {
    /// With no more than is kept of it.
    pub(crate) fn shortened(self) -> UnreadReceipt {
        let field = |text: Option<String>| text.map(|text| text.chars().take(FIELD_MAX).collect());
        UnreadReceipt {
            reason: self.reason,
            text: before_message(&self.text).chars().take(TEXT_MAX).collect(),
            reference: field(self.reference),
            word: field(self.word),
            error: field(self.error),
            recipient: self.recipient.as_deref().map(masked),
        }
    }
}

/// The text of a receipt up to what it repeats of the message (SMPP 3.4, appendix B).
fn before_message(text: &str) -> &str {
    let at = text.as_bytes().windows(5).position(|five| five.eq_ignore_ascii_case(b"text:"));
    // An ASCII character begins there.
    at.map_or(text, |at| &text[..at])
}

/// A receipt that reached no message, as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnmatchedReceipt {
    /// When it came, Unix milliseconds.
    pub received_ms: i64,
    /// The carrier that it came from.
    pub carrier: String,
    /// Why it reached none: an [`UnreadReceipt::reason`], or `no-message` if none has its id.
    pub reason: String,
    /// What it calls the message.
    pub reference: Option<String>,
    /// Its word for the status; of `no-message` the status that the word means.
    pub word: Option<String>,
    /// Its error code; of `no-message` the detailed status.
    pub error: Option<String>,
    /// The last three digits of the recipient.
    pub recipient: Option<String>,
    /// Its text up to what it repeats of the message, at most 200 characters.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_message_is_kept() {
        let receipt = UnreadReceipt {
            reason: "unknown-word".into(),
            text: "id:1 stat:ÖDD Text:your code is 1234".into(),
            reference: Some("x".repeat(100)),
            word: None,
            error: None,
            recipient: Some("+306900000123".into()),
        };
        let kept = receipt.shortened();
        assert_eq!(kept.text, "id:1 stat:ÖDD ");
        assert_eq!(kept.reference.unwrap().len(), 64);
        assert_eq!(kept.recipient.as_deref(), Some("***123"));
    }
}
