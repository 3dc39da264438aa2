//! How much time a document of statistics sums up.

use flow::statistics::Quarter;

/// How much time a document sums up. Its number in a database is that of its quarters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Span {
    /// A quarter of an hour.
    Quarter = 1,
    /// An hour.
    Hour = 4,
    /// A day (UTC).
    Day = 96,
}

impl Span {
    /// Every span.
    pub(crate) const ALL: [Span; 3] = [Span::Quarter, Span::Hour, Span::Day];

    /// How many quarters of an hour it has.
    pub(crate) const fn quarters(self) -> i64 {
        self as i64
    }

    /// The first quarter of the one that a quarter is in.
    pub(crate) const fn start(self, quarter: Quarter) -> Quarter {
        Quarter(quarter.0 - quarter.0.rem_euclid(self.quarters()))
    }
}
