//! Alphabets of SMPP: what `data_coding` (SMPP 3.4, 5.2.19) means, and texts in it.

use crate::handset::Encoding;
use flow::text::{encode_gsm, pack_septets};
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

    /// Encodes a text that it can express. Septets begin `fill_bits` behind the first bit where they
    /// are packed.
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

#[cfg(test)]
mod tests {
    use super::*;

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
                assert_eq!(Encoding::from(alphabet).decode(&alphabet.encode(text, 0)), text);
            }
        }
        assert_eq!(DefaultAlphabet::Latin1.encode("@é", 0), [0x40, 0xe9]);
        assert_eq!(DefaultAlphabet::Ascii.lacks("aéb"), Some('é'));
        assert_eq!(DefaultAlphabet::Latin1.lacks("é€"), Some('€'));
        assert_eq!(Encoding::Ucs2.decode(&[0xfe, 0xff, 0, b'a']), "a");
    }
}
