//! Rows in the order of creation, in blocks, with counts of facets that make any range and any page cost the same.
//!
//! Counts are kept in a Fenwick tree over the blocks whose nodes hold a count per facet: the count of a mask up to a
//! block, and the block of the k-th match, take one walk of log n nodes. Within a block facets are looked through.

use crate::facet::{DEAD, Mask};
use crate::query::Key;
use std::ops::Range;

/// The columns of some rows.
struct Block {
    keys: Vec<Key>,
    facets: Vec<u8>,
    /// What [`crate::recipients::Recipients`] calls the row's recipients.
    to: Vec<u32>,
    /// Rows that were not removed.
    live: usize,
}

/// Rows in ascending order of their keys. Rows are numbered from 0 and keep their number.
pub(crate) struct Rows {
    block_rows: usize,
    /// A block whose rows were all removed is given up.
    blocks: Vec<Option<Box<Block>>>,
    /// The first key of each block.
    firsts: Vec<Key>,
    /// Fenwick tree: node `i` (from 1) counts the blocks `i - lowbit(i) .. i`.
    #[allow(clippy::vec_box)] // Growth moves pointers instead of nodes; searches wait meanwhile.
    tree: Vec<Box<[u32; 256]>>,
    /// The codes that ever occurred.
    present: [bool; 256],
    last: Option<Key>,
    len: usize,
}

const fn lowbit(i: usize) -> usize {
    i & i.wrapping_neg()
}

impl Rows {
    pub(crate) fn new(block_rows: usize) -> Rows {
        Rows {
            block_rows,
            blocks: Vec::new(),
            firsts: Vec::new(),
            tree: Vec::new(),
            present: [false; 256],
            last: None,
            len: 0,
        }
    }

    /// Rows ever pushed; the next one's number.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The greatest key ever pushed.
    pub(crate) fn last(&self) -> Option<Key> {
        self.last
    }

    /// Adds a row behind all others; `key` is greater than theirs.
    pub(crate) fn push(&mut self, key: Key, code: u8, to: u32) {
        debug_assert!(self.last.is_none_or(|last| last < key));
        if self.len.is_multiple_of(self.block_rows) {
            let columns = Block { keys: Vec::new(), facets: Vec::new(), to: Vec::new(), live: 0 };
            self.blocks.push(Some(Box::new(columns)));
            self.firsts.push(key);
            self.grow_tree();
        }
        let block = self.len / self.block_rows;
        if let Some(columns) = &mut self.blocks[block] {
            columns.keys.push(key);
            columns.facets.push(code);
            columns.to.push(to);
            columns.live += 1;
        }
        self.last = Some(key);
        self.len += 1;
        self.count_one(block, code, true);
    }

    /// A node for a new, empty block: the sum of the nodes that it stands above.
    fn grow_tree(&mut self) {
        let node = self.tree.len() + 1;
        let mut counts = Box::new([0u32; 256]);
        let mut below = node - 1;
        while below > node - lowbit(node) {
            for (sum, count) in counts.iter_mut().zip(&*self.tree[below - 1]) {
                *sum += count;
            }
            below -= lowbit(below);
        }
        self.tree.push(counts);
    }

    fn count_one(&mut self, block: usize, code: u8, more: bool) {
        self.present[usize::from(code)] = true;
        let mut node = block + 1;
        while node <= self.tree.len() {
            let count = &mut self.tree[node - 1][usize::from(code)];
            *count = if more { *count + 1 } else { *count - 1 };
            node += lowbit(node);
        }
    }

    fn place(&self, row: usize) -> Option<(&Block, usize)> {
        let block = self.blocks.get(row / self.block_rows)?.as_deref()?;
        Some((block, row % self.block_rows))
    }

    /// The row with this key, unless it was removed.
    pub(crate) fn find(&self, key: Key) -> Option<usize> {
        let block = self.firsts.partition_point(|first| *first <= key).checked_sub(1)?;
        let columns = self.blocks[block].as_deref()?;
        let at = columns.keys.binary_search(&key).ok()?;
        (columns.facets[at] != DEAD).then_some(block * self.block_rows + at)
    }

    /// The first row whose key is not less than `key`.
    pub(crate) fn lower_bound(&self, key: Key) -> usize {
        let block = self.firsts.partition_point(|first| *first < key);
        let Some(before) = block.checked_sub(1) else { return 0 };
        let within = self.blocks[before]
            .as_deref()
            .map_or(self.block_rows, |columns| columns.keys.partition_point(|known| *known < key));
        (before * self.block_rows + within).min(self.len)
    }

