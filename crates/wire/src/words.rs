//! The words of the contract, as the description lists them.

use flow::{Channel, FlowStatus, Occurrence, Rule};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

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

/// The statuses of a channel's messages, as trackings spell them.
pub fn message_statuses(channel: Channel) -> Object {
    let rules = channel.rules();
    one_of(rules.statuses().map(|status| rules.tracking_name(status)))
}

/// What can happen to a flow.
pub fn events() -> Object {
    one_of(Occurrence::NAMES)
}

/// The rules that a request can break.
pub fn rules() -> Object {
    one_of(Rule::ALL.map(Rule::name))
}

/// When a callback is made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[allow(clippy::enum_variant_names)] // They are the contract's words.
pub enum StrategyWord {
    /// On every change of a status.
    OnChange,
    /// The same, as older clients write it.
    OnStep,
    /// Once, at the flow's final status.
    OnCompletion,
}

/// A channel.
pub struct ChannelWord;

impl ToSchema for ChannelWord {}

impl PartialSchema for ChannelWord {
    fn schema() -> RefOr<Schema> {
        let mut words = one_of(Channel::ALL.map(Channel::name));
        words.description = Some("A channel.".to_owned());
        words.into()
    }
}

/// The channels' names for people: `Sms, Viber or Voice`.
pub fn one_of_channels() -> String {
    let [first, names @ .., last] = Channel::ALL.map(Channel::name);
    let first = names.iter().fold(first.to_owned(), |text, name| text + ", " + name);
    format!("{first} or {last}")
}
