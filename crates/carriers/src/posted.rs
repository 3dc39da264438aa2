//! What a provider posts to us.

use flow::Receipt;

/// A request that a provider made to us.
#[derive(Clone, Copy, Debug)]
pub struct Posted<'a> {
    /// The URL as the provider knows it, with the query.
    pub url: &'a str,
    /// The query, without the question mark.
    pub query: &'a str,
    /// Names in lower case, and values.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
    /// The time, Unix milliseconds.
    pub now_ms: i64,
}

impl Posted<'_> {
    /// Returns the first header with a name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Something that a provider reported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// What became of a message.
    Receipt {
        /// What the carrier calls it.
        reference: String,
        /// The report.
        receipt: Receipt,
    },
    /// A status that the provider's file does not map.
    Unknown {
        /// What the carrier calls the message.
        reference: String,
        /// Its word.
        word: String,
    },
    /// A status that changes nothing.
    Nothing,
    /// A receipt among others that can't be read; the others count all the same.
    Malformed {
        /// What it lacks.
        why: MissingField,
    },
    /// A recipient wrote back.
    Message(InboundMessage),
    /// A recipient opts out.
    OptOut {
        /// The recipient, E.164.
        from: String,
        /// As [`InboundMessage::key`].
        key: String,
    },
    /// A recipient takes an opt-out back.
    OptIn {
        /// The recipient, E.164.
        from: String,
        /// As [`InboundMessage::key`].
        key: String,
    },
}

/// What a recipient wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboundMessage {
    /// The recipient, E.164.
    pub from: String,
    /// The text.
    pub text: Option<String>,
    /// The URL of a file sent with it.
    pub media_url: Option<String>,
    /// The name of that file, if the provider gives it.
    pub file_name: Option<String>,
    /// When it was written by the provider's clock, Unix milliseconds, if the provider gives it.
    pub sent_ms: Option<i64>,
    /// Identifies the message, the same each time that the provider posts it: the provider's id of it, or a
    /// hash of what was posted.
    pub key: String,
}

/// Why nothing was read from what was posted.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The carrier expects nothing to be posted.
    #[error("this carrier takes no receipts here")]
    NotSupported,
    /// The provider did not send it.
    #[error("the receipt is not signed as configured")]
    Forged,
    /// It can't be read.
    #[error("the receipt can't be read: {0}")]
    Malformed(#[from] MalformedPost),
    /// The body is compressed, which is not taken.
    #[error("the receipt is compressed")]
    Encoded,
}

/// Why a post that is authentic can't be read. No text has anything of its contents.
#[derive(Debug, thiserror::Error)]
pub enum MalformedPost {
    /// The body is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The media type says that the body is a form, and it is none.
    #[error(transparent)]
    Form(#[from] serde_urlencoded::de::Error),
    /// The body has nothing where the provider's file expects the receipts, a JSON pointer (RFC 6901).
    #[error("there is nothing at {0}")]
    NothingAt(String),
    /// It has more receipts than this, the most that one post may have.
    #[error("more than {0} receipts")]
    TooMany(usize),
    /// No receipt in it can be read; this is what the first one lacks.
    #[error(transparent)]
    Receipt(#[from] MissingField),
}

/// A field without which a receipt means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MissingField {
    /// The provider's id of the message.
    #[error("a receipt without an id")]
    Id,
    /// The status.
    #[error("a receipt without a status")]
    Status,
}
