//! Facets by position, with counts over them: how many positions up to any one match, and where the k-th match is.
//!
//! Positions lie in chunks of 1024; 64 chunks make a leaf, 64 leaves a middle node, 64 middle nodes the top. Each
//! node has, for each child, the counts of every facet code in the children before it. A count is one sum a level
//! and a look at one chunk; the k-th match is found by a binary search a level.
//!
//! The counts of an image never change. What changed since stands in an overlay of the nodes that were touched,
//! shared between whoever reads and the writer, who copies a node only while somebody reads it.

use crate::facet::{DEAD, Mask, TOGETHER};
use std::ops::Range;
use std::sync::Arc;

/// Positions of a chunk.
const CHUNK: usize = 1024;
/// Children of a node.
const FAN: usize = 64;
/// No slot.
const NONE: u8 = 255;

/// The counts of an image. A code's counts stand at its slot, its place in `codes`; slots of code 0 are spare.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    pub(crate) facets: &'a [u8],
    pub(crate) codes: &'a [u8],
    /// By leaf, child, slot.
    pub(crate) low: &'a [u16],
    /// By middle node, child, slot.
    pub(crate) middle: &'a [u32],
    /// By child, slot.
    pub(crate) high: &'a [u32],
}

/// Counts made for an image.
pub(crate) struct Made {
    pub(crate) codes: Vec<u8>,
    pub(crate) low: Vec<u16>,
    pub(crate) middle: Vec<u32>,
    pub(crate) high: Vec<u32>,
}

/// Counts facets for an image.
pub(crate) fn make(facets: &[u8]) -> Made {
    let mut seen = [false; 256];
    facets.iter().for_each(|code| seen[usize::from(*code)] = true);
    let mut codes: Vec<u8> = (1..=255u8).filter(|code| seen[usize::from(*code)]).collect();
    // Some spare slots, for codes that come later.
    codes.resize((codes.len() + 8).next_multiple_of(16), DEAD);
    let slots = slots(&codes);
    let width = codes.len();
    // The end of the last position is a place too.
    let chunks = facets.len() / CHUNK + 1;
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
        for code in &facets[start..(start + CHUNK).min(facets.len())] {
            let slot = usize::from(slots[usize::from(*code)]);
            if slot < width {
                in_leaf[slot] += 1;
                in_middle[slot] += 1;
                in_top[slot] += 1;
            }
        }
    }
    Made { codes, low, middle, high }
}

/// The rows of a node among those of all nodes of its level.
fn node<T>(counts: &[T], node: usize, width: usize) -> &[T] {
    let size = FAN * width;
    &counts[node * size..((node + 1) * size).min(counts.len())]
}

fn slots(codes: &[u8]) -> [u8; 256] {
    let mut slots = [NONE; 256];
    for (slot, code) in codes.iter().enumerate().filter(|(_, code)| **code != DEAD) {
        slots[usize::from(*code)] = slot as u8;
    }
    slots
}

/// What changed since the image was made.
#[derive(Clone)]
pub(crate) struct Overlay {
    codes: Vec<u8>,
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
    chunks: Vec<Option<Arc<[u8; CHUNK]>>>,
}

impl Overlay {
    fn new(base: &Base<'_>) -> Overlay {
        Overlay { codes: base.codes.to_vec(), counts: base.high.to_vec(), children: vec![None; FAN] }
    }

