//! Makes a segment from rows.

use crate::facet::Combination;
use crate::image::{Image, Section, Writer, pack24};
use crate::keys;
use crate::number::{LIMIT, pack, reversed, unpack};
use crate::query::Key;
use crate::slots::Code;
use crate::{counts, digits, trie};
use std::collections::HashMap;

/// Marks a row's recipients in [`Rows::to`] as one of [`Rows::others`].
const OTHER: u64 = 1 << 63;
/// The digits of an entry that is no number: no digit of a number has this value.
const NO_NUMBER: u64 = 15 << 56;
/// More rows of a recipient than this are noted apart.
pub(crate) const LONG: u8 = u8::MAX;
/// Recipients that share a sample of where their rows start.
pub(crate) const SAMPLE: usize = 64;

/// The recipients of a row: distinct, sorted, in lower case (ASCII); at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Recipients {
    /// One number.
    Number(u64),
    /// Several, or no number.
    Texts(std::sync::Arc<[Box<str>]>),
}

impl Recipients {
    pub(crate) fn new(texts: &[Box<str>]) -> Recipients {
        if let [text] = texts
            && let Some(number) = pack(text)
        {
            return Recipients::Number(number);
        }
        let mut texts: Vec<Box<str>> =
            texts.iter().map(|text| text.to_ascii_lowercase().into_boxed_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        Recipients::Texts(texts.into())
    }

    /// As texts.
    pub(crate) fn texts(&self) -> Box<[Box<str>]> {
        match self {
            Recipients::Number(number) => [unpack(*number).into_boxed_str()].into(),
            Recipients::Texts(texts) => texts.iter().cloned().collect(),
        }
    }
}

/// Rows to make segments of, by column.
#[derive(Default)]
pub(crate) struct Rows {
    keys: Vec<Key>,
    combinations: Vec<Combination>,
    to: Vec<u64>,
    others: Vec<std::sync::Arc<[Box<str>]>>,
    /// The number of recipients of all rows together.
    entries: usize,
    unsorted: bool,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// What a segment's limit counts: recipients, and sets of them.
    pub(crate) fn weight(&self) -> usize {
        self.entries + self.others.len()
    }

    pub(crate) fn push(&mut self, key: Key, combination: Combination, to: Recipients) {
        self.unsorted |= self.keys.last().is_some_and(|last| *last > key);
        self.keys.push(key);
        self.combinations.push(combination);
        let (to, entries) = match to {
            Recipients::Number(number) => (number, 1),
            Recipients::Texts(texts) => {
                let entries = texts.len();
                self.others.push(texts);
                (OTHER | (self.others.len() - 1) as u64, entries)
            }
        };
        self.to.push(to);
        self.entries += entries;
    }

    /// A row's recipients.
    fn recipients(&self, row: usize) -> Recipients {
        match self.to[row] {
            number if number & OTHER == 0 => Recipients::Number(number),
            other => Recipients::Texts(self.others[(other & !OTHER) as usize].clone()),
        }
    }

    /// Splits the rows, put in order of their keys, into pieces of at most this weight.
    pub(crate) fn into_pieces(self, weight_max: usize) -> Vec<Rows> {
        if !self.unsorted && self.weight() <= weight_max {
            return vec![self];
        }
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        if self.unsorted {
            order.sort_unstable_by_key(|row| self.keys[*row as usize]);
        }
        let count = self.weight().div_ceil(weight_max.max(1)).max(1);
        // Equal pieces: a small last one would cost every search as much as a large one.
        let weight_max = self.weight().div_ceil(count);
        let mut pieces = vec![Rows::default()];
        for row in order {
            let row = row as usize;
            if pieces.last().is_some_and(|piece| piece.weight() >= weight_max) {
                pieces.push(Rows::default());
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push(self.keys[row], self.combinations[row], self.recipients(row));
            }
        }
        pieces
    }

    /// Makes the segment of these rows, which are in order of their keys; at least one. Prefixes and suffixes with
    /// more than `heavy` rows get a node.
    pub(crate) fn build(self, application: &str, heavy: usize) -> Image {
        let occurring: std::collections::HashSet<Combination> = self.combinations.iter().copied().collect();
        let combinations = counts::combinations(occurring.iter().copied());
        if combinations.len() <= 1 << u8::BITS {
            self.build_with::<u8>(application, heavy, occurring.len(), &combinations)
        } else {
            self.build_with::<u16>(application, heavy, occurring.len(), &combinations)
        }
    }

