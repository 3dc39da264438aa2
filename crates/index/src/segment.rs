//! A segment: rows of one application, sealed. Who they are and where they go never changes; their facets do, in an
//! overlay. A copy is cheap and stays as it was.

use crate::build::{LONG, Recipients, SAMPLE, entry_of, row_of};
use crate::counts::{Base, Counts, Overlay};
use crate::digits::Digits;
use crate::facet::Combination;
use crate::image::{Image, Section, damaged, get24};
use crate::keys::Keys;
use crate::number::{reversed, unpack};
use crate::query::Key;
use crate::slots::{REMOVED, Slots};
use crate::texts::Texts;
use crate::trie::Trie;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Words of recipients whose counts are read together.
const READ_TOGETHER: usize = 16;

/// Some rows of one application in the order of creation.
#[derive(Clone)]
pub(crate) struct Segment {
    image: Arc<Image>,
    overlay: Option<Arc<Overlay>>,
    /// Rows that were removed or moved elsewhere.
    pub(crate) dead: usize,
    /// Changes of facets since the image was made.
    pub(crate) changed: usize,
    /// It still has recipients of which nothing may be left.
    pub(crate) erases: bool,
    /// Its first and its last key.
    pub(crate) first: Key,
    pub(crate) last: Key,
}

/// Which way a trie reads numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Prefix,
    Suffix,
}

impl Segment {
    /// A segment as it was made.
    pub(crate) fn new(image: Image) -> Segment {
        let nowhere = (0, uuid::Uuid::nil());
        let mut segment = Segment {
            image: Arc::new(image),
            overlay: None,
            dead: 0,
            changed: 0,
            erases: false,
            first: nowhere,
            last: nowhere,
        };
        let keys = segment.keys();
        (segment.first, segment.last) = (keys.get(0), keys.get(keys.len - 1));
        segment
    }

    pub(crate) fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Uses the same bytes from elsewhere.
    pub(crate) fn use_image(&mut self, image: Arc<Image>) {
        self.image = image;
    }

    fn meta(&self, at: usize) -> usize {
        self.image.integers::<u64>(Section::Meta)[at] as usize
    }

    /// Rows, removed ones too.
    pub(crate) fn len(&self) -> usize {
        self.meta(0)
    }

    /// Recipients of all rows together.
    pub(crate) fn entries(&self) -> usize {
        self.meta(1)
    }

    /// Different numbers.
    pub(crate) fn numbers(&self) -> usize {
        self.meta(2)
    }

    /// Different recipients.
    pub(crate) fn recipients(&self) -> usize {
        self.meta(3)
    }

    /// Where the facets of the tries' roots start: those of all rows, unless some rows have several recipients.
    pub(crate) fn root(&self) -> usize {
        self.meta(4)
    }

    /// What its size is limited by, as [`crate::build::Rows::weight`] was.
    pub(crate) fn weight(&self) -> usize {
        self.meta(5)
    }

    /// Whether some rows have several recipients.
    pub(crate) fn has_sets(&self) -> bool {
        !self.set_rows().is_empty()
    }

    /// The rows with several recipients.
    pub(crate) fn set_rows(&self) -> &[u32] {
        self.image.integers(Section::SetRows)
    }

    fn set_extras(&self) -> &[u32] {
        self.image.integers(Section::SetExtras)
    }

    /// The sets of recipients, each as ordinals.
    pub(crate) fn set(&self, number: usize) -> &[u32] {
        let starts: &[u32] = self.image.integers(Section::SetStarts);
        let members: &[u32] = self.image.integers(Section::SetMembers);
        &members[starts[number] as usize..starts[number + 1] as usize]
    }

    /// How many different sets of recipients there are.
    pub(crate) fn sets(&self) -> usize {
        self.image.integers::<u32>(Section::SetStarts).len() - 1
    }

