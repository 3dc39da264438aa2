//! Prefixes with many rows: a trie of digits whose nodes have their rows in the order of creation. A node's facets
//! lie beside each other in the segment's facets, so that its matches are counted and found like those of all rows;
//! its digits say where its rows go further down. Nodes with few rows are left out: their rows are listed instead.
//! The same trie over digits from the last to the first answers for suffixes.

use crate::number::{Pattern, nibble};
use crate::slots::{Code, REMOVED};
use crate::symbols::{self, Symbols};
use std::ops::Range;

/// The words of a node.
const WORDS: usize = 15;
const START: usize = 0;
const LEN: usize = 1;
/// The first block of its digits plus one; 0 where none of its children is kept.
const BLOCK: usize = 2;
const PARENT: usize = 3;
/// The digit (plus one) that leads to it.
const DIGIT: usize = 4;
/// For each digit, the child plus one; 0: not kept.
const CHILDREN: usize = 5;

/// What a trie is made of.
pub(crate) struct Builder<'a, C> {
    /// The digits of each entry, packed as numbers are.
    keys: &'a [u64],
    /// The row of each entry.
    row: &'a dyn Fn(usize) -> usize,
    /// The slot of each row.
    codes: &'a [C],
    /// Nodes with more entries are kept.
    heavy: usize,
    pub(crate) nodes: Vec<u32>,
    pub(crate) symbols: symbols::Writer,
}

impl<'a, C: Code> Builder<'a, C> {
    pub(crate) fn new(
        keys: &'a [u64],
        row: &'a dyn Fn(usize) -> usize,
        codes: &'a [C],
        heavy: usize,
    ) -> Builder<'a, C> {
        Builder { keys, row, codes, heavy, nodes: Vec::new(), symbols: symbols::Writer::default() }
    }

    /// Makes the trie; the facets of nodes are added to `facets`. The root's are there already, from `start` on.
    pub(crate) fn grow(&mut self, start: usize, facets: &mut Vec<C>) {
        if self.keys.len() > self.heavy {
            let entries: Vec<u32> = (0..self.keys.len() as u32).collect();
            self.add(&entries, 0, start, facets);
        }
    }

    /// Adds the facets of some entries: where several are of one row, only the first counts.
    pub(crate) fn add_facets(&self, entries: impl Iterator<Item = u32>, facets: &mut Vec<C>) {
        let mut last = usize::MAX;
        facets.extend(entries.map(|entry| {
            let row = (self.row)(entry as usize);
            if std::mem::replace(&mut last, row) == row { C::new(REMOVED) } else { self.codes[row] }
        }));
    }

    fn add(&mut self, entries: &[u32], depth: usize, start: usize, facets: &mut Vec<C>) -> u32 {
        let digit = |entry: &u32| nibble(self.keys[*entry as usize], depth);
        let mut counts = [0; 16];
        entries.iter().for_each(|entry| counts[usize::from(digit(entry))] += 1);
        let number = (self.nodes.len() / WORDS) as u32;
        let at = self.nodes.len();
        self.nodes.resize(at + WORDS, 0);
        self.nodes[at + START] = start as u32;
        self.nodes[at + LEN] = entries.len() as u32;
        if let Some(only) = (1..=10u8).find(|digit| counts[usize::from(*digit)] == entries.len()) {
            let child = self.add(entries, depth + 1, start, facets);
            self.adopt(number, only, child);
            return number;
        }
        let heavy: Vec<u8> = (1..=10).filter(|digit| counts[usize::from(*digit)] > self.heavy).collect();
        if heavy.is_empty() {
            return number;
        }
        let keys = self.keys;
        let digit = |entry: &u32| nibble(keys[*entry as usize], depth);
        self.nodes[at + BLOCK] = self.symbols.add(entries.iter().map(digit)) as u32 + 1;
        for known in heavy {
            let theirs: Vec<u32> = entries.iter().copied().filter(|entry| digit(entry) == known).collect();
            let start = facets.len();
            self.add_facets(theirs.iter().copied(), facets);
            let child = self.add(&theirs, depth + 1, start, facets);
            self.adopt(number, known, child);
        }
        number
    }

    fn adopt(&mut self, parent: u32, digit: u8, child: u32) {
        self.nodes[parent as usize * WORDS + CHILDREN + usize::from(digit) - 1] = child + 1;
        self.nodes[child as usize * WORDS + PARENT] = parent;
        self.nodes[child as usize * WORDS + DIGIT] = u32::from(digit);
    }
}

