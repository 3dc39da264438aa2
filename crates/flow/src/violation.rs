//! What is wrong with a step, member by member, and the rules that several channels share.

use crate::number::is_e164;
use crate::rule::Rule;

/// Longest label, in characters.
const LABEL_MAX: usize = 350;
/// Longest URL, in characters.
const URL_MAX: usize = 1000;

/// A rule that a step breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
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
