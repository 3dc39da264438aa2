//! Figures for people, of any messages and flows.

use super::flows::{FlowFigures, FlowKey};
use super::latency::Latency;
use super::messages::{MessageFigures, MessageKey};
use crate::flow_status::FlowStatus;
use crate::price::Price;

/// Figures of messages and flows that were summed up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Messages.
    pub messages: i64,
    /// Their parts.
    pub parts: i64,
    /// What they cost.
    pub price: Price,
    /// Messages with a final status.
    pub ended_messages: i64,
    /// Messages that got through.
    pub successful_messages: i64,
    /// How long those took.
    pub latency: Latency,
    /// Flows.
    pub flows: i64,
    /// Flows that ended.
    pub ended_flows: i64,
    /// Flows that succeeded.
    pub succeeded_flows: i64,
    /// Flows that started a second step.
    pub failed_over_flows: i64,
    /// From acceptance to the last change, milliseconds, summed over the flows that ended.
    pub time_ms: i64,
}

impl Summary {
    /// Adds messages with a common key.
    pub fn add_messages(&mut self, key: &MessageKey, figures: &MessageFigures) {
        let MessageFigures { messages, parts, price, latency } = figures;
        self.messages = self.messages.saturating_add(*messages);
        self.parts = self.parts.saturating_add(*parts);
        self.price = self.price.saturating_add(*price);
        // A success need not be final: what was delivered over Viber may still be seen.
        if key.channel.rules().is_final(key.status) || key.status.is_success() {
            self.ended_messages = self.ended_messages.saturating_add(*messages);
        }
        if key.status.is_success() {
            self.successful_messages = self.successful_messages.saturating_add(*messages);
            self.latency.add(latency, 1);
        }
    }

    /// Adds flows with a common key. Their price is that of their messages, which is counted with those.
    pub fn add_flows(&mut self, key: &FlowKey, figures: &FlowFigures) {
        self.flows = self.flows.saturating_add(figures.flows);
        if key.status.is_final() {
            self.ended_flows = self.ended_flows.saturating_add(figures.flows);
        }
        if key.status == FlowStatus::Succeeded {
            self.succeeded_flows = self.succeeded_flows.saturating_add(figures.flows);
        }
        if key.steps > 1 {
            self.failed_over_flows = self.failed_over_flows.saturating_add(figures.flows);
        }
        self.time_ms = self.time_ms.saturating_add(figures.time_ms);
    }

    /// Adds others `times`; they are taken away again if that is negative.
    pub fn add(&mut self, others: &Summary, times: i64) {
        for (sum, other) in [
            (&mut self.messages, others.messages),
            (&mut self.parts, others.parts),
            (&mut self.ended_messages, others.ended_messages),
            (&mut self.successful_messages, others.successful_messages),
            (&mut self.flows, others.flows),
            (&mut self.ended_flows, others.ended_flows),
            (&mut self.succeeded_flows, others.succeeded_flows),
            (&mut self.failed_over_flows, others.failed_over_flows),
            (&mut self.time_ms, others.time_ms),
        ] {
            *sum = sum.saturating_add(other.saturating_mul(times));
        }
        self.price = self.price.saturating_add(others.price.saturating_mul(Price::from(times)));
        self.latency.add(&others.latency, times);
    }

    /// Whether nothing is counted.
    pub fn is_zero(&self) -> bool {
        self.messages == 0 && self.flows == 0 && self.price.is_zero() && self.latency.is_zero()
    }
}
