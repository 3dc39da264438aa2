//! Reads TOML in such a way that no error repeats a value of the document, since any of them may be a secret:
//! an error has the line and the column, or the key, and the rule.
//!
//! The errors of `toml` show the line, and what serde makes of a wrong type shows the value. So values are
//! read through a deserializer with its own error type, which gets what is wrong in pieces and keeps
//! only those that are rules.

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use std::collections::HashMap;
use std::fmt;
use toml::Value;
use toml::de::{DeTable, DeValue};

/// What is wrong with a document, without any value of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DocumentError {
    /// The line and the column, from 1, of what is no TOML.
    position: Option<(usize, usize)>,
    /// The path to the value, from the outermost key.
    path: Vec<Step>,
    rule: String,
    unknown: Option<Box<UnknownKey>>,
    missing: Option<&'static str>,
}

/// A step of the path to a value.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(String),
    Element(usize),
}

/// A path as it is written, such as `carrier[0].window`.
fn written(path: &[Step]) -> String {
    path.iter().fold(String::new(), |text, step| match step {
        Step::Key(key) if text.is_empty() => key.clone(),
        Step::Key(key) => format!("{text}.{key}"),
        Step::Element(at) => format!("{text}[{at}]"),
    })
}

/// A key that is not known, and those that are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownKey {
    /// The key as it was written.
    pub written: String,
    /// The keys that are known there.
    pub known: &'static [&'static str],
}

impl DocumentError {
    /// The unknown key, if that is what is wrong.
    pub fn unknown_key(&self) -> Option<&UnknownKey> {
        self.unknown.as_deref()
    }

    /// The key, such as `carrier[0].window`; empty for the document itself.
    pub fn key(&self) -> String {
        written(&self.path)
    }

    /// The rule that the value breaks.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The key of what is wrong: of the value, or the unknown key itself.
    pub fn culprit(&self) -> String {
        written(&self.culprits_path())
    }

    fn culprits_path(&self) -> Vec<Step> {
        let unknown = self.unknown.iter().map(|unknown| Step::Key(unknown.written.clone()));
        self.path.iter().cloned().chain(unknown).collect()
    }

    fn new(rule: String) -> DocumentError {
        DocumentError { rule, ..DocumentError::default() }
    }

    /// It is within `outer`.
    fn within(mut self, outer: Step) -> DocumentError {
        self.path.insert(0, outer);
        self
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        match self.path.as_slice() {
            [] => f.write_str(&self.rule),
            path => write!(f, "{}: {}", written(path), self.rule),
        }
    }
}

impl std::error::Error for DocumentError {}

/// The kind of a value, without the value.
const fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "this whole number",
        Unexpected::Float(_) => "this decimal number",
        Unexpected::Char(_) | Unexpected::Str(_) => "this text",
        Unexpected::Seq => "an array",
        Unexpected::Map => "a table",
        _ => "a value of this kind",
    }
}

/// What is expected, in the words of a configuration instead of Rust's.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a nonzero usize" => "a whole number, 1 or more",
        "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "a table",
        "invalid socket address syntax" => "must be an address and a port, such as 0.0.0.0:5060",
        "invalid IP address syntax" => "must be an IP address; a network has a length, such as 10.0.0.0/8",
        structure if structure.starts_with("struct ") => "a table",
        other => other,
    }
}

