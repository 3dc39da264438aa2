//! A sequence of digits, four bits each, that counts how often a digit occurs up to a place, and finds where
//! it occurs for the k-th time. A trie keeps for each entry of a node which way it goes on. Each digit stands
//! as its value plus one.

use crate::partition::partition_point;

/// Digits of a block.
const BLOCK: usize = 256;
/// The octets of a block.
const OCTETS: usize = BLOCK / 2;
/// Digits that are counted: 1 to 10, a digit plus one.
const COUNTED: usize = 10;

/// Writes sequences one behind the other.
#[derive(Default)]
pub(crate) struct DigitsWriter {
    pub(crate) nibbles: Vec<u8>,
    /// For each block, how often each digit occurs in its sequence before it.
    pub(crate) samples: Vec<u32>,
}

impl DigitsWriter {
    /// Adds a sequence, and returns its first block.
    pub(crate) fn add(&mut self, digits: impl Iterator<Item = u8>) -> usize {
        let first = self.samples.len() / COUNTED;
        let mut counts = [0u32; 16];
        for (at, digit) in digits.enumerate() {
            if at % BLOCK == 0 {
                self.samples.extend_from_slice(&counts[1..=COUNTED]);
                self.nibbles.resize(self.nibbles.len() + OCTETS, 0);
            }
            let octet = (first * BLOCK + at) / 2;
            self.nibbles[octet] |= digit << (4 * (at % 2));
            counts[usize::from(digit)] += 1;
        }
        // One more: the end is a place too.
        self.samples.extend_from_slice(&counts[1..=COUNTED]);
        self.nibbles.resize(self.nibbles.len() + OCTETS, 0);
        first
    }
}

/// A sequence.
#[derive(Clone, Copy)]
pub(crate) struct DigitSequence<'a> {
    nibbles: &'a [u8],
    samples: &'a [u32],
    len: usize,
}

impl<'a> DigitSequence<'a> {
    /// The sequence of this length that starts at a block.
    pub(crate) fn new(nibbles: &'a [u8], samples: &'a [u32], first: usize, len: usize) -> DigitSequence<'a> {
        DigitSequence { nibbles: &nibbles[first * OCTETS..], samples: &samples[first * COUNTED..], len }
    }

    /// How often `digit` occurs before `at`.
    pub(crate) fn rank(&self, digit: u8, at: usize) -> usize {
        let block = at / BLOCK;
        let (words, rest) = (at % BLOCK / 16, at % 16);
        let nibbles = &self.nibbles[block * OCTETS..][..OCTETS];
        let mut count = self.sample(digit, block);
        for word in 0..words {
            count += hits(load(nibbles, word), digit).count_ones() as usize;
        }
        if rest > 0 {
            count += (hits(load(nibbles, words), digit) & ((1 << (4 * rest)) - 1)).count_ones() as usize;
        }
        count
    }

    fn sample(&self, digit: u8, block: usize) -> usize {
        self.samples[block * COUNTED + usize::from(digit) - 1] as usize
    }

    /// Where the occurrence `k` of `digit` is, counted from 0; `k` must be below the number of occurrences.
    pub(crate) fn select(&self, digit: u8, k: usize) -> usize {
        let behind = partition_point(1..self.len / BLOCK + 1, |block| self.sample(digit, block) <= k);
        let low = behind - 1;
        let mut left = k - self.sample(digit, low);
        let nibbles = &self.nibbles[low * OCTETS..][..OCTETS];
        for word in 0..BLOCK / 16 {
            let mut hits = hits(load(nibbles, word), digit);
            let count = hits.count_ones() as usize;
            if count > left {
                for _ in 0..left {
                    hits &= hits - 1;
                }
                return low * BLOCK + word * 16 + hits.trailing_zeros() as usize / 4;
            }
            left -= count;
        }
        self.len
    }
}

fn load(nibbles: &[u8], word: usize) -> u64 {
    u64::from_le_bytes(nibbles[word * 8..word * 8 + 8].try_into().unwrap_or_default())
}

/// The lowest bit of each nibble that is `digit`.
const fn hits(word: u64, digit: u8) -> u64 {
    const ONES: u64 = 0x1111_1111_1111_1111;
    let different = word ^ (ONES * digit as u64);
    let folded = different | different >> 1;
    !(folded | folded >> 2) & ONES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_finds_what_a_walk_finds() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut writer = DigitsWriter::default();
        let sequences: Vec<Vec<u8>> = [0, 1, 15, 16, 255, 256, 257, 3000]
            .map(|len| (0..len).map(|_| random.u8(0..12)).collect())
            .into();
        let firsts: Vec<usize> = sequences.iter().map(|s| writer.add(s.iter().copied())).collect();
        for (sequence, first) in sequences.iter().zip(firsts) {
            let digits = DigitSequence::new(&writer.nibbles, &writer.samples, first, sequence.len());
            for digit in 1..=10 {
                let mut seen = 0;
                for (at, known) in sequence.iter().enumerate() {
                    assert_eq!(digits.rank(digit, at), seen);
                    if *known == digit {
                        assert_eq!(digits.select(digit, seen), at);
                        seen += 1;
                    }
                }
                assert_eq!(digits.rank(digit, sequence.len()), seen);
            }
        }
    }
}
