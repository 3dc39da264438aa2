//! Asks trunks for a call, one after the other, until one takes it. One that is silent is asked no second time: should
//! it answer late after all, its answer counts.

use super::dialog::{Attempt, Event, Invitation};
use super::media::Side;
use super::prepare::Sounds;
use super::reach::Reach;
use super::sdp::Local;
use super::stack::Stack;
use super::trunk::{Trunk, own_address, uri};
use super::wire::{Hop, Target};
use super::{Line, names};
use flow::{MachineDetection, SipAddress};
use parking_lot::Mutex;
use rsipstack::sip::{Response, StatusCode, StatusCodeKind};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a trunk that is at it (100) may take to say that it can't: it mostly does so at once.
const AT_IT_MAX: Duration = Duration::from_secs(1);
/// How long an answer that came late waits for the step to come again.
const ANSWERED_MAX: Duration = Duration::from_secs(3);
/// How often what waits is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// When a step is to come again whose trunks have said nothing yet.
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How a call reaches whom it is for.
pub(super) enum Way {
    /// A phone number, by the trunks.
    Trunks(String),
    /// An address that the client names, and where that is.
    Direct(SipAddress, Target),
}

/// What a call needs.
pub(super) struct Call {
    pub(super) line: Arc<Line>,
    pub(super) application: String,
    /// The part of a message that it is for.
    pub(super) part: String,
    pub(super) reference: String,
    pub(super) from: String,
    pub(super) way: Way,
    pub(super) machine: Option<MachineDetection>,
    /// Until when it may ring.
    pub(super) deadline: tokio::time::Instant,
    /// What it may say, with the room that this takes.
    pub(super) sounds: Sounds,
}

/// Whom a call is asked of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// A trunk, by its place.
    Trunk(usize),
    /// The address itself.
    Address,
}

/// A call that somebody is asked for.
pub(super) struct Trial {
    pub(super) attempt: Attempt,
    /// Our side of the sound.
    pub(super) side: Side,
    /// What we say of it.
    pub(super) local: Local,
    choice: Choice,
    /// Since when it says that it is at it.
    at_it: Option<Instant>,
}

/// A call that a trunk has taken up.
pub(super) struct Dialled {
    pub(super) trial: Trial,
    /// What was heard of it first.
    pub(super) first: Option<Event>,
    /// Who can be asked if it fails before it rings.
    rest: VecDeque<Choice>,
}

/// Why nobody took a call.
pub(super) enum NotTaken {
    /// Somebody has said nothing yet; what comes of that is waited for.
    Silent,
    /// All said that they can't.
    Refused(String),
}

/// Calls whose trunks were silent, by the part that they are for, until it comes again.
#[derive(Default)]
pub(super) struct Waiting {
    trials: Mutex<HashMap<String, Vec<Trial>>>,
}

impl Waiting {
    fn take(&self, part: &str) -> Vec<Trial> {
        self.trials.lock().remove(part).unwrap_or_default()
    }

    /// Keeps trials until a deadline, or for a moment once one of them was answered.
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
                    // So that the step comes again.
                    if let Some(trunk) = trial.trunk(&line) {
                        trunk.note(true);
                    }
                    is_answered = true;
                    deadline = deadline.min(Instant::now() + ANSWERED_MAX);
                }
            }
            drop(line.waiting.take(&part));
        });
    }
}

impl Trial {
    fn trunk<'a>(&self, line: &'a Line) -> Option<&'a Trunk> {
        match self.choice {
            Choice::Trunk(at) => line.trunks.get(at),
            Choice::Address => None,
        }
    }
}

/// What happens next to any of several.
async fn heard(trials: &mut [Trial]) -> (usize, Event) {
    std::future::poll_fn(|context| {
        for (at, trial) in trials.iter_mut().enumerate() {
            if let Poll::Ready(event) = trial.attempt.poll_next(context) {
                return Poll::Ready((at, event));
            }
        }
        Poll::Pending
    })
    .await
}

