//! Limits the calls under way: of all applications, and of each one.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for calls.
pub(super) struct Room {
    all: Arc<Semaphore>,
    most: usize,
    each: usize,
    by_application: Mutex<HashMap<String, usize>>,
}

/// The place of a call; it is free again with the end of its value.
pub(super) struct Place {
    _all: OwnedSemaphorePermit,
    room: Arc<Room>,
    application: String,
}

impl Room {
    /// Room for `most` calls, and for `each` of one application; all but one if absent.
    pub(super) fn new(most: usize, each: Option<usize>) -> Room {
        let each = each.unwrap_or(most.saturating_sub(1)).max(1);
        Room { all: Arc::new(Semaphore::new(most)), most, each, by_application: Mutex::default() }
    }

    /// Calls that are under way.
    pub(super) fn taken(&self) -> usize {
        self.most - self.all.available_permits()
    }

    /// Returns whether there is a place for a call of an application.
    pub(super) fn has_place(&self, application: &str) -> bool {
        let own = self.by_application.lock().get(application).copied().unwrap_or_default();
        own < self.each && self.all.available_permits() > 0
    }

    /// Takes a place for a call of an application, if there is one.
    pub(super) fn take(self: &Arc<Self>, application: &str) -> Option<Place> {
        let mut known = self.by_application.lock();
        let own = known.get(application).copied().unwrap_or_default();
        if own >= self.each {
            return None;
        }
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        known.insert(application.to_owned(), own + 1);
        Some(Place { _all: all, room: Arc::clone(self), application: application.to_owned() })
    }

    /// Waits until no call is under way; then none begins any more.
    pub(super) async fn close(&self) {
        let _ = self.all.acquire_many(self.most as u32).await;
        self.all.close();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut known = self.room.by_application.lock();
        match known.get_mut(&self.application) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(known.remove(&self.application)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_application_leaves_room_for_others() {
        let room = Arc::new(Room::new(3, None));
        let own: Vec<Place> = std::iter::from_fn(|| room.take("a")).collect();
        assert_eq!((own.len(), room.has_place("a"), room.has_place("b")), (2, false, true));
        let other = room.take("b");
        assert!(other.is_some() && !room.has_place("c") && room.taken() == 3);
        drop(own);
        assert!(room.has_place("a") && room.by_application.lock().len() == 1);
        let alone = Arc::new(Room::new(1, None));
        assert!(alone.take("a").is_some());
    }
}
