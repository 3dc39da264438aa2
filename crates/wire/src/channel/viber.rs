//! Viber messages on the wire: the steps of a request, of an answer, and what became of them.

use super::rules::{ChannelWire, MessageFields};
use super::started::Started;
use crate::reader::Reader;
use crate::step_reader::{Members, StepReader, full_number};
use crate::time::iso;
use crate::views::{ReasonView, StatusView, carrier, failover_names, price, status, ttl_minutes, whole};
use crate::words::message_statuses;
use flow::{
    Action, Channel, ChannelContent, FlowKind, Part, Rule, Step, Viber, ViberBody, ViberFile, ViberMessage,
    ViberTemplate, ViberVideo,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use uuid::Uuid;

pub(super) static WIRE: ChannelWire = ChannelWire {
    members: Members {
        step: &[
            "senderInfoTrackingId",
            "inboundUrl",
            "expireOnDelivery",
            "label",
            "templateId",
            "templateLang",
            "templateParams",
            "deliveryScope",
            "seq",
        ],
        message: &["text", "imageUrl", "imageURL", "action", "viberAction", "viberFile", "viberVideo"],
        belongs: "belongs to a Viber step",
    },
    sender: "senderInfoTrackingId",
    scope: "viber",
    role: "MT_ROLE_VIBER",
};

/// The type of a Viber message.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub enum ViberType {
    /// Its only value.
    Viber,
}

/// Which devices of a recipient get a Viber message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryScope {
    /// The primary one.
    PrimaryDevice,
    /// All of them.
    AllDevices,
}

/// The statuses of a Viber message that can start the next step.
#[derive(Serialize, ToSchema)]
pub enum ViberFailoverStatus {
    /// Its time to live passed.
    Expired,
    /// The carrier refused it, or failed.
    Failed,
    /// It could not be delivered.
    Undelivered,
}

/// A Viber step: with a `message`, or with a template in a transactional flow.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberStepRequest {
    #[serde(rename = "type")]
    channel: ViberType,
    /// Its priority; absent: its place in the array. Steps of the same order run as the array has them.
    #[schema(minimum = 1, nullable = false)]
    order: Option<u32>,
    /// The registered sender.
    #[schema(min_length = 1, max_length = 255, example = "acme")]
    sender_info_tracking_id: String,
    #[doc = "7 to 15 digits; the plus may be missing, and blanks, dashes, dots and parentheses between \
             them are dropped."]
    #[schema(example = "+306900000010", pattern = r"^\+?[1-9]\d{6,14}$")]
    to: String,
    /// Minutes with one decimal place, 0.5 to 1440; 10 by default.
    #[schema(minimum = 0.5, maximum = 1440, nullable = false)]
    ttl: Option<f64>,
    /// The statuses that start the next step; all three by default.
    #[schema(nullable = false)]
    failover_on_statuses: Option<Vec<ViberFailoverStatus>>,
    /// Where what the recipient writes goes.
    #[schema(pattern = "^https?://", max_length = 1000, nullable = false)]
    inbound_url: Option<String>,
    /// A message that is delivered but not seen when the ttl passes becomes Expired.
    #[schema(nullable = false)]
    expire_on_delivery: Option<bool>,
    /// Not in a transactional flow.
    #[schema(min_length = 1, max_length = 350, nullable = false)]
    label: Option<String>,
    /// Required, but in a transactional flow.
    #[schema(nullable = false)]
    message: Option<ViberMessageRequest>,
    /// Required in a transactional flow, and only there.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    template_id: Option<String>,
    /// The same.
    #[schema(min_length = 1, max_length = 35, nullable = false)]
    template_lang: Option<String>,
    #[doc = "Strings, numbers or booleans; a number keeps the digits that it was written with. In a \
             transactional flow only."]
    #[schema(nullable = false)]
    template_params: Option<BTreeMap<String, Value>>,
    /// `PRIMARY_DEVICE` by default. In a transactional flow only.
    #[schema(nullable = false)]
    delivery_scope: Option<DeliveryScope>,
    /// The client's own number, echoed. In a transactional flow only.
    #[schema(nullable = false)]
    seq: Option<i64>,
}

/// What a Viber message shows; at least one of text, imageUrl, viberFile and viberVideo.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberMessageRequest {
    #[schema(min_length = 1, max_length = 1000, example = "Your parcel is here", nullable = false)]
    text: Option<String>,
    #[schema(max_length = 1000, pattern = "^https://", nullable = false)]
    image_url: Option<String>,
    #[schema(nullable = false)]
    action: Option<ActionView>,
    #[schema(nullable = false)]
    viber_file: Option<FileView>,
    #[schema(nullable = false)]
    viber_video: Option<VideoView>,
}

