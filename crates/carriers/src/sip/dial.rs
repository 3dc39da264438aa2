//! Asks trunks for a call, one after the other, until one takes it. One that is silent is not asked again:
//! its answer counts if it comes late after all.

use super::destination::Destination;
use super::dialog::{Event, Invitation, Lost};
use super::line::Line;
use super::media::Side;
use super::names;
use super::reach::Reach;
use super::sdp::Local;
use super::sounds::Sounds;
use super::stack::Stack;
use super::trial::{Choice, Trial};
use super::trunk::Trunk;
use super::wire::{Target, WireError, own_address, uri};
use flow::{MachineDetection, SipAddress};
use rsipstack::sip::{Response, StatusCode, StatusCodeKind};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a trunk that answered "trying" (100) may take to say that it can't: it mostly does so at once.
const TRYING_MAX: Duration = Duration::from_secs(1);
/// How long an answer that came late is kept for the step to be submitted again.
const ANSWERED_MAX: Duration = Duration::from_secs(3);
/// How often kept trials are checked for answers.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// When a step is to be submitted again whose trunks have not answered yet.
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What a call needs.
pub(super) struct Call {
    pub(super) line: Arc<Line>,
    pub(super) application: String,
    /// The part of a message that it is for.
    pub(super) part: String,
    pub(super) reference: String,
    pub(super) from: String,
    pub(super) destination: Destination,
    pub(super) machine: Option<MachineDetection>,
    /// Until when it may ring.
    pub(super) deadline: tokio::time::Instant,
    /// Its sounds, with the room that they take.
    pub(super) sounds: Sounds,
}

/// A call that a trunk has taken up.
pub(super) struct Dialled {
    pub(super) trial: Trial,
    /// The first event of it.
    pub(super) first: Option<Event>,
    /// Those that can still be asked if it fails before it rings.
    rest: VecDeque<Choice>,
}

/// Why nobody took a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// A trunk has not answered yet; its answer is waited for.
    #[error("no answer yet")]
    Silent,
    /// All that were asked failed; with why, for the log.
    #[error("{0}")]
    Refused(String),
    /// Nobody took it before its deadline.
    #[error("nobody took it in time")]
    TimedOut,
}

