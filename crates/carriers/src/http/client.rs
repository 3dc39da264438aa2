//! Makes requests and reads answers, within limits.

use crate::{body, retry_after};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Octets of an answer that are read.
const ANSWER_MAX: usize = 256 * 1024;

/// The longest pause that a provider is believed to want.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Makes requests to one provider.
pub(super) struct Client {
    client: reqwest::Client,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null where it is no JSON.
    pub(super) body: Json,
    /// The body is something that a provider says: not nothing, and no page for people of what stands before it.
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
    /// The provider does not have the request.
    #[error("not connected")]
    NotConnected,
    /// It may have it or not.
    #[error("no answer in time")]
    Timeout,
    /// It may have it or not.
    #[error("connection lost")]
    Lost,
}

impl Client {
    pub(super) fn new(timeout: Duration, connect_timeout: Duration) -> Result<Client, String> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(connect_timeout)
            // A redirect would carry messages and secrets to where nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Switchback/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Client { client })
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
        let mut octets = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            octets.extend_from_slice(&chunk);
            if octets.len() > ANSWER_MAX {
                return Err(Failure::Lost);
            }
        }
        Ok(Answer::new(status, &headers, &octets))
    }
}

/// How long a provider wants to be left alone, at most [`PAUSE_MAX`].
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
