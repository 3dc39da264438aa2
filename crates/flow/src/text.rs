//! Short message text: the GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1), UCS-2, and parts.

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

    /// How much fits into a part beside its 6-octet concatenation header (3GPP TS 23.040, 9.2.3.24.1).
    const fn part(self) -> usize {
        match self {
            Alphabet::Gsm => 153,
            Alphabet::Ucs2 => 67,
        }
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

/// Replaces the characters that the GSM alphabet lacks by ones that it has: `ά` by `a`, `“` by `"`, `?` at worst.
pub fn transcode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if septets(c).is_some() {
            out.push(c);
            continue;
        }
        match deunicode::deunicode_char(c) {
            Some(plain) => out.extend(plain.chars().map(|c| if septets(c).is_some() { c } else { '?' })),
            None => out.push('?'),
        }
    }
    out
}

/// Splits a text into the texts of its parts; one part when it fits. Characters stay whole, and so do the two
/// septets of an extension character.
pub fn split(text: &str) -> Vec<String> {
    let alphabet = Alphabet::of(text);
    if text.chars().map(|c| alphabet.width(c)).sum::<usize>() <= alphabet.single() {
        return vec![text.to_owned()];
    }
    let mut parts = Vec::new();
    let (mut part, mut used) = (String::new(), 0);
    for c in text.chars() {
        let width = alphabet.width(c);
        if used + width > alphabet.part() {
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
    fn transcodes_greek_and_quotes() {
        assert_eq!(transcode("Καλημέρα “φίλε”"), "Kalemera \"phile\"");
        assert_eq!(transcode("ΔΦΓ é"), "ΔΦΓ é");
    }

    proptest! {
        #[test]
        fn parts_join_to_the_text_and_fit(text in any::<String>()) {
            let parts = split(&text);
            prop_assert_eq!(parts.concat(), text.clone());
            let alphabet = Alphabet::of(&text);
            let limit = if parts.len() == 1 { alphabet.single() } else { alphabet.part() };
            for part in &parts {
                prop_assert!(part.chars().map(|c| alphabet.width(c)).sum::<usize>() <= limit);
            }
        }

        #[test]
        fn transcoded_text_is_gsm(text in any::<String>()) {
            prop_assert_eq!(Alphabet::of(&transcode(&text)), Alphabet::Gsm);
        }
    }
}
