//! A dictionary of recipients that are no numbers: sorted, as one text that is looked through at the speed of
//! memory.

use crate::partition::partition_point;
use crate::query::language::TextOperator;
use crate::query::term::Term;
use crate::segment::ids::Ordinal;
use crate::segment::image::{Image, Section, Writer};
use memchr::memmem::Finder;
use std::ops::Range;

/// Stands before, between and behind the texts; no octet of UTF-8.
const SEPARATOR: u8 = 0xff;

/// Writes texts, ascending and distinct.
pub(crate) fn write(out: &mut Writer, texts: &[&str]) {
    let (mut starts, mut bytes) = (Vec::new(), vec![SEPARATOR]);
    for text in texts {
        starts.push(bytes.len() as u32);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(SEPARATOR);
    }
    starts.push(bytes.len() as u32);
    out.put(Section::TextStarts, &starts);
    out.put_bytes(Section::Texts, bytes);
}

/// The texts of an image.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    /// The ordinal of the first text: there are as many numbers.
    first: usize,
    /// Where each starts, and where a next one would.
    starts: &'a [u32],
    bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    pub(crate) fn of(image: &'a Image, numbers: usize) -> Texts<'a> {
        let (starts, bytes) = (image.integers(Section::TextStarts), image.section(Section::Texts));
        Texts { first: numbers, starts, bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn octets(&self, at: usize) -> &'a [u8] {
        &self.bytes[self.starts[at] as usize..self.starts[at + 1] as usize - 1]
    }

    /// The text with an ordinal.
    pub(crate) fn get(&self, ordinal: Ordinal) -> &'a str {
        // They were texts when they were written.
        std::str::from_utf8(self.octets(ordinal.get() - self.first)).unwrap_or_default()
    }

    /// The texts that match, as ascending ranges.
    pub(crate) fn matching(&self, term: &Term) -> Vec<Range<Ordinal>> {
        let text = term.text.as_bytes();
        let all = 0..self.len();
        let bound =
            |before: &dyn Fn(&[u8]) -> bool| partition_point(all.clone(), |at| before(self.octets(at)));
        let range = match term.operator {
            TextOperator::Is => bound(&|known| known < text)..bound(&|known| known <= text),
            TextOperator::StartsWith => {
                bound(&|known| known < text)..bound(&|known| known < text || known.starts_with(text))
            }
            TextOperator::Contains | TextOperator::EndsWith if text.is_empty() => all,
            TextOperator::Contains => return self.scan(text),
            TextOperator::EndsWith => return self.scan(&[text, &[SEPARATOR]].concat()),
        };
        if range.is_empty() { vec![] } else { vec![self.ordinals(range)] }
    }

    fn ordinals(&self, texts: Range<usize>) -> Range<Ordinal> {
        Ordinal::range(self.first + texts.start..self.first + texts.end)
    }

    fn scan(&self, needle: &[u8]) -> Vec<Range<Ordinal>> {
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
        found.into_iter().map(|texts| self.ordinals(texts)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::language::{Filter, Predicate};

    #[test]
    fn finds_what_a_walk_finds() {
        use TextOperator::{Contains, EndsWith, Is, StartsWith};
        let mut random = fastrand::Rng::with_seed(1);
        for count in [0, 1, 2, 60] {
            let word = |random: &mut fastrand::Rng, len: usize| -> String {
                (0..len).map(|_| if random.bool() { 'a' } else { 'b' }).collect()
            };
            let mut texts: Vec<String> = (0..count).map(|_| word(&mut random, 1 + count % 7)).collect();
            texts.extend((0..count).map(|at| word(&mut random, at % 5)));
            texts.sort_unstable();
            texts.dedup();
            let mut out = Writer::new();
            write(&mut out, &texts.iter().map(String::as_str).collect::<Vec<_>>());
            let image = out.finish();
            let dictionary = Texts::of(&image, 100);
            assert_eq!(dictionary.len(), texts.len());
            for (at, text) in texts.iter().enumerate() {
                assert_eq!(dictionary.get(Ordinal::new(100 + at)), text);
            }
            for round in 0..200 {
                let operator = [Is, Contains, StartsWith, EndsWith][round % 4];
                let part = word(&mut random, round % 6);
                let predicate = Predicate::To(operator, part);
                let term = &Term::all(&[Filter { predicate, negated: false }])[0];
                let ranges = dictionary.matching(term);
                assert!(ranges.is_sorted_by(|a, b| a.end < b.start));
                let found = ranges.iter().flat_map(Ordinal::numbers);
                let holds = |at: &usize| term.holds_text(&texts[*at - 100]);
                let expected = (100..100 + texts.len()).filter(holds);
                assert!(found.eq(expected), "{operator:?} {:?}", term.text);
            }
        }
    }
}
