//! What calls fetch from clients' servers: sounds, and dial plans for machines; by the rules of callbacks.

use crate::api::read_dial_plan;
use crate::targets::{GuardedResolver, check_url};
use async_trait::async_trait;
use carriers::Fetch;
use flow::{Limits, Verb};
use reqwest::{Client, RequestBuilder, Url, redirect::Policy};
use std::sync::Arc;
use std::time::Duration;

/// The largest file.
const FILE_MAX: usize = 20 * 1024 * 1024;
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
    pub fn new(allow_private: bool, limits: Limits) -> Result<Files, String> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver { allow_private }))
            .user_agent(concat!("Switchback/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Files { client, allow_private, limits })
    }

    fn url(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        check_url(&url, self.allow_private)?;
        Ok(url)
    }
}

/// The body of an answer, which must be 2xx and no larger than allowed.
async fn body(request: RequestBuilder) -> Result<Vec<u8>, String> {
    let words = |error: reqwest::Error| error.without_url().to_string();
    let mut response = request.send().await.map_err(words)?;
    if !response.status().is_success() {
        return Err(format!("the server answered {}", response.status()));
    }
    let mut octets = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(words)? {
        octets.extend_from_slice(&chunk);
        if octets.len() > FILE_MAX {
            return Err(format!("it has more than {} MiB", FILE_MAX >> 20));
        }
    }
    Ok(octets)
}

#[async_trait]
impl Fetch for Files {
    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        body(self.client.get(self.url(url)?)).await
    }

    async fn dial_plan(&self, url: &str, call: &str) -> Result<Vec<Verb>, String> {
        let event = serde_json::json!({ "event": "machine", "call": call });
        let request = self.client.post(self.url(url)?).header("content-type", "application/json");
        let answer = body(request.body(event.to_string())).await?;
        let answer = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        read_dial_plan(&answer, &self.limits)
    }
}