/// Why somebody could not be asked for a call, or did not answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    /// No connection came about in time.
    #[error("no connection in time")]
    TimedOut,
    /// The request can't be sent.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// No port for sound is free.
    #[error("no port for sound: {0}")]
    NoPort(#[source] std::io::Error),
    /// The socket for sound can't be used.
    #[error(transparent)]
    Socket(#[from] std::io::Error),
    /// A phone number is asked for at an address.
    #[error("a phone number is no address")]
    NoAddress,
    /// The call ended without an answer.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// It answered that it can't.
    #[error("{0}")]
    Refused(StatusCode),
}

impl Call {
    /// Finds somebody who takes the call: the address, or a trunk.
    pub(super) async fn dial(&self) -> Result<Dialled, NotTaken> {
        let trials = self.line.waiting.take(&self.part);
        let mut choices: VecDeque<Choice> = match self.destination {
            Destination::Address(..) => [Choice::Address].into(),
            Destination::Number(_) => {
                let all = || (0..self.line.trunks.len()).map(Choice::Trunk);
                let is_up =
                    |choice: &Choice| matches!(choice, Choice::Trunk(at) if self.line.trunks[*at].is_up());
                // Those that answered lately go first.
                all().filter(|choice| is_up(choice)).chain(all().filter(|choice| !is_up(choice))).collect()
            }
        };
        choices.retain(|choice| trials.iter().all(|trial| trial.choice != *choice));
        self.ask_in_turn(trials, choices).await
    }

    /// Asks those that were not asked yet, after one failed before anything rang.
    pub(super) async fn dial_on(&self, failed: &mut Dialled) -> Result<Dialled, NotTaken> {
        let rest = std::mem::take(&mut failed.rest);
        match timeout_at(self.deadline, self.ask_in_turn(Vec::new(), rest)).await {
            Ok(dialled) => dialled,
            Err(_) => Err(NotTaken::TimedOut),
        }
    }

    async fn ask_in_turn(&self, trials: Vec<Trial>, choices: VecDeque<Choice>) -> Result<Dialled, NotTaken> {
        let asks = trials.is_empty();
        Asking { call: self, trials, choices, asks, failures: Vec::new(), poor: None }.run().await
    }

    async fn ask(&self, choice: Choice) -> Result<Trial, AskError> {
        match (choice, &self.destination) {
            (Choice::Trunk(at), Destination::Number(number)) => {
                self.ask_trunk(choice, &self.line.trunks[at], number).await
            }
            (_, Destination::Address(address, to)) => self.ask_directly(address, to).await,
            (Choice::Address, Destination::Number(_)) => Err(AskError::NoAddress),
        }
    }

    async fn ask_trunk(&self, choice: Choice, trunk: &Trunk, number: &str) -> Result<Trial, AskError> {
        let stack = &self.line.stack;
        let target = trunk.target(stack.is_ipv6).await?;
        let hop = stack.wire.open(&target).await?;
        let user = names::user(&self.from);
        let (side, local, ours) = self.sound(target.address)?;
        let own = self.line.contact(stack, &hop, ours);
        let invitation = Invitation {
            uri: trunk.callee(number)?,
            from: trunk.caller(&self.from),
            contact: format!("<sip:{user}@{own}{}>", trunk.transport_parameter()),
            call_id: self.call_id(),
            account: trunk.account.clone(),
            own,
            hop,
            trunk: Some(target),
        };
        Ok(self.begin(stack, choice, invitation, side, local))
    }

    /// Calls an address that a client names, which gets no password of ours.
    async fn ask_directly(&self, address: &SipAddress, to: &Target) -> Result<Trial, AskError> {
        let stack = &self.line.direct;
        let hop = stack.wire.open(to).await?;
        let (side, local, ours) = self.sound(to.address)?;
        let own = self.line.contact(stack, &hop, ours);
        // It says nothing about a trunk, but calls in the name of one.
        let domain =
            self.line.trunks.first().map_or_else(|| own.ip().to_string(), |trunk| trunk.domain().to_owned());
        let invitation = Invitation {
            uri: uri(&address.to_string())?,
            from: names::caller(&self.from, &domain),
            contact: format!("<sip:{}@{own}>", names::user(&self.from)),
            call_id: self.call_id(),
            account: None,
            own,
            hop,
            trunk: None,
        };
        Ok(self.begin(stack, Choice::Address, invitation, side, local))
    }

    fn call_id(&self) -> String {
        format!("{}.{}", self.reference, fastrand::u32(..))
    }

    fn begin(
        &self,
        stack: &Stack,
        choice: Choice,
        invitation: Invitation,
        side: Side,
        mut local: Local,
    ) -> Trial {
        let attempt = stack.calls.begin(&stack.wire, invitation, local.offer());
        Trial { attempt, side, local, choice, trying_since: None }
    }

    /// Our side of the sound for a call to an address, what we say of it, and our address there.
    fn sound(&self, to: SocketAddr) -> Result<(Side, Local, IpAddr), AskError> {
        let (sound, control) = self.line.media_sockets().map_err(AskError::NoPort)?;
        let own = sound.local_addr()?;
        let reach =
            Reach { fetch: Arc::clone(&self.line.fetch), peer: to.ip().to_canonical(), own: own.ip() };
        let side = Side { sound, control, reach, timeout: self.line.config.media_timeout };
        let ours = match self.line.config.public_address {
            Some(told) => told,
            None => own_address(self.line.config.bind.ip(), to)?,
        };
        let local = Local::new(SocketAddr::new(ours, own.port()), fastrand::u64(..1 << 32));
        Ok((side, local, ours))
    }
}

/// A call that is being asked for.
struct Asking<'a> {
    call: &'a Call,
    /// Those that were asked and may still answer.
    trials: Vec<Trial>,
    /// Those that can still be asked.
    choices: VecDeque<Choice>,
    /// Whether another one is asked next.
    asks: bool,
    /// Why those that failed did.
    failures: Vec<String>,
    /// The answer of a trunk that does not know us or had no answer: it counts if no trunk gives a better
    /// one.
    poor: Option<(Trial, Response)>,
}

