//! What carriers report.

use crate::detail::Detail;
use crate::status::Status;
use crate::texts::{detail as short_detail, part_words};
use serde::{Deserialize, Serialize};

/// What a carrier reports on one of the messages that it accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The status reported.
    pub status: Status,
    /// Why.
    pub detail: Detail,
    /// The carrier's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it happened, Unix milliseconds, if reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// The network's error code, if reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The recipient's network, if reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Seconds of talk, if reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
    /// Who answered a call, if reported: `human` or `machine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
}

impl Receipt {
    /// This receipt with the carrier's texts no longer than a flow keeps of them.
    pub fn shortened(self) -> Receipt {
        let words = |text: Option<String>| text.map(|text| part_words(&text, 1));
        Receipt {
            detail: short_detail(&self.detail),
            description: words(self.description),
            error: words(self.error),
            operator: words(self.operator),
            answered_by: words(self.answered_by),
            ..self
        }
    }

    /// A receipt with a status and its reason alone.
    pub fn new(status: Status, detail: Detail) -> Receipt {
        Receipt {
            status,
            detail,
            description: None,
            at_ms: None,
            error: None,
            operator: None,
            duration_s: None,
            answered_by: None,
        }
    }
}
