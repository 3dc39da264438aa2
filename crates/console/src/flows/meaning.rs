//! What a person may mean by what stands in the box.

use flow::{is_e164, number_start};
use index::{Predicate, TextOperator};
use uuid::Uuid;
use wire::typed_number::{typed_number, typed_pieces};

/// Characters of the box that are looked at: as long as the longest reference.
pub(crate) const TEXT_MAX: usize = 255;

/// What a person may mean by what stands in the box.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Meaning {
    /// Nothing was typed.
    Everything,
    /// An id of a flow, or of something in it.
    Id(Uuid),
    /// A recipient's number, or part of one.
    Number(Readings),
    /// A carrier's reference, or a label.
    Reference(String),
}

/// The ways to read digits.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Readings {
    /// Each is tried until one finds something.
    pub(crate) tried: Vec<Predicate>,
    /// The one that says what was typed, where none finds anything.
    pub(crate) plain: Predicate,
}

/// Reads the box. `country` is that of numbers that are typed without one.
pub(crate) fn meaning(text: &str, country: Option<&str>) -> Meaning {
    let text: String = text.trim().chars().take(TEXT_MAX).collect();
    if text.is_empty() {
        return Meaning::Everything;
    }
    if let Ok(id) = Uuid::try_parse(&text) {
        return Meaning::Id(id);
    }
    if text.starts_with("sip:") || text.starts_with("sips:") {
        let plain = Predicate::To(TextOperator::Is, text);
        return Meaning::Number(Readings { tried: vec![plain.clone()], plain });
    }
    match readings(&text, country) {
        Some(readings) => Meaning::Number(readings),
        None => Meaning::Reference(text),
    }
}

/// The readings of a number or of a part of one; `None` if the text is neither.
fn readings(text: &str, country: Option<&str>) -> Option<Readings> {
    let number = typed_number(text, country).ok();
    let whole = number.map(|number| Predicate::To(TextOperator::Is, number));
    let mut tried: Vec<Predicate> = whole.iter().cloned().collect();
    let mut plain = whole;
    for piece in typed_pieces(text) {
        let of_piece = piece_readings(&piece);
        if plain.is_none() {
            let is_international = piece.starts_with('+');
            plain = if is_international { of_piece.first() } else { of_piece.last() }.cloned();
        }
        for reading in of_piece {
            if !tried.contains(&reading) {
                tried.push(reading);
            }
        }
    }
    Some(Readings { tried, plain: plain? })
}

/// What digits may be, the narrowest first.
fn piece_readings(piece: &str) -> Vec<Predicate> {
    let recipient = Predicate::To;
    let Some(start) = number_start(piece) else { return Vec::new() };
    let mut readings = Vec::new();
    readings.extend(is_e164(&start).then(|| recipient(TextOperator::Is, start.clone())));
    // No country's numbers begin with a zero: what has three of them is a part of one.
    let is_international = piece.starts_with('+') || (piece.starts_with("00") && !start.starts_with("+0"));
    if is_international && start != "+" {
        readings.push(recipient(TextOperator::StartsWith, start));
    } else {
        // A national number without its trunk prefix ends the international one.
        let end = piece.trim_start_matches('0');
        readings.extend((!end.is_empty()).then(|| recipient(TextOperator::EndsWith, end.to_owned())));
    }
    if !piece.starts_with('+') {
        readings.push(recipient(TextOperator::Contains, piece.to_owned()));
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;
    use TextOperator::{Contains, EndsWith, Is, StartsWith};

    fn readings(text: &str, country: Option<&str>) -> Vec<(TextOperator, String)> {
        let Meaning::Number(Readings { tried, .. }) = meaning(text, country) else {
            panic!("{text} is no number")
        };
        let reading = |predicate| match predicate {
            Predicate::To(operator, term) => (operator, term),
            other => panic!("{other:?}"),
        };
        tried.into_iter().map(reading).collect()
    }

    #[test]
    fn a_number_is_found_as_people_write_it() {
        let whole = (Is, "+306900000010".to_owned());
        for text in ["+30 690 000 0010", "0030 690-0000010", " (+30) 6900000010", "+30.690.0000010"] {
            assert_eq!(readings(text, None)[0], whole, "{text}");
        }
        assert_eq!(readings("306900000010", None)[0], whole);
        assert_eq!(readings("690 0000010", Some("GR"))[0], whole);
        assert!(readings("6900000010", None).contains(&(EndsWith, "6900000010".to_owned())));
        assert_eq!(readings("07400 123456", Some("GB"))[0], (Is, "+447400123456".to_owned()));
        assert!(readings("07400 123456", None).contains(&(EndsWith, "7400123456".to_owned())));
    }

    #[test]
    fn the_box_takes_what_opt_outs_take() {
        let whole = (Is, "+306912345670".to_owned());
        for text in [
            "691/2345670",
            "\u{202a}+306912345670\u{202c}",
            "691\u{2011}234–5670",
            "691\u{202f}234\t5670",
            "６９１２３４５６７０",
            "٦٩١٢٣٤٥٦٧٠",
            "tel:+306912345670",
            "+30 (0)691 234 5670",
        ] {
            assert_eq!(readings(text, Some("GR"))[0], whole, "{text:?}");
        }
        assert_eq!(readings("+30 (0)69", None)[0], (StartsWith, "+3069".to_owned()));
    }

    #[test]
    fn what_finds_nothing_is_called_what_it_is() {
        for (text, country, expected) in [
            ("+306912345670", None, (Is, "+306912345670")),
            ("306912345670", None, (Is, "+306912345670")),
            ("6912345670", Some("GR"), (Is, "+306912345670")),
            ("6912345670", None, (Contains, "6912345670")),
            ("+3069", None, (StartsWith, "+3069")),
            ("0010", None, (Contains, "0010")),
            ("+30691234567", None, (Is, "+30691234567")),
        ] {
            let Meaning::Number(Readings { tried, plain }) = meaning(text, country) else { panic!("{text}") };
            assert_eq!(plain, Predicate::To(expected.0, expected.1.to_owned()), "{text} {country:?}");
            assert!(tried.contains(&plain), "{text} {country:?}");
        }
    }

    #[test]
    fn a_part_of_a_number_is_one() {
        assert_eq!(readings("+3069", None), [(StartsWith, "+3069".to_owned())]);
        let part = readings("0010", None);
        assert_eq!(part, [(StartsWith, "+10".to_owned()), (Contains, "0010".to_owned())]);
        assert_eq!(readings("00010", None), [(EndsWith, "10".to_owned()), (Contains, "00010".to_owned())]);
        assert_eq!(readings("000", None), [(Contains, "000".to_owned())]);
        assert_eq!(readings("00", None), [(Contains, "00".to_owned())]);
        assert!(readings("003069", None).contains(&(StartsWith, "+3069".to_owned())));
    }

    #[test]
    fn what_is_no_number_is_an_id_or_a_reference() {
        assert_eq!(meaning("  ", None), Meaning::Everything);
        let id = Uuid::from_u128(7);
        assert_eq!(meaning(&format!(" {id} "), None), Meaning::Id(id));
        assert_eq!(meaning("order-4711", None), Meaning::Reference("order-4711".to_owned()));
        assert_eq!(meaning(&"x".repeat(1000), None), Meaning::Reference("x".repeat(TEXT_MAX)));
        let sip = "sip:anna@example.com";
        assert_eq!(readings(sip, None), [(Is, sip.to_owned())]);
    }
}
