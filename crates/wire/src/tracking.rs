//! The tracking of a flow: what became of it (contract, section 3).

use crate::step_view::{TargetView, ViberBodyView, failover_names, ttl_minutes, whole};
use crate::time::iso;
use crate::words::{
    self, SmsFailoverStatus, SmsType, ViberFailoverStatus, ViberType, VoiceFailoverStatus, VoiceType,
};
use flow::{
    Channel, Content, Detail, Flow, FlowKind, Message, Part, Price, Sms, Step, Viber, ViberMessage, Voice,
};
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many flows were erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedView {
    pub erased: usize,
}

/// What became of a flow.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackingView {
    pub tracking_id: Uuid,
    #[schema(schema_with = words::flow_statuses)]
    pub status: &'static str,
    /// Why it failed: 0 server error, 1 insufficient balance, 2 no next step, 3 failover not triggered.
    pub status_code: Option<u8>,
    /// Only when the application cancelled it; ours, beyond the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonView>,
    /// The channel of the step that ended it.
    #[schema(schema_with = words::channel_or_null)]
    pub termination_channel: Option<&'static str>,
    pub total_price: f64,
    /// Always `Failover`.
    pub originating_service: &'static str,
    pub application_id: String,
    /// `transactional` for a transactional flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_kind: Option<&'static str>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The steps that were started: one object per Sms part, by order, then part.
    pub messages: Vec<MessageView>,
}

/// What became of a started step, or of a part of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum MessageView {
    /// A part of a short message.
    Sms(SmsView),
    /// A Viber message.
    Viber(Box<ViberView>),
    /// A call.
    Voice(VoiceView),
}

/// A part of a short message.
#[derive(Debug, Serialize, ToSchema)]
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
    failover_on_statuses: Vec<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A Viber message.
#[derive(Debug, Serialize, ToSchema)]
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
    failover_on_statuses: Vec<&'static str>,
    price: f64,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceView {
    #[serde(rename = "type")]
    channel: VoiceType,
    order: u32,
    message_id: Uuid,
    from: String,
    to: TargetView,
    country: Option<String>,
    /// Seconds of talk.
    duration: Option<u32>,
    /// `human` or `machine`.
    answered_by: Option<String>,
    #[serde(serialize_with = "whole")]
    ttl: f64,
    price: f64,
    /// The carrier that took it; ours, beyond the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    #[schema(value_type = VoiceStatusView)]
    status: StatusView,
    #[schema(value_type = Vec<VoiceFailoverStatus>)]
    failover_on_statuses: Vec<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A status, why, and since when.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    name: String,
    reason: ReasonView,
    updated_date: String,
}

/// The status of an Sms part, why, and since when.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of a `StatusView`.
pub struct SmsStatusView {
    #[schema(schema_with = words::sms_statuses)]
    name: String,
    reason: ReasonView,
    #[schema(format = DateTime)]
    updated_date: String,
}

/// The status of a Viber message, why, and since when.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of a `StatusView`.
pub struct ViberStatusView {
    #[schema(schema_with = words::viber_statuses)]
    name: String,
    reason: ReasonView,
    #[schema(format = DateTime)]
    updated_date: String,
}

/// The status of a call, why, and since when.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of a `StatusView`.
pub struct VoiceStatusView {
    #[schema(schema_with = words::voice_statuses)]
    name: String,
    reason: ReasonView,
    #[schema(format = DateTime)]
    updated_date: String,
}

/// Why a message, or a flow, has its status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasonView {
    detailed_status: String,
    description: String,
}

impl ReasonView {
    fn of(detail: &Detail, description: Option<&str>) -> ReasonView {
        let description = description.unwrap_or_else(|| detail.description());
        ReasonView { detailed_status: detail.0.to_string(), description: description.to_owned() }
    }
}

impl TrackingView {
    /// The tracking of a flow in one of its states.
    pub fn of(flow: &Flow, state: &flow::State) -> TrackingView {
        let messages = state.messages.iter().zip(&flow.steps);
        TrackingView {
            tracking_id: flow.id,
            status: state.status.name(),
            status_code: state.status_code.map(|code| code as u8),
            reason: state.cancelled.then(|| ReasonView::of(&Detail::CANCELLED, None)),
            termination_channel: state.termination.map(Channel::name),
            total_price: price(state.total_price(&flow.steps)),
            originating_service: "Failover",
            application_id: flow.application.clone(),
            flow_kind: flow_kind(flow.kind),
            created_at: iso(flow.created_ms),
            updated_at: iso(state.updated_ms),
            messages: messages.flat_map(|(message, step)| message_views(message, step)).collect(),
        }
    }
}