/// A Viber step: with a `message`, or with a template in a transactional flow.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberStep {
    #[serde(rename = "type")]
    channel: ViberType,
    order: u32,
    /// The registered sender.
    #[schema(min_length = 1, max_length = 255)]
    sender_info_tracking_id: String,
    /// E.164.
    #[schema(example = "+306900000010", pattern = r"^\+[1-9]\d{6,14}$")]
    to: String,
    /// Minutes with one decimal place, 0.5 to 1440.
    #[schema(minimum = 0.5, maximum = 1440)]
    #[serde(serialize_with = "whole")]
    ttl: f64,
    #[schema(value_type = Vec<ViberFailoverStatus>)]
    failover_on_statuses: Vec<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbound_url: Option<String>,
    expire_on_delivery: bool,
    #[schema(min_length = 1, max_length = 350)]
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<ViberBodyView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_lang: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_params: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeliveryScope>, nullable = false)]
    delivery_scope: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

/// What a Viber message shows; at least one of text, imageUrl, viberFile and viberVideo.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberBodyView {
    #[schema(min_length = 1, max_length = 1000, example = "Your parcel is here")]
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[schema(max_length = 1000, pattern = "^https://")]
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viber_file: Option<FileView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viber_video: Option<VideoView>,
}

/// A button under a Viber message.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionView {
    #[schema(min_length = 1, max_length = 30)]
    caption: String,
    #[schema(pattern = "^https?://")]
    target_url: String,
}

/// A file in a Viber message.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileView {
    #[schema(min_length = 1, max_length = 25)]
    file_name: String,
    file_type: String,
    #[schema(max_length = 1000, pattern = "^https://")]
    file_url: String,
}

/// A video in a Viber message.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoView {
    #[schema(max_length = 1000, pattern = "^https://")]
    video_url: String,
    #[schema(max_length = 1000, pattern = "^https://")]
    video_thumbnail: String,
    /// Megabytes.
    #[schema(exclusive_minimum = 0, maximum = 200)]
    file_size: f64,
    /// Seconds.
    #[schema(minimum = 1, maximum = 600)]
    duration: u32,
}

/// A Viber message.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberView {
    #[serde(rename = "type")]
    channel: ViberType,
    order: u32,
    tracking_id: Uuid,
    from: String,
    to: String,
    country: Option<String>,
    #[serde(serialize_with = "whole")]
    ttl: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<ViberBodyView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    inbound_url: Option<String>,
    label: Option<String>,
    expire_on_delivery: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    expired_on_delivery_at: Option<String>,
    /// The carrier that took it; ours, beyond the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    #[schema(value_type = ViberStatusView)]
    status: StatusView,
    #[schema(value_type = Vec<ViberFailoverStatus>)]
    failover_on_statuses: Vec<Cow<'static, str>>,
    price: f64,
    #[schema(format = DateTime)]
    created_at: String,
}

/// The status of a Viber message, why, and since when.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of a `StatusView`.
pub struct ViberStatusView {
    #[schema(schema_with = statuses)]
    name: String,
    reason: ReasonView,
    #[schema(format = DateTime)]
    updated_date: String,
}

fn statuses() -> Object {
    message_statuses(Channel::Viber)
}

/// Reads a Viber step: with a message, or with a template in a transactional flow.
pub(super) fn read(step: &StepReader<'_>) -> Option<Viber> {
    let (reader, context) = (&step.reader, step.context);
    reader.refuse_foreign(&["from"], "belongs to an Sms or a Voice step; the sender is senderInfoTrackingId");
    step.refuse_foreign();
    let message = match context.kind {
        FlowKind::Plain => {
            let why = "belongs to a transactional flow: POST /failover/transactional";
            reader.refuse_foreign(
                &["templateId", "templateLang", "templateParams", "deliveryScope", "seq"],
                why,
            );
            let body = step.required_message().map(|message| read_body(&message));
            ViberMessage::Body(body.unwrap_or_default())
        }
        FlowKind::Transactional => {
            reader.refuse_foreign(&["message"], "has no place beside the template of a transactional step");
            reader.refuse_foreign(&["label"], "has no place in a transactional step");
            ViberMessage::Template(read_template(reader, |name| context.written.number(step.place, name)))
        }
    };
    Some(Viber {
        sender: reader.required_text("senderInfoTrackingId"),
        sender_name: None,
        to: full_number(reader.required_text("to")),
        inbound_url: reader.text("inboundUrl"),
        expire_on_delivery: reader.boolean("expireOnDelivery").unwrap_or(false),
        label: reader.text("label"),
        message,
    })
}

fn read_body(message: &Reader<'_>) -> ViberBody {
    ViberBody {
        text: message.text("text"),
        image_url: message.text("imageUrl").or_else(|| message.text("imageURL")),
        action: message.object(&["action", "viberAction"]).map(|action| Action {
            caption: action.required_text("caption"),
            target_url: action.required_text("targetUrl"),
        }),
        file: message.object(&["viberFile"]).map(|file| {
            let kind = file.required_text("fileType");
            // With its dot, as the reference writes it.
            let kind = kind.strip_prefix('.').unwrap_or(&kind).to_owned();
            let url = file.required_text(file.spelling(&["fileUrl", "fileURL"]));
            ViberFile { name: file.required_text("fileName"), kind, url }
        }),
        video: message.object(&["viberVideo"]).map(|video| ViberVideo {
            url: video.required_text(video.spelling(&["videoUrl", "videoURL"])),
            thumbnail: video.required_text("videoThumbnail"),
            size_mb: video.number("fileSize").unwrap_or(0.0),
            duration_s: video.integer("duration").and_then(|s| u32::try_from(s).ok()).unwrap_or(0),
        }),
    }
}

