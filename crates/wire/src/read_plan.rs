//! Reads a dial plan that stands alone (contract, section 2: `machineDetection.eventUrl`).

use crate::broken::BrokenRules;
use crate::channel::voice::verbs_of;
use crate::problems::Problems;
use crate::read_step::check_step;
use crate::reader::Reader;
use flow::{Channel, Content, Limits, Step, Verb, Voice, VoiceTarget};

/// Why a dial plan that stands alone can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is no JSON.
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
    /// It breaks a rule of a Voice step.
    #[error(transparent)]
    Broken(#[from] BrokenRules),
}

/// Reads a dial plan that stands alone, `{"verbs": [...]}`, by the rules of a Voice step.
///
/// # Errors
/// [`PlanError`].
pub fn read_dial_plan(octets: &[u8], limits: &Limits) -> Result<Vec<Verb>, PlanError> {
    let value = &serde_json::from_slice(octets)?;
    let problems = Problems::new(1);
    let verbs = Reader::of(value, "", &problems).map(|plan| verbs_of(&plan, limits)).unwrap_or_default();
    let to = VoiceTarget::Phone("+306900000000".into());
    let voice = Voice { from: "+306900000000".into(), to, verbs: verbs.clone(), machine_detection: None };
    let (ttl, content) = (Channel::Voice.rules().ttl.default, Content::Voice(voice));
    let step = Step { order: 1, failover_on: vec![], ttl, content, country: None };
    check_step(&step, "step", limits, &problems);
    problems.finish()?;
    Ok(verbs)
}
