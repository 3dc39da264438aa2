//! The slots of a segment: places in its list of the combinations of facets that occur in it. Every position
//! has a slot, kept in one octet, or in two where a segment has more than 256 slots.
//!
//! A filter is a set of slots. Whether 32 octets are in a set is asked at once: two table lookups that the
//! processor makes for all of them together (`vpshufb`), however the slots of the set lie.

use bytemuck::{AnyBitPattern, NoUninit};
use multiversion::multiversion;
use multiversion::target::match_target;
use std::ops::Range;

/// The slot of a position whose row was removed, in every segment.
pub(crate) const REMOVED: Slot = 0;

/// The most slots that a segment can have.
pub(crate) const SLOTS_MAX: usize = 1 << 16;

/// A place in a segment's list of combinations.
pub(crate) type Slot = u16;

/// What a slot is kept in.
pub(crate) trait Code: NoUninit + AnyBitPattern {
    /// A slot that fits.
    fn new(slot: Slot) -> Self;
    /// The slot.
    fn slot(self) -> Slot;
}

impl Code for u8 {
    fn new(slot: Slot) -> u8 {
        slot as u8
    }

    fn slot(self) -> Slot {
        self.into()
    }
}

impl Code for u16 {
    fn new(slot: Slot) -> u16 {
        slot
    }

    fn slot(self) -> Slot {
        self
    }
}

/// The slots of some neighbouring positions.
#[derive(Clone, Copy)]
pub(crate) enum Slots<'a> {
    Narrow(&'a [u8]),
    Wide(&'a [u16]),
}

impl<'a> Slots<'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Slots::Narrow(codes) => codes.len(),
            Slots::Wide(codes) => codes.len(),
        }
    }

    pub(crate) fn get(self, at: usize) -> Slot {
        match self {
            Slots::Narrow(codes) => codes[at].into(),
            Slots::Wide(codes) => codes[at],
        }
    }

    pub(crate) fn range(self, range: Range<usize>) -> Slots<'a> {
        match self {
            Slots::Narrow(codes) => Slots::Narrow(&codes[range]),
            Slots::Wide(codes) => Slots::Wide(&codes[range]),
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Slot> {
        (0..self.len()).map(move |at| self.get(at))
    }
}

/// Positions whose bits are found together.
pub(crate) const TOGETHER: usize = 256;
/// A bit for each of them.
pub(crate) type Bits = [u64; TOGETHER / 64];

/// Some slots of a segment.
pub(crate) struct SlotSet {
    /// All bits set for each slot in it: what counts of 32 bits are masked with.
    mask32: Vec<u32>,
    /// The same for counts of 16 bits.
    mask16: Vec<u16>,
    table: Table,
}

/// The slots below 256 that are in a set: slot `s` is bit `s / 16 % 8` of octet `s % 16`, in the first half
/// where it is below 128, else in the second.
type Table = [[u8; 16]; 2];

impl SlotSet {
    /// The set of the slots whose flag is set; [`REMOVED`], the first, must not be in it.
    pub(crate) fn new(members: impl Iterator<Item = bool>) -> SlotSet {
        let mask32: Vec<u32> = members.map(|member| if member { u32::MAX } else { 0 }).collect();
        let mut table = Table::default();
        for (slot, mask) in mask32.iter().enumerate().take(256) {
            table[slot / 128][slot % 16] |= *mask as u8 & 1 << (slot / 16 % 8);
        }
        SlotSet { mask16: mask32.iter().map(|mask| *mask as u16).collect(), mask32, table }
    }

    /// Whether a slot is in it.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.mask32[usize::from(slot)] != 0
    }

    /// The sum of the counts of its slots, in the row of counts of a node's child.
    pub(crate) fn sum32(&self, counts: &[u32], child: usize) -> usize {
        let width = self.mask32.len();
        let row = &counts[child * width..][..width];
        row.iter().zip(&self.mask32).map(|(count, mask)| count & mask).sum::<u32>() as usize
    }

    /// The same for counts of 16 bits.
    pub(crate) fn sum16(&self, counts: &[u16], child: usize) -> usize {
        let width = self.mask16.len();
        let row = &counts[child * width..][..width];
        row.iter().zip(&self.mask16).map(|(count, mask)| u32::from(count & mask)).sum::<u32>() as usize
    }

    /// How many of these are in it.
    pub(crate) fn count(&self, slots: Slots<'_>) -> usize {
        match slots {
            Slots::Narrow(codes) => count(&self.table, codes),
            Slots::Wide(codes) => codes.iter().filter(|code| self.has(**code)).count(),
        }
    }

    /// Which of these, at most [`TOGETHER`], are in it.
    pub(crate) fn bits(&self, slots: Slots<'_>) -> Bits {
        let mut bits = Bits::default();
        match slots {
            Slots::Narrow(codes) => mark(&self.table, codes, &mut bits),
            Slots::Wide(codes) => {
                for (at, code) in codes.iter().enumerate() {
                    bits[at / 64] |= u64::from(self.has(*code)) << (at % 64);
                }
            }
        }
        bits
    }
}

