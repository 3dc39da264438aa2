//! The facets of a segment as they are now: how many positions up to any one match, and where the k-th match
//! is. A count is one sum for each level of the tables and a look at one chunk; the k-th match is found by a
//! binary search in each level. So totals and deep pages cost what the first page costs.

use crate::facet::{Combination, FacetFilter};
use crate::partition::partition_point;
use crate::segment::count_tables::{Base, CHUNK, FAN};
use crate::segment::ids::Position;
use crate::segment::overlay::Overlay;
use crate::segment::slots::{Slot, SlotSet, Slots, TOGETHER};
use std::ops::Range;

/// The facets of a segment as they are now: those of its image, and what changed since.
#[derive(Clone, Copy)]
pub(crate) struct Counts<'a> {
    pub(crate) base: Base<'a>,
    pub(crate) overlay: Option<&'a Overlay>,
}

impl<'a> Counts<'a> {
    /// The combination of each slot.
    fn combinations(&self) -> &'a [u32] {
        self.overlay.map_or(self.base.combinations, Overlay::combinations)
    }

    /// The combination of a slot.
    pub(crate) fn combination(&self, slot: Slot) -> Combination {
        Combination::from_number(self.combinations()[usize::from(slot)])
    }

    /// The slots that match a filter.
    pub(crate) fn matching(&self, filter: &FacetFilter) -> SlotSet {
        let combinations = self.combinations().iter().map(|number| Combination::from_number(*number));
        SlotSet::new(combinations.map(|combination| filter.matches(combination)))
    }

    fn high(&self) -> &'a [u32] {
        self.overlay.map_or(self.base.high(), Overlay::high)
    }

    fn middle(&self, node: usize) -> &'a [u32] {
        let changed = self.overlay.and_then(|overlay| overlay.middle(node));
        changed.unwrap_or_else(|| self.base.middle(node))
    }

    fn low(&self, node: usize) -> &'a [u16] {
        let changed = self.overlay.and_then(|overlay| overlay.low(node));
        changed.unwrap_or_else(|| self.base.low(node))
    }

    /// The slots of a chunk.
    fn chunk(&self, chunk: usize) -> Slots<'a> {
        let changed = self.overlay.and_then(|overlay| overlay.chunk(chunk));
        changed.unwrap_or_else(|| self.base.chunk(chunk))
    }

    /// The slot of a position.
    pub(crate) fn get(&self, position: Position) -> Slot {
        let at = position.get();
        if self.overlay.is_none() {
            return self.base.slots.get(at);
        }
        self.chunk(at / CHUNK).get(at % CHUNK)
    }

    /// The slots of many positions, which may lie far apart.
    pub(crate) fn get_all(&self, positions: &[Position]) -> Vec<Slot> {
        match (self.overlay, self.base.slots) {
            // Nothing is decided between the reads, so that the processor has many of them under way
            // together.
            (None, Slots::Narrow(codes)) => positions.iter().map(|at| codes[at.get()].into()).collect(),
            _ => positions.iter().map(|position| self.get(*position)).collect(),
        }
    }

    /// How many positions before this one match.
    pub(crate) fn rank(&self, position: Position, set: &SlotSet) -> usize {
        let chunk = position.get() / CHUNK;
        let leaf = chunk / FAN;
        let middle = leaf / FAN;
        let rest = position.get() % CHUNK;
        let within = if rest == 0 { 0 } else { set.count(self.chunk(chunk).range(0..rest)) };
        set.sum32(self.high(), middle)
            + set.sum32(self.middle(middle), leaf % FAN)
            + set.sum16(self.low(leaf), chunk % FAN)
            + within
    }

    /// The position of match `k`, counted from 0; `k` must be below the number of matches.
    pub(crate) fn select(&self, mut k: usize, set: &SlotSet) -> Position {
        let width = self.base.width();
        let counts = self.high();
        let middle = last_child(&mut k, counts.len() / width, |child| set.sum32(counts, child));
        let counts = self.middle(middle);
        let leaf = last_child(&mut k, counts.len() / width, |child| set.sum32(counts, child));
        let leaf = middle * FAN + leaf;
        let counts = self.low(leaf);
        let chunk = last_child(&mut k, counts.len() / width, |child| set.sum16(counts, child));
        let chunk = leaf * FAN + chunk;
        let slots = self.chunk(chunk);
        for start in (0..slots.len()).step_by(TOGETHER) {
            let bits = set.bits(slots.range(start..(start + TOGETHER).min(slots.len())));
            for (word, bits) in bits.into_iter().enumerate() {
                let matching = bits.count_ones() as usize;
                if k < matching {
                    let at = start + word * 64 + bits_of(bits).nth(k).unwrap_or_default();
                    return Position::new(chunk * CHUNK + at);
                }
                k -= matching;
            }
        }
        Position::new(chunk * CHUNK + slots.len())
    }

    /// Calls `each` with the positions of a range that match, in order, while it answers true.
    pub(crate) fn visit(
        &self,
        positions: &Range<Position>,
        set: &SlotSet,
        mut each: impl FnMut(Position) -> bool,
    ) {
        let Range { start: mut at, end } = Position::numbers(positions);
        while at < end {
            let next = (at / TOGETHER * TOGETHER + TOGETHER).min(end);
            let slots = self.chunk(at / CHUNK).range(at % CHUNK..at % CHUNK + (next - at));
            let words = slots.len().div_ceil(64);
            for (word, bits) in set.bits(slots).into_iter().take(words).enumerate() {
                if !bits_of(bits).all(|bit| each(Position::new(at + word * 64 + bit))) {
                    return;
                }
            }
            at = next;
        }
    }
}

