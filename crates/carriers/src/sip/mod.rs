//! Calls over SIP (RFC 3261): out through trunks, with prompts that are made ready before anybody is called.

mod audio;
mod call;
mod changes;
mod config;
mod detect;
mod dial;
mod dialog;
mod digest;
mod early;
mod g711;
mod keys;
mod media;
mod names;
mod pacing;
mod prepare;
mod reach;
#[cfg(test)]
mod reaches;
mod register;
mod room;
mod rtp;
mod sdp;
mod speech;
mod stack;
mod trace;
mod trunk;
mod wav;
mod wire;

#[cfg(feature = "fuzzing")]
pub(crate) use audio::fuzz as fuzz_audio;
#[cfg(feature = "fuzzing")]
pub(crate) use call::fuzz as fuzz_answer;
pub use config::SipConfig;
pub use trace::Trace;

use crate::{Carrier, CarrierSink, Fetch, Outcome, Outgoing, Report};
use async_trait::async_trait;
use dial::{AGAIN_AFTER, Call, NotTaken, Waiting, Way};
use flow::{
    CarrierRef, Content, Detail, MachineDetection, Receipt, Restrictions, SipAddress, Step, Voice,
    VoiceTarget,
};
use pacing::Pacing;
use prepare::{Sounds, Turns, Unready};
use room::Room;
use rsipstack::platform::CancellationToken;
use speech::Speech;
use stack::{Guard, NotFound, Stack};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use trunk::Trunk;

/// How long making everything ready that is to be heard may take: a submit must end well before its lease.
const PREPARE_MAX: Duration = Duration::from_secs(60);
/// How long the name of an address may take to be looked up.
const LOCATE_MAX: Duration = Duration::from_secs(10);
const ALL_BUSY: Outcome = Outcome::Later { reason: "all lines busy", after: None };

/// A carrier that makes calls.
pub struct Sip {
    line: Arc<Line>,
}

/// What all calls share.
struct Line {
    name: String,
    config: SipConfig,
    sink: Arc<dyn CarrierSink>,
    fetch: Arc<dyn Fetch>,
    speech: Speech,
    trunks: Vec<Trunk>,
    /// For calls through trunks.
    stack: Stack,
    /// For calls to addresses that clients name, and where they may go.
    direct: Stack,
    guard: Guard,
    cancel: CancellationToken,
    /// Ends keeping us registered.
    registering: CancellationToken,
    /// Calls whose trunks have said nothing yet.
    waiting: Waiting,
    /// Calls that may be prepared at the same time.
    turns: Turns,
    /// Seconds of sound that all calls may have.
    sounds: Arc<Semaphore>,
    /// Calls that may still begin.
    room: Arc<Room>,
    /// Sound has a thread of its own, so that nothing else holds up its clock.
    sound: tokio::runtime::Handle,
    /// Ends that thread when it is dropped.
    _sound: tokio::sync::oneshot::Sender<()>,
    next_port: AtomicU16,
    pacing: Arc<Pacing>,
}

