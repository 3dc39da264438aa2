//! Calls on the wire: the steps of a request, of an answer, and what became of them.

use super::rules::{ChannelWire, MessageFields};
use super::started::Started;
use crate::reader::Reader;
use crate::step_reader::{Members, StepReader, full_number, required_object};
use crate::time::iso;
use crate::views::{ReasonView, StatusView, carrier, failover_names, price, status, ttl_minutes, whole};
use crate::words::message_statuses;
use flow::{
    Channel, Limits, MachineDetection, MachineStrategy, Part, Rule, SipAddress, Step, Verb, Voice,
    VoiceTarget,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use uuid::Uuid;

pub(super) static WIRE: ChannelWire = ChannelWire {
    members: Members {
        step: &["dialPlan", "dialplan", "dialPlans", "machineDetection"],
        message: &[],
        belongs: "belongs to a Voice step",
    },
    sender: "from",
    scope: "voice",
    role: "MT_ROLE_VOICE",
};

/// The type of a call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub enum VoiceType {
    /// Its only value.
    Voice,
}

/// A voice.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// A woman's.
    Female,
    /// A man's.
    Male,
}

/// What to do when a machine answers.
#[derive(Serialize, ToSchema)]
pub enum MachineStrategyWord {
    /// End the call.
    Hangup,
    /// Go on.
    Continue,
}

/// The statuses of a call that can start the next step.
#[derive(Serialize, ToSchema)]
pub enum VoiceFailoverStatus {
    /// It was answered and ended.
    Completed,
    /// The line was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// It could not be made.
    Failed,
    /// It was never handed to a carrier.
    Unsent,
    /// The callee hung up before the end.
    Terminated,
}

/// A Voice step.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceStepRequest {
    #[serde(rename = "type")]
    channel: VoiceType,
    /// Its priority; absent: its place in the array. Steps of the same order run as the array has them.
    #[schema(minimum = 1, nullable = false)]
    order: Option<u32>,
    /// The caller id.
    #[schema(min_length = 1, max_length = 64, example = "+302100000000")]
    from: String,
    to: TargetView,
    /// Minutes, 1 to 1440; 10 by default.
    #[schema(minimum = 1, maximum = 1440, nullable = false)]
    ttl: Option<u32>,
    /// The statuses that start the next step; `Busy` and `NoAnswer` by default.
    #[schema(nullable = false)]
    failover_on_statuses: Option<Vec<VoiceFailoverStatus>>,
    dial_plan: DialPlanRequest,
    #[schema(nullable = false)]
    machine_detection: Option<MachineDetectionRequest>,
}

/// What a call says and plays.
#[derive(Serialize, ToSchema)]
pub struct DialPlanRequest {
    #[schema(min_items = 1, max_items = 100)]
    verbs: Vec<VerbRequest>,
}

/// One thing that a call does.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub enum VerbRequest {
    /// Speak a text.
    Say {
        /// Once by default.
        #[schema(minimum = 1, maximum = 100, nullable = false)]
        repeat: Option<u32>,
        /// A key press stops it.
        #[serde(rename = "bargeIn")]
        #[schema(nullable = false)]
        barge_in: Option<bool>,
        message: SayRequest,
    },
    /// Play a file.
    Play {
        /// Once by default.
        #[schema(minimum = 1, maximum = 100, nullable = false)]
        repeat: Option<u32>,
        /// A key press stops it.
        #[serde(rename = "bargeIn")]
        #[schema(nullable = false)]
        barge_in: Option<bool>,
        #[serde(rename = "fileURL")]
        #[schema(pattern = "^https?://", max_length = 1000)]
        file_url: String,
    },
}

/// What is said, and how.
#[derive(Serialize, ToSchema)]
pub struct SayRequest {
    /// A BCP 47 tag; `en-US` by default.
    #[schema(min_length = 2, max_length = 35, nullable = false)]
    language: Option<String>,
    /// `female` by default.
    #[schema(nullable = false)]
    gender: Option<Gender>,
    #[schema(min_length = 1, max_length = 4000, example = "Your parcel is here")]
    text: String,
}

/// What to do when a machine answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineDetectionRequest {
    strategy: MachineStrategyWord,
    /// Where the dial plan for machines is fetched.
    #[schema(pattern = "^https?://", max_length = 1000, nullable = false)]
    event_url: Option<String>,
}
/// A Voice step.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceStep {
    #[serde(rename = "type")]
    channel: VoiceType,
    order: u32,
    /// The caller id.
    #[schema(min_length = 1, max_length = 64)]
    from: String,
    to: TargetView,
    /// Minutes, 1 to 1440.
    #[schema(minimum = 1, maximum = 1440)]
    #[serde(serialize_with = "whole")]
    ttl: f64,
    #[schema(value_type = Vec<VoiceFailoverStatus>)]
    failover_on_statuses: Vec<Cow<'static, str>>,
    dial_plan: DialPlanView,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_detection: Option<MachineDetectionView>,
}

