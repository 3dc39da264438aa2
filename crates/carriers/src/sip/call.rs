//! A call, from the first trunk that is asked to its end.

use super::changes::{Changes, Reply};
use super::detect::Answerer;
use super::early::Early;
use super::media::{self, Heard, Order, Prompt, Side};
use super::prepare::{Sounds, Unready};
use super::reach::Reach;
use super::sdp::{self, Local};
use super::stack::Stack;
use super::trunk::{Trunk, uri, user};
use super::{Line, hangs_up};
use flow::{Detail, MachineDetection, Receipt, SipAddress, SipHost, Status};
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TerminatedReason, TransactionHandle};
use rsipstack::dialog::invitation::{InviteAsyncResult, InviteOption};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Response, StatusCode, StatusCodeKind, Transport, Uri};
use rsipstack::transport::SipAddr;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The longest call.
const TALK_MAX: Duration = Duration::from_secs(3600);
/// How long the other side may take to confirm that we gave up.
const CANCEL_MAX: Duration = Duration::from_secs(5);
/// How long the prompts of another dial plan may take.
const PLAN_MAX: Duration = Duration::from_secs(15);

/// How a call reaches whom it is for.
pub(super) enum Way {
    /// A phone number, by the trunks.
    Trunks(String),
    /// An address that the client names, and where that is.
    Direct(SipAddress, SipAddr),
}

/// What a call needs.
pub(super) struct Call {
    pub(super) line: Arc<Line>,
    pub(super) application: String,
    pub(super) reference: String,
    pub(super) from: String,
    pub(super) way: Way,
    pub(super) machine: Option<MachineDetection>,
    /// How long it may ring.
    pub(super) time_left: Duration,
    /// What it may say, with the room that this takes.
    pub(super) sounds: Sounds,
}

/// A call that a trunk has taken up.
pub(super) struct Dialled {
    dialog: InviteDialog,
    states: DialogStateReceiver,
    invite: JoinHandle<InviteAsyncResult>,
    /// Our side of the sound.
    side: Side,
    /// What we say of it.
    local: Local,
    /// What was heard of it first.
    first: First,
}

enum First {
    /// It goes on.
    Progress(DialogState),
    /// It was answered, or refused for good.
    Final(Response),
}

/// Why a call ended.
enum End {
    /// Everything was played.
    Played,
    /// The callee hung up.
    HungUp,
    /// A machine answered, and nothing is said to it.
    Machine,
    /// Nothing came back from where we spoke to.
    Silent,
    /// Nothing can be said any more.
    Mute(String),
    /// It took too long.
    TooLong,
}

impl Call {
    /// Calls the address, or asks one trunk after the other; the first that says anything but that it can't has
    /// the call.
    pub(super) async fn dial(&self) -> Result<Dialled, String> {
        // Those that answered lately go first.
        let (up, down): (Vec<&Trunk>, Vec<&Trunk>) = self.line.trunks.iter().partition(|trunk| trunk.is_up());
        let mut trunks = up.into_iter().chain(down);
        let number = match &self.way {
            // It says nothing about a trunk, but calls in the name of one.
            Way::Direct(address, to) => {
                return self.ask_directly(trunks.next().ok_or("no trunk")?, address, to).await;
            }
            Way::Trunks(number) => number,
        };
        let mut failures = Vec::new();
        for trunk in trunks {
            let asked = self.ask(trunk, number).await;
            trunk.note(asked.is_ok());
            match asked {
                Ok(dialled) => return Ok(dialled),
                Err(why) => failures.push(format!("{}: {why}", trunk.config.host)),
            }
        }
        Err(failures.join("; "))
    }

    /// The stack that the call has.
    fn stack(&self) -> &Stack {
        match self.way {
            Way::Trunks(_) => &self.line.stack,
            Way::Direct(..) => &self.line.direct,
        }
    }

    async fn ask(&self, trunk: &Trunk, number: &str) -> Result<Dialled, String> {
        let peer = trunk.address().await;
        let local = self.line.local_ip(&trunk.config.host, trunk.config.port.unwrap_or(5060))?;
        let option = InviteOption {
            destination: trunk.destination()?,
            credential: trunk.credential.clone(),
            ..self.invitation(trunk, trunk.callee(number)?, local)?
        };
        self.invite(option, local, peer).await
    }

