//! The fields of a body, read as far as they can be.

use crate::latin1::text_of;
use crate::tlv::{Tlv, Tlvs};
use std::borrow::Cow;

/// Something in a body that violates the specification. What could be read was read all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The field.
    pub field: &'static str,
    /// The kind of violation.
    pub kind: FlawKind,
}

/// How a field violates the specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlawKind {
    /// The body ends before it.
    Missing,
    /// The body ends within it.
    Cut,
    /// It is longer than the specification allows.
    TooLong,
    /// It is followed by octets that are no field.
    Superfluous,
}

impl Flaw {
    /// The flaw in words.
    pub fn words(&self) -> Cow<'static, str> {
        let Flaw { field, kind } = self;
        Cow::Owned(match kind {
            FlawKind::Missing => format!("{field} is missing"),
            FlawKind::Cut => format!("{field} is cut off by command_length"),
            FlawKind::TooLong => format!("{field} is longer than SMPP 3.4 allows"),
            FlawKind::Superfluous => format!("{field} is followed by octets that are no field"),
        })
    }
}

/// Reads the fields of a body from its front.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    pub(crate) flaws: Vec<Flaw>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Reader<'a> {
        Reader { rest: body, flaws: Vec::new() }
    }

    fn note(&mut self, field: &'static str, kind: FlawKind) {
        self.flaws.push(Flaw { field, kind });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A C-octet string of at most `max` octets with its NUL (3.1). One without a NUL goes to the body's end.
    pub(crate) fn c_string(&mut self, field: &'static str, max: usize) -> String {
        if self.rest.is_empty() {
            self.note(field, FlawKind::Missing);
            return String::new();
        }
        let end = self.rest.iter().position(|&octet| octet == 0);
        let text = &self.rest[..end.unwrap_or(self.rest.len())];
        match end {
            None => self.note(field, FlawKind::Cut),
            Some(end) if end >= max => self.note(field, FlawKind::TooLong),
            Some(_) => {}
        }
        self.rest = &self.rest[(text.len() + 1).min(self.rest.len())..];
        text_of(text)
    }

    pub(crate) fn octet(&mut self, field: &'static str) -> u8 {
        match self.rest.split_first() {
            Some((&octet, rest)) => {
                self.rest = rest;
                octet
            }
            None => {
                self.note(field, FlawKind::Missing);
                0
            }
        }
    }

    pub(crate) fn octets(&mut self, field: &'static str, count: usize) -> Vec<u8> {
        let there = count.min(self.rest.len());
        if there < count {
            self.note(field, FlawKind::Cut);
        }
        let (octets, rest) = self.rest.split_at(there);
        self.rest = rest;
        octets.to_vec()
    }

    /// The TLVs up to the body's end (3.2.4.1). A NUL before them, which some SMSCs put behind
    /// `short_message`, is skipped if what follows is TLVs to the last octet.
    pub(crate) fn tlvs(&mut self) -> Tlvs {
        let (mut tlvs, mut sound) = tlvs_of(self.rest);
        if let (false, Some((0, behind))) = (sound, self.rest.split_first()) {
            let (others, others_sound) = tlvs_of(behind);
            if others_sound {
                self.note("short_message", FlawKind::Superfluous);
                (tlvs, sound) = (others, true);
            }
        }
        if !sound {
            self.note("tlv", FlawKind::Cut);
        }
        self.rest = &[];
        Tlvs(tlvs)
    }

    /// The end of a body that has no further fields.
    pub(crate) fn end(&mut self, field: &'static str) {
        if !self.rest.is_empty() {
            self.note(field, FlawKind::Superfluous);
        }
    }
}

/// The TLVs in some octets, and whether they end where the octets do. A last one that is cut off has the rest
/// as its value.
fn tlvs_of(mut octets: &[u8]) -> (Vec<Tlv>, bool) {
    let mut tlvs = Vec::new();
    while let [a, b, c, d, rest @ ..] = octets {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let value = &rest[..length.min(rest.len())];
        tlvs.push(Tlv { tag: u16::from_be_bytes([*a, *b]), value: value.to_vec() });
        if value.len() < length {
            return (tlvs, false);
        }
        octets = &rest[length..];
    }
    (tlvs, octets.is_empty())
}

/// A field that can't be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// It has a character that is no octet, or a NUL.
    #[error("{0} has a character that SMPP can't carry")]
    Character(&'static str),
    /// It is longer than its length field can say.
    #[error("{field} has {octets} octets of at most {max}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its octets.
        octets: usize,
        /// The most that its length field can say.
        max: usize,
    },
}

/// Writes a C-octet string.
pub(crate) fn put_c_string(out: &mut Vec<u8>, field: &'static str, text: &str) -> Result<(), EncodeError> {
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(octet) if octet != 0 => out.push(octet),
            _ => return Err(EncodeError::Character(field)),
        }
    }
    out.push(0);
    Ok(())
}

/// Writes TLVs.
pub(crate) fn put_tlvs(out: &mut Vec<u8>, tlvs: &Tlvs) -> Result<(), EncodeError> {
    for Tlv { tag, value } in &tlvs.0 {
        let max = usize::from(u16::MAX);
        let too_long = EncodeError::TooLong { field: "tlv", octets: value.len(), max };
        let length = u16::try_from(value.len()).map_err(|_| too_long)?;
        out.extend_from_slice(&tag.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value);
    }
    Ok(())
}
