//! What a provider's answers mean: by its file, and for what the file does not cover, by HTTP. An answer that
//! does not clearly refuse is no refusal: the provider may have accepted the message.

use super::client::{self, Answer};
use super::error::HttpError;
use super::template::Templates;
use super::value::text_of;
use super::{failure, provider};
use crate::carrier::Outcome;
use flow::Detail;
use minijinja::{Value, context};
use std::time::Duration;

/// What answers mean: names of expressions, and JSON pointers.
pub(super) struct AnswerRules {
    accepted: String,
    later: String,
    unauthorized: String,
    refused: Vec<(String, Detail)>,
    id: String,
    description: Option<String>,
    retry_after: Option<String>,
}

/// What an answer shows of the provider itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Health {
    /// It answers messages as it should.
    Healthy,
    /// It has too much to do now.
    Busy,
    /// It asked for a pause of this length.
    Paused(Duration),
    /// It fails, or something before it answers in its place; with why, for the log.
    Failing(String),
}

impl AnswerRules {
    /// Compiles what the file says.
    pub(super) fn new(
        answer: &provider::Answer,
        templates: &mut Templates,
    ) -> Result<AnswerRules, HttpError> {
        Ok(AnswerRules {
            accepted: templates.condition("answer.accepted".into(), &answer.accepted)?,
            later: templates.condition("answer.later".into(), &answer.later)?,
            unauthorized: templates.condition("answer.unauthorized".into(), &answer.unauthorized)?,
            refused: failure::compile("answer.refused", &answer.refused, templates)?,
            id: answer.id.clone(),
            description: answer.description.clone(),
            retry_after: answer.retry_after.clone(),
        })
    }

    /// Returns whether the provider wants another token.
    pub(super) fn wants_token(&self, answer: &Answer, templates: &Templates) -> bool {
        templates.holds(&self.unauthorized, &values(answer))
    }

    /// What became of a message. `own_id` is our id of it: its reference if the provider accepts it without
    /// an id.
    pub(super) fn read(&self, answer: &Answer, own_id: &str, templates: &Templates) -> (Outcome, Health) {
        let values = values(answer);
        let holds = |condition: &str| templates.holds(condition, &values);
        let id = answer.body.pointer(&self.id).and_then(text_of);
        if holds(&self.accepted) {
            // Without an id its receipts may not find it, and yet it was taken: never sent again.
            let reference = id.unwrap_or_else(|| own_id.to_owned());
            return (Outcome::Accepted { reference }, Health::Healthy);
        }
        if let Some((_, detail)) = self.refused.iter().find(|(when, _)| holds(when)) {
            return (self.refusal(detail.clone(), answer), Health::Healthy);
        }
        if holds(&self.later) {
            return self.later(answer, if answer.status == 429 { "throttled" } else { "provider error" });
        }
        if holds(&self.unauthorized) {
            let outcome = Outcome::Later { reason: "unauthorized", after: None };
            return (outcome, Health::Failing("unauthorized".into()));
        }
        self.by_status(answer, id)
    }

    /// What an answer means that the file does not cover (RFC 9110, 15).
    fn by_status(&self, answer: &Answer, id: Option<String>) -> (Outcome, Health) {
        let unclear = |reason| {
            let health = Health::Failing(format!("an unclear answer, HTTP {}", answer.status));
            (Outcome::Unknown { reason }, health)
        };
        match (answer.status, id) {
            (200..300, Some(reference)) => (Outcome::Accepted { reference }, Health::Healthy),
            (200..300, None) => unclear("an answer that says nothing"),
            // It is done, and its result is elsewhere.
            (303, _) => unclear("an answer that is elsewhere"),
            // It may be there already.
            (409, _) => unclear("a conflict"),
            // A gateway before the provider had no answer from it in time.
            (504 | 524, _) => unclear("gateway timeout"),
            // Only these say that the message itself is wrong, and only if the provider says so: a gateway
            // before it answers with them, too.
            (400 | 413 | 422, _) if answer.speaks => (self.refusal(Detail::FAILED, answer), Health::Healthy),
            // A wrong address, a wrong account, a redirect: nothing about the message, which was not
            // accepted.
            _ => self.later(answer, "unexpected status"),
        }
    }

    fn refusal(&self, detail: Detail, answer: &Answer) -> Outcome {
        let pointer = self.description.as_deref();
        let described = pointer
            .and_then(|pointer| answer.body.pointer(pointer))
            .map(|value| text_of(value).unwrap_or_else(|| value.to_string()));
        let words = described.unwrap_or_else(|| format!("HTTP {}", answer.status));
        Outcome::Refused { detail, description: Some(words) }
    }

    fn later(&self, answer: &Answer, reason: &'static str) -> (Outcome, Health) {
        let told = || answer.body.pointer(self.retry_after.as_deref()?)?.as_u64();
        let after = answer.retry_after.or_else(|| told().map(client::pause));
        let health = match after {
            Some(pause) => Health::Paused(pause),
            // Too many requests, no failure of the provider's.
            None if answer.status == 429 => Health::Busy,
            None => Health::Failing(format!("HTTP {}", answer.status)),
        };
        (Outcome::Later { reason, after }, health)
    }
}

fn values(answer: &Answer) -> Value {
    let body = Value::from_serialize(&answer.body);
    context! { status => answer.status, body => body, headers => answer.headers }
}

#[cfg(test)]
mod tests {
    use super::super::Provider;
    use super::*;
    use serde_json::{Value as Json, json};

