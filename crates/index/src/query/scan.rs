//! Looking at every recipient of a segment: for filters that no list and no node answers.

use crate::number::NumberTest;
use crate::query::scope::Scope;
use crate::query::term::Term;
use crate::segment::ids::{Ordinal, Position, Row};
use crate::segment::ordinal_set::OrdinalSet;
use crate::segment::recipients::To;

/// Recipients with at most this many rows have them listed one by one: looking at a chunk would take longer.
const FEW: usize = 24;

/// The rows that all terms want.
pub(crate) fn look_through(scope: &Scope<'_>, terms: &[Term]) -> Vec<Row> {
    let segment = scope.segment;
    let count = segment.sizes().recipients;
    let recipients = segment.recipients();
    let each: Vec<(OrdinalSet, bool)> =
        terms.iter().map(|term| (matching(scope, term), term.negated)).collect();
    let mut all = OrdinalSet::all(count);
    for (matching, negated) in &each {
        if *negated { all.keep_without(matching) } else { all.keep(matching) }
    }
    // A set matches if each term holds for any of its members, or a negated one for none.
    let sets: Vec<bool> = (0..recipients.sets())
        .map(|set| {
            let any = |matching: &OrdinalSet| recipients.set(set).any(|ordinal| matching.has(ordinal));
            each.iter().all(|(matching, negated)| any(matching) != *negated)
        })
        .collect();
    let mut rows = Vec::new();
    if all.count() > count / 8 {
        let positions = Position::range(Row::numbers(&scope.rows));
        scope.counts.visit(&positions, &scope.slots, |position| {
            let row = Row::new(position.get());
            let holds = match recipients.get(row) {
                To::One(ordinal) => all.has(ordinal),
                To::Set(set) => sets[set],
            };
            if holds {
                rows.push(row);
            }
            true
        });
        return rows;
    }
    list_marked(scope, &all, &mut rows);
    if scope.has_sets {
        // Each of them could be listed for several of its recipients, or for none.
        rows.retain(|row| matches!(recipients.get(*row), To::One(_)));
        let facets_match = |row: Row| scope.slots.has(scope.counts.get(Position::new(row.get())));
        rows.extend(segment.entries().rows_with_several().filter(|row| {
            let set_matches = matches!(recipients.get(*row), To::Set(set) if sets[set]);
            set_matches && scope.rows.contains(row) && facets_match(*row)
        }));
    }
    rows
}

/// The recipients for which a term holds, negated or not.
fn matching(scope: &Scope<'_>, term: &Term) -> OrdinalSet {
    let numbers = scope.segment.numbers();
    let mut matching = OrdinalSet::none(scope.segment.sizes().recipients);
    match term.number {
        NumberTest::Never => {}
        NumberTest::Always => matching.insert(&Ordinal::range(0..numbers.len())),
        NumberTest::Is(number) => {
            let found = numbers.find(number).map(Ordinal::get);
            found.into_iter().for_each(|at| matching.insert(&Ordinal::range(at..at + 1)));
        }
        NumberTest::Prefix(pattern) => matching.insert(&numbers.starting(&pattern)),
        NumberTest::Suffix(pattern) => numbers.mark(&pattern, true, &[], &mut matching),
        NumberTest::Inside(pattern) => numbers.mark(&pattern, false, &[], &mut matching),
    }
    scope.segment.texts().matching(term).iter().for_each(|texts| matching.insert(texts));
    matching
}

/// Adds the matching rows of these recipients.
pub(crate) fn list_marked(scope: &Scope<'_>, recipients: &OrdinalSet, rows: &mut Vec<Row>) {
    let postings = scope.segment.postings();
    let mut positions: Vec<Position> = Vec::new();
    postings.of_each(recipients, |range| {
        let numbers = Position::numbers(&range);
        if numbers.len() > FEW {
            scope.list(&postings, &range, rows);
        } else {
            positions.extend(numbers.map(Position::new));
        }
    });
    // They lie far apart: first all facets are read, then all rows, since nothing is decided between reads of
    // one kind and the processor has many of them under way together.
    if !scope.matches_all {
        let mut slots = scope.counts.get_all(&positions).into_iter();
        positions.retain(|_| slots.next().is_some_and(|slot| scope.slots.has(slot)));
    }
    let listed: Vec<Row> = positions.into_iter().map(|position| postings.row(position)).collect();
    rows.extend(listed.into_iter().filter(|row| scope.rows.contains(row)));
}