    /// Calls an address of a client's, which gets no password of ours.
    async fn ask_directly(
        &self,
        trunk: &Trunk,
        address: &SipAddress,
        to: &SipAddr,
    ) -> Result<Dialled, String> {
        let socket = to.get_socketaddr().map_err(|error| error.to_string())?;
        let local = self.line.local_ip(&socket.ip().to_string(), socket.port())?;
        // A certificate is for a name, which is then looked up once more, by the same guard.
        let by_name = to.r#type == Some(Transport::Tls) && matches!(address.host, SipHost::Name(_));
        let option = InviteOption {
            destination: (!by_name).then(|| to.clone()),
            ..self.invitation(trunk, uri(&address.to_string())?, local)?
        };
        self.invite(option, local, Some(socket.ip())).await
    }

    /// An INVITE without a destination and an offer.
    fn invitation(&self, trunk: &Trunk, callee: Uri, local: IpAddr) -> Result<InviteOption, String> {
        let contact = SocketAddr::new(local, self.stack().port());
        Ok(InviteOption {
            caller: trunk.caller(&self.from)?,
            callee,
            contact: uri(&format!("sip:{}@{contact}", user(&self.from)))?,
            content_type: Some("application/sdp".into()),
            call_id: Some(format!("{}.{}", self.reference, fastrand::u32(..))),
            ..InviteOption::default()
        })
    }

    /// Sends an INVITE and waits for what is said first; `peer`: the address that it goes to, where it is known.
    async fn invite(
        &self,
        mut option: InviteOption,
        local: IpAddr,
        peer: Option<IpAddr>,
    ) -> Result<Dialled, String> {
        let sockets = self.line.media_sockets().map_err(|error| format!("no port for sound: {error}"))?;
        let own = sockets.0.local_addr().map_err(|error| error.to_string())?;
        let reach = Reach { fetch: Arc::clone(&self.line.fetch), peer, own: own.ip() };
        let timeout = self.line.config.media_timeout;
        let side = Side { sound: sockets.0, control: sockets.1, reach, timeout };
        let mut local = Local::new(SocketAddr::new(local, own.port()), fastrand::u64(..1 << 32));
        option.offer = Some(local.offer().into_bytes());
        let dialogs = &self.stack().dialogs;
        let (sender, mut states) = dialogs.new_dialog_state_channel();
        let invited = dialogs.do_invite_async(option, sender);
        let (dialog, mut invite) = invited.map_err(|error| error.to_string())?;
        let timeout = tokio::time::sleep(self.line.config.trunk_timeout);
        tokio::pin!(timeout);
        let first = loop {
            tokio::select! {
                state = states.recv() => match state {
                    Some(state @ (DialogState::Trying(_) | DialogState::Early(..))) => break First::Progress(state),
                    // What ends it is in the result.
                    Some(_) => {}
                    None => return Err("the call was lost".into()),
                },
                result = &mut invite => match result {
                    Ok(Ok((_, Some(response)))) if is_down(&response.status_code) => {
                        return Err(response.status_code.to_string());
                    }
                    Ok(Ok((_, Some(response)))) => break First::Final(response),
                    Ok(Ok((_, None))) => return Err("no answer".into()),
                    Ok(Err(error)) => return Err(error.to_string()),
                    Err(error) => return Err(error.to_string()),
                },
                () = &mut timeout => {
                    invite.abort();
                    return Err("no answer in time".into());
                }
            }
        };
        Ok(Dialled { dialog, states, invite, side, local, first })
    }

    /// Follows a call to its end, and tells what became of it.
    pub(super) async fn follow(&mut self, dialled: Dialled, prompts: Vec<Prompt>) {
        let Dialled { dialog, mut states, mut invite, side, local, first } = dialled;
        let mut early = Early::default();
        let response = match first {
            First::Final(response) => Ok(response),
            First::Progress(state) => {
                early.note(&state);
                let mut ringing = self.ringing(&state).await;
                let timeout = tokio::time::sleep(self.time_left);
                tokio::pin!(timeout);
                loop {
                    tokio::select! {
                        state = states.recv() => match state {
                            Some(state) => {
                                early.note(&state);
                                ringing = ringing || self.ringing(&state).await;
                            }
                            None => break Err("the call was lost".to_owned()),
                        },
                        result = &mut invite => break match result {
                            Ok(Ok((_, Some(response)))) => Ok(response),
                            Ok(Ok((_, None))) => Err("no answer".into()),
                            Ok(Err(error)) => Err(error.to_string()),
                            Err(error) => Err(error.to_string()),
                        },
                        () = &mut timeout => {
                            if let Err(error) = dialog.cancel().await {
                                tracing::debug!(%error, "a call could not be cancelled");
                            }
                            let _ = tokio::time::timeout(CANCEL_MAX, &mut invite).await;
                            self.tell(Receipt::new(Status::NoAnswer, Detail::NO_ANSWER)).await;
                            return;
                        }
                    }
                }
            }
        };
        match response {
            Ok(response) if response.status_code.kind() == StatusCodeKind::Successful => {
                let answer = early.described(&response, &mut states);
                self.talk(&dialog, states, side, local, &answer, prompts).await;
            }
            Ok(response) => self.tell(refusal(&response.status_code)).await,
            Err(why) => {
                let receipt = Receipt::new(Status::Failed, Detail::SYSTEM_FAILURE);
                self.tell(Receipt { description: Some(why), ..receipt }).await;
            }
        }
    }

