//! Recipients who want no more messages.

use crate::CallbackKey;
use flow::Channel;
use serde::Serialize;

/// A recipient who wants no more messages of an application on a channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppression {
    /// The application.
    #[serde(skip)]
    pub application: String,
    /// The channel.
    pub channel: Channel,
    /// Who, E.164.
    pub recipient: String,
    /// Why, in somebody's words.
    pub reason: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// The applications that something has to be heeded for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cautions {
    /// They have a balance.
    pub balances: Vec<String>,
    /// Some of their recipients want no more messages.
    pub suppressions: Vec<String>,
    /// The key of their callbacks' signatures was changed.
    pub callback_keys: Vec<(String, CallbackKey)>,
}

/// What became of holding something of a balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reserved {
    /// It is held, or nobody counts.
    Yes,
    /// The balance can't pay it: the flow has ended.
    No,
    /// The flow does not owe it any more.
    Gone,
}
