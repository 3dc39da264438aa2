//! What handsets send, and the alphabets that it is written in.

use data_encoding::HEXLOWER;
use flow::text::{decode_gsm, unpack_septets};

/// A short message that a handset sent, or one segment of a longer one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandsetMessage {
    /// The handset's address as the carrier wrote it.
    pub from: String,
    /// The address that it was sent to.
    pub to: String,
    /// The user data without its header.
    pub octets: Vec<u8>,
    /// How `octets` are read.
    pub encoding: Encoding,
    /// The carrier's `data_coding` (SMPP 3.4, 5.2.19), for an operator who doubts `encoding`.
    pub data_coding: u8,
    /// Which segment of a longer message it is; `None` if it is whole.
    pub segment: Option<Segment>,
}

/// A segment's place in its message (3GPP TS 23.040, 9.2.3.24.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// The sender's number of the message.
    pub reference: u16,
    /// Segments that the message has.
    pub total: u8,
    /// This one's number, from 1.
    pub sequence: u8,
}

/// How the octets of a message are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// GSM 7-bit default alphabet with its extension table, a septet an octet (3GPP TS 23.038, 6.2.1).
    Gsm,
    /// The same, packed: seven septets and a bit in eight octets, beginning with a septet's first bit
    /// (6.1.2.1).
    GsmPacked,
    /// ASCII; other octets are UTF-8 if they can be, else ISO 8859-1.
    Ascii,
    /// ISO 8859-1.
    Latin1,
    /// UCS-2, big endian; in practice UTF-16.
    Ucs2,
    /// No text.
    Binary,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Encoding; 6] = [
        Encoding::Gsm,
        Encoding::GsmPacked,
        Encoding::Ascii,
        Encoding::Latin1,
        Encoding::Ucs2,
        Encoding::Binary,
    ];

    /// Its name in lists; stored, so it never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Gsm => "gsm",
            Encoding::GsmPacked => "gsm-packed",
            Encoding::Ascii => "ascii",
            Encoding::Latin1 => "latin1",
            Encoding::Ucs2 => "ucs2",
            Encoding::Binary => "binary",
        }
    }

    /// The encoding with a name.
    pub fn parse(name: &str) -> Option<Encoding> {
        Encoding::ALL.into_iter().find(|encoding| encoding.name() == name)
    }

    /// The text of a message, or of one segment. What is no character becomes U+FFFD; [`Encoding::Binary`]
    /// becomes hexadecimal digits.
    pub fn decode(self, octets: &[u8]) -> String {
        match self {
            Encoding::Gsm => decode_gsm(octets),
            Encoding::GsmPacked => decode_gsm(&septets(octets)),
            Encoding::Ascii => as_it_stands(octets),
            Encoding::Latin1 => octets.iter().copied().map(char::from).collect(),
            Encoding::Ucs2 => utf16(octets, u16::from_be_bytes),
            Encoding::Binary => HEXLOWER.encode(octets),
        }
    }

    /// The text of a message from all its segments in their order. They are joined before they are read,
    /// since a character may begin in one segment and end in the next.
    pub fn decode_segments<S: AsRef<[u8]>>(self, segments: &[S]) -> String {
        match self {
            // Each segment was packed by itself, so it ends in bits that mean nothing.
            Encoding::GsmPacked => {
                let septets: Vec<u8> = segments.iter().flat_map(|octets| septets(octets.as_ref())).collect();
                Encoding::Gsm.decode(&septets)
            }
            Encoding::Gsm | Encoding::Ascii | Encoding::Latin1 | Encoding::Ucs2 | Encoding::Binary => {
                let octets: Vec<u8> = segments.iter().flat_map(|octets| octets.as_ref()).copied().collect();
                self.decode(&octets)
            }
        }
    }
}

/// The septets in packed octets. Eight of them may end in one that only fills the last octet: `@`, which is
/// 0, or a carriage return (3GPP TS 23.038, 6.1.2.3.1).
fn septets(octets: &[u8]) -> Vec<u8> {
    let mut septets = unpack_septets(octets, 0);
    if octets.len().is_multiple_of(7) && matches!(septets.last(), Some(0 | b'\r')) {
        septets.pop();
    }
    septets
}

/// Reads octets as UTF-8 if they are, else as ISO 8859-1.
pub(crate) fn as_it_stands(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().copied().map(char::from).collect(),
    }
}

/// UTF-16 without its byte order mark; an octet that is left over becomes U+FFFD.
pub(crate) fn utf16(octets: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = octets.chunks(2).map(|pair| match pair {
        [first, second] => unit([*first, *second]),
        _ => char::REPLACEMENT_CHARACTER as u16,
    });
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.enumerate().filter(|(at, c)| (*at, *c) != (0, '\u{feff}')).map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_is_read() {
        assert_eq!(Encoding::Gsm.decode(b"a\x00\x1b\x65\x02"), "a@€$");
        // 3GPP TS 23.038, 6.1.2.1: "hellohello" packed.
        let hello = [0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37];
        assert_eq!(Encoding::GsmPacked.decode(&hello), "hellohello");
        assert_eq!(Encoding::Latin1.decode(&[b'S', 0xd6]), "SÖ");
        assert_eq!(Encoding::Ucs2.decode(&[0xd8, 0x3d, 0xde, 0x00, 0x00]), "😀\u{fffd}");
        assert_eq!(Encoding::Ucs2.decode(&[0xd8, 0x3d]), "\u{fffd}");
        assert_eq!(Encoding::Binary.decode(&[0, 0xab]), "00ab");
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::parse(encoding.name()), Some(encoding));
            assert_eq!(encoding.decode(&[]), "");
        }
    }

    #[test]
    fn seven_characters_fill_seven_octets_and_the_eighth_is_filling() {
        // "1234567" packed, as 7 octets with 7 bits of filling.
        let packed = [0x31, 0xd9, 0x8c, 0x56, 0xb3, 0xdd, 0x00];
        assert_eq!(Encoding::GsmPacked.decode(&packed), "1234567");
    }

    #[test]
    fn a_character_may_lie_in_two_segments() {
        assert_eq!(Encoding::Ucs2.decode_segments(&[[0xd8, 0x3d], [0xde, 0x00]]), "😀");
        assert_eq!(Encoding::Gsm.decode_segments(&[b"x\x1b", b"\x65y"]), "x€y");
        let packed = [0x31, 0xd9, 0x8c, 0x56, 0xb3, 0xdd, 0x00];
        assert_eq!(Encoding::GsmPacked.decode_segments(&[packed, packed]), "12345671234567");
    }
}
