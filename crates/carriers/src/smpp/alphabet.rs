//! Alphabets of SMPP: what `data_coding` (SMPP 3.4, 5.2.19) means, and texts in it.

use super::config::SmppConfig;
use flow::text::{decode_gsm, encode_gsm, pack_septets, unpack_septets};
use serde::Deserialize;

/// What `data_coding` 0 means at an SMSC, which the specification leaves to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultAlphabet {
    /// The GSM alphabet (3GPP TS 23.038, 6.2.1), one septet an octet.
    #[default]
    Gsm,
    /// The GSM alphabet, 8 septets in 7 octets.
    GsmPacked,
    /// ASCII.
    Ascii,
    /// ISO 8859-1.
    Latin1,
}

impl DefaultAlphabet {
    /// Its name in the configuration.
    pub(super) const fn name(self) -> &'static str {
        match self {
            DefaultAlphabet::Gsm => "gsm",
            DefaultAlphabet::GsmPacked => "gsm_packed",
            DefaultAlphabet::Ascii => "ascii",
            DefaultAlphabet::Latin1 => "latin1",
        }
    }

    /// The first character of a text of the GSM alphabet that this one lacks.
    pub(super) fn lacks(self, text: &str) -> Option<char> {
        match self {
            DefaultAlphabet::Gsm | DefaultAlphabet::GsmPacked => None,
            DefaultAlphabet::Ascii => text.chars().find(|c| !c.is_ascii()),
            DefaultAlphabet::Latin1 => text.chars().find(|c| u8::try_from(*c).is_err()),
        }
    }

    /// Encodes a text of which it lacks nothing. Septets begin `fill_bits` behind the first bit where they are packed.
    pub(super) fn encode(self, text: &str, fill_bits: u8) -> Vec<u8> {
        match self {
            DefaultAlphabet::Gsm => encode_gsm(text),
            DefaultAlphabet::GsmPacked => {
                let mut septets = encode_gsm(text);
                // Seven bits that are left over would be read as "@" (3GPP TS 23.038, 6.1.2.3.1).
                if (septets.len() * 7 + usize::from(fill_bits)) % 8 == 1 {
                    septets.push(b'\r');
                }
                pack_septets(&septets, fill_bits)
            }
            DefaultAlphabet::Ascii | DefaultAlphabet::Latin1 => {
                text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
            }
        }
    }
}

/// How the octets of a message are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    /// The GSM alphabet, one septet an octet.
    Gsm,
    /// The GSM alphabet, packed.
    GsmPacked,
    /// ASCII.
    Ascii,
    /// ISO 8859-1.
    Latin1,
    /// UTF-16, big endian.
    Ucs2,
    /// No text, or one in an alphabet that is not read here.
    Binary,
}

impl From<DefaultAlphabet> for Encoding {
    fn from(alphabet: DefaultAlphabet) -> Encoding {
        match alphabet {
            DefaultAlphabet::Gsm => Encoding::Gsm,
            DefaultAlphabet::GsmPacked => Encoding::GsmPacked,
            DefaultAlphabet::Ascii => Encoding::Ascii,
            DefaultAlphabet::Latin1 => Encoding::Latin1,
        }
    }
}

impl Encoding {
    /// What a `data_coding` means at this SMSC: SMPP's own table below 0x10, 3GPP TS 23.038, 4 above it.
    pub(super) fn of(data_coding: u8, config: &SmppConfig) -> Encoding {
        let default = Encoding::from(config.alphabet);
        match data_coding {
            unicode if unicode == config.data_coding.unicode => Encoding::Ucs2,
            0x00 => default,
            0x01 => Encoding::Ascii,
            0x03 => Encoding::Latin1,
            0x08 => Encoding::Ucs2,
            0x02..=0x0f => Encoding::Binary,
            // With bit 5 it is compressed. Bits 3 and 2 are the alphabet.
            0x10..=0x7f if data_coding & 0x20 != 0 => Encoding::Binary,
            0x10..=0x7f => match data_coding & 0x0c {
                0x00 => default,
                0x08 => Encoding::Ucs2,
                _ => Encoding::Binary,
            },
            // Message waiting, stored, in UCS-2.
            0xe0..=0xef => Encoding::Ucs2,
            0xf0..=0xff if data_coding & 0x04 != 0 => Encoding::Binary,
            0x80..=0xff => default,
        }
    }

    /// The text of some octets; `None` for [`Encoding::Binary`]. What can't be read becomes U+FFFD.
    pub(super) fn decode(self, octets: &[u8]) -> Option<String> {
        match self {
            Encoding::Gsm => Some(decode_gsm(octets)),
            Encoding::GsmPacked => {
                let mut septets = unpack_septets(octets, 0);
                // The last of eight is none where it says nothing: the octets can't tell.
                if octets.len().is_multiple_of(7) && matches!(septets.last(), Some(0 | b'\r')) {
                    septets.pop();
                }
                Some(decode_gsm(&septets))
            }
            Encoding::Ascii => Some(as_it_stands(octets)),
            Encoding::Latin1 => Some(octets.iter().map(|&octet| char::from(octet)).collect()),
            Encoding::Ucs2 => Some(utf16(octets, u16::from_be_bytes)),
            Encoding::Binary => None,
        }
    }
}

/// UTF-8 where it is some, else ISO 8859-1.
pub(super) fn as_it_stands(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().map(|&octet| char::from(octet)).collect(),
    }
}

/// UTF-16 without its byte order mark; an octet that is left over is not read.
pub(super) fn utf16(octets: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = octets.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.enumerate().filter(|(at, c)| (*at, *c) != (0, '\u{feff}')).map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::config;
    use super::*;

    #[test]
    fn data_codings_mean_alphabets() {
        let latin = config(r#""alphabet": "latin1", "data_coding": {"unicode": 24}"#);
        for (data_coding, encoding) in [
            (0x00, Encoding::Latin1),
            (0x01, Encoding::Ascii),
            (0x02, Encoding::Binary),
            (0x03, Encoding::Latin1),
            (0x04, Encoding::Binary),
            (0x08, Encoding::Ucs2),
            (0x0e, Encoding::Binary),
            (0x10, Encoding::Latin1),
            (0x18, Encoding::Ucs2),
            (0x28, Encoding::Binary),
            (0x48, Encoding::Ucs2),
            (0xc0, Encoding::Latin1),
            (0xe1, Encoding::Ucs2),
            (0xf0, Encoding::Latin1),
            (0xf5, Encoding::Binary),
        ] {
            assert_eq!(Encoding::of(data_coding, &latin), encoding, "{data_coding:#x}");
        }
    }

    #[test]
    fn texts_come_back() {
        let text = "@_{x}[y] 12";
        for alphabet in [
            DefaultAlphabet::Gsm,
            DefaultAlphabet::GsmPacked,
            DefaultAlphabet::Ascii,
            DefaultAlphabet::Latin1,
        ] {
            for end in 0..text.len() {
                let text = &text[..end];
                assert_eq!(Encoding::from(alphabet).decode(&alphabet.encode(text, 0)).as_deref(), Some(text));
            }
        }
        assert_eq!(DefaultAlphabet::Latin1.encode("@é", 0), [0x40, 0xe9]);
        assert_eq!(DefaultAlphabet::Ascii.lacks("aéb"), Some('é'));
        assert_eq!(DefaultAlphabet::Latin1.lacks("é€"), Some('€'));
        assert_eq!(Encoding::Ucs2.decode(&[0xfe, 0xff, 0, b'a', 0]).as_deref(), Some("a"));
    }
}