    async fn tell(&self, receipt: Receipt) {
        self.line.report(&self.reference, receipt).await;
    }

    /// Tells that the phone rings, when it does.
    async fn ringing(&self, state: &DialogState) -> bool {
        let DialogState::Early(_, response) = state else { return false };
        if !matches!(response.status_code, StatusCode::Ringing | StatusCode::SessionProgress) {
            return false;
        }
        self.tell(Receipt::new(Status::Ringing, Detail::RINGING)).await;
        true
    }

    /// Speaks and listens until the call ends.
    async fn talk(
        &mut self,
        dialog: &InviteDialog,
        mut states: DialogStateReceiver,
        side: Side,
        local: Local,
        answer: &[u8],
        prompts: Vec<Prompt>,
    ) {
        let answered = Instant::now();
        let mut changes = Changes::new(local, side.reach.clone());
        let agreed = match sdp::read_answer(answer) {
            Ok(remote) => changes.agreed(remote).await,
            Err(why) => Err(why),
        };
        let agreed = match agreed {
            Ok(agreed) => agreed,
            Err(why) => {
                let _ = dialog.bye().await;
                let receipt = Receipt::new(Status::Failed, Detail::SYSTEM_FAILURE);
                return self.tell(Receipt { description: Some(why), ..receipt }).await;
            }
        };
        let (orders, to_do) = mpsc::channel(4);
        let (hear, mut heard) = mpsc::channel(64);
        let machine = self.line.config.machine.clone();
        // It ends when `orders` is dropped.
        let pacing = Arc::clone(&self.line.pacing);
        self.line.sound.spawn(media::session(side, agreed, machine, pacing, to_do, hear));
        let mut waiting = Some(prompts);
        let mut answerer = None;
        if self.machine.is_none() {
            let _ = orders.send(Order::Play(waiting.take().unwrap_or_default())).await;
        }
        let too_long = tokio::time::sleep(TALK_MAX);
        tokio::pin!(too_long);
        let end = loop {
            tokio::select! {
                event = heard.recv() => match event {
                    Some(Heard::Played) | None => break End::Played,
                    Some(Heard::Silence) => break End::Silent,
                    Some(Heard::Key(_)) => {}
                    Some(Heard::Answerer(who)) => {
                        answerer = Some(who);
                        if let Some(prompts) = waiting.take() {
                            if who == Answerer::Machine && hangs_up(self.machine.as_ref()) {
                                break End::Machine;
                            }
                            let _ = orders.send(Order::Play(self.plan_for(who, prompts).await)).await;
                        }
                    }
                },
                state = states.recv() => match state {
                    Some(DialogState::Terminated(_, TerminatedReason::UasBye)) | None => break End::HungUp,
                    Some(DialogState::Updated(_, request, transaction)) => {
                        let (reply, order) = changes.answer(&request).await;
                        carry_out(reply, &transaction, order, &orders).await;
                    }
                    Some(DialogState::Info(_, request, transaction)) => {
                        let (reply, order) = changes.note(&request);
                        carry_out(reply, &transaction, order, &orders).await;
                    }
                    Some(DialogState::Confirmed(..)) => match changes.acknowledged(dialog.last_remote_ack()).await {
                        Ok(Some(agreed)) => {
                            let _ = orders.send(Order::Agree(agreed)).await;
                        }
                        Ok(None) => {}
                        Err(why) => break End::Mute(why),
                    },
                    Some(DialogState::Options(_, _, transaction)) => {
                        let _ = transaction.reply(StatusCode::OK).await;
                    }
                    Some(_) => {}
                },
                () = &mut too_long => break End::TooLong,
            }
        };
        let talked = answered.elapsed();
        if !matches!(end, End::HungUp)
            && let Err(error) = dialog.bye().await
        {
            tracing::debug!(%error, call = self.reference, "a call could not be ended");
        }
        self.stack().dialogs.remove_dialog(&dialog.id());
        let (status, detail) = match &end {
            End::Played | End::TooLong => (Status::Completed, Detail::COMPLETED),
            End::HungUp => (Status::Terminated, Detail::TERMINATED),
            End::Silent | End::Mute(_) => (Status::Failed, Detail::SYSTEM_FAILURE),
            End::Machine => (self.line.config.machine.status, Detail::plain(self.line.config.machine.status)),
        };
        self.tell(Receipt {
            duration_s: Some(talked.as_secs_f64().ceil() as u32),
            answered_by: answerer.map(|who| who.name().to_owned()),
            description: match end {
                End::Silent => {
                    let seconds = self.line.config.media_timeout.as_secs_f64();
                    let nothing = "Nothing came back from where the other side wanted its sound for";
                    Some(format!("{nothing} {seconds} s."))
                }
                End::Mute(why) => Some(why),
                End::Played | End::HungUp | End::Machine | End::TooLong => None,
            },
            ..Receipt::new(status, detail)
        })
        .await;
    }

