//! The sound of a call: sends prompts in frames of 20 ms, paced by a clock; hears keys and who answered.

use super::config::MachineConfig;
use super::detect::{Answerer, Detector, FRAME};
use super::pacing::Pacing;
use super::rtp;
use super::sdp::Remote;
use super::stack::{is_one_host, may_reach};
use crate::Fetch;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

/// Samples of a frame.
const SAMPLES: usize = 160;
/// The largest packet that is read.
const PACKET_MAX: usize = 2048;
/// Frames without a packet that still count as on their way.
const LATE_MAX: u32 = 3;
/// How long the other side's packets must not have come before they may come from elsewhere.
const MOVE_MIN: Duration = Duration::from_secs(1);
/// Frames that wait to be listened to.
const WAITING_MAX: usize = 50;

/// The lowest port that sound is sent to: below are services that are no phones.
const PORT_MIN: u16 = 1024;

/// Our side of a call's sound.
pub(super) struct Side {
    pub(super) sound: StdSocket,
    /// Hears the other side's reports (RTCP), which it sends to the port beside that of the sound.
    pub(super) control: Option<StdSocket>,
    pub(super) reach: Reach,
    /// How long we speak to where nothing comes from.
    pub(super) timeout: Duration,
}

/// Where sound may go.
pub(super) struct Reach {
    pub(super) fetch: Arc<dyn Fetch>,
    /// The address of the call's trunk, where that is inside our network: its sound may be inside, too.
    pub(super) inside: Option<IpAddr>,
}

impl Reach {
    fn allows(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        // Our own host is that of a trunk only where the trunk is on it.
        let beside = |trunk: IpAddr| trunk.is_loopback() || !ip.is_loopback();
        let inside = |trunk: IpAddr| beside(trunk) && is_one_host(ip);
        address.port() >= PORT_MIN && (may_reach(&*self.fetch, ip) || self.inside.is_some_and(inside))
    }
}

/// Something to be heard.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub(super) sound: Arc<[i16]>,
    /// How often.
    pub(super) repeat: u32,
    /// Whether a key ends it.
    pub(super) barge_in: bool,
}

/// What happens in a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is clear who answered.
    Answerer(Answerer),
    /// A key was pressed.
    Key(char),
    /// Everything was played.
    Played,
    /// Nothing came back for too long.
    Silence,
}

/// The sound of a call until `prompts` ends; each list of prompts is played once.
pub(super) async fn session(
    side: Side,
    remote: Remote,
    machine: MachineConfig,
    pacing: Arc<Pacing>,
    mut prompts: mpsc::Receiver<Vec<Prompt>>,
    heard: mpsc::Sender<Heard>,
) -> std::io::Result<()> {
    let socket = listen(side.sound)?;
    let control = side.control.map(listen).transpose()?;
    let mut session = Session::new(remote, side.reach, side.timeout, Instant::now());
    let mut detector = Some(Detector::new(&machine));
    let mut clock = tokio::time::interval(FRAME);
    // After a stall frames follow each other until the clock is caught up with: the other side has a buffer.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut packet, mut report) = ([0; PACKET_MAX], [0; PACKET_MAX]);
    loop {
        tokio::select! {
            biased;
            due = clock.tick() => {
                pacing.note(due.elapsed());
                if session.is_alone(Instant::now()) {
                    let _ = heard.send(Heard::Silence).await;
                    return Ok(());
                }
                if let Some(target) = session.target {
                    let (frame, ended) = session.next_frame();
                    // What can't be sent is lost, as on the network.
                    let _ = socket.send_to(&frame, target).await;
                    if ended && heard.send(Heard::Played).await.is_err() {
                        return Ok(());
                    }
                }
                if let Some(answerer) = session.next_heard().and_then(|frame| detector.as_mut()?.listen(&frame)) {
                    detector = None;
                    let _ = heard.send(Heard::Answerer(answerer)).await;
                }
            }
            received = socket.recv_from(&mut packet) => {
                // An ICMP error of an earlier packet may come as an error here.
                let Ok((length, from)) = received else { continue };
                if let Some(key) = session.receive(&packet[..length], from, Instant::now()) {
                    let _ = heard.send(Heard::Key(key)).await;
                }
            }
            Some(from) = reported(control.as_ref(), &mut report) => session.hear_report(from, Instant::now()),
            more = prompts.recv() => match more {
                Some(more) => session.playing.extend(more),
                None => return Ok(()),
            },
        }
    }
}

fn listen(socket: StdSocket) -> std::io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Who sent the next report; nothing where what came is none, or nobody listens.
async fn reported(control: Option<&UdpSocket>, packet: &mut [u8]) -> Option<SocketAddr> {
    let (length, from) = control?.recv_from(packet).await.ok()?;
    rtp::is_report(&packet[..length]).then_some(from)
}

