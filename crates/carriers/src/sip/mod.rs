//! Calls over SIP (RFC 3261): out through trunks, with prompts that are made ready before anybody is called.

mod audio;
mod call;
mod config;
mod detect;
mod g711;
mod media;
mod pacing;
mod rtp;
mod sdp;
mod speech;
mod trunk;

#[cfg(feature = "fuzzing")]
pub(crate) use call::fuzz as fuzz_answer;
pub use config::SipConfig;

use crate::{Carrier, Fetch, Outcome, Outgoing, ReceiptSink};
use async_trait::async_trait;
use call::Call;
use flow::{
    CarrierRef, Content, Detail, MachineDetection, Receipt, Restrictions, Step, Verb, Voice, VoiceTarget,
};
use media::Prompt;
use pacing::Pacing;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::platform::CancellationToken;
use rsipstack::transport::TransportLayer;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::{EndpointBuilder, transaction::endpoint::Endpoint};
use speech::{Saying, Speech};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use trunk::Trunk;

/// How long making everything ready that is to be heard may take: a submit must end well before its lease.
const PREPARE_MAX: Duration = Duration::from_secs(60);

/// A carrier that makes calls.
pub struct Sip {
    line: Arc<Line>,
}

/// What all calls share.
struct Line {
    name: String,
    config: SipConfig,
    sink: Arc<dyn ReceiptSink>,
    fetch: Arc<dyn Fetch>,
    speech: Speech,
    trunks: Vec<Trunk>,
    endpoint: Endpoint,
    dialogs: Arc<DialogLayer>,
    cancel: CancellationToken,
    /// Calls that may still begin.
    room: Arc<Semaphore>,
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
        sink: Arc<dyn ReceiptSink>,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Sip, String> {
        let cancel = CancellationToken::new();
        let transport = TransportLayer::new(cancel.child_token());
        let udp = UdpConnection::create_connection(config.bind, None, Some(cancel.child_token())).await;
        let udp = udp.map_err(|error| format!("bind: {}: {error}", config.bind))?;
        transport.add_transport(udp.into());
        let endpoint = EndpointBuilder::new()
            .with_user_agent(concat!("Switchback/", env!("CARGO_PKG_VERSION")))
            .with_transport_layer(transport)
            .with_cancel_token(cancel.child_token())
            .build();
        let dialogs = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        let serving = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = serving.serve().await {
                tracing::warn!(%error, "SIP ends");
            }
        });
        trunk::answer_requests(&endpoint, Arc::clone(&dialogs))?;
        let (sound, stop) = sound_thread(&name)?;
        let trunks = config.trunk.iter().map(Trunk::new).collect::<Result<_, _>>()?;
        let line = Arc::new(Line {
            speech: Speech::new(config.speech.clone())?,
            room: Arc::new(Semaphore::new(config.calls_max)),
            next_port: AtomicU16::new(0),
            pacing: Arc::default(),
            name,
            config,
            sink,
            fetch,
            trunks,
            endpoint,
            dialogs,
            cancel,
            sound,
            _sound: stop,
        });
        trunk::register(&line);
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
        let prepared = tokio::time::timeout(PREPARE_MAX, self.line.prepare(&voice.verbs)).await;
        let prompts =
            match prepared.unwrap_or_else(|_| Err("what is to be heard is not ready in time".into())) {
                Ok(prompts) => prompts,
                Err(why) => return refuse(why),
            };
        let Ok(permit) = Arc::clone(&self.line.room).try_acquire_owned() else {
            return Outcome::Later { reason: "all lines busy", after: None };
        };
        let reference = format!("{}-{}", outgoing.part().id.simple(), outgoing.attempts);
        let call = Call {
            line: Arc::clone(&self.line),
            reference: reference.clone(),
            from: outgoing.sender.clone(),
            to: voice.to.clone(),
            machine: voice.machine_detection.clone(),
            time_left: outgoing.time_left,
        };
        match call.dial().await {
            Ok(dialled) => {
                tokio::spawn(async move {
                    call.follow(dialled, prompts).await;
                    drop(permit);
                });
                Outcome::Accepted { reference }
            }
            Err(why) => {
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
            Content::Voice(_) => None,
            Content::Sms(_) | Content::Viber(_) => Some("a SIP carrier makes calls only".into()),
        }
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        let calls = self.line.config.calls_max - self.line.room.available_permits();
        let Line { pacing, .. } = &*self.line;
        vec![
            ("calls", calls as f64),
            ("frames", pacing.frames() as f64),
            ("frame_late_p99_ms", pacing.p99_ms()),
        ]
    }

    fn is_up(&self) -> bool {
        self.line.trunks.iter().any(Trunk::is_up)
    }

    /// Waits for the calls under way.
    async fn close(&self) {
        let _ = self.line.room.acquire_many(self.line.config.calls_max as u32).await;
        trunk::unregister(&self.line).await;
        self.line.cancel.cancel();
    }
}

impl Line {
    /// Everything that is to be heard, ready.
    async fn prepare(&self, verbs: &[Verb]) -> Result<Vec<Prompt>, String> {
        let mut prompts = Vec::with_capacity(verbs.len());
        for verb in verbs {
            prompts.push(match verb {
                Verb::Say { language, gender, text, repeat, barge_in } => {
                    let saying =
                        Saying { language: language.clone(), gender: gender.clone(), text: text.clone() };
                    let sound = self.speech.say(saying).await.map_err(|error| format!("SAY: {error}"))?;
                    Prompt { sound, repeat: *repeat, barge_in: *barge_in }
                }
                Verb::Play { url, repeat, barge_in } => {
                    let file = self.fetch.get(url).await.map_err(|error| format!("PLAY {url}: {error}"))?;
                    let decoded = tokio::task::spawn_blocking(move || audio::decode(file)).await;
                    let sound = decoded.unwrap_or_else(|_| Err("the sound can't be read".into()));
                    let sound = sound.map_err(|error| format!("PLAY {url}: {error}"))?;
                    Prompt { sound, repeat: *repeat, barge_in: *barge_in }
                }
            });
        }
        Ok(prompts)
    }

    /// A socket for the sound of a call.
    fn media_socket(&self) -> std::io::Result<UdpSocket> {
        let ip = self.config.bind.ip();
        let Some([first, last]) = self.config.media_ports else { return UdpSocket::bind((ip, 0)) };
        let count = last - first + 1;
        let mut error = std::io::Error::other("no port");
        for _ in 0..count {
            let port = first + self.next_port.fetch_add(1, Ordering::Relaxed) % count;
            match UdpSocket::bind((ip, port)) {
                Ok(socket) => return Ok(socket),
                Err(taken) => error = taken,
            }
        }
        Err(error)
    }

    /// Tells what became of a call, again and again until it is taken.
    async fn report(&self, reference: &str, receipt: Receipt) {
        let carrier = CarrierRef::new(&*self.name, reference);
        while self.sink.take(carrier.clone(), receipt.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Whether a machine's answer ends the call.
fn hangs_up(machine: Option<&MachineDetection>) -> bool {
    machine.is_some_and(|machine| machine.strategy == flow::MachineStrategy::Hangup)
}
