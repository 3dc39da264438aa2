//! Makes requests and reads answers, within limits.

use crate::body::{self, BodyError};
use crate::{outbound, retry_after};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most octets of an answer.
const ANSWER_MAX: usize = 256 * 1024;

/// The longest pause that is made because a provider asks for one.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Makes requests to one provider.
pub(super) struct Client {
    client: reqwest::Client,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null if it is no JSON.
    pub(super) body: Json,
    /// Whether the body is the provider's own: neither empty nor an HTML page, which a gateway before it
    /// sends.
    pub(super) speaks: bool,
    pub(super) headers: BTreeMap<String, String>,
    /// `Retry-After` (RFC 9110, 10.2.3).
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &HeaderMap, octets: &[u8]) -> Answer {
        let octets = body::without_mark(octets);
        let told = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let told = told.and_then(|told| retry_after::read(told, jiff::Timestamp::now().as_millisecond()));
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let start =
            String::from_utf8_lossy(&octets[..octets.len().min(100)]).trim_start().to_ascii_lowercase();
        let is_page = start.starts_with("<html") || start.starts_with("<!doctype html");
        Answer {
            status,
            body: serde_json::from_slice(octets).unwrap_or(Json::Null),
            speaks: !start.is_empty() && !is_page,
            headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            retry_after: told.map(|told| told.min(PAUSE_MAX)),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No connection; the provider does not have the request.
    #[error("not connected")]
    NotConnected,
    /// No answer in time; the provider may have the request.
    #[error("no answer in time")]
    Timeout,
    /// The connection was lost, or the answer is too large; the provider may have the request.
    #[error("connection lost")]
    Lost,
}

impl Client {
    pub(super) fn new(timeout: Duration, connect_timeout: Duration) -> Result<Client, reqwest::Error> {
        Ok(Client { client: outbound::client(timeout).connect_timeout(connect_timeout).build()? })
    }

    pub(super) async fn post_json(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: &Json,
    ) -> Result<Answer, Failure> {
        self.send(self.client.post(url).json(body), headers).await
    }

    pub(super) async fn post_form(
        &self,
        url: &str,
        headers: &[(String, String)],
        form: &[(String, String)],
    ) -> Result<Answer, Failure> {
        self.send(self.client.post(url).form(form), headers).await
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
        headers: &[(String, String)],
    ) -> Result<Answer, Failure> {
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let octets = body::read(response, ANSWER_MAX).await.map_err(|error| match error {
            BodyError::TooLarge(_) => Failure::Lost,
            BodyError::Lost(error) => failure(&error),
        })?;
        Ok(Answer::new(status, &headers, &octets))
    }
}

/// The pause that a provider asks for, at most [`PAUSE_MAX`].
pub(super) fn pause(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(PAUSE_MAX)
}

fn failure(error: &reqwest::Error) -> Failure {
    match error {
        // It was never made, for example because a token has characters that no header can have.
        _ if error.is_builder() => Failure::NotConnected,
        _ if error.is_connect() => Failure::NotConnected,
        _ if error.is_timeout() => Failure::Timeout,
        _ => Failure::Lost,
    }
}
