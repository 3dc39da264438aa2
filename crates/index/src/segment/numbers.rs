//! A dictionary of phone numbers: sorted, in blocks of 4096. A block keeps the digits that its numbers share
//! once, and the others as bit planes: bit `b` of digit `p` of 64 numbers is one word. Three octets a number
//! are usual, and 64 numbers at a time are asked whether they contain some digits.

use crate::number::{DIGITS, LIMIT, Pattern, nibble};
use crate::partition::partition_point;
use crate::segment::ids::Ordinal;
use crate::segment::image::{Image, Section, Writer};
use crate::segment::ordinal_set::OrdinalSet;
use crate::segment::prefetch::prefetch;
use multiversion::multiversion;
use std::ops::Range;

/// Numbers of a block.
const BLOCK: usize = 4096;
/// Words of a plane.
const WORDS: usize = BLOCK / 64;
/// Words that are looked at together: as many as stay in registers.
const TILE: usize = 32;
/// Words of a cache line.
const LINE: usize = 8;
/// Words of the next block that are fetched with each tile.
const FETCHED: usize = 20 * LINE;
/// The bits of a digit.
const BITS: usize = 4;

/// The blocks of an image and their planes. A block is two words: its first number; where its planes start
/// (in planes) times 256, plus the range of digits that have planes, four bits each.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a> {
    blocks: &'a [[u64; 2]],
    planes: &'a [u64],
    len: usize,
}

/// Writes ascending, distinct numbers.
pub(crate) fn write(out: &mut Writer, numbers: &[u64]) {
    let (mut blocks, mut planes) = (Vec::new(), Vec::new());
    for block in numbers.chunks(BLOCK) {
        let first = block[0];
        let differing = block.iter().fold(0, |bits, number| bits | (number ^ first));
        let from = (differing.leading_zeros() as usize - 4) / BITS;
        let until = DIGITS.saturating_sub(differing.trailing_zeros() as usize / BITS);
        let digits = from..until.max(from);
        blocks.push([first, (planes.len() / WORDS) as u64 * 256 + (digits.start * 16 + digits.end) as u64]);
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
    out.put(Section::Blocks, &blocks);
    out.put(Section::Planes, &planes);
}

/// A block's numbers.
struct Block<'a> {
    first: u64,
    /// The digits that have planes.
    digits: Range<usize>,
    planes: &'a [u64],
}

