//! A call, from the first trunk that is asked to its end.

use super::changes::{Changes, NoSound, Reply};
use super::detect::Answerer;
use super::dial::{Call, Dialled, passes_on, takes};
use super::dialog::{Attempt, Event};
use super::early::Early;
use super::media::{self, Heard, Order, Prompt};
use super::sdp;
use super::trial::Trial;
use super::unready::Unready;
use crate::fetch::FetchError;
use flow::{Detail, MachineDetection, MachineStrategy, Receipt, Status};
use rsipstack::sip::{Response, StatusCode};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long the prompts of another dial plan may take.
const PLAN_MAX: Duration = Duration::from_secs(15);

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
    /// There is no sound any more.
    Mute(NoSound),
    /// It took too long.
    TooLong,
}

/// Why there is no dial plan for a machine.
#[derive(Debug, thiserror::Error)]
enum NoPlan {
    /// It can't be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What it says can't be made ready.
    #[error(transparent)]
    Unready(#[from] Unready),
    /// Both took longer than [`PLAN_MAX`].
    #[error("it took too long")]
    TimedOut,
}

impl Call {
    /// Follows a call to its end, and reports what became of it.
    pub(super) async fn follow(&mut self, mut dialled: Dialled, prompts: Vec<Prompt>) {
        let mut ringing = false;
        let mut early = Early::default();
        let response = loop {
            let event = match dialled.first.take() {
                Some(event) => event,
                None => tokio::select! {
                    event = dialled.trial.attempt.next() => event,
                    () = tokio::time::sleep_until(self.deadline) => {
                        dialled.trial.attempt.leave().await;
                        return self.tell(Receipt::new(Status::NoAnswer, Detail::NO_ANSWER)).await;
                    }
                },
            };
            let failure = match event {
                Event::Progress(response) => {
                    early.note(&response);
                    if !ringing && rings(&response) {
                        ringing = true;
                        self.tell(Receipt::new(Status::Ringing, Detail::RINGING)).await;
                    }
                    continue;
                }
                Event::Final(response) if takes(&response) => break response,
                Event::Final(response) if ringing || !passes_on(&response.status_code) => {
                    return self.tell(refusal(&response.status_code)).await;
                }
                Event::Final(response) => refusal(&response.status_code),
                Event::Lost(why) => {
                    let receipt = Receipt::new(Status::Failed, Detail::SYSTEM_FAILURE);
                    Receipt { description: Some(why.to_string()), ..receipt }
                }
                // The call is not answered yet: dropping the request answers it so.
                Event::Asked(_) | Event::Confirmed(_) | Event::HungUp => continue,
            };
            if ringing {
                return self.tell(failure).await;
            }
            // The trunk failed, not the person called.
            match self.dial_on(&mut dialled).await {
                Ok(next) => (dialled, early) = (next, Early::default()),
                Err(_) => return self.tell(failure).await,
            }
        };
        self.talk(dialled.trial, &early.described(&response), prompts).await;
    }

    async fn tell(&self, receipt: Receipt) {
        self.line.report(&self.reference, receipt).await;
    }

    /// Speaks and listens until the call ends, and reports how it ended.
    async fn talk(&mut self, trial: Trial, answer: &[u8], prompts: Vec<Prompt>) {
        let Trial { mut attempt, side, local, .. } = trial;
        let answered = Instant::now();
        let mut changes = Changes::new(local, side.reach.clone());
        let agreed = match sdp::read_answer(answer) {
            Ok(remote) => changes.agreed(remote).await.map_err(NoSound::from),
            Err(why) => Err(why.into()),
        };
        let agreed = match agreed {
            Ok(agreed) => agreed,
            Err(why) => {
                attempt.leave().await;
                let receipt = Receipt::new(Status::Failed, Detail::SYSTEM_FAILURE);
                return self.tell(Receipt { description: Some(why.to_string()), ..receipt }).await;
            }
        };
        let (orders, to_do) = mpsc::channel(4);
        let (hear, heard) = mpsc::channel(64);
        let machine = self.line.config.machine.clone();
        // It ends when `orders` is dropped.
        let pacing = Arc::clone(&self.line.pacing);
        self.line.sound.spawn(media::session(side, agreed, machine, pacing, to_do, hear));
        let (end, answerer) = self.converse(&mut attempt, &mut changes, prompts, orders, heard).await;
        let talked = answered.elapsed();
        if !matches!(end, End::HungUp) {
            attempt.leave().await;
        }
        let receipt = self.receipt(end);
        self.tell(Receipt {
            duration_s: Some(talked.as_secs_f64().ceil() as u32),
            answered_by: answerer.map(|who| who.name().to_owned()),
            ..receipt
        })
        .await;
    }

