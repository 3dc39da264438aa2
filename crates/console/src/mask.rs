//! What those see who may not see numbers: enough of one to recognise it.

use std::borrow::Cow;
use std::net::IpAddr;

/// Fewer digits are no number of a person.
const DIGITS_MIN: usize = 7;
/// Digits that stay at the end.
const LAST: usize = 2;
/// Digits that stay at the beginning at most, as far as so many behind them are hidden.
const FIRST_MAX: usize = 4;
const HIDDEN_MIN: usize = 6;

/// A text without what could be a person's number or address: of each run of digits, whatever stands between
/// them but letters, only the beginning and the end stay; of a SIP address the host, of a URL the site.
pub(crate) fn masked(text: &str) -> String {
    let decoded = without_escapes(text);
    // Escapes hide digits and marks, and are shown as they stand where they hide none.
    let text = if masked_plain(&decoded) == decoded { text } else { &*decoded };
    masked_plain(text)
}

/// The scheme and the host of a URL: its path and its query may have numbers and secrets in them.
pub(crate) fn site(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return masked_runs(url) };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let host = if is_address { host.to_owned() } else { masked_runs(&without_escapes(host)) };
    format!("{scheme}://{host}")
}

/// The same of a text without escapes.
fn masked_plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, len, shown)) = next_address(rest) {
        out.push_str(&masked_runs(&rest[..at]));
        out.push_str(&shown);
        rest = &rest[at + len..];
    }
    out.push_str(&masked_runs(rest));
    out
}

/// The first SIP address or URL of a text: where it begins, its length, and what of it is shown.
fn next_address(text: &str) -> Option<(usize, usize, String)> {
    // Of the same length as the text: only ASCII letters change.
    let lower = text.to_ascii_lowercase();
    let found = ["sip:", "sips:", "http://", "https://"].into_iter();
    let (at, _) = found.filter_map(|scheme| Some((lower.find(scheme)?, scheme))).min()?;
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '(' | ')' | ',');
    let address = &text[at..];
    let address = &address[..address.find(ends).unwrap_or(address.len())];
    let shown = if lower[at..].starts_with("http") {
        let site = site(address);
        if site.len() < address.len() { format!("{site}/…") } else { site }
    } else {
        let host = address.rsplit_once('@').map_or("", |(_, host)| host);
        format!("sip:…@{host}")
    };
    Some((at, address.len(), shown))
}

/// A text with each run of digits masked. Digits of every script count, and so does what only looks like one.
fn masked_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        if c.is_numeric() || (!c.is_alphabetic() && !run.is_empty()) {
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

/// A run of digits with marks between and behind them.
fn masked_run(run: &str) -> Cow<'_, str> {
    let digits: Vec<char> = run.chars().filter(|c| c.is_numeric()).collect();
    if digits.len() < DIGITS_MIN {
        return run.into();
    }
    let first = digits.len().saturating_sub(LAST + HIDDEN_MIN).min(FIRST_MAX);
    let behind = &run[run.trim_end_matches(|c: char| !c.is_numeric()).len()..];
    let shown = |digits: &[char]| digits.iter().collect::<String>();
    format!("{}…{}{behind}", shown(&digits[..first]), shown(&digits[digits.len() - LAST..])).into()
}

/// A text with its percent escapes (RFC 3986, section 2.1) as what they stand for.
fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let octets = text.as_bytes();
    let mut plain = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let hex =
            octets.get(at + 1..at + 3).filter(|hex| octet == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let escaped = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        plain.push(escaped.unwrap_or(octet));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_left_whole() {
        for (text, shown) in [
            ("+306900000010", "+3069…10"),
            ("00 30 690 000 0010", "0030…10"),
            ("(690) 000-0010 is busy", "(69…10 is busy"),
            ("id:12345 err:011", "id:12345 err:011"),
            ("sip:+306900000010@sip.example.com", "sip:…@sip.example.com"),
            ("called +306900000010.", "called +3069…10."),
            ("called sips:anna@example.com, SIP:+306900000010", "called sip:…@example.com, sip:…@"),
            ("to http://u:p@h.example/+306900000010?key=abc failed", "to http://h.example/… failed"),
            ("https://h.example", "https://h.example"),
            ("100 % of 30%", "100 % of 30%"),
            ("5 s, then 12 s", "5 s, then 12 s"),
            ("", ""),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }

    #[test]
    fn a_number_is_masked_however_it_is_written() {
        for text in [
            "691_234_5671",
            "691–234–5671",
            "691\u{202f}234\u{202f}5671",
            "691:234:5671",
            "691,234,5671",
            "691%20234%205671",
            "691%2D234%2d5671",
            "%36%39%31%32%33%34%35%36%37%31",
            "691\u{200e}234\u{2011}5671",
            "691 | 234 | 5671",
        ] {
            assert_eq!(masked(text), "69…71", "{text}");
            assert_eq!(masked(&format!("user {text} x")), "user 69…71 x", "{text}");
        }
        assert_eq!(masked("６９１２３４５６７１"), "６９…７１");
        assert_eq!(masked("٦٩١٢٣٤٥٦٧١"), "٦٩…٧١");
    }

    #[test]
    fn at_least_five_digits_are_hidden() {
        for (digits, shown) in [
            ("123456", "123456"),
            ("1234567", "…67"),
            ("12345678", "…78"),
            ("123456789", "1…89"),
            ("12345678901", "123…01"),
            ("123456789012", "1234…12"),
            ("123456789012345", "1234…45"),
        ] {
            assert_eq!(masked(digits), shown);
        }
    }

    #[test]
    fn of_a_url_the_site_alone_is_shown() {
        for (url, shown) in [
            ("https://acme.example/hook?token=abc", "https://acme.example"),
            ("https://user:secret@acme.example:8443/", "https://acme.example:8443"),
            ("http://127.0.0.1:18080/+306922222222", "http://127.0.0.1:18080"),
            ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80"),
            ("https://306900000010.acme.example#x", "https://3069…10.acme.example"),
            ("https://acme.example?x@y", "https://acme.example"),
        ] {
            assert_eq!(site(url), shown, "{url}");
        }
    }
}
