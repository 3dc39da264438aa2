//! Phone numbers that a person types or pastes: one reader for the console and the command line. The API's
//! `to` follows the contract instead ([`flow::read_number`]).

use crate::country::{is_plausible, is_valid, national_number};
use flow::{is_e164, number_start};
use rlibphonenumber::PHONE_NUMBER_UTIL;

/// Characters that are read at most; the longest number with a mark behind each digit has fewer.
const TEXT_MAX: usize = 64;
/// Characters of a refused text that an error repeats.
const SHOWN_MAX: usize = 40;

/// Why a text is not taken as a number.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "\"{0}\" is no phone number: write all of it with its country and nothing else, such as +306900000010"
)]
pub struct NoNumber(String);

/// The number that a person means, in E.164. `country` (ISO 3166-1 alpha-2) is that of numbers that are
/// written without one.
///
/// Taken are marks that people put between digits, characters that are not seen, digits of any script,
/// `tel:`, `00` for the plus, and `(0)`: the trunk prefix, which is only dialled inside the country.
///
/// # Errors
/// [`NoNumber`]: another character is in it, or no number of its country looks so.
pub fn typed_number(text: &str, country: Option<&str>) -> Result<String, NoNumber> {
    let pieces = typed_pieces(text);
    let read =
        pieces.iter().flat_map(|piece| numbers(piece, country).into_iter().map(move |read| (piece, read)));
    let mut read: Vec<(&String, String)> = read.collect();
    // What the library knows as valid goes first: an Italian number keeps its zero, a Greek one has none. It
    // need not know one that is written with its country; digits alone may be of any country.
    let has_country = |piece: &str| piece.starts_with('+') || piece.starts_with("00");
    let known = read.iter().position(|(_, number)| is_valid(number));
    let is_taken = |(piece, number): &(&String, String)| has_country(piece) && is_plausible(number);
    let found = known.or_else(|| read.iter().position(is_taken));
    found.map(|at| read.swap_remove(at).1).ok_or_else(|| NoNumber(shown(text)))
}

/// The digits that a person means by a number or a part of one, behind a plus if they wrote it; empty if it
/// is neither. Two of them where `(0)` may be a trunk prefix: without the zero, and with it.
pub fn typed_pieces(text: &str) -> Vec<String> {
    let Some(plain) = plain(text) else { return Vec::new() };
    let digits = |text: &str| text.chars().filter(|c| !"()".contains(*c)).collect::<String>();
    let is_some = |piece: &String| piece.contains(|c: char| c.is_ascii_digit());
    let mut pieces = vec![digits(&plain.replacen("(0)", "", 1)), digits(&plain)];
    pieces.dedup();
    pieces.retain(is_some);
    pieces
}

/// The numbers that some digits may be: of the country, or with a calling code.
fn numbers(piece: &str, country: Option<&str>) -> Vec<String> {
    let national = country.filter(|_| !piece.starts_with('+'));
    let national = national.and_then(|country| national_number(piece, country));
    let international = number_start(piece).filter(|number| is_e164(number));
    national.into_iter().chain(international).collect()
}

/// A text's digits and parentheses behind its plus, if it has nothing else that is seen but marks.
fn plain(text: &str) -> Option<String> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_unseen(c));
    let scheme = text.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("tel:"));
    let text = &text[scheme.map_or(0, str::len)..];
    if text.chars().nth(TEXT_MAX).is_some() {
        return None;
    }
    let mut plain = String::new();
    for c in text.chars().filter(|c| !is_unseen(*c)) {
        match c {
            '+' | '\u{ff0b}' | '\u{fe62}' | '\u{207a}' => plain.push('+'),
            '(' | '\u{ff08}' => plain.push('('),
            ')' | '\u{ff09}' => plain.push(')'),
            _ if is_mark(c) => {}
            _ => plain.push(digit(c)?),
        }
    }
    // People write (+30) as well.
    let plain = plain.replacen("(+", "+(", 1);
    let is_plus_first = plain.rfind('+').is_none_or(|at| at == 0);
    is_plus_first.then_some(plain)
}

