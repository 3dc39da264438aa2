//! Phone numbers as people write them (contract, sections 2 and 4).

/// Whether `value` is an E.164 number with its plus: 7 to 15 digits, the first not 0.
pub fn is_e164(value: &str) -> bool {
    value.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Reads a number: in E.164, with or without the plus, with a leading 00 instead of it, and with blanks,
/// dashes, dots and parentheses between its digits.
pub fn read_number(text: &str) -> Option<String> {
    let number = with_plus(&without_marks(text)?);
    is_e164(&number).then_some(number)
}

/// A search term for the start of a number, or for all of it, in the form of stored numbers: with a plus.
/// `None` if no number can start like that.
pub fn number_start(text: &str) -> Option<String> {
    without_marks(text).map(|digits| with_plus(&digits))
}

/// A search term for any place of a number, in the form of stored numbers: without marks between the digits.
/// `None` if no number can contain it.
pub fn number_piece(text: &str) -> Option<String> {
    without_marks(text)
}

/// The digits of a text, after its plus if it has one; `None` if it has characters that people do not write
/// into numbers, or no digit.
fn without_marks(text: &str) -> Option<String> {
    let text = text.trim();
    let (plus, rest) = text.strip_prefix('+').map_or(("", text), |rest| ("+", rest));
    let is_mark = |c: char| matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')');
    let is_number = rest.chars().all(|c| c.is_ascii_digit() || is_mark(c));
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    (is_number && !digits.is_empty()).then(|| format!("{plus}{digits}"))
}

fn with_plus(digits: &str) -> String {
    match digits.strip_prefix("00") {
        _ if digits.starts_with('+') => digits.to_owned(),
        Some(rest) => format!("+{rest}"),
        None => format!("+{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in [
            "+306900000000",
            "306900000000",
            "00306900000000",
            "+30 690 000-00.00",
            " (30) 690-0000000 ",
            "+30\u{a0}690 0000000",
        ] {
            assert_eq!(read_number(text).as_deref(), Some("+306900000000"), "{text}");
        }
        for text in [
            "",
            "+",
            "abc",
            "123456",
            "0306900000000",
            "+0306900000000",
            "++306900000000",
            "30690000000000000",
            "+30690000000a",
            "30+6900000000",
            "+30/6900000000",
            "٣٠٦٩٠٠٠٠٠٠٠٠",
        ] {
            assert_eq!(read_number(text), None, "{text}");
        }
    }

    #[test]
    fn terms_are_written_as_numbers_are_kept() {
        for (text, start) in [("3069", "+3069"), ("003069", "+3069"), ("+30 69", "+3069"), ("00", "+")] {
            assert_eq!(number_start(text).as_deref(), Some(start), "{text}");
        }
        for (text, piece) in [("69 00", "6900"), ("0069", "0069"), ("+30-69", "+3069")] {
            assert_eq!(number_piece(text).as_deref(), Some(piece), "{text}");
        }
        for text in ["sip:30", "-", "3a", "+"] {
            assert_eq!((number_start(text), number_piece(text)), (None, None), "{text}");
        }
    }
}
