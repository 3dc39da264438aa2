//! A carrier over HTTP.

use super::answer::{AnswerRules, Health};
use super::auth::{Authentication, NoToken};
use super::breaker::Breaker;
use super::client::{Answer, Client, Failure};
use super::config::HttpConfig;
use super::error::{HttpError, Unfit};
use super::message::{self, Fields};
use super::provider::Provider;
use super::receipts::Reader;
use super::request::{Body, CompiledRequest, Rendered};
use super::template::{TemplateError, Templates};
use crate::carrier::{Carrier, Outcome};
use crate::outgoing::Outgoing;
use crate::posted::{Heard, Posted, ReceiptError};
use async_trait::async_trait;
use flow::{Channel, Detail, Restrictions, Step};
use minijinja::{Value, context};
use std::time::Instant;

/// A carrier reached over HTTP.
///
/// ```
/// use carriers::config::Secret;
/// use carriers::{Http, HttpConfig, Provider};
/// use std::collections::BTreeMap;
/// use std::time::Duration;
///
/// let _ = rustls::crypto::ring::default_provider().install_default();
/// let provider = Provider::preset("twilio-sms").expect("it is one of the presets");
/// let config = HttpConfig {
///     provider: "twilio-sms".to_owned(),
///     settings: BTreeMap::from([
///         ("account_sid".to_owned(), Secret::Text("AC0".to_owned())),
///         ("auth_token".to_owned(), Secret::Text("0123456789abcdef".to_owned())),
///     ]),
///     base_url: None,
///     timeout: Duration::from_secs(15),
///     connect_timeout: Duration::from_secs(5),
/// };
/// let http = Http::new(&provider, &config, Some("https://sms.example/carriers/twilio/receipts"))?;
/// assert_eq!(http.named("twilio").warning(), None);
/// # Ok::<(), carriers::HttpError>(())
/// ```
pub struct Http {
    client: Client,
    templates: Templates,
    authentication: Authentication,
    base_url: String,
    settings: Value,
    /// Where the provider posts receipts; empty if this server has no public URL.
    receipts_url: String,
    requests: Vec<CompiledRequest>,
    answer: AnswerRules,
    reader: Option<Reader>,
    breaker: Breaker,
    channels: Vec<Channel>,
}

impl Http {
    /// Makes a carrier by a provider's file. `receipts_url` is where the provider posts receipts, if that is
    /// known.
    ///
    /// # Errors
    /// [`HttpError`]: the key of the file or of the configuration, and the rule.
    pub fn new(
        provider: &Provider,
        config: &HttpConfig,
        receipts_url: Option<&str>,
    ) -> Result<Http, HttpError> {
        let settings = config.settings(provider)?;
        let mut templates = Templates::new();
        let base = config.base_url.as_deref().unwrap_or(&provider.base_url);
        let base_name = templates.text("base_url".into(), base)?;
        let base_url = templates.render(&base_name, &context! { settings => settings })?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
            return Err(HttpError::BaseUrl);
        }
        let authentication = Authentication::new(&provider.auth, &base_url, &settings, &mut templates)?;
        let requests = provider
            .request
            .iter()
            .map(|request| CompiledRequest::new(request, &mut templates))
            .collect::<Result<_, _>>()?;
        let answer = AnswerRules::new(&provider.answer, &mut templates)?;
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

    /// Renders every request once with sample values, so that a body that is no JSON is found before a
    /// message is.
    fn try_requests(&self) -> Result<(), TemplateError> {
        for request in &self.requests {
            let names = message::content_names().chain(message::ADDRESS);
            self.render(request, names.map(|name| (name, message::sample(name))).collect())?;
        }
        Ok(())
    }

    fn render(&self, request: &CompiledRequest, mut fields: Fields) -> Result<Rendered, TemplateError> {
        fields.insert("settings", self.settings.clone());
        fields.insert("receipts_url", Value::from(&*self.receipts_url));
        request.render(&fields, &self.templates)
    }

    /// The request that hands over a step.
    fn request(
        &self,
        step: &Step,
        restrictions: Option<&Restrictions>,
    ) -> Result<(&CompiledRequest, Fields), Unfit> {
        let content = message::content(step, restrictions);
        let request = CompiledRequest::find(&self.requests, &content, &self.templates)?;
        Ok((request, content))
    }

    fn rendered(&self, outgoing: &Outgoing) -> Result<Rendered, Unfit> {
        let (request, mut fields) = self.request(outgoing.step(), outgoing.flow.restrictions.as_ref())?;
        fields.extend(message::address(outgoing));
        Ok(self.render(request, fields)?)
    }

