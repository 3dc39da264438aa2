//! The sound of a call: sends prompts in frames of 20 ms, paced by a clock; hears keys and who answered.

use super::config::MachineConfig;
use super::detect::{Answerer, Detector, FRAME};
use super::keys::{Presses, Told};
use super::pacing::Pacing;
use super::reach::{Reach, canonical};
use super::rtp;
use super::sdp::{Format, Remote};
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
/// How long the other side must have said nothing before another source (SSRC) at its address is it.
const SOURCE_MIN: Duration = Duration::from_secs(1);
/// Frames that wait to be listened to.
const WAITING_MAX: usize = 50;

/// Our side of a call's sound.
pub(super) struct Side {
    pub(super) sound: StdSocket,
    /// Hears the other side's reports (RTCP), which it sends to the port after that of the sound.
    pub(super) control: Option<StdSocket>,
    pub(super) reach: Reach,
    /// How long we speak to a side that sends nothing.
    pub(super) timeout: Duration,
}

/// What both sides agreed on.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    pub(super) remote: Remote,
    /// Where sound goes; `None` if it may not be sent to where the other side wants it.
    pub(super) target: Option<SocketAddr>,
}

/// An order to the sound of a call.
pub(super) enum Order {
    /// Play these, each list once.
    Play(Vec<Prompt>),
    /// Something else was agreed on.
    Agree(Agreed),
    /// A key was pressed, signalled by INFO.
    Key(char),
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

/// The sound of a call until `orders` ends.
pub(super) async fn session(
    side: Side,
    agreed: Agreed,
    machine: MachineConfig,
    pacing: Arc<Pacing>,
    mut orders: mpsc::Receiver<Order>,
    heard: mpsc::Sender<Heard>,
) -> std::io::Result<()> {
    let socket = listen(side.sound)?;
    let control = side.control.map(listen).transpose()?;
    let mapped = side.reach.own.is_ipv6();
    let mut session = Session::new(agreed, side.reach, side.timeout, Instant::now());
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
                if let Some(target) = session.listener() {
                    let (frame, ended) = session.next_frame();
                    // What can't be sent is lost, as on the network.
                    let _ = socket.send_to(&frame, written(target, mapped)).await;
                    if ended && heard.send(Heard::Played).await.is_err() {
                        return Ok(());
                    }
                }
                let frame = session.next_heard();
                if let Some(answerer) = frame.and_then(|frame| detector.as_mut()?.listen(&frame)) {
                    detector = None;
                    let _ = heard.send(Heard::Answerer(answerer)).await;
                }
            }
            received = socket.recv_from(&mut packet) => {
                // An ICMP error of an earlier packet may come as an error here.
                let Ok((length, from)) = received else { continue };
                if let Some(key) = session.receive(&packet[..length], canonical(from), Instant::now()) {
                    let _ = heard.send(Heard::Key(key)).await;
                }
            }
            Some(from) = reported(control.as_ref(), &mut report) => session.hear_report(from, Instant::now()),
            order = orders.recv() => match order {
                Some(Order::Play(prompts)) => session.playing.extend(prompts),
                Some(Order::Agree(agreed)) => session.agree(agreed, Instant::now()),
                Some(Order::Key(key)) => if let Some(key) = session.press(key, Told::ByInfo) {
                    let _ = heard.send(Heard::Key(key)).await;
                },
                None => return Ok(()),
            },
        }
    }
}

/// An address as a socket takes it: one of IPv6 wants IPv4 in its own form (RFC 4291, 2.5.5.2).
fn written(target: SocketAddr, mapped: bool) -> SocketAddr {
    match target.ip() {
        IpAddr::V4(v4) if mapped => SocketAddr::new(v4.to_ipv6_mapped().into(), target.port()),
        IpAddr::V4(_) | IpAddr::V6(_) => target,
    }
}

fn listen(socket: StdSocket) -> std::io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// The sender of the next report; `None` if what came is no report, or there is no socket for them.
async fn reported(control: Option<&UdpSocket>, packet: &mut [u8]) -> Option<SocketAddr> {
    let (length, from) = control?.recv_from(packet).await.ok()?;
    rtp::is_report(&packet[..length]).then(|| canonical(from))
}

