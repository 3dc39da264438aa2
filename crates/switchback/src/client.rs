//! A small client of the API.

use crate::output;
use anyhow::{Context, bail};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;
use wire::search::FilterRequest;

/// Where a server is, for what it tells everybody.
#[derive(clap::Args)]
pub struct Server {
    /// Base URL of the server.
    #[arg(long, env = "SWITCHBACK_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

impl Server {
    /// Asks for what needs no token.
    ///
    /// # Errors
    /// When `--url` is no URL, the server can't be reached, or it refuses.
    pub async fn ask(&self, path: &str) -> anyhow::Result<Answer> {
        let url = base_url(&self.url)?;
        let response = client()?.get(format!("{url}{path}")).send().await;
        Answer::of(response.with_context(|| format!("asking {url}"))?).await
    }
}

fn client() -> reqwest::Result<Client> {
    Client::builder().timeout(Duration::from_secs(60)).no_proxy().build()
}

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
    ///
    /// # Errors
    /// When `--url` is no URL, the server can't be reached, or it gives no token.
    pub async fn login(&self) -> anyhow::Result<Api> {
        let client = client()?;
        let url = base_url(&self.url)?;
        let request = client
            .post(format!("{url}/oauth/token"))
            .basic_auth(&self.app_id, Some(&self.app_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let response = request.send().await.with_context(|| format!("asking {url}"))?;
        let granted: Granted = Answer::of(response).await?.read("a token")?;
        Ok(Api { client, url, token: granted.access_token })
    }
}

/// What is needed of an answer to a login, whoever gives it.
#[derive(serde::Deserialize)]
struct Granted {
    access_token: String,
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
    /// Calls the API.
    ///
    /// # Errors
    /// When the server can't be reached, or refuses what is asked for.
    pub async fn call(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        Answer::of(request.send().await?).await
    }

    /// Searches by filters that all have to hold. `path` has the query.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn search(&self, path: &str, filters: &[FilterRequest]) -> anyhow::Result<Answer> {
        self.call(Method::POST, path, Some(serde_json::to_string(filters)?)).await
    }

    /// Searches, and returns the response while it comes, in the format `accept`.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn export(
        &self,
        path: &str,
        filters: &[FilterRequest],
        accept: &str,
    ) -> anyhow::Result<Response> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").header("accept", accept);
        // However long it takes, as long as something comes.
        let request = request.timeout(Duration::from_secs(24 * 3600)).body(serde_json::to_string(filters)?);
        let response = request.send().await?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let answer = Answer::of(response).await?;
        bail!("the server answered with something else than an export: {}", answer.start());
    }
}

/// The body of an answer that says yes, as the server sent it.
pub struct Answer {
    body: String,
}

impl Answer {
    async fn of(response: Response) -> anyhow::Result<Answer> {
        let status = response.status();
        let body = response.text().await?;
        if matches!(status, StatusCode::OK | StatusCode::NO_CONTENT) {
            return Ok(Answer { body });
        }
        bail!("{status}{}", refusal(&body));
    }

    /// Reads it; members that this version does not know are ignored.
    ///
    /// # Errors
    /// When it is something else than `what`.
    pub fn read<T: DeserializeOwned>(&self, what: &str) -> anyhow::Result<T> {
        let read = serde_json::from_str(&self.body);
        read.with_context(|| format!("the server answered with something else than {what}: {}", self.start()))
    }

    /// Its JSON for people: its members in their order, those that this version does not know as well.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn json(&self) -> anyhow::Result<String> {
        Ok(output::json(&self.read::<Value>("JSON")?)?)
    }

    fn start(&self) -> Cow<'_, str> {
        start_of(&self.body)
    }
}

/// So much of a body that nobody expected is shown, characters.
const SHOWN_MAX: usize = 200;

fn start_of(body: &str) -> Cow<'_, str> {
    match body.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", body.get(..end).unwrap_or_default()).into(),
        None => body.into(),
    }
}

/// What is shown of a refusal, whoever words it: an error body, or an error of OAuth.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    #[serde(default)]
    errors: Vec<BrokenRule>,
    developer_message: Option<String>,
    #[serde(rename = "error_description")]
    error_description: Option<String>,
}

/// A member that breaks a rule.
#[derive(serde::Deserialize)]
struct BrokenRule {
    #[serde(default)]
    field: String,
    #[serde(default)]
    message: String,
}

/// Why the server refused, as it stands behind the status: an error body, an error of OAuth, or any text.
fn refusal(body: &str) -> String {
    let read: Option<Refusal> = serde_json::from_str(body).ok();
    let Some(Refusal { errors, developer_message, error_description }) = read else {
        return format!(" {}", start_of(body));
    };
    if !errors.is_empty() {
        return errors.iter().map(|rule| format!("\n{} {}", rule.field, rule.message)).collect();
    }
    format!(" {}", developer_message.or(error_description).unwrap_or_else(|| start_of(body).to_string()))
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

    #[test]
    fn a_refusal_is_shown_whatever_it_is() {
        let body = r#"{"code":"400022001","developerMessage":"invalid","requestId":"1","errors":
            [{"field":"to","rule":"format","message":"is wrong"},{"field":"from","rule":"length","message":"is long"}]}"#;
        assert_eq!(refusal(body), "\nto is wrong\nfrom is long");
        assert_eq!(
            refusal(r#"{"code":"4","developerMessage":"no such flow","requestId":"1"}"#),
            " no such flow"
        );
        let oauth = r#"{"error":"invalid_client","error_description":"the secret is wrong"}"#;
        assert_eq!(refusal(oauth), " the secret is wrong");
        assert_eq!(refusal("<html>Bad gateway"), " <html>Bad gateway");
        assert_eq!(refusal(&"é".repeat(300)).chars().count(), 202);
    }

    #[test]
    fn an_answer_that_is_something_else_is_an_error_that_says_so() {
        for body in ["", "<html>", "null", "[1]", r#"{"content": 7}"#] {
            let answer = Answer { body: body.to_owned() };
            let error = answer.read::<wire::search::PageView>("a page of trackings").unwrap_err();
            assert!(error.to_string().contains("something else than a page of trackings"), "{error}");
        }
        let answer = Answer { body: r#"{"zebra":1,"apple":{"new":[true]}}"#.to_owned() };
        let shown = answer.json().unwrap();
        assert!(shown.find("zebra") < shown.find("apple") && shown.contains("new"), "{shown}");
    }
}