impl Asking<'_> {
    async fn run(mut self) -> Result<Dialled, NotTaken> {
        let silence = self.call.line.config.trunk_timeout;
        loop {
            if self.asks
                && let Some(choice) = self.choices.pop_front()
            {
                let asked = timeout(silence, self.call.ask(choice)).await;
                match asked.unwrap_or(Err(AskError::TimedOut)) {
                    Ok(trial) => self.trials.push(trial),
                    Err(why) => {
                        self.failed(choice, &why);
                        continue;
                    }
                }
            }
            self.asks = true;
            if self.trials.is_empty() {
                return self.conclude();
            }
            let trying = self.trials.iter().position(|trial| trial.trying_since.is_some());
            let patience = match trying.and_then(|at| self.trials[at].trying_since) {
                Some(since) => since + TRYING_MAX.min(silence),
                None => Instant::now() + silence,
            };
            match timeout_at(patience, Trial::next_of(&mut self.trials)).await {
                Ok((at, event)) => {
                    if let Some((trial, first)) = self.take(at, event) {
                        return Ok(Dialled { trial, first: Some(first), rest: self.choices });
                    }
                }
                Err(_) => {
                    if let Some(at) = trying {
                        let trial = self.trials.swap_remove(at);
                        self.note(&trial, true);
                        return Ok(Dialled { trial, first: None, rest: self.choices });
                    }
                    self.trials.iter().for_each(|trial| self.note(trial, false));
                    if self.choices.is_empty() {
                        return self.conclude();
                    }
                }
            }
        }
    }

    /// Takes what happened to a trial; returns it with the event if it takes up the call.
    fn take(&mut self, at: usize, event: Event) -> Option<(Trial, Event)> {
        match event {
            Event::Progress(response) if response.status_code == StatusCode::Trying => {
                self.trials[at].trying_since = Some(Instant::now());
                self.asks = false;
            }
            Event::Final(response) if passes_on(&response.status_code) => {
                let trial = self.trials.swap_remove(at);
                if is_down(&response.status_code) {
                    self.failed(trial.choice, &AskError::Refused(response.status_code));
                } else {
                    self.note(&trial, true);
                    self.poor = Some((trial, response));
                }
                // One that was asked after it may still answer.
                self.asks = self.trials.iter().all(|trial| trial.trying_since.is_none());
            }
            Event::Lost(why) => {
                let trial = self.trials.swap_remove(at);
                self.failed(trial.choice, &why.into());
            }
            first @ (Event::Progress(_) | Event::Final(_)) => {
                let trial = self.trials.swap_remove(at);
                self.note(&trial, true);
                return Some((trial, first));
            }
            Event::Asked(_) | Event::Confirmed(_) | Event::HungUp => self.asks = false,
        }
        None
    }

    /// Nobody else can be asked.
    fn conclude(self) -> Result<Dialled, NotTaken> {
        let call = self.call;
        if !self.trials.is_empty() {
            keep(&call.line, call.part.clone(), self.trials, call.deadline);
            return Err(NotTaken::Silent);
        }
        match self.poor {
            Some((trial, response)) => {
                Ok(Dialled { trial, first: Some(Event::Final(response)), rest: self.choices })
            }
            None => Err(NotTaken::Refused(self.failures.join("; "))),
        }
    }

    /// Notes whether the trunk of a trial answered.
    fn note(&self, trial: &Trial, answered: bool) {
        if let Some(trunk) = trial.trunk(&self.call.line.trunks) {
            trunk.note(answered);
        }
    }

    /// Notes that one that was asked failed.
    fn failed(&mut self, choice: Choice, why: &AskError) {
        match choice {
            Choice::Trunk(at) => {
                let trunk = &self.call.line.trunks[at];
                trunk.note(false);
                self.failures.push(format!("{}: {why}", trunk.config.host));
            }
            Choice::Address => self.failures.push(why.to_string()),
        }
    }
}

/// Keeps trials until a deadline, or for [`ANSWERED_MAX`] once one of them was answered.
fn keep(line: &Arc<Line>, part: String, trials: Vec<Trial>, deadline: Instant) {
    line.waiting.trials.lock().insert(part.clone(), trials);
    let line = Arc::clone(line);
    tokio::spawn(async move {
        let mut deadline = deadline;
        let mut is_answered = false;
        while Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
            let waiting = line.waiting.trials.lock();
            let Some(trials) = waiting.get(&part) else { return };
            let answered = trials.iter().find(|trial| trial.attempt.is_heard());
            if let (Some(trial), false) = (answered, is_answered) {
                // The trunk counts as up, so that the step is submitted again.
                if let Some(trunk) = trial.trunk(&line.trunks) {
                    trunk.note(true);
                }
                is_answered = true;
                deadline = deadline.min(Instant::now() + ANSWERED_MAX);
            }
        }
        drop(line.waiting.take(&part));
    });
}

/// Returns whether an answer says that the trunk can't, for now.
pub(super) fn is_down(status: &StatusCode) -> bool {
    (500..600).contains(&status.code())
}

/// Returns whether an answer is about the trunk and not the person called, so that another trunk is asked if
/// nothing rang: the trunk can't, had no answer from beyond it (408), or does not know us (401, 407).
pub(super) fn passes_on(status: &StatusCode) -> bool {
    is_down(status) || matches!(status.code(), 401 | 407 | 408)
}

/// Returns whether an answer takes the call.
pub(super) fn takes(response: &Response) -> bool {
    response.status_code.kind() == StatusCodeKind::Successful
}