/// A trie of an image. Node 0 is the root, of all entries; there is none where they are few.
#[derive(Clone, Copy)]
pub(crate) struct Trie<'a> {
    pub(crate) nodes: &'a [u32],
    pub(crate) nibbles: &'a [u8],
    pub(crate) samples: &'a [u32],
}

impl<'a> Trie<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn word(&self, node: usize, word: usize) -> usize {
        self.nodes[node * WORDS + word] as usize
    }

    /// Where its facets start.
    pub(crate) fn start(&self, node: usize) -> usize {
        self.word(node, START)
    }

    /// The child by a digit (plus one), if it is kept.
    pub(crate) fn child(&self, node: usize, digit: u8) -> Option<usize> {
        self.word(node, CHILDREN + usize::from(digit) - 1).checked_sub(1)
    }

    fn symbols(&self, node: usize) -> Option<Symbols<'a>> {
        let first = self.word(node, BLOCK).checked_sub(1)?;
        Some(Symbols::new(self.nibbles, self.samples, first, self.word(node, LEN)))
    }

    /// How many of the node's entries before `at` go on with `digit`, where that child is kept.
    pub(crate) fn down(&self, node: usize, digit: u8, at: usize) -> usize {
        // Without digits of its own, all its entries go the same way.
        self.symbols(node).map_or(at, |symbols| symbols.rank(digit, at))
    }

    /// The root's entry that is the node's entry `at`.
    pub(crate) fn entry(&self, mut node: usize, mut at: usize) -> usize {
        while node != 0 {
            let parent = self.word(node, PARENT);
            if let Some(symbols) = self.symbols(parent) {
                at = symbols.select(self.word(node, DIGIT) as u8, at);
            }
            node = parent;
        }
        at
    }

    /// The node's entries that are these of the root.
    pub(crate) fn within(&self, node: usize, entries: Range<usize>) -> Range<usize> {
        if node == 0 {
            return entries;
        }
        let (parent, digit) = (self.word(node, PARENT), self.word(node, DIGIT) as u8);
        let above = self.within(parent, entries);
        self.down(parent, digit, above.start)..self.down(parent, digit, above.end)
    }

    /// The node of a prefix, if it is kept.
    pub(crate) fn find(&self, pattern: &Pattern) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        (0..pattern.len).try_fold(0, |node, i| self.child(node, pattern.nibble(i)))
    }

    /// Calls `each` with where an entry's facet stands in every node below the root, `digits` being the entry's.
    pub(crate) fn places(&self, digits: u64, entry: usize, mut each: impl FnMut(usize)) {
        if self.is_empty() {
            return;
        }
        let (mut node, mut at) = (0, entry);
        let mut last = self.start(0) + entry;
        for depth in 0.. {
            let digit = nibble(digits, depth);
            let Some(child) = (1..=10).contains(&digit).then(|| self.child(node, digit)).flatten() else {
                return;
            };
            at = self.down(node, digit, at);
            let place = self.start(child) + at;
            // A node that shares its parent's facets has no place of its own.
            if place != last {
                each(place);
            }
            (node, last) = (child, place);
        }
    }

    /// The topmost nodes whose prefixes contain the digits, with the prefixes.
    pub(crate) fn containing(&self, pattern: &Pattern) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut open = if self.is_empty() { vec![] } else { vec![(0, String::new())] };
        let digits: String = (0..pattern.len).map(|i| char::from(b'0' + pattern.nibble(i) - 1)).collect();
        while let Some((node, prefix)) = open.pop() {
            if prefix.ends_with(&digits) {
                found.push((node, prefix));
                continue;
            }
            for digit in 1..=10 {
                if let Some(child) = self.child(node, digit) {
                    open.push((child, format!("{prefix}{}", digit - 1)));
                }
            }
        }
        found
    }
}
