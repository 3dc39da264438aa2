//! What flows add to the statistics of the quarter that they were accepted in.

use super::flows::{FlowFigures, FlowKey};
use super::messages::{MessageFigures, MessageKey};
use crate::flow::Flow;
use std::collections::BTreeMap;

/// What some flows add to the statistics.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contribution {
    /// Their messages.
    pub messages: BTreeMap<MessageKey, MessageFigures>,
    /// The flows themselves.
    pub flows: BTreeMap<FlowKey, FlowFigures>,
}

impl Contribution {
    /// Adds a flow as it is.
    pub fn add(&mut self, flow: &Flow) {
        self.count(flow, 1);
    }

    /// Takes a flow away as it was.
    pub fn subtract(&mut self, flow: &Flow) {
        self.count(flow, -1);
    }

    fn count(&mut self, flow: &Flow, times: i64) {
        for (message, step) in flow.state.messages.iter().zip(&flow.steps) {
            let key = MessageKey::of(flow.kind, step, message);
            self.messages.entry(key).or_default().count(step, message, times);
        }
        self.flows.entry(FlowKey::of(flow)).or_default().count(flow, times);
    }

    /// Drops what came to nothing.
    pub fn drop_zeros(&mut self) {
        self.messages.retain(|_, figures| !figures.is_zero());
        self.flows.retain(|_, figures| !figures.is_zero());
    }
}