    fn build_with<C: Code + Into<usize>>(
        self,
        application: &str,
        heavy: usize,
        occurring: usize,
        combinations: &[u32],
    ) -> Image {
        let known = &combinations[..=occurring];
        let slot = |combination: &Combination| known.partition_point(|known| *known < combination.number());
        let codes: Vec<C> =
            self.combinations.iter().map(|combination| C::new(slot(combination) as u16)).collect();
        let mut out = Writer::new();
        let (rows, weight) = (self.len(), self.weight());
        out.put_bytes(Section::Application, application.as_bytes().to_vec());
        let (head, packed) = keys::pack(&self.keys);
        out.put(Section::KeyHead, &head);
        out.put_bytes(Section::Keys, packed);

        // Entries: a recipient of a row each, in the order of rows.
        let (mut set_rows, mut set_extras) = (Vec::new(), Vec::new());
        let mut texts: Vec<&str> = Vec::new();
        for others in &self.others {
            texts.extend(others.iter().map(|text| &**text).filter(|text| pack(text).is_none()));
        }
        texts.sort_unstable();
        texts.dedup();
        let text_numbers: HashMap<&str, u64> =
            texts.iter().enumerate().map(|(i, text)| (*text, LIMIT + i as u64)).collect();
        let mut entry_keys = Vec::with_capacity(self.entries);
        for (row, to) in self.to.iter().enumerate() {
            if to & OTHER == 0 {
                entry_keys.push(*to);
                continue;
            }
            let members = &self.others[(to & !OTHER) as usize];
            if members.len() > 1 {
                set_rows.push(row as u32);
                set_extras.push((entry_keys.len() - row) as u32);
            }
            entry_keys.extend(members.iter().map(|text| pack(text).unwrap_or_else(|| text_numbers[&**text])));
        }
        set_extras.push((entry_keys.len() - rows) as u32);
        let row_of = |entry: usize| row_of(&set_rows, &set_extras, entry);

        // Ordinals: numbers first, in their order, then texts in theirs.
        let mut pairs: Vec<(u64, u32)> =
            entry_keys.iter().enumerate().map(|(entry, key)| (*key, entry as u32)).collect();
        pairs.sort_unstable();
        let mut ordinals = vec![0u32; entry_keys.len()];
        let (mut numbers, mut counts) = (Vec::new(), Vec::<u32>::new());
        let mut last = None;
        for (key, entry) in &pairs {
            if last.replace(*key) != Some(*key) {
                counts.push(0);
                if *key < LIMIT {
                    numbers.push(*key);
                }
            }
            if let Some(count) = counts.last_mut() {
                *count += 1;
            }
            ordinals[*entry as usize] = counts.len() as u32 - 1;
        }
        put_postings(&mut out, &counts);
        out.put_bytes(
            Section::PostingRows,
            pack24(pairs.iter().map(|(_, entry)| row_of(*entry as usize) as u32)),
        );
        let mut facets = codes.clone();
        facets.extend(pairs.iter().map(|(_, entry)| codes[row_of(*entry as usize)]));
        drop(pairs);

        let mut to = Vec::with_capacity(rows);
        let mut first = 0;
        let mut sets = Sets::default();
        let mut next_set = set_rows.iter().peekable();
        for row in 0..rows {
            if next_set.next_if(|known| **known == row as u32).is_some() {
                let members = self.others[(self.to[row] & !OTHER) as usize].len();
                let number = sets.number(&ordinals[first..first + members]);
                to.push(counts.len() as u32 + number);
                first += members;
            } else {
                to.push(ordinals[first]);
                first += 1;
            }
        }
        drop(ordinals);
        out.put_bytes(Section::To, pack24(to.into_iter()));
        sets.put(&mut out);
        out.put(Section::SetRows, &set_rows);
        out.put(Section::SetExtras, &set_extras);
        put_texts(&mut out, &texts);

        let (blocks, planes) = digits::make(&numbers);
        out.put(Section::Blocks, &blocks);
        out.put(Section::Planes, &planes);
        let mut backwards: Vec<(u64, u32)> =
            numbers.iter().enumerate().map(|(ordinal, number)| (reversed(*number), ordinal as u32)).collect();
        backwards.sort_unstable();
        out.put_bytes(Section::BySuffix, pack24(backwards.into_iter().map(|(_, ordinal)| ordinal)));

        // Tries. Where every row has one recipient, their roots share the facets of all rows.
        let root = if set_rows.is_empty() { 0 } else { facets.len() };
        for key in &mut entry_keys {
            *key = if *key < LIMIT { *key } else { NO_NUMBER };
        }
        let mut builder = trie::Builder::new(&entry_keys, &row_of, &codes, heavy);
        if root != 0 {
            builder.add_facets(0..entry_keys.len() as u32, &mut facets);
        }
        builder.grow(root, &mut facets);
        out.put(Section::PrefixNodes, &builder.nodes);
        out.put(Section::PrefixSamples, &builder.symbols.samples);
        out.put_bytes(Section::PrefixSymbols, builder.symbols.nibbles);
        let backwards: Vec<u64> =
            entry_keys.iter().map(|key| if *key == NO_NUMBER { *key } else { reversed(*key) }).collect();
        let mut builder = trie::Builder::new(&backwards, &row_of, &codes, heavy);
        builder.grow(root, &mut facets);
        out.put(Section::SuffixNodes, &builder.nodes);
        out.put(Section::SuffixSamples, &builder.symbols.samples);
        out.put_bytes(Section::SuffixSymbols, builder.symbols.nibbles);

        let made = counts::make(&facets, combinations.len());
        out.put(Section::Combinations, combinations);
        out.put(Section::Low, &made.low);
        out.put(Section::Middle, &made.middle);
        out.put(Section::High, &made.high);
        out.put(Section::Slots, &facets);
        let counted =
            [rows, entry_keys.len(), numbers.len(), counts.len(), root, weight].map(|count| count as u64);
        out.put(Section::Meta, &counted);
        out.finish()
    }
}

/// Different sets of recipients.
#[derive(Default)]
struct Sets {
    members: Vec<u32>,
    starts: Vec<u32>,
    numbers: HashMap<Box<[u32]>, u32>,
}

impl Sets {
    /// The number of a set.
    fn number(&mut self, members: &[u32]) -> u32 {
        let mut members = members.to_vec();
        members.sort_unstable();
        let next = self.numbers.len() as u32;
        *self.numbers.entry(members.into_boxed_slice()).or_insert_with_key(|members| {
            self.starts.push(self.members.len() as u32);
            self.members.extend_from_slice(members);
            next
        })
    }

