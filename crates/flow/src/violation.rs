//! What is wrong with a step, member by member, and the rules that several channels share.

use crate::number::is_e164;
use crate::rule::Rule;

/// Longest label, in characters.
const LABEL_MAX: usize = 350;
/// Longest URL, in characters.
const URL_MAX: usize = 1000;

/// A rule that a step breaks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field} {message}")]
pub struct Violation {
    /// The member of the wire form, relative to the step: `message.text`.
    pub field: String,
    /// Which one.
    pub rule: Rule,
    /// The rule in words.
    pub message: String,
}

/// The rules that a step was found to break.
#[derive(Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    pub(crate) fn into_vec(self) -> Vec<Violation> {
        self.0
    }

    pub(crate) fn add(&mut self, field: &str, rule: Rule, message: impl Into<String>) {
        self.0.push(Violation { field: field.into(), rule, message: message.into() });
    }

    pub(crate) fn length(&mut self, field: &str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min || length > max {
            self.add(field, Rule::Length, format!("must have {min} to {max} characters; it has {length}"));
        }
    }

    pub(crate) fn url(&mut self, field: &str, value: &str, https: bool) {
        let scheme_fits = value.starts_with("https://") || (!https && value.starts_with("http://"));
        let host =
            value.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
        if !scheme_fits || !host || value.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let wanted = if https { "https" } else { "http or https" };
            self.add(field, Rule::Format, format!("must be an {wanted} URL"));
        }
        if value.chars().count() > URL_MAX {
            self.add(field, Rule::Length, format!("must have at most {URL_MAX} characters"));
        }
    }

    pub(crate) fn phone(&mut self, field: &str, value: &str) {
        if !is_e164(value) {
            self.add(field, Rule::Format, "must be an E.164 number: + and 7 to 15 digits, the first not 0");
        }
    }

    pub(crate) fn label(&mut self, field: &str, label: Option<&String>) {
        if let Some(label) = label {
            self.length(field, label, 1, LABEL_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(check: impl FnOnce(&mut Violations)) -> Vec<Rule> {
        let mut found = Violations::default();
        check(&mut found);
        found.into_vec().into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn a_violation_is_told_by_member_and_rule() {
        let mut found = Violations::default();
        found.length("message.text", "", 1, 2);
        let message = "must have 1 to 2 characters; it has 0".to_owned();
        let violation = Violation { field: "message.text".into(), rule: Rule::Length, message };
        assert_eq!(violation.to_string(), "message.text must have 1 to 2 characters; it has 0");
        assert_eq!(found.into_vec(), [violation]);
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        for (text, is_allowed) in [("", false), ("字", true), ("字字", true), ("字字字", false)] {
            let found = rules(|found| found.length("x", text, 1, 2));
            assert_eq!(found.is_empty(), is_allowed, "{text}");
        }
        assert_eq!(rules(|found| found.label("label", None)), []);
        assert_eq!(rules(|found| found.label("label", Some(&String::new()))), [Rule::Length]);
    }

    #[test]
    fn urls_have_a_scheme_a_host_and_no_blanks() {
        let url = |https| move |url: &str| rules(|found| found.url("url", url, https));
        for good in ["https://a", "https://a.example/x?y=1#z", "https://a.example:8443"] {
            assert_eq!((url(true)(good), url(false)(good)), (vec![], vec![]), "{good}");
        }
        assert_eq!((url(true)("http://a"), url(false)("http://a")), (vec![Rule::Format], vec![]));
        for bad in [
            "",
            "a",
            "https:",
            "https://",
            "https:///x",
            "ftp://a",
            "//a",
            "https//a",
            "https://a b",
            "https://a\u{0}",
            "xhttps://a",
            "HTTPS://a",
            "https://a\u{3000}b",
        ] {
            assert_eq!((url(true)(bad), url(false)(bad)), (vec![Rule::Format], vec![Rule::Format]), "{bad}");
        }
        let long = |characters: usize| format!("https://{}", "字".repeat(characters - 8));
        assert_eq!(url(true)(&long(1000)), []);
        assert_eq!(url(true)(&long(1001)), [Rule::Length]);
    }

    #[test]
    fn the_rule_for_urls_names_the_schemes() {
        let mut found = Violations::default();
        found.url("a", "x", true);
        found.url("b", "x", false);
        let messages: Vec<_> = found.into_vec().into_iter().map(|violation| violation.message).collect();
        assert_eq!(messages, ["must be an https URL", "must be an http or https URL"]);
    }
}
