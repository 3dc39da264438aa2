//! Tokens: requested by a call, kept until they expire, renewed when the provider refuses one.

use super::client::{Client, Failure};
use super::error::HttpError;
use super::provider::Auth;
use super::template::{TemplateError, Templates};
use data_encoding::BASE64;
use minijinja::{Value, context};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long before it expires a token is renewed; after half its lifetime if that is shorter.
const MARGIN: Duration = Duration::from_secs(30);

/// The shortest and the longest time for which a token is used, whatever the provider says.
const LIFETIME_MIN: Duration = Duration::from_secs(1);
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// Makes requests authentic.
pub(super) struct Authentication {
    kind: Kind,
    /// The lock is held while a token is requested, so that one call serves all requests that wait.
    token: Mutex<Option<Token>>,
}

enum Kind {
    /// Headers that stay the same.
    Fixed(Vec<(String, String)>),
    Call(Box<Call>),
}

/// A call that answers with a token.
struct Call {
    url: String,
    body: Body,
    basic: Option<(String, String)>,
    token: String,
    expires_in: Option<String>,
    lifetime: Duration,
    /// Templates by header.
    headers: BTreeMap<String, String>,
}

enum Body {
    Json(Json),
    Form(Vec<(String, String)>),
}

struct Token {
    headers: Vec<(String, String)>,
    /// Counts the tokens, so that a refused one is told from one that was requested since.
    generation: u64,
    until: Instant,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoToken {
    /// The call for one got no answer.
    #[error(transparent)]
    Unanswered(#[from] Failure),
    /// The answer to the call has no token, or another status than 2xx.
    #[error("the call for a token answered {0}")]
    Refused(u16),
    /// A template of a header fails with the token.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Headers, and the token that they are of.
pub(super) struct Credentials {
    pub(super) headers: Vec<(String, String)>,
    generation: u64,
}

impl Authentication {
    /// Compiles what the file says.
    pub(super) fn new(
        auth: &Auth,
        base_url: &str,
        settings: &Value,
        templates: &mut Templates,
    ) -> Result<Authentication, HttpError> {
        let fixed = context! { settings => settings };
        let mut fill = |name: &str, source: &str| {
            let name = templates.text(format!("auth.{name}"), source)?;
            templates.render(&name, &fixed)
        };
        let url = |path: &str| if path.contains("://") { path.into() } else { format!("{base_url}{path}") };
        let kind = match auth {
            Auth::None => Kind::Fixed(vec![]),
            Auth::Header { headers } => {
                let filled = headers.iter().map(|(name, source)| Ok((name.clone(), fill(name, source)?)));
                Kind::Fixed(filled.collect::<Result<_, TemplateError>>()?)
            }
            Auth::Basic { username, password } => {
                let value = basic(&fill("username", username)?, &fill("password", password)?);
                Kind::Fixed(vec![("authorization".into(), value)])
            }
            Auth::Login { path, body, token, expires_in, lifetime, headers } => {
                let name = templates.json("auth.body".into(), body)?;
                let body = Body::Json(templates.render_json(&name, &fixed)?);
                let mut compiled = BTreeMap::new();
                for (name, source) in headers {
                    compiled.insert(name.clone(), templates.text(format!("auth.{name}"), source)?);
                }
                Kind::Call(Box::new(Call {
                    url: url(path),
                    body,
                    basic: None,
                    token: token.clone(),
                    expires_in: expires_in.clone(),
                    lifetime: *lifetime,
                    headers: compiled,
                }))
            }
            Auth::OAuth2 { path, client_id, client_secret, scope } => {
                let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
                if let Some(scope) = scope {
                    form.push(("scope".into(), fill("scope", scope)?));
                }
                let basic = (fill("client_id", client_id)?, fill("client_secret", client_secret)?);
                let header = templates.text("auth.authorization".into(), "Bearer {{ token }}")?;
                Kind::Call(Box::new(Call {
                    url: url(path),
                    body: Body::Form(form),
                    basic: Some(basic),
                    token: "/access_token".into(),
                    expires_in: Some("/expires_in".into()),
                    lifetime: Duration::from_secs(600),
                    headers: BTreeMap::from([("authorization".into(), header)]),
                }))
            }
        };
        Ok(Authentication { kind, token: Mutex::new(None) })
    }

    /// What a request carries. Requests another token if the provider `refused` the present one.
    pub(super) async fn credentials(
        &self,
        client: &Client,
        templates: &Templates,
        refused: Option<&Credentials>,
    ) -> Result<Credentials, NoToken> {
        let call = match &self.kind {
            Kind::Fixed(headers) => return Ok(Credentials { headers: headers.clone(), generation: 0 }),
            Kind::Call(call) => call,
        };
        let mut kept = self.token.lock().await;
        let generation = kept.as_ref().map_or(0, |token| token.generation);
        if let Some(token) = &*kept
            && token.until > Instant::now()
            && refused.is_none_or(|refused| refused.generation != generation)
        {
            return Ok(Credentials { headers: token.headers.clone(), generation });
        }
        let token = call.make(client, templates, generation + 1).await?;
        let credentials = Credentials { headers: token.headers.clone(), generation: token.generation };
        *kept = Some(token);
        Ok(credentials)
    }

    /// Returns whether another token can be requested.
    pub(super) fn can_renew(&self) -> bool {
        matches!(self.kind, Kind::Call(_))
    }
}

impl Call {
    async fn make(&self, client: &Client, templates: &Templates, generation: u64) -> Result<Token, NoToken> {
        let mut headers = Vec::new();
        if let Some((username, password)) = &self.basic {
            headers.push(("authorization".to_owned(), basic(username, password)));
        }
        let answer = match &self.body {
            Body::Json(body) => client.post_json(&self.url, &headers, body).await,
            Body::Form(form) => client.post_form(&self.url, &headers, form).await,
        };
        let answer = answer?;
        let token = answer.body.pointer(&self.token).and_then(Json::as_str);
        let (200..300, Some(token)) = (answer.status, token) else {
            return Err(NoToken::Refused(answer.status));
        };
        let told = self.expires_in.as_deref().and_then(|pointer| answer.body.pointer(pointer));
        let (lifetime, margin) = lifetime(told, self.lifetime);
        let values = context! { token => token };
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            headers.push((name.clone(), templates.render(template, &values)?));
        }
        Ok(Token { headers, generation, until: Instant::now() + lifetime - margin })
    }
}

/// The value of `Authorization` (RFC 7617).
fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{username}:{password}").as_bytes()))
}

/// How long a token is used by what the provider said, and how long before its end it is renewed.
fn lifetime(told: Option<&Json>, otherwise: Duration) -> (Duration, Duration) {
    let told = told.and_then(|told| match told {
        Json::String(text) => text.trim().parse::<u64>().ok(),
        // A fraction of a second is cut off; a negative number or NaN becomes 0.
        Json::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|seconds| seconds as u64)),
        _ => None,
    });
    let lifetime = told.map_or(otherwise, Duration::from_secs).clamp(LIFETIME_MIN, LIFETIME_MAX);
    (lifetime, MARGIN.min(lifetime / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_lifetime_of_a_token_is_too_long_or_too_short() {
        let otherwise = Duration::from_secs(600);
        for (told, seconds) in [
            (json!(9_223_372_036_854_775_807_u64), 86_400),
            (json!(u64::MAX), 86_400),
            (json!(1e300), 86_400),
            (json!(3599.5), 3599),
            (json!("3600"), 3600),
            (json!(0), 1),
            (json!(-5), 1),
            (json!("soon"), 600),
            (json!(null), 600),
        ] {
            let (lifetime, margin) = lifetime(Some(&told), otherwise);
            assert_eq!(lifetime.as_secs(), seconds, "{told}");
            assert!(margin < lifetime && Instant::now().checked_add(lifetime - margin).is_some());
        }
        assert_eq!(lifetime(None, Duration::MAX).0, LIFETIME_MAX);
    }
}
