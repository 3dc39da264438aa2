//! What calls fetch from clients' servers: sounds, and dial plans for machines; by the rules of callbacks.

use crate::targets::{GuardedResolver, check_url, is_public};
use async_trait::async_trait;
use carriers::body::{self, FILE_MAX};
use carriers::{Fetch, FetchError, outbound};
use flow::{Limits, Verb};
use reqwest::{Client, RequestBuilder, Url};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wire::read_plan::read_dial_plan;

/// The largest dial plan, octets: that of a request.
const PLAN_MAX: usize = 256 * 1024;
/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Fetches files.
pub struct Files {
    client: Client,
    allow_private: bool,
    limits: Limits,
}

impl Files {
    /// `allow_private`: whether private addresses may be asked; `limits`: what a dial plan may have.
    ///
    /// # Errors
    /// When the HTTP client can't be set up.
    pub fn new(allow_private: bool, limits: Limits) -> Result<Files, reqwest::Error> {
        let resolver = Arc::new(GuardedResolver { allow_private });
        // Where it may go is decided by the address: a proxy would ask for us.
        let client = outbound::client(TIMEOUT).no_proxy().dns_resolver(resolver).build()?;
        Ok(Files { client, allow_private, limits })
    }

    fn url(&self, url: &str) -> Result<Url, FetchError> {
        let url = Url::parse(url).map_err(|error| FetchError::Url(error.into()))?;
        check_url(&url, self.allow_private).map_err(|error| FetchError::Url(error.into()))?;
        Ok(url)
    }
}

/// The body of an answer, which must be 2xx and have at most `most` octets.
async fn fetch(request: RequestBuilder, most: usize) -> Result<Vec<u8>, FetchError> {
    let response = request.send().await.map_err(|error| FetchError::Request(error.without_url().into()))?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status()));
    }
    Ok(body::read(response, most).await?)
}

#[async_trait]
impl Fetch for Files {
    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        fetch(self.client.get(self.url(url)?), FILE_MAX).await
    }

    async fn dial_plan(&self, url: &str, call: &str) -> Result<Vec<Verb>, FetchError> {
        let event = serde_json::json!({ "event": "machine", "call": call });
        let request = self.client.post(self.url(url)?).header("content-type", "application/json");
        let answer = fetch(request.body(event.to_string()), PLAN_MAX).await?;
        read_dial_plan(&answer, &self.limits).map_err(|error| FetchError::Plan(error.into()))
    }

    fn reaches(&self, address: IpAddr) -> bool {
        self.allow_private || is_public(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_for_a_machine_has_the_limits_of_a_step() {
        let limits = Limits { verbs_max: 3, ..Limits::default() };
        let plan = |verbs: usize, repeat: u32| {
            let verb =
                serde_json::json!({"type": "PLAY", "fileURL": "https://a.example/x.wav", "repeat": repeat});
            read_dial_plan(serde_json::json!({ "verbs": vec![verb; verbs] }).to_string().as_bytes(), &limits)
        };
        assert_eq!(plan(3, 1).map(|verbs| verbs.len()).ok(), Some(3));
        assert!(plan(4, 1).is_err_and(|why| why.to_string().contains("at most 3 verbs")));
        assert!(plan(1, 101).is_err_and(|why| why.to_string().contains("1 to 100")));
        assert!(read_dial_plan(b"[", &limits).is_err() && read_dial_plan(b"{}", &limits).is_err());
    }
}