/// `written` returns how a parameter that is a number was written.
fn read_template<'a>(reader: &Reader<'_>, written: impl Fn(&str) -> Option<&'a str>) -> ViberTemplate {
    let mut params = BTreeMap::new();
    if let Some(Value::Object(given)) = reader.raw("templateParams") {
        for (name, value) in given.iter().take_while(|_| !reader.problems().is_over()) {
            match value {
                Value::Null => {}
                Value::String(text) => drop(params.insert(name.clone(), text.clone())),
                Value::Number(_) | Value::Bool(_) => {
                    let text = written(name).map_or_else(|| value.to_string(), str::to_owned);
                    params.insert(name.clone(), text);
                }
                _ => reader.refuse(&format!("templateParams.{name}"), Rule::Type, "must be a string"),
            }
        }
    } else if reader.has("templateParams") {
        reader.refuse("templateParams", Rule::Type, "must be an object");
    }
    let scope = reader.text("deliveryScope").unwrap_or_else(|| "PRIMARY_DEVICE".into());
    let all_devices = scope.eq_ignore_ascii_case("ALL_DEVICES");
    if !all_devices && !scope.eq_ignore_ascii_case("PRIMARY_DEVICE") {
        reader.refuse("deliveryScope", Rule::Choice, "must be PRIMARY_DEVICE or ALL_DEVICES");
    }
    ViberTemplate {
        id: reader.required_text("templateId"),
        language: reader.required_text("templateLang"),
        params,
        all_devices,
        seq: reader.integer("seq").unwrap_or(0),
    }
}

impl From<&ViberBody> for ViberBodyView {
    fn from(body: &ViberBody) -> ViberBodyView {
        let action = |action: &Action| ActionView {
            caption: action.caption.clone(),
            target_url: action.target_url.clone(),
        };
        let file = |file: &ViberFile| FileView {
            file_name: file.name.clone(),
            file_type: file.kind.clone(),
            file_url: file.url.clone(),
        };
        let video = |video: &ViberVideo| VideoView {
            video_url: video.url.clone(),
            video_thumbnail: video.thumbnail.clone(),
            file_size: video.size_mb,
            duration: video.duration_s,
        };
        ViberBodyView {
            text: body.text.clone(),
            image_url: body.image_url.clone(),
            action: body.action.as_ref().map(action),
            viber_file: body.file.as_ref().map(file),
            viber_video: body.video.as_ref().map(video),
        }
    }
}

/// A step as it was accepted.
pub(super) fn step_view(step: &Step, viber: &Viber) -> ViberStep {
    let (message, template) = match &viber.message {
        ViberMessage::Body(body) => (Some(ViberBodyView::from(body)), None),
        ViberMessage::Template(template) => (None, Some(template)),
    };
    let scope = |t: &ViberTemplate| if t.all_devices { "ALL_DEVICES" } else { "PRIMARY_DEVICE" }.into();
    ViberStep {
        channel: ViberType::Viber,
        order: step.order,
        sender_info_tracking_id: viber.sender.clone(),
        to: viber.to.clone(),
        ttl: ttl_minutes(step),
        failover_on_statuses: failover_names(step),
        inbound_url: viber.inbound_url.clone(),
        expire_on_delivery: viber.expire_on_delivery,
        label: viber.label.clone(),
        message,
        template_id: template.map(|t| t.id.clone()),
        template_lang: template.map(|t| t.language.clone()),
        template_params: template.map(|t| t.params.clone()),
        delivery_scope: template.map(scope),
        seq: template.map(|t| t.seq),
    }
}

/// What became of a step, which has one part.
pub(super) fn message_views(started: Started<'_>, viber: &Viber) -> Vec<ViberView> {
    started.message.parts.iter().map(|part| part_view(started, viber, part)).collect()
}

fn part_view(started: Started<'_>, viber: &Viber, part: &Part) -> ViberView {
    let Started { step, message, .. } = started;
    let (body, template_id) = match &viber.message {
        ViberMessage::Body(body) => (Some(body.into()), None),
        ViberMessage::Template(template) => (None, Some(template.id.clone())),
    };
    ViberView {
        channel: ViberType::Viber,
        order: step.order,
        tracking_id: started.id(),
        from: viber.shown_sender().to_owned(),
        to: viber.to.clone(),
        country: step.country.clone(),
        ttl: ttl_minutes(step),
        body,
        template_id,
        inbound_url: viber.inbound_url.clone(),
        label: viber.label.clone(),
        expire_on_delivery: viber.expire_on_delivery,
        expired_on_delivery_at: part.expired_on_delivery_ms.map(iso),
        carrier: carrier(part),
        status: status(part, Channel::Viber),
        failover_on_statuses: failover_names(step),
        price: price(part.price(Channel::Viber)),
        created_at: iso(message.created_ms),
    }
}

impl MessageFields for ViberView {
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