struct Session {
    agreed: Agreed,
    reach: Reach,
    /// Where sound goes.
    target: Option<SocketAddr>,
    /// Whose packets are followed, once some were: only those from then on.
    speaker: Option<Speaker>,
    /// Where sound went before its target changed: packets that still come from there are late.
    former: Option<SocketAddr>,
    /// When something last came from there, or when it began.
    heard_at: Instant,
    timeout: Duration,
    sequence: u16,
    timestamp: u32,
    source: u32,
    /// Whether the last frame was one of a prompt.
    talking: bool,
    playing: VecDeque<Prompt>,
    /// Samples of the first prompt that were sent, and how often it was sent whole.
    at: usize,
    rounds: u32,
    /// A key ended the first prompt.
    skip: bool,
    /// The time of the last key, by which its repetitions are known.
    last_key: Option<u32>,
    presses: Presses,
    /// Frames to be listened to.
    waiting: VecDeque<Vec<i16>>,
    late: u32,
}

/// Who speaks.
struct Speaker {
    address: SocketAddr,
    /// Which of the sources at the address (RFC 3550, 8).
    source: u32,
    spoke_at: Instant,
}

impl Session {
    fn new(agreed: Agreed, reach: Reach, timeout: Duration, now: Instant) -> Session {
        Session {
            target: agreed.target,
            agreed,
            reach,
            speaker: None,
            former: None,
            heard_at: now,
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
            presses: Presses::default(),
            waiting: VecDeque::new(),
            late: 0,
        }
    }

    /// Continues with what was agreed on now; sound goes to the new target, if that changed.
    fn agree(&mut self, agreed: Agreed, now: Instant) {
        if agreed.target != self.agreed.target {
            (self.former, self.target, self.speaker) = (self.target, agreed.target, None);
        }
        if !self.agreed.remote.listens {
            // Nothing was sent, so nothing had to come back.
            self.heard_at = now;
        }
        self.agreed = agreed;
    }

    /// Where the next frame goes; `None` while the other side holds the call.
    fn listener(&self) -> Option<SocketAddr> {
        self.target.filter(|_| self.agreed.remote.listens)
    }

    /// Returns whether nothing came back for too long: nobody may be there.
    fn is_alone(&self, now: Instant) -> bool {
        self.agreed.remote.listens && now.duration_since(self.heard_at) > self.timeout
    }

    /// Takes a report of the other side: it is there.
    fn hear_report(&mut self, from: SocketAddr, now: Instant) {
        if self.target.is_some_and(|target| target.ip() == from.ip()) {
            self.heard_at = now;
        }
    }

    /// Returns whether a packet is the other side's. The first sender stays it; another source at its address
    /// only after the first one has ended.
    fn is_theirs(&self, packet: &rtp::Packet<'_>, from: SocketAddr, now: Instant) -> bool {
        let remote = &self.agreed.remote;
        let agreed = || {
            let sound = remote.formats.iter().any(|format| format.payload_type == packet.payload_type);
            sound || remote.keys.contains(&packet.payload_type)
        };
        match &self.speaker {
            Some(speaker) if speaker.source == packet.source => speaker.address == from,
            Some(speaker) => {
                speaker.address == from && now.duration_since(speaker.spoke_at) > SOURCE_MIN && agreed()
            }
            None => {
                agreed() && self.former != Some(from) && self.reach.accepts_first(from, self.agreed.target)
            }
        }
    }

    /// Counts a key; returns it if it is a new one.
    fn press(&mut self, key: char, told: Told) -> Option<char> {
        if !self.presses.is_new(told) {
            return None;
        }
        self.skip = self.playing.front().is_some_and(|prompt| prompt.barge_in);
        Some(key)
    }

