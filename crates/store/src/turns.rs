//! Whose turn it is: keys with a due time each, of which those that are due are served one after the other.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Keys that take turns. Every operation takes a time that grows with the logarithm of their number.
#[derive(Default)]
pub(crate) struct Turns {
    keys: HashMap<Arc<str>, Place>,
    /// Keys that were not due when they were last looked at, by due time.
    waiting: BTreeSet<(i64, Arc<str>)>,
    /// Keys that have a turn, by due time.
    ready: BTreeSet<(i64, Arc<str>)>,
    /// Keys that have a turn, by it.
    order: BTreeSet<(u64, Arc<str>)>,
    last_turn: u64,
}

struct Place {
    due_ms: i64,
    /// Its number among those that wait to be served.
    turn: Option<u64>,
}

impl Turns {
    /// Sets when a key is due; `None` takes it out.
    pub(crate) fn set(&mut self, key: &Arc<str>, due_ms: Option<i64>) {
        let before = self.keys.get(key).map(|place| (place.due_ms, place.turn));
        if before.map(|(due_ms, _)| due_ms) == due_ms {
            return;
        }
        if let Some((old_ms, turn)) = before {
            let set = if turn.is_some() { &mut self.ready } else { &mut self.waiting };
            set.remove(&(old_ms, Arc::clone(key)));
        }
        let turn = before.and_then(|(_, turn)| turn);
        match due_ms {
            Some(due_ms) => {
                let set = if turn.is_some() { &mut self.ready } else { &mut self.waiting };
                set.insert((due_ms, Arc::clone(key)));
                self.keys.insert(Arc::clone(key), Place { due_ms, turn });
            }
            None => {
                if let Some(turn) = turn {
                    self.order.remove(&(turn, Arc::clone(key)));
                }
                self.keys.remove(key);
            }
        }
    }

    /// The due key whose turn it is. It goes behind all others that are due.
    pub(crate) fn next(&mut self, now_ms: i64) -> Option<Arc<str>> {
        while self.waiting.first().is_some_and(|(due_ms, _)| *due_ms <= now_ms) {
            let Some((due_ms, key)) = self.waiting.pop_first() else { break };
            self.line_up(due_ms, key);
        }
        while let Some((_, key)) = self.order.pop_first() {
            let place = self.keys.get_mut(&key)?;
            place.turn = None;
            let due_ms = place.due_ms;
            self.ready.remove(&(due_ms, Arc::clone(&key)));
            if due_ms <= now_ms {
                self.line_up(due_ms, Arc::clone(&key));
                return Some(key);
            }
            self.waiting.insert((due_ms, key));
        }
        None
    }

    /// When the first key is due.
    pub(crate) fn first_due_ms(&self) -> Option<i64> {
        let (waiting, ready) = (self.waiting.first(), self.ready.first());
        waiting.into_iter().chain(ready).map(|(due_ms, _)| *due_ms).min()
    }

    fn line_up(&mut self, due_ms: i64, key: Arc<str>) {
        self.last_turn += 1;
        if let Some(place) = self.keys.get_mut(&key) {
            place.turn = Some(self.last_turn);
        }
        self.ready.insert((due_ms, Arc::clone(&key)));
        self.order.insert((self.last_turn, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_due_take_turns_and_others_wait() {
        let mut turns = Turns::default();
        let [a, b, c]: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
        turns.set(&a, Some(1));
        turns.set(&b, Some(2));
        turns.set(&c, Some(9));
        let served = |turns: &mut Turns, now_ms, count| -> String {
            (0..count).filter_map(|_| turns.next(now_ms)).map(|key| key.to_string()).collect()
        };
        assert_eq!(served(&mut turns, 0, 3), "");
        assert_eq!(served(&mut turns, 5, 4), "abab");
        assert_eq!(served(&mut turns, 9, 4), "abca");
        assert_eq!(turns.first_due_ms(), Some(1));
        // One that is put off loses its turn; one that is taken out is gone.
        turns.set(&b, Some(20));
        turns.set(&a, None);
        assert_eq!(served(&mut turns, 9, 2), "cc");
        turns.set(&c, None);
        assert_eq!((served(&mut turns, 9, 1), turns.first_due_ms()), (String::new(), Some(20)));
        assert_eq!(served(&mut turns, 20, 2), "bb");
        turns.set(&b, None);
        assert!(turns.keys.is_empty() && turns.order.is_empty() && turns.ready.is_empty());
    }
}
