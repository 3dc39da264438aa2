//! Who is connected, and which connection has to go when there is no room for another one.
//!
//! A connection is *idle* while the server has nothing to do for it: before its first request and between two. It is
//! *slow* while a request waits for its client, to send the body or to take the answer. Otherwise it is *busy*, and is
//! never closed for another one.

use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Octets of all heads together that have begun and not ended.
const HEADS_MAX: usize = 64 << 20;
/// A head may have so many however much all have together: what clients send has seldom more.
const SMALL_HEAD: usize = 16 << 10;

/// What one client has to itself: an address, or of IPv6 the network of 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// Why a request waits, or is under way: flags of a connection.
#[derive(Clone, Copy)]
pub enum Flag {
    /// A request is under way.
    Answering = 1,
    /// The body has not arrived yet.
    AwaitsBody = 2,
    /// The client takes nothing of the answer now.
    Blocked = 4,
    /// It is to be closed.
    Closed = 8,
}

impl Flag {
    const fn is_in(self, flags: u8) -> bool {
        flags & self as u8 != 0
    }
}

/// Connections of a kind, each address's by when they became so.
#[derive(Default)]
struct Line {
    by_address: HashMap<IpAddr, BTreeMap<u64, Arc<Notify>>>,
    /// The addresses by how many they have; the one that has most comes last.
    by_count: BTreeSet<(usize, IpAddr)>,
}

impl Line {
    fn insert(&mut self, address: IpAddr, since: u64, close: &Arc<Notify>) {
        let of_address = self.by_address.entry(address).or_default();
        self.by_count.remove(&(of_address.len(), address));
        of_address.insert(since, Arc::clone(close));
        self.by_count.insert((of_address.len(), address));
    }

    fn remove(&mut self, address: IpAddr, since: u64) {
        let Some(of_address) = self.by_address.get_mut(&address) else { return };
        self.by_count.remove(&(of_address.len(), address));
        of_address.remove(&since);
        if of_address.is_empty() {
            self.by_address.remove(&address);
        } else {
            self.by_count.insert((of_address.len(), address));
        }
    }

    /// The oldest one of an address, or else of the address that has most.
    fn oldest(&self, address: IpAddr) -> Option<(IpAddr, u64)> {
        let own = self.by_address.get(&address).map(|of_address| (address, of_address));
        let most = || {
            let (_, address) = self.by_count.last()?;
            Some((*address, self.by_address.get(address)?))
        };
        let (address, of_address) = own.or_else(most)?;
        Some((address, *of_address.first_key_value()?.0))
    }
}

#[derive(Default)]
struct State {
    /// Counts changes, so that the older of two is the smaller.
    clock: u64,
    live: usize,
    /// Connections that were told to close and have not yet.
    leaving: usize,
    /// Somebody waits for room.
    wanted: bool,
    idle: Line,
    slow: Line,
}

/// All connections.
pub struct Connections {
    most: usize,
    state: Mutex<State>,
    /// Something changed for who waits for room.
    changed: Notify,
    /// Octets of the heads that have begun and not ended.
    heads: AtomicUsize,
}

/// A connection's place among all; given back when it is dropped.
pub struct Seat {
    all: Arc<Connections>,
    address: IpAddr,
    close: Arc<Notify>,
    /// Its flags and since when it has them; only changed while the state of all is locked.
    own: Mutex<(u8, u64)>,
    /// Octets of its head, while that has not ended.
    head: AtomicUsize,
}

impl Connections {
    /// None yet; at most `most` at a time.
    pub fn new(most: usize) -> Arc<Connections> {
        Arc::new(Connections {
            most,
            state: Mutex::default(),
            changed: Notify::new(),
            heads: AtomicUsize::new(0),
        })
    }