    fn put(&mut self, out: &mut Writer) {
        self.starts.push(self.members.len() as u32);
        out.put(Section::SetStarts, &self.starts);
        out.put(Section::SetMembers, &self.members);
    }
}

/// The row of an entry, from the rows with several recipients and the entries that come extra before each of them,
/// and before the end.
pub(crate) fn row_of(rows: &[u32], extras: &[u32], entry: usize) -> usize {
    let set = first_set(rows, |i| (rows[i] + extras[i]) as usize > entry);
    let Some(before) = set.checked_sub(1) else { return entry };
    let row = rows[before] as usize;
    // Within the entries of that row, or behind them.
    row.max(entry.saturating_sub(extras[set] as usize))
}

/// The first entry of a row.
pub(crate) fn entry_of(rows: &[u32], extras: &[u32], row: usize) -> usize {
    let set = first_set(rows, |i| rows[i] as usize >= row);
    row + extras[set] as usize
}

/// The first of the rows with several recipients for which `behind` holds; their number when there is none.
fn first_set(rows: &[u32], behind: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, rows.len());
    while low < high {
        let middle = (low + high) / 2;
        if behind(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Where each recipient's rows start: a sample for every 64, and how many rows each one has.
fn put_postings(out: &mut Writer, counts: &[u32]) {
    let (mut samples, mut long) = (Vec::new(), Vec::new());
    let mut start = 0u32;
    for (ordinal, count) in counts.iter().enumerate() {
        if ordinal % SAMPLE == 0 {
            samples.push(start);
        }
        if *count >= u32::from(LONG) {
            long.extend([ordinal as u32, *count]);
        }
        start += count;
    }
    samples.push(start);
    out.put(Section::PostingSamples, &samples);
    out.put(Section::PostingLong, &long);
    out.put_bytes(
        Section::PostingCounts,
        counts.iter().map(|count| (*count).min(u32::from(LONG)) as u8).collect(),
    );
}

/// Texts, each between two octets that occur in no text.
fn put_texts(out: &mut Writer, texts: &[&str]) {
    let (mut starts, mut bytes) = (Vec::new(), vec![crate::texts::SEPARATOR]);
    for text in texts {
        starts.push(bytes.len() as u32);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(crate::texts::SEPARATOR);
    }
    starts.push(bytes.len() as u32);
    out.put(Section::TextStarts, &starts);
    out.put_bytes(Section::Texts, bytes);
}
