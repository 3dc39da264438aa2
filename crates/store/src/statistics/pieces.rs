//! A range as the sum of few documents.

use super::span::Span;
use flow::statistics::Quarter;

/// A document of which a range is made: added, or where `sign` is -1 taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) span: Span,
    pub(crate) start: Quarter,
    pub(crate) sign: i64,
}

const DAY: i64 = Span::Day.quarters();
const HOUR: i64 = Span::Hour.quarters();

/// The documents whose sum is the range from a quarter up to another one, without that. Of a day that is in
/// it for the greater part, what is not is taken away from the day's document.
pub(crate) fn pieces(from: Quarter, until: Quarter) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let first_day = from.0 + (-from.0).rem_euclid(DAY);
    let last_day = until.0 - until.0.rem_euclid(DAY);
    if first_day > last_day {
        add_small(&mut pieces, from.0, until.0, 1);
        return pieces;
    }
    if first_day - from.0 > DAY / 2 {
        add(&mut pieces, Span::Day, first_day - DAY, 1);
        add_small(&mut pieces, first_day - DAY, from.0, -1);
    } else {
        add_small(&mut pieces, from.0, first_day, 1);
    }
    (first_day..last_day).step_by(DAY as usize).for_each(|day| add(&mut pieces, Span::Day, day, 1));
    if until.0 - last_day > DAY / 2 {
        add(&mut pieces, Span::Day, last_day, 1);
        add_small(&mut pieces, until.0, last_day + DAY, -1);
    } else {
        add_small(&mut pieces, last_day, until.0, 1);
    }
    pieces
}

fn add(pieces: &mut Vec<Piece>, span: Span, start: i64, sign: i64) {
    pieces.push(Piece { span, start: Quarter(start), sign });
}

/// Hours, and quarters at the ends.
fn add_small(pieces: &mut Vec<Piece>, from: i64, until: i64, sign: i64) {
    let mut at = from;
    while at < until {
        let whole_hour = at.rem_euclid(HOUR) == 0 && until - at >= HOUR;
        let span = if whole_hour { Span::Hour } else { Span::Quarter };
        add(pieces, span, at, sign);
        at += span.quarters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_range_is_the_sum_of_its_pieces() {
        for from in -100..200 {
            for until in from..300 {
                let mut times: BTreeMap<i64, i64> = (from..until).map(|quarter| (quarter, -1)).collect();
                for Piece { span, start, sign } in pieces(Quarter(from), Quarter(until)) {
                    assert_eq!(span.start(start), start);
                    (start.0..start.0 + span.quarters()).for_each(|q| *times.entry(q).or_default() += sign);
                }
                assert!(times.values().all(|times| *times == 0), "{from}..{until}");
            }
        }
    }

    #[test]
    fn a_day_of_any_zone_has_few_pieces() {
        for (offset, most) in [(0, 1), (8, 5), (-20, 11), (22, 15), (52, 24)] {
            let found = pieces(Quarter(960 - offset), Quarter(1056 - offset));
            assert!(found.len() <= most, "{offset}: {}", found.len());
        }
    }
}
