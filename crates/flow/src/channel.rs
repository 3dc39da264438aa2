//! The ways a message can travel.

use serde::{Deserialize, Serialize};

/// A way a message can travel; the contract's step `type` (section 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Channel {
    /// Short message.
    Sms,
    /// Viber business message.
    Viber,
    /// Phone call.
    Voice,
}

impl Channel {
    /// Every channel, in the contract's order.
    pub const ALL: [Channel; 3] = [Channel::Sms, Channel::Viber, Channel::Voice];

    /// The contract's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Sms => "Sms",
            Channel::Viber => "Viber",
            Channel::Voice => "Voice",
        }
    }

    /// Reads a channel's name in any case.
    pub fn parse(name: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.name().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of channels, as three bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ChannelSet(u8);

impl ChannelSet {
    /// This set with `channel` added.
    #[must_use]
    pub const fn with(self, channel: Channel) -> ChannelSet {
        ChannelSet(self.0 | 1 << channel as u8)
    }

    /// Whether `channel` is in the set.
    pub const fn contains(self, channel: Channel) -> bool {
        self.0 & (1 << channel as u8) != 0
    }
}