impl Call {
    /// Finds somebody who takes the call: the address, or a trunk.
    pub(super) async fn dial(&self) -> Result<Dialled, NotTaken> {
        let trials = self.line.waiting.take(&self.part);
        let mut choices: VecDeque<Choice> = match self.way {
            Way::Direct(..) => [Choice::Address].into(),
            Way::Trunks(_) => {
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
            Err(_) => Err(NotTaken::Refused("nobody took it in time".into())),
        }
    }

    async fn ask_in_turn(
        &self,
        mut trials: Vec<Trial>,
        mut choices: VecDeque<Choice>,
    ) -> Result<Dialled, NotTaken> {
        let silence = self.line.config.trunk_timeout;
        let mut failures: Vec<String> = Vec::new();
        // What somebody answered who could not be asked rightly: the answer where nobody gives a better one.
        let mut poor: Option<(Trial, Response)> = None;
        let mut asks = trials.is_empty();
        loop {
            if asks && let Some(choice) = choices.pop_front() {
                let asked = timeout(silence, self.ask(choice)).await;
                match asked.unwrap_or_else(|_| Err("no connection in time".into())) {
                    Ok(trial) => trials.push(trial),
                    Err(why) => {
                        self.failed(choice, why, &mut failures);
                        continue;
                    }
                }
            }
            asks = true;
            if trials.is_empty() {
                break;
            }
            let at_it = trials.iter().position(|trial| trial.at_it.is_some());
            let patience = match at_it.and_then(|at| trials[at].at_it) {
                Some(since) => since + AT_IT_MAX.min(silence),
                None => Instant::now() + silence,
            };
            let Ok((at, event)) = timeout_at(patience, heard(&mut trials)).await else {
                if let Some(at) = at_it {
                    let trial = trials.swap_remove(at);
                    trial.trunk(&self.line).into_iter().for_each(|trunk| trunk.note(true));
                    return Ok(Dialled { trial, first: None, rest: choices });
                }
                for trial in &trials {
                    trial.trunk(&self.line).into_iter().for_each(|trunk| trunk.note(false));
                }
                if choices.is_empty() {
                    break;
                }
                continue;
            };
            let note = |trial: &Trial| {
                trial.trunk(&self.line).into_iter().for_each(|trunk| trunk.note(true));
            };
            match event {
                Event::Progress(response) if response.status_code == StatusCode::Trying => {
                    trials[at].at_it = Some(Instant::now());
                    asks = false;
                }
                Event::Final(response) if passes_on(&response.status_code) => {
                    let trial = trials.swap_remove(at);
                    if is_down(&response.status_code) {
                        self.failed(trial.choice, response.status_code.to_string(), &mut failures);
                    } else {
                        note(&trial);
                        poor = Some((trial, response));
                    }
                    // Who was asked after it may still say something.
                    asks = trials.iter().all(|trial| trial.at_it.is_none());
                }
                Event::Lost(why) => {
                    let trial = trials.swap_remove(at);
                    self.failed(trial.choice, why, &mut failures);
                }
                first @ (Event::Progress(_) | Event::Final(_)) => {
                    let trial = trials.swap_remove(at);
                    note(&trial);
                    return Ok(Dialled { trial, first: Some(first), rest: choices });
                }
                Event::Asked(_) | Event::Confirmed(_) | Event::HungUp => asks = false,
            }
        }
        if !trials.is_empty() {
            Waiting::keep(&self.line, self.part.clone(), trials, self.deadline);
            return Err(NotTaken::Silent);
        }
        match poor {
            Some((trial, response)) => {
                Ok(Dialled { trial, first: Some(Event::Final(response)), rest: choices })
            }
            None => Err(NotTaken::Refused(failures.join("; "))),
        }
    }

    /// Somebody can't.
    fn failed(&self, choice: Choice, why: String, failures: &mut Vec<String>) {
        match choice {
            Choice::Trunk(at) => {
                let trunk = &self.line.trunks[at];
                trunk.note(false);
                failures.push(format!("{}: {why}", trunk.config.host));
            }
            Choice::Address => failures.push(why),
        }
    }

    async fn ask(&self, choice: Choice) -> Result<Trial, String> {
        match (choice, &self.way) {
            (Choice::Trunk(at), Way::Trunks(number)) => {
                self.ask_trunk(choice, &self.line.trunks[at], number).await
            }
            (_, Way::Direct(address, to)) => self.ask_directly(address, to).await,
            (Choice::Address, Way::Trunks(_)) => Err("a phone number is no address".into()),
        }
    }

    async fn ask_trunk(&self, choice: Choice, trunk: &Trunk, number: &str) -> Result<Trial, String> {
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

    /// Calls an address of a client's, which gets no password of ours.
    async fn ask_directly(&self, address: &SipAddress, to: &Target) -> Result<Trial, String> {
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
        Trial { attempt, side, local, choice, at_it: None }
    }

    /// Our side of the sound for a call to an address, what we say of it, and our address there.
    fn sound(&self, to: SocketAddr) -> Result<(Side, Local, IpAddr), String> {
        let (sound, control) =
            self.line.media_sockets().map_err(|error| format!("no port for sound: {error}"))?;
        let own = sound.local_addr().map_err(|error| error.to_string())?;
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

impl Line {
    /// Where the other side's requests are to come: by the connection where there is one, else to our socket.
    pub(super) fn contact(&self, stack: &Stack, hop: &Hop, local: IpAddr) -> SocketAddr {
        let local = self.config.public_address.unwrap_or(local);
        hop.own_end().unwrap_or_else(|| SocketAddr::new(local, stack.port()))
    }
}

/// Whether a trunk says that it can't, for now.
pub(super) fn is_down(status: &StatusCode) -> bool {
    (500..600).contains(&status.code())
}

/// Whether an answer says nothing of the person, so that another trunk is asked, as long as nothing rang: the trunk
/// can't, heard nothing from beyond it (408), or does not know us (401, 407).
pub(super) fn passes_on(status: &StatusCode) -> bool {
    is_down(status) || matches!(status.code(), 401 | 407 | 408)
}

/// Whether an answer takes the call.
pub(super) fn takes(response: &Response) -> bool {
    response.status_code.kind() == StatusCodeKind::Successful
}
