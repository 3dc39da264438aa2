//! Writes a text with the characters of the GSM alphabet alone.
//!
//! The alphabet has the Greek capitals that no Latin letter looks like. With the Latin ones that do, it holds
//! every Greek text in capitals, letter by letter; Greek networks send that way, and handsets show it as
//! Greek. So Greek letters of either case become capitals, as long as before. Other scripts are written by
//! sound.

use super::gsm::septets;
use std::borrow::Cow;

/// Capitals of the Cyrillic script that the GSM alphabet has a look-alike of, and that.
const CYRILLIC: [(char, char); 21] = [
    ('А', 'A'),
    ('В', 'B'),
    ('Г', 'Γ'),
    ('Е', 'E'),
    ('К', 'K'),
    ('Л', 'Λ'),
    ('М', 'M'),
    ('Н', 'H'),
    ('О', 'O'),
    ('П', 'Π'),
    ('Р', 'P'),
    ('С', 'C'),
    ('Т', 'T'),
    ('Ф', 'Φ'),
    ('Х', 'X'),
    ('Ѕ', 'S'),
    ('І', 'I'),
    ('Ј', 'J'),
    ('Ԛ', 'Q'),
    ('Ԝ', 'W'),
    ('Ү', 'Y'),
];

/// Replaces the characters that the GSM alphabet lacks by ones that it has: `Ά` by `A`, `“` by `"`, `?` at
/// worst. Greek letters become the capitals that the alphabet has or that look alike, so that the text keeps
/// its length.
pub fn transcode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let shouts = !text.chars().any(char::is_lowercase);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_letter = |c: char| c.is_alphabetic() || is_combining(c);
        let end = match is_letter(first) {
            true => rest.find(|c| !is_letter(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, behind) = rest.split_at(end);
        transcode_word(word, shouts, &mut out);
        rest = behind;
    }
    out
}

/// `shouts`: whether the text that it is from has no lower-case letter, which a word of one letter can't
/// tell.
fn transcode_word(word: &str, shouts: bool, out: &mut String) {
    let cased = word.chars().filter(|c| c.is_uppercase() || c.is_lowercase()).count();
    let capitals = if cased > 1 { !word.chars().any(char::is_lowercase) } else { shouts };
    // By look in whole words only: a reader can't tell which of a word's letters are meant by sound.
    let by_look = word.chars().all(|c| cyrillic(c).is_some());
    for c in word.chars() {
        let look_alike = if by_look { cyrillic(c) } else { greek_capital(c) };
        match look_alike {
            _ if septets(c).is_some() => out.push(c),
            Some(look_alike) => out.push(look_alike),
            None => {
                let plain = deunicode::deunicode_char(c).unwrap_or("?");
                out.extend(in_case(c, plain, capitals).chars().map(known));
            }
        }
    }
}

fn known(c: char) -> char {
    if septets(c).is_some() { c } else { '?' }
}

/// The letters for a capital in the case of the word around it: all of them capitals in a word of capitals,
/// else the first one.
fn in_case(c: char, plain: &str, capitals: bool) -> Cow<'_, str> {
    let mut letters = plain.chars();
    match letters.next() {
        Some(_) if !c.is_uppercase() || letters.as_str().is_empty() => plain.into(),
        Some(_) if capitals => plain.to_uppercase().into(),
        Some(first) => first.to_uppercase().chain(letters.as_str().to_lowercase().chars()).collect(),
        None => plain.into(),
    }
}

fn cyrillic(c: char) -> Option<char> {
    CYRILLIC.iter().find(|(known, _)| *known == c).map(|&(_, look_alike)| look_alike)
}

/// Marks that stand over the letter before them.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// What the GSM alphabet has for a Greek letter, without its accent.
fn greek_capital(c: char) -> Option<char> {
    Some(match c {
        'Α' | 'α' | 'Ά' | 'ά' => 'A',
        'Β' | 'β' | 'ϐ' => 'B',
        'γ' => 'Γ',
        'δ' => 'Δ',
        'Ε' | 'ε' | 'Έ' | 'έ' | 'ϵ' => 'E',
        'Ζ' | 'ζ' => 'Z',
        'Η' | 'η' | 'Ή' | 'ή' => 'H',
        'θ' | 'ϑ' | 'ϴ' => 'Θ',
        'Ι' | 'ι' | 'Ί' | 'ί' | 'Ϊ' | 'ϊ' | 'ΐ' => 'I',
        'Κ' | 'κ' | 'ϰ' => 'K',
        'λ' => 'Λ',
        'Μ' | 'μ' => 'M',
        'Ν' | 'ν' => 'N',
        'ξ' => 'Ξ',
        'Ο' | 'ο' | 'Ό' | 'ό' => 'O',
        'π' | 'ϖ' => 'Π',
        'Ρ' | 'ρ' | 'ϱ' => 'P',
        'σ' | 'ς' | 'ϲ' | 'Ϲ' => 'Σ',
        'Τ' | 'τ' => 'T',
        'Υ' | 'υ' | 'Ύ' | 'ύ' | 'Ϋ' | 'ϋ' | 'ΰ' => 'Y',
        'φ' | 'ϕ' => 'Φ',
        'Χ' | 'χ' => 'X',
        'ψ' => 'Ψ',
        'ω' | 'Ώ' | 'ώ' | '\u{2126}' => 'Ω',
        c => return polytonic_capital(c),
    })
}

