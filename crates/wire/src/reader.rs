//! Reads a request's JSON by hand, so that every broken rule is reported at once with its path, and so that
//! blank is absent (contract, section 2).

use crate::problems::Problems;
use flow::Rule;
use serde_json::{Map, Value};

/// Whether a value counts as not given: null, an empty string, array or object, or an object of such.
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.values().all(is_blank),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a value says nothing where it does not belong: blank, false, zero, or an object of such.
fn is_idle(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Object(members) => members.values().all(is_idle),
        other => is_blank(other),
    }
}

/// What is right instead of a name that nobody knows.
pub fn unknown(name: &str, names: &[&str]) -> String {
    match names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => format!("is not known; it is written {known}"),
        None => format!("is not known; known are {}", names.join(", ")),
    }
}

/// An object of the request, and where it is.
#[derive(Clone)]
pub struct Reader<'a> {
    members: &'a Map<String, Value>,
    path: String,
    problems: &'a Problems,
}

impl<'a> Reader<'a> {
    /// Reads `value`, which is at `path`.
    pub fn of(value: &'a Value, path: impl Into<String>, problems: &'a Problems) -> Option<Reader<'a>> {
        let path = path.into();
        match value {
            Value::Object(members) => Some(Reader { members, path, problems }),
            _ => {
                problems.add(path, Rule::Type, "must be an object");
                None
            }
        }
    }

    /// Where broken rules are noted.
    pub fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// The path of a member.
    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Notes that a member breaks a rule.
    pub fn refuse(&self, name: &str, rule: Rule, message: impl Into<String>) {
        self.problems.add(self.path(name), rule, message);
    }

    /// A member that is given, by the first of its spellings that is.
    fn given<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &'a Value)> {
        names.iter().find_map(|&name| {
            self.members.get(name).filter(|value| !is_blank(value)).map(|value| (name, value))
        })
    }

    fn typed<T>(
        &self,
        name: &str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let (_, value) = self.given(&[name])?;
        let converted = convert(value);
        if converted.is_none() {
            self.refuse(name, Rule::Type, format!("must be {expected}"));
        }
        converted
    }

    /// Whether the member is given.
    pub fn has(&self, name: &str) -> bool {
        self.given(&[name]).is_some()
    }

    /// A string.
    pub fn text(&self, name: &str) -> Option<String> {
        self.typed(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// A string that must be given; empty (and noted) when it is not.
    pub fn required_text(&self, name: &str) -> String {
        if !self.has(name) {
            self.refuse(name, Rule::Required, "is required");
        }
        self.text(name).unwrap_or_default()
    }

    /// The first of a member's spellings that is given, else the first of all.
    pub fn spelling<'n>(&self, names: &[&'n str]) -> &'n str {
        self.given(names).map_or(names[0], |(name, _)| name)
    }

    /// A whole number; a whole-numbered decimal is one.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.typed(name, "a whole number", |value| {
            let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
            value.as_i64().or_else(|| value.as_f64().and_then(whole))
        })
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.typed(name, "a number", Value::as_f64)
    }

    /// A boolean.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// An object, by the first of its spellings that is given.
    pub fn object(&self, names: &[&str]) -> Option<Reader<'a>> {
        let (name, value) = self.given(names)?;
        Reader::of(value, self.path(name), self.problems)
    }

    /// The first `most` elements of an array, with their paths; that there are more is noted. `what` they are
    /// is for people.
    pub fn array(&self, name: &str, most: usize, what: &str) -> Option<Vec<(String, &'a Value)>> {
        let path = self.path(name);
        let elements = self.typed(name, "an array", Value::as_array)?;
        let count = elements.len();
        if count > most {
            self.refuse(name, Rule::Length, format!("must have at most {most} {what}; it has {count}"));
        }
        let first = elements.iter().take(most).enumerate();
        Some(first.map(|(i, element)| (format!("{path}[{i}]"), element)).collect())
    }

    /// Strings: an array of them, or one with commas. None where all of them are blank.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let read = |value: &Value| match value {
            Value::String(text) => Some(text.split(',').map(|item| item.trim().to_owned()).collect()),
            Value::Array(items) => items.iter().map(|item| Some(item.as_str()?.trim().to_owned())).collect(),
            _ => None,
        };
        let mut items: Vec<_> = self.typed(name, "an array of strings, or one string with commas", read)?;
        items.retain(|item| !item.is_empty());
        (!items.is_empty()).then_some(items)
    }

    /// A member as it stands, if it is given.
    pub fn raw(&self, name: &str) -> Option<&'a Value> {
        self.given(&[name]).map(|(_, value)| value)
    }

    /// Refuses members that are not among `names`.
    pub fn refuse_unknown(&self, names: &[&str]) {
        for name in self.members.keys().filter(|name| !names.contains(&name.as_str())) {
            self.refuse(name, Rule::Unknown, unknown(name, names));
        }
    }

    /// Refuses members among `names`, in whatever case and with whatever marks between their words, unless
    /// they say nothing.
    pub fn refuse_unavailable(&self, names: &[&str], why: &str) {
        let is_mark = |octet: &u8| matches!(octet, b'_' | b'-' | b' ');
        let same = |name: &str, known: &str| {
            let letters =
                name.bytes().filter(|octet| !is_mark(octet)).map(|octet| octet.to_ascii_lowercase());
            letters.eq(known.bytes().map(|octet| octet.to_ascii_lowercase()))
        };
        for (name, value) in self.members {
            if names.iter().any(|known| same(name, known)) && !is_idle(value) {
                self.refuse(name, Rule::Unavailable, why);
            }
        }
    }

    /// Refuses members that mean something elsewhere and nothing here, unless they say nothing.
    pub fn refuse_foreign(&self, names: &[&str], why: &str) {
        for &name in names {
            if self.members.get(name).is_some_and(|value| !is_idle(value)) {
                self.refuse(name, Rule::Foreign, why);
            }
        }
    }
}