impl Sip {
    /// Starts the carrier `name`; receipts go to `sink`, files come by `fetch`.
    ///
    /// # Errors
    /// When the address is taken or a secret can't be read.
    pub async fn start(
        name: String,
        config: SipConfig,
        sink: Arc<dyn CarrierSink>,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Sip, String> {
        Sip::start_traced(name, config, sink, fetch, None).await
    }

    /// Starts it as [`Sip::start`] does; its messages go to `trace`, too.
    ///
    /// # Errors
    /// As there.
    pub async fn start_traced(
        name: String,
        config: SipConfig,
        sink: Arc<dyn CarrierSink>,
        fetch: Arc<dyn Fetch>,
        trace: Option<Trace>,
    ) -> Result<Sip, String> {
        let cancel = CancellationToken::new();
        let guard = Guard::new(Arc::clone(&fetch));
        let stack = Stack::start(config.bind, trace.clone(), &cancel).await;
        let stack = stack.map_err(|error| format!("bind: {error}"))?;
        let bind = config.direct_bind.unwrap_or_else(|| SocketAddr::new(config.bind.ip(), 0));
        let direct = Stack::start_guarded(bind, &guard, trace, &cancel).await;
        let direct = direct.map_err(|error| format!("direct_bind: {error}"))?;
        let (sound, stop) = sound_thread(&name)?;
        let trunks = config.trunk.iter().map(Trunk::new).collect::<Result<_, _>>()?;
        let line = Arc::new(Line {
            speech: Speech::new(config.speech.clone())?,
            room: Arc::new(Room::new(config.calls_max, config.application_calls_max)),
            turns: Turns::new(config.prepares_max),
            sounds: Arc::new(Semaphore::new(config.sounds_max.as_secs() as usize)),
            next_port: AtomicU16::new(0),
            pacing: Arc::default(),
            name,
            config,
            sink,
            fetch,
            trunks,
            stack,
            direct,
            guard,
            registering: cancel.child_token(),
            waiting: Waiting::default(),
            cancel,
            sound,
            _sound: stop,
        });
        register::keep_all(&line);
        Ok(Sip { line })
    }
}

/// A thread with a runtime for sound, until the sender is dropped.
fn sound_thread(name: &str) -> Result<(tokio::runtime::Handle, tokio::sync::oneshot::Sender<()>), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    std::thread::Builder::new()
        .name(format!("{name}-sound"))
        .spawn(move || {
            let _ = runtime.block_on(stopped);
        })
        .map_err(|error| error.to_string())?;
    Ok((handle, stop))
}

#[async_trait]
impl Carrier for Sip {
    async fn submit(&self, outgoing: &Outgoing) -> Outcome {
        let refuse = |why: String| Outcome::Refused { detail: Detail::FAILED, description: Some(why) };
        let Content::Voice(voice) = &outgoing.step().content else {
            return refuse("a SIP carrier makes calls only".into());
        };
        if !self.line.room.has_place(&outgoing.flow.application) {
            return ALL_BUSY;
        }
        let way = match self.line.way(&voice.to).await {
            Ok(way) => way,
            Err(NotFound::Refused(why)) => return refuse(why),
            Err(NotFound::Failed(why)) => {
                tracing::warn!(carrier = self.line.name, why, "an address was not found");
                return Outcome::Later { reason: "address not found", after: None };
            }
        };
        let mut sounds = Sounds::new(self.line.config.sound_max, Arc::clone(&self.line.sounds));
        let prepare = self.line.prepare(&outgoing.flow.application, &voice.verbs, &mut sounds);
        let late = || Err(Unready::Never("what is to be heard is not ready in time".into()));
        let prompts = match tokio::time::timeout(PREPARE_MAX, prepare).await.unwrap_or_else(|_| late()) {
            Ok(prompts) => prompts,
            Err(Unready::Never(why)) => return refuse(why),
            Err(Unready::Busy(reason)) => return Outcome::Later { reason, after: None },
        };
        let Some(place) = self.line.room.take(&outgoing.flow.application) else { return ALL_BUSY };
        let reference = format!("{}-{}", outgoing.part().id.simple(), outgoing.attempts);
        let mut call = Call {
            line: Arc::clone(&self.line),
            application: outgoing.flow.application.clone(),
            part: outgoing.part().id.simple().to_string(),
            reference: reference.clone(),
            from: outgoing.sender.clone(),
            way,
            machine: voice.machine_detection.clone(),
            deadline: tokio::time::Instant::now() + outgoing.time_left,
            sounds,
        };
        match call.dial().await {
            Ok(dialled) => {
                tokio::spawn(async move {
                    call.follow(dialled, prompts).await;
                    drop(place);
                });
                Outcome::Accepted { reference }
            }
            Err(NotTaken::Silent) => {
                Outcome::Later { reason: "no trunk answers yet", after: Some(AGAIN_AFTER) }
            }
            Err(NotTaken::Refused(why)) => {
                tracing::warn!(carrier = self.line.name, why, "no trunk takes a call");
                Outcome::Later { reason: "no trunk", after: None }
            }
        }
    }