/// As [`greek_capital`], for letters with the accents and breathings of old (Unicode's block "Greek
/// Extended").
fn polytonic_capital(c: char) -> Option<char> {
    Some(match c {
        '\u{1f00}'..='\u{1f0f}'
        | '\u{1f70}'..='\u{1f71}'
        | '\u{1f80}'..='\u{1f8f}'
        | '\u{1fb0}'..='\u{1fbc}' => 'A',
        '\u{1f10}'..='\u{1f1d}' | '\u{1f72}'..='\u{1f73}' | '\u{1fc8}'..='\u{1fc9}' => 'E',
        '\u{1f20}'..='\u{1f2f}'
        | '\u{1f74}'..='\u{1f75}'
        | '\u{1f90}'..='\u{1f9f}'
        | '\u{1fc2}'..='\u{1fc7}'
        | '\u{1fca}'..='\u{1fcc}' => 'H',
        '\u{1f30}'..='\u{1f3f}' | '\u{1f76}'..='\u{1f77}' | '\u{1fd0}'..='\u{1fdb}' => 'I',
        '\u{1f40}'..='\u{1f4d}' | '\u{1f78}'..='\u{1f79}' | '\u{1ff8}'..='\u{1ff9}' => 'O',
        '\u{1fe4}'..='\u{1fe5}' | '\u{1fec}' => 'P',
        '\u{1f50}'..='\u{1f5f}'
        | '\u{1f7a}'..='\u{1f7b}'
        | '\u{1fe0}'..='\u{1fe3}'
        | '\u{1fe6}'..='\u{1feb}' => 'Y',
        '\u{1f60}'..='\u{1f6f}'
        | '\u{1f7c}'..='\u{1f7d}'
        | '\u{1fa0}'..='\u{1faf}'
        | '\u{1ff2}'..='\u{1ff7}'
        | '\u{1ffa}'..='\u{1ffc}' => 'Ω',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greek_keeps_its_look_and_its_length() {
        for (text, sent) in [
            ("ΚΑΛΗΜΕΡΑ ΧΡΙΣΤΟΥΓΕΝΝΑ", "KAΛHMEPA XPIΣTOYΓENNA"),
            ("Καλημέρα, Χρήστο!", "KAΛHMEPA, XPHΣTO!"),
            ("ΆΈΉΊΌΎΏΪΫ ΐΰς", "AEHIOYΩIY IYΣ"),
            ("Ο κωδικός σας: aB12", "O KΩΔIKOΣ ΣAΣ: aB12"),
            ("Ἐν ἀρχῇ ἦν ὁ λόγος", "EN APXH HN O ΛOΓOΣ"),
        ] {
            assert_eq!(transcode(text), sent);
            assert_eq!(sent.chars().count(), text.chars().count());
        }
        assert_eq!(transcode("Ε\u{301}"), "E");
    }

    #[test]
    fn what_takes_several_letters_keeps_the_case_of_its_word() {
        for (text, sent) in [
            ("МОСКВА", "MOCKBA"),
            ("ПРИВЕТ ЖУК, Я", "PRIVET ZHUK, IA"),
            ("Жук и я. Я", "Zhuk i ia. Ia"),
            ("Хорошо", "Khorosho"),
            ("ŒUVRE Œuvre œuvre", "OEUVRE Oeuvre oeuvre"),
            ("ÞOR", "THOR"),
        ] {
            assert_eq!(transcode(text), sent);
        }
    }

    #[test]
    fn every_greek_letter_has_one() {
        for c in ('\u{386}'..='\u{3ce}').chain('\u{1f00}'..='\u{1ffc}').filter(|c| c.is_alphabetic()) {
            // A single iota is no letter of a word.
            if c != '\u{1fbe}' {
                assert!(septets(c).is_some() || greek_capital(c).is_some(), "{c} {:x}", c as u32);
            }
        }
    }
}