    pub(crate) fn keys(&self) -> Keys<'_> {
        let head = self.image.integers(Section::KeyHead);
        Keys { head, bytes: self.image.section(Section::Keys), len: self.len() }
    }

    pub(crate) fn digits(&self) -> Digits<'_> {
        let (blocks, planes) = (self.image.integers(Section::Blocks), self.image.integers(Section::Planes));
        Digits { blocks, planes, len: self.numbers() }
    }

    pub(crate) fn texts(&self) -> Texts<'_> {
        Texts { starts: self.image.integers(Section::TextStarts), bytes: self.image.section(Section::Texts) }
    }

    /// The ordinals of numbers in the order of their digits from the last to the first.
    pub(crate) fn by_suffix(&self, at: usize) -> usize {
        get24(self.image.section(Section::BySuffix), at) as usize
    }

    pub(crate) fn trie(&self, direction: Direction) -> Trie<'_> {
        let (nodes, nibbles, samples) = match direction {
            Direction::Prefix => (Section::PrefixNodes, Section::PrefixSymbols, Section::PrefixSamples),
            Direction::Suffix => (Section::SuffixNodes, Section::SuffixSymbols, Section::SuffixSamples),
        };
        Trie {
            nodes: self.image.integers(nodes),
            nibbles: self.image.section(nibbles),
            samples: self.image.integers(samples),
        }
    }

    fn base(image: &Image) -> Base<'_> {
        let combinations: &[u32] = image.integers(Section::Combinations);
        Base {
            slots: if combinations.len() <= 1 << u8::BITS {
                Slots::Narrow(image.section(Section::Slots))
            } else {
                Slots::Wide(image.integers(Section::Slots))
            },
            combinations,
            low: image.integers(Section::Low),
            middle: image.integers(Section::Middle),
            high: image.integers(Section::High),
        }
    }

    pub(crate) fn counts(&self) -> Counts<'_> {
        Counts { base: Segment::base(&self.image), overlay: self.overlay.as_deref() }
    }

    /// A row's facets; none when it was removed.
    pub(crate) fn combination(&self, row: usize) -> Combination {
        let counts = self.counts();
        counts.combination(counts.get(row))
    }

    /// A row's recipient, or its set behind all recipients.
    pub(crate) fn to(&self, row: usize) -> usize {
        get24(self.image.section(Section::To), row) as usize
    }

    /// Calls `each` with a row's recipients.
    pub(crate) fn each_recipient(&self, row: usize, mut each: impl FnMut(usize)) {
        let to = self.to(row);
        match to.checked_sub(self.recipients()) {
            None => each(to),
            Some(set) => self.set(set).iter().for_each(|ordinal| each(*ordinal as usize)),
        }
    }

    /// Where the rows of a recipient start among those that are listed by recipient; of the one behind the last,
    /// their end.
    fn posting(&self, ordinal: usize) -> usize {
        let samples: &[u32] = self.image.integers(Section::PostingSamples);
        if ordinal == self.recipients() {
            return self.entries();
        }
        let first = ordinal / SAMPLE * SAMPLE;
        let counts = &self.image.section(Section::PostingCounts)[first..ordinal];
        samples[ordinal / SAMPLE] as usize + self.count_all(first, counts)
    }

    fn count(&self, ordinal: usize, count: u8) -> usize {
        if count < LONG {
            return usize::from(count);
        }
        let long: &[u32] = self.image.integers(Section::PostingLong);
        let (mut low, mut high) = (0, long.len() / 2);
        while low < high {
            let middle = (low + high) / 2;
            if (long[2 * middle] as usize) < ordinal { low = middle + 1 } else { high = middle }
        }
        long[2 * low + 1] as usize
    }

    /// Where the rows of a range of recipients are.
    pub(crate) fn postings(&self, ordinals: Range<usize>) -> Range<usize> {
        let start = self.posting(ordinals.start);
        if ordinals.len() == 1 {
            let count = self.image.section(Section::PostingCounts)[ordinals.start];
            return start..start + self.count(ordinals.start, count);
        }
        start..self.posting(ordinals.end)
    }

    /// Calls `each` with where the rows of each recipient are whose bit is set.
    pub(crate) fn each_posting(&self, bits: &[u64], mut each: impl FnMut(Range<usize>)) {
        let samples: &[u32] = self.image.integers(Section::PostingSamples);
        let counts = self.image.section(Section::PostingCounts);
        // A sample stands for the recipients of one word.
        const _: () = assert!(SAMPLE == 64);
        let words = bits.iter().enumerate().filter(|(_, bits)| **bits != 0);
        let words: Vec<(usize, u64)> = words.map(|(word, bits)| (word, *bits)).collect();
        // They may lie far apart: memory is read some at a time where nothing is decided between the reads, and while
        // those before are looked at.
        let fetch = |words: &[(usize, u64)]| {
            let read =
                |all, (word, _): &(usize, u64)| all ^ samples[*word] ^ u32::from(counts[word * SAMPLE]);
            std::hint::black_box(words.iter().fold(0, read));
        };
        let mut ahead = words.chunks(READ_TOGETHER);
        ahead.next().into_iter().for_each(fetch);
        for some in words.chunks(READ_TOGETHER) {
            ahead.next().into_iter().for_each(fetch);
            for (word, bits) in some {
                let first = word * SAMPLE;
                let (mut start, mut left, mut at) = (samples[*word] as usize, *bits, first);
                while left != 0 {
                    let ordinal = first + left.trailing_zeros() as usize;
                    start += self.count_all(at, &counts[at..ordinal]);
                    let count = self.count(ordinal, counts[ordinal]);
                    each(start..start + count);
                    start += count;
                    at = ordinal + 1;
                    left &= left - 1;
                }
            }
        }
    }

    /// How many rows the recipients from `first` on have, with these counts.
    fn count_all(&self, first: usize, counts: &[u8]) -> usize {
        let sum = counts.iter().map(|count| u32::from(*count)).sum::<u32>() as usize;
        // Long counts are rare.
        if sum < usize::from(LONG) || !counts.contains(&LONG) {
            return sum;
        }
        counts.iter().enumerate().map(|(i, count)| self.count(first + i, *count)).sum()
    }

    /// The row that is listed at a place; ascending within a recipient.
    pub(crate) fn posting_row(&self, at: usize) -> usize {
        get24(self.image.section(Section::PostingRows), at) as usize
    }

    /// Where the facets of listed rows start.
    pub(crate) fn posting_facets(&self) -> usize {
        self.len()
    }

    /// The first place in a range of one recipient's rows that is not before `row`.
    pub(crate) fn posting_bound(&self, range: &Range<usize>, row: usize) -> usize {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = (low + high) / 2;
            if self.posting_row(middle) < row { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The row of a recipient of a row.
    pub(crate) fn row_of(&self, entry: usize) -> usize {
        row_of(self.set_rows(), self.set_extras(), entry)
    }

    /// A row's first recipient among those of all rows.
    pub(crate) fn entry_of(&self, row: usize) -> usize {
        entry_of(self.set_rows(), self.set_extras(), row)
    }

    /// A row's recipients, as texts.
    pub(crate) fn texts_of(&self, row: usize) -> Recipients {
        let to = self.to(row);
        if to < self.numbers() {
            return Recipients::Number(self.digits().get(to));
        }
        let mut texts: Vec<Box<str>> = Vec::new();
        self.each_recipient(row, |ordinal| {
            texts.push(match ordinal.checked_sub(self.numbers()) {
                None => unpack(self.digits().get(ordinal)).into_boxed_str(),
                Some(text) => self.texts().get(text).into(),
            });
        });
        texts.sort_unstable();
        Recipients::Texts(texts.into())
    }

    /// Changes a row's facets everywhere; false where this segment has no slot left for them: then nothing changed.
    pub(crate) fn set_combination(&mut self, row: usize, combination: Combination) -> bool {
        let image = Arc::clone(&self.image);
        let base = Segment::base(&image);
        let Some(slot) = Overlay::slot(&mut self.overlay, &base, combination) else { return false };
        let old = Overlay::set(&mut self.overlay, &base, row, slot);
        if old == slot {
            return true;
        }
        self.changed += 1;
        self.dead += usize::from(slot == REMOVED);
        self.dead -= usize::from(old == REMOVED);
        let entry = self.entry_of(row);
        let mut places = Vec::with_capacity(16);
        if self.root() != 0 {
            places.push(self.root() + entry);
        }
        self.each_recipient(row, |ordinal| {
            let at = self.posting_bound(&self.postings(ordinal..ordinal + 1), row);
            places.push(self.posting_facets() + at);
            if ordinal < self.numbers() {
                let number = self.digits().get(ordinal);
                self.trie(Direction::Prefix).places(number, entry, |at| places.push(at));
                self.trie(Direction::Suffix).places(reversed(number), entry, |at| places.push(at));
            }
        });
        if self.has_sets() {
            // Recipients with a common prefix share its node.
            places.sort_unstable();
            places.dedup();
        }
        for at in places {
            Overlay::set(&mut self.overlay, &base, at, slot);
        }
        true
    }

    /// The facets of all rows; of those that were removed none.
    pub(crate) fn combinations(&self) -> Vec<Combination> {
        let (rows, counts) = (self.len(), self.counts());
        let mut all: Vec<Combination> =
            counts.base.slots.range(0..rows).iter().map(|slot| counts.combination(slot)).collect();
        for (row, combination) in self.overlaid() {
            all[row] = combination;
        }
        all
    }

    /// The rows in chunks of which something changed since the image was made, with their facets.
    fn overlaid(&self) -> impl Iterator<Item = (usize, Combination)> {
        let (rows, counts) = (self.len(), self.counts());
        let chunks = self.overlay.iter().flat_map(|overlay| overlay.chunks());
        chunks.flat_map(move |(start, slots)| {
            let here = (start..rows).zip(slots.iter());
            here.map(move |(row, slot)| (row, counts.combination(slot)))
        })
    }

    /// The rows whose facets changed since the image was made, with their facets.
    pub(crate) fn changes(&self) -> Vec<(u32, Combination)> {
        let counts = self.counts();
        let old = |row: usize| counts.combination(counts.base.slots.get(row));
        let changed = self.overlaid().filter(|(row, combination)| *combination != old(*row));
        changed.map(|(row, combination)| (row as u32, combination)).collect()
    }

    /// A segment whose image was read.
    ///
    /// # Errors
    /// When it is not of this application.
    pub(crate) fn read(image: Image, application: &str) -> io::Result<Segment> {
        if image.section(Section::Application) != application.as_bytes() {
            return Err(damaged("it belongs to another application"));
        }
        Ok(Segment::new(image))
    }
}
