//! What happened to a flow, in order: for people who ask what became of it.

use crate::occurrence::{Occurrence, digits};
use serde::{Deserialize, Serialize};

/// Entries that are kept from the beginning.
const FIRST: usize = 16;
/// Entries that are kept in all: the first ones and the last ones.
const ENTRIES_MAX: usize = 64;
/// Octets of JSON that a history takes in a flow's document, at most.
pub(crate) const HISTORY_BYTES: usize = 2560;

/// What happened to a flow, oldest first: the first entries and the last ones. Flows that a version without
/// histories accepted have an empty one.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct History {
    #[serde(rename = "e")]
    entries: Vec<Entry>,
    #[serde(rename = "x", default, skip_serializing_if = "is_zero")]
    left_out: u32,
}

/// Milliseconds since the entry before, or since the flow was accepted; and what happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Entry(u64, Occurrence);

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Entry {
    /// Octets that it takes in a document, at most, with a comma.
    fn octets(&self) -> usize {
        let Entry(after_ms, occurrence) = self;
        4 + digits(*after_ms) + occurrence.octets()
    }
}

impl History {
    /// Whether it has nothing: an older version accepted the flow.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many entries are missing behind the first ones.
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }

    /// What happened and when, Unix milliseconds, oldest first. `created_ms` is the flow's.
    pub fn moments(&self, created_ms: i64) -> impl Iterator<Item = (i64, &Occurrence)> {
        self.entries.iter().scan(created_ms, |at_ms, Entry(after_ms, occurrence)| {
            *at_ms = at_ms.saturating_add_unsigned(*after_ms);
            Some((*at_ms, occurrence))
        })
    }

    /// What happened last to a part.
    pub(crate) fn last_of(&self, message: u16, part: u16) -> Option<&Occurrence> {
        let mut newest = self.entries.iter().rev().map(|Entry(_, occurrence)| occurrence);
        newest.find(|occurrence| occurrence.place() == (Some(message), Some(part)))
    }

    /// Adds what happened so long after the flow was accepted; if the clock went back, it counts as happening
    /// with what was before it. Where the history becomes too large, one in the middle is left out.
    pub(crate) fn push(&mut self, occurrence: Occurrence, since_accepted_ms: u64) {
        let before_ms = self.entries.iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.0));
        self.entries.push(Entry(since_accepted_ms.saturating_sub(before_ms), occurrence));
        while self.entries.len() > 1 && self.is_too_large() {
            let middle = FIRST.min((self.entries.len() - 1) / 2);
            let Entry(after_ms, _) = self.entries.remove(middle);
            if let Some(next) = self.entries.get_mut(middle) {
                next.0 = next.0.saturating_add(after_ms);
            }
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    fn is_too_large(&self) -> bool {
        let octets: usize = self.entries.iter().map(Entry::octets).sum();
        self.entries.len() > ENTRIES_MAX || octets > HISTORY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_entries_are_kept_and_their_times_stay() {
        let mut history = History::default();
        for part in 0..100 {
            history.push(Occurrence::Taken { message: 0, part }, u64::from(part) * 10);
        }
        assert_eq!((history.entries.len(), history.left_out()), (ENTRIES_MAX, 36));
        let parts: Vec<(i64, u16)> =
            history.moments(7).map(|(at_ms, one)| (at_ms, one.place().1.unwrap())).collect();
        let expected: Vec<(i64, u16)> =
            (0..16).chain(52..100).map(|part| (7 + i64::from(part) * 10, part)).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn long_texts_leave_fewer_entries_and_the_newest_stays() {
        let mut history = History::default();
        for part in 0..100 {
            let (carrier, reason) = ("c".repeat(64), "w".repeat(60));
            let wait_ms = Some(1000);
            history.push(Occurrence::Deferred { message: 0, part, carrier, reason, wait_ms }, 5);
            assert!(serde_json::to_vec(&history).unwrap().len() < HISTORY_BYTES + 40);
            assert_eq!(history.moments(0).last().unwrap().1.place().1, Some(part));
        }
        assert_eq!(history.entries.len() + history.left_out() as usize, 100);
        assert_eq!(history.moments(0).next().unwrap().1.place().1, Some(0));
    }

    #[test]
    fn a_clock_that_goes_back_changes_no_order() {
        let mut history = History::default();
        for since_ms in [0, 100, 50, 120] {
            history.push(Occurrence::Ended, since_ms);
        }
        let times: Vec<i64> = history.moments(1000).map(|(at_ms, _)| at_ms).collect();
        assert_eq!(times, [1000, 1100, 1100, 1120]);
    }
}
