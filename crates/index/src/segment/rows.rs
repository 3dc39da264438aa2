//! Rows to make segments of.

use crate::facet::Combination;
use crate::query::language::Key;
use crate::record::{Recipients, Record};
use std::sync::Arc;

/// Marks a row's recipients in [`Rows::to`] as one of [`Rows::others`]: no number has this bit.
const OTHER: u64 = 1 << 63;

/// Rows to make segments of, by column.
#[derive(Default)]
pub(crate) struct Rows {
    keys: Vec<Key>,
    combinations: Vec<Combination>,
    to: Vec<u64>,
    others: Vec<Arc<[Box<str>]>>,
    /// The number of recipients of all rows together.
    entries: usize,
    is_unsorted: bool,
}

/// A row's recipients.
pub(crate) enum RowTo<'a> {
    Number(u64),
    Texts(&'a Arc<[Box<str>]>),
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// What a segment's limit counts: recipients, and sets of them.
    pub(crate) fn weight(&self) -> usize {
        self.entries + self.others.len()
    }

    /// The number of recipients of all rows together.
    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(crate) fn combinations(&self) -> &[Combination] {
        &self.combinations
    }

    /// Each row's recipients.
    pub(crate) fn to(&self) -> impl ExactSizeIterator<Item = RowTo<'_>> {
        self.to.iter().map(|to| match to & OTHER {
            0 => RowTo::Number(*to),
            _ => RowTo::Texts(&self.others[(to & !OTHER) as usize]),
        })
    }

    /// The recipients of the rows that have several, or one that is no number.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().flat_map(|texts| texts.iter().map(|text| &**text))
    }

    pub(crate) fn push(&mut self, Record { key, combination, recipients }: Record) {
        self.is_unsorted |= self.keys.last().is_some_and(|last| *last > key);
        self.keys.push(key);
        self.combinations.push(combination);
        let (to, entries) = match recipients {
            Recipients::Number(number) => (number, 1),
            Recipients::Texts(texts) => {
                let entries = texts.len();
                self.others.push(texts);
                (OTHER | (self.others.len() - 1) as u64, entries)
            }
        };
        self.to.push(to);
        self.entries += entries;
    }

    fn record(&self, row: usize) -> Record {
        let recipients = match self.to[row] {
            number if number & OTHER == 0 => Recipients::Number(number),
            other => Recipients::Texts(self.others[(other & !OTHER) as usize].clone()),
        };
        Record { key: self.keys[row], combination: self.combinations[row], recipients }
    }

    /// Splits the rows, put in order of their keys, into pieces of at most this weight; none if there are no
    /// rows.
    pub(crate) fn into_pieces(self, weight_max: usize) -> Vec<Rows> {
        if self.len() == 0 {
            return vec![];
        }
        if !self.is_unsorted && self.weight() <= weight_max {
            return vec![self];
        }
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        if self.is_unsorted {
            order.sort_unstable_by_key(|row| self.keys[*row as usize]);
        }
        let count = self.weight().div_ceil(weight_max.max(1)).max(1);
        // Equal pieces: a small last one would cost every search as much as a large one.
        let weight_max = self.weight().div_ceil(count);
        let mut pieces = vec![Rows::default()];
        for row in order {
            if pieces.last().is_some_and(|piece| piece.weight() >= weight_max) {
                pieces.push(Rows::default());
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push(self.record(row as usize));
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn rows(keys: impl IntoIterator<Item = i64>) -> Rows {
        let mut rows = Rows::default();
        for ms in keys {
            let to: Vec<Box<str>> = (0..1 + ms % 3).map(|at| format!("+30{ms}{at}").into()).collect();
            let recipients = Recipients::new(&to);
            rows.push(Record { key: (ms, Uuid::nil()), combination: Combination::NONE, recipients });
        }
        rows
    }

    #[test]
    fn pieces_are_in_order_and_about_equal() {
        assert!(rows([]).into_pieces(10).is_empty());
        assert_eq!(rows([1, 2, 3]).into_pieces(100).len(), 1);
        for (keys, weight_max) in
            [((0..100).collect::<Vec<_>>(), 30), ((0..100).rev().collect(), 30), (vec![3, 1, 2], 99)]
        {
            let all = rows(keys.iter().copied());
            let (weight, count) = (all.weight(), keys.len());
            let pieces = all.into_pieces(weight_max);
            assert_eq!(pieces.len(), weight.div_ceil(weight_max));
            assert_eq!(pieces.iter().map(Rows::weight).sum::<usize>(), weight);
            let known: Vec<i64> =
                pieces.iter().flat_map(|piece| piece.keys.iter().map(|key| key.0)).collect();
            assert!(known.is_sorted() && known.len() == count);
            // A row has at most three recipients, and counts once more if it has several.
            let most = weight.div_ceil(pieces.len()) + 3;
            assert!(pieces.iter().all(|piece| piece.len() > 0 && piece.weight() <= most));
            for piece in &pieces {
                let expected = |at: usize| (1 + piece.keys[at].0 % 3) as usize;
                for (at, to) in piece.to().enumerate() {
                    match to {
                        RowTo::Number(_) => assert_eq!(expected(at), 1),
                        RowTo::Texts(texts) => assert_eq!(expected(at), texts.len()),
                    }
                }
            }
        }
    }
}
