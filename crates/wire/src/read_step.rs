//! Reads a step from a request (contract, section 2).

use crate::channel;
use crate::country::country;
use crate::problems::Problems;
use crate::reader::Reader;
use crate::step_reader::{AT_ONCE, OTHER_TIME, StepContext};
use crate::words::one_of_channels;
use flow::{Channel, Limits, Rule, Status, Step, Ttl};
use serde_json::Value;

/// A step that was read.
pub struct DraftStep {
    /// The step.
    pub step: Step,
    /// Its path in the request.
    pub path: String,
    /// Its order: as given, or its place; absent: the given one breaks a rule.
    pub order: Option<u32>,
}

/// Reads the step at a place of the flow, from 1; what it breaks is noted in `problems`.
pub fn read_step(
    value: &Value,
    place: u32,
    path: &str,
    context: &StepContext<'_>,
    problems: &Problems,
) -> Option<DraftStep> {
    let reader = Reader::of(value, path, problems)?;
    reader.refuse_unavailable(&OTHER_TIME, AT_ONCE);
    let name = reader.required_text("type");
    let Some(channel) = Channel::parse(&name) else {
        if !name.is_empty() {
            reader.refuse("type", Rule::Choice, format!("must be {}", one_of_channels()));
        }
        return None;
    };
    let order = read_order(&reader, place);
    let content = channel::read(channel, reader.clone(), place, context)?;
    let failover_on = read_failover_on(&reader, channel);
    let ttl = read_ttl(&reader, channel);
    let mut step = Step { order: order.unwrap_or(place), failover_on, ttl, content, country: None };
    step.country = country(step.to());
    Some(DraftStep { step, path: path.to_owned(), order })
}

/// Notes the rules of section 2 that a step breaks, unless reading it said so already.
pub fn check_step(step: &Step, path: &str, limits: &Limits, problems: &Problems) {
    for violation in step.violations(limits) {
        if problems.is_over() {
            return;
        }
        let field = format!("{path}.{}", violation.field);
        if !problems.says(&field) {
            problems.add(field, violation.rule, violation.message);
        }
    }
}

fn read_order(reader: &Reader<'_>, place: u32) -> Option<u32> {
    if !reader.has("order") {
        return Some(place);
    }
    let order = u32::try_from(reader.integer("order")?).ok().filter(|order| *order >= 1);
    if order.is_none() {
        reader.refuse("order", Rule::Range, "must be 1 or more");
    }
    order
}

fn read_ttl(reader: &Reader<'_>, channel: Channel) -> Ttl {
    let rule = &channel.rules().ttl;
    let Some(minutes) = reader.number("ttl") else { return rule.default };
    let tenths = minutes * 10.0;
    // 0.3 has no exact binary form: a tenth counts as one where it is closest to one.
    let is_tenths = (tenths - tenths.round()).abs() <= 1e-6 && (0.0..1e6).contains(&tenths);
    if !is_tenths {
        reader.refuse("ttl", Rule::Range, rule.to_string());
        return rule.default;
    }
    Ttl { tenths: tenths.round() as u32 }
}

fn read_failover_on(reader: &Reader<'_>, channel: Channel) -> Vec<Status> {
    let Some(names) = reader.list("failoverOnStatuses") else {
        return channel.rules().failover_default.to_vec();
    };
    let choices = channel.rules().failover_choices;
    let mut statuses = Vec::new();
    for name in names {
        match choices.iter().find(|status| status.name().eq_ignore_ascii_case(&name)) {
            Some(status) if statuses.contains(status) => {}
            Some(status) => statuses.push(*status),
            None => {
                let choices: Vec<_> = choices.iter().map(|status| status.name()).collect();
                let message = format!("must be among {} for a {channel} step", choices.join(", "));
                reader.refuse("failoverOnStatuses", Rule::Choice, message);
                break;
            }
        }
    }
    statuses
}
