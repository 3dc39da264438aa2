//! A dictionary of numbers: sorted, in blocks of 4096. A block keeps the digits that its numbers share once, and the
//! others as bit planes: bit `b` of digit `p` of 64 numbers is one word. Three octets a number are usual, and 64
//! numbers at a time are asked whether they contain some digits.

use crate::number::{DIGITS, LIMIT, Pattern, nibble};
use multiversion::multiversion;
use std::ops::Range;

/// Numbers of a block.
const BLOCK: usize = 4096;
/// Words of a plane.
const WORDS: usize = BLOCK / 64;
/// Words that are looked at together: so many stay in registers.
const TILE: usize = 32;
/// Words of a cache line.
const LINE: usize = 8;
/// Words of the next block that are fetched with each tile.
const FETCHED: usize = 20 * LINE;
/// The bits of a digit.
const BITS: usize = 4;

/// The blocks of an image and their planes. A block is two words: its first number; where its planes start (in
/// planes), and the range of digits that have planes.
#[derive(Clone, Copy)]
pub(crate) struct Digits<'a> {
    pub(crate) blocks: &'a [u64],
    pub(crate) planes: &'a [u64],
    pub(crate) len: usize,
}

/// Blocks and planes of ascending, distinct numbers.
pub(crate) fn make(numbers: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let (mut blocks, mut planes) = (Vec::new(), Vec::new());
    for block in numbers.chunks(BLOCK) {
        let first = block[0];
        let differing = block.iter().fold(0, |bits, number| bits | (number ^ first));
        let from = (differing.leading_zeros() as usize - 4) / BITS;
        let until = DIGITS.saturating_sub(differing.trailing_zeros() as usize / BITS);
        let digits = from..until.max(from);
        blocks.push(first);
        blocks.push((planes.len() / WORDS) as u64 * 256 + (digits.start * 16 + digits.end) as u64);
        for digit in digits {
            for bit in 0..BITS {
                let start = planes.len();
                planes.resize(start + WORDS, 0);
                for (i, number) in block.iter().enumerate() {
                    planes[start + i / 64] |= u64::from(nibble(*number, digit) >> bit & 1) << (i % 64);
                }
            }
        }
    }
    (blocks, planes)
}

/// A block's numbers.
struct Block<'a> {
    first: u64,
    /// The digits that have planes.
    digits: Range<usize>,
    planes: &'a [u64],
}

