//! How much a client may ask for in one flow.

use std::borrow::Cow;

/// The limits that a flow is checked against when it is sent. A flow that was accepted is never refused later because
/// of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Steps of a flow.
    pub steps_max: usize,
    /// Sms parts of a flow, over all its steps.
    pub parts_max: usize,
    /// Octets of a flow's document in the store, however long it lives: [`crate::NewFlow::measure`].
    pub flow_bytes_max: usize,
    /// Verbs of a Voice step.
    pub verbs_max: usize,
    /// Parameters of a Viber template.
    pub template_params_max: usize,
    /// Octets of the names and values of a Viber template's parameters together.
    pub template_params_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            steps_max: 32,
            parts_max: 255,
            flow_bytes_max: 256 * 1024,
            verbs_max: 100,
            template_params_max: 100,
            template_params_bytes_max: 16 * 1024,
        }
    }
}

/// A text of somebody else's in one line of at most `octets` of JSON: control characters become blanks, and what is too
/// much is cut off.
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

/// Octets of a text in JSON, without its quotes, where it has no control characters.
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
