//! Binary search over numbers.

use std::ops::Range;

/// The first number of a range that does not come before something, or the range's end; those before it must
/// be the first ones.
pub(crate) fn partition_point(range: Range<usize>, mut before: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = (low + high) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