impl<'a> Digits<'a> {
    fn block(&self, block: usize) -> Block<'a> {
        let place = self.blocks[2 * block + 1];
        let digits = (place / 16 % 16) as usize..(place % 16) as usize;
        let planes = &self.planes[(place / 256) as usize * WORDS..][..digits.len() * BITS * WORDS];
        Block { first: self.blocks[2 * block], digits, planes }
    }

    /// The number with an ordinal.
    pub(crate) fn get(&self, ordinal: usize) -> u64 {
        self.block(ordinal / BLOCK).get(ordinal % BLOCK)
    }

    /// All numbers.
    pub(crate) fn all(&self) -> Vec<u64> {
        let mut numbers = Vec::with_capacity(self.len);
        for block in 0..self.blocks.len() / 2 {
            let (start, columns) = (numbers.len(), self.block(block));
            let end = (start + BLOCK).min(self.len);
            numbers.resize(end, columns.shared());
            for (plane, words) in columns.planes.chunks_exact(WORDS).enumerate() {
                let shift = columns.shift(plane);
                for (i, number) in numbers[start..].iter_mut().enumerate() {
                    *number |= (words[i / 64] >> (i % 64) & 1) << shift;
                }
            }
        }
        numbers
    }

    /// How many numbers are less than `number`.
    pub(crate) fn lower_bound(&self, number: u64) -> usize {
        let (mut low, mut high) = (0, self.blocks.len() / 2);
        while low < high {
            let middle = (low + high) / 2;
            if self.blocks[2 * middle] < number { low = middle + 1 } else { high = middle }
        }
        let Some(block) = low.checked_sub(1) else { return 0 };
        let columns = self.block(block);
        let (mut low, mut high) = (1, BLOCK.min(self.len - block * BLOCK));
        while low < high {
            let middle = (low + high) / 2;
            if columns.get(middle) < number { low = middle + 1 } else { high = middle }
        }
        block * BLOCK + low
    }

    /// The ordinal of a number.
    pub(crate) fn find(&self, number: u64) -> Option<usize> {
        let ordinal = self.lower_bound(number);
        (ordinal < self.len && self.get(ordinal) == number).then_some(ordinal)
    }

    /// The ordinals of the numbers that start like this.
    pub(crate) fn starting(&self, pattern: &Pattern) -> Range<usize> {
        let (from, until) = pattern.range();
        self.lower_bound(from)..if until >= LIMIT { self.len } else { self.lower_bound(until) }
    }

    /// Sets the bits of the ordinals whose numbers contain the digits, or end with them; those of `skip`, which is
    /// ascending, may stay as they are.
    pub(crate) fn mark(&self, pattern: &Pattern, at_end: bool, skip: &[Range<usize>], bits: &mut [u64]) {
        let mut skip = skip.iter().peekable();
        let blocks = self.blocks.len() / 2;
        for (block, bits) in bits.chunks_mut(WORDS).enumerate().take(blocks) {
            let start = block * BLOCK;
            while skip.next_if(|range| range.end <= start).is_some() {}
            if skip.peek().is_some_and(|range| range.start <= start && start + BLOCK <= range.end) {
                continue;
            }
            let next = if block + 1 < blocks { self.block(block + 1).planes } else { &[] };
            self.block(block).mark(pattern, at_end, bits, next);
            if start + BLOCK > self.len {
                // Behind the last number of all.
                let rest = self.len - start;
                let keep = |word: usize| match rest.saturating_sub(word * 64) {
                    0 => 0,
                    rest @ 1..64 => (1 << rest) - 1,
                    _ => u64::MAX,
                };
                bits.iter_mut().enumerate().for_each(|(word, bits)| *bits &= keep(word));
            }
        }
    }
}

impl Block<'_> {
    const fn shift(&self, plane: usize) -> usize {
        BITS * (DIGITS - 1 - self.digits.start - plane / BITS) + plane % BITS
    }

    /// What all numbers have in common.
    fn shared(&self) -> u64 {
        let own =
            (self.digits.start..self.digits.end).fold(0, |bits, at| bits | 15 << (BITS * (DIGITS - 1 - at)));
        self.first & !own
    }

    fn get(&self, at: usize) -> u64 {
        let planes = self.planes.chunks_exact(WORDS).enumerate();
        planes.fold(self.shared(), |number, (plane, words)| {
            number | (words[at / 64] >> (at % 64) & 1) << self.shift(plane)
        })
    }

    /// Marks its numbers, and fetches the planes that are `next`.
    fn mark(&self, pattern: &Pattern, at_end: bool, bits: &mut [u64], next: &[u64]) {
        let mut next = next.chunks(FETCHED);
        for start in 0..=DIGITS - pattern.len {
            let end = at_end.then_some((start + pattern.len, 0));
            let digits = (0..pattern.len).map(|i| (start + i, pattern.nibble(i))).chain(end);
            // What the whole block shares is seen first.
            if !digits.clone().all(|(at, digit)| self.digits.contains(&at) || nibble(self.first, at) == digit)
            {
                continue;
            }
            let (mut ones, mut zeros) = (Planes::NONE, Planes::NONE);
            for (at, digit) in digits.filter(|(at, _)| self.digits.contains(at)) {
                for bit in 0..BITS {
                    let plane = (at - self.digits.start) * BITS + bit;
                    if digit >> bit & 1 == 0 { zeros.add(plane) } else { ones.add(plane) }
                }
            }
            mark_planes(self.planes, ones.list(), zeros.list(), bits, &mut next);
        }
        next.for_each(fetch);
    }
}

