//! Recipients as carriers write them in receipts: international, national or masked.

/// Fewer digits at the end of a number don't tell whose it is.
const SUFFIX_MIN: usize = 6;
/// Digits that are shown of a number.
const SHOWN: usize = 3;

/// Whether a character may stand for any digit.
fn is_mask(c: char) -> bool {
    matches!(c, '*' | 'X' | 'x' | '#' | '?')
}

/// The digits and masked digits of an address without its international or national prefix; `None` if it is
/// no number.
fn significant(address: &str) -> Option<String> {
    let mut significant = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '0'..='9' => significant.push(c),
            '+' | ' ' | '-' | '.' | '(' | ')' => {}
            c if is_mask(c) => significant.push('*'),
            _ => return None,
        }
    }
    let start = significant.find(|c| c != '0').unwrap_or(significant.len());
    Some(significant.split_off(start)).filter(|significant| !significant.is_empty())
}

/// The digits of a number that is written whole, without `+` or `00`.
pub(crate) fn digits(address: &str) -> Option<String> {
    significant(address).filter(|digits| !digits.contains('*'))
}

/// What a sender is found by: a number's digits, or an address as it is.
pub(crate) fn sender(from: &str) -> String {
    digits(from).unwrap_or_else(|| from.trim().to_lowercase())
}

/// Whether a carrier may mean the recipient `to` by `reported`: the same digits, or the last six or more of
/// them; a masked digit fits any.
pub(crate) fn fits(to: &str, reported: &str) -> bool {
    let (Some(to), Some(reported)) = (significant(to), significant(reported)) else { return false };
    let compared = to.len().min(reported.len());
    if to.len() != reported.len() && compared < SUFFIX_MIN {
        return false;
    }
    let pairs = to.bytes().rev().zip(reported.bytes().rev());
    pairs.take(compared).all(|(one, other)| one == other || one == b'*' || other == b'*')
}

/// An address of which the last three digits can be told.
pub(crate) fn masked(address: &str) -> String {
    let digits: Vec<char> = address.chars().filter(char::is_ascii_digit).collect();
    let shown = &digits[digits.len().saturating_sub(SHOWN)..];
    let hidden = if digits.len() > SHOWN { "***" } else { "" };
    format!("{hidden}{}", shown.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_however_they_are_written() {
        let to = "+306900000001";
        for reported in [
            "306900000001",
            "00306900000001",
            "+30 690 000-0001",
            "06900000001",
            "6900000001",
            "900000001",
            "30690*****01",
            "XXXXXXXX0001",
        ] {
            assert!(fits(to, reported), "{reported}");
        }
        // Its leading zeros are taken for a prefix, and what is left is too short.
        for reported in ["", "+", "000001", "306900000002", "00001", "1", "Acme", "30690*****02"] {
            assert!(!fits(to, reported), "{reported}");
        }
        assert!(fits("12345", "12345") && !fits("12345", "2345"));
    }

    #[test]
    fn a_masked_number_has_no_digits_to_find_it_by() {
        assert_eq!(digits("00306900000001").as_deref(), Some("306900000001"));
        assert_eq!(digits("+306900000001").as_deref(), Some("306900000001"));
        assert_eq!(digits("30690*****01"), None);
        assert_eq!(digits(""), None);
    }

    #[test]
    fn three_digits_are_shown() {
        assert_eq!(masked("+306900000123"), "***123");
        assert_eq!(masked("30690XXX0123"), "***123");
        assert_eq!(masked("12"), "12");
        assert_eq!(masked("Acme"), "");
    }
}