    /// Plays the prompts and answers what the other side asks for; returns why the call ended, and
    /// who answered it.
    async fn converse(
        &mut self,
        attempt: &mut Attempt,
        changes: &mut Changes,
        prompts: Vec<Prompt>,
        orders: mpsc::Sender<Order>,
        mut heard: mpsc::Receiver<Heard>,
    ) -> (End, Option<Answerer>) {
        let mut waiting = Some(prompts);
        let mut answerer = None;
        if self.machine.is_none() {
            let _ = orders.send(Order::Play(waiting.take().unwrap_or_default())).await;
        }
        let too_long = tokio::time::sleep(self.line.config.talk_max);
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
                event = attempt.next() => match event {
                    Event::HungUp | Event::Lost(_) => break End::HungUp,
                    Event::Asked(asked) => {
                        let (Reply { status, headers, body }, order) = changes.answer(&asked.request).await;
                        if let Some(order) = order {
                            // If the sound has ended, the call does.
                            let _ = orders.send(order).await;
                        }
                        asked.respond(status, headers, body);
                    }
                    Event::Confirmed(ack) => match changes.confirmed(&ack).await {
                        Ok(Some(agreed)) => {
                            let _ = orders.send(Order::Agree(agreed)).await;
                        }
                        Ok(None) => {}
                        Err(why) => break End::Mute(why),
                    },
                    Event::Progress(_) | Event::Final(_) => {}
                },
                () = &mut too_long => break End::TooLong,
            }
        };
        (end, answerer)
    }

    /// What the end of a call means for its message.
    fn receipt(&self, end: End) -> Receipt {
        let config = &self.line.config;
        let (status, detail) = match &end {
            End::Played | End::TooLong => (Status::Completed, Detail::COMPLETED),
            End::HungUp => (Status::Terminated, Detail::TERMINATED),
            End::Silent | End::Mute(_) => (Status::Failed, Detail::SYSTEM_FAILURE),
            End::Machine => (config.machine.status, Detail::plain(config.machine.status)),
        };
        let description = match end {
            End::Silent => {
                let seconds = config.media_timeout.as_secs_f64();
                Some(format!("Nothing came back from where the other side wanted its sound for {seconds} s."))
            }
            End::Mute(why) => Some(why.to_string()),
            End::Played | End::HungUp | End::Machine | End::TooLong => None,
        };
        Receipt { description, ..Receipt::new(status, detail) }
    }

    /// What is said to who answered: the dial plan, or for a machine another one if one is to be fetched.
    async fn plan_for(&mut self, who: Answerer, prompts: Vec<Prompt>) -> Vec<Prompt> {
        let url = self.machine.as_ref().and_then(|machine| machine.event_url.as_deref());
        let (Answerer::Machine, Some(url)) = (who, url) else { return prompts };
        let fetched = async {
            let verbs = self.line.fetch.dial_plan(url, &self.reference).await?;
            Ok(self.line.prepare(&self.application, &verbs, &mut self.sounds).await?)
        };
        match tokio::time::timeout(PLAN_MAX, fetched).await.unwrap_or(Err(NoPlan::TimedOut)) {
            Ok(prompts) => prompts,
            Err(error) => {
                tracing::warn!(%error, "there is no dial plan for a machine; it hears the other one");
                prompts
            }
        }
    }
}

/// Returns whether a machine's answer ends the call.
fn hangs_up(machine: Option<&MachineDetection>) -> bool {
    machine.is_some_and(|machine| machine.strategy == MachineStrategy::Hangup)
}

/// Returns whether an answer says that the phone rings.
fn rings(response: &Response) -> bool {
    matches!(response.status_code, StatusCode::Ringing | StatusCode::SessionProgress)
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
        let _ = (passes_on(&response.status_code), refusal(&response.status_code));
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