    /// Changes the facet at a position; answers the one before, or nothing where the code finds no slot (then
    /// nothing changed).
    pub(crate) fn set(this: &mut Option<Arc<Overlay>>, base: &Base<'_>, at: usize, code: u8) -> Option<u8> {
        let old = Counts { base: *base, overlay: this.as_deref() }.get(at);
        if old == code {
            return Some(old);
        }
        let top = Arc::make_mut(this.get_or_insert_with(|| Arc::new(Overlay::new(base))));
        let width = top.codes.len();
        let mut slot = |code: u8| {
            if code == DEAD {
                return Some(None);
            }
            let known = top.codes.iter().position(|known| *known == code);
            known
                .or_else(|| {
                    let spare = top.codes.iter().position(|known| *known == DEAD)?;
                    top.codes[spare] = code;
                    Some(spare)
                })
                .map(Some)
        };
        let (less, more) = (slot(old)?, slot(code)?);
        let chunk = at / CHUNK;
        let (leaf_at, mid_at) = (chunk / FAN, chunk / FAN / FAN);
        shift(&mut top.counts, width, mid_at, less, more);
        let middle = top.children[mid_at].get_or_insert_with(|| {
            let counts = node(base.middle, mid_at, width).to_vec();
            Arc::new(Middle { counts, children: vec![None; FAN] })
        });
        let middle = Arc::make_mut(middle);
        shift(&mut middle.counts, width, leaf_at % FAN, less, more);
        let leaf = middle.children[leaf_at % FAN].get_or_insert_with(|| {
            let counts = node(base.low, leaf_at, width).to_vec();
            Arc::new(Leaf { counts, chunks: vec![None; FAN] })
        });
        let leaf = Arc::make_mut(leaf);
        shift(&mut leaf.counts, width, chunk % FAN, less, more);
        let codes = leaf.chunks[chunk % FAN].get_or_insert_with(|| {
            let mut codes = [DEAD; CHUNK];
            let known = base.facets[chunk * CHUNK..].iter().take(CHUNK);
            codes.iter_mut().zip(known).for_each(|(code, known)| *code = *known);
            Arc::new(codes)
        });
        Arc::make_mut(codes)[at % CHUNK] = code;
        Some(old)
    }

    /// The chunks that were copied: each first position, and its facets now.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (usize, &[u8; CHUNK])> {
        self.children.iter().enumerate().flat_map(|(mid, middle)| {
            let leaves = middle.iter().flat_map(|middle| middle.children.iter().enumerate());
            leaves.flat_map(move |(leaf, node)| {
                let chunks = node.iter().flat_map(|node| node.chunks.iter().enumerate());
                chunks.filter_map(move |(chunk, codes)| {
                    Some((((mid * FAN + leaf) * FAN + chunk) * CHUNK, codes.as_deref()?))
                })
            })
        })
    }
}

/// Counts one less and one more in all children behind `child`.
fn shift<T>(counts: &mut [T], width: usize, child: usize, less: Option<usize>, more: Option<usize>)
where
    T: std::ops::AddAssign + std::ops::SubAssign + From<u8>,
{
    for row in counts.chunks_exact_mut(width).skip(child + 1) {
        if let Some(slot) = less {
            row[slot] -= T::from(1);
        }
        if let Some(slot) = more {
            row[slot] += T::from(1);
        }
    }
}

/// A mask for the slots of one segment: all bits set where the slot's code matches.
pub(crate) struct SlotMask<'a> {
    mask: &'a Mask,
    low: Vec<u16>,
    high: Vec<u32>,
}

/// The facets of a segment as they are now.
#[derive(Clone, Copy)]
pub(crate) struct Counts<'a> {
    pub(crate) base: Base<'a>,
    pub(crate) overlay: Option<&'a Overlay>,
}

