//! Keys that the other side presses, signalled in its sound (RFC 4733) or by INFO
//! (application/dtmf-relay and application/dtmf, which no RFC describes).

use crate::media_type;

const RELAY: &str = "application/dtmf-relay";
const PLAIN: &str = "application/dtmf";

/// How a key is signalled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// As an event among the packets of sound.
    InSound,
    /// By a request of its own.
    ByInfo,
}

/// Counts keys. Some peers signal each key both ways: it is one.
#[derive(Default)]
pub(super) struct Presses {
    in_sound: u32,
    by_info: u32,
}

impl Presses {
    /// Returns whether a key is a new one: the second key signalled one way is the second that was pressed,
    /// whichever way it is heard of first.
    pub(super) fn is_new(&mut self, told: Told) -> bool {
        let counted = self.in_sound.max(self.by_info);
        let count = match told {
            Told::InSound => &mut self.in_sound,
            Told::ByInfo => &mut self.by_info,
        };
        *count = count.saturating_add(1);
        *count > counted
    }
}

/// Returns whether the body of an INFO is a key.
pub(super) fn is_told(content_type: &str) -> bool {
    [RELAY, PLAIN].iter().any(|known| media_type::is(content_type, known))
}

/// The key of an INFO; `None` if it has none.
pub(super) fn read_info(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let signal = if media_type::is(content_type, RELAY) {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        })?
    } else if media_type::is(content_type, PLAIN) {
        text
    } else {
        return None;
    };
    match signal.trim() {
        // By their numbers in RFC 4733, 3.2.
        "10" => Some('*'),
        "11" => Some('#'),
        signal => {
            let mut characters = signal.chars();
            let key = characters.next()?.to_ascii_uppercase();
            (characters.next().is_none() && "0123456789*#ABCD".contains(key)).then_some(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_an_info() {
        for (content_type, body, key) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
            ("Application/DTMF-Relay;charset=utf-8", "Duration= 160\nsignal = #\n", Some('#')),
            ("application/dtmf-relay", "Signal=10", Some('*')),
            ("application/dtmf-relay", "Signal=16", None),
            ("application/dtmf-relay", "Duration=160", None),
            ("application/dtmf", "1", Some('1')),
            ("application/dtmf", " d\r\n", Some('D')),
            ("application/dtmf", "11", Some('#')),
            ("application/dtmf", "55", None),
            ("application/dtmf", "", None),
            ("application/dtmf", "é", None),
            ("text/plain", "1", None),
        ] {
            assert_eq!(read_info(content_type, body.as_bytes()), key, "{content_type} {body}");
        }
        assert_eq!(read_info("application/dtmf", b"\xff"), None);
        assert!(is_told("application/DTMF ; x=y") && !is_told("application/sdp") && !is_told(""));
    }

    #[test]
    fn a_key_that_is_told_both_ways_is_one() {
        use Told::{ByInfo, InSound};
        let count = |told: &[Told]| {
            let mut presses = Presses::default();
            told.iter().filter(|told| presses.is_new(**told)).count()
        };
        assert_eq!(count(&[InSound, InSound, InSound]), 3);
        assert_eq!(count(&[ByInfo, ByInfo]), 2);
        assert_eq!(count(&[InSound, ByInfo, ByInfo, InSound]), 2);
        assert_eq!(count(&[ByInfo, ByInfo, InSound, InSound, InSound]), 3);
    }
}
