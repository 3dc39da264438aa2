//! Short messages on the wire: the steps of a request, of an answer, and what became of them.

use super::rules::{ChannelWire, MessageFields};
use super::started::Started;
use crate::reader::Reader;
use crate::step_reader::{Members, StepReader, full_number};
use crate::time::iso;
use crate::views::{ReasonView, StatusView, carrier, failover_names, price, status, ttl_minutes, whole};
use crate::words::message_statuses;
use flow::{Channel, Part, Rule, ShortLink, Shortened, Sms, Step};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use uuid::Uuid;

pub(super) static WIRE: ChannelWire = ChannelWire {
    members: Members {
        step: &["urlShortener"],
        message: &["body", "flash", "label", "transcode"],
        belongs: "belongs to an Sms step",
    },
    sender: "from",
    scope: "sms",
    role: "MT_ROLE_SMS",
};

/// How long a short link works (contract, section 2), seconds.
const URL_VALIDITY_MIN_S: u32 = 3600;
const URL_VALIDITY_MAX_S: u32 = 2_592_000;

/// The type of an Sms.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub enum SmsType {
    /// Its only value.
    Sms,
}

/// The statuses of an Sms that can start the next step.
#[derive(Serialize, ToSchema)]
pub enum SmsFailoverStatus {
    /// It could not be delivered, or not in time.
    Undelivered,
    /// The carrier refused it, or failed.
    Failed,
}

/// An Sms step.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsStepRequest {
    #[serde(rename = "type")]
    channel: SmsType,
    /// Its priority; absent: its place in the array. Steps of the same order run as the array has them.
    #[schema(minimum = 1, nullable = false)]
    order: Option<u32>,
    /// A number of at most 16 digits, or at most 11 alphanumeric characters.
    #[schema(example = "Acme")]
    from: String,
    #[doc = "7 to 15 digits; the plus may be missing, and blanks, dashes, dots and parentheses between \
             them are dropped."]
    #[schema(example = "+306900000010", pattern = r"^\+?[1-9]\d{6,14}$")]
    to: String,
    /// Minutes, 1 to 1440; 1200 by default.
    #[schema(minimum = 1, maximum = 1440, nullable = false)]
    ttl: Option<u32>,
    /// The statuses that start the next step; both by default.
    #[schema(nullable = false)]
    failover_on_statuses: Option<Vec<SmsFailoverStatus>>,
    message: SmsMessageRequest,
    #[schema(nullable = false)]
    url_shortener: Option<UrlShortenerRequest>,
}

/// Replaces every link of the body by a short one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlShortenerRequest {
    /// How long the short links work, seconds; 2592000 by default.
    #[schema(minimum = 3600, maximum = 2_592_000, nullable = false)]
    url_validity: Option<u32>,
}

/// What an Sms says.
#[derive(Serialize, ToSchema)]
pub struct SmsMessageRequest {
    #[schema(min_length = 1, example = "Your parcel is here")]
    body: String,
    /// Show at once and do not store.
    #[schema(nullable = false)]
    flash: Option<bool>,
    #[schema(min_length = 1, max_length = 350, nullable = false)]
    label: Option<String>,
    /// Replace characters that the GSM alphabet lacks; by default as the application is set.
    #[schema(nullable = false)]
    transcode: Option<bool>,
}

/// An Sms step.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsStep {
    #[serde(rename = "type")]
    channel: SmsType,
    order: u32,
    /// A number, or at most 11 alphanumeric characters.
    #[schema(example = "Acme")]
    from: String,
    /// E.164.
    #[schema(example = "+306900000010", pattern = r"^\+[1-9]\d{6,14}$")]
    to: String,
    /// Minutes, 1 to 1440.
    #[schema(minimum = 1, maximum = 1440)]
    #[serde(serialize_with = "whole")]
    ttl: f64,
    #[schema(value_type = Vec<SmsFailoverStatus>)]
    failover_on_statuses: Vec<Cow<'static, str>>,
    message: SmsMessage,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url_shortener: Option<UrlShortenerView>,
}

/// Replaces every link of the body by a short one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlShortenerView {
    /// How long the short links work, seconds.
    #[schema(minimum = 3600, maximum = 2_592_000)]
    url_validity: u32,
}

/// What an Sms says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SmsMessage {
    #[schema(min_length = 1, example = "Your parcel is here")]
    body: String,
    /// Show at once and do not store.
    flash: bool,
    #[schema(min_length = 1, max_length = 350)]
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Replace characters that the GSM alphabet lacks.
    transcode: bool,
}

/// A part of a short message.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsView {
    #[serde(rename = "type")]
    channel: SmsType,
    order: u32,
    /// The same for all parts.
    message_id: Uuid,
    sms_id: Uuid,
    from: String,
    to: String,
    /// The part's text, as it is sent.
    body: String,
    country: Option<String>,
    operator: Option<String>,
    /// From 1.
    part: usize,
    parts: usize,
    /// Milliseconds from the start of the step to the final receipt.
    latency: Option<i64>,
    #[serde(serialize_with = "whole")]
    ttl: f64,
    price: f64,
    label: Option<String>,
    /// The carrier that took it; ours, beyond the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    #[schema(value_type = SmsStatusView)]
    status: StatusView,
    #[schema(value_type = Vec<SmsFailoverStatus>)]
    failover_on_statuses: Vec<Cow<'static, str>>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// The status of an Sms part, why, and since when.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of a `StatusView`.
