//! References that join the parts of a long message on the handset.
//!
//! A handset joins parts of one sender that have the same reference, also those of two messages where one
//! came shortly after the other. So long messages to a number count upwards: none of 256 in a row, or 65536
//! with 16 bits, has the reference of another.

use lru::LruCache;
use parking_lot::Mutex;
use std::num::NonZeroUsize;
use uuid::Uuid;

/// Messages and recipients that are remembered. A part that is retried after this many other long messages
/// may get another reference than the parts before it.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(32 * 1024).unwrap();

/// The references of the messages of a carrier.
pub(super) struct References(Mutex<Given>);

struct Given {
    /// By the flow's id and the message's position.
    messages: LruCache<(Uuid, u16), u16>,
    /// The last one, by the recipient.
    recipients: LruCache<String, u16>,
}

impl References {
    /// None given yet.
    pub(super) fn new() -> References {
        References::remembering(REMEMBERED)
    }

    fn remembering(count: NonZeroUsize) -> References {
        References(Mutex::new(Given { messages: LruCache::new(count), recipients: LruCache::new(count) }))
    }

    /// The reference of all parts of a message of a flow, 16 bits; its lower 8 bits are one of 8 bits. The
    /// first message to a recipient gets it from the flow's id and its own position, so that it has the same
    /// one after a restart, and messages of one flow differ.
    pub(super) fn of(&self, flow: Uuid, message: u16, recipient: &str) -> u16 {
        let mut given = self.0.lock();
        if let Some(reference) = given.messages.get(&(flow, message)) {
            return *reference;
        }
        let reference = match given.recipients.get(recipient) {
            Some(last) => last.wrapping_add(1),
            // The last octets of a flow's id that are drawn.
            None => {
                let octets = flow.into_bytes();
                u16::from_be_bytes([octets[12], octets[13]]).wrapping_add(message)
            }
        };
        given.recipients.put(recipient.to_owned(), reference);
        given.messages.put((flow, message), reference);
        reference
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn id(number: u32) -> Uuid {
        Uuid::from_u128(7 << 96 | u128::from(number.wrapping_mul(0x9e37_79b9)) << 16)
    }

    #[test]
    fn messages_in_a_row_differ_and_parts_of_one_do_not() {
        let references = References::new();
        let given: Vec<u16> = (0..700)
            .map(|number| {
                // Others in between.
                references.of(id(10_000 + number), 0, "+306900000001");
                let first = references.of(id(number), 0, "+306900000000");
                assert_eq!(references.of(id(number), 0, "+306900000000"), first);
                first
            })
            .collect();
        for row in given.windows(256) {
            assert_eq!(row.iter().map(|reference| reference & 0xff).collect::<HashSet<_>>().len(), 256);
        }
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), 700);
        // After restarts, the messages of one flow still differ.
        let restarted = |message| References::new().of(id(5), message, "+306900000000") & 0xff;
        assert_eq!((0..255).map(restarted).collect::<HashSet<_>>().len(), 255);
        assert_eq!(References::new().of(id(0), 0, "+306900000000"), given[0]);
    }

    #[test]
    fn memory_is_bounded() {
        let references = References::remembering(NonZeroUsize::new(10).unwrap());
        for number in 0..100 {
            references.of(id(number), 0, &number.to_string());
        }
        let given = references.0.lock();
        assert_eq!((given.messages.len(), given.recipients.len()), (10, 10));
    }
}
