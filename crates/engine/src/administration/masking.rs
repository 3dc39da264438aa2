//! Phone numbers without their middle.

/// Digits of a number that begins with `+`, at least.
const INTERNATIONAL_MIN: usize = 7;
/// Digits of one that doesn't, at least: what has fewer may be an amount.
const PLAIN_MIN: usize = 10;
/// Digits of a number, at most: 15 (E.164), and the prefix 00.
const DIGITS_MAX: usize = 17;
/// Digits that are shown of a number: at its beginning, and at its end.
const SHOWN: (usize, usize) = (4, 2);

/// A number with its first four and its last two digits: `+3069…10`.
pub fn masked_number(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let plus = if number.starts_with('+') { "+" } else { "" };
    let (first, last) = SHOWN;
    let first: String = digits.iter().take(first).collect();
    let last: String = digits.iter().skip(digits.len().saturating_sub(last).max(SHOWN.0)).collect();
    format!("{plus}{first}…{last}")
}

/// A text in which all that looks like a phone number is masked.
pub(super) fn without_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| !in_word(c)) {
        let word = piece.trim_end_matches(|c: char| !in_word(c));
        if is_number(word) {
            masked += &masked_number(word);
            masked += &piece[word.len()..];
        } else {
            masked += piece;
        }
    }
    masked
}

/// Whether a character does not end a word. Ids have hyphens, and amounts have points.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | '@')
}

fn is_number(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let rest = word.strip_prefix('+');
    let least = if rest.is_some() { INTERNATIONAL_MIN } else { PLAIN_MIN };
    let rest = rest.unwrap_or(word);
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    rest.chars().all(|c| c.is_ascii_digit() || c == '-') && (least..=DIGITS_MAX).contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_middle_and_nothing_else_does() {
        let masks = [
            ("+306900000010", "+3069…10"),
            ("to +306900000010, and 00306900000010.", "to +3069…10, and 0030…10"),
            ("(690-000-0010)", "(6900…10)"),
            ("to=6900000010&x", "to=6900…10&x"),
        ];
        for (text, masked) in masks {
            assert_eq!(without_numbers(text), masked);
        }
        let kept = [
            "",
            "10000000.50",
            "1000000",
            "01890000-0000-7000-8000-000000000000",
            "00000000-0000-0000-0000-000000000001",
            "0123456789abcdef01234567",
            "2026-11-27T06:00:00Z",
            "ann@acme.example, Ωμέγα",
        ];
        for text in kept {
            assert_eq!(without_numbers(text), text);
        }
        assert_eq!(masked_number("+1234"), "+1234…");
    }
}
