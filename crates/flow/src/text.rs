//! Short message text: the GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1), UCS-2, and parts.

mod packing;
mod transcode;

pub use packing::{pack_septets, unpack_septets};

/// The default alphabet, by code; `ESC` stands at 0x1B.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', 'Δ', '_', 'Φ', 'Γ',
    'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É', ' ', '!', '"', '#', '¤', '%', '&', '\'',
    '(', ')', '*', '+', ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<',
    '=', '>', '?', '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q',
    'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', '¿', 'a', 'b', 'c', 'd', 'e', 'f',
    'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä',
    'ö', 'ñ', 'ü', 'à',
];

/// The extension table: sent as ESC and this code.
const EXTENSION: [(char, u8); 10] = [
    ('\u{c}', 0x0a),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2f),
    ('[', 0x3c),
    ('~', 0x3d),
    (']', 0x3e),
    ('|', 0x40),
    ('€', 0x65),
];

const ESCAPE: u8 = 0x1b;

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

    /// How much fits into a part beside a header.
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

fn basic(c: char) -> Option<u8> {
    if c == '\u{1b}' {
        return None;
    }
    // ASCII letters, digits and most marks have their ASCII codes.
    let ascii = c as usize;
    if ascii < 128 && BASIC[ascii] == c {
        return Some(ascii as u8);
    }
    BASIC.iter().position(|&known| known == c).map(|code| code as u8)
}

fn extension(c: char) -> Option<u8> {
    EXTENSION.iter().find(|(known, _)| *known == c).map(|&(_, code)| code)
}

/// How many septets a character takes; `None` where the alphabet lacks it.
fn septets(c: char) -> Option<usize> {
    if basic(c).is_some() { Some(1) } else { extension(c).map(|_| 2) }
}

/// Encodes in the GSM alphabet, one septet an octet (the form of SMPP's `data_coding` 0); `?` for what it lacks.
pub fn encode_gsm(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for c in text.chars() {
        match (basic(c), extension(c)) {
            (Some(code), _) => octets.push(code),
            (None, Some(code)) => octets.extend([ESCAPE, code]),
            (None, None) => octets.push(b'?'),
        }
    }
    octets
}

/// Encodes as UTF-16, big endian.
pub fn encode_ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Decodes what [`encode_gsm`] gives, one septet an octet. A code that the extension table lacks is the one of the default
/// alphabet, and a second escape, or one at the end, is a blank (3GPP TS 23.038, 6.2.1.1). Octets that are no septets
/// become U+FFFD.
pub fn decode_gsm(octets: &[u8]) -> String {
    let basic = |octet: u8| BASIC.get(usize::from(octet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut text = String::with_capacity(octets.len());
    let mut octets = octets.iter().copied();
    while let Some(octet) = octets.next() {
        text.push(match octet {
            ESCAPE => match octets.next() {
                None | Some(ESCAPE) => ' ',
                Some(code) => {
                    let extension = EXTENSION.iter().find(|(_, known)| *known == code);
                    extension.map_or_else(|| basic(code), |&(c, _)| c)
                }
            },
            octet => basic(octet),
        });
    }
    text
}

/// Replaces the characters that the GSM alphabet lacks by ones that it has: `Ά` by `A`, `“` by `"`, `?` at worst. Greek
/// letters become the capitals that the alphabet has or that look alike, so that the text keeps its length.
pub fn transcode(text: &str) -> String {
    transcode::transcode(text)
}

/// Octets of a part, its user data header among them (3GPP TS 23.040, 9.2.3.16).
const PART_OCTETS: usize = 140;
/// Octets of the header that joins parts by an 8-bit reference, and by a 16-bit one (3GPP TS 23.040, 9.2.3.24.1 and
/// 9.2.3.24.8).
pub const HEADER_8_BIT: usize = 6;
/// See [`HEADER_8_BIT`].
pub const HEADER_16_BIT: usize = 7;

/// Splits a text into the texts of its parts; one part when it fits. Characters stay whole, and so do the two
/// septets of an extension character.
pub fn split(text: &str) -> Vec<String> {
    split_beside(text, HEADER_8_BIT)
}

/// As [`split`], where each of several parts leaves room for a user data header of so many octets.
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
