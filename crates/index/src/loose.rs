//! Flows that are in no segment: the newest ones, those that came too late for theirs, and those whose
//! recipients changed. They lie in order in small pieces, and searches look at each.

use crate::query::language::Key;
use crate::record::Record;
use std::ops::Bound;
use std::sync::Arc;

/// Most flows of a piece: what is copied for a change while somebody reads it.
const PIECE: usize = 256;

/// Flows in the order of their keys.
#[derive(Clone, Default)]
pub(crate) struct Loose {
    /// None is empty.
    pieces: Vec<Arc<Vec<Record>>>,
    len: usize,
}

impl Loose {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The piece where a key is or belongs, and its place there.
    fn place(&self, key: Key) -> (usize, Result<usize, usize>) {
        let piece = self.pieces.partition_point(|piece| piece[0].key <= key).saturating_sub(1);
        let at = self
            .pieces
            .get(piece)
            .map_or(Err(0), |piece| piece.binary_search_by_key(&key, |record| record.key));
        (piece, at)
    }

    /// The flow with a key.
    pub(crate) fn get(&self, key: Key) -> Option<&Record> {
        let (piece, at) = self.place(key);
        at.ok().map(|at| &self.pieces[piece][at])
    }

    /// Adds a flow, or replaces the one with its key.
    pub(crate) fn put(&mut self, record: Record) {
        let (piece, at) = self.place(record.key);
        let Some(records) = self.pieces.get_mut(piece).map(Arc::make_mut) else {
            self.pieces.push(Arc::new(vec![record]));
            self.len += 1;
            return;
        };
        match at {
            Ok(at) => records[at] = record,
            Err(at) => {
                records.insert(at, record);
                self.len += 1;
                if records.len() > PIECE {
                    // A full piece at the end stays full: flows mostly come in order.
                    let keep = if piece + 1 == self.pieces.len() { PIECE } else { PIECE / 2 };
                    let behind = Arc::make_mut(&mut self.pieces[piece]).split_off(keep);
                    self.pieces.insert(piece + 1, Arc::new(behind));
                }
            }
        }
    }

    /// Removes a flow, if it is there.
    pub(crate) fn remove(&mut self, key: Key) {
        let (piece, Ok(at)) = self.place(key) else { return };
        Arc::make_mut(&mut self.pieces[piece]).remove(at);
        self.len -= 1;
        if self.pieces[piece].is_empty() {
            self.pieces.remove(piece);
        }
    }

    /// The flows of a range, in order.
    pub(crate) fn range(&self, from: Bound<Key>, until: Bound<Key>) -> impl Iterator<Item = &Record> {
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
        let first =
            self.pieces.partition_point(|piece| piece.last().is_some_and(|record| before(record.key)));
        let records = self.pieces[first..].iter().flat_map(|piece| piece.iter());
        records.skip_while(move |record| before(record.key)).take_while(move |record| !behind(record.key))
    }

    /// Removes the flows behind a key (or from the start) up to another, that one included.
    pub(crate) fn drain(&mut self, after: Option<Key>, until: Key) {
        let taken = |record: &Record| after.is_none_or(|after| record.key > after) && record.key <= until;
        for piece in &mut self.pieces {
            if piece.iter().any(taken) {
                Arc::make_mut(piece).retain(|record| !taken(record));
            }
        }
        self.pieces.retain(|piece| !piece.is_empty());
        self.len = self.pieces.iter().map(|piece| piece.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facet::Combination;
    use crate::record::Recipients;
    use std::collections::BTreeMap;
    use uuid::Uuid;

    fn key(ms: i64) -> Key {
        (ms, Uuid::nil())
    }

    fn record(ms: i64, number: u32) -> Record {
        let recipients = Recipients::new(&["+30".into()]);
        Record { key: key(ms), combination: Combination::from_number(number), recipients }
    }

    #[test]
    fn it_has_what_a_map_has() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut loose, mut model) = (Loose::default(), BTreeMap::new());
        for round in 0..4000 {
            let ms = random.i64(0..3000);
            match random.u8(0..10) {
                0..7 => {
                    loose.put(record(ms, round));
                    model.insert(key(ms), round);
                }
                7..9 => {
                    loose.remove(key(ms));
                    model.remove(&key(ms));
                }
                _ if round % 100 == 0 => {
                    let after = (random.bool()).then(|| key(ms));
                    let until = key(ms + 100);
                    loose.drain(after, until);
                    model.retain(|key, _| after.is_some_and(|after| *key <= after) || *key > until);
                }
                _ => {
                    let bound = |random: &mut fastrand::Rng, ms: i64| match random.u8(0..3) {
                        0 => Bound::Included(key(ms)),
                        1 => Bound::Excluded(key(ms)),
                        _ => Bound::Unbounded,
                    };
                    let bounds = (bound(&mut random, ms), bound(&mut random, ms + 1 + random_length(round)));
                    let found = loose.range(bounds.0, bounds.1).map(|record| record.key);
                    assert!(found.eq(model.range(bounds).map(|(key, _)| *key)), "{bounds:?}");
                }
            }
            let known = loose.get(key(ms)).map(|record| record.combination.number());
            assert_eq!(known, model.get(&key(ms)).copied());
            assert_eq!(loose.len(), model.len());
            assert!(loose.pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
        }
        assert!(loose.pieces.len() > 3);
    }

    fn random_length(round: u32) -> i64 {
        i64::from(round % 1000)
    }

    #[test]
    fn pieces_stay_full_where_flows_come_in_order() {
        let mut loose = Loose::default();
        (0..PIECE as i64 * 4).for_each(|ms| loose.put(record(ms, 1)));
        assert_eq!(loose.pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>(), [PIECE; 4]);
        // One that comes in between leaves room on both sides.
        loose.put(Record { key: (5, Uuid::from_u128(1)), ..record(5, 1) });
        assert_eq!((loose.pieces[0].len(), loose.pieces[1].len()), (PIECE / 2, PIECE / 2 + 1));
    }
}