impl<'a> Numbers<'a> {
    pub(crate) fn of(image: &'a Image, len: usize) -> Numbers<'a> {
        Numbers { blocks: image.integers(Section::Blocks), planes: image.integers(Section::Planes), len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn block(&self, block: usize) -> Block<'a> {
        let [first, place] = self.blocks[block];
        let digits = (place / 16 % 16) as usize..(place % 16) as usize;
        let planes = &self.planes[(place / 256) as usize * WORDS..][..digits.len() * BITS * WORDS];
        Block { first, digits, planes }
    }

    /// The number with an ordinal.
    pub(crate) fn get(&self, ordinal: Ordinal) -> u64 {
        self.block(ordinal.get() / BLOCK).get(ordinal.get() % BLOCK)
    }

    /// All numbers.
    pub(crate) fn all(&self) -> Vec<u64> {
        let mut numbers = Vec::with_capacity(self.len);
        for block in 0..self.blocks.len() {
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

    /// The first ordinal whose number is not less than `number`; behind the last one if all are less.
    fn lower_bound(&self, number: u64) -> usize {
        let behind = partition_point(0..self.blocks.len(), |block| self.blocks[block][0] < number);
        let Some(block) = behind.checked_sub(1) else { return 0 };
        let columns = self.block(block);
        let len = BLOCK.min(self.len - block * BLOCK);
        block * BLOCK + partition_point(1..len, |at| columns.get(at) < number)
    }

    /// The ordinal of a number.
    pub(crate) fn find(&self, number: u64) -> Option<Ordinal> {
        let ordinal = self.lower_bound(number);
        (ordinal < self.len && self.get(Ordinal::new(ordinal)) == number).then_some(Ordinal::new(ordinal))
    }

    /// The ordinals of the numbers that start like this.
    pub(crate) fn starting(&self, pattern: &Pattern) -> Range<Ordinal> {
        let (from, until) = pattern.range();
        Ordinal::range(
            self.lower_bound(from)..if until >= LIMIT { self.len } else { self.lower_bound(until) },
        )
    }

    /// Adds the ordinals whose numbers contain the digits, or end with them; those of `skip`, which is
    /// ascending, may be left out.
    pub(crate) fn mark(
        &self,
        pattern: &Pattern,
        at_end: bool,
        skip: &[Range<Ordinal>],
        ordinals: &mut OrdinalSet,
    ) {
        let mut skip = skip.iter().map(Ordinal::numbers).peekable();
        let blocks = self.blocks.len();
        for (block, bits) in ordinals.words_mut().chunks_mut(WORDS).enumerate().take(blocks) {
            let start = block * BLOCK;
            while skip.next_if(|range| range.end <= start).is_some() {}
            if skip.peek().is_some_and(|range| range.start <= start && start + BLOCK <= range.end) {
                continue;
            }
            let next = if block + 1 < blocks { self.block(block + 1).planes } else { &[] };
            self.block(block).mark(pattern, at_end, bits, next);
        }
        // The planes of the last block go on behind the last number, up to the end of a word or further.
        let behind = (self.blocks.len() * BLOCK).min(ordinals.words().len() * 64);
        ordinals.remove(&Ordinal::range(self.len..behind));
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

/// Fetches planes: a word of each cache line.
fn fetch(words: &[u64]) {
    prefetch(words.iter().step_by(LINE).copied());
}

/// Sets the bits where some planes are all 1 and others all 0, with the widest vectors that the processor
/// has; fetches some of the next block meanwhile.
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
            let mut out = Writer::new();
            write(&mut out, &numbers);
            let image = out.finish();
            let dictionary = Numbers::of(&image, numbers.len());
            assert_eq!(dictionary.all(), numbers);
            for _ in 0..100 {
                let asked = pack(&number(&mut random)).unwrap();
                let find = |number: u64| numbers.binary_search(&number).ok().map(Ordinal::new);
                assert_eq!(dictionary.lower_bound(asked), numbers.partition_point(|known| *known < asked));
                assert_eq!(dictionary.find(asked), find(asked));
                let Some(known) = random.choice(&numbers) else { continue };
                assert_eq!(dictionary.find(*known), find(*known));
                compare(&dictionary, &numbers, &mut random);
            }
        }
    }

    fn compare(dictionary: &Numbers<'_>, numbers: &[u64], random: &mut fastrand::Rng) {
        let pattern = Pattern::new(&random.u32(0..1000).to_string()).unwrap();
        // Ordinals of other recipients come behind those of numbers.
        let len = numbers.len() + random.usize(0..200);
        let tests = [
            (NumberTest::Prefix(pattern), None),
            (NumberTest::Inside(pattern), Some(false)),
            (NumberTest::Suffix(pattern), Some(true)),
        ];
        for (test, at_end) in tests {
            let mut marked = OrdinalSet::none(len);
            let start = random.usize(0..=numbers.len());
            let skip = Ordinal::range(start..random.usize(start..=numbers.len()));
            match at_end {
                Some(at_end) => dictionary.mark(&pattern, at_end, std::slice::from_ref(&skip), &mut marked),
                None => marked.insert(&dictionary.starting(&pattern)),
            }
            let known = (0..len).map(Ordinal::new).filter(|ordinal| marked.has(*ordinal)).collect::<Vec<_>>();
            assert_eq!(marked.count(), known.len(), "behind the last one");
            let marked = known.into_iter();
            let holds = |ordinal: &Ordinal| numbers.get(ordinal.get()).is_some_and(|n| test.holds(*n));
            let wanted = (0..len).map(Ordinal::new).filter(holds);
            let asked = |ordinal: &Ordinal| at_end.is_none() || !skip.contains(ordinal);
            assert!(marked.filter(asked).eq(wanted.filter(asked)), "{test:?}");
        }
    }
}
