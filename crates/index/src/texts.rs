//! A dictionary of recipients that are no numbers: sorted, as one text that is looked through at the speed of memory.

use crate::query::TextOperator;
use crate::term::Term;
use memchr::memmem::Finder;
use std::ops::Range;

/// Stands before, between and behind the texts; no octet of UTF-8.
pub(crate) const SEPARATOR: u8 = 0xff;

/// The texts of an image.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    /// Where each starts, and where a next one would.
    pub(crate) starts: &'a [u32],
    pub(crate) bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn octets(&self, at: usize) -> &'a [u8] {
        &self.bytes[self.starts[at] as usize..self.starts[at + 1] as usize - 1]
    }

    /// A text.
    pub(crate) fn get(&self, at: usize) -> &'a str {
        // They were texts when they were written.
        std::str::from_utf8(self.octets(at)).unwrap_or_default()
    }

    /// The texts that match, as ascending ranges.
    pub(crate) fn matching(&self, term: &Term) -> Vec<Range<usize>> {
        let text = term.text.as_bytes();
        let bound = |less: &dyn Fn(&[u8]) -> bool| {
            let (mut low, mut high) = (0, self.len());
            while low < high {
                let middle = (low + high) / 2;
                if less(self.octets(middle)) { low = middle + 1 } else { high = middle }
            }
            low
        };
        let range = match term.operator {
            TextOperator::Is => bound(&|known| known < text)..bound(&|known| known <= text),
            TextOperator::StartsWith => {
                bound(&|known| known < text)..bound(&|known| known < text || known.starts_with(text))
            }
            TextOperator::Contains | TextOperator::EndsWith if text.is_empty() => 0..self.len(),
            TextOperator::Contains => return self.scan(text),
            TextOperator::EndsWith => return self.scan(&[text, &[SEPARATOR]].concat()),
        };
        if range.is_empty() { vec![] } else { vec![range] }
    }

    fn scan(&self, needle: &[u8]) -> Vec<Range<usize>> {
        let finder = Finder::new(needle);
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        while let Some(at) = finder.find(&self.bytes[from..]) {
            let place = (from + at) as u32;
            let text = self.starts.partition_point(|start| *start <= place) - 1;
            match found.last_mut() {
                Some(last) if last.end == text => last.end += 1,
                _ => found.push(text..text + 1),
            }
            // On with the next text.
            from = self.starts[text + 1] as usize;
        }
        found
    }
}