pub struct SmsStatusView {
    #[schema(schema_with = statuses)]
    name: String,
    reason: ReasonView,
    #[schema(format = DateTime)]
    updated_date: String,
}

fn statuses() -> Object {
    message_statuses(Channel::Sms)
}

/// Reads an Sms step.
pub(super) fn read(step: &StepReader<'_>) -> Option<Sms> {
    step.refuse_foreign();
    let (reader, context) = (&step.reader, step.context);
    let mut sms = Sms {
        from: reader.required_text("from"),
        to: full_number(reader.required_text("to")),
        body: String::new(),
        flash: false,
        label: None,
        transcode: context.transcode,
        shortened: None,
    };
    if let Some(message) = step.required_message() {
        sms.body = message.required_text("body");
        sms.flash = message.boolean("flash").unwrap_or(false);
        sms.label = message.text("label");
        sms.transcode = message.boolean("transcode").unwrap_or(context.transcode);
    }
    if let Some(shortener) = reader.object(&["urlShortener"]) {
        match context.short_base {
            Some(base) => shorten(&mut sms, &shortener, base, context.new_code),
            None => reader.refuse("urlShortener", Rule::Unavailable, "this server has no shortener.base_url"),
        }
    }
    Some(sms)
}

/// Replaces the links of an Sms by short ones.
fn shorten(sms: &mut Sms, shortener: &Reader<'_>, base: &str, new_code: &dyn Fn() -> Option<String>) {
    let validity_s = shortener.integer("urlValidity").unwrap_or(URL_VALIDITY_MAX_S.into());
    let validity_s = match u32::try_from(validity_s) {
        Ok(seconds) if (URL_VALIDITY_MIN_S..=URL_VALIDITY_MAX_S).contains(&seconds) => seconds,
        _ => {
            shortener.refuse("urlValidity", Rule::Range, "must be 3600 to 2592000 seconds");
            return;
        }
    };
    let mut links = Vec::new();
    let mut drawn = true;
    sms.body = flow::links::replace(&sms.body, |url| {
        let Some(code) = new_code() else {
            drawn = false;
            return url.to_owned();
        };
        let short = format!("{}/{code}", base.trim_end_matches('/'));
        links.push(ShortLink { code, url: url.to_owned() });
        short
    });
    if !drawn {
        shortener.refuse(
            "urlValidity",
            Rule::Unavailable,
            "the system has no randomness to make short links of",
        );
    }
    sms.shortened = Some(Shortened { validity_s, links });
}

/// A step as it was accepted.
pub(super) fn step_view(step: &Step, sms: &Sms) -> SmsStep {
    let shortened = sms.shortened.as_ref();
    SmsStep {
        channel: SmsType::Sms,
        order: step.order,
        from: sms.from.clone(),
        to: sms.to.clone(),
        ttl: ttl_minutes(step),
        failover_on_statuses: failover_names(step),
        message: SmsMessage {
            body: sms.body.clone(),
            flash: sms.flash,
            label: sms.label.clone(),
            transcode: sms.transcode,
        },
        url_shortener: shortened.map(|links| UrlShortenerView { url_validity: links.validity_s }),
    }
}

/// What became of a step: a view for each part.
pub(super) fn message_views(started: Started<'_>, sms: &Sms) -> Vec<SmsView> {
    let parts = started.message.parts.iter().zip(sms.parts()).enumerate();
    parts.map(|(index, (part, body))| part_view(started, sms, index, part, body)).collect()
}

fn part_view(started: Started<'_>, sms: &Sms, index: usize, part: &Part, body: String) -> SmsView {
    let Started { step, message, .. } = started;
    let ended = part.status.status.is_final() && part.carrier.is_some();
    SmsView {
        channel: SmsType::Sms,
        order: step.order,
        message_id: started.id(),
        sms_id: started.part_id(index),
        from: sms.from.clone(),
        to: sms.to.clone(),
        body,
        country: step.country.clone(),
        operator: part.operator.clone(),
        part: index + 1,
        parts: message.parts.len(),
        latency: ended.then(|| (part.status.at_ms - message.created_ms).max(0)),
        ttl: ttl_minutes(step),
        price: price(part.price(Channel::Sms)),
        label: sms.label.clone(),
        carrier: carrier(part),
        status: status(part, Channel::Sms),
        failover_on_statuses: failover_names(step),
        created_at: iso(message.created_ms),
    }
}

impl MessageFields for SmsView {
    fn to(&self) -> &str {
        &self.to
    }

    fn status(&self) -> &StatusView {
        &self.status
    }

    fn price(&self) -> f64 {
        self.price
    }
}