struct Session {
    remote: Remote,
    reach: Reach,
    /// Where packets go: where the other side's come from, once they come (RFC 4961); nowhere while all that
    /// is known is an address that they may not go to.
    target: Option<SocketAddr>,
    /// When something came from there last, and whether anything has.
    heard_at: Instant,
    heard: bool,
    /// How long we speak to where nothing comes from.
    timeout: Duration,
    sequence: u16,
    timestamp: u32,
    source: u32,
    /// Whether the last frame was of a prompt.
    talking: bool,
    playing: VecDeque<Prompt>,
    /// The next sample of the first prompt, and how often it was played.
    at: usize,
    rounds: u32,
    /// A key ended the first prompt.
    skip: bool,
    /// The timestamp of the last key: its packets come several times.
    last_key: Option<u32>,
    waiting: VecDeque<Vec<i16>>,
    late: u32,
}

impl Session {
    fn new(remote: Remote, reach: Reach, timeout: Duration, now: Instant) -> Session {
        let target = Some(remote.address).filter(|address| reach.allows(*address));
        Session {
            remote,
            reach,
            target,
            heard_at: now,
            heard: false,
            timeout,
            sequence: fastrand::u16(..),
            timestamp: fastrand::u32(..),
            source: fastrand::u32(..),
            talking: false,
            playing: VecDeque::new(),
            at: 0,
            rounds: 0,
            skip: false,
            last_key: None,
            waiting: VecDeque::new(),
            late: 0,
        }
    }

    /// Whether nothing came back for too long: nobody may be there who wants what we send.
    fn is_alone(&self, now: Instant) -> bool {
        now.duration_since(self.heard_at) > self.timeout
    }

    /// Takes a report of the other side: it is there.
    fn hear_report(&mut self, from: SocketAddr, now: Instant) {
        if self.target.is_some_and(|target| target.ip() == from.ip()) {
            self.heard_at = now;
        }
    }

    /// Whether a packet is the other side's: somebody else's is not while its own come.
    fn is_theirs(&self, from: SocketAddr, now: Instant) -> bool {
        let silent = || !self.heard || now.duration_since(self.heard_at) > MOVE_MIN;
        self.target == Some(from) || (self.reach.allows(from) && silent())
    }

