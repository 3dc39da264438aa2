//! Reads TOML in such a way that no error repeats a value of the document, since any of them may be a secret: an error
//! has the line and the column, or the key, and the rule.
//!
//! The errors of `toml` show the line, and what serde makes of a wrong type shows the value. So values are read through
//! a deserializer with an error of its own, which is told what was wrong in pieces and keeps only those that are rules.

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use std::fmt;
use toml::Value;

/// What is wrong with a document, without any value of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DocumentError {
    /// The line and the column, from 1, of what is no TOML.
    position: Option<(usize, usize)>,
    /// The way to the key: `.name` and `[0]`, from the outermost one.
    path: String,
    rule: String,
    unknown: Option<UnknownKey>,
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
    /// The key that is not known, if that is what is wrong.
    pub fn unknown_key(&self) -> Option<&UnknownKey> {
        self.unknown.as_ref()
    }

    /// The key, such as `carrier[0].window`; empty for the document itself.
    pub fn key(&self) -> &str {
        self.path.strip_prefix('.').unwrap_or(&self.path)
    }

    fn new(rule: String) -> DocumentError {
        DocumentError { rule, ..DocumentError::default() }
    }

    /// It is within `outer`.
    fn within(mut self, outer: &str) -> DocumentError {
        self.path.insert_str(0, outer);
        self
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        match self.key() {
            "" => f.write_str(&self.rule),
            key => write!(f, "{key}: {}", self.rule),
        }
    }
}

impl std::error::Error for DocumentError {}

/// What it is, without saying it.
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

impl de::Error for DocumentError {
    /// The message must have no value in it: this is what `deserialize_with` functions of this workspace keep to.
    fn custom<T: fmt::Display>(message: T) -> Self {
        DocumentError::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        DocumentError::new(format!("must be {expected}, not {}", kind(&unexpected)))
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
        DocumentError { unknown: Some(unknown), ..DocumentError::new(rule) }
    }

    fn missing_field(field: &'static str) -> Self {
        DocumentError::new(format!("the key `{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        DocumentError::new(format!("the key `{field}` is there twice"))
    }
}

/// Parses a document.
///
/// # Errors
/// Where it is no TOML: the line, the column and the rule.
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
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
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
        seed.deserialize(Node(value)).map(Some).map_err(|error| error.within(&format!("[{at}]")))
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
        seed.deserialize(Node(value)).map_err(|error| error.within(&format!(".{key}")))
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
            ("number = 'hunter2'", "number: must be u16, not this text"),
            ("number = 7732222", "number: must be u16, not this whole number"),
            ("flag = ['hunter2']", "flag: must be a boolean, not an array"),
            ("share = 'hunter2'", "share"),
            ("pair = [1, 2, 7732]", "pair: must be an array of fewer elements"),
            ("pair = [1, 'hunter2']", "pair[1]"),
            ("address = 'hunter2'", "address"),
            ("secret = ['hunter2']", "secret: must be a text, { env"),
            ("secret = { evn = 'hunter2' }", "secret: must be a text, { env"),
            ("choice = 'hunter2'", "choice: must be one of one, two"),
            ("choice = { two = { n = 'hunter2' } }", "choice"),
            ("pause = 'hunter2'", "pause: expected a duration"),
            ("pause = '-7732s'", "pause"),
            ("list = [{}, { a = 'hunter2' }]", "list[1].a: must be u8"),
            ("nubmer = 'hunter2'", "unknown key `nubmer`"),
            ("text = 7732-01-01", "text"),
        ] {
            let error = sample(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("7732"), "{text}: {error}");
            assert!(error.contains(shown), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_by_line_and_column() {
        let error = parse("a = 1\nö = \"ü").unwrap_err().to_string();
        assert!(error.starts_with("line 2, column"), "{error}");
        let error = parse("a = 1\nb = 2\na = 3").unwrap_err().to_string();
        assert!(error.starts_with("line 3, column 1:"), "{error}");
    }
}