    /// What is said to who answered: the dial plan; to a machine another one, where one is to be fetched.
    async fn plan_for(&mut self, who: Answerer, prompts: Vec<Prompt>) -> Vec<Prompt> {
        let url = self.machine.as_ref().and_then(|machine| machine.event_url.as_deref());
        let (Answerer::Machine, Some(url)) = (who, url) else { return prompts };
        let fetched = async {
            let verbs = self.line.fetch.dial_plan(url, &self.reference).await?;
            let prepared = self.line.prepare(&self.application, &verbs, &mut self.sounds).await;
            prepared.map_err(|why| match why {
                Unready::Busy(why) => why.to_owned(),
                Unready::Never(why) => why,
            })
        };
        match tokio::time::timeout(PLAN_MAX, fetched).await.unwrap_or_else(|_| Err("it took too long".into()))
        {
            Ok(prompts) => prompts,
            Err(why) => {
                tracing::warn!(why, "the dial plan for a machine could not be had; it hears the other one");
                prompts
            }
        }
    }
}

/// Answers a request, and does what follows from it.
async fn carry_out(
    reply: Reply,
    transaction: &TransactionHandle,
    order: Option<Order>,
    orders: &mpsc::Sender<Order>,
) {
    if let Some(order) = order {
        // Where the sound has ended, the call does.
        let _ = orders.send(order).await;
    }
    let Reply { status, headers, body } = reply;
    let body = (!body.is_empty()).then_some(body);
    let _ = transaction.respond(status, Some(headers), body).await;
}

/// Whether a trunk says that it can't, so that another one is asked.
fn is_down(status: &StatusCode) -> bool {
    (500..600).contains(&status.code())
}

/// What a final answer without a call means (RFC 3261, 21).
fn refusal(status: &StatusCode) -> Receipt {
    let (known, detail) = match status.code() {
        486 | 600 => (Status::Busy, Detail::BUSY),
        408 | 480 | 487 => (Status::NoAnswer, Detail::NO_ANSWER),
        404 | 410 | 484 | 604 => (Status::Failed, Detail::UNKNOWN_NUMBER),
        _ => (Status::Failed, Detail::FAILED),
    };
    Receipt { description: Some(format!("SIP {status}")), ..Receipt::new(known, detail) }
}

/// Reads an answer, and a packet of media, that are made of any octets.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    use super::rtp;
    if let Ok(response) = Response::try_from(data) {
        let _ = (is_down(&response.status_code), refusal(&response.status_code));
        let _ = sdp::read_answer(&response.body);
    }
    let _ = sdp::read_answer(data);
    sdp::answers_by_the_rules(data);
    super::trace::masked(&String::from_utf8_lossy(data));
    for content_type in ["application/dtmf-relay", "application/dtmf"] {
        let _ = super::keys::read_info(content_type, data);
    }
    if let Some(packet) = rtp::read(data) {
        let _ = rtp::key(packet.payload);
    }
}