    async fn make(&self, rendered: &Rendered) -> Result<Answer, Trouble> {
        let url = format!("{}{}", self.base_url, rendered.path);
        let mut refused = None;
        loop {
            let credentials =
                self.authentication.credentials(&self.client, &self.templates, refused.as_ref()).await?;
            let headers: Vec<_> = rendered.headers.iter().chain(&credentials.headers).cloned().collect();
            let answer = match &rendered.body {
                Body::Json(body) => self.client.post_json(&url, &headers, body).await,
                Body::Form(form) => self.client.post_form(&url, &headers, form).await,
            }?;
            // Once: a token that is refused when it is new will be refused again.
            let renew = refused.is_none() && self.authentication.can_renew();
            if !renew || !self.answer.wants_token(&answer, &self.templates) {
                return Ok(answer);
            }
            refused = Some(credentials);
        }
    }

    /// What became of a message by an answer, which also shows the provider's health.
    fn outcome(&self, answer: &Answer, own_id: &str) -> Outcome {
        let (outcome, health) = self.answer.read(answer, own_id, &self.templates);
        match health {
            Health::Healthy => self.breaker.succeed(),
            Health::Busy => {}
            Health::Paused(pause) => self.breaker.hold(Instant::now(), pause),
            Health::Failing(why) => self.breaker.fail(Instant::now(), &why),
        }
        outcome
    }
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    NoToken(#[from] NoToken),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Trouble {
    fn outcome(self) -> Outcome {
        match self {
            Trouble::NoToken(error) => {
                tracing::warn!(%error, "no token could be had");
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
        let rendered = match self.rendered(outgoing) {
            Ok(rendered) => rendered,
            Err(why) => {
                let description = Some(why.to_string());
                return Outcome::Refused { detail: Detail::MESSAGE_REJECTED, description };
            }
        };
        if let Err(pause) = self.breaker.enter(Instant::now()) {
            return Outcome::Later { reason: "circuit open", after: Some(pause) };
        }
        match self.make(&rendered).await {
            Ok(answer) => self.outcome(&answer, &outgoing.part_id().to_string()),
            Err(trouble) => {
                let outcome = trouble.outcome();
                if let Outcome::Later { reason, .. } | Outcome::Unknown { reason } = &outcome {
                    self.breaker.fail(Instant::now(), reason);
                }
                outcome
            }
        }
    }

    /// Our id, if the request contains it: a provider that takes it as its own reports on the message by it.
    fn expected_reference(&self, outgoing: &Outgoing) -> Option<String> {
        let (request, _) = self.request(outgoing.step(), outgoing.flow.restrictions.as_ref()).ok()?;
        request.has_place("message_id").then(|| outgoing.part_id().to_string())
    }

    fn refuses(&self, step: &Step, restrictions: Option<&Restrictions>) -> Option<String> {
        if !self.channels.contains(&step.channel()) {
            return Some(format!("the provider does not carry {}", step.channel()));
        }
        self.request(step, restrictions).err().map(|why| why.to_string())
    }

    fn accepts_whole_message(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::super::config::{default_connect_timeout, default_timeout};
    use super::super::preset;
    use super::*;
    use crate::config::Secret;
    use std::collections::BTreeMap;

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
            let (_, text) = preset::ALL.iter().find(|(known, _)| *known == name).unwrap();
            let provider = Provider::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            Http::new(&provider, &config(&provider), None).unwrap_or_else(|error| panic!("{name}: {error}"));
            let nothing = HttpConfig { settings: BTreeMap::new(), ..config(&provider) };
            let error = Http::new(&provider, &nothing, None).err().unwrap().to_string();
            assert!(error.contains("is missing"), "{name}: {error}");
        }
    }

    #[test]
    fn every_preset_is_documented_with_its_settings() {
        let documentation = include_str!("../../../../docs/carriers-http.md");
        for name in Provider::presets() {
            let is_row = |line: &&str| line.starts_with('|') && line.contains(&format!("`{name}`"));
            let row = documentation.lines().find(is_row);
            let row = row.unwrap_or_else(|| panic!("docs/carriers-http.md has no row for {name}"));
            for setting in Provider::preset(name).unwrap().settings.keys() {
                assert!(row.contains(&format!("`{setting}`")), "{name}: {setting} is not in its row");
            }
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
            let provider = Provider::parse(text).map_err(|error| error.to_string())?;
            Http::new(&provider, &config(&provider), None).map(drop).map_err(|error| error.to_string())
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
