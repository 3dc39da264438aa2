//! How the rows of a segment that match are found: in the cheapest way for each kind of filter.

use crate::facet::FacetFilter;
use crate::number::{NumberTest, Pattern};
use crate::query::language::TextOperator;
use crate::query::part::Part;
use crate::query::scan::{list_marked, look_through};
use crate::query::scope::Scope;
use crate::query::term::Term;
use crate::segment::ids::{Ordinal, Position, Row};
use crate::segment::ordinal_set::OrdinalSet;
use crate::segment::reader::Segment;
use crate::segment::trie::Direction;
use std::ops::Range;

/// Testing a listed row against the other terms costs about as much as looking at this many recipients.
const RECIPIENTS_A_ROW: usize = 128;

/// The rows of a segment that match: those of the included parts less those of the excluded ones.
pub(crate) struct Plan<'a> {
    pub(crate) scope: Scope<'a>,
    /// Have no row in common.
    pub(crate) included: Vec<Part>,
    /// Are all in `included`, and have no row in common.
    pub(crate) excluded: Vec<Part>,
}

impl<'a> Plan<'a> {
    /// Finds the rows of a range that match.
    pub(crate) fn new(
        segment: &'a Segment,
        rows: Range<Row>,
        filter: &FacetFilter,
        terms: &[Term],
    ) -> Plan<'a> {
        let scope = Scope::new(segment, rows, filter);
        let (included, excluded) = parts(&scope, terms);
        Plan { scope, included, excluded }
    }
}

/// What is included, and excluded.
fn parts(scope: &Scope<'_>, terms: &[Term]) -> (Vec<Part>, Vec<Part>) {
    let wanted: Vec<&Term> = terms.iter().filter(|term| !term.negated).collect();
    let unwanted: Vec<&Term> = terms.iter().filter(|term| term.negated).collect();
    let look_through = || (vec![Part::Rows(look_through(scope, terms))], vec![]);
    if unwanted.iter().any(|term| term.operator != TextOperator::Is) {
        return look_through();
    }
    let included = match wanted[..] {
        [] => Some(vec![scope.all()]),
        [term] => one(scope, term),
        _ => several(scope, &wanted).map(|rows| vec![Part::Rows(rows)]),
    };
    let Some(included) = included else { return look_through() };
    let excluded = match unwanted[..] {
        [] => vec![],
        [term] if wanted.is_empty() => posting(scope, term),
        _ => {
            let ordinals = unwanted.iter().filter_map(|term| recipient(scope, term));
            let postings = scope.segment.postings();
            let mut rows = Vec::new();
            ordinals.for_each(|ordinal| scope.list(&postings, &postings.of_one(ordinal), &mut rows));
            rows.sort_unstable();
            rows.dedup();
            rows.retain(|row| wanted.iter().all(|term| holds(scope, term, *row)));
            vec![Part::Rows(rows)]
        }
    };
    (included, excluded)
}

/// The recipient that a term is.
fn recipient(scope: &Scope<'_>, term: &Term) -> Option<Ordinal> {
    match term.number {
        NumberTest::Is(number) => scope.segment.numbers().find(number),
        _ => Some(scope.segment.texts().matching(term).first()?.start),
    }
}

/// The rows of the recipient that a term is; nothing if there is no such recipient.
fn posting(scope: &Scope<'_>, term: &Term) -> Vec<Part> {
    recipient(scope, term).map(|ordinal| scope.posting(ordinal)).into_iter().collect()
}

/// Where the rows of the texts that match are listed.
fn text_postings(scope: &Scope<'_>, term: &Term) -> Vec<Range<Position>> {
    let (texts, postings) = (scope.segment.texts().matching(term), scope.segment.postings());
    texts.iter().map(|ordinals| postings.of_range(ordinals)).collect()
}

/// The rows that one term wants, unless looking through all is better.
fn one(scope: &Scope<'_>, term: &Term) -> Option<Vec<Part>> {
    if term.operator == TextOperator::Is {
        return Some(posting(scope, term));
    }
    let texts = text_postings(scope, term);
    let mut parts = match term.number {
        NumberTest::Never => vec![],
        NumberTest::Always if scope.segment.texts().len() == 0 => return Some(vec![scope.all()]),
        NumberTest::Always => return None,
        // Of a term that ends with a whole number.
        NumberTest::Is(number) => {
            let ordinal = scope.segment.numbers().find(number);
            ordinal.map(|ordinal| scope.posting(ordinal)).into_iter().collect()
        }
        NumberTest::Prefix(pattern) => vec![starting(scope, &pattern)],
        NumberTest::Suffix(pattern) => vec![ending(scope, &pattern)?],
        // Rows with several recipients could be found in several ways.
        NumberTest::Inside(_) if scope.has_sets => return None,
        NumberTest::Inside(pattern) => containing(scope, &pattern),
    };
    if !texts.is_empty() {
        if scope.has_sets && !parts.is_empty() {
            return None;
        }
        parts.push(Part::Rows(scope.listed(texts)));
    }
    Some(parts)
}

