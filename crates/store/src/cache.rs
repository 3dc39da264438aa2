//! The flows that were changed lately, weighed: a bounded number of them, and a bounded number of octets.

use flow::Flow;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::Arc;
use uuid::Uuid;

/// What a flow takes in memory, by what its document has: its texts are objects of their own there.
const MEMORY_PER_OCTET: usize = 4;
const MEMORY_PER_FLOW: usize = 512;

/// A flow as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// What its database finds it by, or knows its version by.
    pub(crate) handle: i64,
    pub(crate) flow: Arc<Flow>,
    /// Octets of its document when it was last read or written, before it was compressed.
    pub(crate) octets: usize,
}

impl Stored {
    fn weight(&self) -> usize {
        MEMORY_PER_FLOW + self.octets * MEMORY_PER_OCTET
    }
}

/// See the file's words. Only the writer puts into it, after a commit.
pub(crate) struct Cache {
    flows: LruCache<Uuid, Stored>,
    octets: usize,
    octets_max: usize,
}

impl Cache {
    pub(crate) fn new(flows_max: NonZeroUsize, octets_max: usize) -> Cache {
        Cache { flows: LruCache::new(flows_max), octets: 0, octets_max }
    }

    pub(crate) fn get(&mut self, id: &Uuid) -> Option<&Stored> {
        self.flows.get(id)
    }

    pub(crate) fn peek(&self, id: &Uuid) -> Option<&Stored> {
        self.flows.peek(id)
    }

    pub(crate) fn put(&mut self, id: Uuid, stored: Stored) {
        self.octets += stored.weight();
        if let Some((_, replaced)) = self.flows.push(id, stored) {
            self.octets -= replaced.weight();
        }
        while self.octets > self.octets_max
            && let Some((_, oldest)) = self.flows.pop_lru()
        {
            self.octets -= oldest.weight();
        }
    }

    pub(crate) fn pop(&mut self, id: &Uuid) {
        if let Some(removed) = self.flows.pop(id) {
            self.octets -= removed.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::sample;

    #[test]
    fn caches_are_weighed_not_counted() {
        let mut cache = Cache::new(NonZeroUsize::new(100).unwrap(), 1_000_000);
        let flow = Arc::new(sample::flow(
            vec![sample::step(1, sample::sms("+306900000001", "hi"))],
            None,
            0,
            Uuid::nil(),
        ));
        let stored = |octets| Stored { handle: 1, flow: Arc::clone(&flow), octets };
        for id in 0..1000u128 {
            cache.put(Uuid::from_u128(id % 150), stored(100_000));
            assert!(cache.octets <= 1_000_000 && cache.flows.len() <= 3);
        }
        for id in 0..1000u128 {
            cache.put(Uuid::from_u128(id), stored(10));
        }
        assert_eq!((cache.flows.len(), cache.octets), (100, 100 * stored(10).weight()));
        // What is larger than all of it is not kept.
        cache.put(Uuid::from_u128(7), stored(1_000_000));
        assert_eq!((cache.flows.len(), cache.octets), (0, 0));
        cache.put(Uuid::from_u128(8), stored(10));
        cache.pop(&Uuid::from_u128(8));
        assert_eq!(cache.octets, 0);
    }
}