impl MessageView {
    /// The recipient.
    pub fn to(&self) -> &str {
        match self {
            MessageView::Sms(sms) => &sms.to,
            MessageView::Viber(viber) => &viber.to,
            MessageView::Voice(voice) => voice.to.address(),
        }
    }

    /// Its type and status in a few words.
    pub fn summary(&self) -> String {
        let (channel, status) = match self {
            MessageView::Sms(sms) => (Channel::Sms, &sms.status),
            MessageView::Viber(viber) => (Channel::Viber, &viber.status),
            MessageView::Voice(voice) => (Channel::Voice, &voice.status),
        };
        format!("{channel} {}", status.name)
    }
}

/// How a flow's kind is shown: a plain one is not.
pub fn flow_kind(kind: FlowKind) -> Option<&'static str> {
    match kind {
        FlowKind::Plain => None,
        FlowKind::Transactional => Some("transactional"),
    }
}

fn price(price: Price) -> f64 {
    price.to_f64().unwrap_or_default()
}

fn message_views(message: &Message, step: &Step) -> Vec<MessageView> {
    match &step.content {
        Content::Sms(sms) => {
            let texts = sms.parts();
            let parts = message.parts.iter().zip(texts).enumerate();
            parts.map(|(i, (part, text))| sms_view(message, step, sms, i, part, text)).collect()
        }
        // Viber and Voice have exactly one part.
        Content::Viber(viber) => {
            message.parts.iter().map(|part| viber_view(message, step, viber, part)).collect()
        }
        Content::Voice(voice) => {
            message.parts.iter().map(|part| voice_view(message, step, voice, part)).collect()
        }
    }
}

fn sms_view(
    message: &Message,
    step: &Step,
    sms: &Sms,
    index: usize,
    part: &Part,
    body: String,
) -> MessageView {
    let ended = part.status.status.is_final() && part.carrier.is_some();
    MessageView::Sms(SmsView {
        channel: SmsType::Sms,
        order: step.order,
        message_id: message.id,
        sms_id: part.id,
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
        carrier: part.carrier.as_ref().map(|of| of.carrier.clone()),
        status: status(part, Channel::Sms),
        failover_on_statuses: failover_names(step),
        created_at: iso(message.created_ms),
    })
}

fn viber_view(message: &Message, step: &Step, viber: &Viber, part: &Part) -> MessageView {
    let (body, template_id) = match &viber.message {
        ViberMessage::Body(body) => (Some(body.into()), None),
        ViberMessage::Template(template) => (None, Some(template.id.clone())),
    };
    MessageView::Viber(Box::new(ViberView {
        channel: ViberType::Viber,
        order: step.order,
        tracking_id: message.id,
        from: viber.sender_name.as_ref().unwrap_or(&viber.sender).clone(),
        to: viber.to.clone(),
        country: step.country.clone(),
        ttl: ttl_minutes(step),
        body,
        template_id,
        inbound_url: viber.inbound_url.clone(),
        label: viber.label.clone(),
        expire_on_delivery: viber.expire_on_delivery,
        expired_on_delivery_at: part.expired_on_delivery_ms.map(iso),
        carrier: part.carrier.as_ref().map(|of| of.carrier.clone()),
        status: status(part, Channel::Viber),
        failover_on_statuses: failover_names(step),
        price: price(part.price(Channel::Viber)),
        created_at: iso(message.created_ms),
    }))
}

fn voice_view(message: &Message, step: &Step, voice: &Voice, part: &Part) -> MessageView {
    MessageView::Voice(VoiceView {
        channel: VoiceType::Voice,
        order: step.order,
        message_id: message.id,
        from: voice.from.clone(),
        to: (&voice.to).into(),
        country: step.country.clone(),
        duration: part.duration_s,
        answered_by: part.answered_by.clone(),
        ttl: ttl_minutes(step),
        price: price(part.price(Channel::Voice)),
        carrier: part.carrier.as_ref().map(|of| of.carrier.clone()),
        status: status(part, Channel::Voice),
        failover_on_statuses: failover_names(step),
        created_at: iso(message.created_ms),
    })
}

fn status(part: &Part, channel: Channel) -> StatusView {
    let record = &part.status;
    StatusView {
        name: record.status.tracking_name(channel),
        reason: ReasonView::of(&record.detail, record.description.as_deref()),
        updated_date: iso(record.at_ms),
    }
}