impl<'a> Counts<'a> {
    pub(crate) fn mask<'m>(&self, mask: &'m Mask) -> SlotMask<'m> {
        let codes = self.overlay.map_or(self.base.codes, |overlay| &overlay.codes);
        let bits = |code: &u8| if mask.has(*code) { u32::MAX } else { 0 };
        let high: Vec<u32> = codes.iter().map(bits).collect();
        SlotMask { mask, low: high.iter().map(|bits| *bits as u16).collect(), high }
    }

    fn width(&self) -> usize {
        self.base.codes.len()
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

    /// The facets of a chunk; the last one may be short.
    fn chunk(&self, chunk: usize) -> &'a [u8] {
        match self.leaf(chunk / FAN).and_then(|leaf| leaf.chunks[chunk % FAN].as_deref()) {
            Some(codes) => codes,
            None => {
                let facets = self.base.facets;
                let start = (chunk * CHUNK).min(facets.len());
                &facets[start..(start + CHUNK).min(facets.len())]
            }
        }
    }

    /// The facet at a position.
    pub(crate) fn get(&self, at: usize) -> u8 {
        if self.overlay.is_none() {
            return self.base.facets[at];
        }
        self.chunk(at / CHUNK)[at % CHUNK]
    }

    /// How many positions before `at` match.
    pub(crate) fn rank(&self, at: usize, mask: &SlotMask<'_>) -> usize {
        let (chunk, width) = (at / CHUNK, self.width());
        let leaf = chunk / FAN;
        let mid = leaf / FAN;
        let rest = at % CHUNK;
        let within = if rest == 0 { 0 } else { mask.mask.count(&self.chunk(chunk)[..rest]) };
        sum32(self.high_counts(), width, mid, mask)
            + sum32(self.middle_counts(mid), width, leaf % FAN, mask)
            + sum16(self.low_counts(leaf), width, chunk % FAN, mask)
            + within
    }

    /// Where the match `k` is, from 0; there must be as many.
    pub(crate) fn select(&self, mut k: usize, mask: &SlotMask<'_>) -> usize {
        let width = self.width();
        let counts = self.high_counts();
        let mid = last_child(&mut k, counts.len() / width, |child| sum32(counts, width, child, mask));
        let counts = self.middle_counts(mid);
        let leaf = last_child(&mut k, counts.len() / width, |child| sum32(counts, width, child, mask));
        let leaf = mid * FAN + leaf;
        let counts = self.low_counts(leaf);
        let chunk = last_child(&mut k, counts.len() / width, |child| sum16(counts, width, child, mask));
        let chunk = leaf * FAN + chunk;
        let mut at = chunk * CHUNK;
        for codes in self.chunk(chunk).chunks(TOGETHER) {
            let bits = mask.mask.bits(codes);
            let matching = bits.count_ones() as usize;
            if k < matching {
                return at + bits_of(bits).nth(k).unwrap_or_default();
            }
            k -= matching;
            at += TOGETHER;
        }
        at
    }

    /// Calls `each` with the positions of a range that match, in order, while it answers true.
    pub(crate) fn visit(&self, range: Range<usize>, mask: &Mask, mut each: impl FnMut(usize) -> bool) {
        let mut at = range.start;
        while at < range.end {
            let chunk = at / CHUNK;
            let end = ((chunk + 1) * CHUNK).min(range.end);
            for codes in self.chunk(chunk)[at % CHUNK..][..end - at].chunks(TOGETHER) {
                if !bits_of(mask.bits(codes)).all(|bit| each(at + bit)) {
                    return;
                }
                at += codes.len();
            }
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

fn sum32(counts: &[u32], width: usize, child: usize, mask: &SlotMask<'_>) -> usize {
    let row = &counts[child * width..][..width];
    row.iter().zip(&mask.high).map(|(count, mask)| count & mask).sum::<u32>() as usize
}

fn sum16(counts: &[u16], width: usize, child: usize, mask: &SlotMask<'_>) -> usize {
    let row = &counts[child * width..][..width];
    row.iter().zip(&mask.low).map(|(count, mask)| u32::from(count & mask)).sum::<u32>() as usize
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
    use crate::query::{Filter, Predicate};
    use flow::FlowStatus;

    #[test]
    fn counts_and_finds_what_a_walk_finds_before_and_after_changes() {
        let mut random = fastrand::Rng::with_seed(1);
        // Two middle nodes, the last chunk short.
        let size = CHUNK * FAN * FAN + CHUNK * FAN + 77;
        let mut model: Vec<u8> = (0..size).map(|_| 0x10 | random.u8(0..16)).collect();
        let facets = model.clone();
        let made = make(&facets);
        let base = Base {
            facets: &facets,
            codes: &made.codes,
            low: &made.low,
            middle: &made.middle,
            high: &made.high,
        };
        let mask = Mask::of(&[Filter { predicate: Predicate::Status(FlowStatus::Failed), negated: false }]);
        let mut overlay = None;
        for _ in 0..3 {
            let counts = Counts { base, overlay: overlay.as_deref() };
            let slots = counts.mask(&mask);
            let matching: Vec<usize> = (0..size).filter(|at| mask.has(model[*at])).collect();
            assert_eq!(counts.rank(size, &slots), matching.len());
            for _ in 0..200 {
                let (at, k) = (random.usize(0..=size), random.usize(0..matching.len()));
                assert_eq!(counts.rank(at, &slots), matching.partition_point(|known| *known < at));
                assert_eq!(counts.select(k, &slots), matching[k]);
            }
            for _ in 0..2000 {
                let (at, code) = (random.usize(0..size), 0x10 | random.u8(0..20));
                assert_eq!(Overlay::set(&mut overlay, &base, at, code), Some(model[at]));
                model[at] = code;
            }
            let changed = overlay.as_deref().into_iter().flat_map(Overlay::chunks);
            for (start, codes) in changed {
                let known = &model[start..(start + CHUNK).min(size)];
                assert_eq!(&codes[..known.len()], known);
            }
        }
    }
}
