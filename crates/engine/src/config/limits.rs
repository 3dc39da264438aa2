//! `[limits]`: how much anybody outside may ask for at once. docs/limits.md lists them with every other
//! limit.

use super::rule::BrokenKey;
use carriers::config::duration;
use flow::Limits;
use serde::Deserialize;
use std::time::Duration;

/// The limits on what comes from outside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Steps of a flow.
    pub steps_max: usize,
    /// Sms parts of a flow, over all its steps.
    pub parts_max: usize,
    /// Octets of a flow's document in the store at its largest.
    pub flow_bytes_max: usize,
    /// Verbs of a Voice step.
    pub verbs_max: usize,
    /// Parameters of a Viber template.
    pub template_params_max: usize,
    /// Octets of a Viber template's parameters, names and values together.
    pub template_params_bytes_max: usize,
    /// Broken rules that an answer tells.
    pub errors_max: usize,
    /// Octets of bodies of more than 16 KiB that are under way at the same time.
    pub bodies_bytes_max: usize,
    /// Costly searches of one application at the same time; more wait.
    pub searches_max: usize,
    /// How long a costly search may wait and take before it is answered 503.
    #[serde(deserialize_with = "duration")]
    pub search_timeout: Duration,
    /// Living tokens of one application; a further one ends the one that would end first.
    pub tokens_max: usize,
    /// Open connections in all.
    pub connections_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        let Limits {
            steps_max,
            parts_max,
            flow_bytes_max,
            verbs_max,
            template_params_max,
            template_params_bytes_max,
        } = Limits::default();
        LimitsConfig {
            steps_max,
            parts_max,
            flow_bytes_max,
            verbs_max,
            template_params_max,
            template_params_bytes_max,
            errors_max: 100,
            bodies_bytes_max: 64 << 20,
            searches_max: 2,
            search_timeout: Duration::from_secs(10),
            tokens_max: 1000,
            connections_max: 10_000,
        }
    }
}

impl LimitsConfig {
    /// Those that a flow is checked against.
    pub fn flow(&self) -> Limits {
        Limits {
            steps_max: self.steps_max,
            parts_max: self.parts_max,
            flow_bytes_max: self.flow_bytes_max,
            verbs_max: self.verbs_max,
            template_params_max: self.template_params_max,
            template_params_bytes_max: self.template_params_bytes_max,
        }
    }

    /// Returns the keys that break a rule which no type says.
    pub fn check(&self) -> Vec<BrokenKey> {
        let ranges = [
            ("steps_max", self.steps_max, 1, 255),
            ("parts_max", self.parts_max, 1, 4096),
            ("flow_bytes_max", self.flow_bytes_max, 64 * 1024, 4 << 20),
            ("verbs_max", self.verbs_max, 1, 1000),
            ("template_params_max", self.template_params_max, 1, 1000),
            ("template_params_bytes_max", self.template_params_bytes_max, 1024, 256 * 1024),
            ("errors_max", self.errors_max, 1, 1000),
            ("bodies_bytes_max", self.bodies_bytes_max, 1 << 20, 1 << 40),
            ("searches_max", self.searches_max, 1, 64),
            ("tokens_max", self.tokens_max, 1, 100_000),
            ("connections_max", self.connections_max, 16, 1_000_000),
        ];
        let outside = ranges.into_iter().filter(|(_, value, least, most)| !(least..=most).contains(&value));
        let mut broken: Vec<BrokenKey> = outside
            .map(|(key, _, least, most)| (key.to_owned(), format!("must be {least} to {most}")))
            .collect();
        if self.search_timeout.is_zero() {
            broken.push(("search_timeout".into(), "must be more than 0".into()));
        }
        broken
    }
}
