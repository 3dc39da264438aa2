//! A segment: rows of one application, sealed. Who they are and where they go never changes; their facets do,
//! in an overlay. A copy is cheap and stays as it was.

use crate::facet::Combination;
use crate::number::{reversed, unpack};
use crate::query::language::Key;
use crate::record::Recipients;
use crate::segment::count_tables::Base;
use crate::segment::counts::Counts;
use crate::segment::entries::Entries;
use crate::segment::ids::{Ordinal, Position, Row};
use crate::segment::image::{Image, Section, damaged};
use crate::segment::keys::Keys;
use crate::segment::numbers::Numbers;
use crate::segment::overlay::Overlay;
use crate::segment::postings::Postings;
use crate::segment::recipients::{RowRecipients, To};
use crate::segment::sizes::Sizes;
use crate::segment::slots::REMOVED;
use crate::segment::suffixes::Suffixes;
use crate::segment::texts::Texts;
use crate::segment::trie::{Direction, Trie};
use std::io;
use std::sync::Arc;

/// Some rows of one application in the order of creation.
#[derive(Clone)]
pub(crate) struct Segment {
    image: Arc<Image>,
    sizes: Sizes,
    overlay: Option<Arc<Overlay>>,
    /// Rows that were removed or moved elsewhere.
    removed: usize,
    /// Changes of facets since the image was made.
    changed: usize,
    /// Whether it still has recipients of which nothing may be left.
    pub(crate) has_erased: bool,
    /// Its first and its last key.
    pub(crate) first: Key,
    pub(crate) last: Key,
}

impl Segment {
    /// A segment as it was made.
    pub(crate) fn new(image: Image) -> Segment {
        let sizes = Sizes::of(&image);
        let keys = Keys::of(&image, sizes.rows);
        let (first, last) = (keys.get(Row::new(0)), keys.get(Row::new(sizes.rows - 1)));
        let image = Arc::new(image);
        Segment { image, sizes, overlay: None, removed: 0, changed: 0, has_erased: false, first, last }
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

    pub(crate) fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Uses the same bytes from elsewhere.
    pub(crate) fn use_image(&mut self, image: Arc<Image>) {
        self.image = image;
    }

    pub(crate) fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Rows, removed ones too.
    pub(crate) fn rows(&self) -> usize {
        self.sizes.rows
    }

    /// Rows that were removed or moved elsewhere.
    pub(crate) fn removed(&self) -> usize {
        self.removed
    }

    /// Changes of facets since the image was made.
    pub(crate) fn changed(&self) -> usize {
        self.changed
    }

    pub(crate) fn keys(&self) -> Keys<'_> {
        Keys::of(&self.image, self.rows())
    }

