//! Posts callbacks over the network, to where they may go. A target's answer may have more headers than
//! usual, which reqwest has no setting for; so it is the client beneath it.

use crate::callbacks::{Answer, Headers, Post, PostError};
use crate::clock::now_ms;
use crate::config::CallbackConfig;
use crate::targets::{Addresses, GuardedResolver, NotingResolver};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use carriers::{outbound, retry_after};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, RETRY_AFTER, USER_AGENT};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use reqwest::dns::{Addrs, Resolve, Resolving};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// Headers that an answer may have.
const HEADERS_MAX: usize = 1000;

/// Posts over the network, to where callbacks may go.
pub struct HttpPost {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    addresses: Arc<Addresses>,
    timeout: Duration,
}

/// The resolver of callbacks as the client calls it.
#[derive(Clone)]
struct Resolver(Arc<NotingResolver>);

impl Service<Name> for Resolver {
    type Response = Addrs;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Resolving;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        match name.as_str().parse() {
            Ok(name) => self.0.resolve(name),
            Err(_) => Box::pin(async { Err("it is no host name".into()) }),
        }
    }
}

impl HttpPost {
    /// # Errors
    /// When the HTTP client can't be set up.
    pub fn new(config: &CallbackConfig) -> Result<HttpPost, rustls::Error> {
        let addresses = Arc::new(Addresses::default());
        let guarded = GuardedResolver { allow_private: config.allow_private };
        let resolver = Resolver(Arc::new(NotingResolver { guarded, found: Arc::clone(&addresses) }));
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let tls = outbound::tls()?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_headers(HEADERS_MAX)
            .build(https.wrap_connector(connector));
        Ok(HttpPost { client, addresses, timeout: config.timeout })
    }
}

#[async_trait]
impl Post for HttpPost {
    async fn post(&self, mut url: Url, headers: Headers, body: String) -> Result<Answer, PostError> {
        let credentials = take_credentials(&mut url);
        let mut request =
            hyper::Request::post(url.as_str()).header(ACCEPT, "*/*").header(USER_AGENT, outbound::USER_AGENT);
        for (name, value) in headers.into_iter().chain(credentials) {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body)).map_err(|error| PostError::Failed(error.to_string()))?;
        let answered = tokio::time::timeout(self.timeout, self.client.request(request)).await;
        let response =
            answered.map_err(|_| PostError::TimedOut)?.map_err(|error| PostError::Failed(chain(&error)))?;
        let told = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = told.and_then(|told| retry_after::read(told, now_ms()));
        Ok(Answer { status: response.status().as_u16(), retry_after })
    }

    fn address_of(&self, host: &str) -> Option<IpAddr> {
        host.trim_matches(['[', ']']).parse().ok().or_else(|| self.addresses.of(host))
    }
}

/// Takes user and password out of a URL: they go as a header (RFC 9110, 4.2.4; RFC 7617).
fn take_credentials(url: &mut Url) -> Option<(&'static str, String)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let [username, password] = [url.username(), url.password().unwrap_or_default()]
        .map(|text| percent_decode_str(text).collect::<Vec<u8>>());
    let value = format!("Basic {}", STANDARD.encode([username, password].join(&b':')));
    // Neither fails where there is a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(("authorization", value))
}

/// An error with its causes: the client's own says little.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_url_go_as_a_header() {
        let mut url: Url = "https://us%65r:p%40ss%@a.example/x".parse().unwrap();
        let (name, value) = take_credentials(&mut url).unwrap();
        assert_eq!((name, value), ("authorization", format!("Basic {}", STANDARD.encode("user:p@ss%"))));
        assert_eq!(url.as_str(), "https://a.example/x");
        assert!(take_credentials(&mut url).is_none());
    }
}