/// Whether a code is in a set.
const fn is_in(table: &Table, code: u8) -> bool {
    table[code as usize / 128][code as usize % 16] >> (code / 16 % 8) & 1 != 0
}

/// How many codes are in a set.
#[multiversion(targets("x86_64+avx2+popcnt"))]
fn count(table: &Table, codes: &[u8]) -> usize {
    let (together, rest) = codes.as_chunks::<32>();
    let mut count = 0;
    for codes in together.iter().chain(&filled_up(rest)) {
        count += match_target! {
            "x86_64+avx2" => matching_avx2(table, codes),
            _ => matching(table, codes),
        }
        .count_ones() as usize;
    }
    count
}

/// Sets the bits of the codes that are in a set.
#[multiversion(targets("x86_64+avx2+popcnt"))]
fn mark(table: &Table, codes: &[u8], bits: &mut Bits) {
    let (together, rest) = codes.as_chunks::<32>();
    for (at, codes) in together.iter().chain(&filled_up(rest)).enumerate() {
        let matching = match_target! {
            "x86_64+avx2" => matching_avx2(table, codes),
            _ => matching(table, codes),
        };
        bits[at / 2] |= u64::from(matching) << (at % 2 * 32);
    }
}

/// Fewer than 32 codes, if any, with removed rows behind them, which are in no set that a filter makes.
#[inline]
fn filled_up(codes: &[u8]) -> Option<[u8; 32]> {
    let mut filled = [REMOVED as u8; 32];
    filled[..codes.len()].copy_from_slice(codes);
    (!codes.is_empty()).then_some(filled)
}

/// A bit for each code that is in a set.
#[inline]
fn matching(table: &Table, codes: &[u8; 32]) -> u32 {
    codes.iter().enumerate().fold(0, |bits, (at, code)| bits | u32::from(is_in(table, *code)) << at)
}

/// The same as [`matching`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn matching_avx2(table: &Table, codes: &[u8; 32]) -> u32 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
        _mm256_srli_epi16, _mm256_xor_si256,
    };
    let twice = |octets: [u8; 16]| _mm256_broadcastsi128_si256(bytemuck::cast::<_, __m128i>(octets));
    let codes: __m256i = bytemuck::cast(*codes);
    // A shuffle looks up by the lowest four bits, and yields 0 where the highest bit is set.
    let index = _mm256_set1_epi8(0x8f_u8.cast_signed());
    let below_128 = _mm256_and_si256(codes, index);
    let others = _mm256_xor_si256(below_128, _mm256_set1_epi8(0x80_u8.cast_signed()));
    let octets = _mm256_or_si256(
        _mm256_shuffle_epi8(twice(table[0]), below_128),
        _mm256_shuffle_epi8(twice(table[1]), others),
    );
    let which = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), _mm256_set1_epi8(7));
    let bit = _mm256_shuffle_epi8(twice([1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0]), which);
    let outside = _mm256_cmpeq_epi8(_mm256_and_si256(octets, bit), _mm256_setzero_si256());
    !_mm256_movemask_epi8(outside).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_marks_what_it_has() {
        let mut random = fastrand::Rng::with_seed(1);
        for size in [1, 16, 129, 256, 700] {
            for len in [0, 1, 31, 32, 33, 64, 200, 256] {
                let mut members: Vec<bool> = (0..size).map(|_| random.bool()).collect();
                members[usize::from(REMOVED)] = false;
                let set = SlotSet::new(members.iter().copied());
                let slots: Vec<u16> = (0..len).map(|_| random.u16(..size)).collect();
                let narrow: Vec<u8> = slots.iter().map(|slot| *slot as u8).collect();
                let expected = |slots: &mut dyn Iterator<Item = usize>| {
                    let mut bits = Bits::default();
                    slots
                        .enumerate()
                        .for_each(|(at, slot)| bits[at / 64] |= u64::from(members[slot]) << (at % 64));
                    bits
                };
                let check = |slots: Slots<'_>| {
                    let bits = expected(&mut slots.iter().map(usize::from));
                    assert_eq!(set.bits(slots), bits, "{size} {len}");
                    assert_eq!(
                        set.count(slots),
                        bits.iter().map(|word| word.count_ones() as usize).sum::<usize>()
                    );
                    assert!(slots.iter().all(|slot| set.has(slot) == members[usize::from(slot)]));
                };
                check(Slots::Wide(&slots));
                if size <= 256 {
                    check(Slots::Narrow(&narrow));
                    let bits = expected(&mut narrow.iter().map(|slot| usize::from(*slot)));
                    let words = bits.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]);
                    let (together, _) = narrow.as_chunks::<32>();
                    let portable = together.iter().map(|codes| matching(&set.table, codes));
                    assert!(portable.eq(words.take(together.len())));
                }
            }
        }
    }
}