    /// The next packet, and whether the last prompt ends with it.
    fn next_frame(&mut self) -> (Vec<u8>, bool) {
        let Format { payload_type, law } = self.agreed.remote.liked;
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
        let packet = rtp::write(payload_type, starts, self.sequence, self.timestamp, self.source, &payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
        (packet, ended)
    }

    /// Goes on to the next prompt; returns whether that was the last one.
    fn next_prompt(&mut self) -> bool {
        let ended = self.playing.pop_front().is_some();
        (self.at, self.rounds) = (0, 0);
        ended && self.playing.is_empty()
    }

    /// Takes a packet; returns a key that was pressed.
    fn receive(&mut self, octets: &[u8], from: SocketAddr, now: Instant) -> Option<char> {
        if rtp::is_report(octets) {
            self.hear_report(from, now);
            return None;
        }
        let packet = rtp::read(octets)?;
        if !self.is_theirs(&packet, from, now) {
            return None;
        }
        (self.target, self.heard_at) = (Some(from), now);
        self.speaker = Some(Speaker { address: from, source: packet.source, spoke_at: now });
        if self.agreed.remote.keys.contains(&packet.payload_type) {
            if self.last_key == Some(packet.timestamp) {
                return None;
            }
            let key = rtp::key(packet.payload)?;
            self.last_key = Some(packet.timestamp);
            return self.press(key, Told::InSound);
        }
        let formats = &self.agreed.remote.formats;
        if let Some(format) = formats.iter().find(|format| format.payload_type == packet.payload_type) {
            let decode = |octets: &[u8]| octets.iter().map(|octet| format.law.decode(*octet)).collect();
            let frames: Vec<Vec<i16>> = packet.payload.chunks(SAMPLES).map(decode).collect();
            self.waiting.extend(frames);
            self.waiting.truncate(WAITING_MAX);
            self.late = 0;
        }
        None
    }

    /// The next 20 ms of the other side: silence if nothing comes, `None` if it may be late.
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
    use super::super::sdp::Host;
    use super::*;

    /// Reaches 192.0.2.0/24 alone.
    const PUBLIC: Reaches = Reaches(|address| address.to_string().starts_with("192.0.2."));

    const TIMEOUT: Duration = Duration::from_secs(10);
    const SECOND: Duration = Duration::from_secs(1);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A-law and keys of type 101, at an address.
    fn agreed(told: &str) -> Agreed {
        let told = address(told);
        let liked = Format { payload_type: 8, law: Law::A };
        let remote = Remote {
            host: Host::Address(told.ip()),
            port: told.port(),
            liked,
            formats: vec![liked],
            keys: vec![101],
            listens: true,
        };
        Agreed { remote, target: reach().allows(told).then_some(told) }
    }

    fn reach() -> Reach {
        Reach {
            fetch: Arc::new(PUBLIC),
            peer: "192.0.2.99".parse().unwrap(),
            own: "0.0.0.0".parse().unwrap(),
        }
    }

    fn session(told: &str) -> Session {
        Session::new(agreed(told), reach(), TIMEOUT, Instant::now())
    }

    fn target(session: &Session) -> String {
        session.target.map(|target| target.to_string()).unwrap_or_default()
    }

    /// A packet of a type and a source.
    fn packet(payload_type: u8, source: u32) -> Vec<u8> {
        rtp::write(payload_type, false, 1, 160, source, &[0xd5; 160])
    }

    #[test]
    fn sound_follows_the_first_who_speaks_and_nobody_else() {
        let now = Instant::now();
        let mut session = session("10.0.0.2:4000");
        // What is told can't be reached, and what comes is not from where anything may be sent, or of no type
        // that was agreed on.
        for (elsewhere, payload_type) in
            [("10.0.0.2:4000", 8), ("127.0.0.1:4000", 8), ("192.0.2.5:80", 8), ("192.0.2.5:5000", 96)]
        {
            session.receive(&packet(payload_type, 1), address(elsewhere), now);
            assert_eq!(target(&session), "", "{elsewhere} {payload_type}");
        }
        session.receive(&packet(8, 1), address("192.0.2.7:5000"), now);
        assert_eq!(target(&session), "192.0.2.7:5000");
        for later in [0, 1, 2, 60] {
            for (elsewhere, payload_type, source) in [
                ("192.0.2.8:6000", 8, 2),
                ("192.0.2.8:6000", 8, 1),
                ("192.0.2.8:6000", 101, 1),
                ("192.0.2.7:5002", 8, 1),
                ("192.0.2.7:5002", 96, 2),
            ] {
                session.receive(&packet(payload_type, source), address(elsewhere), now + SECOND * later);
                assert_eq!(target(&session), "192.0.2.7:5000", "{elsewhere} {later} s later");
            }
        }
    }

    #[test]
    fn a_callee_behind_nat_is_followed_to_another_port_and_nobody_to_another_host() {
        let now = Instant::now();
        let mut session = session("192.0.2.1:4000");
        session.receive(&packet(8, 2), address("192.0.2.2:4000"), now);
        assert_eq!(target(&session), "192.0.2.1:4000");
        session.receive(&packet(8, 1), address("192.0.2.1:7000"), now);
        assert_eq!(target(&session), "192.0.2.1:7000");
        session.receive(&packet(8, 3), address("192.0.2.1:4000"), now + SECOND * 5);
        assert_eq!(target(&session), "192.0.2.1:7000");
    }

    #[test]
    fn one_source_is_heard_and_another_one_after_it() {
        let now = Instant::now();
        let mut session = session("192.0.2.1:4000");
        let from = address("192.0.2.1:4000");
        let mut waits = |source: u32, at: Instant| {
            session.receive(&packet(8, source), from, at);
            std::mem::take(&mut session.waiting).len()
        };
        assert_eq!((waits(1, now), waits(2, now), waits(1, now + SECOND)), (1, 0, 1));
        assert_eq!((waits(2, now + SECOND * 2), waits(2, now + SECOND * 3)), (0, 1));
        assert_eq!(waits(1, now + SECOND * 3), 0);
    }

    #[test]
    fn what_is_agreed_on_later_is_followed() {
        let now = Instant::now();
        let mut session = session("192.0.2.1:4000");
        session.receive(&packet(8, 1), address("192.0.2.1:7000"), now);
        // A refresh moves nothing.
        session.agree(agreed("192.0.2.1:4000"), now);
        assert_eq!(target(&session), "192.0.2.1:7000");
        let mut other = agreed("192.0.2.3:4000");
        other.remote.liked = Format { payload_type: 0, law: Law::Mu };
        other.remote.formats = vec![other.remote.liked];
        session.agree(other, now);
        assert_eq!(target(&session), "192.0.2.3:4000");
        let (frame, _) = session.next_frame();
        assert_eq!((frame[1] & 0x7f, frame[12]), (0, Law::Mu.silence()));
        session.receive(&packet(8, 1), address("192.0.2.1:7000"), now);
        assert_eq!(target(&session), "192.0.2.3:4000");
        // Another port of the same host, while something still comes from the one before.
        session.agree(agreed("192.0.2.3:6000"), now);
        session.receive(&packet(8, 1), address("192.0.2.3:4000"), now);
        assert_eq!(target(&session), "192.0.2.3:6000");
        // Where nothing may be sent, nothing is.
        session.agree(agreed("10.0.0.2:4000"), now);
        assert_eq!(target(&session), "");
    }

    #[test]
    fn nothing_is_sent_while_the_call_is_held_and_nothing_need_come_back() {
        let start = Instant::now();
        let mut session = session("192.0.2.1:4000");
        let mut held = agreed("192.0.2.1:4000");
        held.remote.listens = false;
        session.agree(held, start);
        assert!(session.listener().is_none() && !session.is_alone(start + TIMEOUT * 20));
        session.agree(agreed("192.0.2.1:4000"), start + TIMEOUT * 20);
        assert_eq!(session.listener(), Some(address("192.0.2.1:4000")));
        assert!(!session.is_alone(start + TIMEOUT * 21) && session.is_alone(start + TIMEOUT * 22));
    }

    #[test]
    fn a_key_ends_a_prompt_once_whichever_way_it_is_told() {
        let now = Instant::now();
        let mut session = session("192.0.2.1:4000");
        let prompt = Prompt { sound: Arc::from(vec![1; SAMPLES * 10]), repeat: 1, barge_in: true };
        session.playing.extend([prompt.clone(), prompt.clone(), prompt]);
        let event = |timestamp| rtp::write(101, true, 1, timestamp, 1, &[5, 0, 0, 160]);
        let from = address("192.0.2.1:4000");
        // The packets of one event, then the same key by INFO.
        let heard = [0, 0, 0].map(|_| session.receive(&event(160), from, now));
        assert_eq!(heard, [Some('5'), None, None]);
        session.next_frame();
        assert_eq!((session.press('5', Told::ByInfo), session.playing.len()), (None, 2));
        session.next_frame();
        assert_eq!(session.playing.len(), 2);
        assert_eq!(session.press('5', Told::ByInfo), Some('5'));
        assert_eq!(session.receive(&event(3200), from, now), None);
        session.next_frame();
        assert_eq!(session.playing.len(), 1);
    }

    #[test]
    fn sound_ends_when_nothing_comes_back_and_a_report_is_something() {
        let start = Instant::now();
        let mut session = session("192.0.2.1:4000");
        assert!(!session.is_alone(start + TIMEOUT - SECOND) && session.is_alone(start + TIMEOUT + SECOND));
        let report = [0x80, 201, 0, 1, 0, 0, 0, 0];
        session.receive(&report, address("192.0.2.9:4001"), start + TIMEOUT);
        session.receive(&packet(8, 2), address("192.0.2.9:4001"), start + TIMEOUT);
        assert!(session.is_alone(start + TIMEOUT + SECOND), "somebody else's report and sound");
        // On the port of the sound, or on its own.
        session.receive(&report, address("192.0.2.1:4000"), start + TIMEOUT);
        assert!(!session.is_alone(start + TIMEOUT + SECOND));
        session.hear_report(address("192.0.2.1:4001"), start + TIMEOUT * 2);
        assert!(!session.is_alone(start + TIMEOUT * 3));
        session.receive(&packet(8, 1), address("192.0.2.1:4000"), start + TIMEOUT * 3);
        assert!(!session.is_alone(start + TIMEOUT * 4) && session.is_alone(start + TIMEOUT * 4 + SECOND));
        assert_eq!(target(&session), "192.0.2.1:4000");
    }

    #[test]
    fn an_address_is_written_as_the_socket_takes_it() {
        assert_eq!(written(address("192.0.2.1:4000"), false), address("192.0.2.1:4000"));
        assert_eq!(written(address("192.0.2.1:4000"), true), address("[::ffff:192.0.2.1]:4000"));
        assert_eq!(canonical(address("[::ffff:192.0.2.1]:4000")), address("192.0.2.1:4000"));
        assert_eq!(written(address("[2001:db8::1]:4000"), true), address("[2001:db8::1]:4000"));
    }

    #[tokio::test]
    async fn a_socket_for_all_addresses_speaks_to_ipv4_and_hears_it() {
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (sound, told) = (StdSocket::bind("[::]:0").unwrap(), peer.local_addr().unwrap());
        let ours = SocketAddr::new(told.ip(), sound.local_addr().unwrap().port());
        let reach = Reach {
            fetch: Arc::new(Reaches(|_| true)),
            peer: "192.0.2.99".parse().unwrap(),
            own: "::".parse().unwrap(),
        };
        let side = Side { sound, control: None, reach, timeout: TIMEOUT };
        let agreed = Agreed { target: Some(told), ..agreed(&told.to_string()) };
        let (orders, to_do) = mpsc::channel(1);
        let (hear, mut heard) = mpsc::channel(1);
        tokio::spawn(super::session(side, agreed, MachineConfig::default(), Arc::default(), to_do, hear));
        assert_eq!(peer.recv(&mut [0; PACKET_MAX]).await.unwrap(), 12 + SAMPLES);
        peer.send_to(&rtp::write(101, true, 1, 160, 1, &[5, 0, 0, 160]), ours).await.unwrap();
        assert_eq!(heard.recv().await, Some(Heard::Key('5')));
        drop(orders);
    }
}