/// Which bits are set, in order.
fn bits_of(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (bits != 0).then_some(bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(bit)
    })
}

/// The last child with no more than `k` matches before it; `k` becomes what is left for it.
fn last_child(k: &mut usize, children: usize, before: impl Fn(usize) -> usize) -> usize {
    let mut known = 0;
    let behind = partition_point(1..children, |child| {
        let count = before(child);
        if count > *k {
            return false;
        }
        known = count;
        true
    });
    *k -= known;
    behind - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::count_tables::{self, Combinations};
    use crate::segment::image::Writer;
    use crate::segment::slots::{Code, REMOVED};

    /// A walk and the counts, before and after changes, with combinations that come later.
    fn compare<C: Code>(occurring: u32, size: usize, narrow: bool) {
        let mut random = fastrand::Rng::with_seed(1);
        let combinations = Combinations::new((1..=occurring).map(Combination::from_number));
        assert_eq!(combinations.is_narrow(), narrow);
        let mut model: Vec<u32> = (0..size).map(|_| random.u32(0..=occurring)).collect();
        let slot = |number: &u32| combinations.slot(Combination::from_number(*number));
        let codes: Vec<C> = model.iter().map(|number| C::new(slot(number))).collect();
        let mut out = Writer::new();
        count_tables::write(&mut out, &combinations, &codes);
        let image = out.finish();
        let base = Base::of(&image);
        let mut overlay = None;
        for _ in 0..3 {
            let counts = Counts { base, overlay: overlay.as_deref() };
            // Those that are even match.
            let matches = |number: u32| number != 0 && number.is_multiple_of(2);
            let set = SlotSet::new(counts.combinations().iter().map(|number| matches(*number)));
            let matching: Vec<usize> = (0..size).filter(|at| matches(model[*at])).collect();
            assert_eq!(counts.rank(Position::new(size), &set), matching.len());
            for _ in 0..200 {
                let (at, k) = (random.usize(0..=size), random.usize(0..matching.len()));
                let first = matching.partition_point(|known| *known < at);
                assert_eq!(counts.rank(Position::new(at), &set), first);
                assert_eq!(counts.select(k, &set).get(), matching[k]);
                let some = [at.min(size - 1), matching[k], random.usize(0..size)].map(Position::new);
                let one_by_one = some.map(|position| counts.get(position));
                assert_eq!(counts.get_all(&some), one_by_one);
                let end = (at + random.usize(0..3000)).min(size);
                let (mut visited, wanted) = (Vec::new(), random.usize(1..50));
                counts.visit(&Position::range(at..end), &set, |position| {
                    visited.push(position.get());
                    visited.len() < wanted
                });
                let known = matching[first..].iter().take_while(|known| **known < end).take(wanted);
                assert!(visited.iter().eq(known));
            }
            for _ in 0..2000 {
                let (at, number) = (random.usize(0..size), random.u32(0..occurring + 5));
                let position = Position::new(at);
                let slot = Overlay::slot(&mut overlay, &base, Combination::from_number(number)).unwrap();
                let counts = Counts { base, overlay: overlay.as_deref() };
                let old = counts.get(position);
                assert_eq!(counts.combination(old).number(), std::mem::replace(&mut model[at], number));
                if old != slot {
                    Overlay::set(&mut overlay, &base, position, (old, slot));
                }
            }
            let counts = Counts { base, overlay: overlay.as_deref() };
            let changed = overlay.as_deref().into_iter().flat_map(Overlay::chunks);
            for (start, slots) in changed {
                for (at, slot) in slots.iter().enumerate().take(size - start) {
                    assert_eq!(counts.combination(slot).number(), model[start + at]);
                }
            }
        }
    }

    #[test]
    fn counts_and_finds_what_a_walk_finds_before_and_after_changes() {
        // Two middle nodes, the last chunk short.
        compare::<u8>(20, CHUNK * FAN * FAN + CHUNK * FAN + 77, true);
        compare::<u8>(239, CHUNK * 3, true);
        compare::<u16>(240, CHUNK * 3, false);
        compare::<u16>(700, CHUNK * FAN + 5, false);
    }

    #[test]
    fn spare_slots_are_given_once_each_until_none_is_left() {
        let combinations = Combinations::new([3, 5].map(Combination::from_number).into_iter());
        let mut out = Writer::new();
        count_tables::write(&mut out, &combinations, &[1u8, 2]);
        let image = out.finish();
        let base = Base::of(&image);
        let mut overlay = None;
        let mut slot = |number: u32| Overlay::slot(&mut overlay, &base, Combination::from_number(number));
        assert_eq!([0, 3, 5].map(&mut slot), [Some(REMOVED), Some(1), Some(2)]);
        let spare = base.width() - 3;
        assert!(spare >= 16);
        for at in 0..spare {
            assert_eq!(slot(100 + at as u32), Some(3 + at as u16));
        }
        assert_eq!(slot(1000), None);
        assert_eq!(slot(100), Some(3));
    }
}