    pub(crate) fn numbers(&self) -> Numbers<'_> {
        Numbers::of(&self.image, self.sizes.numbers)
    }

    /// The recipients that are no numbers.
    pub(crate) fn texts(&self) -> Texts<'_> {
        Texts::of(&self.image, self.sizes.numbers)
    }

    pub(crate) fn suffixes(&self) -> Suffixes<'_> {
        Suffixes::of(&self.image, self.numbers())
    }

    pub(crate) fn trie(&self, direction: Direction) -> Trie<'_> {
        Trie::of(&self.image, direction)
    }

    pub(crate) fn postings(&self) -> Postings<'_> {
        Postings::of(&self.image, &self.sizes)
    }

    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries::of(&self.image)
    }

    /// Whether some rows have several recipients.
    pub(crate) fn has_sets(&self) -> bool {
        self.entries().rows_with_several().len() > 0
    }

    pub(crate) fn recipients(&self) -> RowRecipients<'_> {
        RowRecipients::of(&self.image, self.sizes.recipients)
    }

    pub(crate) fn counts(&self) -> Counts<'_> {
        Counts { base: Base::of(&self.image), overlay: self.overlay.as_deref() }
    }

    /// A row's facets; none if it was removed.
    pub(crate) fn combination(&self, row: Row) -> Combination {
        let counts = self.counts();
        counts.combination(counts.get(Position::new(row.get())))
    }

    /// A row's recipients, as texts.
    pub(crate) fn recipients_of(&self, row: Row) -> Recipients {
        let numbers = self.numbers();
        let is_number = |ordinal: Ordinal| ordinal.get() < numbers.len();
        if let To::One(ordinal) = self.recipients().get(row)
            && is_number(ordinal)
        {
            return Recipients::Number(numbers.get(ordinal));
        }
        let mut texts: Vec<Box<str>> = Vec::new();
        self.recipients().each(row, |ordinal| {
            texts.push(if is_number(ordinal) {
                unpack(numbers.get(ordinal)).into_boxed_str()
            } else {
                self.texts().get(ordinal).into()
            });
        });
        texts.sort_unstable();
        Recipients::Texts(texts.into())
    }

    /// Changes a row's facets at all its positions. Returns whether it did: without a slot for them nothing
    /// changes.
    pub(crate) fn set_combination(&mut self, row: Row, combination: Combination) -> bool {
        let image = Arc::clone(&self.image);
        let base = Base::of(&image);
        let Some(slot) = Overlay::slot(&mut self.overlay, &base, combination) else { return false };
        let old = self.counts().get(Position::new(row.get()));
        if old == slot {
            return true;
        }
        self.changed += 1;
        self.removed += usize::from(slot == REMOVED);
        self.removed -= usize::from(old == REMOVED);
        let mut positions = Vec::with_capacity(16);
        self.positions(row, &mut positions);
        for position in positions {
            debug_assert_eq!(self.counts().get(position), old);
            Overlay::set(&mut self.overlay, &base, position, (old, slot));
        }
        true
    }

    /// Adds the positions where a row's facets are, each once. A node has them at the first of the row's
    /// entries in it.
    fn positions(&self, row: Row, positions: &mut Vec<Position>) {
        positions.push(Position::new(row.get()));
        let entry = self.entries().first(row);
        if let Some(roots) = self.sizes.roots {
            positions.push(Position::new(roots.get() + entry.get()));
        }
        let (postings, numbers) = (self.postings(), self.numbers());
        self.recipients().each(row, |ordinal| {
            positions.push(postings.bound(&postings.of_one(ordinal), row));
            if ordinal.get() < numbers.len() {
                let number = numbers.get(ordinal);
                self.trie(Direction::Prefix).positions(number, entry, |at| positions.push(at));
                self.trie(Direction::Suffix).positions(reversed(number), entry, |at| positions.push(at));
            }
        });
        if self.has_sets() {
            // Recipients with a common prefix share its node.
            positions.sort_unstable();
            positions.dedup();
        }
    }

    /// The facets of all rows; of those that were removed none.
    pub(crate) fn combinations(&self) -> Vec<Combination> {
        let counts = self.counts();
        let slots = counts.base.slots.range(0..self.rows());
        let mut all: Vec<Combination> = slots.iter().map(|slot| counts.combination(slot)).collect();
        for (row, combination) in self.overlaid() {
            all[row] = combination;
        }
        all
    }

    /// The rows in chunks of which something changed since the image was made, with their facets.
    fn overlaid(&self) -> impl Iterator<Item = (usize, Combination)> {
        let (rows, counts) = (self.rows(), self.counts());
        let chunks = self.overlay.iter().flat_map(|overlay| overlay.chunks());
        chunks.flat_map(move |(start, slots)| {
            let here = (start..rows).zip(slots.iter());
            here.map(move |(row, slot)| (row, counts.combination(slot)))
        })
    }

    /// The rows whose facets changed since the image was made, with their facets.
    pub(crate) fn changes(&self) -> Vec<(Row, Combination)> {
        let counts = self.counts();
        let old = |row: usize| counts.combination(counts.base.slots.get(row));
        let changed = self.overlaid().filter(|(row, combination)| *combination != old(*row));
        changed.map(|(row, combination)| (Row::new(row), combination)).collect()
    }
}
