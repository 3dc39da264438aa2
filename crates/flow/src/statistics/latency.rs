//! How long messages took, as a histogram.

/// Each doubling of a latency is divided into this many classes of equal width, so that a class is at most a
/// quarter as wide as where it begins.
const PARTS: u32 = 4;
/// Classes of latencies up to 49 days.
const CLASSES: u32 = 124;

/// Latencies of messages: their sum, and how many there are of each class.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    sum_ms: i64,
    /// Messages by class; those of the classes behind the last one are 0.
    counts: Vec<i64>,
}

impl PartialEq for Latency {
    fn eq(&self, other: &Latency) -> bool {
        self.sum_ms == other.sum_ms && self.classes().eq(other.classes())
    }
}

impl Eq for Latency {}

/// The class of a latency: 0 to 3 ms have one each.
fn class_of(ms: u32) -> u32 {
    match ms.checked_ilog2() {
        Some(doublings) if ms >= PARTS => {
            let part = (ms >> (doublings - PARTS.ilog2())) % PARTS;
            (doublings - PARTS.ilog2() + 1) * PARTS + part
        }
        _ => ms,
    }
}

/// The least latency of a class, milliseconds.
fn start_of(class: u32) -> u64 {
    if class < PARTS {
        return u64::from(class);
    }
    u64::from(PARTS + class % PARTS) << (class / PARTS - 1)
}

impl Latency {
    /// Counts messages that took `ms` each; fewer than none are taken away again.
    pub fn count(&mut self, ms: u32, messages: i64) {
        self.sum_ms = self.sum_ms.saturating_add(i64::from(ms).saturating_mul(messages));
        self.count_class(class_of(ms) as u8, messages);
    }

    /// Counts messages of a class.
    pub fn count_class(&mut self, class: u8, messages: i64) {
        let at = usize::from(class).min(CLASSES as usize - 1);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].saturating_add(messages);
    }

    /// Adds others `times`; they are taken away again if that is negative.
    pub fn add(&mut self, others: &Latency, times: i64) {
        self.add_sum(others.sum_ms.saturating_mul(times));
        if self.counts.len() < others.counts.len() {
            self.counts.resize(others.counts.len(), 0);
        }
        for (count, other) in self.counts.iter_mut().zip(&others.counts) {
            *count = count.saturating_add(other.saturating_mul(times));
        }
    }

    /// Adds to the sum alone, milliseconds.
    pub fn add_sum(&mut self, ms: i64) {
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// The sum, milliseconds.
    pub fn sum_ms(&self) -> i64 {
        self.sum_ms
    }

    /// The classes that have messages, and how many.
    pub fn classes(&self) -> impl Iterator<Item = (u8, i64)> {
        let counts = self.counts.iter().enumerate();
        counts.filter(|(_, count)| **count != 0).map(|(class, count)| (class as u8, *count))
    }

    /// Whether nothing is counted.
    pub fn is_zero(&self) -> bool {
        self.sum_ms == 0 && self.counts.iter().all(|count| *count == 0)
    }

    /// Forgets all; the memory stays.
    pub fn clear(&mut self) {
        self.sum_ms = 0;
        self.counts.clear();
    }

    /// The latency that `percent` of the messages do not exceed, milliseconds: exact to an eighth, since only
    /// classes are known. `None` without messages.
    pub fn percentile_ms(&self, percent: u8) -> Option<u64> {
        let all: i64 = self.classes().map(|(_, count)| count).sum();
        if all <= 0 {
            return None;
        }
        let rank = (i128::from(all) * i128::from(percent) / 100).min(i128::from(all) - 1);
        let mut before = 0;
        self.classes().find_map(|(class, count)| {
            before += i128::from(count);
            let (start, end) = (start_of(class.into()), start_of(u32::from(class) + 1));
            (rank < before).then_some((start + end - 1) / 2)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_each_other_without_a_gap() {
        for class in 0..CLASSES {
            let (start, end) = (start_of(class), start_of(class + 1));
            assert!(start < end && (end - start) * 4 <= start.max(4), "{class}: {start}..{end}");
            for ms in [start, end - 1] {
                assert_eq!(class_of(u32::try_from(ms).unwrap()), class, "{ms}");
            }
        }
        assert_eq!(class_of(u32::MAX), CLASSES - 1);
    }

    #[test]
    fn equal_are_those_with_the_same_messages_and_the_same_time() {
        let of = |times: &[u32]| {
            let mut latency = Latency::default();
            times.iter().for_each(|ms| latency.count(*ms, 1));
            latency
        };
        assert_eq!(of(&[10, 5000]), of(&[5000, 10]));
        // The same sum by other messages; the same classes with another sum.
        assert_ne!(of(&[1000, 3000]), of(&[2000, 2000]));
        assert_eq!(class_of(1000), class_of(1001));
        assert_ne!(of(&[1000]), of(&[1001]));
    }

    #[test]
    fn a_percentile_is_exact_to_an_eighth() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile_ms(50), None);
        (1..=1000).for_each(|ms| latency.count(ms * 10, 1));
        for (percent, exact) in [(50, 5000_u64), (95, 9500), (0, 10), (100, 10_000)] {
            let found = latency.percentile_ms(percent).unwrap();
            assert!(found.abs_diff(exact) * 8 <= exact, "{percent}: {found}");
        }
    }

    #[test]
    fn what_is_taken_away_again_leaves_nothing() {
        let (mut latency, mut others) = (Latency::default(), Latency::default());
        [7, 90_000, 90_001].into_iter().for_each(|ms| others.count(ms, 2));
        latency.add(&others, 3);
        assert_eq!(latency.sum_ms(), 6 * 180_008);
        assert!(!latency.is_zero());
        latency.add(&others, -3);
        assert!(latency.is_zero());
    }
}
