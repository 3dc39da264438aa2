//! Flows by what they have in common.

use crate::channel::Channel;
use crate::flow::Flow;
use crate::flow_status::{FlowStatus, StatusCode};
use crate::price::Price;

/// What flows that are counted together have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FlowKey {
    /// How many of its steps were started.
    pub steps: u8,
    /// The channel of the step that ended it.
    pub termination: Option<Channel>,
    /// The status.
    pub status: FlowStatus,
    /// Why it failed.
    pub status_code: Option<StatusCode>,
}

impl FlowKey {
    /// That of a flow.
    pub(super) fn of(flow: &Flow) -> FlowKey {
        let state = &flow.state;
        let steps = u8::try_from(state.messages.len()).unwrap_or(u8::MAX);
        FlowKey {
            steps,
            termination: state.termination,
            status: state.status,
            status_code: state.status_code,
        }
    }
}

/// What is counted of flows with a common key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlowFigures {
    /// How many.
    pub flows: i64,
    /// What they cost.
    pub price: Price,
    /// Of those that ended, the time from their acceptance to their last change, milliseconds, summed.
    pub time_ms: i64,
}

impl FlowFigures {
    /// Counts a flow, or takes it away again if `times` is -1.
    pub(super) fn count(&mut self, flow: &Flow, times: i64) {
        self.flows = self.flows.saturating_add(times);
        self.price = self.price.saturating_add(flow.total_price() * Price::from(times));
        if flow.state.status.is_final() {
            let took_ms = flow.state.updated_ms.saturating_sub(flow.created_ms).clamp(0, u32::MAX.into());
            self.time_ms = self.time_ms.saturating_add(took_ms * times);
        }
    }

    /// Adds others.
    pub fn add(&mut self, others: &FlowFigures) {
        self.flows = self.flows.saturating_add(others.flows);
        self.price = self.price.saturating_add(others.price);
        self.time_ms = self.time_ms.saturating_add(others.time_ms);
    }

    /// Whether nothing is counted.
    pub fn is_zero(&self) -> bool {
        self.flows == 0 && self.price.is_zero() && self.time_ms == 0
    }
}