    /// Waits until there is room for a connection from an address, for which another one is closed where need be: the
    /// oldest idle one of that address, else of the address that has most idle ones, else the oldest slow one likewise.
    pub async fn room_for(&self, address: IpAddr) {
        let address = network(address);
        loop {
            {
                let mut state = self.state.lock();
                state.wanted = state.live >= self.most;
                if !state.wanted {
                    return;
                }
                if state.leaving == 0 && close_oldest(&mut state, address) {
                    state.leaving += 1;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Closes one connection that nobody works for, where there is one: for when there are no more files.
    pub fn close_one(&self) {
        let mut state = self.state.lock();
        if state.leaving == 0 && close_oldest(&mut state, IpAddr::V6(Ipv6Addr::UNSPECIFIED)) {
            state.leaving += 1;
        }
    }

    /// Waits until nobody is connected any more.
    pub async fn emptied(&self) {
        loop {
            {
                let mut state = self.state.lock();
                state.wanted = state.live > 0;
                if !state.wanted {
                    return;
                }
            }
            self.changed.notified().await;
        }
    }

    /// A new connection, idle at first.
    pub fn enter(self: &Arc<Connections>, address: IpAddr) -> Arc<Seat> {
        let (address, close) = (network(address), Arc::new(Notify::new()));
        let mut state = self.state.lock();
        state.live += 1;
        state.clock += 1;
        let since = state.clock;
        state.idle.insert(address, since, &close);
        let own = Mutex::new((0, since));
        Arc::new(Seat { all: Arc::clone(self), address, close, own, head: AtomicUsize::new(0) })
    }
}

/// Takes the one that has to go out of its line and tells it.
fn close_oldest(state: &mut State, address: IpAddr) -> bool {
    let line = if state.idle.by_count.is_empty() { &mut state.slow } else { &mut state.idle };
    let Some((address, since)) = line.oldest(address) else { return false };
    let close = line.by_address.get(&address).and_then(|of_address| of_address.get(&since)).cloned();
    line.remove(address, since);
    let Some(close) = close else { return false };
    close.notify_one();
    true
}

impl State {
    fn line(&mut self, flags: u8) -> Option<&mut Line> {
        if Flag::Closed.is_in(flags) {
            None
        } else if Flag::Blocked.is_in(flags) || Flag::AwaitsBody.is_in(flags) {
            Some(&mut self.slow)
        } else if Flag::Answering.is_in(flags) {
            None
        } else {
            Some(&mut self.idle)
        }
    }
}

impl Seat {
    /// Sets or clears a flag; false where the connection is to be closed, so that nothing may begin.
    pub fn set(&self, flag: Flag, on: bool) -> bool {
        self.end_head();
        let mut state = self.all.state.lock();
        let mut own = self.own.lock();
        let (flags, since) = *own;
        let set = if on { flags | flag as u8 } else { flags & !(flag as u8) };
        if set == flags {
            return !Flag::Closed.is_in(flags);
        }
        if let Some(line) = state.line(flags) {
            let told = !line.by_address.get(&self.address).is_some_and(|known| known.contains_key(&since));
            if told {
                *own = (flags | Flag::Closed as u8, since);
                return false;
            }
            line.remove(self.address, since);
        }
        state.clock += 1;
        let now = state.clock;
        *own = (set, now);
        let (address, close) = (self.address, &self.close);
        if let Some(line) = state.line(set) {
            line.insert(address, now, close);
            if state.wanted {
                self.all.changed.notify_one();
            }
        }
        !Flag::Closed.is_in(set)
    }

    /// Whether no request of it is under way, and nothing of an answer is left to be sent.
    pub fn is_idle(&self) -> bool {
        let (flags, _) = *self.own.lock();
        !Flag::Answering.is_in(flags) && !Flag::Blocked.is_in(flags)
    }

    /// Octets came from the client. False where they are of a head that is large while all heads take too much room.
    pub fn takes(&self, octets: usize) -> bool {
        if !self.is_idle() {
            return true;
        }
        let all = self.all.heads.fetch_add(octets, Ordering::Relaxed) + octets;
        let own = self.head.fetch_add(octets, Ordering::Relaxed) + octets;
        all <= HEADS_MAX || own <= SMALL_HEAD
    }

    fn end_head(&self) {
        let octets = self.head.swap(0, Ordering::Relaxed);
        self.all.heads.fetch_sub(octets, Ordering::Relaxed);
    }

    /// Returns when it has to go for another one.
    pub async fn told_to_close(&self) {
        self.close.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.end_head();
        let mut state = self.all.state.lock();
        let (flags, since) = *self.own.lock();
        state.live -= 1;
        let address = self.address;
        let told = Flag::Closed.is_in(flags)
            || state.line(flags).is_some_and(|line| {
                let told = !line.by_address.get(&address).is_some_and(|known| known.contains_key(&since));
                line.remove(address, since);
                told
            });
        if told {
            state.leaving -= 1;
        }
        if state.wanted {
            self.all.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn is_told(seat: &Seat) -> bool {
        seat.told_to_close().now_or_never().is_some()
    }

    #[tokio::test]
    async fn at_the_limit_the_oldest_idle_connection_of_the_same_address_goes() {
        let all = Connections::new(4);
        let mut seats: Vec<_> = [1, 2, 2, 2].map(|last| all.enter(address(last))).into();
        assert!(all.room_for(address(1)).now_or_never().is_none());
        let told: Vec<bool> = seats.iter().map(|seat| is_told(seat)).collect();
        assert_eq!(told, [true, false, false, false]);
        // Nobody else is closed while that one is on its way out.
        assert!(all.room_for(address(1)).now_or_never().is_none());
        assert!(seats[1..].iter().all(|seat| !is_told(seat)));
        assert!(!seats[0].set(Flag::Answering, true), "nothing begins any more");
        drop(seats.remove(0));
        assert!(all.room_for(address(1)).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_stranger_gets_the_room_of_the_address_that_has_most() {
        let all = Connections::new(4);
        let seats: Vec<_> = [1, 2, 2, 3].map(|last| all.enter(address(last))).into();
        // Of the second address the older one has a request, so the younger one is the oldest idle one.
        assert!(seats[1].set(Flag::Answering, true));
        assert!(seats[1].set(Flag::Answering, false));
        assert!(all.room_for(address(9)).now_or_never().is_none());
        assert!(is_told(&seats[2]));
        assert!(!is_told(&seats[0]) && !is_told(&seats[1]) && !is_told(&seats[3]));
    }

    #[tokio::test]
    async fn a_busy_connection_stays_and_a_slow_one_goes_last() {
        let all = Connections::new(2);
        let seats = [1, 1].map(|last| all.enter(address(last)));
        for seat in &seats {
            assert!(seat.set(Flag::Answering, true));
        }
        let mut room = Box::pin(all.room_for(address(1)));
        assert!(room.as_mut().now_or_never().is_none());
        assert!(seats.iter().all(|seat| !is_told(seat)), "both are busy");
        // Its client does not take the answer: who waits for room hears of it.
        assert!(seats[1].set(Flag::Blocked, true));
        assert!(room.as_mut().now_or_never().is_none());
        assert!(is_told(&seats[1]) && !is_told(&seats[0]));
        drop(seats);
        assert!(room.now_or_never().is_some());
        assert_eq!(all.state.lock().leaving, 0);
    }

    #[test]
    fn large_heads_go_where_all_take_too_much_room_and_small_ones_stay() {
        let all = Connections::new(usize::MAX);
        let large = 60 << 10;
        let mut seats: Vec<_> = (0..HEADS_MAX / large).map(|_| all.enter(address(1))).collect();
        assert!(seats.iter().all(|seat| seat.takes(large)));
        let (other, one_more) = (all.enter(address(2)), all.enter(address(1)));
        assert!(other.takes(SMALL_HEAD) && !one_more.takes(large));
        // One of them begins to be answered, some end: there is room again, and a body is no head.
        seats[0].set(Flag::Answering, true);
        assert!(seats[0].takes(HEADS_MAX));
        seats.truncate(2);
        drop(one_more);
        assert!(all.enter(address(1)).takes(large));
        drop((seats, other));
        assert_eq!(all.heads.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_client_has_a_network_of_ipv6() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:203.0.113.9"), "203.0.113.9");
    }
}
