//! Sets of recipients. Their words are read and written as such by the dictionary of numbers, whose planes
//! have a bit for each number in the same places.

use crate::segment::ids::Ordinal;
use std::ops::Range;

/// A bit for each recipient of a segment.
pub(crate) struct OrdinalSet {
    words: Vec<u64>,
}

impl OrdinalSet {
    /// The empty set, of a segment with `len` recipients.
    pub(crate) fn none(len: usize) -> OrdinalSet {
        OrdinalSet { words: vec![0; len.div_ceil(64)] }
    }

    /// The set of all `len` recipients.
    pub(crate) fn all(len: usize) -> OrdinalSet {
        let mut all = OrdinalSet::none(len);
        all.insert(&Ordinal::range(0..len));
        all
    }

    /// How many recipients it has.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Recipient `o` is bit `o % 64` of word `o / 64`.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The same, to be changed; bits behind the last recipient must stay 0.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    pub(crate) fn has(&self, ordinal: Ordinal) -> bool {
        self.words[ordinal.get() / 64] >> (ordinal.get() % 64) & 1 != 0
    }

    pub(crate) fn insert(&mut self, ordinals: &Range<Ordinal>) {
        each_word(Ordinal::numbers(ordinals), |word, bits| self.words[word] |= bits);
    }

    pub(crate) fn remove(&mut self, ordinals: &Range<Ordinal>) {
        each_word(Ordinal::numbers(ordinals), |word, bits| self.words[word] &= !bits);
    }

    /// Leaves those that are in another set too.
    pub(crate) fn keep(&mut self, others: &OrdinalSet) {
        self.words.iter_mut().zip(&others.words).for_each(|(word, other)| *word &= other);
    }

    /// Leaves those that are not in another set.
    pub(crate) fn keep_without(&mut self, others: &OrdinalSet) {
        self.words.iter_mut().zip(&others.words).for_each(|(word, other)| *word &= !other);
    }
}

/// Calls `each` with the words of a range of bits, and which bits of them are in it.
fn each_word(range: Range<usize>, mut each: impl FnMut(usize, u64)) {
    let mut at = range.start;
    while at < range.end {
        let end = (at / 64 * 64 + 64).min(range.end);
        let bits = u64::MAX >> (64 - (end - at)) << (at % 64);
        each(at / 64, bits);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_what_a_list_of_flags_has() {
        let mut random = fastrand::Rng::with_seed(1);
        for len in [1, 63, 64, 65, 300] {
            let (mut set, mut other) = (OrdinalSet::none(len), OrdinalSet::all(len));
            let (mut model, mut other_model) = (vec![false; len], vec![true; len]);
            for _ in 0..50 {
                let start = random.usize(0..=len);
                let range = start..random.usize(start..=len);
                let ordinals = Ordinal::range(range.clone());
                match random.u8(0..5) {
                    0 => {
                        set.remove(&ordinals);
                        model[range].fill(false);
                    }
                    1 => {
                        other.remove(&ordinals);
                        other_model[range].fill(false);
                    }
                    2 if random.u8(0..4) == 0 => {
                        set.keep(&other);
                        model.iter_mut().zip(&other_model).for_each(|(known, other)| *known &= other);
                    }
                    3 if random.u8(0..4) == 0 => {
                        set.keep_without(&other);
                        model.iter_mut().zip(&other_model).for_each(|(known, other)| *known &= !other);
                    }
                    _ => {
                        set.insert(&ordinals);
                        model[range].fill(true);
                    }
                }
                assert!((0..len).all(|at| set.has(Ordinal::new(at)) == model[at]));
                assert_eq!(set.count(), model.iter().filter(|known| **known).count());
            }
        }
    }
}