    fn refuses(&self, step: &Step, _: Option<&Restrictions>) -> Option<String> {
        match &step.content {
            Content::Voice(Voice { to: VoiceTarget::Viber(_), .. }) => {
                Some("a SIP carrier calls phone numbers and SIP addresses, not to.viber".into())
            }
            Content::Voice(Voice { to: VoiceTarget::Sip(address), .. }) => {
                SipAddress::parse(address).err().map(|why| format!("to.sip: {why}"))
            }
            Content::Voice(_) => None,
            Content::Sms(_) | Content::Viber(_) => Some("a SIP carrier makes calls only".into()),
        }
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        let Line { pacing, room, .. } = &*self.line;
        vec![
            ("calls", room.taken() as f64),
            ("frames", pacing.frames() as f64),
            ("frame_late_p99_ms", pacing.p99_ms()),
        ]
    }

    fn is_up(&self) -> bool {
        self.line.trunks.iter().any(Trunk::is_up)
    }

    /// Waits for the calls under way.
    async fn close(&self) {
        self.line.room.close().await;
        register::end_all(&self.line).await;
        self.line.cancel.cancel();
    }
}

impl Line {
    /// How a call reaches whom it is for.
    async fn way(&self, to: &VoiceTarget) -> Result<Way, NotFound> {
        match to {
            VoiceTarget::Phone(number) => Ok(Way::Trunks(number.clone())),
            VoiceTarget::Sip(address) => {
                let address = SipAddress::parse(address).map_err(|why| NotFound::Refused(why.to_string()))?;
                let located = tokio::time::timeout(LOCATE_MAX, self.guard.locate(&address)).await;
                let late = |_| NotFound::Failed(format!("{}: no answer in time", address.host));
                let to = located.map_err(late)??;
                // The family that its socket has no part in can't be reached.
                let is_ipv6 = self.direct.is_ipv6;
                if to.address.is_ipv6() != is_ipv6 {
                    let (there, here) = if is_ipv6 { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
                    let why = format!("{} is reached by {there}, and direct_bind is {here}", address.host);
                    return Err(NotFound::Refused(why));
                }
                Ok(Way::Direct(address, to))
            }
            VoiceTarget::Viber(_) => Err(NotFound::Refused("to.viber is no SIP address".into())),
        }
    }

    /// Sockets for the sound of a call, and for what is told about it (RTCP), where the port beside is free.
    fn media_sockets(&self) -> std::io::Result<(UdpSocket, Option<UdpSocket>)> {
        let ip = self.config.bind.ip();
        let beside =
            |socket: &UdpSocket| UdpSocket::bind((ip, socket.local_addr().ok()?.port().checked_add(1)?)).ok();
        let Some([first, last]) = self.config.media_ports else {
            let socket = UdpSocket::bind((ip, 0))?;
            let control = beside(&socket);
            return Ok((socket, control));
        };
        // Every second port first, so that the ones between are free for RTCP.
        let pairs = u32::from(last - first) / 2 + 1;
        let start = u32::from(self.next_port.fetch_add(1, Ordering::Relaxed));
        let mut error = std::io::Error::other("no port");
        for i in 0..pairs * 2 {
            let (round, at) = (i / pairs, (start + i) % pairs);
            let port = u32::from(first) + at * 2 + round;
            if port > u32::from(last) {
                continue;
            }
            match UdpSocket::bind((ip, port as u16)) {
                Ok(socket) => {
                    let control = (port < u32::from(last)).then(|| beside(&socket)).flatten();
                    return Ok((socket, control));
                }
                Err(taken) => error = taken,
            }
        }
        Err(error)
    }

    /// Tells what became of a call, again and again until it is taken.
    async fn report(&self, reference: &str, receipt: Receipt) {
        let reference = CarrierRef::new(&*self.name, reference);
        let report = Report { reference, recipient: None, receipt };
        while self.sink.report(report.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Whether a machine's answer ends the call.
fn hangs_up(machine: Option<&MachineDetection>) -> bool {
    machine.is_some_and(|machine| machine.strategy == flow::MachineStrategy::Hangup)
}
