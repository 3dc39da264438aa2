//! The events of a flow: what happened to it, in order (contract, section 3). Ours, beyond the original
//! service.

use crate::time::iso;
use crate::views::ReasonView;
use crate::words;
use flow::{Because, Channel, Detail, Flow, Occurrence, Status};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;
use uuid::Uuid;

/// What happened to a flow.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventsView {
    pub tracking_id: Uuid,
    /// Oldest first: the first ones and the last ones. None if a version without events accepted the flow.
    pub events: Vec<EventView>,
    /// How many are missing between the first ones and the last ones.
    pub left_out: u32,
}

/// Something that happened to a flow. What does not belong to it, or is not known, is left out.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    #[schema(format = DateTime)]
    pub at: String,
    #[schema(schema_with = words::events)]
    pub event: Cow<'static, str>,
    /// The step's `order`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order: Option<u32>,
    /// The step's channel.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub channel: Option<Cow<'static, str>>,
    /// The part, from 1, of a message of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub part: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub carrier: Option<String>,
    /// What the carrier calls the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reference: Option<String>,
    /// Of a receipt, the status reported; of a step, the status that started it; of the end, the flow's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detailed_status: Option<String>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// The network's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub network_error: Option<String>,
    /// The receipt came after its step had been left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// Counts attempts from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempt: Option<u32>,
    /// When the part is due again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub until: Option<String>,
    /// Why a step was started: `first`, `ttl` or `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub because: Option<Cow<'static, str>>,
    /// What follows an unknown outcome: `resend` or `wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub then: Option<Cow<'static, str>>,
    /// Who cancelled the flow: `application`, or an operator's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<Cow<'static, str>>,
    /// What came of a callback: `acknowledged`, `failed`, `given_up` or `gone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<Cow<'static, str>>,
    /// What the callback's target answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<u16>,
    /// How long the callback took, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub took_ms: Option<u32>,
}

impl EventsView {
    /// The events of a flow.
    pub fn of(flow: &Flow) -> EventsView {
        let moments = flow.history.moments(flow.created_ms);
        let events = moments.map(|(at_ms, occurrence)| EventView::of(flow, at_ms, occurrence)).collect();
        EventsView { tracking_id: flow.id, events, left_out: flow.history.left_out() }
    }
}

impl EventView {
    fn of(flow: &Flow, at_ms: i64, occurrence: &Occurrence) -> EventView {
        let (message, part) = occurrence.place();
        let step = message.and_then(|message| flow.steps.get(usize::from(message)));
        let state = message.and_then(|message| flow.state.messages.get(usize::from(message)));
        let has_parts = state.is_some_and(|state| state.parts.len() > 1);
        let channel = step.map(|step| step.channel());
        let place = EventView {
            at: iso(at_ms),
            event: occurrence.name().into(),
            order: step.map(|step| step.order),
            channel: channel.map(|channel| channel.name().into()),
            part: part.filter(|_| has_parts).map(|part| part.saturating_add(1)),
            ..EventView::default()
        };
        let until = |wait_ms: &Option<u64>| wait_ms.map(|wait| iso(at_ms.saturating_add_unsigned(wait)));
        match occurrence {
            Occurrence::Accepted
            | Occurrence::Expired { .. }
            | Occurrence::Suppressed { .. }
            | Occurrence::Unpayable { .. } => place,
            Occurrence::Cancelled => EventView { by: Some("application".into()), ..place },
            Occurrence::CancelledBy { operator } => EventView { by: Some(operator.clone().into()), ..place },
            Occurrence::StepStarted { because, .. } => place.started(flow, message, *because),
            Occurrence::HandedOver { carrier, attempt, .. } => {
                EventView { carrier: Some(carrier.clone()), attempt: Some(*attempt), ..place }
            }
            Occurrence::Taken { .. } => {
                let part = part.and_then(|part| state.and_then(|state| state.parts.get(usize::from(part))));
                let taken = part.and_then(|part| part.carrier.clone());
                let (carrier, reference) = taken.map(|by| (by.carrier, by.reference)).unzip();
                EventView { carrier, reference, ..place }
            }
            Occurrence::Deferred { carrier, reason, wait_ms, .. } => {
                let (carrier, description) = (Some(carrier.clone()), Some(reason.clone()));
                EventView { carrier, description, until: until(wait_ms), ..place }
            }
            Occurrence::Unknown { carrier, reason, wait_ms, .. } => {
                let (carrier, description) = (Some(carrier.clone()), Some(reason.clone()));
                let then = if wait_ms.is_some() { "resend" } else { "wait" };
                EventView { carrier, description, then: Some(then.into()), until: until(wait_ms), ..place }
            }
            Occurrence::Refused { carrier, detail, description, .. } => {
                EventView { carrier: carrier.clone(), ..place }.because_of(detail, description.as_deref())
            }
            Occurrence::Receipt { status, detail, description, error, is_late, .. } => {
                let status_name = channel.map(|channel| channel.rules().tracking_name(*status));
                let (network_error, late) = (error.clone(), *is_late);
                let detail = detail.clone().unwrap_or(Detail::plain(*status));
                EventView { status: status_name, network_error, late, ..place }
                    .because_of(&detail, description.as_deref())
            }
            Occurrence::Ended => EventView { status: Some(flow.state.status.name().to_owned()), ..place },
            Occurrence::Callback { result, attempt, status, took_ms, error } => EventView {
                result: Some(result.name().into()),
                attempt: Some(*attempt),
                http_status: *status,
                took_ms: Some(*took_ms),
                description: error.clone(),
                ..place
            },
        }
    }

    /// A step that was started for a reason.
    fn started(self, flow: &Flow, message: Option<u16>, because: Because) -> EventView {
        let left = message.and_then(|message| message.checked_sub(1));
        let left = left.and_then(|left| flow.steps.get(usize::from(left))).map(|step| step.channel());
        let name = |status: Status| left.map(|channel: Channel| channel.rules().tracking_name(status));
        let (word, status) = match because {
            Because::First => ("first", None),
            Because::Ttl => ("ttl", None),
            Because::Status(status) => ("status", name(status)),
        };
        EventView { because: Some(word.into()), status, ..self }
    }

    /// With why, as trackings say it.
    fn because_of(self, detail: &Detail, description: Option<&str>) -> EventView {
        let ReasonView { detailed_status, description } = ReasonView::of(detail, description);
        let description = Some(description).filter(|description| !description.is_empty());
        EventView { detailed_status: Some(detailed_status), description, ..self }
    }
}
