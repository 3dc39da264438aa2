//! Prefixes with many rows: a trie of digits whose nodes have their rows in the order of creation. A node's
//! facets lie beside each other among the segment's facets, so that its matches are counted and found like
//! those of all rows; its digits say where its rows go further down. Nodes with few rows are left out: their
//! rows are listed instead. The same trie over digits from the last to the first answers for suffixes.

use crate::number::{Pattern, nibble};
use crate::segment::digit_sequence::{DigitSequence, DigitsWriter};
use crate::segment::entries::Entries;
use crate::segment::ids::{Entry, Position};
use crate::segment::image::{Image, Section, Writer};
use crate::segment::slots::{Code, REMOVED};
use std::ops::Range;

/// Which way a trie reads numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Prefix,
    Suffix,
}

/// A node's place among all nodes; the root, of all entries, has the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NodeId(usize);

const ROOT: NodeId = NodeId(0);

/// Digits that lead from a node: each plus one, from 1 to 10.
const DIGITS: [u8; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/// The words of a node: where its facets start, how many entries it has, the first block of its digits, its
/// parent, the digit that leads to it, and its child for each digit. What may be absent is kept plus one, and
/// 0 says that it is.
const WORDS: usize = 15;

/// A node while a trie is made.
struct NewNode {
    start: u32,
    len: u32,
    /// The first block of its digits, where some of its children are kept and not all entries go the same
    /// way.
    digits: Option<u32>,
    /// The parent, and the digit that leads here; absent for the root.
    parent: Option<(u32, u8)>,
    children: [Option<u32>; 10],
}

impl NewNode {
    fn words(&self) -> [u32; WORDS] {
        let plus_one = |number: Option<u32>| number.map_or(0, |number| number + 1);
        let (parent, digit) = self.parent.unwrap_or_default();
        let mut words = [0; WORDS];
        words[..5].copy_from_slice(&[self.start, self.len, plus_one(self.digits), parent, digit.into()]);
        words[5..].copy_from_slice(&self.children.map(plus_one));
        words
    }
}

/// A node of an image.
#[derive(Clone, Copy)]
struct Node<'a>(&'a [u32; WORDS]);

impl Node<'_> {
    fn start(self) -> usize {
        self.0[0] as usize
    }

    fn len(self) -> usize {
        self.0[1] as usize
    }

    fn digits(self) -> Option<usize> {
        self.0[2].checked_sub(1).map(|block| block as usize)
    }

    /// The parent, and the digit that leads here; of any node but the root.
    fn parent(self) -> (NodeId, u8) {
        (NodeId(self.0[3] as usize), self.0[4] as u8)
    }

    fn child(self, digit: u8) -> Option<NodeId> {
        self.0[4 + usize::from(digit)].checked_sub(1).map(|node| NodeId(node as usize))
    }
}

/// What a trie is made of.
pub(crate) struct TrieWriter<'a, C> {
    /// The digits of each entry, packed as numbers are.
    keys: &'a [u64],
    entries: Entries<'a>,
    /// The slot of each row.
    rows: &'a [C],
    /// Nodes with more entries are kept.
    heavy: usize,
    nodes: Vec<NewNode>,
    digits: DigitsWriter,
}

impl<'a, C: Code> TrieWriter<'a, C> {
    pub(crate) fn new(
        keys: &'a [u64],
        entries: Entries<'a>,
        rows: &'a [C],
        heavy: usize,
    ) -> TrieWriter<'a, C> {
        TrieWriter { keys, entries, rows, heavy, nodes: Vec::new(), digits: DigitsWriter::default() }
    }

    /// Makes the trie and writes it; the facets of its nodes are added to `facets`. The root's are there
    /// already, from `start` on.
    pub(crate) fn write(mut self, out: &mut Writer, direction: Direction, start: usize, facets: &mut Vec<C>) {
        if self.keys.len() > self.heavy {
            let entries: Vec<u32> = (0..self.keys.len() as u32).collect();
            self.add(&entries, 0, start, facets);
        }
        let (nodes, digits, samples) = sections(direction);
        let words: Vec<[u32; WORDS]> = self.nodes.iter().map(NewNode::words).collect();
        out.put(nodes, &words);
        out.put(samples, &self.digits.samples);
        out.put_bytes(digits, self.digits.nibbles);
    }

    /// Adds the facets of some entries: where several are of one row, only the first counts.
    pub(crate) fn add_facets(&self, entries: impl Iterator<Item = u32>, facets: &mut Vec<C>) {
        let mut last = None;
        facets.extend(entries.map(|entry| {
            let row = self.entries.row(Entry::new(entry as usize));
            if last.replace(row) == Some(row) { C::new(REMOVED) } else { self.rows[row.get()] }
        }));
    }

    /// Adds the node of some entries, and those below it.
    fn add(&mut self, entries: &[u32], depth: usize, start: usize, facets: &mut Vec<C>) -> u32 {
        let keys = self.keys;
        let digit = |entry: &u32| nibble(keys[*entry as usize], depth);
        let mut counts = [0; 16];
        entries.iter().for_each(|entry| counts[usize::from(digit(entry))] += 1);
        let number = self.nodes.len() as u32;
        let (start_word, len) = (start as u32, entries.len() as u32);
        let node = NewNode { start: start_word, len, digits: None, parent: None, children: [None; 10] };
        self.nodes.push(node);
        if let Some(only) = DIGITS.into_iter().find(|digit| counts[usize::from(*digit)] == entries.len()) {
            // The child has the same entries, and shares the facets.
            let child = self.add(entries, depth + 1, start, facets);
            self.adopt(number, only, child);
            return number;
        }
        let heavy: Vec<u8> =
            DIGITS.into_iter().filter(|digit| counts[usize::from(*digit)] > self.heavy).collect();
        if heavy.is_empty() {
            return number;
        }
        self.nodes[number as usize].digits = Some(self.digits.add(entries.iter().map(digit)) as u32);
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
        self.nodes[parent as usize].children[usize::from(digit) - 1] = Some(child);
        self.nodes[child as usize].parent = Some((parent, digit));
    }
}

