//! Reads what a provider posts: receipts, messages from recipients, opt-outs.

use super::error::HttpError;
use super::failure::{self, detail};
use super::provider::{Inbound, MappedStatus, Receipts};
use super::template::{TemplateError, Templates};
use super::value::text_of;
use super::verify::Verifier;
use crate::posted::{Heard, InboundMessage, MalformedPost, MissingField, Posted, ReceiptError};
use crate::{body, media_type};
use data_encoding::HEXLOWER;
use flow::{Detail, Receipt, Status};
use minijinja::{Value, context};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The most receipts in one body.
const RECEIPTS_MAX: usize = 10_000;

/// Reads bodies as a provider's file says.
pub(super) struct Reader {
    verifier: Verifier,
    each: Option<String>,
    id: Getter,
    status: Getter,
    time: Option<Getter>,
    description: Option<Getter>,
    operator: Option<Getter>,
    duration: Option<Getter>,
    answered_by: Option<Getter>,
    /// By the provider's word in lower case; `None` for words that change nothing.
    statuses: BTreeMap<String, Option<(Status, Detail)>>,
    /// Expressions, and the detailed statuses of the failures for which they hold.
    details: Vec<(String, Detail)>,
    inbound: Option<Answers>,
}

/// Where messages from recipients have their fields.
struct Answers {
    message: Option<String>,
    opt_out: Option<String>,
    opt_in: Option<String>,
    from: Getter,
    text: Option<Getter>,
    media_url: Option<Getter>,
    file_name: Option<Getter>,
    time: Option<Getter>,
    id: Option<Getter>,
}

/// How a value is taken out of an item.
enum Getter {
    Pointer(String),
    Template(String),
}

impl Getter {
    fn new(key: &str, source: &str, templates: &mut Templates) -> Result<Getter, TemplateError> {
        if source.starts_with('/') {
            return Ok(Getter::Pointer(source.to_owned()));
        }
        templates.text(key.to_owned(), source).map(Getter::Template)
    }

    fn optional(
        key: &str,
        source: Option<&String>,
        templates: &mut Templates,
    ) -> Result<Option<Getter>, TemplateError> {
        source.map(|source| Getter::new(key, source, templates)).transpose()
    }

    fn get(&self, item: &Json, templates: &Templates) -> Option<String> {
        match self {
            Getter::Pointer(pointer) => item.pointer(pointer).and_then(text_of),
            Getter::Template(name) => {
                let text = templates.render(name, &item_values(item)).ok()?;
                (!text.is_empty()).then_some(text)
            }
        }
    }
}

fn item_values(item: &Json) -> Value {
    context! { item => Value::from_serialize(item) }
}

impl Reader {
    pub(super) fn new(
        receipts: &Receipts,
        inbound: Option<&Inbound>,
        settings: &Value,
        templates: &mut Templates,
    ) -> Result<Reader, HttpError> {
        let mut statuses = BTreeMap::new();
        for (word, meaning) in &receipts.statuses {
            let at = |source| HttpError::Status { word: word.clone(), source: Box::new(source) };
            statuses.insert(word.to_lowercase(), status_of(meaning).map_err(at)?);
        }
        let inbound = match inbound {
            None => None,
            Some(inbound) => Some(Answers::new(inbound, templates)?),
        };
        Ok(Reader {
            verifier: Verifier::new(&receipts.verify, settings, templates)?,
            each: receipts.each.clone(),
            id: Getter::new("receipts.id", &receipts.id, templates)?,
            status: Getter::new("receipts.status", &receipts.status, templates)?,
            time: Getter::optional("receipts.time", receipts.time.as_ref(), templates)?,
            description: Getter::optional("receipts.description", receipts.description.as_ref(), templates)?,
            operator: Getter::optional("receipts.operator", receipts.operator.as_ref(), templates)?,
            duration: Getter::optional("receipts.duration", receipts.duration.as_ref(), templates)?,
            answered_by: Getter::optional("receipts.answered_by", receipts.answered_by.as_ref(), templates)?,
            statuses,
            details: failure::compile("receipts.details", &receipts.details, templates)?,
            inbound,
        })
    }

