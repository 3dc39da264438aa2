//! Notifications of apps on the wire: a channel that only tests know (feature `fourth-channel`).

use super::rules::{ChannelWire, MessageFields};
use super::started::Started;
use crate::step_reader::{Members, StepReader, full_number};
use crate::time::iso;
use crate::views::{StatusView, carrier, failover_names, price, status, ttl_minutes, whole};
use flow::channel::push::Push;
use flow::{Channel, Step};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) static WIRE: ChannelWire = ChannelWire {
    members: Members { step: &["app"], message: &["title", "text"], belongs: "belongs to a Push step" },
    sender: "app",
    scope: "push",
    role: "MT_ROLE_PUSH",
};

/// A Push step.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushStep {
    #[serde(rename = "type")]
    channel: Cow<'static, str>,
    order: u32,
    app: String,
    to: String,
    #[serde(serialize_with = "whole")]
    ttl: f64,
    failover_on_statuses: Vec<Cow<'static, str>>,
    message: PushMessage,
}

/// What a notification says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PushMessage {
    title: String,
    text: String,
}

/// A notification.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushView {
    #[serde(rename = "type")]
    channel: Cow<'static, str>,
    order: u32,
    message_id: Uuid,
    app: String,
    to: String,
    title: String,
    price: f64,
    carrier: Option<String>,
    #[schema(value_type = Object)]
    status: StatusView,
    created_at: String,
}

/// Reads a Push step.
pub(super) fn read(step: &StepReader<'_>) -> Option<Push> {
    step.refuse_foreign();
    let message = step.required_message();
    let text = |name| message.as_ref().map(|message| message.required_text(name)).unwrap_or_default();
    Some(Push {
        app: step.reader.required_text("app"),
        to: full_number(step.reader.required_text("to")),
        title: text("title"),
        text: text("text"),
    })
}

/// A step as it was accepted.
pub(super) fn step_view(step: &Step, push: &Push) -> PushStep {
    PushStep {
        channel: Channel::Push.name().into(),
        order: step.order,
        app: push.app.clone(),
        to: push.to.clone(),
        ttl: ttl_minutes(step),
        failover_on_statuses: failover_names(step),
        message: PushMessage { title: push.title.clone(), text: push.text.clone() },
    }
}

/// What became of a step, which has one part.
pub(super) fn message_views(started: Started<'_>, push: &Push) -> Vec<PushView> {
    let Started { step, message, .. } = started;
    let view = |part| PushView {
        channel: Channel::Push.name().into(),
        order: step.order,
        message_id: started.id(),
        app: push.app.clone(),
        to: push.to.clone(),
        title: push.title.clone(),
        price: price(flow::Part::price(part, Channel::Push)),
        carrier: carrier(part),
        status: status(part, Channel::Push),
        created_at: iso(message.created_ms),
    };
    message.parts.iter().map(view).collect()
}

impl MessageFields for PushView {
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
