//! What a person may mean by what stands in the box.

use flow::{is_e164, number_piece, number_start};
use index::{Predicate, TextOperator};
use uuid::Uuid;
use wire::national_number;

/// Characters of the box that are looked at: as long as the longest reference.
pub(crate) const TEXT_MAX: usize = 255;

/// What a person may mean by what stands in the box.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Meaning {
    /// Nothing was typed.
    Everything,
    /// An id of a flow, or of something in it.
    Id(Uuid),
    /// A recipient's number, or part of one: each reading is tried until one finds something.
    Number(Vec<Predicate>),
    /// A carrier's reference, or a label.
    Reference(String),
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
    let recipient = |operator, term: String| Predicate::To(operator, term);
    if text.starts_with("sip:") || text.starts_with("sips:") {
        return Meaning::Number(vec![recipient(TextOperator::Is, text)]);
    }
    // People write (+30) as well.
    let number = text.replacen("(+", "+(", 1);
    let (Some(piece), Some(start)) = (number_piece(&number), number_start(&number)) else {
        return Meaning::Reference(text);
    };
    let mut readings = Vec::new();
    // No country's numbers begin with a zero: what has three of them is a part of one.
    let is_international = piece.starts_with('+') || (piece.starts_with("00") && !start.starts_with("+0"));
    if is_international && start != "+" {
        let whole = is_e164(&start).then(|| recipient(TextOperator::Is, start.clone()));
        readings.extend(whole);
        readings.push(recipient(TextOperator::StartsWith, start));
        if !piece.starts_with('+') {
            readings.push(recipient(TextOperator::Contains, piece));
        }
        return Meaning::Number(readings);
    }
    let national = country.and_then(|country| national_number(&piece, country));
    let international = is_e164(&start).then_some(start);
    let mut whole: Vec<String> = national.into_iter().chain(international).collect();
    whole.dedup();
    readings.extend(whole.into_iter().map(|number| recipient(TextOperator::Is, number)));
    // A national number without its trunk prefix ends the international one.
    let end = piece.trim_start_matches('0');
    if !end.is_empty() {
        readings.push(recipient(TextOperator::EndsWith, end.to_owned()));
    }
    readings.push(recipient(TextOperator::Contains, piece));
    Meaning::Number(readings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TextOperator::{Contains, EndsWith, Is, StartsWith};

    fn readings(text: &str, country: Option<&str>) -> Vec<(TextOperator, String)> {
        let Meaning::Number(readings) = meaning(text, country) else { panic!("{text} is no number") };
        let reading = |predicate| match predicate {
            Predicate::To(operator, term) => (operator, term),
            other => panic!("{other:?}"),
        };
        readings.into_iter().map(reading).collect()
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
