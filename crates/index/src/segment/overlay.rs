//! What changed among the facets of a segment since its image was made, as copies of the nodes and chunks
//! that were touched. Whoever reads shares them with the writer, who copies one only while somebody reads it.

use crate::facet::Combination;
use crate::segment::count_tables::{Base, CHUNK, FAN};
use crate::segment::ids::Position;
use crate::segment::slots::{Code, REMOVED, Slot, Slots};
use std::sync::Arc;

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
    /// A copy of the slots of a chunk; a short chunk is filled up with removed rows.
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
            counts: base.high().to_vec(),
            children: vec![None; FAN],
        }
    }

    /// This overlay, or a new one, to be changed: copied if somebody reads it.
    fn writable<'o>(this: &'o mut Option<Arc<Overlay>>, base: &Base<'_>) -> &'o mut Overlay {
        Arc::make_mut(this.get_or_insert_with(|| Arc::new(Overlay::new(base))))
    }

    /// The slot of a combination, a spare one if it has none yet; nothing if no slot is left.
    pub(crate) fn slot(
        this: &mut Option<Arc<Overlay>>,
        base: &Base<'_>,
        combination: Combination,
    ) -> Option<Slot> {
        if combination == Combination::NONE {
            return Some(REMOVED);
        }
        let known = this.as_deref().map_or(base.combinations, Overlay::combinations);
        let find = |number: u32| (1..known.len()).find(|slot| known[*slot] == number);
        if let Some(slot) = find(combination.number()) {
            return Some(slot as Slot);
        }
        let spare = find(Combination::NONE.number())?;
        Overlay::writable(this, base).combinations[spare] = combination.number();
        Some(spare as Slot)
    }

    /// Changes the slot of a position from `old` to `new`, another one.
    pub(crate) fn set(
        this: &mut Option<Arc<Overlay>>,
        base: &Base<'_>,
        position: Position,
        (old, new): (Slot, Slot),
    ) {
        let (chunk, at) = (position.get() / CHUNK, position.get() % CHUNK);
        let (leaf_at, middle_at) = (chunk / FAN, chunk / FAN / FAN);
        let width = base.width();
        let top = Overlay::writable(this, base);
        shift(&mut top.counts, width, middle_at, old, new);
        let middle = top.children[middle_at].get_or_insert_with(|| {
            Arc::new(Middle { counts: base.middle(middle_at).to_vec(), children: vec![None; FAN] })
        });
        let middle = Arc::make_mut(middle);
        shift(&mut middle.counts, width, leaf_at % FAN, old, new);
        let leaf = middle.children[leaf_at % FAN].get_or_insert_with(|| {
            Arc::new(Leaf { counts: base.low(leaf_at).to_vec(), chunks: vec![None; FAN] })
        });
        let leaf = Arc::make_mut(leaf);
        shift(&mut leaf.counts, width, chunk % FAN, old, new);
        let slots = leaf.chunks[chunk % FAN].get_or_insert_with(|| Chunk::copy(base.chunk(chunk)));
        slots.set(at, new);
    }

    /// The combination of each slot.
    pub(crate) fn combinations(&self) -> &[u32] {
        &self.combinations
    }

    /// The counts of the top.
    pub(crate) fn high(&self) -> &[u32] {
        &self.counts
    }

    /// The counts of a middle node, if something in it changed.
    pub(crate) fn middle(&self, node: usize) -> Option<&[u32]> {
        Some(&self.children[node].as_deref()?.counts)
    }

    fn leaf(&self, node: usize) -> Option<&Leaf> {
        self.children[node / FAN].as_deref()?.children[node % FAN].as_deref()
    }

    /// The counts of a leaf, if something in it changed.
    pub(crate) fn low(&self, node: usize) -> Option<&[u16]> {
        Some(&self.leaf(node)?.counts)
    }

    /// The slots of a chunk, if something in it changed.
    pub(crate) fn chunk(&self, chunk: usize) -> Option<Slots<'_>> {
        Some(self.leaf(chunk / FAN)?.chunks[chunk % FAN].as_ref()?.slots())
    }

    /// The chunks in which something changed: each first position, and its slots now. Behind the last
    /// position of all there are some without a meaning.
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
