//! Providers that are spoken to over HTTP, as a file describes them: see [`Provider`] and docs/carriers-http.md.

mod answer;
mod auth;
mod breaker;
mod client;
mod message;
mod provider;
mod receipts;
mod template;
mod verify;

pub use provider::Provider;

use crate::config::Secret;
use crate::{Carrier, Heard, Outcome, Outgoing, Posted, ReceiptError};
use answer::{Condition, Meaning};
use async_trait::async_trait;
use auth::{Authentication, NoToken};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breaker::Breaker;
use client::{Answer, Client, Failure};
use flow::{Channel, Detail, Restrictions, Step};
use message::Fields;
use minijinja::{Value, context};
use provider::{Refusal, Values};
use receipts::Reader;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};
use template::Templates;

/// What a carrier over HTTP can be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// A preset, or the path of a provider's file.
    pub provider: String,
    /// What the provider's file asks for: a text, `{ env = "NAME" }` or `{ file = "PATH" }`.
    #[serde(default)]
    pub settings: BTreeMap<String, Secret>,
    /// Another base URL than the file's.
    #[serde(default)]
    pub base_url: Option<String>,
    /// How long an answer may take.
    #[serde(default = "default_timeout", deserialize_with = "crate::config::duration")]
    pub timeout: Duration,
    /// How long connecting may take.
    #[serde(default = "default_connect_timeout", deserialize_with = "crate::config::duration")]
    pub connect_timeout: Duration,
}

const fn default_timeout() -> Duration {
    Duration::from_secs(15)
}

const fn default_connect_timeout() -> Duration {
    Duration::from_secs(5)
}

/// A carrier reached over HTTP.
pub struct Http {
    client: Client,
    templates: Templates,
    authentication: Authentication,
    base_url: String,
    settings: Value,
    /// Where the provider posts receipts; empty where this server has no public URL.
    receipts_url: String,
    requests: Vec<Request>,
    answer: Meaning,
    reader: Option<Reader>,
    breaker: Breaker,
    channels: Vec<Channel>,
}

/// A compiled request: names of templates.
struct Request {
    name: String,
    when: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    body: Body,
    /// The fields that have a place in it.
    places: HashSet<String>,
}

enum Body {
    Json(String),
    Form(Vec<(String, String)>),
}