    fn answer(status: u16, body: &str) -> Answer {
        let headers = reqwest::header::HeaderMap::new();
        Answer::new(status, &headers, body.as_bytes())
    }

    fn read(preset: &str, status: u16, body: &str) -> (Outcome, Health) {
        let mut templates = Templates::new();
        let provider = Provider::preset(preset).unwrap();
        let rules = AnswerRules::new(&provider.answer, &mut templates).unwrap();
        rules.read(&answer(status, body), "ours", &templates)
    }

    fn word(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Accepted { .. } => "accepted",
            Outcome::Refused { .. } => "refused",
            Outcome::Later { .. } => "later",
            Outcome::Unknown { .. } => "unknown",
        }
    }

    fn infobip(group: &str) -> String {
        json!({"messages": [{"messageId": "m1", "status": {"groupName": group}}]}).to_string()
    }

    /// Rule 1 of the cases of providers.
    #[test]
    fn an_answer_that_does_not_clearly_refuse_is_no_refusal() {
        let (good, no) = (infobip("PENDING"), infobip("REJECTED"));
        let marked = format!("\u{feff}{good}");
        let error = r#"{"requestError": {"serviceException": {"text": "Bad request"}}}"#;
        for (status, body, expected) in [
            (200, &*good, "accepted"),
            (202, &*good, "accepted"),
            (200, &*marked, "accepted"),
            (200, r#"{"messages":[{"messageId":"m1"}]}"#, "accepted"),
            (200, "", "unknown"),
            (204, "", "unknown"),
            (200, "<html>ok</html>", "unknown"),
            (200, "\u{1f}\u{8b}\u{8}", "unknown"),
            (200, "[]", "unknown"),
            (303, "", "unknown"),
            (409, error, "unknown"),
            (504, "<html>", "unknown"),
            (200, &*no, "refused"),
            (202, &*no, "refused"),
            (400, error, "refused"),
            (400, "Invalid destination", "refused"),
            (422, error, "refused"),
            (400, "", "later"),
            (400, "<!DOCTYPE html><title>400 The plain HTTP request was sent to HTTPS port</title>", "later"),
            (301, "", "later"),
            (302, "<html>", "later"),
            (308, "", "later"),
            (401, error, "later"),
            (402, error, "later"),
            (403, error, "later"),
            (404, error, "later"),
            (405, "", "later"),
            (407, "", "later"),
            (408, "", "later"),
            (410, "", "later"),
            (415, error, "later"),
            (421, "", "later"),
            (425, "", "later"),
            (429, error, "later"),
            (500, error, "later"),
            (502, "<html>", "later"),
            (503, "", "later"),
        ] {
            let (outcome, health) = read("infobip-sms", status, body);
            assert_eq!(word(&outcome), expected, "{status} {body}");
            let well = matches!(expected, "accepted" | "refused") || status == 429;
            assert_eq!(!matches!(health, Health::Failing(_)), well, "{status} {body}: {health:?}");
        }
    }

    #[test]
    fn accepted_without_an_id_is_accepted() {
        for (preset, status, body) in [
            ("vonage-sms", 202, ""),
            ("vonage-viber", 202, "<html>"),
            ("twilio-sms", 201, "{}"),
            ("twilio-voice", 201, "[]"),
            ("route-mobile-viber", 202, r#"{"request_id": null}"#),
        ] {
            let (outcome, _) = read(preset, status, body);
            assert_eq!(outcome, Outcome::Accepted { reference: "ours".into() }, "{preset}");
        }
        // What another status accepts is told by its id.
        for (preset, body) in [
            ("vonage-sms", json!({"message_uuid": "m1"})),
            ("vonage-v0.1-viber", json!({"message_uuid": "m1"})),
            ("twilio-sms", json!({"sid": "m1"})),
            ("route-mobile-viber", json!({"request_id": "m1"})),
        ] {
            let (outcome, _) = read(preset, 200, &body.to_string());
            assert_eq!(outcome, Outcome::Accepted { reference: "m1".into() }, "{preset}");
            assert_eq!(word(&read(preset, 200, "{}").0), "unknown", "{preset}");
        }
    }

    /// No preset takes a gateway before the provider for the provider.
    #[test]
    fn every_preset_waits_where_nothing_is_said_of_the_message() {
        for preset in Provider::presets() {
            for (status, body) in
                [(404, "<html>"), (301, ""), (405, ""), (400, "<html>"), (408, ""), (403, "{}")]
            {
                assert_eq!(word(&read(preset, status, body).0), "later", "{preset} {status}");
            }
            assert_eq!(word(&read(preset, 200, "<html>ok</html>").0), "unknown", "{preset}");
            let error = json!({"error": "bad", "code": 21211, "detail": "bad"}).to_string();
            assert_eq!(word(&read(preset, 400, &error).0), "refused", "{preset}");
        }
    }

    #[test]
    fn a_provider_says_when_to_come_again_in_seconds_or_as_a_date() {
        let mut headers = reqwest::header::HeaderMap::new();
        let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(100);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        for told in ["100", &date] {
            headers.insert("retry-after", told.parse().unwrap());
            let Answer { retry_after, body, .. } = Answer::new(503, &headers, b"");
            assert!((98..=100).contains(&retry_after.unwrap().as_secs()), "{told}: {retry_after:?}");
            assert_eq!(body, Json::Null);
        }
    }
}
