//! Recipients: a dictionary of texts, and for each the rows that go to it, with their facets beside them so that
//! `to is` combined with a facet stays within one list.

use crate::query::TextOperator;
use memchr::memmem::Finder;
use std::collections::HashMap;

/// Marks a number in the rows' column as that of a set of several recipients.
const SEVERAL: u32 = 1 << 31;

/// Stands before, between and after the texts of the dictionary; no octet of UTF-8.
const SEPARATOR: u8 = 0xff;

/// The rows that go to one recipient, ascending, and their facets.
#[derive(Default)]
pub(crate) struct Posting {
    pub(crate) rows: Vec<u32>,
    pub(crate) facets: Vec<u8>,
}

pub(crate) struct Recipients {
    /// Ordinals by text, in lower case (ASCII).
    ordinals: HashMap<Box<str>, u32>,
    /// All texts in the order of their ordinals, each between two separators: one pass finds every text that
    /// contains a term, at the speed of memory.
    texts: Vec<u8>,
    /// Where each text starts in `texts`.
    starts: Vec<usize>,
    postings: Vec<Posting>,
    sets: Vec<Box<[u32]>>,
    set_numbers: HashMap<Box<[u32]>, u32>,
}

impl Default for Recipients {
    fn default() -> Recipients {
        Recipients {
            ordinals: HashMap::new(),
            texts: vec![SEPARATOR],
            starts: Vec::new(),
            postings: Vec::new(),
            sets: Vec::new(),
            set_numbers: HashMap::new(),
        }
    }
}

impl Recipients {
    /// The number of a set of recipients, for the rows' column.
    pub(crate) fn number(&mut self, recipients: &[Box<str>]) -> u32 {
        let mut ordinals: Vec<u32> = recipients.iter().map(|text| self.ordinal(text)).collect();
        ordinals.sort_unstable();
        ordinals.dedup();
        if let [one] = *ordinals {
            return one;
        }
        let ordinals = ordinals.into_boxed_slice();
        if let Some(number) = self.set_numbers.get(&ordinals) {
            return *number;
        }
        let number = self.sets.len() as u32 | SEVERAL;
        self.sets.push(ordinals.clone());
        self.set_numbers.insert(ordinals, number);
        number
    }

    fn ordinal(&mut self, text: &str) -> u32 {
        let text = text.to_ascii_lowercase().into_boxed_str();
        if let Some(ordinal) = self.ordinals.get(&text) {
            return *ordinal;
        }
        let ordinal = self.starts.len() as u32;
        self.starts.push(self.texts.len());
        self.texts.extend_from_slice(text.as_bytes());
        self.texts.push(SEPARATOR);
        self.postings.push(Posting::default());
        self.ordinals.insert(text, ordinal);
        ordinal
    }

    /// The ordinals of a number's recipients.
    pub(crate) fn ordinals<'a>(&'a self, number: &'a u32) -> &'a [u32] {
        if number & SEVERAL == 0 {
            std::slice::from_ref(number)
        } else {
            &self.sets[(number & !SEVERAL) as usize]
        }
    }

    /// The texts of a number's recipients.
    pub(crate) fn texts(&self, number: u32) -> Box<[Box<str>]> {
        let text = |ordinal: &u32| {
            let start = self.starts[*ordinal as usize];
            let end = self.starts.get(*ordinal as usize + 1).map_or(self.texts.len(), |next| *next) - 1;
            String::from_utf8_lossy(&self.texts[start..end]).into_owned().into_boxed_str()
        };
        self.ordinals(&number).iter().map(text).collect()
    }

    /// The rows of a recipient.
    pub(crate) fn posting(&self, ordinal: u32) -> &Posting {
        &self.postings[ordinal as usize]
    }

    /// How many recipients are known.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Notes a row, new or changed, with its facet.
    pub(crate) fn note(&mut self, number: u32, row: u32, code: u8) {
        for ordinal in self.ordinals(&number).to_vec() {
            let posting = &mut self.postings[ordinal as usize];
            // Mostly the newest row of all.
            match posting.rows.binary_search(&row) {
                Ok(at) => posting.facets[at] = code,
                Err(at) => {
                    posting.rows.insert(at, row);
                    posting.facets.insert(at, code);
                }
            }
        }
    }

    /// Forgets a row.
    pub(crate) fn forget(&mut self, number: u32, row: u32) {
        for ordinal in self.ordinals(&number).to_vec() {
            let posting = &mut self.postings[ordinal as usize];
            if let Ok(at) = posting.rows.binary_search(&row) {
                posting.rows.remove(at);
                posting.facets.remove(at);
            }
        }
    }

    /// The recipients that match, ascending.
    pub(crate) fn matching(&self, operator: TextOperator, term: &str) -> Vec<u32> {
        let term = term.to_ascii_lowercase();
        let (before, after): (&[u8], &[u8]) = match operator {
            TextOperator::Is => return self.ordinals.get(term.as_str()).copied().into_iter().collect(),
            TextOperator::Contains => (&[], &[]),
            TextOperator::StartsWith => (&[SEPARATOR], &[]),
            TextOperator::EndsWith => (&[], &[SEPARATOR]),
        };
        if term.is_empty() {
            return (0..self.starts.len() as u32).collect();
        }
        let needle = [before, term.as_bytes(), after].concat();
        let finder = Finder::new(&needle);
        let mut found = Vec::new();
        let (mut from, mut next) = (0, 0);
        while let Some(at) = finder.find(&self.texts[from..]) {
            // The first octet of the term itself is inside its text.
            let inside = from + at + before.len();
            next += first_above(&self.starts[next..], inside);
            found.push(next as u32 - 1);
            // On with the next text, from the separator before it.
            let Some(next_start) = self.starts.get(next) else { break };
            from = next_start - 1;
        }
        found
    }
}

/// How many of the ascending values are not above `limit`; quick when there are few.
fn first_above(values: &[usize], limit: usize) -> usize {
    let mut step = 1;
    while values.get(step - 1).is_some_and(|value| *value <= limit) {
        step *= 2;
    }
    values[..step.min(values.len())].partition_point(|value| *value <= limit)
}