impl de::Error for DocumentError {
    /// The message must have no value in it: this is what `deserialize_with` functions of this workspace keep
    /// to.
    fn custom<T: fmt::Display>(message: T) -> Self {
        DocumentError::new(in_words(&message.to_string()).to_owned())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        DocumentError::new(format!("must be {}, not {}", in_words(&expected), kind(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        DocumentError::invalid_type(unexpected, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        DocumentError::new(format!("must be {expected}, and has {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        DocumentError::new(format!("must be one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let rule = match expected {
            [] => format!("unknown key `{field}`: there are none here"),
            known => format!("unknown key `{field}`: there are {}", known.join(", ")),
        };
        let unknown = UnknownKey { written: field.to_owned(), known: expected };
        DocumentError { unknown: Some(Box::new(unknown)), ..DocumentError::new(rule) }
    }

    fn missing_field(field: &'static str) -> Self {
        let rule = format!("the key `{field}` is missing");
        DocumentError { missing: Some(field), ..DocumentError::new(rule) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        DocumentError::new(format!("the key `{field}` is there twice"))
    }
}

/// Parses a document.
///
/// # Errors
/// [`DocumentError`] with the line, the column and the rule, if it is no TOML.
pub fn parse(text: &str) -> Result<toml::Table, DocumentError> {
    text.parse().map_err(|error: toml::de::Error| DocumentError {
        position: error.span().map(|span| position(text, span.start)),
        ..DocumentError::new(error.message().to_owned())
    })
}

/// The line and the column of an octet, from 1; columns count characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
    let start = before.iter().rposition(|octet| *octet == b'\n').map_or(0, |newline| newline + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

/// Makes a value of what was parsed.
///
/// # Errors
/// The key and the rule.
pub fn read<T: DeserializeOwned>(table: toml::Table) -> Result<T, DocumentError> {
    T::deserialize(Node(Value::Table(table)))
}

/// Makes a value of what was parsed, and continues after an error, so that all errors are reported: the value
/// without what is wrong, if there can be one, and the errors.
pub fn read_all<T: DeserializeOwned>(mut table: toml::Table) -> (Option<T>, Vec<DocumentError>) {
    let mut errors = Vec::new();
    let mut taken = Vec::new();
    loop {
        let error = match read(table.clone()) {
            Ok(value) => return (Some(value), errors),
            Err(error) => error,
        };
        let mut path = error.culprits_path();
        // An error that follows from a removal was reported already.
        let follows = match error.missing {
            Some(key) => taken.contains(&[&path[..], &[Step::Key(key.to_owned())]].concat()),
            None => {
                taken.iter().any(|taken: &Vec<Step>| taken.len() > path.len() && taken.starts_with(&path))
            }
        };
        if !follows {
            errors.push(error);
        }
        while let Some(Step::Element(_)) = path.last() {
            path.pop();
        }
        if !take(&mut table, &path) {
            return (None, errors);
        }
        taken.push(path);
    }
}

/// Removes a key; returns whether it was there.
fn take(table: &mut toml::Table, path: &[Step]) -> bool {
    let Some((Step::Key(last), way)) = path.split_last() else { return false };
    let Some((Step::Key(first), way)) = way.split_first() else { return table.remove(last).is_some() };
    let inner = way.iter().try_fold(table.get_mut(first), |value, step| {
        let value = value?;
        Some(match step {
            Step::Key(key) => value.get_mut(key.as_str()),
            Step::Element(at) => value.get_mut(*at),
        })
    });
    let inner = inner.flatten().and_then(Value::as_table_mut);
    inner.is_some_and(|inner| inner.remove(last).is_some())
}

/// The lines of a document's keys, from 1.
#[derive(Clone, Debug, Default)]
pub struct Lines(HashMap<String, usize>);

impl Lines {
    /// The lines of a document's keys; none if it is no TOML.
    pub fn of_document(text: &str) -> Lines {
        let mut lines = Lines::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.note_table(text, &[], table.get_ref());
        }
        lines
    }

    /// The line of a key, or of the nearest one around it.
    pub fn of(&self, key: &str) -> Option<usize> {
        let ends = key.char_indices().rev().filter(|(_, c)| matches!(c, '.' | '['));
        let around = ends.map(|(end, _)| &key[..end]);
        std::iter::once(key).chain(around).find_map(|key| self.0.get(key).copied())
    }

    /// Returns whether a key is written.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn note_table(&mut self, text: &str, path: &[Step], table: &DeTable<'_>) {
        for (key, value) in table {
            let path = [path, &[Step::Key(key.get_ref().to_string())]].concat();
            self.0.insert(written(&path), position(text, key.span().start).0);
            self.note_value(text, &path, value.get_ref());
        }
    }

    fn note_value(&mut self, text: &str, path: &[Step], value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.note_table(text, path, table),
            DeValue::Array(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    let path = [path, &[Step::Element(at)]].concat();
                    self.0.insert(written(&path), position(text, element.span().start).0);
                    self.note_value(text, &path, element.get_ref());
                }
            }
            _ => {}
        }
    }
}

/// A value of the document.
struct Node(Value);

impl<'de> Deserializer<'de> for Node {
    type Error = DocumentError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DocumentError> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(flag) => visitor.visit_bool(flag),
            Value::Datetime(_) => Err(de::Error::invalid_type(Unexpected::Other("a date"), &visitor)),
            Value::Array(elements) => {
                let length = elements.len();
                let mut access = Elements { rest: elements.into_iter(), next: 0 };
                let value = visitor.visit_seq(&mut access)?;
                match access.rest.len() {
                    0 => Ok(value),
                    _ => Err(de::Error::invalid_length(length, &"an array of fewer elements")),
                }
            }
            Value::Table(table) => visitor.visit_map(Members { rest: table.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DocumentError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DocumentError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DocumentError> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(StringDeserializer::new(name)),
            Value::Table(table) => {
                let members = Members { rest: table.into_iter(), value: None };
                visitor.visit_enum(MapAccessDeserializer::new(members))
            }
            other => Node(other).deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Elements {
    rest: std::vec::IntoIter<Value>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements {
    type Error = DocumentError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DocumentError> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let at = self.next;
        self.next += 1;
        seed.deserialize(Node(value)).map(Some).map_err(|error| error.within(Step::Element(at)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Members {
    rest: <toml::Table as IntoIterator>::IntoIter,
    /// The value of the key that was read last.
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = DocumentError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, DocumentError> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((key.clone(), value));
        let key: StringDeserializer<DocumentError> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DocumentError> {
        let missing = || DocumentError::new("a key has no value".to_owned());
        let (key, value) = self.value.take().ok_or_else(missing)?;
        seed.deserialize(Node(value)).map_err(|error| error.within(Step::Key(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use serde::Deserialize;
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::time::Duration;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "lowercase")]
    #[allow(dead_code)] // It is only read.
    enum Choice {
        One,
        Two { n: u8 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // It is only read.
    struct Sample {
        text: Option<String>,
        number: Option<u16>,
        flag: Option<bool>,
        share: Option<f64>,
        pair: Option<(u8, u8)>,
        address: Option<SocketAddr>,
        secret: Option<Secret>,
        choice: Option<Choice>,
        #[serde(default, deserialize_with = "crate::config::duration")]
        pause: Duration,
        #[serde(default)]
        list: Vec<BTreeMap<String, u8>>,
    }

    fn sample(text: &str) -> Result<Sample, DocumentError> {
        read(parse(text)?)
    }

    #[test]
    fn what_is_right_is_read() {
        let text = "text = 'a'\nnumber = 5\nflag = true\nshare = 1\npair = [1, 2]\naddress = '127.0.0.1:80'\n\
                    secret = { env = 'A' }\nchoice = 'one'\npause = '2s'\nlist = [{ a = 1 }, { b = 2 }]";
        let sample = sample(text).unwrap();
        assert_eq!((sample.number, sample.share, sample.pair), (Some(5), Some(1.0), Some((1, 2))));
        assert_eq!((sample.pause, sample.list[1]["b"]), (Duration::from_secs(2), 2));
        assert!(matches!(sample.choice, Some(Choice::One)));
    }

    #[test]
    fn no_error_repeats_a_value() {
        for (text, shown) in [
            ("text = 5\nsecret = \"hunter2", "line 2, column"),
            ("text = hunter2", "line 1, column"),
            ("text = 7732", "text: must be a string, not this whole number"),
            ("number = 'hunter2'", "number: must be a whole number from 0 to 65535, not this text"),
            ("number = 7732222", "number: must be a whole number from 0 to 65535, not this whole number"),
            ("flag = ['hunter2']", "flag: must be a boolean, not an array"),
            ("share = 'hunter2'", "share"),
            ("pair = [1, 2, 7732]", "pair: must be an array of fewer elements"),
            ("pair = [1, 'hunter2']", "pair[1]"),
            ("address = 'hunter2'", "address: must be an address and a port, such as"),
            ("secret = ['hunter2']", "secret: must be a text, { env"),
            ("secret = { evn = 'hunter2' }", "secret: must be a text, { env"),
            ("choice = 'hunter2'", "choice: must be one of one, two"),
            ("choice = { two = { n = 'hunter2' } }", "choice"),
            ("pause = 'hunter2'", "pause: expected a duration"),
            ("pause = '-7732s'", "pause"),
            ("list = [{}, { a = 'hunter2' }]", "list[1].a: must be a whole number from 0 to 255"),
            ("nubmer = 'hunter2'", "unknown key `nubmer`"),
            ("text = 7732-01-01", "text"),
        ] {
            let error = sample(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("7732"), "{text}: {error}");
            assert!(error.contains(shown), "{text}: {error}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_nothing_twice() {
        let text = "nubmer = 5\nflag = 5\nlist = [{ a = 1 }, { a = 'x', b = 'y' }]\nchoice = { two = {} }";
        let (read, errors) = read_all::<Sample>(parse(text).unwrap());
        assert!(read.is_some_and(|read| read.list[1].is_empty()));
        let mut keys: Vec<_> = errors.iter().map(DocumentError::culprit).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["choice.two", "flag", "list[1].a", "list[1].b", "nubmer"], "{errors:?}");

        #[derive(Debug, Deserialize)]
        #[allow(dead_code)] // It is only read.
        struct Needs {
            a: u8,
            b: u8,
        }
        let (read, errors) = read_all::<Needs>(parse("b = 'x'").unwrap());
        assert!(read.is_none());
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("b: must be") && told[1].contains("`a` is missing"), "{told:?}");
    }

    #[test]
    fn keys_have_lines() {
        let text = "a = 1\n[b]\nc = { d = 1,\n e = 2 }\n\n[[f]]\ng = 1\n[[f]]\n[f.h]\ni = [1,\n2]\n";
        let lines = Lines::of_document(text);
        for (key, line) in [
            ("a", 1),
            ("b", 2),
            ("b.c.e", 4),
            ("b.unknown", 2),
            ("f[0]", 6),
            ("f[0].g", 7),
            ("f[1]", 8),
            ("f[1].x", 8),
            ("f[1].h.i", 10),
            ("f[1].h.i[1]", 11),
        ] {
            assert_eq!(lines.of(key), Some(line), "{key}");
        }
        assert_eq!(lines.of("unknown"), None);
    }

    #[test]
    fn what_is_no_toml_is_told_by_line_and_column() {
        let error = parse("a = 1\nö = \"ü").unwrap_err().to_string();
        assert!(error.starts_with("line 2, column"), "{error}");
        let error = parse("a = 1\nb = 2\na = 3").unwrap_err().to_string();
        assert!(error.starts_with("line 3, column 1:"), "{error}");
    }
}