    /// The next packet, and whether the last prompt ends with it.
    fn next_frame(&mut self) -> (Vec<u8>, bool) {
        let law = self.remote.law;
        let mut payload = [law.silence(); SAMPLES];
        let mut ended = std::mem::take(&mut self.skip) && self.next_prompt();
        let starts = !self.talking && !self.playing.is_empty();
        self.talking = !self.playing.is_empty();
        if let Some(prompt) = self.playing.front() {
            let samples = &prompt.sound[self.at..];
            samples.iter().zip(&mut payload).for_each(|(sample, octet)| *octet = law.encode(*sample));
            self.at += SAMPLES;
            if self.at >= prompt.sound.len() {
                self.at = 0;
                self.rounds += 1;
                if self.rounds >= prompt.repeat {
                    ended = self.next_prompt();
                }
            }
        }
        let packet =
            rtp::write(law.payload_type(), starts, self.sequence, self.timestamp, self.source, &payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
        (packet, ended)
    }

    /// Goes on to the next prompt; whether that was the last one.
    fn next_prompt(&mut self) -> bool {
        let ended = self.playing.pop_front().is_some();
        (self.at, self.rounds) = (0, 0);
        ended && self.playing.is_empty()
    }

    /// Takes a packet; answers with a key that was pressed.
    fn receive(&mut self, octets: &[u8], from: SocketAddr, now: Instant) -> Option<char> {
        if rtp::is_report(octets) {
            self.hear_report(from, now);
            return None;
        }
        let packet = rtp::read(octets)?;
        if !self.is_theirs(from, now) {
            return None;
        }
        (self.target, self.heard_at, self.heard) = (Some(from), now, true);
        if Some(packet.payload_type) == self.remote.keys {
            if self.last_key == Some(packet.timestamp) {
                return None;
            }
            let key = rtp::key(packet.payload)?;
            self.last_key = Some(packet.timestamp);
            self.skip = self.playing.front().is_some_and(|prompt| prompt.barge_in);
            return Some(key);
        }
        if packet.payload_type == self.remote.law.payload_type() {
            let decode = |octets: &[u8]| octets.iter().map(|octet| self.remote.law.decode(*octet)).collect();
            let frames: Vec<Vec<i16>> = packet.payload.chunks(SAMPLES).map(decode).collect();
            self.waiting.extend(frames);
            self.waiting.truncate(WAITING_MAX);
            self.late = 0;
        }
        None
    }

    /// The next 20 ms of the other side: silence where nothing comes, nothing where it may be on its way.
    fn next_heard(&mut self) -> Option<Vec<i16>> {
        let frame = self.waiting.pop_front();
        if frame.is_none() {
            self.late += 1;
        }
        frame.or_else(|| (self.late > LATE_MAX).then(|| vec![0; SAMPLES]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::g711::Law;
    use super::super::reaches::Reaches;
    use super::*;

    /// Reaches 192.0.2.0/24 alone.
    const PUBLIC: Reaches = Reaches(|address| address.to_string().starts_with("192.0.2."));

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn session(address: &str, inside: Option<&str>) -> Session {
        let remote = Remote { address: address.parse().unwrap(), law: Law::A, keys: None };
        let inside = inside.map(|trunk| trunk.parse().unwrap());
        Session::new(remote, Reach { fetch: Arc::new(PUBLIC), inside }, TIMEOUT, Instant::now())
    }

    fn target(session: &Session) -> String {
        session.target.map(|target| target.to_string()).unwrap_or_default()
    }

    #[test]
    fn sound_goes_to_public_addresses_and_to_those_beside_a_trunk_inside() {
        for (address, inside, reached) in [
            ("192.0.2.1:4000", None, true),
            ("192.0.2.1:53", None, false),
            ("192.0.2.1:1023", Some("10.0.0.1"), false),
            ("10.0.0.2:4000", None, false),
            ("10.0.0.2:4000", Some("10.0.0.1"), true),
            ("127.0.0.1:4000", Some("10.0.0.1"), false),
            ("127.0.0.1:4000", Some("127.0.0.1"), true),
            ("224.0.0.1:4000", Some("10.0.0.1"), false),
            ("255.255.255.255:4000", Some("10.0.0.1"), false),
            ("0.0.0.0:4000", Some("127.0.0.1"), false),
            ("[ff02::1]:4000", Some("10.0.0.1"), false),
        ] {
            assert_eq!(session(address, inside).target.is_some(), reached, "{address} {inside:?}");
        }
    }

    #[test]
    fn sound_follows_where_the_other_side_speaks_from_and_nobody_else() {
        let (now, packet) = (Instant::now(), rtp::write(8, false, 1, 160, 1, &[0xd5; 160]));
        let mut session = session("10.0.0.2:4000", None);
        let from = |address: &str| address.parse::<SocketAddr>().unwrap();
        for elsewhere in ["10.0.0.2:4000", "127.0.0.1:4000", "192.0.2.5:80"] {
            session.receive(&packet, from(elsewhere), now);
            assert_eq!(target(&session), "", "{elsewhere}");
        }
        session.receive(&packet, from("192.0.2.7:5000"), now);
        assert_eq!(target(&session), "192.0.2.7:5000");
        session.receive(&packet, from("192.0.2.8:6000"), now + MOVE_MIN);
        assert_eq!(target(&session), "192.0.2.7:5000", "somebody else speaks in between");
        session.receive(&packet, from("192.0.2.8:6000"), now + MOVE_MIN * 2);
        assert_eq!(target(&session), "192.0.2.8:6000", "it has moved");
    }

    #[test]
    fn sound_ends_when_nothing_comes_back_and_a_report_is_something() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut session = session("192.0.2.1:4000", None);
        assert!(!session.is_alone(start + TIMEOUT - second) && session.is_alone(start + TIMEOUT + second));
        let report = [0x80, 201, 0, 1, 0, 0, 0, 0];
        session.receive(&report, "192.0.2.9:4001".parse().unwrap(), start + TIMEOUT);
        assert!(session.is_alone(start + TIMEOUT + second), "somebody else's report");
        // On the port of the sound, or on its own.
        session.receive(&report, "192.0.2.1:4000".parse().unwrap(), start + TIMEOUT);
        assert!(!session.is_alone(start + TIMEOUT + second));
        session.hear_report("192.0.2.1:4001".parse().unwrap(), start + TIMEOUT * 2);
        assert!(!session.is_alone(start + TIMEOUT * 3));
        let packet = rtp::write(8, false, 1, 160, 1, &[0xd5; 160]);
        session.receive(&packet, "192.0.2.1:4000".parse().unwrap(), start + TIMEOUT * 3);
        assert!(!session.is_alone(start + TIMEOUT * 4) && session.is_alone(start + TIMEOUT * 4 + second));
        assert_eq!(target(&session), "192.0.2.1:4000");
    }
}
