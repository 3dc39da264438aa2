//! What a flow waits for, as its tracking shows it. Ours, beyond the original service.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// What a flow waits for now. What does not belong to it, or is not known, is left out.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitsView {
    /// `carrier`: that one takes a part; `receipt`: that one tells what became of it; `callback`: that one is
    /// acknowledged.
    #[serde(rename = "for")]
    pub what: Cow<'static, str>,
    /// The carrier that is asked next, or that has the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub carrier: Option<String>,
    /// Why the carrier does not take it: `down`, `paused`, `throttled`, `rate`, `busy`, or `later` (an
    /// attempt failed).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub because: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub since: Option<String>,
    /// When it is tried again. Absent for a carrier: as soon as that takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub next_try: Option<String>,
    /// When the message's time to live ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub until: Option<String>,
    /// Attempts so far, of a callback.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempts: Option<u32>,
}
