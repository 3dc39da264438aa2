//! The rows of each recipient, recipient after recipient, ascending within each. Their facets lie in the same
//! order behind those of all rows, so that a recipient's rows are a range of positions.

use crate::partition::partition_point;
use crate::segment::ids::{Ordinal, Position, Row};
use crate::segment::image::{Image, Section, Writer};
use crate::segment::ordinal_set::OrdinalSet;
use crate::segment::packed::{get24, pack24};
use crate::segment::prefetch::prefetch;
use crate::segment::sizes::Sizes;
use std::ops::Range;

/// The counts of recipients are octets; one like this says that the count stands in a list of the long ones.
const LONG: u8 = u8::MAX;
/// Recipients that share a sample of where their rows start.
const SAMPLE: usize = 64;
/// Words of recipients whose counts are read together.
const READ_TOGETHER: usize = 16;

/// Writes how many rows each recipient has, and the rows.
pub(crate) fn write(out: &mut Writer, counts: &[u32], rows: impl ExactSizeIterator<Item = Row>) {
    let (mut samples, mut long) = (Vec::new(), Vec::new());
    let mut start = 0u32;
    for (ordinal, count) in counts.iter().enumerate() {
        if ordinal % SAMPLE == 0 {
            samples.push(start);
        }
        if *count >= u32::from(LONG) {
            long.push([ordinal as u32, *count]);
        }
        start += count;
    }
    samples.push(start);
    out.put(Section::PostingSamples, &samples);
    out.put(Section::PostingLong, &long);
    let counts = counts.iter().map(|count| (*count).min(u32::from(LONG)) as u8);
    out.put_bytes(Section::PostingCounts, counts.collect());
    out.put_bytes(Section::PostingRows, pack24(rows.map(|row| row.get() as u32)));
}

/// The rows of each recipient.
#[derive(Clone, Copy)]
pub(crate) struct Postings<'a> {
    /// Of every 64th recipient, how many rows those before it have.
    samples: &'a [u32],
    /// How many rows each recipient has, at most [`LONG`].
    counts: &'a [u8],
    /// Recipients with as many rows or more, ascending, each with its count.
    long: &'a [[u32; 2]],
    rows: &'a [u8],
    /// The first position of the first recipient's rows.
    first: usize,
    /// How many positions there are.
    len: usize,
}

