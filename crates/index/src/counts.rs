//! Facets by position, with counts over them: how many positions up to any one match, and where the k-th match is.
//!
//! Positions lie in chunks of 1024; 64 chunks make a leaf, 64 leaves a middle node, 64 middle nodes the top. Each
//! node has, for each child, the counts of every slot in the children before it. A count is one sum a level
//! and a look at one chunk; the k-th match is found by a binary search a level.
//!
//! The counts of an image never change. What changed since stands in an overlay of the nodes that were touched,
//! shared between whoever reads and the writer, who copies a node only while somebody reads it.

use crate::facet::{Combination, FacetFilter};
use crate::slots::{Code, REMOVED, Slot, SlotSet, Slots, TOGETHER};
use std::ops::Range;
use std::sync::Arc;

/// Positions of a chunk.
const CHUNK: usize = 1024;
/// Children of a node.
const FAN: usize = 64;

/// The counts of an image.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    /// The slot of each position.
    pub(crate) slots: Slots<'a>,
    /// The combination of each slot; of [`REMOVED`] and of spare ones none.
    pub(crate) combinations: &'a [u32],
    /// By leaf, child, slot.
    pub(crate) low: &'a [u16],
    /// By middle node, child, slot.
    pub(crate) middle: &'a [u32],
    /// By child, slot.
    pub(crate) high: &'a [u32],
}

/// Counts made for an image.
pub(crate) struct CountTables {
    pub(crate) low: Vec<u16>,
    pub(crate) middle: Vec<u32>,
    pub(crate) high: Vec<u32>,
}

/// The combinations of the slots of an image in which these occur, as [`Base::combinations`].
pub(crate) fn combinations(occurring: impl Iterator<Item = Combination>) -> Vec<u32> {
    let mut numbers = vec![Combination::NONE.number()];
    numbers.extend(occurring.map(Combination::number));
    numbers.sort_unstable();
    numbers.dedup();
    // Some spare slots, for combinations that come later.
    numbers.resize((numbers.len() + 7).next_multiple_of(16), Combination::NONE.number());
    numbers
}

/// Counts slots for an image.
pub(crate) fn make<C: Code + Into<usize>>(codes: &[C], width: usize) -> CountTables {
    // The end of the last position is a place too.
    let chunks = codes.len() / CHUNK + 1;
    let (mut low, mut middle, mut high) = (Vec::new(), Vec::new(), Vec::new());
    let (mut in_leaf, mut in_middle, mut in_top) = (vec![0u32; width], vec![0u32; width], vec![0u32; width]);
    for chunk in 0..chunks {
        if chunk % (FAN * FAN) == 0 {
            in_middle.fill(0);
            high.extend_from_slice(&in_top);
        }
        if chunk % FAN == 0 {
            in_leaf.fill(0);
            middle.extend_from_slice(&in_middle);
        }
        low.extend(in_leaf.iter().map(|count| *count as u16));
        let start = chunk * CHUNK;
        for code in &codes[start..(start + CHUNK).min(codes.len())] {
            let slot: usize = (*code).into();
            in_leaf[slot] += 1;
            in_middle[slot] += 1;
            in_top[slot] += 1;
        }
    }
    CountTables { low, middle, high }
}

/// The rows of a node among those of all nodes of its level.
fn node<T>(counts: &[T], node: usize, width: usize) -> &[T] {
    let size = FAN * width;
    &counts[node * size..((node + 1) * size).min(counts.len())]
}

/// What changed since the image was made.
#[derive(Clone)]
pub(crate) struct Overlay {
    combinations: Vec<u32>,
    counts: Vec<u32>,
    children: Vec<Option<Arc<Middle>>>,
}

#[derive(Clone)]
struct Middle {
    counts: Vec<u32>,
    children: Vec<Option<Arc<Leaf>>>,
}

#[derive(Clone)]
struct Leaf {
    counts: Vec<u16>,
    chunks: Vec<Option<Chunk>>,
}

/// The slots of a chunk.
#[derive(Clone)]
enum Chunk {
    Narrow(Arc<[u8; CHUNK]>),
    Wide(Arc<[u16; CHUNK]>),
}

impl Chunk {
    /// A copy of at most so many slots; behind them none.
    fn copy(slots: Slots<'_>) -> Chunk {
        fn filled<C: Code>(codes: &[C]) -> Arc<[C; CHUNK]> {
            let mut all = [C::new(REMOVED); CHUNK];
            all[..codes.len()].copy_from_slice(codes);
            Arc::new(all)
        }
        match slots {
            Slots::Narrow(codes) => Chunk::Narrow(filled(codes)),
            Slots::Wide(codes) => Chunk::Wide(filled(codes)),
        }
    }