    /// The row's key, if it was not given up.
    pub(crate) fn key(&self, row: usize) -> Option<Key> {
        self.place(row).map(|(block, at)| block.keys[at])
    }

    /// The row's recipients.
    pub(crate) fn to(&self, row: usize) -> Option<u32> {
        self.place(row).map(|(block, at)| block.to[at])
    }

    /// Changes a row that was not removed.
    pub(crate) fn set(&mut self, row: usize, code: u8, to: u32) {
        let (block, at) = (row / self.block_rows, row % self.block_rows);
        let Some(columns) = self.blocks.get_mut(block).and_then(Option::as_deref_mut) else { return };
        let old = std::mem::replace(&mut columns.facets[at], code);
        columns.to[at] = to;
        if old != code {
            self.count_one(block, old, false);
            self.count_one(block, code, true);
        }
    }

    /// Removes a row that was not removed before.
    pub(crate) fn remove(&mut self, row: usize) {
        let (block, at) = (row / self.block_rows, row % self.block_rows);
        let Some(columns) = self.blocks.get_mut(block).and_then(Option::as_deref_mut) else { return };
        let old = std::mem::replace(&mut columns.facets[at], DEAD);
        columns.live -= 1;
        if columns.live == 0 && columns.keys.len() == self.block_rows {
            self.blocks[block] = None;
        }
        self.count_one(block, old, false);
    }

    /// How many rows before `row` match.
    pub(crate) fn rank(&self, row: usize, mask: &Mask) -> usize {
        let block = row / self.block_rows;
        let mut sum = 0;
        let mut node = block;
        while node > 0 {
            sum += mask.sum(&self.tree[node - 1], &self.present);
            node -= lowbit(node);
        }
        if let Some(columns) = self.blocks.get(block).and_then(Option::as_deref) {
            let facets = &columns.facets[..(row % self.block_rows).min(columns.facets.len())];
            sum += facets.iter().filter(|&&code| mask.has(code)).count();
        }
        sum
    }

    /// The row of the `k`th match (from 0), counted from row 0; `len` when there are not so many.
    pub(crate) fn select(&self, mut k: usize, mask: &Mask) -> usize {
        let mut block = 0;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            if block + step <= self.tree.len() {
                let before = mask.sum(&self.tree[block + step - 1], &self.present);
                if before <= k {
                    k -= before;
                    block += step;
                }
            }
            step /= 2;
        }
        let facets = self.blocks.get(block).and_then(Option::as_deref).map_or(&[][..], |b| &b.facets);
        let matching = facets.iter().enumerate().filter(|(_, code)| mask.has(**code));
        matching.map(|(at, _)| block * self.block_rows + at).nth(k).unwrap_or(self.len)
    }

    /// Adds the rows of the matches `ranks`, counted from row 0, in ascending order.
    pub(crate) fn collect(&self, ranks: Range<usize>, mask: &Mask, rows: &mut Vec<usize>) {
        let mut rank = ranks.start;
        while rank < ranks.end {
            // One walk down the tree a block; within the block, one after the other.
            let first = self.select(rank, mask);
            let Some((block, at)) = self.place(first) else { return };
            let matching = block.facets[at..].iter().enumerate().filter(|(_, code)| mask.has(**code));
            let before = rows.len();
            rows.extend(matching.map(|(i, _)| first + i).take(ranks.end - rank));
            rank += rows.len() - before;
        }
    }

    /// Calls `each` with every row of a range whose facet matches, in ascending order, and its recipients.
    pub(crate) fn scan(&self, range: Range<usize>, mask: &Mask, mut each: impl FnMut(usize, u32)) {
        let mut row = range.start;
        while row < range.end {
            let end = (row / self.block_rows * self.block_rows + self.block_rows).min(range.end);
            if let Some((block, at)) = self.place(row) {
                for (i, (&code, &to)) in
                    block.facets[at..].iter().zip(&block.to[at..]).take(end - row).enumerate()
                {
                    if mask.has(code) {
                        each(row + i, to);
                    }
                }
            }
            row = end;
        }
    }

    /// Every row that was not removed.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Key, u8, u32)> + '_ {
        let rows = self.blocks.iter().flatten().flat_map(|block| {
            block.keys.iter().zip(&block.facets).zip(&block.to).map(|((key, code), to)| (*key, *code, *to))
        });
        rows.filter(|(_, code, _)| *code != DEAD)
    }
}
