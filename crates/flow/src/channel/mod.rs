//! The channels: the ways a message can travel. Each has a file with everything that is of it alone; the
//! table below lists them.

pub mod rules;
pub mod sandbox;
pub mod sms;
pub mod viber;
pub mod voice;

use rules::{ChannelContent, ChannelRules};
use serde::{Deserialize, Serialize};

/// Makes [`Channel`] and [`Content`] from the table: the channel's name, the file with its `RULES`, and the
/// type of its steps' content.
macro_rules! channels {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $name:ident: $file:ident, $content:ty;)*) => {
        /// A way a message can travel; the contract's step `type` (section 2).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        pub enum Channel {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? $name,)*
        }

        impl Channel {
            /// How many channels there are.
            pub const COUNT: usize = [$($(#[cfg($cfg)])? Channel::$name,)*].len();

            /// Every channel, in the contract's order.
            pub const ALL: [Channel; Channel::COUNT] = [$($(#[cfg($cfg)])? Channel::$name,)*];

            /// What the channel fixes for all of its messages.
            pub const fn rules(self) -> &'static ChannelRules {
                match self {
                    $($(#[cfg($cfg)])? Channel::$name => &$file::RULES,)*
                }
            }
        }

        /// What a step sends, and to whom.
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        pub enum Content {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? $name($content),)*
        }

        impl Content {
            /// The channel that carries it.
            pub const fn channel(&self) -> Channel {
                match self {
                    $($(#[cfg($cfg)])? Content::$name(_) => Channel::$name,)*
                }
            }

            /// A message with a sender, a recipient and a label, and nothing else: routes can be asked about
            /// it.
            pub fn empty(channel: Channel, from: String, to: String, label: Option<String>) -> Content {
                match channel {
                    $($(#[cfg($cfg)])?
                    Channel::$name => Content::$name($file::empty(from, to, label).into()),)*
                }
            }

            /// The content without its type.
            pub fn common(&self) -> &dyn ChannelContent {
                match self {
                    $($(#[cfg($cfg)])? Content::$name(content) => content.as_common(),)*
                }
            }
        }
    };
}

channels! {
    /// Short message.
    Sms: sms, sms::Sms;
    /// Viber business message.
    Viber: viber, Box<viber::Viber>;
    /// Phone call.
    Voice: voice, voice::Voice;
}

impl Channel {
    /// The contract's spelling.
    pub const fn name(self) -> &'static str {
        self.rules().name
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_stored_by_the_name_that_its_rules_give() {
        for channel in Channel::ALL {
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.name());
            assert_eq!(Channel::parse(&channel.name().to_ascii_uppercase()), Some(channel));
            assert_eq!(channel.to_string(), channel.name());
        }
        assert_eq!(Channel::parse("Telex"), None);
    }

    #[test]
    fn positions_in_the_table_are_the_numbers_of_the_channels() {
        let numbers: Vec<usize> = Channel::ALL.into_iter().map(|channel| channel as usize).collect();
        assert_eq!(numbers, (0..Channel::COUNT).collect::<Vec<_>>());
    }
}