    fn set(&mut self, at: usize, slot: Slot) {
        match self {
            Chunk::Narrow(codes) => Arc::make_mut(codes)[at] = Code::new(slot),
            Chunk::Wide(codes) => Arc::make_mut(codes)[at] = slot,
        }
    }

    fn slots(&self) -> Slots<'_> {
        match self {
            Chunk::Narrow(codes) => Slots::Narrow(&codes[..]),
            Chunk::Wide(codes) => Slots::Wide(&codes[..]),
        }
    }
}

impl Overlay {
    fn new(base: &Base<'_>) -> Overlay {
        Overlay {
            combinations: base.combinations.to_vec(),
            counts: base.high.to_vec(),
            children: vec![None; FAN],
        }
    }

    fn writable<'o>(this: &'o mut Option<Arc<Overlay>>, base: &Base<'_>) -> &'o mut Overlay {
        Arc::make_mut(this.get_or_insert_with(|| Arc::new(Overlay::new(base))))
    }

    /// The slot of a combination, a spare one where it has none yet; nothing where no slot is left.
    pub(crate) fn slot(
        this: &mut Option<Arc<Overlay>>,
        base: &Base<'_>,
        combination: Combination,
    ) -> Option<Slot> {
        if combination == Combination::NONE {
            return Some(REMOVED);
        }
        let known = this.as_deref().map_or(base.combinations, |overlay| &overlay.combinations);
        let find = |number: u32| (1..known.len()).find(|slot| known[*slot] == number);
        if let Some(slot) = find(combination.number()) {
            return Some(slot as Slot);
        }
        let spare = find(Combination::NONE.number())?;
        Overlay::writable(this, base).combinations[spare] = combination.number();
        Some(spare as Slot)
    }

    /// Changes the slot of a position; answers the one before.
    pub(crate) fn set(this: &mut Option<Arc<Overlay>>, base: &Base<'_>, at: usize, slot: Slot) -> Slot {
        let old = Counts { base: *base, overlay: this.as_deref() }.get(at);
        if old == slot {
            return old;
        }
        let top = Overlay::writable(this, base);
        let width = base.combinations.len();
        let chunk = at / CHUNK;
        let (leaf_at, mid_at) = (chunk / FAN, chunk / FAN / FAN);
        shift(&mut top.counts, width, mid_at, old, slot);
        let middle = top.children[mid_at].get_or_insert_with(|| {
            let counts = node(base.middle, mid_at, width).to_vec();
            Arc::new(Middle { counts, children: vec![None; FAN] })
        });
        let middle = Arc::make_mut(middle);
        shift(&mut middle.counts, width, leaf_at % FAN, old, slot);
        let leaf = middle.children[leaf_at % FAN].get_or_insert_with(|| {
            let counts = node(base.low, leaf_at, width).to_vec();
            Arc::new(Leaf { counts, chunks: vec![None; FAN] })
        });
        let leaf = Arc::make_mut(leaf);
        shift(&mut leaf.counts, width, chunk % FAN, old, slot);
        let slots = leaf.chunks[chunk % FAN].get_or_insert_with(|| Chunk::copy(base.chunk(chunk)));
        slots.set(at % CHUNK, slot);
        old
    }

    /// The chunks that were copied: each first position, and its slots now; behind the last position none.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (usize, Slots<'_>)> {
        self.children.iter().enumerate().flat_map(|(mid, middle)| {
            let leaves = middle.iter().flat_map(|middle| middle.children.iter().enumerate());
            leaves.flat_map(move |(leaf, node)| {
                let chunks = node.iter().flat_map(|node| node.chunks.iter().enumerate());
                chunks.filter_map(move |(chunk, slots)| {
                    Some((((mid * FAN + leaf) * FAN + chunk) * CHUNK, slots.as_ref()?.slots()))
                })
            })
        })
    }
}

/// Counts one slot less and another one more in all children behind `child`.
fn shift<T>(counts: &mut [T], width: usize, child: usize, less: Slot, more: Slot)
where
    T: std::ops::AddAssign + std::ops::SubAssign + From<u8>,
{
    for row in counts.chunks_exact_mut(width).skip(child + 1) {
        row[usize::from(less)] -= T::from(1);
        row[usize::from(more)] += T::from(1);
    }
}

impl<'a> Base<'a> {
    /// The slots of a chunk; the last one may be short.
    fn chunk(&self, chunk: usize) -> Slots<'a> {
        let len = self.slots.len();
        let start = (chunk * CHUNK).min(len);
        self.slots.range(start..(start + CHUNK).min(len))
    }
}

