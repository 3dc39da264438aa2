//! The phone numbers of a segment in the order of their digits from the last to the first.

use crate::number::{Pattern, reversed};
use crate::partition::partition_point;
use crate::segment::ids::Ordinal;
use crate::segment::image::{Image, Section, Writer};
use crate::segment::numbers::Numbers;
use crate::segment::packed::{get24, pack24};
use std::ops::Range;

/// Writes the order of these numbers, which are distinct.
pub(crate) fn write(out: &mut Writer, numbers: &[u64]) {
    let mut backwards: Vec<(u64, u32)> =
        numbers.iter().enumerate().map(|(ordinal, number)| (reversed(*number), ordinal as u32)).collect();
    backwards.sort_unstable();
    out.put_bytes(Section::BySuffix, pack24(backwards.into_iter().map(|(_, ordinal)| ordinal)));
}

/// Numbers in the order of their digits from the last to the first.
#[derive(Clone, Copy)]
pub(crate) struct Suffixes<'a> {
    ordinals: &'a [u8],
    numbers: Numbers<'a>,
}

impl<'a> Suffixes<'a> {
    pub(crate) fn of(image: &'a Image, numbers: Numbers<'a>) -> Suffixes<'a> {
        Suffixes { ordinals: image.section(Section::BySuffix), numbers }
    }

    /// The number at a place of the order.
    pub(crate) fn ordinal(&self, place: usize) -> Ordinal {
        Ordinal::new(get24(self.ordinals, place))
    }

    /// The places of the numbers that end like this.
    pub(crate) fn ending(&self, pattern: &Pattern) -> Range<usize> {
        let (from, until) = pattern.reversed().range();
        let bound = |limit: u64| {
            let before = |place| reversed(self.numbers.get(self.ordinal(place))) < limit;
            partition_point(0..self.numbers.len(), before)
        };
        bound(from)..bound(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{NumberTest, pack_digits};
    use crate::segment::numbers;

    #[test]
    fn finds_what_a_walk_finds() {
        let mut random = fastrand::Rng::with_seed(1);
        for count in [0, 1, 500] {
            let mut all: Vec<u64> =
                (0..count).map(|_| pack_digits(&random.u32(0..3000).to_string()).unwrap()).collect();
            all.sort_unstable();
            all.dedup();
            let mut out = Writer::new();
            numbers::write(&mut out, &all);
            write(&mut out, &all);
            let image = out.finish();
            let suffixes = Suffixes::of(&image, Numbers::of(&image, all.len()));
            for digits in ["", "0", "7", "12", "007", "2999"] {
                let pattern = Pattern::new(digits).unwrap();
                let mut found: Vec<Ordinal> =
                    suffixes.ending(&pattern).map(|place| suffixes.ordinal(place)).collect();
                found.sort_unstable();
                let holds = |at: &usize| NumberTest::Suffix(pattern).holds(all[*at]);
                let expected: Vec<Ordinal> = (0..all.len()).filter(holds).map(Ordinal::new).collect();
                assert_eq!(found, expected, "{digits}");
            }
        }
    }
}
