//! What a channel's file says of its JSON.

use crate::step_reader::Members;
use crate::views::StatusView;

/// What is of one channel in requests.
#[derive(Debug)]
pub struct ChannelWire {
    /// The members that only its steps have.
    pub members: Members,
    /// The member that names the sender.
    pub sender: &'static str,
    /// The word for its steps in the scope of a token (contract, section 1).
    pub scope: &'static str,
    /// The role for its steps, which a token is stored with.
    pub role: &'static str,
}

/// What every channel's part of a tracking has.
pub trait MessageFields {
    /// The recipient.
    fn to(&self) -> &str;

    /// The status.
    fn status(&self) -> &StatusView;

    /// What it costs, in the installation's currency.
    fn price(&self) -> f64;
}
