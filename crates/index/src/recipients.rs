//! Recipients: a dictionary of texts, and for each the rows that go to it, with their facets beside them so that
//! `to is` combined with a facet stays within one list.

use crate::query::TextOperator;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// Marks a number in the rows' column as that of a set of several recipients.
const SEVERAL: u32 = 1 << 31;

/// The rows that go to one recipient, ascending, and their facets.
#[derive(Default)]
pub(crate) struct Posting {
    pub(crate) rows: Vec<u32>,
    pub(crate) facets: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Recipients {
    /// Texts in lower case (ASCII), sorted, with their ordinals.
    ordinals: BTreeMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
    postings: Vec<Posting>,
    sets: Vec<Box<[u32]>>,
    set_numbers: HashMap<Box<[u32]>, u32>,
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
        let ordinal = self.texts.len() as u32;
        self.texts.push(text.clone());
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
        self.ordinals(&number).iter().map(|ordinal| self.texts[*ordinal as usize].clone()).collect()
    }

    /// The rows of a recipient.
    pub(crate) fn posting(&self, ordinal: u32) -> &Posting {
        &self.postings[ordinal as usize]
    }

    /// How many recipients are known.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
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

    /// The recipients that match.
    pub(crate) fn matching(&self, operator: TextOperator, term: &str) -> Vec<u32> {
        let term = term.to_ascii_lowercase();
        match operator {
            TextOperator::Is => self.ordinals.get(term.as_str()).copied().into_iter().collect(),
            TextOperator::StartsWith => {
                let from = (Bound::Included(term.as_str()), Bound::Unbounded);
                let texts = self.ordinals.range::<str, _>(from);
                texts.take_while(|(text, _)| text.starts_with(&term)).map(|(_, ordinal)| *ordinal).collect()
            }
            TextOperator::Contains => {
                let finder = memchr::memmem::Finder::new(&term);
                self.filtered(|text| finder.find(text.as_bytes()).is_some())
            }
            TextOperator::EndsWith => self.filtered(|text| text.ends_with(&term)),
        }
    }

    fn filtered(&self, holds: impl Fn(&str) -> bool) -> Vec<u32> {
        let matching = self.texts.iter().enumerate().filter(|(_, text)| holds(text));
        matching.map(|(ordinal, _)| ordinal as u32).collect()
    }
}
