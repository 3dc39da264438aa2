//! Who may be called back now: slots, shared among applications, and within each among its targets.
//!
//! An application may hold as many slots as are free, and no more: alone it has half of them, and whoever
//! comes next always finds some. Of what it may hold, hosts that did not answer when they were last called
//! have a third at most, whatever their number and names; the rest is for hosts that did. A host, and an
//! address whatever its names, has a limit of its own.

use lru::LruCache;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use store::Admission;
use tokio::sync::Notify;

/// Hosts of an application of which is known whether they answered.
const HOSTS_KNOWN: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

/// The slots of callbacks.
pub(crate) struct Slots {
    state: Mutex<State>,
    /// A slot was given back.
    freed: Notify,
    all: usize,
    per_host: usize,
}

struct State {
    free: usize,
    /// They are made by operators, and few.
    applications: HashMap<String, ApplicationSlots>,
}

struct ApplicationSlots {
    held: usize,
    /// Held for hosts that did not answer last time.
    unproven: usize,
    hosts: HashMap<String, usize>,
    addresses: HashMap<IpAddr, usize>,
    /// Hosts that answered when they were last called.
    answered: LruCache<String, ()>,
}

impl Default for ApplicationSlots {
    fn default() -> ApplicationSlots {
        ApplicationSlots {
            held: 0,
            unproven: 0,
            hosts: HashMap::new(),
            addresses: HashMap::new(),
            answered: LruCache::new(HOSTS_KNOWN),
        }
    }
}

/// A slot; given back when it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    application: String,
    host: String,
    address: Option<IpAddr>,
    proven: bool,
}

impl Slots {
    /// `all` of them, of which an application's host has at most `per_host`.
    pub(crate) fn new(all: usize, per_host: usize) -> Arc<Slots> {
        let state = State { free: all, applications: HashMap::new() };
        Arc::new(Slots { state: Mutex::new(state), freed: Notify::new(), all, per_host })
    }

    /// A slot to call a host, whose address is given where it is known.
    ///
    /// # Errors
    /// Who has enough.
    pub(crate) fn take(
        self: &Arc<Slots>,
        application: &str,
        host: &str,
        address: Option<IpAddr>,
    ) -> Result<Slot, Admission> {
        let mut state = self.state.lock();
        let free = state.free;
        if !state.applications.contains_key(application) {
            state.applications.insert(application.to_owned(), ApplicationSlots::default());
        }
        let Some(of) = state.applications.get_mut(application) else {
            return Err(Admission::ApplicationFull);
        };
        if of.held >= free {
            return Err(Admission::ApplicationFull);
        }
        let proven = of.answered.get(host).is_some();
        let most = if proven { self.per_host } else { self.per_host.div_ceil(4) };
        let of_host = of.hosts.get(host).copied().unwrap_or_default();
        let of_address = address.and_then(|address| of.addresses.get(&address)).copied().unwrap_or_default();
        if of_host >= most || of_address >= self.per_host || (!proven && 2 * of.unproven >= free) {
            return Err(Admission::TargetFull);
        }
        of.held += 1;
        of.unproven += usize::from(!proven);
        *of.hosts.entry(host.to_owned()).or_default() += 1;
        if let Some(address) = address {
            *of.addresses.entry(address).or_default() += 1;
        }
        state.free -= 1;
        let (application, host) = (application.to_owned(), host.to_owned());
        Ok(Slot { slots: Arc::clone(self), application, host, address, proven })
    }

    /// Returns when a slot is free; answers how many are.
    pub(crate) async fn until_free(&self) -> usize {
        loop {
            let freed = self.freed.notified();
            let free = self.state.lock().free;
            if free > 0 {
                return free;
            }
            freed.await;
        }
    }

    /// Returns when all slots are free.
    pub(crate) async fn until_all_free(&self) {
        loop {
            let freed = self.freed.notified();
            if self.state.lock().free == self.all {
                return;
            }
            freed.await;
        }
    }
}

impl Slot {
    /// Whose it is.
    pub(crate) fn application(&self) -> &str {
        &self.application
    }

    /// The host that is called.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Notes whether the host answered, whatever it said.
    pub(crate) fn note(&self, answered: bool) {
        let mut state = self.slots.state.lock();
        let Some(of) = state.applications.get_mut(&self.application) else { return };
        if answered {
            of.answered.put(self.host.clone(), ());
        } else {
            of.answered.pop(&self.host);
        }
    }
}

fn give_back<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state.lock();
        state.free += 1;
        if let Some(of) = state.applications.get_mut(&self.application) {
            of.held -= 1;
            of.unproven -= usize::from(!self.proven);
            give_back(&mut of.hosts, &self.host);
            if let Some(address) = &self.address {
                give_back(&mut of.addresses, address);
            }
        }
        drop(state);
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as many as it gets, over so many hosts; how many that were.
    fn take_all(slots: &Arc<Slots>, application: &str, hosts: usize, held: &mut Vec<Slot>) -> usize {
        let before = held.len();
        (0..10_000).for_each(|i| held.extend(slots.take(application, &format!("h{}", i % hosts), None).ok()));
        held.len() - before
    }

    #[test]
    fn no_application_holds_all_slots_whatever_its_hosts_are_called() {
        let slots = Slots::new(256, 32);
        let mut held = Vec::new();
        assert_eq!(take_all(&slots, "hostile", 200, &mut held), 86);
        // Another one gets in, and so do the next ones, before anybody has given a slot back.
        assert!(slots.take("honest", "good", None).is_ok());
        for i in 0..8 {
            assert!(take_all(&slots, &format!("hostile {i}"), 200, &mut held) > 0, "{i}");
        }
        assert!(slots.take("honest", "good", None).is_ok());
        held.clear();
        assert_eq!(slots.state.lock().free, 256);
    }

    #[test]
    fn a_share_is_kept_for_hosts_that_answered() {
        let slots = Slots::new(256, 32);
        slots.take("a", "good", None).unwrap().note(true);
        let mut held = Vec::new();
        take_all(&slots, "a", 200, &mut held);
        assert_eq!(slots.take("a", "new", None).err(), Some(Admission::TargetFull));
        let good: Vec<Slot> = std::iter::from_fn(|| slots.take("a", "good", None).ok()).collect();
        assert_eq!(good.len(), 32);
        // One that stops answering is known no more.
        good[0].note(false);
        drop(good);
        assert_eq!(slots.take("a", "good", None).err(), Some(Admission::TargetFull));
    }

    #[test]
    fn an_address_has_one_limit_whatever_its_names() {
        let slots = Slots::new(256, 4);
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        let names: Vec<String> = (0..40).map(|i| format!("h{i}")).collect();
        let held: Vec<Slot> = names.iter().filter_map(|name| slots.take("a", name, address).ok()).collect();
        assert_eq!(held.len(), 4);
        assert_eq!(slots.take("a", "one more", address).err(), Some(Admission::TargetFull));
        assert!(slots.take("a", "elsewhere", Some(IpAddr::from([192, 0, 2, 2]))).is_ok());
        assert!(slots.take("b", "h1", address).is_ok(), "another application has its own");
        drop(held);
        assert!(slots.take("a", "one more", address).is_ok());
    }

    #[test]
    fn one_slot_can_be_taken_where_there_is_only_one() {
        let slots = Slots::new(1, 1);
        let slot = slots.take("a", "h", None).unwrap();
        assert!(slots.take("b", "h", None).is_err());
        drop(slot);
        assert!(slots.take("b", "h", None).is_ok());
    }
}