/// Characters that are not seen, and come along when a number is copied: of the direction of text, of
/// joining, soft hyphens.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Marks that people put between digits: blanks, dashes, dots, slashes.
fn is_mark(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '/' | '\u{b7}' | '\u{2010}'
                ..='\u{2015}'
                    | '\u{2212}'
                    | '\u{2043}'
                    | '\u{2044}'
                    | '\u{30fc}'
                    | '\u{fe58}'
                    | '\u{fe63}'
                    | '\u{ff0d}'
                    | '\u{ff0e}'
                    | '\u{ff0f}'
        )
}

/// The ASCII digit of a digit of any script.
fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c).filter(char::is_ascii_digit);
    }
    let mut encoded = [0; 4];
    let digits = PHONE_NUMBER_UTIL.normalize_digits_only(c.encode_utf8(&mut encoded));
    digits.chars().next().filter(|digit| c.is_numeric() && digit.is_ascii_digit())
}

/// A text as an error repeats it.
fn shown(text: &str) -> String {
    let mut shown: String = text.trim().chars().filter(|c| !c.is_control() && !is_unseen(*c)).collect();
    if let Some((at, _)) = shown.char_indices().nth(SHOWN_MAX) {
        shown.truncate(at);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for text in [
            "+30 (0) 691 2345699",
            "+30 ( 0 )6912345699",
            "(+30) 691 2345699",
            "0030 (0)691-2345699",
            "30 (0) 691 2345699",
            "306912345699",
            "tel:+30-691-234-5699",
            "TEL:+306912345699",
            "\u{202a}+30 691 2345699\u{202c}",
            "\u{200e}+306912345699",
            "+30\u{202f}691\u{2011}234–5699",
            "+30\t691/2345699",
            "＋３０６９１２３４５６９９",
            "+٣٠٦٩١٢٣٤٥٦٩٩",
            "+३०६९१२३४५६९९",
            "+30.691.2345699",
            "\u{feff}+306912345699\r\n",
        ] {
            for country in [None, Some("GR"), Some("GB")] {
                let read = typed_number(text, country);
                assert_eq!(read.as_deref(), Ok("+306912345699"), "{text:?} {country:?}");
            }
        }
        for text in ["691/2345699", "691 234 5699", "(0) 691 2345699", "٦٩١٢٣٤٥٦٩٩", "691–2345699"]
        {
            assert_eq!(typed_number(text, Some("GR")).as_deref(), Ok("+306912345699"), "{text:?}");
        }
        assert_eq!(typed_number("07400 123456", Some("GB")).as_deref(), Ok("+447400123456"));
        assert_eq!(typed_number("+44 (0)7400 123456", Some("GR")).as_deref(), Ok("+447400123456"));
        // In Italy the zero stays.
        assert_eq!(typed_number("+39 (0)6 698 12345", None).as_deref(), Ok("+390669812345"));
        // A range that the library does not know yet is a number none the less.
        assert_eq!(typed_number("+30 500 000 0000", None).as_deref(), Ok("+305000000000"));
    }

    #[test]
    fn what_is_no_number_is_refused_by_name() {
        for text in [
            "",
            "+",
            "(0)",
            "hello +306912345679",
            "+306912345679;ext=5",
            "+306912345679 ext 5",
            "+306912345679, +306912345678",
            "+3006912345699",
            "+30 0691 2345699",
            "+30691234569",
            "+0306912345699",
            "++306912345699",
            "30+6912345699",
            "+99912345678",
            "tel:",
            // Micronesia has the code 691, and no such number.
            "6912345670000",
            "①②③④⑤⑥⑦⑧⑨⑩①②",
            "+3069123456991234",
        ] {
            for country in [None, Some("GR"), Some("no country")] {
                assert!(typed_number(text, country).is_err(), "{text:?} {country:?}");
            }
        }
        assert!(typed_number("6912345670", None).is_err(), "whose country is it?");
        let told = typed_number("hello +306912345679", None).unwrap_err().to_string();
        assert!(told.contains("\"hello +306912345679\"") && told.contains("with its country"), "{told}");
        assert!(typed_number(&"+3".repeat(9_999), None).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn a_part_of_a_number_is_digits() {
        for (text, pieces) in [
            ("691/234", &["691234"][..]),
            ("+30 (0)691", &["+30691", "+300691"]),
            ("(0)", &["0"]),
            ("0030", &["0030"]),
            ("tel:+30", &["+30"]),
            ("order-4711", &[]),
            ("-", &[]),
            ("+", &[]),
        ] {
            assert_eq!(typed_pieces(text), pieces, "{text:?}");
        }
    }
}
