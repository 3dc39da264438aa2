//! What handsets send, and the alphabets that it is written in.

use std::fmt::Write as _;

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
    /// The same, packed: seven septets and a bit in eight octets, beginning with a septet's first bit (6.1.2.1).
    GsmPacked,
    /// ISO 8859-1, and so ASCII.
    Latin1,
    /// UCS-2, big endian; in practice UTF-16.
    Ucs2,
    /// No text.
    Binary,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Encoding; 5] =
        [Encoding::Gsm, Encoding::GsmPacked, Encoding::Latin1, Encoding::Ucs2, Encoding::Binary];

    /// Its name in lists; stored, so it never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Gsm => "gsm",
            Encoding::GsmPacked => "gsm-packed",
            Encoding::Latin1 => "latin1",
            Encoding::Ucs2 => "ucs2",
            Encoding::Binary => "binary",
        }
    }

    /// The encoding with a name.
    pub fn parse(name: &str) -> Option<Encoding> {
        Encoding::ALL.into_iter().find(|encoding| encoding.name() == name)
    }

    /// The text of a message, or of one segment. What is no character becomes U+FFFD; [`Encoding::Binary`] becomes
    /// hexadecimal digits.
    pub fn decode(self, octets: &[u8]) -> String {
        match self {
            Encoding::Gsm => decode_gsm(octets),
            Encoding::GsmPacked => decode_gsm(&unpack_septets(octets)),
            Encoding::Latin1 => octets.iter().copied().map(char::from).collect(),
            Encoding::Ucs2 => {
                let units = octets.chunks(2).map(|pair| match pair {
                    [high, low] => u16::from_be_bytes([*high, *low]),
                    _ => char::REPLACEMENT_CHARACTER as u16,
                });
                char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            Encoding::Binary => octets.iter().fold(String::new(), |mut text, octet| {
                // Writing to a string doesn't fail.
                let _ = write!(text, "{octet:02x}");
                text
            }),
        }
    }

    /// The text of a message from all its segments in their order. They are joined before they are read, since a
    /// character may begin in one segment and end in the next.
    pub fn decode_segments<S: AsRef<[u8]>>(self, segments: &[S]) -> String {
        match self {
            // Each segment was packed by itself, so it ends in bits that mean nothing.
            Encoding::GsmPacked => {
                let septets: Vec<u8> =
                    segments.iter().flat_map(|octets| unpack_septets(octets.as_ref())).collect();
                Encoding::Gsm.decode(&septets)
            }
            Encoding::Gsm | Encoding::Latin1 | Encoding::Ucs2 | Encoding::Binary => {
                let octets: Vec<u8> = segments.iter().flat_map(|octets| octets.as_ref()).copied().collect();
                self.decode(&octets)
            }
        }
    }
}

/// The septets in packed octets (3GPP TS 23.038, 6.1.2.1). Eight of them may end in one that only fills the last octet:
/// `@`, which is 0, or a carriage return (6.1.2.3.1).
fn unpack_septets(octets: &[u8]) -> Vec<u8> {
    let count = octets.len() * 8 / 7;
    let septet = |i: usize| {
        let (at, shift) = (i * 7 / 8, i * 7 % 8);
        let next = octets.get(at + 1).copied().unwrap_or_default();
        (u16::from_le_bytes([octets[at], next]) >> shift) as u8 & 0x7f
    };
    let mut septets: Vec<u8> = (0..count).map(septet).collect();
    if count > 0 && count.is_multiple_of(8) && matches!(septets.last(), Some(0 | b'\r')) {
        septets.pop();
    }
    septets
}

// STAND-IN: replace its uses by `flow::text::decode_gsm` and remove it. It reads the characters that the default
// alphabet shares with ASCII, and no others.
fn decode_gsm(octets: &[u8]) -> String {
    let mut text = String::new();
    let mut octets = octets.iter().copied();
    while let Some(octet) = octets.next() {
        text.push(match octet {
            0 => '@',
            0x02 => '$',
            0x11 => '_',
            b'\n' | b'\r' | b' '..=b'#' | b'%'..=b'?' | b'A'..=b'Z' | b'a'..=b'z' => char::from(octet),
            0x1b => match octets.next() {
                Some(0x28) => '{',
                Some(0x29) => '}',
                Some(0x2f) => '\\',
                Some(0x3c) => '[',
                Some(0x3d) => '~',
                Some(0x3e) => ']',
                Some(0x40) => '|',
                Some(0x14) => '^',
                Some(0x65) => '€',
                _ => ' ',
            },
            _ => char::REPLACEMENT_CHARACTER,
        });
    }
    text
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
