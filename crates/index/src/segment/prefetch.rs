//! Reading ahead.

use std::hint::black_box;

/// Reads these words before they are needed, so that several of them are on their way from memory at once.
///
/// A structure that is looked at in many far places waits for memory at each of them, one after the other, as
/// long as what is read first decides what is read next. Here nothing is decided between the reads, so the
/// processor has all of them under way together; afterwards they lie in its cache. [`black_box`] keeps the
/// compiler from leaving out reads whose result nobody uses. The processor's own instruction for it takes a
/// pointer, which needs `unsafe`.
pub(crate) fn prefetch(words: impl Iterator<Item = u64>) {
    black_box(words.fold(0, |all, word| all ^ word));
}
