//! A flow and what is asked for with it.

use crate::callbacks::{Callbacks, PendingCallback};
use crate::channel::Content;
use crate::channel::sms::Shortened;
use crate::channel_set::ChannelSet;
use crate::facets::Facets;
use crate::flow_status::FlowKind;
use crate::history::History;
use crate::price::Price;
use crate::state::State;
use crate::step::{Restrictions, Step};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// A failover flow: what was asked for, and what has become of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// The tracking id: a UUIDv7 whose last two octets are zero ([`crate::flow_of`]); those that versions of
    /// before drew end in any.
    pub id: Uuid,
    /// The application that owns it.
    pub application: String,
    /// Plain or transactional.
    #[serde(default, skip_serializing_if = "FlowKind::is_plain")]
    pub kind: FlowKind,
    /// When it was accepted, Unix milliseconds.
    pub created_ms: i64,
    /// How long a ttl minute lasts, milliseconds; fixed at acceptance so that a restart changes nothing.
    pub minute_ms: u64,
    /// Its steps, ascending by `order`; at least one.
    pub steps: Vec<Step>,
    /// Where results go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// India: registration ids for all Sms steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restrictions: Option<Restrictions>,
    /// What has become of it.
    pub state: State,
    /// Its callbacks that are owed or were given up.
    #[serde(default, skip_serializing_if = "Callbacks::is_empty")]
    pub callbacks: Callbacks,
    /// How many callbacks it has owed so far: the last one's number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub callbacks_made: u32,
    /// Its target refused further callbacks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callbacks_ended: bool,
    /// Octets that its callbacks may take in its document; beyond it, callbacks never sent are merged into
    /// one.
    #[serde(default = "callback_bytes_default", skip_serializing_if = "is_callback_bytes_default")]
    pub callback_bytes_max: u32,
    /// What happened to it; an empty one stays empty, since nothing was reckoned for it.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    pub history: History,
    /// Documents of version 0.1: the callbacks that were given up; see [`Flow::adopt_old_callbacks`].
    #[serde(rename = "dead_callbacks", default, skip_serializing)]
    pub(crate) old_dead_callbacks: Vec<PendingCallback>,
}

/// Octets that a flow's callbacks may take in its document, if its steps leave that much.
pub const CALLBACK_BYTES: u32 = 80 * 1024;

fn callback_bytes_default() -> u32 {
    CALLBACK_BYTES
}

fn is_callback_bytes_default(octets: &u32) -> bool {
    *octets == CALLBACK_BYTES
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Where results go and when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Callback {
    /// When it is called.
    pub strategy: CallbackStrategy,
    /// Where.
    pub url: String,
}

/// When a callback is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CallbackStrategy {
    /// On every change of a status.
    OnChange,
    /// Once, at the flow's final status.
    OnCompletion,
}

/// What a client asks for, checked and with every default filled in.
#[derive(Clone, Debug)]
pub struct NewFlow {
    /// The tracking id: a UUIDv7 whose last two octets are zero ([`crate::flow_of`]).
    pub id: Uuid,
    /// The application that owns it.
    pub application: String,
    /// Plain or transactional.
    pub kind: FlowKind,
    /// How long a ttl minute lasts, milliseconds.
    pub minute_ms: u64,
    /// Its steps, ascending by `order`; at least one.
    pub steps: Vec<Step>,
    /// Where results go.
    pub callback: Option<Callback>,
    /// India: registration ids for all Sms steps.
    pub restrictions: Option<Restrictions>,
    /// Octets that its callbacks may take in its document: [`NewFlow::measure`].
    pub callback_bytes_max: u32,
}

impl Flow {
    /// The short links of its steps.
    pub fn shortened(&self) -> impl Iterator<Item = &Shortened> {
        self.steps.iter().filter_map(|step| match &step.content {
            Content::Sms(sms) => sms.shortened.as_ref(),
            _ => None,
        })
    }

    /// What it costs so far.
    pub fn total_price(&self) -> Price {
        self.state.total_price(&self.steps)
    }

    /// The amount by which it lowers its application's balance; falls again when something held is not
    /// charged.
    pub fn committed(&self) -> Price {
        let messages = self.state.messages.iter().zip(&self.steps);
        messages
            .flat_map(|(message, step)| message.parts.iter().map(|part| part.committed(step.channel())))
            .sum()
    }

    /// What a search looks at.
    pub fn facets(&self) -> Facets {
        let started = self.state.messages.len().max(1);
        let steps = &self.steps[..started.min(self.steps.len())];
        let mut recipients: Vec<&str> = steps.iter().map(Step::to).collect();
        recipients.sort_unstable();
        recipients.dedup();
        Facets {
            kind: self.kind,
            status: self.state.status,
            termination: self.state.termination,
            types: steps.iter().fold(ChannelSet::default(), |set, step| set.with(step.channel())),
            recipients: recipients.into_iter().map(Into::into).collect(),
        }
    }

    /// The state that one of its callbacks reports; `None` if it has no such callback.
    pub fn state_at(&self, number: u32) -> Option<Cow<'_, State>> {
        self.callbacks.state_at(number, &self.state)
    }

    /// The `webhook-id` of one of its callbacks: the same on every attempt, and no other's.
    pub fn webhook_id(&self, callback: &PendingCallback) -> Uuid {
        Callbacks::webhook_id(&self.id, callback)
    }

    /// Converts the callbacks of a document of version 0.1.
    pub fn adopt_old_callbacks(&mut self) {
        let dead = std::mem::take(&mut self.old_dead_callbacks);
        self.callbacks_made = self.callbacks.adopt(dead, self.callbacks_made);
    }
}
