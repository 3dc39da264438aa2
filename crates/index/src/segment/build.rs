//! Makes a segment of rows: numbers its entries and recipients, then has each structure written by its own
//! file.

use crate::facet::Combination;
use crate::number::{LIMIT, pack, reversed};
use crate::segment::count_tables::{self, Combinations};
use crate::segment::entries::{Entries, EntriesWriter};
use crate::segment::ids::{Entry, Position};
use crate::segment::image::{Image, Section, Writer};
use crate::segment::recipients::RecipientsWriter;
use crate::segment::rows::{RowTo, Rows};
use crate::segment::sizes::Sizes;
use crate::segment::slots::Code;
use crate::segment::trie::{Direction, TrieWriter};
use crate::segment::{keys, numbers, postings, suffixes, texts};
use std::collections::{HashMap, HashSet};

/// The digits of an entry that is no number: no digit of a number has this value.
const NO_NUMBER: u64 = 15 << 56;

/// Makes the segment of these rows, which are in order of their keys; at least one. Prefixes and suffixes
/// with more than `heavy` rows get a node.
pub(crate) fn build(rows: &Rows, application: &str, heavy: usize) -> Image {
    let occurring: HashSet<Combination> = rows.combinations().iter().copied().collect();
    let combinations = Combinations::new(occurring.into_iter());
    if combinations.is_narrow() {
        write::<u8>(rows, application, heavy, &combinations)
    } else {
        write::<u16>(rows, application, heavy, &combinations)
    }
}

fn write<C: Code>(rows: &Rows, application: &str, heavy: usize, combinations: &Combinations) -> Image {
    let mut out = Writer::new();
    out.put_bytes(Section::Application, application.as_bytes().to_vec());
    keys::write(&mut out, rows.keys());
    let slots = rows.combinations().iter().map(|combination| C::new(combinations.slot(*combination)));
    let slots: Vec<C> = slots.collect();
    let texts = distinct_texts(rows);
    texts::write(&mut out, &texts);
    let (entry_keys, entries) = entries_of(rows, &texts);
    entries.write(&mut out);
    let entries = entries.entries();

    // The facets of all positions, in the order of `Position`.
    let mut facets = slots.clone();
    let (known, by_recipient) = Known::new(&entry_keys);
    let listed = || by_recipient.iter().map(|(_, entry)| entries.row(Entry::new(*entry as usize)));
    postings::write(&mut out, &known.counts, listed());
    facets.extend(listed().map(|row| slots[row.get()]));
    drop(by_recipient);
    numbers::write(&mut out, &known.numbers);
    suffixes::write(&mut out, &known.numbers);
    let mut recipients = RecipientsWriter::new(known.counts.len(), rows.len());
    let mut ordinals = &known.ordinals[..];
    for to in rows.to() {
        let (of_row, behind) = ordinals.split_at(recipients_of(&to));
        recipients.add(of_row);
        ordinals = behind;
    }
    recipients.write(&mut out);
    let mut sizes = Sizes {
        rows: rows.len(),
        entries: entry_keys.len(),
        numbers: known.numbers.len(),
        recipients: known.counts.len(),
        roots: None,
        weight: rows.weight(),
    };
    drop(known);
    sizes.roots = write_tries(&mut out, entry_keys, entries, &slots, heavy, &mut facets);
    sizes.write(&mut out);
    count_tables::write(&mut out, combinations, &facets);
    out.finish()
}

fn recipients_of(to: &RowTo<'_>) -> usize {
    match to {
        RowTo::Number(_) => 1,
        RowTo::Texts(texts) => texts.len(),
    }
}

/// The recipients that are no numbers, in their order.
fn distinct_texts(rows: &Rows) -> Vec<&str> {
    let mut texts: Vec<&str> = rows.others().filter(|text| pack(text).is_none()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// A key of each entry, in the order of their recipients: a number itself, and larger ones for other texts.
fn entries_of(rows: &Rows, texts: &[&str]) -> (Vec<u64>, EntriesWriter) {
    let text_keys: HashMap<&str, u64> =
        texts.iter().enumerate().map(|(i, text)| (*text, LIMIT + i as u64)).collect();
    let mut keys = Vec::with_capacity(rows.entries());
    let mut entries = EntriesWriter::new();
    for to in rows.to() {
        entries.add(recipients_of(&to));
        match to {
            RowTo::Number(number) => keys.push(number),
            RowTo::Texts(texts) => {
                keys.extend(texts.iter().map(|text| pack(text).unwrap_or_else(|| text_keys[&**text])));
            }
        }
    }
    (keys, entries)
}

/// The distinct recipients.
struct Known {
    /// The ordinal of each entry's.
    ordinals: Vec<u32>,
    /// Those that are numbers.
    numbers: Vec<u64>,
    /// How many entries each has.
    counts: Vec<u32>,
}

impl Known {
    /// From the key of each entry; beside them the entries, each with its key, recipient after recipient.
    fn new(entry_keys: &[u64]) -> (Known, Vec<(u64, u32)>) {
        let mut by_recipient: Vec<(u64, u32)> =
            entry_keys.iter().enumerate().map(|(entry, key)| (*key, entry as u32)).collect();
        by_recipient.sort_unstable();
        let mut known =
            Known { ordinals: vec![0; entry_keys.len()], numbers: Vec::new(), counts: Vec::new() };
        for same in by_recipient.chunk_by(|(key, _), (next, _)| key == next) {
            let (key, ordinal) = (same[0].0, known.counts.len() as u32);
            if key < LIMIT {
                known.numbers.push(key);
            }
            known.counts.push(same.len() as u32);
            same.iter().for_each(|(_, entry)| known.ordinals[*entry as usize] = ordinal);
        }
        (known, by_recipient)
    }
}

/// Writes both tries and adds the facets of their nodes. Returns where those of their roots start, unless
/// they share the facets of all rows.
fn write_tries<C: Code>(
    out: &mut Writer,
    mut entry_keys: Vec<u64>,
    entries: Entries<'_>,
    slots: &[C],
    heavy: usize,
    facets: &mut Vec<C>,
) -> Option<Position> {
    let has_sets = entries.rows_with_several().len() > 0;
    let roots = has_sets.then(|| Position::new(facets.len()));
    let start = roots.map_or(0, Position::get);
    for key in &mut entry_keys {
        *key = if *key < LIMIT { *key } else { NO_NUMBER };
    }
    let trie = TrieWriter::new(&entry_keys, entries, slots, heavy);
    if has_sets {
        trie.add_facets(0..entry_keys.len() as u32, facets);
    }
    trie.write(out, Direction::Prefix, start, facets);
    for key in entry_keys.iter_mut().filter(|key| **key != NO_NUMBER) {
        *key = reversed(*key);
    }
    TrieWriter::new(&entry_keys, entries, slots, heavy).write(out, Direction::Suffix, start, facets);
    roots
}
