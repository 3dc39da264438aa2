//! How much of everything a segment has.

use crate::segment::ids::Position;
use crate::segment::image::{Image, Section, Writer};

/// The sizes of a segment's structures.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Rows, removed ones too.
    pub(crate) rows: usize,
    /// Recipients of all rows together.
    pub(crate) entries: usize,
    /// Distinct phone numbers.
    pub(crate) numbers: usize,
    /// Distinct recipients, numbers and others.
    pub(crate) recipients: usize,
    /// Where the facets of all entries start, which the roots of both tries have; absent where every row has
    /// one recipient, since the facets of all rows are the same then.
    pub(crate) roots: Option<Position>,
    /// What a segment's size is limited by: [`crate::segment::rows::Rows::weight`].
    pub(crate) weight: usize,
}

impl Sizes {
    pub(crate) fn write(&self, out: &mut Writer) {
        // 0 is the position of the first row: no root of its own starts there.
        let roots = self.roots.map_or(0, Position::get);
        let sizes = [self.rows, self.entries, self.numbers, self.recipients, roots, self.weight];
        out.put(Section::Sizes, &sizes.map(|size| size as u64));
    }

    pub(crate) fn of(image: &Image) -> Sizes {
        let size = |at: usize| image.integers::<u64>(Section::Sizes)[at] as usize;
        Sizes {
            rows: size(0),
            entries: size(1),
            numbers: size(2),
            recipients: size(3),
            roots: Some(Position::new(size(4))).filter(|roots| roots.get() != 0),
            weight: size(5),
        }
    }
}
