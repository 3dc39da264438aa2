//! Texts of carriers and of callbacks' targets, cut to what a flow keeps of them.

use crate::detail::Detail;
use std::borrow::Cow;

/// Messages of more parts than this keep shorter words of their carriers.
const FEW_PARTS: usize = 16;
/// Octets of a carrier's words about a part, and of a network's name: of messages of few parts, and of many.
const WORDS_MAX: usize = 200;
const MANY_WORDS_MAX: usize = 24;
/// Octets of a text in a history: tracking and callbacks have more of the latest one.
const BRIEF_MAX: usize = 60;
/// Octets of a network's error code.
const CODE_MAX: usize = 16;
/// Octets of a detailed status, which a configuration may word.
pub(crate) const DETAIL_MAX: usize = 32;
/// Octets of a carrier's name, and of its id of a message: longer ids are kept by their hash
/// ([`crate::CarrierRef::new`]).
pub const CARRIER_MAX: usize = 64;
/// See [`CARRIER_MAX`].
pub const REFERENCE_MAX: usize = 48;

/// Octets of a carrier's words that each part of a message of `parts` parts keeps.
pub(crate) const fn words_max(parts: usize) -> usize {
    if parts <= FEW_PARTS { WORDS_MAX } else { MANY_WORDS_MAX }
}

/// A carrier's words about a part of a message of `parts` parts, cut to what is kept.
pub(crate) fn part_words(text: &str, parts: usize) -> String {
    words(text, words_max(parts)).into_owned()
}

/// A text, cut to what a history keeps of it.
pub(crate) fn brief(text: &str) -> String {
    words(text, BRIEF_MAX).into_owned()
}

/// A network's error code, cut to what a history keeps of it.
pub(crate) fn code(text: &str) -> String {
    words(text, CODE_MAX).into_owned()
}

/// A carrier's name, cut to what its configuration allows.
pub(crate) fn carrier_name(name: &str) -> String {
    words(name, CARRIER_MAX).into_owned()
}

/// A detailed status, which a carrier or a configuration may have worded, cut to what is kept.
pub(crate) fn detail(detail: &Detail) -> Detail {
    match words(&detail.0, DETAIL_MAX) {
        Cow::Borrowed(text) if text.len() == detail.0.len() => detail.clone(),
        cut => Detail(Cow::Owned(cut.into_owned())),
    }
}

/// A text from outside in one line of at most `octets` of JSON: control characters become blanks, and the
/// rest is cut off.
pub(crate) fn words(text: &str, octets: usize) -> Cow<'_, str> {
    let size = |c: char| if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() };
    let mut left = octets;
    let end = text.char_indices().find_map(|(at, c)| match left.checked_sub(size(c)) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(at),
    });
    let kept = &text[..end.unwrap_or(text.len())];
    if kept.contains(char::is_control) {
        return Cow::Owned(kept.replace(char::is_control, " "));
    }
    Cow::Borrowed(kept)
}

/// Octets of a text in JSON, without its quotes, if it has no control characters.
pub(crate) fn json_octets(text: &str) -> usize {
    text.len() + text.bytes().filter(|octet| matches!(octet, b'"' | b'\\')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_into_a_line_of_json() {
        assert_eq!(words("as it is", 8), "as it is");
        assert_eq!(words("as it is", 7), "as it i");
        assert_eq!(words("a\u{1b}\nb\u{7f}", 9), "a  b ");
        assert_eq!(words("δέλτα", 5), "δέ");
        for text in ["\"\"\"\"\"\"", "\\\\\\\\", "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}", "﷽﷽﷽"] {
            let kept = words(text, 5);
            assert!(serde_json::to_string(&kept).unwrap().len() <= 5 + 2, "{text:?}");
        }
    }
}
