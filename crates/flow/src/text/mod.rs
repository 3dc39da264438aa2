//! Short message text: the GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1), UCS-2, and parts.

mod gsm;
mod packing;
mod transcode;

pub use gsm::{decode_gsm, encode_gsm};
pub use packing::{pack_septets, unpack_septets};
pub use transcode::transcode;

use gsm::septets;

/// How a text goes over the air.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet with its extension table.
    Gsm,
    /// UCS-2 (in practice UTF-16 big endian, so that emoji arrive).
    Ucs2,
}

impl Alphabet {
    /// The smallest alphabet that holds `text`.
    pub fn of(text: &str) -> Alphabet {
        if text.chars().all(|c| septets(c).is_some()) { Alphabet::Gsm } else { Alphabet::Ucs2 }
    }

    /// How much fits into one message: septets, or UTF-16 units.
    const fn single(self) -> usize {
        match self {
            Alphabet::Gsm => 160,
            Alphabet::Ucs2 => 70,
        }
    }

    /// How much fits into a part beside a header of `header_octets` octets.
    const fn part(self, header_octets: usize) -> usize {
        let octets = PART_OCTETS.saturating_sub(header_octets);
        match self {
            Alphabet::Gsm => octets * 8 / 7,
            Alphabet::Ucs2 => octets / 2,
        }
    }

    /// How much a text takes.
    fn measure(self, text: &str) -> usize {
        text.chars().map(|c| self.width(c)).sum()
    }

    fn width(self, c: char) -> usize {
        match self {
            Alphabet::Gsm => septets(c).unwrap_or(1),
            Alphabet::Ucs2 => c.len_utf16(),
        }
    }
}

/// Encodes as UTF-16, big endian.
pub fn encode_ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Octets of a part, its user data header among them (3GPP TS 23.040, 9.2.3.16).
const PART_OCTETS: usize = 140;
/// Octets of the header that joins parts by an 8-bit reference, and by a 16-bit one (3GPP TS 23.040,
/// 9.2.3.24.1 and 9.2.3.24.8).
pub const HEADER_8_BIT: usize = 6;
/// See [`HEADER_8_BIT`].
pub const HEADER_16_BIT: usize = 7;

/// Splits a text into the texts of its parts; one part when it fits. Characters stay whole, and so do the two
/// septets of an extension character.
pub fn split(text: &str) -> Vec<String> {
    split_beside(text, HEADER_8_BIT)
}

/// As [`split`], if the header that joins the parts has `header_octets` octets.
pub fn split_beside(text: &str, header_octets: usize) -> Vec<String> {
    let alphabet = Alphabet::of(text);
    if alphabet.measure(text) <= alphabet.single() {
        return vec![text.to_owned()];
    }
    let room = alphabet.part(header_octets);
    let mut parts = Vec::new();
    let (mut part, mut used) = (String::new(), 0);
    for c in text.chars() {
        let width = alphabet.width(c);
        if used + width > room {
            parts.push(std::mem::take(&mut part));
            used = 0;
        }
        part.push(c);
        used += width;
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_parts_as_phones_do() {
        assert_eq!(split(&"a".repeat(160)).len(), 1);
        assert_eq!(split(&"a".repeat(161)).len(), 2);
        assert_eq!(split(&"€".repeat(80)).len(), 1);
        assert_eq!(split(&"€".repeat(81)).len(), 2);
        assert_eq!(split(&"γ".repeat(70)).len(), 1);
        assert_eq!(split(&"γ".repeat(71)).len(), 2);
        assert_eq!(split(&"👍".repeat(35)).len(), 1);
        assert_eq!(split(&"👍".repeat(36)).len(), 2);
        assert_eq!(split("").len(), 1);
    }

    #[test]
    fn encodes_the_tables_of_23_038() {
        assert_eq!(encode_gsm("@Δ{a}€"), [0, 0x10, 0x1b, 0x28, b'a', 0x1b, 0x29, 0x1b, 0x65]);
        assert_eq!(encode_ucs2("Ω👍"), [0x03, 0xa9, 0xd8, 0x3d, 0xdc, 0x4d]);
    }

    #[test]
    fn decodes_what_phones_may_show() {
        assert_eq!(decode_gsm(&[0, 0x10, 0x1b, 0x28, b'a', 0x1b, 0x29, 0x1b, 0x65]), "@Δ{a}€");
        // Not in the extension table: the default alphabet's.
        assert_eq!(decode_gsm(&[0x1b, b'a', 0x1b, 0x1b, b'b', 0x80, 0x1b]), "a b\u{fffd} ");
    }

    #[test]
    fn a_longer_header_leaves_less() {
        let lengths =
            |text: &str, header| split_beside(text, header).iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(&"a".repeat(305), HEADER_8_BIT), [153, 152]);
        assert_eq!(lengths(&"a".repeat(305), HEADER_16_BIT), [152, 152, 1]);
        assert_eq!(lengths(&"γ".repeat(132), HEADER_16_BIT), [132, 132]);
    }

    #[test]
    fn transcodes_greek_and_quotes() {
        assert_eq!(transcode("Καλημέρα “φίλε”"), "KAΛHMEPA \"ΦIΛE\"");
        assert_eq!(transcode("ΔΦΓ é"), "ΔΦΓ é");
    }

    proptest! {
        #[test]
        fn parts_join_to_the_text_and_fit(text in any::<String>()) {
            let parts = split(&text);
            prop_assert_eq!(parts.concat(), text.clone());
            let alphabet = Alphabet::of(&text);
            let limit = if parts.len() == 1 { alphabet.single() } else { alphabet.part(HEADER_8_BIT) };
            for part in &parts {
                prop_assert!(alphabet.measure(part) <= limit);
            }
        }

        #[test]
        fn transcoded_text_is_gsm(text in any::<String>()) {
            prop_assert_eq!(Alphabet::of(&transcode(&text)), Alphabet::Gsm);
        }

        #[test]
        fn decoding_undoes_encoding(text in any::<String>()) {
            let text = transcode(&text);
            prop_assert_eq!(decode_gsm(&encode_gsm(&text)), text);
        }

        #[test]
        fn anything_can_be_decoded(octets in any::<Vec<u8>>()) {
            let text = decode_gsm(&octets);
            prop_assert!(text.chars().count() <= octets.len());
        }
    }
}
