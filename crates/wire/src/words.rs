//! The words of the contract, as the description lists them.
#![allow(dead_code)] // Of the statuses only the schemas are used.

use flow::{Channel, FlowStatus, Rule, Status};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

fn one_of(words: impl IntoIterator<Item = impl Into<serde_json::Value>>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// A channel, or null.
pub fn channel_or_null() -> Object {
    let words = Channel::ALL.into_iter().map(|channel| channel.name().into());
    let words: Vec<serde_json::Value> = words.chain([serde_json::Value::Null]).collect();
    let types = SchemaType::Array(vec![Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(words)).build()
}

/// The statuses of a flow.
pub fn flow_statuses() -> Object {
    one_of(FlowStatus::ALL.map(FlowStatus::name))
}

/// The statuses of an Sms, as trackings spell them.
pub fn sms_statuses() -> Object {
    message_statuses(Channel::Sms)
}

/// The statuses of a Viber message, as trackings spell them.
pub fn viber_statuses() -> Object {
    message_statuses(Channel::Viber)
}

/// The statuses of a call, as trackings spell them.
pub fn voice_statuses() -> Object {
    message_statuses(Channel::Voice)
}

fn message_statuses(channel: Channel) -> Object {
    one_of(Status::all_of(channel).iter().map(|status| status.tracking_name(channel)))
}

/// The rules that a request can break.
pub fn rules() -> Object {
    one_of(Rule::ALL.map(Rule::name))
}

/// The type of an Sms.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub enum SmsType {
    /// Its only value.
    Sms,
}

/// The type of a Viber message.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub enum ViberType {
    /// Its only value.
    Viber,
}

/// The type of a call.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub enum VoiceType {
    /// Its only value.
    Voice,
}

/// When a callback is made.
#[derive(Debug, Serialize, ToSchema)]
#[allow(clippy::enum_variant_names)] // They are the contract's words.
pub enum StrategyWord {
    /// On every change of a status.
    OnChange,
    /// The same, as older clients write it.
    OnStep,
    /// Once, at the flow's final status.
    OnCompletion,
}

/// Which devices of a recipient get a Viber message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryScope {
    /// The primary one.
    PrimaryDevice,
    /// All of them.
    AllDevices,
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

/// The statuses of an Sms that can start the next step.
#[derive(Serialize, ToSchema)]
pub enum SmsFailoverStatus {
    /// It could not be delivered, or not in time.
    Undelivered,
    /// The carrier refused it, or failed.
    Failed,
}

/// The statuses of a Viber message that can start the next step.
#[derive(Serialize, ToSchema)]
pub enum ViberFailoverStatus {
    /// Its time to live passed.
    Expired,
    /// The carrier refused it, or failed.
    Failed,
    /// It could not be delivered.
    Undelivered,
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

/// A channel.
#[derive(ToSchema)]
pub enum ChannelWord {
    /// Short messages.
    Sms,
    /// Viber business messages.
    Viber,
    /// Calls.
    Voice,
}
