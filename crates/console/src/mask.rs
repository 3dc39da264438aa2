//! What those see who may not see numbers: enough of one to recognise it.

use std::borrow::Cow;

/// Fewer digits are no number of a person.
const DIGITS_MIN: usize = 7;
/// Digits that stay at the beginning and at the end.
const FIRST: usize = 4;
const LAST: usize = 2;

/// A text without what could be a person's number or SIP address: of each run of digits, however it is
/// written, only the beginning and the end stay.
pub(crate) fn masked(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:")) {
        let host = rest.rsplit_once('@').map_or("", |(_, host)| host);
        return format!("sip:…@{host}");
    }
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        let joins = matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}') && !run.is_empty();
        if c.is_ascii_digit() || joins {
            run.push(c);
        } else {
            out.push_str(&masked_run(&run));
            run.clear();
            out.push(c);
        }
    }
    out.push_str(&masked_run(&run));
    out
}

/// A run of digits with marks between them.
fn masked_run(run: &str) -> Cow<'_, str> {
    let digits: String = run.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < DIGITS_MIN {
        return run.into();
    }
    let marks = run.len() - run.trim_end_matches(|c: char| !c.is_ascii_digit()).len();
    let behind = &run[run.len() - marks..];
    format!("{}…{}{behind}", &digits[..FIRST], &digits[digits.len() - LAST..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_left_whole() {
        for (text, shown) in [
            ("+306900000010", "+3069…10"),
            ("00 30 690 000 0010", "0030…10"),
            ("(690) 000-0010 is busy", "(6900…10 is busy"),
            ("id:12345 err:011", "id:12345 err:011"),
            ("sip:+306900000010@sip.example.com", "sip:…@sip.example.com"),
            ("called +306900000010.", "called +3069…10."),
            ("", ""),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }
}
