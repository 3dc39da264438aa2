//! The tracking of a flow: what became of it (contract, section 3).

use crate::channel::{MessageView, Started};
use crate::time::iso;
use crate::views::{ReasonView, price};
use crate::waits::WaitsView;
use crate::words;
use flow::{Detail, Flow, FlowKind};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many flows were erased.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasedView {
    pub erased: usize,
}

/// What became of a flow.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackingView {
    pub tracking_id: Uuid,
    #[schema(schema_with = words::flow_statuses)]
    pub status: Cow<'static, str>,
    /// Why it failed: 0 server error, 1 insufficient balance, 2 no next step, 3 failover not triggered.
    pub status_code: Option<u8>,
    /// Only when the application cancelled it; ours, beyond the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonView>,
    /// What it waits for now; only where one flow is asked for. Ours, beyond the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<WaitsView>,
    /// The channel of the step that ended it.
    #[schema(schema_with = words::channel_or_null)]
    pub termination_channel: Option<Cow<'static, str>>,
    pub total_price: f64,
    /// Always `Failover`.
    pub originating_service: Cow<'static, str>,
    pub application_id: String,
    /// `transactional` for a transactional flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_kind: Option<Cow<'static, str>>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The steps that were started: one object per Sms part, by order, then part.
    pub messages: Vec<MessageView>,
}

impl TrackingView {
    /// The tracking of a flow in one of its states.
    pub fn of(flow: &Flow, state: &flow::State) -> TrackingView {
        TrackingView {
            tracking_id: flow.id,
            status: state.status.name().into(),
            status_code: state.status_code.map(|code| code as u8),
            reason: state.cancelled.then(|| ReasonView::of(&Detail::CANCELLED, None)),
            waits: None,
            termination_channel: state.termination.map(|channel| channel.name().into()),
            total_price: price(state.total_price(&flow.steps)),
            originating_service: "Failover".into(),
            application_id: flow.application.clone(),
            flow_kind: flow_kind(flow.kind).map(Cow::from),
            created_at: iso(flow.created_ms),
            updated_at: iso(state.updated_ms),
            messages: Started::all_of(flow, state).flat_map(MessageView::all_of).collect(),
        }
    }
}

/// How a flow's kind is shown: a plain one is not.
pub fn flow_kind(kind: FlowKind) -> Option<&'static str> {
    match kind {
        FlowKind::Plain => None,
        FlowKind::Transactional => Some("transactional"),
    }
}
