//! The numbers by which the structures of a segment speak of the same things. Each is a type of its own, so
//! that none is taken for another.

use std::ops::Range;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(transparent)]
        pub(crate) struct $name(u32);

        impl $name {
            pub(crate) const fn new(number: usize) -> $name {
                $name(number as u32)
            }

            /// The number itself.
            pub(crate) const fn get(self) -> usize {
                self.0 as usize
            }

            /// The numbers of a range.
            pub(crate) const fn numbers(range: &Range<$name>) -> Range<usize> {
                range.start.get()..range.end.get()
            }
        }
    };
}

macro_rules! ranges {
    ($($name:ident),*) => {$(
        impl $name {
            pub(crate) const fn range(range: Range<usize>) -> Range<$name> {
                $name::new(range.start)..$name::new(range.end)
            }
        }
    )*};
}

ranges!(Row, Ordinal, Position);

number! {
    /// A row, counted in the order of creation from the segment's first one.
    Row
}

number! {
    /// A recipient of a row, counted through all rows in their order. Where every row has one recipient it is
    /// the row's number.
    Entry
}

number! {
    /// A distinct recipient: phone numbers come first, in their order, then all other texts in theirs.
    Ordinal
}

number! {
    /// A place among all facets of a segment. Rows come first, then the rows of each recipient, then those of
    /// each node of the tries: a row has several positions, with the same facets at each.
    Position
}
