//! The rows of a segment that match: counted, and found by their rank, in the cheapest way for each kind of filter.

use crate::counts::Counts;
use crate::facet::FacetFilter;
use crate::number::{NumberTest, Pattern};
use crate::query::TextOperator;
use crate::segment::{Direction, Segment};
use crate::slots::SlotSet;
use crate::term::Term;
use std::cell::OnceCell;
use std::ops::Range;

/// A row is asked the other terms if that costs less than looking at so many recipients for each term.
const RECIPIENTS_A_ROW: usize = 128;
/// Rows of a recipient that are listed one by one.
const FEW: usize = 8;

/// What a query asks of a segment.
struct Asked<'a> {
    segment: &'a Segment,
    counts: Counts<'a>,
    /// Those of the facets that match.
    slots: SlotSet,
    rows: Range<usize>,
    /// Every row of it matches that is not removed: places are counts.
    plain: bool,
}

/// Rows that have their facets beside each other, in the order of rows.
struct Sequence {
    kind: Kind,
    /// Where the facets of the whole sequence start.
    start: usize,
    /// The part of it in question.
    range: Range<usize>,
    /// Matches before that part, and in it.
    before: usize,
    total: usize,
}

enum Kind {
    /// All rows.
    Rows,
    /// Those of one recipient.
    Posting,
    /// Those of a prefix or suffix.
    Node(Direction, usize),
}

/// A set of matching rows.
enum Part {
    Sequence(Sequence),
    /// These, in no order.
    Rows(Vec<u32>),
    /// Those of some neighbouring recipients, all in the range: listed when somebody wants them.
    Postings {
        range: Range<usize>,
        total: usize,
        rows: OnceCell<Vec<u32>>,
    },
}

/// The rows that match.
pub(crate) struct Matches<'a> {
    asked: Asked<'a>,
    /// Have no row in common.
    plus: Vec<Part>,
    /// Are all in `plus`, and have no row in common.
    minus: Vec<Part>,
    /// How many match.
    pub(crate) total: usize,
}

impl<'a> Matches<'a> {
    /// The rows of a range that match.
    pub(crate) fn find(
        segment: &'a Segment,
        rows: Range<usize>,
        filter: &FacetFilter,
        terms: &[Term],
    ) -> Matches<'a> {
        let counts = segment.counts();
        let plain = filter.matches_all() && segment.dead == 0;
        let asked = Asked { segment, counts, slots: counts.matching(filter), rows, plain };
        let (plus, minus) = asked.find(terms);
        let count = |parts: &[Part]| parts.iter().map(Part::total).sum::<usize>();
        let total = count(&plus) - count(&minus);
        Matches { asked, plus, minus, total }
    }

    /// How many matches are before `row`.
    pub(crate) fn rank(&self, row: usize) -> usize {
        let rank = |parts: &[Part]| parts.iter().map(|part| self.asked.rank(part, row)).sum::<usize>();
        rank(&self.plus) - rank(&self.minus)
    }

    /// Adds the rows of the matches `ranks`, ascending.
    pub(crate) fn collect(&self, ranks: Range<usize>, rows: &mut Vec<usize>) {
        if ranks.is_empty() {
            return;
        }
        if let ([part], []) = (&self.plus[..], &self.minus[..]) {
            self.asked.collect(part, ranks, rows);
            return;
        }
        // The last row with no more matches before it than the first rank.
        let (mut low, mut high) = (self.asked.rows.start, self.asked.rows.end);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if self.rank(middle) <= ranks.start { low = middle } else { high = middle }
        }
        let mut wanted = ranks.len();
        let mut found = Vec::new();
        while wanted > 0 {
            found.clear();
            for part in &self.plus {
                let before = self.asked.rank(part, low);
                self.asked.collect(part, before..(before + wanted).min(part.total()), &mut found);
            }
            found.sort_unstable();
            found.truncate(wanted);
            let Some(last) = found.last() else { return };
            low = last + 1;
            let left = found.iter().filter(|row| !self.minus.iter().any(|part| self.asked.has(part, **row)));
            let before = rows.len();
            rows.extend(left);
            wanted -= rows.len() - before;
        }
    }
}

