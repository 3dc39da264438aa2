//! Recipients who opted out.

use flow::Channel;
use serde::Serialize;

/// A recipient who opted out of an application's messages over a channel.
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
