//! A small client of the API.

use anyhow::{Context, bail};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value;
use std::time::Duration;

/// Where the API is and who calls it.
#[derive(clap::Args, Clone)]
pub struct Account {
    /// Base URL of the server.
    #[arg(long, env = "SWITCHBACK_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Application id.
    #[arg(long, env = "SWITCHBACK_APP_ID")]
    app_id: String,
    /// Application secret.
    #[arg(long, env = "SWITCHBACK_APP_SECRET", hide_env_values = true)]
    app_secret: String,
}

impl Account {
    pub fn new(url: String, app_id: String, app_secret: String) -> Account {
        Account { url, app_id, app_secret }
    }

    /// Takes a token.
    pub async fn login(&self) -> anyhow::Result<Api> {
        let client = Client::builder().timeout(Duration::from_secs(60)).no_proxy().build()?;
        let url = base_url(&self.url)?;
        let request = client
            .post(format!("{url}/oauth/token"))
            .basic_auth(&self.app_id, Some(&self.app_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let answer = read(request.send().await.with_context(|| format!("asking {url}"))?).await?;
        let token =
            answer["access_token"].as_str().context("the server answered without a token")?.to_owned();
        Ok(Api { client, url, token })
    }
}

/// What paths are appended to. A scheme may be missing: who writes `127.0.0.1:8080` means http.
fn base_url(given: &str) -> anyhow::Result<String> {
    let url = if given.contains("://") { given.to_owned() } else { format!("http://{given}") };
    let is_base = |url: Url| matches!(url.scheme(), "http" | "https") && url.query().is_none();
    if !Url::parse(&url).is_ok_and(is_base) {
        bail!(
            "--url or SWITCHBACK_URL must be an http or https URL, such as http://127.0.0.1:8080, not \"{given}\""
        );
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// The API with a token.
#[derive(Clone)]
pub struct Api {
    client: Client,
    url: String,
    token: String,
}

impl Api {
    /// Calls the API and reads its JSON.
    pub async fn call(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        read(request.send().await?).await
    }

    /// Posts a body, and answers with the response as it comes.
    pub async fn stream(&self, path: &str, body: String, accept: &str) -> anyhow::Result<Response> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").header("accept", accept).body(body);
        // However long it takes, as long as something comes.
        let response = request.timeout(Duration::from_secs(24 * 3600)).send().await?;
        if response.status() != StatusCode::OK {
            read(response).await?;
            bail!("the server did not answer as expected");
        }
        Ok(response)
    }
}

async fn read(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let text = response.text().await?;
    if status == StatusCode::NO_CONTENT {
        return Ok(Value::Null);
    }
    if status == StatusCode::OK {
        return serde_json::from_str(&text).context("the server answered with something else than JSON");
    }
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    if let Some(errors) = body["errors"].as_array() {
        let lines: Vec<_> = errors
            .iter()
            .map(|e| format!("{} {}", e["field"].as_str().unwrap_or(""), e["message"].as_str().unwrap_or("")))
            .collect();
        bail!("{status}\n{}", lines.join("\n"));
    }
    let message = body["developerMessage"].as_str().or(body["error_description"].as_str());
    bail!("{status} {}", message.unwrap_or(&text));
}

/// Base64 as Standard Webhooks secrets have it.
pub fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_21_a_url_without_a_scheme_is_http_and_others_are_told() {
        for (given, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost:8080/", "http://localhost:8080"),
            ("sms.example/api/", "http://sms.example/api"),
            ("https://sms.example", "https://sms.example"),
            ("[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(base_url(given).unwrap(), url);
        }
        for wrong in ["ftp://sms.example", "http://", "", "http://a b", "127.0.0.1:99999", "http://a/?x=1"] {
            let error = base_url(wrong).unwrap_err().to_string();
            assert!(
                error.contains("SWITCHBACK_URL") && error.contains("such as http://127"),
                "{wrong}: {error}"
            );
        }
    }
}