impl Part {
    fn total(&self) -> usize {
        match self {
            Part::Sequence(sequence) => sequence.total,
            Part::Rows(rows) => rows.len(),
            Part::Postings { total, .. } => *total,
        }
    }
}

impl Asked<'_> {
    fn find(&self, terms: &[Term]) -> (Vec<Part>, Vec<Part>) {
        let wanted: Vec<&Term> = terms.iter().filter(|term| !term.negated).collect();
        let unwanted: Vec<&Term> = terms.iter().filter(|term| term.negated).collect();
        if unwanted.iter().any(|term| term.operator != TextOperator::Is) {
            return (vec![self.look_through(terms)], vec![]);
        }
        let plus = match wanted[..] {
            [] => Some(vec![Part::Sequence(self.sequence(Kind::Rows, 0, self.rows.clone()))]),
            [term] => self.one(term),
            _ => self.several(&wanted),
        };
        let Some(plus) = plus else { return (vec![self.look_through(terms)], vec![]) };
        let minus = match unwanted[..] {
            [] => vec![],
            [term] if wanted.is_empty() => {
                self.recipient(term).map(|ordinal| self.posting(ordinal)).into_iter().collect()
            }
            _ => {
                let mut rows = Vec::new();
                for ordinal in unwanted.iter().filter_map(|term| self.recipient(term)) {
                    self.list(self.segment.postings(ordinal..ordinal + 1), &mut rows);
                }
                rows.sort_unstable();
                rows.dedup();
                rows.retain(|row| wanted.iter().all(|term| self.holds(term, *row as usize)));
                vec![Part::Rows(rows)]
            }
        };
        (plus, minus)
    }

    fn whole(&self) -> bool {
        self.rows == (0..self.segment.len())
    }

    fn sequence(&self, kind: Kind, start: usize, range: Range<usize>) -> Sequence {
        let mut sequence = Sequence { kind, start, range, before: 0, total: 0 };
        sequence.before = self.before(&sequence, sequence.range.start);
        sequence.total = self.before(&sequence, sequence.range.end) - sequence.before;
        sequence
    }

    /// Whether in this sequence every place is a match.
    fn is_plain(&self, sequence: &Sequence) -> bool {
        // A row with several recipients may have several places, of which one counts.
        self.plain && (!matches!(sequence.kind, Kind::Node(..)) || !self.segment.has_sets())
    }

    /// Matches of the whole sequence before place `at`.
    fn before(&self, sequence: &Sequence, at: usize) -> usize {
        if self.is_plain(sequence) { at } else { self.counts.rank(sequence.start + at, &self.slots) }
    }

    /// The rows of one recipient.
    fn posting(&self, ordinal: usize) -> Part {
        let all = self.segment.postings(ordinal..ordinal + 1);
        let bound = |row| self.segment.posting_bound(&all, row);
        let range = if self.whole() { all } else { bound(self.rows.start)..bound(self.rows.end) };
        Part::Sequence(self.sequence(Kind::Posting, self.segment.posting_facets(), range))
    }

    /// The rows of a node.
    fn node(&self, direction: Direction, node: usize) -> Part {
        let trie = self.segment.trie(direction);
        let entries = self.segment.entry_of(self.rows.start)..self.segment.entry_of(self.rows.end);
        Part::Sequence(self.sequence(
            Kind::Node(direction, node),
            trie.start(node),
            trie.within(node, entries),
        ))
    }

    /// The recipient that a term is.
    fn recipient(&self, term: &Term) -> Option<usize> {
        match term.number {
            NumberTest::Is(number) => self.segment.digits().find(number),
            _ => Some(self.segment.numbers() + self.segment.texts().matching(term).first()?.start),
        }
    }

    /// Adds the matching rows that are listed in a range.
    fn list(&self, range: Range<usize>, rows: &mut Vec<u32>) {
        let start = self.segment.posting_facets();
        let whole = self.whole();
        self.counts.visit(start + range.start..start + range.end, &self.slots, |at| {
            let row = self.segment.posting_row(at - start);
            if whole || self.rows.contains(&row) {
                rows.push(row as u32);
            }
            true
        });
    }

    /// The rows that are listed in some ranges.
    fn listed(&self, ranges: impl IntoIterator<Item = Range<usize>>) -> Part {
        let mut rows = Vec::new();
        ranges.into_iter().for_each(|range| self.list(range, &mut rows));
        self.distinct(&mut rows);
        Part::Rows(rows)
    }

    fn distinct(&self, rows: &mut Vec<u32>) {
        if self.segment.has_sets() {
            rows.sort_unstable();
            rows.dedup();
        }
    }

    /// Where the rows are listed of the texts that match.
    fn text_postings(&self, term: &Term) -> Vec<Range<usize>> {
        let numbers = self.segment.numbers();
        let texts = self.segment.texts().matching(term).into_iter();
        texts.map(|range| self.segment.postings(numbers + range.start..numbers + range.end)).collect()
    }

    /// The rows that one term wants, unless looking through all is better.
    fn one(&self, term: &Term) -> Option<Vec<Part>> {
        if term.operator == TextOperator::Is {
            return Some(self.recipient(term).map(|ordinal| self.posting(ordinal)).into_iter().collect());
        }
        let texts = self.text_postings(term);
        let has_sets = self.segment.has_sets();
        let mut parts = match term.number {
            NumberTest::Never => vec![],
            NumberTest::Always if self.segment.texts().len() == 0 => {
                return Some(vec![Part::Sequence(self.sequence(Kind::Rows, 0, self.rows.clone()))]);
            }
            NumberTest::Always => return None,
            // Of a term that ends with a whole number.
            NumberTest::Is(number) => {
                self.segment.digits().find(number).map(|ordinal| self.posting(ordinal)).into_iter().collect()
            }
            NumberTest::Prefix(pattern) => self.starting(&pattern),
            NumberTest::Suffix(pattern) => self.ending(&pattern)?,
            // Rows with several recipients could be found in several ways.
            NumberTest::Inside(_) if has_sets => return None,
            NumberTest::Inside(pattern) => self.containing(&pattern),
        };
        if !texts.is_empty() {
            if has_sets && !parts.is_empty() {
                return None;
            }
            parts.push(self.listed(texts));
        }
        Some(parts)
    }

    fn starting(&self, pattern: &Pattern) -> Vec<Part> {
        if let Some(node) = self.segment.trie(Direction::Prefix).find(pattern) {
            return vec![self.node(Direction::Prefix, node)];
        }
        let range = self.segment.postings(self.segment.digits().starting(pattern));
        if self.whole() && !self.segment.has_sets() {
            let start = self.segment.posting_facets();
            let count = |at: usize| self.counts.rank(start + at, &self.slots);
            let total = count(range.end) - count(range.start);
            return vec![Part::Postings { range, total, rows: OnceCell::new() }];
        }
        vec![self.listed([range])]
    }

    /// The range of numbers, by their digits from the last to the first, that end like this.
    fn suffixes(&self, pattern: &Pattern) -> Range<usize> {
        let (from, until) = pattern.reversed().range();
        let digits = self.segment.digits();
        let bound = |limit: u64| {
            let (mut low, mut high) = (0, self.segment.numbers());
            while low < high {
                let middle = (low + high) / 2;
                let number = crate::number::reversed(digits.get(self.segment.by_suffix(middle)));
                if number < limit { low = middle + 1 } else { high = middle }
            }
            low
        };
        bound(from)..bound(until)
    }

    fn ending(&self, pattern: &Pattern) -> Option<Vec<Part>> {
        if let Some(node) = self.segment.trie(Direction::Suffix).find(&pattern.reversed()) {
            return Some(vec![self.node(Direction::Suffix, node)]);
        }
        let suffixes = self.suffixes(pattern);
        if suffixes.len() * 8 > self.segment.recipients() {
            return None;
        }
        let postings = suffixes.map(|at| self.segment.by_suffix(at)).map(|o| self.segment.postings(o..o + 1));
        Some(vec![self.listed(postings)])
    }

    /// Whole prefixes that contain the digits, then the other numbers that do.
    fn containing(&self, pattern: &Pattern) -> Vec<Part> {
        let digits = self.segment.digits();
        let trie = self.segment.trie(Direction::Prefix);
        let nodes = trie.containing(pattern);
        let mut parts: Vec<Part> =
            nodes.iter().map(|(node, _)| self.node(Direction::Prefix, *node)).collect();
        let prefixes = nodes.iter().filter_map(|(_, prefix)| Pattern::new(prefix));
        let mut whole: Vec<Range<usize>> = prefixes.map(|prefix| digits.starting(&prefix)).collect();
        whole.sort_unstable_by_key(|range| range.start);
        let mut bits = vec![0; self.segment.numbers().div_ceil(64)];
        digits.mark(pattern, false, &whole, &mut bits);
        whole.into_iter().for_each(|range| clear(&mut bits, range));
        let mut rows = Vec::new();
        self.list_marked(&bits, &mut rows);
        parts.push(Part::Rows(rows));
        parts
    }

    /// Adds the matching rows of the recipients whose bits are set.
    fn list_marked(&self, bits: &[u64], rows: &mut Vec<u32>) {
        let mut places: Vec<u32> = Vec::new();
        self.segment.each_posting(bits, |range| {
            if range.len() > FEW { self.list(range, rows) } else { places.extend(range.map(|at| at as u32)) }
        });
        // They lie far apart: memory is read many at a time where nothing is decided between the reads.
        if !self.plain {
            let start = self.segment.posting_facets();
            let slots: Vec<u16> = places.iter().map(|at| self.counts.get(start + *at as usize)).collect();
            let mut slots = slots.into_iter();
            places.retain(|_| slots.next().is_some_and(|slot| self.slots.has(slot)));
        }
        places.iter_mut().for_each(|at| *at = self.segment.posting_row(*at as usize) as u32);
        rows.extend(places.into_iter().filter(|row| self.rows.contains(&(*row as usize))));
    }

    /// The rows that several terms want: the shortest list, asked the other terms.
    fn several(&self, terms: &[&Term]) -> Option<Vec<Part>> {
        let list_max = 256 + self.segment.recipients() / RECIPIENTS_A_ROW;
        let candidates = terms.iter().enumerate().filter_map(|(i, term)| {
            let mut ordinals = Vec::new();
            match term.number {
                NumberTest::Is(number) => {
                    ordinals.extend(self.segment.digits().find(number).map(|ordinal| ordinal..ordinal + 1));
                }
                NumberTest::Prefix(pattern) => ordinals.push(self.segment.digits().starting(&pattern)),
                NumberTest::Suffix(pattern) => {
                    let suffixes = self.suffixes(&pattern);
                    if suffixes.len() > list_max {
                        return None;
                    }
                    let numbers = suffixes.map(|at| self.segment.by_suffix(at));
                    ordinals.extend(numbers.map(|ordinal| ordinal..ordinal + 1));
                }
                NumberTest::Never => {}
                NumberTest::Always | NumberTest::Inside(_) => return None,
            }
            let mut postings: Vec<_> =
                ordinals.into_iter().map(|range| self.segment.postings(range)).collect();
            postings.extend(self.text_postings(term));
            let cost: usize = postings.iter().map(Range::len).sum();
            (cost <= list_max).then_some((cost, i, postings))
        });
        let (_, shortest, postings) = candidates.min_by_key(|(cost, ..)| *cost)?;
        let mut rows = Vec::new();
        postings.into_iter().for_each(|range| self.list(range, &mut rows));
        self.distinct(&mut rows);
        let others = || terms.iter().enumerate().filter(|(i, _)| *i != shortest);
        rows.retain(|row| others().all(|(_, term)| self.holds(term, *row as usize)));
        Some(vec![Part::Rows(rows)])
    }

    /// Whether a term holds for one of a row's recipients.
    fn holds(&self, term: &Term, row: usize) -> bool {
        let mut holds = false;
        self.segment.each_recipient(row, |ordinal| {
            holds |= match ordinal.checked_sub(self.segment.numbers()) {
                None => term.number.holds(self.segment.digits().get(ordinal)),
                Some(text) => term.holds_text(self.segment.texts().get(text)),
            };
        });
        holds
    }

    /// A bit for each recipient for which the term holds.
    fn bits(&self, term: &Term) -> Vec<u64> {
        let (digits, numbers) = (self.segment.digits(), self.segment.numbers());
        let mut bits = vec![0; self.segment.recipients().div_ceil(64)];
        match term.number {
            NumberTest::Never => {}
            NumberTest::Always => set(&mut bits, 0..numbers),
            NumberTest::Is(number) => {
                digits.find(number).into_iter().for_each(|ordinal| set(&mut bits, ordinal..ordinal + 1));
            }
            NumberTest::Prefix(pattern) => set(&mut bits, digits.starting(&pattern)),
            NumberTest::Suffix(pattern) => digits.mark(&pattern, true, &[], &mut bits),
            NumberTest::Inside(pattern) => digits.mark(&pattern, false, &[], &mut bits),
        }
        for range in self.segment.texts().matching(term) {
            set(&mut bits, numbers + range.start..numbers + range.end);
        }
        bits
    }

    /// The rows that all terms want, by looking at all recipients.
    fn look_through(&self, terms: &[Term]) -> Part {
        let each: Vec<(Vec<u64>, bool)> = terms.iter().map(|term| (self.bits(term), term.negated)).collect();
        let recipients = self.segment.recipients();
        let mut all = vec![u64::MAX; recipients.div_ceil(64)];
        for (bits, negated) in &each {
            let flip = if *negated { u64::MAX } else { 0 };
            all.iter_mut().zip(bits).for_each(|(all, bits)| *all &= bits ^ flip);
        }
        // What is behind the last recipient.
        let bits = all.len() * 64;
        clear(&mut all, recipients..bits);
        let mut rows = Vec::new();
        // A set matches where each term holds for any of its members, or a negated one for none.
        let sets: Vec<bool> = (0..self.segment.sets())
            .map(|set| {
                let members = self.segment.set(set);
                let any = |bits: &[u64]| members.iter().any(|ordinal| has(bits, *ordinal as usize));
                each.iter().all(|(bits, negated)| any(bits) != *negated)
            })
            .collect();
        let chosen = all.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        if chosen > recipients / 8 {
            self.counts.visit(self.rows.clone(), &self.slots, |row| {
                let to = self.segment.to(row);
                let holds = match to.checked_sub(recipients) {
                    None => has(&all, to),
                    Some(set) => sets[set],
                };
                if holds {
                    rows.push(row as u32);
                }
                true
            });
            return Part::Rows(rows);
        }
        self.list_marked(&all, &mut rows);
        if self.segment.has_sets() {
            rows.retain(|row| self.segment.to(*row as usize) < recipients);
            let set_rows = self.segment.set_rows().iter().filter(|row| self.rows.contains(&(**row as usize)));
            rows.extend(set_rows.filter(|row| {
                let row = **row as usize;
                sets[self.segment.to(row) - recipients] && self.slots.has(self.counts.get(row))
            }));
        }
        Part::Rows(rows)
    }

    fn rows_of<'p>(&self, part: &'p Part) -> &'p [u32] {
        match part {
            Part::Sequence(_) => &[],
            Part::Rows(rows) => rows,
            Part::Postings { range, rows, .. } => rows.get_or_init(|| {
                let mut listed = Vec::new();
                self.list(range.clone(), &mut listed);
                listed
            }),
        }
    }

    /// How many rows of a part are before `row`.
    fn rank(&self, part: &Part, row: usize) -> usize {
        let Part::Sequence(sequence) = part else {
            return self.rows_of(part).iter().filter(|known| (**known as usize) < row).count();
        };
        let at = match sequence.kind {
            Kind::Rows => row,
            Kind::Posting => self.segment.posting_bound(&sequence.range, row),
            Kind::Node(direction, node) => {
                let entry = self.segment.entry_of(row);
                self.segment.trie(direction).within(node, entry..entry).start
            }
        };
        let at = at.clamp(sequence.range.start, sequence.range.end);
        self.before(sequence, at) - sequence.before
    }

    /// Whether a row that matches is in a part.
    fn has(&self, part: &Part, row: usize) -> bool {
        match part {
            Part::Sequence(Sequence { kind: Kind::Posting, range, .. }) => {
                let at = self.segment.posting_bound(range, row);
                at < range.end && self.segment.posting_row(at) == row
            }
            Part::Sequence(_) => true,
            Part::Rows(_) | Part::Postings { .. } => self.rows_of(part).contains(&(row as u32)),
        }
    }

    /// Adds the rows of a part's matches `ranks`, ascending.
    fn collect(&self, part: &Part, ranks: Range<usize>, found: &mut Vec<usize>) {
        if ranks.is_empty() {
            return;
        }
        let Part::Sequence(sequence) = part else {
            let mut rows = self.rows_of(part).to_vec();
            // Only what is wanted is put in order.
            let (_, _, behind) = rows.select_nth_unstable(ranks.start);
            if ranks.len() - 1 < behind.len() {
                behind.select_nth_unstable(ranks.len() - 1);
            }
            let wanted = &mut rows[ranks];
            wanted.sort_unstable();
            found.extend(wanted.iter().map(|row| *row as usize));
            return;
        };
        let row = |at: usize| match sequence.kind {
            Kind::Rows => at,
            Kind::Posting => self.segment.posting_row(at),
            Kind::Node(direction, node) => self.segment.row_of(self.segment.trie(direction).entry(node, at)),
        };
        let first = sequence.before + ranks.start;
        if self.is_plain(sequence) {
            found.extend((first..sequence.before + ranks.end).map(row));
            return;
        }
        let start = self.counts.select(first, &self.slots);
        let mut wanted = ranks.len();
        self.counts.visit(start..sequence.start + sequence.range.end, &self.slots, |at| {
            found.push(row(at - sequence.start));
            wanted -= 1;
            wanted > 0
        });
    }
}

fn has(bits: &[u64], at: usize) -> bool {
    bits[at / 64] >> (at % 64) & 1 != 0
}

fn set(bits: &mut [u64], range: Range<usize>) {
    each_word(range, |word, mask| bits[word] |= mask);
}

fn clear(bits: &mut [u64], range: Range<usize>) {
    each_word(range, |word, mask| bits[word] &= !mask);
}

/// Calls `each` with the words of a range of bits, and which bits of them are in it.
fn each_word(range: Range<usize>, mut each: impl FnMut(usize, u64)) {
    let mut at = range.start;
    while at < range.end {
        let end = (at / 64 * 64 + 64).min(range.end);
        let mask = u64::MAX >> (64 - (end - at)) << (at % 64);
        each(at / 64, mask);
        at = end;
    }
}
