//! Splits a stream of octets into PDUs, by `command_length` alone (SMPP 3.4, 3.2).

use crate::command::CommandId;
use crate::status::CommandStatus;

/// Octets of a header.
pub const HEADER_OCTETS: usize = 16;

/// A PDU's header (SMPP 3.4, 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// `command_id`.
    pub command: CommandId,
    /// `command_status`.
    pub status: CommandStatus,
    /// `sequence_number`.
    pub sequence: u32,
}

/// A PDU whose body was not looked at yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Its header.
    pub header: Header,
    /// The octets after the header that `command_length` counts.
    pub body: &'a [u8],
}

/// A `command_length` that no PDU can have: where the next one begins is unknown from here on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("command_length {length} is not within 16 and {max}")]
pub struct BadLength {
    /// The `command_length`.
    pub length: u32,
    /// The largest that is taken.
    pub max: u32,
    /// The `sequence_number`; a PDU that is shorter than a header has none.
    pub sequence: Option<u32>,
}

/// Takes octets as they come, and gives the PDUs in them.
#[derive(Debug)]
pub struct Frames {
    octets: Vec<u8>,
    /// Where the next PDU begins.
    start: usize,
    length_max: u32,
}

impl Frames {
    /// Takes PDUs of at most `length_max` octets.
    pub fn new(length_max: u32) -> Frames {
        Frames { octets: Vec::new(), start: 0, length_max }
    }

    /// Adds what was received.
    pub fn push(&mut self, octets: &[u8]) {
        if self.start > 0 {
            self.octets.drain(..self.start);
            self.start = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    /// Octets that belong to no PDU that was given.
    pub fn pending(&self) -> usize {
        self.octets.len() - self.start
    }

    /// The next PDU; `None` until all of it is there.
    ///
    /// # Errors
    /// [`BadLength`], and then always again.
    #[allow(clippy::should_implement_trait)] // What it gives borrows from it.
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, BadLength> {
        let octets = &self.octets[self.start..];
        let Some(length) = number(octets, 0) else { return Ok(None) };
        let bad = BadLength { length, max: self.length_max, sequence: None };
        if length < HEADER_OCTETS as u32 {
            return Err(bad);
        }
        if length > self.length_max {
            // It has a header, so the answer can name it by its number.
            let Some(sequence) = number(octets, 12) else { return Ok(None) };
            return Err(BadLength { sequence: Some(sequence), ..bad });
        }
        let Some(pdu) = octets.get(..length as usize) else { return Ok(None) };
        self.start += length as usize;
        let at = |index| number(pdu, index).unwrap_or_default();
        let header = Header { command: CommandId(at(4)), status: CommandStatus(at(8)), sequence: at(12) };
        Ok(Some(Frame { header, body: &pdu[HEADER_OCTETS..] }))
    }
}

fn number(octets: &[u8], at: usize) -> Option<u32> {
    let four = octets.get(at..at + 4)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}
