//! How the server is, as the API shows it.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is wrong: `closing`, `store unavailable`, `store overloaded`, `store slow`.
    pub status: Cow<'static, str>,
    /// Whether each carrier is up. One that is down holds up its own messages only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carriers: BTreeMap<String, bool>,
}

/// What a server is doing: its carriers, and what waits.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusReport {
    /// As in [`Health`].
    pub status: Cow<'static, str>,
    /// In the order of the configuration.
    pub carriers: Vec<CarrierView>,
    /// By lane, carrier and why.
    pub waiting: Vec<WaitingView>,
}

/// How a carrier is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CarrierView {
    pub name: String,
    /// `smpp`, `http`, `sip` or `sandbox`.
    pub kind: Cow<'static, str>,
    pub channels: Vec<Cow<'static, str>>,
    /// Whether it could take a message now, as far as it knows.
    pub up: bool,
    /// Since when it is up or down.
    #[schema(format = DateTime)]
    pub since: String,
    /// `running`, `paused`, `draining`, or `drained`: nothing of a draining one is under way.
    pub state: Cow<'static, str>,
    /// Since when it is paused or drained.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub state_since: Option<String>,
    /// The share of its messages of the last minute or two that went well; absent for too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub success: Option<f64>,
    /// How many messages may be under way at once.
    pub window: usize,
    pub under_way: usize,
    /// Messages a second at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rate: Option<u32>,
    /// Tasks that wait for it alone.
    pub waiting: usize,
    /// Since when the oldest of them is owed, exact to ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub oldest: Option<String>,
    /// What a carrier of its kind has besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

/// Owed work that waits for the same.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitingView {
    /// The channel of messages; `callbacks`.
    pub lane: Cow<'static, str>,
    /// The carrier that it waits for; absent if several could take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub carrier: Option<String>,
    /// `down`, `paused`, `throttled`, `rate`, `busy`, or `later` (an attempt failed).
    pub because: Cow<'static, str>,
    pub count: usize,
    /// Since when the oldest is owed, exact to ten seconds; in the future if all are planned for later.
    #[schema(format = DateTime)]
    pub oldest: String,
}
