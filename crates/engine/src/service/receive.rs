//! Takes what a carrier's provider posts: receipts, messages from recipients, opt-outs.

use super::core::Service;
use super::inbound::{self, NotTaken};
use crate::metrics::count_refused_receipt;
use carriers::{Heard, MalformedPost, Posted, ReceiptError, Report, Unread, UnreadReason};
use flow::CarrierRef;
use futures::{StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use tokio::time::Instant;

/// Receipts of a post that are stored at once.
const RECEIPTS_AT_ONCE: usize = 256;
/// What recipients wrote that is passed on at once.
const INBOUND_AT_ONCE: usize = 16;
/// How long a post waits for the servers of clients, of all that it is passed on to; they are tried further
/// beside it.
const INBOUND_MAX: Duration = Duration::from_secs(3);
/// A body of more octets is read beside those who wait: thousands of receipts take a while.
const LARGE_BODY: usize = 256 * 1024;

/// Why a post was not taken, or not whole. The provider posts it again then: what was stored changes nothing,
/// and what was passed on is not passed on again.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// There is no carrier of this name, or it takes no receipts so.
    #[error("there is no such carrier")]
    NoCarrier,
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Malformed(#[from] MalformedPost),
    /// It is not signed as configured.
    #[error("it is not signed as configured")]
    Forged,
    /// It is compressed.
    #[error("it is compressed")]
    Encoded,
    /// Something of it could not be stored.
    #[error("it could not be stored")]
    NotStored,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A client's server has not acknowledged what was to be passed on to it.
    #[error("the client's server has not acknowledged it yet")]
    NotAcknowledged,
}

impl From<NotTaken> for ReceiveError {
    fn from(error: NotTaken) -> ReceiveError {
        match error {
            NotTaken::Store(error) => ReceiveError::Store(error),
            NotTaken::NotAcknowledged => ReceiveError::NotAcknowledged,
        }
    }
}

/// What a provider posted, as it came.
pub struct Post {
    /// The URL that it was posted to, as the provider knows it.
    pub url: String,
    /// The URL's query.
    pub query: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Service {
    /// Takes a post; everything is stored when it returns.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub async fn receive(&self, name: &str, post: Post) -> Result<(), ReceiveError> {
        let Sorted { receipts, unread, inbound } = sort(name, self.read(name, post).await?);
        // Receipts first: they wait for no client's server. Many of them share a commit. If something can't
        // be stored or passed on, the rest is all the same.
        let sink = self.engine.sink();
        let stored = stream::iter(receipts)
            .map(|report| sink.report(report))
            .buffered(RECEIPTS_AT_ONCE)
            .fold(true, async |all, stored| all && stored.is_ok());
        let kept = stream::iter(unread)
            .map(|unread| sink.unread(name, unread))
            .buffered(RECEIPTS_AT_ONCE)
            .fold(true, async |all, stored| all && stored.is_ok());
        let stored = stored.await & kept.await;
        let deadline = Instant::now() + INBOUND_MAX;
        let taken = stream::iter(inbound)
            .map(|heard| async move { inbound::take(self, name, &heard, deadline).await })
            .buffered(INBOUND_AT_ONCE)
            .fold(Ok(()), async |all, taken| all.and(taken));
        taken.await?;
        if stored { Ok(()) } else { Err(ReceiveError::NotStored) }
    }

    /// Has the carrier read what was posted to it.
    async fn read(&self, name: &str, post: Post) -> Result<Vec<Heard>, ReceiveError> {
        let carrier = Arc::clone(self.engine.carrier(name).ok_or(ReceiveError::NoCarrier)?);
        let is_large = post.body.len() > LARGE_BODY;
        let read = move || {
            let Post { url, query, headers, body } = &post;
            let posted = Posted { url, query, headers, body, now_ms: crate::clock::now_ms() };
            carrier.carrier.read_receipts(&posted)
        };
        let read = if is_large {
            tokio::task::spawn_blocking(read).await.map_err(|_| ReceiveError::NotStored)?
        } else {
            read()
        };
        read.map_err(|error| match error {
            ReceiptError::NotSupported => ReceiveError::NoCarrier,
            ReceiptError::Malformed(why) => ReceiveError::Malformed(why),
            ReceiptError::Forged => ReceiveError::Forged,
            ReceiptError::Encoded => ReceiveError::Encoded,
        })
    }
}

/// What a post tells, by where it goes.
#[derive(Default)]
struct Sorted {
    receipts: Vec<Report>,
    unread: Vec<Unread>,
    /// What recipients wrote.
    inbound: Vec<Heard>,
}

/// Sorts what a post tells; what goes nowhere is counted and logged.
fn sort(name: &str, heard: Vec<Heard>) -> Sorted {
    let (mut sorted, mut malformed) = (Sorted::default(), 0u32);
    for heard in heard {
        match heard {
            Heard::Receipt { reference, receipt } => {
                let reference = CarrierRef::new(name, reference);
                sorted.receipts.push(Report { reference, recipient: None, receipt });
            }
            Heard::Unknown { reference, word } => {
                count_refused_receipt(name, "unknown status");
                sorted.unread.push(Unread {
                    why: UnreadReason::UnknownWord,
                    text: String::new(),
                    reference: Some(reference),
                    word: Some(word),
                    error: None,
                    recipient: None,
                });
            }
            Heard::Malformed { why } => {
                count_refused_receipt(name, "malformed");
                malformed += 1;
                // There may be thousands.
                if malformed == 1 {
                    tracing::warn!(carrier = name, %why, "a receipt among others can't be read");
                }
            }
            Heard::Nothing => {}
            Heard::Message(_) | Heard::OptOut { .. } | Heard::OptIn { .. } => sorted.inbound.push(heard),
        }
    }
    sorted
}