fn starting(scope: &Scope<'_>, pattern: &Pattern) -> Part {
    if let Some(node) = scope.segment.trie(Direction::Prefix).find(pattern) {
        return scope.node(Direction::Prefix, node);
    }
    let ordinals = scope.segment.numbers().starting(pattern);
    let positions = scope.segment.postings().of_range(&ordinals);
    if scope.is_whole() && !scope.has_sets {
        return scope.postings(positions);
    }
    Part::Rows(scope.listed([positions]))
}

fn ending(scope: &Scope<'_>, pattern: &Pattern) -> Option<Part> {
    if let Some(node) = scope.segment.trie(Direction::Suffix).find(&pattern.reversed()) {
        return Some(scope.node(Direction::Suffix, node));
    }
    let (suffixes, postings) = (scope.segment.suffixes(), scope.segment.postings());
    let places = suffixes.ending(pattern);
    if places.len() * 8 > scope.segment.sizes().recipients {
        return None;
    }
    let positions = places.map(|place| postings.of_one(suffixes.ordinal(place)));
    Some(Part::Rows(scope.listed(positions)))
}

/// Whole prefixes that contain the digits, then the other numbers that do.
fn containing(scope: &Scope<'_>, pattern: &Pattern) -> Vec<Part> {
    let numbers = scope.segment.numbers();
    let nodes = scope.segment.trie(Direction::Prefix).containing(pattern);
    let mut parts: Vec<Part> = nodes.iter().map(|(node, _)| scope.node(Direction::Prefix, *node)).collect();
    let prefixes = nodes.iter().filter_map(|(_, prefix)| Pattern::new(prefix));
    let mut whole: Vec<Range<Ordinal>> = prefixes.map(|prefix| numbers.starting(&prefix)).collect();
    whole.sort_unstable_by_key(|ordinals| ordinals.start);
    let mut others = OrdinalSet::none(numbers.len());
    numbers.mark(pattern, false, &whole, &mut others);
    whole.iter().for_each(|ordinals| others.remove(ordinals));
    let mut rows = Vec::new();
    list_marked(scope, &others, &mut rows);
    parts.push(Part::Rows(rows));
    parts
}

/// The rows that several terms want: the shortest list, asked the other terms; nothing if no list is short.
fn several(scope: &Scope<'_>, terms: &[&Term]) -> Option<Vec<Row>> {
    let list_max = 256 + scope.segment.sizes().recipients / RECIPIENTS_A_ROW;
    let candidates = terms.iter().enumerate().filter_map(|(i, term)| {
        let positions = postings_of(scope, term, list_max)?;
        let cost: usize = positions.iter().map(|range| Position::numbers(range).len()).sum();
        (cost <= list_max).then_some((cost, i, positions))
    });
    let (_, shortest, positions) = candidates.min_by_key(|(cost, ..)| *cost)?;
    let mut rows = scope.listed(positions);
    let others = || terms.iter().enumerate().filter(|(i, _)| *i != shortest);
    rows.retain(|row| others().all(|(_, term)| holds(scope, term, *row)));
    Some(rows)
}

/// Where the rows that a term wants are listed; nothing if it has more than `list_max` recipients.
fn postings_of(scope: &Scope<'_>, term: &Term, list_max: usize) -> Option<Vec<Range<Position>>> {
    let (numbers, postings) = (scope.segment.numbers(), scope.segment.postings());
    let mut positions: Vec<Range<Position>> = match term.number {
        NumberTest::Is(number) => {
            numbers.find(number).map(|ordinal| postings.of_one(ordinal)).into_iter().collect()
        }
        NumberTest::Prefix(pattern) => vec![postings.of_range(&numbers.starting(&pattern))],
        NumberTest::Suffix(pattern) => {
            let suffixes = scope.segment.suffixes();
            let places = suffixes.ending(&pattern);
            if places.len() > list_max {
                return None;
            }
            places.map(|place| postings.of_one(suffixes.ordinal(place))).collect()
        }
        NumberTest::Never => vec![],
        NumberTest::Always | NumberTest::Inside(_) => return None,
    };
    positions.extend(text_postings(scope, term));
    Some(positions)
}

/// Whether a term holds for one of a row's recipients.
fn holds(scope: &Scope<'_>, term: &Term, row: Row) -> bool {
    let (numbers, texts) = (scope.segment.numbers(), scope.segment.texts());
    let mut holds = false;
    scope.segment.recipients().each(row, |ordinal| {
        holds |= if ordinal.get() < numbers.len() {
            term.number.holds(numbers.get(ordinal))
        } else {
            term.holds_text(texts.get(ordinal))
        };
    });
    holds
}
