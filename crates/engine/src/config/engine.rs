//! `[engine]`.

use super::rule::BrokenKey;
use carriers::config::duration;
use serde::Deserialize;
use std::time::Duration;

/// The engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// How long a ttl minute lasts.
    #[serde(deserialize_with = "duration")]
    pub minute: Duration,
    /// Whether steps with the same `order` are taken in the order of the array instead of refused.
    pub lenient_order: bool,
    /// The longest pause between two attempts to submit.
    #[serde(deserialize_with = "duration")]
    pub retry_max: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            minute: Duration::from_secs(60),
            lenient_order: true,
            retry_max: Duration::from_secs(60),
        }
    }
}

impl EngineConfig {
    /// Returns the keys that break a rule which no type says.
    pub fn check(&self) -> Vec<BrokenKey> {
        if self.minute.as_millis() >= 10 {
            return Vec::new();
        }
        vec![("minute".into(), "must be at least 10ms".into())]
    }
}
