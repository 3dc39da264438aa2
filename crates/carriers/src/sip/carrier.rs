//! A carrier that makes calls.

use super::config::SipConfig;
use super::dial::{AGAIN_AFTER, Call, NotTaken};
use super::error::SipError;
use super::guard::Guard;
use super::line::Line;
use super::register;
use super::room::Room;
use super::sounds::Sounds;
use super::speech::Speech;
use super::stack::Stack;
use super::trace::Trace;
use super::trial::Waiting;
use super::trunk::Trunk;
use super::turns::Turns;
use super::unready::{PrepareError, Unready};
use crate::carrier::{Carrier, Outcome};
use crate::fetch::Fetch;
use crate::outgoing::Outgoing;
use crate::sink::CarrierSink;
use async_trait::async_trait;
use flow::{Content, Detail, Restrictions, SipAddress, Step, Voice, VoiceTarget};
use rsipstack::platform::CancellationToken;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// How long making everything ready that is to be heard may take: a submit must end well before its lease.
const PREPARE_MAX: Duration = Duration::from_secs(60);
const ALL_BUSY: Outcome = Outcome::Later { reason: "all lines busy", after: None };

/// A carrier that makes calls.
pub struct Sip {
    line: Arc<Line>,
}

impl Sip {
    /// Starts the carrier `name`; receipts go to `sink`, files come by `fetch`.
    ///
    /// # Errors
    /// [`SipError`].
    pub async fn start(
        name: String,
        config: SipConfig,
        sink: Arc<dyn CarrierSink>,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Sip, SipError> {
        Sip::start_traced(name, config, sink, fetch, None).await
    }

    /// Starts it as [`Sip::start`] does; its messages go to `trace`, too.
    ///
    /// # Errors
    /// [`SipError`].
    pub async fn start_traced(
        name: String,
        config: SipConfig,
        sink: Arc<dyn CarrierSink>,
        fetch: Arc<dyn Fetch>,
        trace: Option<Trace>,
    ) -> Result<Sip, SipError> {
        let cancel = CancellationToken::new();
        let guard = Guard::new(Arc::clone(&fetch));
        let stack = Stack::start(config.bind, trace.clone(), &cancel).await;
        let stack = stack.map_err(|source| SipError::Bind { key: "bind", source })?;
        let bind = config.direct_bind.unwrap_or_else(|| SocketAddr::new(config.bind.ip(), 0));
        let direct = Stack::start_guarded(bind, &guard, trace, &cancel).await;
        let direct = direct.map_err(|source| SipError::Bind { key: "direct_bind", source })?;
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
fn sound_thread(name: &str) -> std::io::Result<(tokio::runtime::Handle, oneshot::Sender<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::Builder::new().name(format!("{name}-sound")).spawn(move || {
        let _ = runtime.block_on(stopped);
    })?;
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
        let destination = match self.line.destination(&voice.to).await {
            Ok(destination) => destination,
            Err(error) if error.may_pass() => {
                tracing::warn!(carrier = self.line.name, %error, "an address was not found");
                return Outcome::Later { reason: "address not found", after: None };
            }
            Err(why) => return refuse(why.to_string()),
        };
        let mut sounds = Sounds::new(self.line.config.sound_max, Arc::clone(&self.line.sounds));
        let prepare = self.line.prepare(&outgoing.flow.application, &voice.verbs, &mut sounds);
        let prepared = tokio::time::timeout(PREPARE_MAX, prepare).await;
        let prompts = match prepared.unwrap_or_else(|_| Err(PrepareError::TimedOut.into())) {
            Ok(prompts) => prompts,
            Err(Unready::Never(why)) => return refuse(why.to_string()),
            Err(Unready::Busy(reason)) => return Outcome::Later { reason, after: None },
        };
        let Some(place) = self.line.room.take(&outgoing.flow.application) else { return ALL_BUSY };
        let reference = format!("{}-{}", outgoing.part_id().simple(), outgoing.attempts);
        let mut call = Call {
            line: Arc::clone(&self.line),
            application: outgoing.flow.application.clone(),
            part: outgoing.part_id().simple().to_string(),
            reference: reference.clone(),
            from: outgoing.sender.clone(),
            destination,
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
            Err(error @ (NotTaken::Refused(_) | NotTaken::TimedOut)) => {
                tracing::warn!(carrier = self.line.name, %error, "no trunk takes a call");
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
            _ => Some("a SIP carrier makes calls only".into()),
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

    /// Waits until the calls under way have ended.
    async fn close(&self) {
        self.line.room.close().await;
        register::end_all(&self.line).await;
        self.line.cancel.cancel();
    }
}