/// Where a trie's nodes, their digits and the samples of those are.
const fn sections(direction: Direction) -> (Section, Section, Section) {
    match direction {
        Direction::Prefix => (Section::PrefixNodes, Section::PrefixDigits, Section::PrefixSamples),
        Direction::Suffix => (Section::SuffixNodes, Section::SuffixDigits, Section::SuffixSamples),
    }
}

/// A trie of an image; without nodes where entries are few.
#[derive(Clone, Copy)]
pub(crate) struct Trie<'a> {
    nodes: &'a [[u32; WORDS]],
    nibbles: &'a [u8],
    samples: &'a [u32],
}

impl<'a> Trie<'a> {
    pub(crate) fn of(image: &'a Image, direction: Direction) -> Trie<'a> {
        let (nodes, digits, samples) = sections(direction);
        Trie {
            nodes: image.integers(nodes),
            nibbles: image.section(digits),
            samples: image.integers(samples),
        }
    }

    fn root(&self) -> Option<NodeId> {
        (!self.nodes.is_empty()).then_some(ROOT)
    }

    fn node(&self, NodeId(node): NodeId) -> Node<'a> {
        Node(&self.nodes[node])
    }

    fn digits(&self, node: Node<'_>) -> Option<DigitSequence<'a>> {
        Some(DigitSequence::new(self.nibbles, self.samples, node.digits()?, node.len()))
    }

    /// How many of the node's entries before `at` go on with `digit`, where that child is kept.
    fn down(&self, node: Node<'_>, digit: u8, at: usize) -> usize {
        // Without digits of its own, all its entries go the same way.
        self.digits(node).map_or(at, |digits| digits.rank(digit, at))
    }

    /// The entry at a position of a node.
    pub(crate) fn entry(&self, mut id: NodeId, position: Position) -> Entry {
        let mut at = position.get() - self.node(id).start();
        while id != ROOT {
            let (parent, digit) = self.node(id).parent();
            if let Some(digits) = self.digits(self.node(parent)) {
                at = digits.select(digit, at);
            }
            id = parent;
        }
        Entry::new(at)
    }

    /// The positions of a node's entries that are among these.
    pub(crate) fn within(&self, id: NodeId, entries: &Range<Entry>) -> Range<Position> {
        let start = self.node(id).start();
        let places = self.places(id, Entry::numbers(entries));
        Position::range(start + places.start..start + places.end)
    }

    /// Which of a node's entries, counted from its first, are among these.
    fn places(&self, id: NodeId, entries: Range<usize>) -> Range<usize> {
        if id == ROOT {
            return entries;
        }
        let (parent, digit) = self.node(id).parent();
        let above = self.places(parent, entries);
        let parent = self.node(parent);
        self.down(parent, digit, above.start)..self.down(parent, digit, above.end)
    }

    /// The node of a prefix, if it is kept.
    pub(crate) fn find(&self, pattern: &Pattern) -> Option<NodeId> {
        (0..pattern.len).try_fold(self.root()?, |node, i| self.node(node).child(pattern.nibble(i)))
    }

    /// Calls `each` with the positions of an entry in all nodes below the root, `number` being the entry's.
    pub(crate) fn positions(&self, number: u64, entry: Entry, mut each: impl FnMut(Position)) {
        let Some(mut id) = self.root() else { return };
        let mut at = entry.get();
        let mut last = self.node(id).start() + at;
        for depth in 0.. {
            let digit = nibble(number, depth);
            let node = self.node(id);
            let Some(child) = DIGITS.contains(&digit).then(|| node.child(digit)).flatten() else { return };
            at = self.down(node, digit, at);
            let position = self.node(child).start() + at;
            // A node that shares its parent's facets has no position of its own.
            if position != last {
                each(Position::new(position));
            }
            (id, last) = (child, position);
        }
    }

    /// The topmost nodes whose prefixes contain the digits, with the prefixes.
    pub(crate) fn containing(&self, pattern: &Pattern) -> Vec<(NodeId, String)> {
        let mut found = Vec::new();
        let mut open: Vec<_> = self.root().into_iter().map(|root| (root, String::new())).collect();
        let digits: String = (0..pattern.len).map(|i| char::from(b'0' + pattern.nibble(i) - 1)).collect();
        while let Some((node, prefix)) = open.pop() {
            if prefix.ends_with(&digits) {
                found.push((node, prefix));
                continue;
            }
            for digit in DIGITS {
                if let Some(child) = self.node(node).child(digit) {
                    open.push((child, format!("{prefix}{}", digit - 1)));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{NumberTest, pack_digits};
    use crate::segment::entries::EntriesWriter;

    /// Rows of one or two numbers each; every node that is kept has the entries that start like it, in their
    /// order.
    #[test]
    fn nodes_have_the_entries_that_start_like_them() {
        let mut random = fastrand::Rng::with_seed(1);
        for (len, heavy) in [(0, 3), (3, 3), (400, 5), (3000, 20)] {
            let mut entries = EntriesWriter::new();
            let mut keys: Vec<u64> = Vec::new();
            let rows: Vec<u8> = (0..len).map(|_| random.u8(1..5)).collect();
            for _ in 0..len {
                let several = usize::from(random.u8(0..5) == 0);
                entries.add(1 + several);
                for _ in 0..=several {
                    let digits = match random.u8(0..3) {
                        0 => format!("12{}", random.u8(0..40)),
                        _ => format!("1{:03}", random.u16(0..1000)),
                    };
                    keys.push(pack_digits(&digits).unwrap());
                }
            }
            let mut facets = Vec::new();
            let mut out = Writer::new();
            let writer = TrieWriter::new(&keys, entries.entries(), &rows, heavy);
            writer.add_facets(0..keys.len() as u32, &mut facets);
            writer.write(&mut out, Direction::Suffix, 0, &mut facets);
            let image = out.finish();
            let trie = Trie::of(&image, Direction::Suffix);
            assert!(Trie::of(&image, Direction::Prefix).root().is_none());
            assert_eq!(trie.root().is_some(), keys.len() > heavy);
            let all = 0..keys.len();
            let mut positions = vec![Vec::new(); keys.len()];
            for prefix in ["", "1", "12", "13", "123", "2", "1234", "12345"] {
                let pattern = Pattern::new(prefix).unwrap();
                let test = NumberTest::Prefix(pattern);
                let known: Vec<usize> = all.clone().filter(|entry| test.holds(keys[*entry])).collect();
                let Some(node) = trie.find(&pattern) else {
                    assert!(known.len() <= heavy, "{prefix}");
                    continue;
                };
                assert!(known.len() > heavy);
                let start = random.usize(0..=keys.len());
                let range = start..random.usize(start..=keys.len());
                let whole = trie.within(node, &(Entry::new(0)..Entry::new(keys.len())));
                let some = trie.within(node, &(Entry::new(range.start)..Entry::new(range.end)));
                let some = Position::numbers(&some);
                let found: Vec<usize> =
                    some.map(|position| trie.entry(node, Position::new(position)).get()).collect();
                let expected: Vec<usize> =
                    known.iter().copied().filter(|entry| range.contains(entry)).collect();
                assert_eq!(found, expected, "{prefix}");
                let mut last = None;
                for (position, entry) in Position::numbers(&whole).zip(&known) {
                    let row = entries.entries().row(Entry::new(*entry));
                    let first = last.replace(row) != Some(row);
                    assert_eq!(facets[position], if first { rows[row.get()] } else { 0 });
                    positions[*entry].push(position);
                }
            }
            for (entry, positions) in positions.iter().enumerate().filter(|_| trie.root().is_some()) {
                let mut found = vec![entry];
                trie.positions(keys[entry], Entry::new(entry), |position| found.push(position.get()));
                assert!(found.is_sorted_by(|a, b| a < b));
                assert!(positions.iter().all(|position| found.contains(position)));
            }
        }
    }

    #[test]
    fn the_topmost_prefixes_with_the_digits_are_found() {
        let mut entries = EntriesWriter::new();
        let keys: Vec<u64> = (0..1000)
            .map(|i| pack_digits(&format!("12{i:03}")).unwrap())
            .inspect(|_| entries.add(1))
            .collect();
        let rows = vec![1u8; keys.len()];
        let mut out = Writer::new();
        let mut facets = rows.clone();
        TrieWriter::new(&keys, entries.entries(), &rows, 5).write(
            &mut out,
            Direction::Prefix,
            0,
            &mut facets,
        );
        let image = out.finish();
        let trie = Trie::of(&image, Direction::Prefix);
        let containing = |digits: &str| -> Vec<String> {
            let found = trie.containing(&Pattern::new(digits).unwrap()).into_iter();
            let mut found: Vec<String> = found
                .map(|(node, prefix)| {
                    assert_eq!(trie.find(&Pattern::new(&prefix).unwrap()), Some(node));
                    prefix
                })
                .collect();
            found.sort_unstable();
            found
        };
        assert_eq!(containing("12"), ["12"]);
        assert_eq!(containing("23"), ["1223", "123"]);
        assert_eq!(containing("22"), ["122"]);
        assert_eq!(containing("77"), ["1277"]);
        assert_eq!(containing("777"), [] as [&str; 0]);
    }
}
