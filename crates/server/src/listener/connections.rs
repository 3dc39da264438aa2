//! Who is connected, and which connection has to go when there is no room for another one.
//!
//! A connection is *idle* while the server has nothing to do for it: before its first request and between
//! two. It is *slow* while a request waits for its client, to send the body or to take the answer. Otherwise
//! it is *busy*, and is never closed for another one.

use api::request::peer::network;
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

/// What a connection does. Over HTTP/2 it has several requests at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// A request is under way.
    Answering,
    /// The body of one has not arrived yet.
    AwaitingBody,
    /// The client takes nothing of what is sent.
    Blocked,
}

/// What a connection does, how often, and since when.
#[derive(Clone, Copy, Default)]
struct Own {
    answering: u32,
    awaiting_body: u32,
    blocked: u32,
    /// It is to be closed, and nothing may begin.
    closed: bool,
    /// [`State::clock`] at the last change.
    since: u64,
}

impl Own {
    fn change(&mut self, doing: Doing, on: bool) {
        let count = match doing {
            Doing::Answering => &mut self.answering,
            Doing::AwaitingBody => &mut self.awaiting_body,
            Doing::Blocked => &mut self.blocked,
        };
        *count = if on { *count + 1 } else { count.saturating_sub(1) };
    }

    const fn is_idle(self) -> bool {
        self.answering == 0 && self.blocked == 0
    }

    const fn is_slow(self) -> bool {
        !self.is_idle() && (self.blocked > 0 || self.awaiting_body >= self.answering)
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

    fn has(&self, address: IpAddr, since: u64) -> bool {
        self.by_address.get(&address).is_some_and(|of_address| of_address.contains_key(&since))
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
    /// Only changed while the state of all is locked.
    own: Mutex<Own>,
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

    /// Waits until there is room for a connection from an address, for which another one is closed where need
    /// be: the oldest idle one of that address, else of the address that has most idle ones, else the oldest
    /// slow one likewise.
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
        let own = Mutex::new(Own { since, ..Own::default() });
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
    /// The line that a connection stands in, where it is in one.
    fn line(&mut self, own: Own) -> Option<&mut Line> {
        match own {
            Own { closed: true, .. } => None,
            own if own.is_idle() => Some(&mut self.idle),
            own if own.is_slow() => Some(&mut self.slow),
            _ => None,
        }
    }
}

impl Seat {
    /// It begins to do something; false where the connection is to be closed: then a request does not begin.
    pub fn begin(&self, doing: Doing) -> bool {
        self.change(doing, true)
    }

    /// It ends to do something that began.
    pub fn end(&self, doing: Doing) {
        self.change(doing, false);
    }

    fn change(&self, doing: Doing, on: bool) -> bool {
        self.end_head();
        let mut state = self.all.state.lock();
        let mut own = self.own.lock();
        let was = *own;
        if let Some(line) = state.line(was) {
            own.closed = !line.has(self.address, was.since);
            line.remove(self.address, was.since);
        }
        if own.closed && on && doing == Doing::Answering {
            return false;
        }
        own.change(doing, on);
        state.clock += 1;
        own.since = state.clock;
        let (address, close, now) = (self.address, &self.close, *own);
        if let Some(line) = state.line(now) {
            line.insert(address, now.since, close);
            if state.wanted {
                self.all.changed.notify_one();
            }
        }
        !own.closed
    }

    /// Whether no request of it is under way, and nothing of an answer is left to be sent.
    pub fn is_idle(&self) -> bool {
        self.own.lock().is_idle()
    }

    /// The moment, by a clock that counts changes, since when it is idle; none while it is not.
    pub fn idle_since(&self) -> Option<u64> {
        let own = *self.own.lock();
        own.is_idle().then_some(own.since)
    }

    /// Octets came from the client. False where they are of a head that is large while all heads take too
    /// much room.
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
        let own = *self.own.lock();
        state.live -= 1;
        let address = self.address;
        let told = own.closed
            || state.line(own).is_some_and(|line| {
                let told = !line.has(address, own.since);
                line.remove(address, own.since);
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
        assert!(!seats[0].begin(Doing::Answering), "nothing begins any more");
        drop(seats.remove(0));
        assert!(all.room_for(address(1)).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_stranger_gets_the_room_of_the_address_that_has_most() {
        let all = Connections::new(4);
        let seats: Vec<_> = [1, 2, 2, 3].map(|last| all.enter(address(last))).into();
        // Of the second address the older one has a request, so the younger one is the oldest idle one.
        assert!(seats[1].begin(Doing::Answering));
        seats[1].end(Doing::Answering);
        assert!(all.room_for(address(9)).now_or_never().is_none());
        assert!(is_told(&seats[2]));
        assert!(!is_told(&seats[0]) && !is_told(&seats[1]) && !is_told(&seats[3]));
    }

    #[tokio::test]
    async fn a_busy_connection_stays_and_a_slow_one_goes_last() {
        let all = Connections::new(2);
        let seats = [1, 1].map(|last| all.enter(address(last)));
        for seat in &seats {
            assert!(seat.begin(Doing::Answering));
        }
        let mut room = Box::pin(all.room_for(address(1)));
        assert!(room.as_mut().now_or_never().is_none());
        assert!(seats.iter().all(|seat| !is_told(seat)), "both are busy");
        // Its client does not take the answer: who waits for room hears of it.
        assert!(seats[1].begin(Doing::Blocked));
        assert!(room.as_mut().now_or_never().is_none());
        assert!(is_told(&seats[1]) && !is_told(&seats[0]));
        drop(seats);
        assert!(room.now_or_never().is_some());
        assert_eq!(all.state.lock().leaving, 0);
    }

    #[tokio::test]
    async fn of_several_requests_one_that_is_worked_for_keeps_the_connection() {
        let all = Connections::new(1);
        let seat = all.enter(address(1));
        for doing in [Doing::Answering, Doing::AwaitingBody, Doing::Answering] {
            assert!(seat.begin(doing));
        }
        let mut room = Box::pin(all.room_for(address(2)));
        assert!(room.as_mut().now_or_never().is_none() && !is_told(&seat), "the second one is worked for");
        assert_eq!(seat.idle_since(), None);
        // Now nothing but the first one's body is waited for.
        seat.end(Doing::Answering);
        assert!(room.as_mut().now_or_never().is_none());
        assert!(is_told(&seat) && !seat.begin(Doing::Answering));
        seat.end(Doing::AwaitingBody);
        seat.end(Doing::Answering);
        drop(seat);
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
        seats[0].begin(Doing::Answering);
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
