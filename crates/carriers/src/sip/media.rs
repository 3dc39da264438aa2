//! The sound of a call: sends prompts in frames of 20 ms, paced by a clock; hears keys and who answered.

use super::config::MachineConfig;
use super::detect::{Answerer, Detector, FRAME};
use super::pacing::Pacing;
use super::rtp;
use super::sdp::Remote;
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Samples of a frame.
const SAMPLES: usize = 160;
/// The largest packet that is read.
const PACKET_MAX: usize = 2048;
/// Frames without a packet that still count as on their way.
const LATE_MAX: u32 = 3;
/// Frames that wait to be listened to.
const WAITING_MAX: usize = 50;

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
}

/// The sound of a call until `prompts` ends; each list of prompts is played once.
pub(super) async fn session(
    socket: StdSocket,
    remote: Remote,
    machine: MachineConfig,
    pacing: Arc<Pacing>,
    mut prompts: mpsc::Receiver<Vec<Prompt>>,
    heard: mpsc::Sender<Heard>,
) -> std::io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    let mut session = Session {
        remote,
        target: remote.address,
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
    };
    let mut detector = Some(Detector::new(&machine));
    let mut clock = tokio::time::interval(FRAME);
    // After a stall frames follow each other until the clock is caught up with: the other side has a buffer.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut packet = [0; PACKET_MAX];
    loop {
        tokio::select! {
            biased;
            due = clock.tick() => {
                pacing.note(due.elapsed());
                let (frame, ended) = session.next_frame();
                // What can't be sent is lost, as on the network.
                let _ = socket.send_to(&frame, session.target).await;
                if ended && heard.send(Heard::Played).await.is_err() {
                    return Ok(());
                }
                if let Some(answerer) = session.next_heard().and_then(|frame| detector.as_mut()?.listen(&frame)) {
                    detector = None;
                    let _ = heard.send(Heard::Answerer(answerer)).await;
                }
            }
            received = socket.recv_from(&mut packet) => {
                // An ICMP error of an earlier packet may come as an error here.
                let Ok((length, from)) = received else { continue };
                if let Some(key) = session.receive(&packet[..length], from) {
                    let _ = heard.send(Heard::Key(key)).await;
                }
            }
            more = prompts.recv() => match more {
                Some(more) => session.playing.extend(more),
                None => return Ok(()),
            },
        }
    }
}

struct Session {
    remote: Remote,
    /// Where packets go: where the other side's come from, once they come (RFC 4961).
    target: SocketAddr,
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
    fn receive(&mut self, octets: &[u8], from: SocketAddr) -> Option<char> {
        let packet = rtp::read(octets)?;
        self.target = from;
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