/// Whom a call reaches; exactly one of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    #[schema(example = "+306900000010")]
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viber: Option<String>,
}

/// What a call says and plays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DialPlanView {
    #[schema(min_items = 1)]
    verbs: Vec<VerbView>,
}

/// One thing that a call does.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub enum VerbView {
    /// Speak a text.
    Say {
        #[schema(minimum = 1, maximum = 100)]
        repeat: u32,
        #[serde(rename = "bargeIn")]
        barge_in: bool,
        message: SayView,
    },
    /// Play a file.
    Play {
        #[schema(minimum = 1, maximum = 100)]
        repeat: u32,
        #[serde(rename = "bargeIn")]
        barge_in: bool,
        #[serde(rename = "fileURL")]
        file_url: String,
    },
}

/// What is said, and how.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SayView {
    language: String,
    #[schema(value_type = Gender)]
    gender: String,
    #[schema(min_length = 1, max_length = 4000)]
    text: String,
}

/// What to do when a machine answers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineDetectionView {
    #[schema(value_type = MachineStrategyWord)]
    strategy: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_url: Option<String>,
}

/// A call.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceView {
    #[serde(rename = "type")]
    channel: VoiceType,
    order: u32,
    message_id: Uuid,
    from: String,
    to: TargetView,
    country: Option<String>,
    /// Seconds of talk.
    duration: Option<u32>,
    /// `human` or `machine`.
    answered_by: Option<String>,
    #[serde(serialize_with = "whole")]
    ttl: f64,
    price: f64,
    /// The carrier that took it; ours, beyond the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    #[schema(value_type = VoiceStatusView)]
    status: StatusView,
    #[schema(value_type = Vec<VoiceFailoverStatus>)]
    failover_on_statuses: Vec<Cow<'static, str>>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// The status of a call, why, and since when.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // It is the schema of a `StatusView`.
pub struct VoiceStatusView {
    #[schema(schema_with = statuses)]
    name: String,
    reason: ReasonView,
    #[schema(format = DateTime)]
    updated_date: String,
}

fn statuses() -> Object {
    message_statuses(Channel::Voice)
}

/// Reads a Voice step.
pub(super) fn read(step: &StepReader<'_>) -> Option<Voice> {
    let reader = &step.reader;
    step.refuse_foreign();
    reader.refuse_foreign(&["message"], "belongs to an Sms or a Viber step; what is said is in dialPlan");
    let from = reader.required_text("from");
    let to = read_target(reader);
    let verbs = read_verbs(reader, step.context.limits);
    let machine_detection = reader.object(&["machineDetection"]).and_then(|detection| {
        let strategy = match detection.required_text("strategy").to_ascii_lowercase().as_str() {
            "hangup" => MachineStrategy::Hangup,
            "continue" => MachineStrategy::Continue,
            // Noted as required already.
            "" => return None,
            _ => {
                detection.refuse("strategy", Rule::Choice, "must be Hangup or Continue");
                return None;
            }
        };
        Some(MachineDetection { strategy, event_url: detection.text("eventUrl") })
    });
    Some(Voice { from, to: to?, verbs, machine_detection })
}

fn read_target(reader: &Reader<'_>) -> Option<VoiceTarget> {
    match reader.raw("to") {
        None => reader.refuse("to", Rule::Required, "is required"),
        Some(Value::String(phone)) => return Some(VoiceTarget::Phone(full_number(phone.clone()))),
        Some(_) => {
            let to = reader.object(&["to"])?;
            let given = [
                to.text("phone").map(full_number).map(VoiceTarget::Phone),
                to.text("sip").map(|address| VoiceTarget::Sip(full_sip_address(address))),
                to.text("viber").map(full_number).map(VoiceTarget::Viber),
            ];
            let mut given = given.into_iter().flatten();
            match (given.next(), given.next()) {
                (Some(target), None) => return Some(target),
                _ => reader.refuse("to", Rule::Required, "must have exactly one of phone, sip and viber"),
            }
        }
    }
    None
}

/// An address with its scheme; one that breaks the rules stays as it is, for the check.
fn full_sip_address(address: String) -> String {
    SipAddress::parse(&address).map_or(address, |address| address.to_string())
}

fn read_verbs(reader: &Reader<'_>, limits: &Limits) -> Vec<Verb> {
    let Some(plan) = reader.object(&["dialPlan", "dialplan", "dialPlans"]) else {
        if !["dialPlan", "dialplan", "dialPlans"].iter().any(|name| reader.has(name)) {
            reader.refuse("dialPlan", Rule::Required, "is required");
        }
        return Vec::new();
    };
    verbs_of(&plan, limits)
}