/// The facets of a segment as they are now.
#[derive(Clone, Copy)]
pub(crate) struct Counts<'a> {
    pub(crate) base: Base<'a>,
    pub(crate) overlay: Option<&'a Overlay>,
}

impl<'a> Counts<'a> {
    /// The combination of each slot.
    fn combinations(&self) -> &'a [u32] {
        self.overlay.map_or(self.base.combinations, |overlay| &overlay.combinations)
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

    fn width(&self) -> usize {
        self.base.combinations.len()
    }

    fn middle(&self, mid: usize) -> Option<&'a Middle> {
        self.overlay?.children[mid].as_deref()
    }

    fn leaf(&self, leaf: usize) -> Option<&'a Leaf> {
        self.middle(leaf / FAN)?.children[leaf % FAN].as_deref()
    }

    fn high_counts(&self) -> &'a [u32] {
        self.overlay.map_or(self.base.high, |overlay| &overlay.counts)
    }

    fn middle_counts(&self, mid: usize) -> &'a [u32] {
        self.middle(mid).map_or_else(|| node(self.base.middle, mid, self.width()), |middle| &middle.counts)
    }

    fn low_counts(&self, leaf: usize) -> &'a [u16] {
        self.leaf(leaf).map_or_else(|| node(self.base.low, leaf, self.width()), |leaf| &leaf.counts)
    }

    /// The slots of a chunk; the last one may be short.
    fn chunk(&self, chunk: usize) -> Slots<'a> {
        match self.leaf(chunk / FAN).and_then(|leaf| leaf.chunks[chunk % FAN].as_ref()) {
            Some(chunk) => chunk.slots(),
            None => self.base.chunk(chunk),
        }
    }

    /// The slot of a position.
    pub(crate) fn get(&self, at: usize) -> Slot {
        if self.overlay.is_none() {
            return self.base.slots.get(at);
        }
        self.chunk(at / CHUNK).get(at % CHUNK)
    }

    /// How many positions before `at` match.
    pub(crate) fn rank(&self, at: usize, set: &SlotSet) -> usize {
        let (chunk, width) = (at / CHUNK, self.width());
        let leaf = chunk / FAN;
        let mid = leaf / FAN;
        let rest = at % CHUNK;
        let within = if rest == 0 { 0 } else { set.count(self.chunk(chunk).range(0..rest)) };
        sum32(self.high_counts(), width, mid, set)
            + sum32(self.middle_counts(mid), width, leaf % FAN, set)
            + sum16(self.low_counts(leaf), width, chunk % FAN, set)
            + within
    }

    /// Where the match `k` is, from 0; there must be as many.
    pub(crate) fn select(&self, mut k: usize, set: &SlotSet) -> usize {
        let width = self.width();
        let counts = self.high_counts();
        let mid = last_child(&mut k, counts.len() / width, |child| sum32(counts, width, child, set));
        let counts = self.middle_counts(mid);
        let leaf = last_child(&mut k, counts.len() / width, |child| sum32(counts, width, child, set));
        let leaf = mid * FAN + leaf;
        let counts = self.low_counts(leaf);
        let chunk = last_child(&mut k, counts.len() / width, |child| sum16(counts, width, child, set));
        let chunk = leaf * FAN + chunk;
        let slots = self.chunk(chunk);
        for start in (0..slots.len()).step_by(TOGETHER) {
            let bits = set.bits(slots.range(start..(start + TOGETHER).min(slots.len())));
            for (word, bits) in bits.into_iter().enumerate() {
                let matching = bits.count_ones() as usize;
                if k < matching {
                    return chunk * CHUNK + start + word * 64 + bits_of(bits).nth(k).unwrap_or_default();
                }
                k -= matching;
            }
        }
        chunk * CHUNK + slots.len()
    }

    /// Calls `each` with the positions of a range that match, in order, while it answers true.
    pub(crate) fn visit(&self, range: Range<usize>, set: &SlotSet, mut each: impl FnMut(usize) -> bool) {
        let mut at = range.start;
        while at < range.end {
            let end = (at / TOGETHER * TOGETHER + TOGETHER).min(range.end);
            let slots = self.chunk(at / CHUNK).range(at % CHUNK..at % CHUNK + (end - at));
            for (word, bits) in set.bits(slots).into_iter().enumerate() {
                if !bits_of(bits).all(|bit| each(at + word * 64 + bit)) {
                    return;
                }
            }
            at = end;
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

fn sum32(counts: &[u32], width: usize, child: usize, set: &SlotSet) -> usize {
    let row = &counts[child * width..][..width];
    row.iter().zip(&set.mask32).map(|(count, mask)| count & mask).sum::<u32>() as usize
}

fn sum16(counts: &[u16], width: usize, child: usize, set: &SlotSet) -> usize {
    let row = &counts[child * width..][..width];
    row.iter().zip(&set.mask16).map(|(count, mask)| u32::from(count & mask)).sum::<u32>() as usize
}

/// The last child with no more than `k` matches before it; `k` becomes what is left for it.
fn last_child(k: &mut usize, children: usize, before: impl Fn(usize) -> usize) -> usize {
    let (mut low, mut high) = (0, children);
    let mut known = 0;
    while high - low > 1 {
        let middle = (low + high) / 2;
        let count = before(middle);
        if count <= *k {
            (low, known) = (middle, count);
        } else {
            high = middle;
        }
    }
    *k -= known;
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A walk and the counts, before and after changes, with combinations that come later.
    fn compare<C: Code + Into<usize>>(occurring: u32, size: usize, base_of: impl Fn(&[C]) -> Slots<'_>) {
        let mut random = fastrand::Rng::with_seed(1);
        let numbers = combinations((1..=occurring).map(Combination::from_number));
        let codes: Vec<C> = (0..size).map(|_| C::new(random.u16(0..=occurring as u16))).collect();
        let mut model: Vec<u32> = codes.iter().map(|code| numbers[(*code).into()]).collect();
        let made = make(&codes, numbers.len());
        let (low, middle, high) = (&made.low[..], &made.middle[..], &made.high[..]);
        let base = Base { slots: base_of(&codes), combinations: &numbers, low, middle, high };
        let mut overlay = None;
        // Some of each number; those that are even match.
        let set_of = |counts: Counts<'_>| {
            SlotSet::new(counts.combinations().iter().map(|number| *number != 0 && number.is_multiple_of(2)))
        };
        for _ in 0..3 {
            let counts = Counts { base, overlay: overlay.as_deref() };
            let set = set_of(counts);
            let matching: Vec<usize> =
                (0..size).filter(|at| model[*at] != 0 && model[*at].is_multiple_of(2)).collect();
            assert_eq!(counts.rank(size, &set), matching.len());
            for _ in 0..200 {
                let (at, k) = (random.usize(0..=size), random.usize(0..matching.len()));
                assert_eq!(counts.rank(at, &set), matching.partition_point(|known| *known < at));
                assert_eq!(counts.select(k, &set), matching[k]);
                let end = (at + random.usize(0..3000)).min(size);
                let (mut visited, wanted) = (Vec::new(), random.usize(1..50));
                counts.visit(at..end, &set, |at| {
                    visited.push(at);
                    visited.len() < wanted
                });
                let first = matching.partition_point(|known| *known < at);
                let known = matching[first..].iter().take_while(|known| **known < end).take(wanted);
                assert!(visited.iter().eq(known));
            }
            for _ in 0..2000 {
                let (at, number) = (random.usize(0..size), random.u32(0..occurring + 5));
                let slot = Overlay::slot(&mut overlay, &base, Combination::from_number(number)).unwrap();
                let old = Overlay::set(&mut overlay, &base, at, slot);
                let counts = Counts { base, overlay: overlay.as_deref() };
                assert_eq!(counts.combination(old).number(), model[at]);
                model[at] = number;
            }
            let counts = Counts { base, overlay: overlay.as_deref() };
            let changed = overlay.as_deref().into_iter().flat_map(Overlay::chunks);
            for (start, slots) in changed {
                for (at, slot) in slots.iter().enumerate().take(size - start) {
                    assert_eq!(counts.combination(slot).number(), model[start + at]);
                }
            }
        }
        while let Some(slot) = (occurring..u32::MAX)
            .find_map(|number| {
                let known = Counts { base, overlay: overlay.as_deref() }.combinations().contains(&number);
                (!known).then(|| Overlay::slot(&mut overlay, &base, Combination::from_number(number)))
            })
            .flatten()
        {
            assert!(usize::from(slot) < numbers.len() && slot != REMOVED);
        }
        assert!(overlay.is_some_and(|overlay| !overlay.combinations[1..].contains(&0)));
    }

    #[test]
    fn counts_and_finds_what_a_walk_finds_before_and_after_changes() {
        // Two middle nodes, the last chunk short.
        compare::<u8>(20, CHUNK * FAN * FAN + CHUNK * FAN + 77, |codes| Slots::Narrow(codes));
        compare::<u8>(240, CHUNK * 3, |codes| Slots::Narrow(codes));
        compare::<u16>(700, CHUNK * FAN + 5, |codes| Slots::Wide(codes));
    }
}