impl Http {
    /// A carrier by a provider's file. `receipts_url` is where the provider posts receipts, where that is known.
    ///
    /// # Errors
    /// The key of the file or of the configuration, and the rule.
    pub fn new(provider: &Provider, config: &HttpConfig, receipts_url: Option<&str>) -> Result<Http, String> {
        let settings = settings(provider, config)?;
        let mut templates = Templates::new();
        let base = config.base_url.as_deref().unwrap_or(&provider.base_url);
        let base_name = templates.text("base_url".into(), base)?;
        let base_url = templates.render(&base_name, &context! { settings => settings })?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
            return Err("base_url: must be an http or https URL".into());
        }
        let authentication = Authentication::new(&provider.auth, &base_url, &settings, &mut templates)?;
        let requests = provider
            .request
            .iter()
            .map(|request| compile(request, &mut templates))
            .collect::<Result<_, _>>()?;
        let answer = Meaning::new(&provider.answer, &mut templates)?;
        let reader = match &provider.receipts {
            Some(receipts) => {
                Some(Reader::new(receipts, provider.inbound.as_ref(), &settings, &mut templates)?)
            }
            None => None,
        };
        let receipts_url = match (receipts_url, &reader) {
            (Some(url), Some(reader)) => reader.url(url),
            _ => String::new(),
        };
        let http = Http {
            client: Client::new(config.timeout, config.connect_timeout)?,
            templates,
            authentication,
            base_url,
            settings,
            receipts_url,
            requests,
            answer,
            reader,
            breaker: Breaker::default(),
            channels: provider.channels.clone(),
        };
        http.try_requests()?;
        Ok(http)
    }

    /// The same carrier under the name that the log knows it by.
    #[must_use]
    pub fn named(mut self, name: &str) -> Http {
        name.clone_into(&mut self.breaker.name);
        self
    }

    /// What is unwise in the configuration, though it can be used: the key and the rule.
    pub fn warning(&self) -> Option<&str> {
        self.reader.as_ref()?.weakness()
    }

    /// Makes every request once with sample values: what is no JSON is found now.
    fn try_requests(&self) -> Result<(), String> {
        for request in &self.requests {
            let names = message::content_names().chain(message::ADDRESS).filter(|name| *name != "settings");
            let fields = names.map(|name| (name, message::sample(name))).collect();
            self.render(request, fields)?;
        }
        Ok(())
    }

    fn render(&self, request: &Request, mut fields: Fields) -> Result<Rendered, String> {
        fields.insert("settings", self.settings.clone());
        fields.insert("receipts_url", Value::from(&*self.receipts_url));
        let values = Value::from_serialize(&fields);
        let render = |(name, template): &(String, String)| {
            Ok((name.clone(), self.templates.render(template, &values)?))
        };
        let headers = request.headers.iter().map(render).collect::<Result<_, String>>()?;
        let body = match &request.body {
            Body::Json(template) => RenderedBody::Json(self.templates.render_json(template, &values)?),
            Body::Form(form) => {
                let mut form = form.iter().map(render).collect::<Result<Vec<_>, String>>()?;
                form.retain(|(_, value)| !value.is_empty());
                RenderedBody::Form(form)
            }
        };
        let path = self.templates.render(&request.path, &values)?;
        Ok(Rendered { url: format!("{}{path}", self.base_url), headers, body })
    }

    /// The request that hands such content over.
    fn request(&self, content: &Fields) -> Result<&Request, String> {
        let values = Value::from_serialize(content);
        let holds =
            |request: &&Request| request.when.as_ref().is_none_or(|when| self.templates.holds(when, &values));
        let request = self.requests.iter().find(holds);
        let request = request.ok_or("the provider takes no message of this kind")?;
        let given = content.iter().filter(|(_, value)| !value.is_none());
        let lost: Vec<&str> =
            given.map(|(name, _)| *name).filter(|name| !request.places.contains(*name)).collect();
        if lost.is_empty() {
            return Ok(request);
        }
        Err(format!("the provider's request \"{}\" has no place for {}", request.name, lost.join(", ")))
    }

    async fn make(&self, rendered: &Rendered) -> Result<Answer, Trouble> {
        let mut refused = None;
        loop {
            let credentials =
                self.authentication.credentials(&self.client, &self.templates, refused.as_ref()).await;
            let credentials = credentials.map_err(Trouble::NoToken)?;
            let headers: Vec<_> = rendered.headers.iter().chain(&credentials.headers).cloned().collect();
            let answer = match &rendered.body {
                RenderedBody::Json(body) => self.client.post_json(&rendered.url, &headers, body).await,
                RenderedBody::Form(form) => self.client.post_form(&rendered.url, &headers, form).await,
            };
            let answer = answer.map_err(Trouble::Failed)?;
            // Once: a token that is refused when it is new will be refused again.
            let renew = refused.is_none() && self.authentication.can_renew();
            if !renew || !self.answer.wants_token(&answer, &self.templates) {
                return Ok(answer);
            }
            refused = Some(credentials);
        }
    }

    /// What came of a message by an answer, which also tells how the provider is.
    fn outcome(&self, answer: &Answer, own_id: &str) -> Outcome {
        let (outcome, condition) = self.answer.read(answer, own_id, &self.templates);
        match condition {
            Condition::Well => self.breaker.succeed(),
            Condition::Busy => {}
            Condition::Away(pause) => self.breaker.hold(Instant::now(), pause),
            Condition::Failing(why) => self.breaker.fail(Instant::now(), &why),
        }
        outcome
    }
}

/// A request ready to be made.
struct Rendered {
    url: String,
    headers: Vec<(String, String)>,
    body: RenderedBody,
}

enum RenderedBody {
    Json(Json),
    Form(Vec<(String, String)>),
}

/// Why a request got no answer.
enum Trouble {
    NoToken(NoToken),
    Failed(Failure),
}

impl Trouble {
    fn outcome(self) -> Outcome {
        match self {
            Trouble::NoToken(NoToken(why)) => {
                tracing::warn!(why, "no token was to be had");
                Outcome::Later { reason: "no token", after: None }
            }
            Trouble::Failed(Failure::NotConnected) => Outcome::Later { reason: "not connected", after: None },
            Trouble::Failed(Failure::Timeout) => Outcome::Unknown { reason: "response timeout" },
            Trouble::Failed(Failure::Lost) => Outcome::Unknown { reason: "connection lost" },
        }
    }
}

