//! What reading a step needs, whatever its channel.

use crate::reader::Reader;
use crate::written::Written;
use flow::{FlowKind, Limits, Rule};

/// What reading a step depends on.
pub struct StepContext<'a> {
    /// Plain or transactional.
    pub kind: FlowKind,
    /// What `transcode` is for an Sms step that does not say.
    pub transcode: bool,
    /// What short links start with, where there are any.
    pub short_base: Option<&'a str>,
    /// What a step may have at most.
    pub limits: &'a Limits,
    /// The numbers in templates.
    pub written: &'a Written,
    /// Draws a code for a short link; `None` if the system has no randomness.
    pub new_code: &'a dyn Fn() -> Option<String>,
}

/// Members that would change when something is sent, without marks between their words (contract, section 2).
/// Without them it would be sent at another time than was asked for.
pub const OTHER_TIME: [&str; 24] = [
    "scheduledDate",
    "scheduleDate",
    "scheduledAt",
    "scheduleAt",
    "scheduledTime",
    "scheduleTime",
    "scheduledFor",
    "schedule",
    "sendAt",
    "sendAfter",
    "sendDate",
    "sendTime",
    "deliverAt",
    "deliverAfter",
    "deliveryDate",
    "deliveryTime",
    "notBefore",
    "delay",
    "delaySeconds",
    "respectQuietHours",
    "quietHours",
    "validity",
    "validityPeriod",
    "validUntil",
];
/// Why they are refused.
pub const AT_ONCE: &str = "is not available: this server sends at once, and ends a step by its ttl";

/// A step that is read: its members, its place in the flow, and the members of other channels' steps.
pub struct StepReader<'a> {
    /// The members.
    pub reader: Reader<'a>,
    /// Its place in the flow, from 1.
    pub place: u32,
    /// What reading it depends on.
    pub context: &'a StepContext<'a>,
    /// The members of its channel.
    pub own: &'static Members,
    /// The members of the other channels.
    pub foreign: Vec<&'static Members>,
}

/// The members that only the steps of one channel have.
#[derive(Debug)]
pub struct Members {
    /// Of a step.
    pub step: &'static [&'static str],
    /// Of its `message`.
    pub message: &'static [&'static str],
    /// Why a step of another channel may not have them.
    pub belongs: &'static str,
}

impl<'a> StepReader<'a> {
    /// Refuses the members that belong to other channels' steps.
    pub fn refuse_foreign(&self) {
        for members in &self.foreign {
            refuse_others(&self.reader, members.step, self.own.step, members.belongs);
        }
    }

    /// The step's `message`, which has no members of other channels' messages.
    pub fn required_message(&self) -> Option<Reader<'a>> {
        let message = required_object(&self.reader, "message")?;
        for members in &self.foreign {
            refuse_others(&message, members.message, self.own.message, members.belongs);
        }
        message.refuse_unavailable(&OTHER_TIME, AT_ONCE);
        Some(message)
    }
}

/// Refuses the members among `names` that are not among `own`.
fn refuse_others(reader: &Reader<'_>, names: &[&str], own: &[&str], belongs: &str) {
    let others = names.iter().filter(|name| !own.contains(name));
    others.for_each(|name| reader.refuse_foreign(&[name], belongs));
}

/// An object that must be given.
pub fn required_object<'a>(reader: &Reader<'a>, name: &str) -> Option<Reader<'a>> {
    if !reader.has(name) {
        reader.refuse(name, Rule::Required, "is required");
    }
    reader.object(&[name])
}

/// A number with its plus; what is no number stays as it is, for the check.
pub fn full_number(text: String) -> String {
    flow::read_number(&text).unwrap_or(text)
}