    /// The URL that the provider is told to post to.
    pub(super) fn url(&self, url: &str) -> String {
        self.verifier.url(url)
    }

    /// What is unwise about the secret that proves receipts authentic, though it can be used.
    pub(super) fn weakness(&self) -> Option<&str> {
        self.verifier.weakness()
    }

    /// Reads a body. Each item counts by itself: one that can't be read costs no other.
    pub(super) fn read(
        &self,
        posted: &Posted<'_>,
        templates: &Templates,
    ) -> Result<Vec<Heard>, ReceiptError> {
        if posted
            .header("content-encoding")
            .is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"))
        {
            return Err(ReceiptError::Encoded);
        }
        self.verifier.verify(posted)?;
        let body = parse(posted)?;
        let items = match &self.each {
            Some(pointer) => {
                body.pointer(pointer).ok_or_else(|| MalformedPost::NothingAt(pointer.clone()))?
            }
            None => &body,
        };
        let items = match items {
            Json::Array(items) => &items[..],
            item => std::slice::from_ref(item),
        };
        if items.len() > RECEIPTS_MAX {
            return Err(MalformedPost::TooMany(RECEIPTS_MAX).into());
        }
        let heard: Vec<Heard> = items.iter().map(|item| self.item(item, templates)).collect();
        // If no item can be read, the post is wrong.
        if let Some(Heard::Malformed { why }) = heard.first()
            && heard.iter().all(|heard| matches!(heard, Heard::Malformed { .. }))
        {
            return Err(MalformedPost::Receipt(*why).into());
        }
        Ok(heard)
    }

    fn item(&self, item: &Json, templates: &Templates) -> Heard {
        let inbound = self.inbound.as_ref().and_then(|inbound| inbound.read(item, templates));
        inbound.unwrap_or_else(|| {
            let receipt = self.receipt(item, templates);
            receipt.unwrap_or_else(|why| Heard::Malformed { why })
        })
    }

    /// Reads a receipt.
    fn receipt(&self, item: &Json, templates: &Templates) -> Result<Heard, MissingField> {
        let reference = self.id.get(item, templates).ok_or(MissingField::Id)?;
        let word = self.status.get(item, templates).ok_or(MissingField::Status)?;
        let (status, detail) = match self.statuses.get(&word.to_lowercase()) {
            None => return Ok(Heard::Unknown { reference, word }),
            Some(None) => return Ok(Heard::Nothing),
            Some(Some((status, detail))) => (*status, detail.clone()),
        };
        let values = item_values(item);
        let told =
            self.details.iter().find(|(when, _)| !status.is_success() && templates.holds(when, &values));
        let get = |getter: &Option<Getter>| getter.as_ref().and_then(|getter| getter.get(item, templates));
        let receipt = Receipt {
            description: get(&self.description),
            operator: get(&self.operator),
            duration_s: get(&self.duration).and_then(|seconds| seconds.parse().ok()),
            answered_by: get(&self.answered_by),
            at_ms: get(&self.time).and_then(|time| read_time(&time)),
            ..Receipt::new(status, told.map_or(detail, |(_, detail)| detail.clone()))
        };
        Ok(Heard::Receipt { reference, receipt })
    }
}

impl Answers {
    fn new(inbound: &Inbound, templates: &mut Templates) -> Result<Answers, HttpError> {
        let mut condition = |key: &str, expression: &Option<String>| {
            expression
                .as_ref()
                .map(|source| templates.condition(format!("inbound.{key}"), source))
                .transpose()
        };
        let (message, opt_out, opt_in) = (
            condition("message", &inbound.message)?,
            condition("opt_out", &inbound.opt_out)?,
            condition("opt_in", &inbound.opt_in)?,
        );
        Ok(Answers {
            message,
            opt_out,
            opt_in,
            from: Getter::new("inbound.from", &inbound.from, templates)?,
            text: Getter::optional("inbound.text", inbound.text.as_ref(), templates)?,
            media_url: Getter::optional("inbound.media_url", inbound.media_url.as_ref(), templates)?,
            file_name: Getter::optional("inbound.file_name", inbound.file_name.as_ref(), templates)?,
            time: Getter::optional("inbound.time", inbound.time.as_ref(), templates)?,
            id: Getter::optional("inbound.id", inbound.id.as_ref(), templates)?,
        })
    }

