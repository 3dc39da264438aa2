//! Sets of channels.

use crate::channel::Channel;

/// A set of channels: one bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ChannelSet(u8);

const _: () = assert!(Channel::COUNT <= u8::BITS as usize, "a ChannelSet has a bit for each channel");

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_what_was_added_and_no_more() {
        for added in Channel::ALL {
            let set = ChannelSet::default().with(added);
            for channel in Channel::ALL {
                assert_eq!(set.contains(channel), channel == added);
            }
            assert_eq!(set.with(added), set);
        }
        let all = Channel::ALL.into_iter().fold(ChannelSet::default(), ChannelSet::with);
        assert!(Channel::ALL.into_iter().all(|channel| all.contains(channel)));
    }
}