#[async_trait]
impl Carrier for Http {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let refuse =
            |why: String| Outcome::Refused { detail: Detail::MESSAGE_REJECTED, description: Some(why) };
        let mut fields = message::content(outgoing.step(), outgoing.flow.restrictions.as_ref());
        let rendered = self.request(&fields).and_then(|request| {
            fields.extend(message::address(outgoing));
            self.render(request, fields)
        });
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(why) => return refuse(why),
        };
        if let Err(pause) = self.breaker.enter(Instant::now()) {
            return Outcome::Later { reason: "circuit open", after: Some(pause) };
        }
        match self.make(&rendered).await {
            Ok(answer) => self.outcome(&answer, &outgoing.part().id.to_string()),
            Err(trouble) => {
                let outcome = trouble.outcome();
                if let Outcome::Later { reason, .. } | Outcome::Unknown { reason } = &outcome {
                    self.breaker.fail(Instant::now(), reason);
                }
                outcome
            }
        }
    }

    /// Our id, where the provider is told it: one that takes it for its own reports on the message by it.
    fn expected_reference(&self, outgoing: &Outgoing) -> Option<String> {
        let content = message::content(outgoing.step(), outgoing.flow.restrictions.as_ref());
        let request = self.request(&content).ok()?;
        request.places.contains("message_id").then(|| outgoing.part().id.to_string())
    }

    fn refuses(&self, step: &Step, restrictions: Option<&Restrictions>) -> Option<String> {
        if !self.channels.contains(&step.channel()) {
            return Some(format!("the provider does not carry {}", step.channel()));
        }
        self.request(&message::content(step, restrictions)).err()
    }

    fn takes_whole(&self) -> bool {
        true
    }

    fn read_receipts(&self, posted: &Posted<'_>) -> Result<Vec<Heard>, ReceiptError> {
        let reader = self.reader.as_ref().ok_or(ReceiptError::NotSupported)?;
        reader.read(posted, &self.templates)
    }

    fn is_up(&self) -> bool {
        self.breaker.is_closed(Instant::now())
    }

    async fn close(&self) {}
}

/// The settings that a provider's file asks for, as templates see them.
fn settings(provider: &Provider, config: &HttpConfig) -> Result<Value, String> {
    if let Some(unknown) = config.settings.keys().find(|name| !provider.settings.contains_key(*name)) {
        let known: Vec<_> = provider.settings.keys().map(String::as_str).collect();
        return Err(format!("settings.{unknown}: the provider knows only {}", known.join(", ")));
    }
    let mut filled = BTreeMap::new();
    for (name, setting) in &provider.settings {
        let value = match (config.settings.get(name), &setting.default) {
            (Some(secret), _) => secret.read().map_err(|error| format!("settings.{name}: {error}"))?,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(format!("settings.{name} is missing: {}", setting.about)),
        };
        if !setting.choices.is_empty() && !setting.choices.contains(&value) {
            return Err(format!("settings.{name}: must be one of {}", setting.choices.join(", ")));
        }
        filled.insert(name, value);
    }
    Ok(Value::from_serialize(filled))
}

fn compile(request: &provider::Request, templates: &mut Templates) -> Result<Request, String> {
    let at = |key: &str| format!("request.{}.{key}", request.name);
    let compile_all = |key: &str, sources: &BTreeMap<String, String>, templates: &mut Templates| {
        let compiled = sources
            .iter()
            .map(|(name, source)| Ok((name.clone(), templates.text(at(&format!("{key}.{name}")), source)?)));
        compiled.collect::<Result<Vec<_>, String>>()
    };
    let when = request.when.as_ref().map(|when| templates.condition(at("when"), when)).transpose()?;
    let path = templates.text(at("path"), &request.path)?;
    let headers = compile_all("headers", &request.headers, templates)?;
    let body = match (&request.body, &request.form) {
        (Some(body), None) => Body::Json(templates.json(at("body"), body)?),
        (None, Some(form)) => Body::Form(compile_form(&at("form"), form, templates)?),
        _ => return Err(format!("request.{}: must have either body or form", request.name)),
    };
    let mut used: HashSet<String> = HashSet::new();
    let mut in_body = HashSet::new();
    match &body {
        Body::Json(name) => in_body.extend(templates.variables(name)),
        Body::Form(form) => form.iter().for_each(|(_, name)| in_body.extend(templates.variables(name))),
    }
    used.extend(
        when.iter()
            .chain([&path])
            .chain(headers.iter().map(|(_, name)| name))
            .flat_map(|name| templates.variables(name)),
    );
    let is_content = |name: &str| message::content_names().any(|known| known == name);
    let known = |name: &str| is_content(name) || message::ADDRESS.contains(&name);
    let first = |name: &String| name.split('.').next().unwrap_or_default().to_owned();
    if let Some(unknown) = used.iter().chain(&in_body).map(first).find(|name| !known(name)) {
        return Err(format!("request.{}: there is no field \"{unknown}\"", request.name));
    }
    if let Some(unknown) = request.implied.iter().find(|name| !is_content(name)) {
        return Err(format!("request.{}.implied: there is no field \"{unknown}\"", request.name));
    }
    let places = in_body.iter().map(first).chain(request.implied.iter().cloned()).collect();
    Ok(Request { name: request.name.clone(), when, path, headers, body, places })
}

