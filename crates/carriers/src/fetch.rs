//! What calls need from clients' servers.

use crate::body::BodyError;
use async_trait::async_trait;
use flow::Verb;
use std::error::Error;
use std::net::IpAddr;

/// Why something could not be fetched from a client's server. No text has the URL: its query may hold a
/// secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL can't be read, or leads to where no request of a client's may go.
    #[error(transparent)]
    Url(Box<dyn Error + Send + Sync>),
    /// There was no answer: not connected, not in time, or lost.
    #[error(transparent)]
    Request(Box<dyn Error + Send + Sync>),
    /// The server answered with another status than 2xx.
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    /// The body of the answer could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The answer is no dial plan, or breaks a rule of one.
    #[error(transparent)]
    Plan(Box<dyn Error + Send + Sync>),
}

/// Fetches what calls need from clients' servers; only from where callbacks may go, and within limits.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Fetches a file.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError>;

    /// Fetches the dial plan for a call that a machine answered.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn dial_plan(&self, url: &str, call: &str) -> Result<Vec<Verb>, FetchError>;

    /// Returns whether something may be sent to an address that a client or the other side of a call names.
    fn reaches(&self, address: IpAddr) -> bool;
}
