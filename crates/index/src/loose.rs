//! Rows that are in no segment: the newest ones, those that came too late for theirs, and those whose recipients
//! changed. They lie in order in small pieces, and searches look at each.

use crate::build::Recipients;
use crate::facet::{Combination, FacetFilter};
use crate::query::Key;
use crate::term::Term;
use std::ops::Bound;
use std::sync::Arc;

/// Most rows of a piece: what is copied for a change while somebody reads it.
const PIECE: usize = 256;

/// A row.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) combination: Combination,
    pub(crate) to: Recipients,
}

impl Row {
    pub(crate) fn matches(&self, filter: &FacetFilter, terms: &[Term]) -> bool {
        filter.matches(self.combination)
            && terms.iter().all(|term| {
                let holds = match &self.to {
                    Recipients::Number(number) => term.number.holds(*number),
                    Recipients::Texts(texts) => texts.iter().any(|text| term.holds_text(text)),
                };
                holds != term.negated
            })
    }
}

/// Rows in the order of their keys.
#[derive(Clone, Default)]
pub(crate) struct Loose {
    /// None is empty.
    pieces: Vec<Arc<Vec<Row>>>,
    len: usize,
}

impl Loose {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The piece where a key is or belongs, and its place there.
    fn place(&self, key: Key) -> (usize, Result<usize, usize>) {
        let piece = self.pieces.partition_point(|piece| piece[0].key <= key).saturating_sub(1);
        let at =
            self.pieces.get(piece).map_or(Err(0), |piece| piece.binary_search_by_key(&key, |row| row.key));
        (piece, at)
    }

    /// The row with a key.
    pub(crate) fn get(&self, key: Key) -> Option<&Row> {
        let (piece, at) = self.place(key);
        at.ok().map(|at| &self.pieces[piece][at])
    }

    /// Adds a row, or takes the place of the one with its key.
    pub(crate) fn put(&mut self, row: Row) {
        let (piece, at) = self.place(row.key);
        let Some(rows) = self.pieces.get_mut(piece).map(Arc::make_mut) else {
            self.pieces.push(Arc::new(vec![row]));
            self.len += 1;
            return;
        };
        match at {
            Ok(at) => rows[at] = row,
            Err(at) => {
                rows.insert(at, row);
                self.len += 1;
                if rows.len() > PIECE {
                    // A full piece at the end stays full: rows mostly come in order.
                    let keep = if piece + 1 == self.pieces.len() { PIECE } else { PIECE / 2 };
                    let behind = Arc::make_mut(&mut self.pieces[piece]).split_off(keep);
                    self.pieces.insert(piece + 1, Arc::new(behind));
                }
            }
        }
    }

    /// Removes a row, if it is there.
    pub(crate) fn remove(&mut self, key: Key) {
        let (piece, Ok(at)) = self.place(key) else { return };
        Arc::make_mut(&mut self.pieces[piece]).remove(at);
        self.len -= 1;
        if self.pieces[piece].is_empty() {
            self.pieces.remove(piece);
        }
    }

    /// The rows of a range, in order.
    pub(crate) fn range(&self, from: Bound<Key>, until: Bound<Key>) -> impl Iterator<Item = &Row> {
        let behind = move |key: Key| match until {
            Bound::Included(until) => key > until,
            Bound::Excluded(until) => key >= until,
            Bound::Unbounded => false,
        };
        let before = move |key: Key| match from {
            Bound::Included(from) => key < from,
            Bound::Excluded(from) => key <= from,
            Bound::Unbounded => false,
        };
        let first = self.pieces.partition_point(|piece| piece.last().is_some_and(|row| before(row.key)));
        let rows = self.pieces[first..].iter().flat_map(|piece| piece.iter());
        rows.skip_while(move |row| before(row.key)).take_while(move |row| !behind(row.key))
    }

    /// Removes the rows behind a key (or from the start) up to another, that one included.
    pub(crate) fn drain(&mut self, after: Option<Key>, until: Key) {
        let taken = |row: &Row| after.is_none_or(|after| row.key > after) && row.key <= until;
        for piece in &mut self.pieces {
            if piece.iter().any(taken) {
                Arc::make_mut(piece).retain(|row| !taken(row));
            }
        }
        self.pieces.retain(|piece| !piece.is_empty());
        self.len = self.pieces.iter().map(|piece| piece.len()).sum();
    }
}
