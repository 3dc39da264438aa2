//! Why a flow is as it is, for people: what became of each step, and of the whole, in a few words.

use crate::time::span;
use flow::{Channel, Detail, Flow, FlowStatus, Message, Part, Status, StatusCode, Step, Submit};

/// How a step stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is under way.
    Open,
    /// It got through.
    Success,
    /// It did not.
    Failure,
}

/// What became of a started step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepReason {
    /// Its channel.
    pub channel: Channel,
    /// How it stands.
    pub outcome: Outcome,
    /// Why, in a few words that go on after a colon.
    pub words: String,
}

/// What became of each step that was started, in order.
pub fn step_reasons(flow: &Flow) -> Vec<StepReason> {
    let last = flow.state.messages.len().saturating_sub(1);
    let is_late = |at: usize| at < last || flow.state.status == FlowStatus::Failed;
    let messages = flow.state.messages.iter().zip(&flow.steps).enumerate();
    messages.map(|(at, (message, step))| step_reason(message, step, is_late(at))).collect()
}

/// What became of a step; a success is late if the flow had gone on, or ended, before.
fn step_reason(message: &Message, step: &Step, is_late: bool) -> StepReason {
    let channel = step.channel();
    let part = message.decisive(channel);
    let status = part.status.status;
    let outcome = match status {
        _ if status.is_success() => Outcome::Success,
        _ if channel.rules().is_final(status) => Outcome::Failure,
        _ => Outcome::Open,
    };
    let words = match outcome {
        Outcome::Success => success(message, part, is_late),
        Outcome::Failure => failure(part),
        Outcome::Open => open(part).to_owned(),
    };
    let parts = message.parts.len();
    let through = message.parts.iter().filter(|part| part.status.status.is_success()).count();
    let words = match outcome {
        Outcome::Success => words,
        _ if through > 0 => format!("{words}; {through} of {parts} parts got through"),
        _ => words,
    };
    StepReason { channel, outcome, words }
}

fn success(message: &Message, part: &Part, is_late: bool) -> String {
    let took = span(part.status.at_ms.saturating_sub(message.created_ms).max(0));
    let late = if is_late { " late" } else { "" };
    match (part.status.status, part.duration_s) {
        (Status::Completed, Some(seconds)) => format!("answered{late}, {seconds} s of talk"),
        (Status::Completed, None) => format!("answered{late}"),
        (Status::Seen, _) => format!("seen{late}, {took} after it was started"),
        _ if is_late => format!("delivered late, {took} after it was started"),
        _ => format!("delivered in {took}"),
    }
}

/// Why a part did not get through.
fn failure(part: &Part) -> String {
    let record = &part.status;
    let words = match &record.detail {
        detail if *detail == Detail::NOT_VIBER_USER => "not a Viber user",
        detail if *detail == Detail::OPTED_OUT => "the recipient opted out",
        detail if *detail == Detail::UNKNOWN_NUMBER => "the number does not exist",
        detail if *detail == Detail::UNDELIVERED_ON_HANDSET => "the handset could not take it",
        detail if *detail == Detail::EXPIRED || *detail == Detail::TTL_EXPIRED => "not delivered in time",
        detail if *detail == Detail::CANCELLED => "cancelled before it was sent",
        detail if *detail == Detail::NOT_SENT => "not sent",
        detail if *detail == Detail::plain(record.status) => match record.status {
            Status::Busy => "the line was busy",
            Status::NoAnswer => "nobody answered",
            Status::Terminated => "the callee hung up early",
            Status::Undelivered => "not delivered",
            Status::Expired => "not delivered in time",
            _ => "failed",
        },
        detail => return detail.0.to_lowercase(),
    };
    words.to_owned()
}

/// How far a part is that is under way.
fn open(part: &Part) -> &'static str {
    match (part.status.status, part.submit) {
        (Status::Ringing, _) => "the phone rings",
        (_, Submit::Owed { attempts: 0, .. }) => "waits to be handed to a carrier",
        (_, Submit::Owed { .. }) => "waits for the next attempt",
        (_, Submit::Handed { .. }) => "handed over, the carrier has not answered",
        (Status::Initiated, _) => "the call is being set up",
        (_, Submit::Done) => "sent, no receipt yet",
    }
}

/// The channel of a step that got through after the flow had gone on or failed.
fn late_success(flow: &Flow) -> Option<Channel> {
    let by = flow.state.termination.filter(|_| flow.state.status == FlowStatus::Succeeded);
    let through = |(message, step): &(&Message, &Step)| {
        message.decisive(step.channel()).status.status.is_success() && Some(step.channel()) != by
    };
    flow.state.messages.iter().zip(&flow.steps).find(through).map(|(_, step)| step.channel())
}

/// What became of a flow, in a sentence.
pub fn headline(flow: &Flow) -> String {
    let state = &flow.state;
    let last = state.messages.iter().zip(&flow.steps).next_back();
    let by = state.termination.or(last.map(|(_, step)| step.channel())).map_or("", Channel::name);
    let late = late_success(flow);
    if let (FlowStatus::Failed, Some(channel)) = (state.status, late) {
        return format!("It got through by {channel}, but too late: the flow had failed before.");
    }
    match (state.status, state.status_code) {
        (FlowStatus::Succeeded, _) => match late {
            Some(channel) => format!("It got through by {by}, and late by {channel} as well."),
            None => format!("It got through by {by}."),
        },
        (FlowStatus::Failed, _) if state.cancelled => "It was cancelled.".to_owned(),
        (FlowStatus::Failed, Some(StatusCode::InsufficientBalance)) => {
            "It was not sent: the application's balance could not pay it.".to_owned()
        }
        (FlowStatus::Failed, Some(StatusCode::FailoverNotTriggered)) => {
            format!("It did not get through: {by} ended in a status from which the flow does not go on.")
        }
        (FlowStatus::Failed, Some(StatusCode::NoNextStep)) => {
            "It did not get through: there was no further step.".to_owned()
        }
        (FlowStatus::Failed, _) => "It failed inside the server.".to_owned(),
        (FlowStatus::Queued, _) => match flow.steps.first() {
            Some(step) => format!("It waits to be sent by {}.", step.channel()),
            None => "It waits.".to_owned(),
        },
        (FlowStatus::InProgress, _) => format!("It is under way by {by}."),
    }
}
