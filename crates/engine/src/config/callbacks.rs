//! `[callbacks]`.

use super::rule::{ANSWER_MAX, AT_ONCE_MAX, BrokenKey};
use carriers::config::duration;
use serde::Deserialize;
use std::time::Duration;

/// Callbacks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackConfig {
    /// Whether private, loopback and link-local targets are called.
    pub allow_private: bool,
    /// How long a target may take to answer.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// The pause after the first failure; it doubles from attempt to attempt.
    #[serde(deserialize_with = "duration")]
    pub retry_base: Duration,
    /// The longest pause between two attempts.
    #[serde(deserialize_with = "duration")]
    pub retry_max: Duration,
    /// How long a callback is tried before it is kept as dead.
    #[serde(deserialize_with = "duration")]
    pub give_up: Duration,
    /// Callbacks that are made at once.
    pub concurrency: usize,
    /// Callbacks that are made at once to one host.
    pub concurrency_per_host: usize,
}

impl Default for CallbackConfig {
    fn default() -> Self {
        CallbackConfig {
            allow_private: false,
            timeout: Duration::from_secs(10),
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(3600),
            give_up: Duration::from_secs(24 * 3600),
            concurrency: 256,
            concurrency_per_host: 32,
        }
    }
}

impl CallbackConfig {
    /// Returns the keys that break a rule which no type says.
    pub fn check(&self) -> Vec<BrokenKey> {
        let at_once =
            [("concurrency", self.concurrency), ("concurrency_per_host", self.concurrency_per_host)];
        let outside = at_once.into_iter().filter(|(_, most)| !(1..=AT_ONCE_MAX).contains(most));
        let mut broken: Vec<BrokenKey> = outside
            .map(|(key, _)| (key.to_owned(), format!("must be at least 1 and at most {AT_ONCE_MAX}")))
            .collect();
        if self.timeout > ANSWER_MAX {
            broken.push(("timeout".into(), "must be at most 2m".into()));
        }
        broken
    }
}
