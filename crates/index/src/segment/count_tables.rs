//! The facets of an image by position, and counts over them.
//!
//! Positions lie in chunks of 1024; 64 chunks make a leaf, 64 leaves a middle node, 64 middle nodes the top.
//! Each node has, for each child, the counts of every slot in the children before it.

use crate::facet::Combination;
use crate::segment::image::{Image, Section, Writer};
use crate::segment::slots::{Code, Slot, Slots};

/// Positions of a chunk.
pub(crate) const CHUNK: usize = 1024;
/// Children of a node.
pub(crate) const FAN: usize = 64;
/// The fewest spare slots of an image. A flow whose facets find none leaves its segment, and every search
/// looks at it.
const SPARE: usize = 16;

/// The combinations that have a slot in an image: the first slot's is none, those that occur follow in their
/// order, and some slots are spare, for combinations that come later.
pub(crate) struct Combinations {
    numbers: Vec<u32>,
    occurring: usize,
}

impl Combinations {
    pub(crate) fn new(occurring: impl Iterator<Item = Combination>) -> Combinations {
        let mut numbers = vec![Combination::NONE.number()];
        numbers.extend(occurring.map(Combination::number));
        numbers.sort_unstable();
        numbers.dedup();
        let occurring = numbers.len();
        numbers.resize((occurring + SPARE).next_multiple_of(16), Combination::NONE.number());
        Combinations { numbers, occurring }
    }

    /// Whether every slot fits into one octet.
    pub(crate) fn is_narrow(&self) -> bool {
        is_narrow(&self.numbers)
    }

    /// The slot of a combination that occurs.
    pub(crate) fn slot(&self, combination: Combination) -> Slot {
        let known = &self.numbers[..self.occurring];
        known.partition_point(|number| *number < combination.number()) as Slot
    }
}

fn is_narrow(combinations: &[u32]) -> bool {
    combinations.len() <= 1 << u8::BITS
}

/// Counts of slots.
struct CountTables {
    low: Vec<u16>,
    middle: Vec<u32>,
    high: Vec<u32>,
}

/// Counts slots, of which there are `width`.
fn count<C: Code>(codes: &[C], width: usize) -> CountTables {
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
            let slot = usize::from(code.slot());
            in_leaf[slot] += 1;
            in_middle[slot] += 1;
            in_top[slot] += 1;
        }
    }
    CountTables { low, middle, high }
}

/// Writes the slots of all positions, and counts of them.
pub(crate) fn write<C: Code>(out: &mut Writer, combinations: &Combinations, codes: &[C]) {
    let counted = count(codes, combinations.numbers.len());
    out.put(Section::Combinations, &combinations.numbers);
    out.put(Section::Slots, codes);
    out.put(Section::Low, &counted.low);
    out.put(Section::Middle, &counted.middle);
    out.put(Section::High, &counted.high);
}

/// The facets of an image, and their counts.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    /// The slot of each position.
    pub(crate) slots: Slots<'a>,
    /// The combination of each slot.
    pub(crate) combinations: &'a [u32],
    low: &'a [u16],
    middle: &'a [u32],
    high: &'a [u32],
}

impl<'a> Base<'a> {
    pub(crate) fn of(image: &'a Image) -> Base<'a> {
        let combinations = image.integers(Section::Combinations);
        let slots = if is_narrow(combinations) {
            Slots::Narrow(image.section(Section::Slots))
        } else {
            Slots::Wide(image.integers(Section::Slots))
        };
        Base {
            slots,
            combinations,
            low: image.integers(Section::Low),
            middle: image.integers(Section::Middle),
            high: image.integers(Section::High),
        }
    }

    /// How many slots there are.
    pub(crate) fn width(&self) -> usize {
        self.combinations.len()
    }

    /// The counts of the top, by child and slot.
    pub(crate) fn high(&self) -> &'a [u32] {
        self.high
    }

    /// The counts of a middle node, by child and slot.
    pub(crate) fn middle(&self, node: usize) -> &'a [u32] {
        of_node(self.middle, node, self.width())
    }

    /// The counts of a leaf, by child and slot.
    pub(crate) fn low(&self, node: usize) -> &'a [u16] {
        of_node(self.low, node, self.width())
    }

    /// The slots of a chunk; the last one may be short.
    pub(crate) fn chunk(&self, chunk: usize) -> Slots<'a> {
        let len = self.slots.len();
        let start = (chunk * CHUNK).min(len);
        self.slots.range(start..(start + CHUNK).min(len))
    }
}

/// The counts of a node among those of all nodes of its level; the last one may have fewer children.
fn of_node<T>(counts: &[T], node: usize, width: usize) -> &[T] {
    let size = FAN * width;
    &counts[node * size..((node + 1) * size).min(counts.len())]
}