/// Reads a word of each cache line, in order: the memory arrives while something else is computed.
fn fetch(words: &[u64]) {
    std::hint::black_box(words.iter().step_by(LINE).fold(0, |all, word| all ^ word));
}

/// Sets the bits where some planes are all 1 and others all 0, with the widest vectors that the processor has; fetches
/// some of the next block meanwhile.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn mark_planes(
    planes: &[u64],
    ones: &[u8],
    zeros: &[u8],
    bits: &mut [u64],
    next: &mut std::slice::Chunks<'_, u64>,
) {
    let (tiles, _) = planes.as_chunks::<TILE>();
    let tile_of = |plane: &u8, tile: usize| &tiles[usize::from(*plane) * (WORDS / TILE) + tile];
    for (tile, bits) in bits.chunks_mut(TILE).enumerate() {
        next.next().into_iter().for_each(fetch);
        let mut left = [u64::MAX; TILE];
        for plane in ones {
            left.iter_mut().zip(tile_of(plane, tile)).for_each(|(left, word)| *left &= word);
        }
        for plane in zeros {
            left.iter_mut().zip(tile_of(plane, tile)).for_each(|(left, word)| *left &= !word);
        }
        bits.iter_mut().zip(left).for_each(|(bits, left)| *bits |= left);
    }
}

/// Planes that are asked for the same bit.
struct Planes {
    planes: [u8; DIGITS * BITS],
    len: usize,
}

impl Planes {
    const NONE: Planes = Planes { planes: [0; DIGITS * BITS], len: 0 };

    fn add(&mut self, plane: usize) {
        self.planes[self.len] = plane as u8;
        self.len += 1;
    }

    fn list(&self) -> &[u8] {
        &self.planes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{NumberTest, pack};
    use std::collections::BTreeSet;

    #[test]
    fn finds_what_a_walk_finds() {
        let mut random = fastrand::Rng::with_seed(1);
        let number = |random: &mut fastrand::Rng| match random.u8(0..4) {
            0 => format!("+3069{:05}", random.u32(0..100_000)),
            1 => format!("+1{:04}", random.u32(0..10_000)),
            2 => format!("+{}", random.u64(0..1_000_000_000_000_000)),
            _ => format!("+306{}", random.u32(0..1000)),
        };
        for size in [0, 1, 70, 4096, 9000] {
            let texts: Vec<String> = (0..size).map(|_| number(&mut random)).collect();
            let numbers: BTreeSet<u64> = texts.iter().map(|text| pack(text).unwrap()).collect();
            let numbers: Vec<u64> = numbers.into_iter().collect();
            let (blocks, planes) = make(&numbers);
            let digits = Digits { blocks: &blocks, planes: &planes, len: numbers.len() };
            assert_eq!(digits.all(), numbers);
            for _ in 0..100 {
                let asked = pack(&number(&mut random)).unwrap();
                assert_eq!(digits.lower_bound(asked), numbers.partition_point(|known| *known < asked));
                assert_eq!(digits.find(asked), numbers.binary_search(&asked).ok());
                let Some(known) = random.choice(&numbers) else { continue };
                assert_eq!(digits.find(*known), numbers.binary_search(known).ok());
                let pattern = Pattern::new(&random.u32(0..1000).to_string()).unwrap();
                for (test, at_end) in
                    [(NumberTest::Inside(pattern), false), (NumberTest::Suffix(pattern), true)]
                {
                    let mut bits = vec![0; numbers.len().div_ceil(64)];
                    digits.mark(&pattern, at_end, &[], &mut bits);
                    let marked = |at: &usize| bits[at / 64] >> (at % 64) & 1 != 0;
                    let expected: Vec<usize> =
                        (0..numbers.len()).filter(|at| test.holds(numbers[*at])).collect();
                    assert_eq!((0..numbers.len()).filter(marked).collect::<Vec<_>>(), expected);
                }
            }
        }
    }
}