impl<'a> Postings<'a> {
    pub(crate) fn of(image: &'a Image, sizes: &Sizes) -> Postings<'a> {
        Postings {
            samples: image.integers(Section::PostingSamples),
            counts: image.section(Section::PostingCounts),
            long: image.integers(Section::PostingLong),
            rows: image.section(Section::PostingRows),
            first: sizes.rows,
            len: sizes.entries,
        }
    }

    /// How many rows the recipients before this one have.
    fn start(&self, ordinal: usize) -> usize {
        if ordinal == self.counts.len() {
            return self.len;
        }
        let first = ordinal / SAMPLE * SAMPLE;
        self.samples[ordinal / SAMPLE] as usize + self.count_all(first, &self.counts[first..ordinal])
    }

    /// How many rows a recipient has, whose octet is `count`.
    fn count(&self, ordinal: usize, count: u8) -> usize {
        if count < LONG {
            return usize::from(count);
        }
        let at = self.long.partition_point(|[known, _]| (*known as usize) < ordinal);
        self.long[at][1] as usize
    }

    /// How many rows the recipients from `first` on have, whose octets are `counts`.
    fn count_all(&self, first: usize, counts: &[u8]) -> usize {
        let sum = counts.iter().map(|count| u32::from(*count)).sum::<u32>() as usize;
        // Long counts are rare.
        if sum < usize::from(LONG) || !counts.contains(&LONG) {
            return sum;
        }
        counts.iter().enumerate().map(|(i, count)| self.count(first + i, *count)).sum()
    }

    fn positions(&self, places: Range<usize>) -> Range<Position> {
        Position::range(self.first + places.start..self.first + places.end)
    }

    /// The positions of one recipient's rows.
    pub(crate) fn of_one(&self, ordinal: Ordinal) -> Range<Position> {
        let ordinal = ordinal.get();
        let start = self.start(ordinal);
        self.positions(start..start + self.count(ordinal, self.counts[ordinal]))
    }

    /// The positions of some neighbouring recipients' rows.
    pub(crate) fn of_range(&self, ordinals: &Range<Ordinal>) -> Range<Position> {
        self.positions(self.start(ordinals.start.get())..self.start(ordinals.end.get()))
    }

    /// Calls `each` with the positions of the rows of each of these recipients.
    pub(crate) fn of_each(&self, ordinals: &OrdinalSet, mut each: impl FnMut(Range<Position>)) {
        // A sample stands for the recipients of one word.
        const _: () = assert!(SAMPLE == 64);
        let words = ordinals.words().iter().enumerate().filter(|(_, bits)| **bits != 0);
        let words: Vec<(usize, u64)> = words.map(|(word, bits)| (word, *bits)).collect();
        // They may lie far apart: some are read ahead while those before are looked at.
        let fetch = |words: &[(usize, u64)]| {
            let read = |(word, _): &(usize, u64)| {
                u64::from(self.samples[*word] ^ u32::from(self.counts[word * SAMPLE]))
            };
            prefetch(words.iter().map(read));
        };
        let mut ahead = words.chunks(READ_TOGETHER);
        ahead.next().into_iter().for_each(fetch);
        for some in words.chunks(READ_TOGETHER) {
            ahead.next().into_iter().for_each(fetch);
            for (word, bits) in some {
                let first = word * SAMPLE;
                let (mut start, mut left, mut at) = (self.samples[*word] as usize, *bits, first);
                while left != 0 {
                    let ordinal = first + left.trailing_zeros() as usize;
                    start += self.count_all(at, &self.counts[at..ordinal]);
                    let count = self.count(ordinal, self.counts[ordinal]);
                    each(self.positions(start..start + count));
                    start += count;
                    at = ordinal + 1;
                    left &= left - 1;
                }
            }
        }
    }

    /// The row at a position of a recipient's rows.
    pub(crate) fn row(&self, position: Position) -> Row {
        Row::new(get24(self.rows, position.get() - self.first))
    }

    /// The first of one recipient's positions whose row is not before `row`.
    pub(crate) fn bound(&self, positions: &Range<Position>, row: Row) -> Position {
        let before = |position: usize| self.row(Position::new(position)) < row;
        Position::new(partition_point(Position::numbers(positions), before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recipient_has_its_rows() {
        let mut random = fastrand::Rng::with_seed(1);
        for recipients in [1, 64, 65, 300] {
            let counts: Vec<u32> = (0..recipients)
                .map(|_| match random.u8(0..8) {
                    0 => random.u32(253..600),
                    _ => random.u32(1..9),
                })
                .collect();
            let lists: Vec<Vec<Row>> = counts
                .iter()
                .map(|count| (0..*count as usize).map(|at| Row::new(3 * at + random.usize(0..3))).collect())
                .collect();
            let all: Vec<Row> = lists.concat();
            let (rows, entries) = (10_000, all.len());
            let sizes = Sizes { rows, entries, numbers: recipients, recipients, roots: None, weight: 0 };
            let mut out = Writer::new();
            write(&mut out, &counts, all.iter().copied());
            let image = out.finish();
            let postings = Postings::of(&image, &sizes);
            let rows = |range: &Range<Position>| -> Vec<Row> {
                Position::numbers(range).map(|at| postings.row(Position::new(at))).collect()
            };
            for (ordinal, list) in lists.iter().enumerate() {
                let range = postings.of_one(Ordinal::new(ordinal));
                assert_eq!(&rows(&range), list);
                let asked = Row::new(random.usize(0..2000));
                let bound = postings.bound(&range, asked).get() - range.start.get();
                assert_eq!(bound, list.partition_point(|row| *row < asked));
                let end = random.usize(ordinal..=recipients);
                let some = postings.of_range(&Ordinal::range(ordinal..end));
                assert_eq!(rows(&some), lists[ordinal..end].concat());
            }
            let mut chosen = OrdinalSet::none(recipients);
            let some = Ordinal::range(random.usize(0..recipients)..recipients);
            chosen.insert(&some);
            (0..recipients).step_by(7).for_each(|at| chosen.insert(&Ordinal::range(at..at + 1)));
            let mut found = Vec::new();
            postings.of_each(&chosen, |range| found.push(rows(&range)));
            let chosen = (0..recipients).filter(|at| chosen.has(Ordinal::new(*at)));
            assert_eq!(found, chosen.map(|at| lists[at].clone()).collect::<Vec<_>>());
        }
    }
}