/// The verbs of a dial plan.
pub(crate) fn verbs_of(plan: &Reader<'_>, limits: &Limits) -> Vec<Verb> {
    let verbs = plan.array("verbs", limits.verbs_max, "verbs").unwrap_or_default();
    let verbs = verbs.into_iter().take_while(|_| !plan.problems().is_over());
    verbs.filter_map(|(path, value)| read_verb(plan, &path, value)).collect()
}

fn read_verb(plan: &Reader<'_>, path: &str, value: &Value) -> Option<Verb> {
    let verb = Reader::of(value, path, plan.problems())?;
    let repeat = verb.integer("repeat").unwrap_or(1);
    // Out of range, so that the check says what is right.
    let repeat = u32::try_from(repeat).unwrap_or(0);
    let barge_in = verb.boolean("bargeIn").unwrap_or(false);
    match verb.required_text("type").to_ascii_uppercase().as_str() {
        "SAY" => {
            let message = required_object(&verb, "message")?;
            Some(Verb::Say {
                language: message.text("language").unwrap_or_else(|| "en-US".into()),
                gender: message.text("gender").unwrap_or_else(|| "female".into()).to_ascii_lowercase(),
                text: message.required_text("text"),
                repeat,
                barge_in,
            })
        }
        "PLAY" => {
            let url = verb.required_text(verb.spelling(&["fileURL", "fileUrl"]));
            Some(Verb::Play { url, repeat, barge_in })
        }
        "" => None,
        _ => {
            verb.refuse("type", Rule::Choice, "must be SAY or PLAY");
            None
        }
    }
}

impl TargetView {
    /// The address, whatever its kind.
    pub fn address(&self) -> &str {
        self.phone.as_ref().or(self.sip.as_ref()).or(self.viber.as_ref()).map_or("", |address| address)
    }
}

impl From<&VoiceTarget> for TargetView {
    fn from(to: &VoiceTarget) -> TargetView {
        let mut view = TargetView::default();
        match to {
            VoiceTarget::Phone(to) => view.phone = Some(to.clone()),
            VoiceTarget::Sip(to) => view.sip = Some(to.clone()),
            VoiceTarget::Viber(to) => view.viber = Some(to.clone()),
        }
        view
    }
}

impl From<&Verb> for VerbView {
    fn from(verb: &Verb) -> VerbView {
        match verb {
            Verb::Say { language, gender, text, repeat, barge_in } => VerbView::Say {
                repeat: *repeat,
                barge_in: *barge_in,
                message: SayView { language: language.clone(), gender: gender.clone(), text: text.clone() },
            },
            Verb::Play { url, repeat, barge_in } => {
                VerbView::Play { repeat: *repeat, barge_in: *barge_in, file_url: url.clone() }
            }
        }
    }
}
/// A step as it was accepted.
pub(super) fn step_view(step: &Step, voice: &Voice) -> VoiceStep {
    VoiceStep {
        channel: VoiceType::Voice,
        order: step.order,
        from: voice.from.clone(),
        to: TargetView::from(&voice.to),
        ttl: ttl_minutes(step),
        failover_on_statuses: failover_names(step),
        dial_plan: DialPlanView { verbs: voice.verbs.iter().map(VerbView::from).collect() },
        machine_detection: voice.machine_detection.as_ref().map(|detection| MachineDetectionView {
            strategy: match detection.strategy {
                MachineStrategy::Hangup => "Hangup".into(),
                MachineStrategy::Continue => "Continue".into(),
            },
            event_url: detection.event_url.clone(),
        }),
    }
}

/// What became of a step, which has one part.
pub(super) fn message_views(started: Started<'_>, voice: &Voice) -> Vec<VoiceView> {
    started.message.parts.iter().map(|part| part_view(started, voice, part)).collect()
}

fn part_view(started: Started<'_>, voice: &Voice, part: &Part) -> VoiceView {
    let Started { step, message, .. } = started;
    VoiceView {
        channel: VoiceType::Voice,
        order: step.order,
        message_id: started.id(),
        from: voice.from.clone(),
        to: (&voice.to).into(),
        country: step.country.clone(),
        duration: part.duration_s,
        answered_by: part.answered_by.clone(),
        ttl: ttl_minutes(step),
        price: price(part.price(Channel::Voice)),
        carrier: carrier(part),
        status: status(part, Channel::Voice),
        failover_on_statuses: failover_names(step),
        created_at: iso(message.created_ms),
    }
}

impl MessageFields for VoiceView {
    fn to(&self) -> &str {
        self.to.address()
    }

    fn status(&self) -> &StatusView {
        &self.status
    }

    fn price(&self) -> f64 {
        self.price
    }
}