/// Compiles a form; a name may have several values.
fn compile_form(
    at: &str,
    form: &BTreeMap<String, Values>,
    templates: &mut Templates,
) -> Result<Vec<(String, String)>, String> {
    let mut compiled = Vec::new();
    for (name, values) in form {
        let values = match values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Several(values) => values,
        };
        for (i, value) in values.iter().enumerate() {
            compiled.push((name.clone(), templates.text(format!("{at}.{name}[{i}]"), value)?));
        }
    }
    Ok(compiled)
}

/// Compiles what failures mean: names of expressions, and detailed statuses.
fn refusals(
    at: &str,
    refusals: &[Refusal],
    templates: &mut Templates,
) -> Result<Vec<(String, Detail)>, String> {
    let compile = |(i, refusal): (usize, &Refusal)| {
        Ok((templates.condition(format!("{at}[{i}].when"), &refusal.when)?, detail(&refusal.detail)?))
    };
    refusals.iter().enumerate().map(compile).collect()
}

/// A detailed status of the contract's by its name.
fn detail(name: &str) -> Result<Detail, String> {
    let known = Detail::NAMES.iter().find(|known| **known == name);
    let known = known.ok_or_else(|| format!("there is no detailed status \"{name}\""))?;
    Ok(Detail((*known).into()))
}

/// A text or a number, as text; nothing else.
fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The value of `Authorization` (RFC 7617).
fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(provider: &Provider) -> HttpConfig {
        let filled = provider.settings.iter().filter(|(_, setting)| setting.default.is_none());
        let value = |name: &String| Secret::Text(format!("https://{}.example", name.replace('_', "-")));
        HttpConfig {
            provider: String::new(),
            settings: filled.map(|(name, _)| (name.clone(), value(name))).collect(),
            base_url: None,
            timeout: default_timeout(),
            connect_timeout: default_connect_timeout(),
        }
    }

    #[test]
    fn presets_are_right_and_ask_for_what_they_need() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for name in Provider::presets() {
            let (_, text) = provider::PRESETS.into_iter().find(|(known, _)| *known == name).unwrap();
            let provider = Provider::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            Http::new(&provider, &config(&provider), None).unwrap_or_else(|error| panic!("{name}: {error}"));
            let nothing = HttpConfig { settings: BTreeMap::new(), ..config(&provider) };
            let error = Http::new(&provider, &nothing, None).err().unwrap();
            assert!(error.contains("is missing"), "{name}: {error}");
        }
    }

    #[test]
    fn a_receipt_secret_that_can_be_guessed_is_warned_of() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for (preset, key) in [("infobip-sms", "receipt_token"), ("vonage-sms", "signature_secret")] {
            let provider = Provider::preset(preset).unwrap();
            for (secret, warned) in [("x", true), ("123456789012345", true), ("1234567890123456", false)] {
                let mut config = config(&provider);
                config.settings.insert(key.into(), Secret::Text(secret.into()));
                let http = Http::new(&provider, &config, None).unwrap();
                let warning = http.warning().unwrap_or_default();
                assert_eq!(
                    warning.starts_with(&format!("settings.{key}: has")),
                    warned,
                    "{preset}: {warning}"
                );
                assert!(secret.len() < 2 || !warning.contains(secret));
            }
        }
    }

    #[test]
    fn a_file_with_a_mistake_is_refused_with_its_key() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let text = |body: &str| {
            format!(
                "description = \"x\"\nchannels = [\"Sms\"]\nbase_url = \"http://x\"\n\
                 [[request]]\nname = \"text\"\npath = \"/\"\nbody = '''{body}'''\n\
                 [answer]\naccepted = \"status == 200\"\nid = \"/id\"\n"
            )
        };
        let error = |text: &str| {
            let provider = Provider::parse(text)?;
            Http::new(&provider, &config(&provider), None).map(drop)
        };
        assert_eq!(error(&text("{\"t\": {{ text }}}")), Ok(()));
        for (body, rule) in [
            ("{\"t\": {{ txet }}}", "there is no field \"txet\""),
            ("{\"t\": \"{{ text }}\"}", "it makes no JSON"),
            ("{\"t\": {{ text }", "request.text.body"),
        ] {
            let error = error(&text(body)).unwrap_err();
            assert!(error.contains(rule), "{error}");
        }
        let error = error(&text("{}").replace("accepted", "acepted")).unwrap_err();
        assert!(error.contains("acepted"), "{error}");
    }
}