    fn read(&self, item: &Json, templates: &Templates) -> Option<Heard> {
        let values = item_values(item);
        let holds = |condition: &Option<String>| {
            condition.as_ref().is_some_and(|condition| templates.holds(condition, &values))
        };
        let (message, opt_out, opt_in) = (holds(&self.message), holds(&self.opt_out), holds(&self.opt_in));
        if !(message || opt_out || opt_in) {
            return None;
        }
        let from = self.from.get(item, templates)?;
        let from = if from.starts_with('+') { from } else { format!("+{from}") };
        let get = |getter: &Option<Getter>| getter.as_ref().and_then(|getter| getter.get(item, templates));
        let key =
            get(&self.id).unwrap_or_else(|| HEXLOWER.encode(&Sha256::digest(item.to_string().as_bytes())));
        if !message {
            return Some(if opt_out { Heard::OptOut { from, key } } else { Heard::OptIn { from, key } });
        }
        let (text, media_url, file_name) = (get(&self.text), get(&self.media_url), get(&self.file_name));
        let sent_ms = get(&self.time).and_then(|time| read_time(&time));
        Some(Heard::Message(InboundMessage { from, text, media_url, file_name, sent_ms, key }))
    }
}

/// Our status for a word of the provider's; `None` for one that changes nothing.
fn status_of(mapped: &MappedStatus) -> Result<Option<(Status, Detail)>, HttpError> {
    let status = match mapped {
        MappedStatus::Detailed { status, detail: why } => return Ok(Some((*status, detail(why)?))),
        MappedStatus::Plain(word) if word.is_empty() => return Ok(None),
        MappedStatus::Plain(word) => serde_json::from_value(Json::from(word.as_str()))
            .map_err(|_| HttpError::UnknownStatus(word.clone()))?,
    };
    Ok(Some((status, Detail::plain(status))))
}

/// JSON, or a form as an object of texts.
fn parse(posted: &Posted<'_>) -> Result<Json, MalformedPost> {
    let is_form = |text| media_type::is(text, "application/x-www-form-urlencoded");
    if posted.header("content-type").is_some_and(is_form) {
        let fields: BTreeMap<String, String> = serde_urlencoded::from_bytes(posted.body)?;
        return Ok(Json::Object(
            fields.into_iter().map(|(name, value)| (name, Json::String(value))).collect(),
        ));
    }
    Ok(serde_json::from_slice(body::without_mark(posted.body))?)
}

/// ISO 8601 with an offset (`+0000` too), or Unix seconds or milliseconds; as Unix milliseconds.
fn read_time(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        // Seconds until the year 5138, milliseconds since 1973.
        return Some(if number < 100_000_000_000 { number.saturating_mul(1000) } else { number });
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f%z", "%a, %d %b %Y %H:%M:%S %z"];
    formats.iter().find_map(|format| Some(jiff::Timestamp::strptime(format, text).ok()?.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_way_to_write_a_time() {
        for text in [
            "1767762961213",
            "2026-01-07T05:16:01.213Z",
            "2026-01-07T07:16:01.213+0200",
            "2026-01-07T07:16:01.213+02:00",
        ] {
            assert_eq!(read_time(text), Some(1_767_762_961_213), "{text}");
        }
        assert_eq!(read_time("1767762961"), Some(1_767_762_961_000));
        assert_eq!(read_time("Wed, 07 Jan 2026 05:16:01 +0000"), Some(1_767_762_961_000));
        assert_eq!(read_time("soon"), None);
    }
}
