//! The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1).

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
pub(super) fn septets(c: char) -> Option<usize> {
    if basic(c).is_some() { Some(1) } else { extension(c).map(|_| 2) }
}

/// Encodes in the GSM alphabet, one septet an octet (the form of SMPP's `data_coding` 0); `?` for what it
/// lacks.
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

/// Decodes what [`encode_gsm`] gives, one septet an octet. A code that the extension table lacks is the one
/// of the default alphabet, and a second escape, or one at the end, is a blank (3GPP TS 23.038, 6.2.1.1).
/// Octets that are no septets become U+FFFD.
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
