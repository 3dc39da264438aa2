//! A session without I/O: octets and time go in; octets, events and the next deadline come out.
//!
//! It is the ESME's side of one connection: binds, submits within a window, keeps the link alive, answers
//! every request, and ends. It holds no clock and no socket, so that a pump can drive it over anything, and a
//! test through everything.

use crate::command::CommandId;
use crate::fields::{EncodeError, Flaw};
use crate::frame::{BadLength, Frames, Header};
use crate::message::Message;
use crate::pdu::{Bind, BindKind, BindResp, Decoded, MessageResp, Pdu};
use crate::status::CommandStatus;
use crate::tlv::Tlvs;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Octets that may wait to be written; beyond it reading stops.
const OUTPUT_MAX: usize = 1 << 20;
/// The longest that an `unbind` of ours waits for its answer.
const UNBIND_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest wait; longer ones could not be added to an instant.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
/// The largest `sequence_number` of a request (SMPP 3.4, 5.1.4).
const SEQUENCE_MAX: u32 = 0x7fff_ffff;

/// The settings of a session.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The kind of its bind.
    pub kind: BindKind,
    /// The fields of its bind.
    pub bind: Bind,
    /// Submits that may wait for their answer at once.
    pub window: usize,
    /// How long the SMSC may be silent before an `enquire_link` is sent.
    pub enquire_link: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
    /// The largest `command_length` that is taken.
    pub command_length_max: u32,
    /// Requests of the SMSC that may wait for [`Session::answer`]; beyond it reading stops.
    pub unanswered_max: usize,
    /// Submits that are remembered after their time, for late answers.
    pub late_max: usize,
}

impl Settings {
    /// The limits that honest SMSCs need.
    pub fn new(kind: BindKind, bind: Bind) -> Settings {
        Settings {
            kind,
            bind,
            window: 10,
            enquire_link: Duration::from_secs(30),
            response_timeout: Duration::from_secs(10),
            command_length_max: 128 * 1024,
            unanswered_max: 256,
            late_max: 100_000,
        }
    }
}

/// Something that happened. `T` names a submit for the caller.
#[derive(Clone, PartialEq, Debug)]
pub enum Event<T> {
    /// The SMSC granted the bind.
    Bound(BindResp),
    /// A submit was answered.
    Answered {
        /// Which.
        token: T,
        /// With what.
        answer: Answer,
        /// It was [`Event::Unanswered`] before.
        late: bool,
    },
    /// It is unknown whether the SMSC has a submit.
    Unanswered {
        /// Which.
        token: T,
        /// Why.
        why: Unanswered,
    },
    /// The SMSC sent a message or a receipt, which waits for [`Session::answer`].
    Received(Received),
    /// The SMSC sent something irregular, or unsolicited. It was dealt with.
    Odd(Oddity),
    /// The session is over; nothing follows.
    Ended(End),
}

/// How a submit was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The SMSC has the message: status 0, whatever followed it.
    Accepted {
        /// The SMSC's id of it; empty if it gave none.
        message_id: String,
        /// Optional parameters of the answer.
        tlvs: Tlvs,
    },
    /// The SMSC does not have it.
    Refused(CommandStatus),
    /// An answer with status 0 that is none to a message: the SMSC may have it.
    Unclear(CommandId),
}

/// Why it is not known whether the SMSC has a submit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unanswered {
    /// No answer came in time. One that comes later is still reported.
    TimedOut,
    /// The session ended before.
    SessionEnded,
}

/// A `deliver_sm` or a `data_sm`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// Which of both.
    pub command: CommandId,
    /// Its number, for the answer.
    pub sequence: u32,
    /// What could be read of it.
    pub message: Message,
    /// What could not.
    pub flaws: Vec<Flaw>,
}

/// Something irregular that an SMSC sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Oddity {
    /// The PDU's command.
    pub command: CommandId,
    /// Its number.
    pub sequence: u32,
    /// What is irregular.
    pub kind: OddKind,
}

/// What is irregular about a PDU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OddKind {
    /// Fields that violate the specification; the rest of it counted.
    Flaws(Vec<Flaw>),
    /// Nothing of it could be used; it was answered with this status.
    Rejected(CommandStatus),
    /// It answers no request of ours.
    NotAsked(CommandStatus),
    /// It needs no answer, and nothing is done about it.
    Ignored,
}

/// Why a session ended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum End {
    /// [`Session::close`].
    #[error("closed")]
    Closed,
    /// The SMSC refused the bind.
    #[error("the SMSC refused the bind with command_status {0}")]
    BindRefused(CommandStatus),
    /// The SMSC unbound.
    #[error("the SMSC unbound")]
    Unbound,
    /// The SMSC answered a submit with `ESME_RINVBNDSTS`: it takes the session for an unbound one.
    #[error("the SMSC says that the session is not bound for submitting")]
    NotBound,
    /// The SMSC's stream has no further PDUs that could be found.
    #[error("{0}")]
    BadLength(#[from] BadLength),
    /// Nothing came in time.
    #[error("no answer to {0} in time")]
    NoAnswer(CommandId),
    /// The SMSC takes none of our octets.
    #[error("the SMSC does not read what is sent")]
    Stalled,
    /// The connection is gone.
    #[error("the connection was lost: {0}")]
    Disconnected(String),
}

/// Why a message was not submitted. The SMSC does not have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSubmitted {
    /// The session is not bound for submitting, or not any more.
    #[error("the session is not bound for submitting")]
    NotBound,
    /// The window is full.
    #[error("the window is full")]
    WindowFull,
    /// The message can't be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A request of ours that is not answered yet.
enum Asked<T> {
    EnquireLink,
    Submit {
        token: T,
        /// When it counts as unanswered.
        until: Instant,
        /// How long a late answer is of use.
        matters_until: Instant,
        /// It counts as unanswered already.
        late: bool,
    },
}

#[derive(PartialEq)]
enum State {
    Binding {
        until: Instant,
    },
    Bound,
    /// No new submits; those under way are still answered.
    Draining {
        until: Instant,
        why: End,
        /// The numbers of the SMSC's unbinds, which are answered last.
        unbinds: Vec<u32>,
    },
    Unbinding {
        sequence: u32,
        until: Instant,
        why: End,
    },
    Ended,
}

/// The ESME's side of one connection: it is given octets and time, and asked for octets, events and its next
/// deadline.
pub struct Session<T> {
    settings: Settings,
    state: State,
    frames: Frames,
    output: Vec<u8>,
    /// Octets of `output` that were written.
    written: usize,
    /// When octets last left, or came to stand in an empty output.
    moved: Instant,
    next_sequence: u32,
    asked: HashMap<u32, Asked<T>>,
    /// The submits that wait for their answers, in the order of their deadlines; those that were answered as
    /// well, until they come to the front.
    deadlines: VecDeque<(Instant, u32)>,
    /// Those that were given up, in that order.
    late: VecDeque<(Instant, u32)>,
    /// Submits that wait for their answer.
    awaited: usize,
    /// Requests of the SMSC that wait for ours.
    unanswered: usize,
    /// When a PDU came last.
    received: Instant,
    /// When the `enquire_link` was sent since which no PDU came.
    enquired: Option<Instant>,
    events: VecDeque<Event<T>>,
}

impl<T: Clone> Session<T> {
    /// Begins a session over a new connection, with its bind.
    ///
    /// # Errors
    /// When the bind has a text that SMPP can't carry.
    pub fn new(settings: Settings, now: Instant) -> Result<Session<T>, EncodeError> {
        let frames = Frames::new(settings.command_length_max);
        let mut session = Session {
            state: State::Binding { until: after(now, settings.response_timeout) },
            settings,
            frames,
            output: Vec::new(),
            written: 0,
            moved: now,
            next_sequence: 2,
            asked: HashMap::new(),
            deadlines: VecDeque::new(),
            late: VecDeque::new(),
            awaited: 0,
            unanswered: 0,
            received: now,
            enquired: None,
            events: VecDeque::new(),
        };
        let bind = Pdu::Bind(session.settings.kind, session.settings.bind.clone());
        session.send(&bind, CommandStatus::OK, 1, now)?;
        Ok(session)
    }

    /// Returns whether messages can be submitted: it is bound, for that, and does not end.
    pub fn is_ready(&self) -> bool {
        self.state == State::Bound && self.settings.kind.can_submit()
    }

    /// Returns whether the session is over. What [`Session::output`] still has is to be written all the same.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How many more messages fit into the window.
    pub fn room(&self) -> usize {
        self.settings.window.saturating_sub(self.awaited)
    }

    /// Returns whether octets are taken now; if not, reading resumes after the next answer or write.
    pub fn wants_octets(&self) -> bool {
        let unbinds = if let State::Draining { unbinds, .. } = &self.state { unbinds.len() } else { 0 };
        // Answers may follow the first one; further ones count as unanswered requests.
        let unanswered = self.unanswered + unbinds.saturating_sub(1);
        !self.is_ended() && unanswered < self.settings.unanswered_max && self.output().len() < OUTPUT_MAX
    }

    /// Submits a message; `token` comes back with its answer. A late answer is reported for `matters` from
    /// now. Returns its sequence number.
    ///
    /// # Errors
    /// [`NotSubmitted`]; the SMSC gets nothing of it then.
    pub fn submit(
        &mut self,
        token: T,
        message: Message,
        matters: Duration,
        now: Instant,
    ) -> Result<u32, NotSubmitted> {
        if !self.is_ready() {
            return Err(NotSubmitted::NotBound);
        }
        if self.room() == 0 {
            return Err(NotSubmitted::WindowFull);
        }
        let sequence = self.draw_sequence();
        self.send(&Pdu::SubmitSm(message), CommandStatus::OK, sequence, now)?;
        let until = after(now, self.settings.response_timeout);
        let asked = Asked::Submit { token, until, matters_until: after(now, matters), late: false };
        self.asked.insert(sequence, asked);
        self.deadlines.push_back((until, sequence));
        self.awaited += 1;
        Ok(sequence)
    }

    /// Answers what the SMSC [sent](Event::Received), once for each.
    pub fn answer(&mut self, command: CommandId, sequence: u32, status: CommandStatus, now: Instant) {
        if self.is_ended() {
            return;
        }
        let was_reading = self.wants_octets();
        self.unanswered = self.unanswered.saturating_sub(1);
        self.respond(command, status, sequence, now);
        if !was_reading {
            self.read_again(now);
        }
        self.settle(now);
    }

    /// Takes no more messages, waits for the answers that are out, unbinds, and ends.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Binding { .. } => self.end(End::Closed),
            State::Bound => self.drain(End::Closed, Vec::new(), now),
            State::Draining { .. } | State::Unbinding { .. } | State::Ended => {}
        }
    }

    /// The connection is gone.
    pub fn disconnected(&mut self, why: String) {
        self.output.clear();
        self.written = 0;
        let why = match std::mem::replace(&mut self.state, State::Bound) {
            // It ends as it was to.
            State::Draining { why, .. } | State::Unbinding { why, .. } => why,
            State::Ended => {
                self.state = State::Ended;
                return;
            }
            State::Binding { .. } | State::Bound => End::Disconnected(why),
        };
        self.end(why);
    }

    /// Takes octets of the SMSC, however they were split.
    pub fn receive(&mut self, octets: &[u8], now: Instant) {
        if !self.is_ended() {
            self.frames.push(octets);
            self.process(now);
        }
    }

    /// What is to be written to the SMSC.
    pub fn output(&self) -> &[u8] {
        &self.output[self.written..]
    }

    /// Notes that `octets` of [`Session::output`] were written.
    pub fn wrote(&mut self, octets: usize, now: Instant) {
        let was_reading = self.wants_octets();
        self.written = self.written.saturating_add(octets).min(self.output.len());
        self.moved = now;
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        } else if self.written >= OUTPUT_MAX {
            self.output.drain(..self.written);
            self.written = 0;
        }
        if !was_reading && self.wants_octets() {
            self.read_again(now);
        }
    }

    /// The next event, in the order in which they happened.
    pub fn next_event(&mut self) -> Option<Event<T>> {
        self.events.pop_front()
    }

    /// When [`Session::tick`] is to be called, if nothing else happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Ended => return None,
            State::Bound => None,
            State::Binding { until, .. } | State::Draining { until, .. } | State::Unbinding { until, .. } => {
                Some(*until)
            }
        };
        let submit = self.deadlines.front().map(|&(until, _)| until);
        let stalled = (!self.output().is_empty()).then(|| after(self.moved, self.settings.response_timeout));
        [state, submit, stalled, self.enquire_deadline()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        self.give_up_submits(now);
        match &self.state {
            State::Binding { until, .. } if *until <= now => {
                self.end(End::NoAnswer(self.settings.kind.command()));
            }
            State::Unbinding { until, why, .. } if *until <= now => self.end(why.clone()),
            _ => self.settle(now),
        }
        if self.is_ended() {
            return;
        }
        if !self.output().is_empty() && after(self.moved, self.settings.response_timeout) <= now {
            self.end(End::Stalled);
        } else if self.enquire_deadline().is_some_and(|due| due <= now) {
            if self.enquired.is_some() {
                self.end(End::NoAnswer(CommandId::ENQUIRE_LINK));
                return;
            }
            let sequence = self.draw_sequence();
            // It has no field that could not be written.
            let _ = self.send(&Pdu::EnquireLink, CommandStatus::OK, sequence, now);
            self.asked.retain(|_, asked| !matches!(asked, Asked::EnquireLink));
            self.asked.insert(sequence, Asked::EnquireLink);
            self.enquired = Some(now);
        }
    }

    /// When an `enquire_link` is due, or its answer overdue. While reading is stopped, silence means nothing.
    fn enquire_deadline(&self) -> Option<Instant> {
        if matches!(self.state, State::Binding { .. } | State::Ended) || !self.wants_octets() {
            return None;
        }
        Some(match self.enquired {
            None => after(self.received, self.settings.enquire_link),
            Some(enquired) => after(enquired, self.settings.response_timeout),
        })
    }

    fn give_up_submits(&mut self, now: Instant) {
        while let Some(&(due, sequence)) = self.deadlines.front() {
            if let Some(Asked::Submit { token, until, late, .. }) = self.asked.get_mut(&sequence)
                && *until == due
                && !*late
            {
                if due > now {
                    return;
                }
                *late = true;
                self.awaited -= 1;
                self.late.push_back((due, sequence));
                let why = Unanswered::TimedOut;
                self.events.push_back(Event::Unanswered { token: token.clone(), why });
            }
            self.deadlines.pop_front();
        }
        self.forget_late(now);
    }

    /// Forgets submits whose answer is of no use any more, and the oldest beyond the limit.
    fn forget_late(&mut self, now: Instant) {
        while let Some((due, sequence)) = self.late.front() {
            if let Some(Asked::Submit { until, matters_until, late: true, .. }) = self.asked.get(sequence)
                && until == due
            {
                if *matters_until > now && self.late.len() <= self.settings.late_max {
                    return;
                }
                self.asked.remove(sequence);
            }
            self.late.pop_front();
        }
    }

    /// Resumes reading; the SMSC was not silent meanwhile.
    fn read_again(&mut self, now: Instant) {
        (self.received, self.enquired) = (now, None);
        self.process(now);
    }

    fn process(&mut self, now: Instant) {
        while self.wants_octets() {
            match self.frames.next() {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    let header = frame.header;
                    let decoded = Pdu::decode(frame);
                    (self.received, self.enquired) = (now, None);
                    self.take(header, decoded, now);
                }
                Err(bad) => {
                    let sequence = bad.sequence.unwrap_or(0);
                    let status = CommandStatus::INVALID_COMMAND_LENGTH;
                    let _ = self.send(&Pdu::GenericNack, status, sequence, now);
                    self.end(End::BadLength(bad));
                }
            }
        }
    }

    fn take(&mut self, header: Header, decoded: Decoded, now: Instant) {
        let Decoded { pdu, flaws } = decoded;
        match pdu {
            Pdu::DeliverSm(message) | Pdu::DataSm(message) => {
                if message.is_blank() && !flaws.is_empty() {
                    self.reject(header, CommandStatus::INVALID_COMMAND_LENGTH, now);
                    return;
                }
                self.unanswered += 1;
                let Header { command, sequence, .. } = header;
                self.events.push_back(Event::Received(Received { command, sequence, message, flaws }));
            }
            _ if header.command.is_response() => {
                self.tell_flaws(header, flaws);
                self.take_response(header, pdu, now);
            }
            Pdu::EnquireLink => {
                self.tell_flaws(header, flaws);
                self.respond(header.command, CommandStatus::OK, header.sequence, now);
            }
            Pdu::Unbind => {
                self.tell_flaws(header, flaws);
                self.take_unbind(header.sequence, now);
            }
            _ if matches!(header.command, CommandId::ALERT_NOTIFICATION | CommandId::OUTBIND) => {
                self.odd(header, OddKind::Ignored);
            }
            // An unknown command, or one that no SMSC sends to an ESME (4.3).
            _ => {
                let status = CommandStatus::INVALID_COMMAND_ID;
                let _ = self.send(&Pdu::GenericNack, status, header.sequence, now);
                self.odd(header, OddKind::Rejected(status));
            }
        }
    }

    /// Answers a request that can't be used, with an error.
    fn reject(&mut self, header: Header, status: CommandStatus, now: Instant) {
        self.respond(header.command, status, header.sequence, now);
        self.odd(header, OddKind::Rejected(status));
    }

    fn take_unbind(&mut self, sequence: u32, now: Instant) {
        match &mut self.state {
            State::Binding { .. } => {
                self.respond(CommandId::UNBIND, CommandStatus::OK, sequence, now);
                self.end(End::Unbound);
            }
            State::Unbinding { why, .. } => {
                let why = why.clone();
                self.respond(CommandId::UNBIND, CommandStatus::OK, sequence, now);
                self.end(why);
            }
            // Answers may stand behind it. Many SMSCs close as soon as they have ours, so it comes last.
            State::Bound => self.drain(End::Unbound, vec![sequence], now),
            State::Draining { unbinds, .. } => unbinds.push(sequence),
            State::Ended => {}
        }
    }

    fn take_response(&mut self, header: Header, pdu: Pdu, now: Instant) {
        let Header { command, status, sequence } = header;
        let is_bind = matches!(pdu, Pdu::BindResp(..));
        match &self.state {
            // It is our only request, so a wrong number does not matter.
            State::Binding { .. } if is_bind || command == CommandId::GENERIC_NACK => {
                match pdu {
                    _ if !status.is_ok() => self.end(End::BindRefused(status)),
                    Pdu::BindResp(_, resp) => {
                        self.state = State::Bound;
                        self.events.push_back(Event::Bound(resp));
                    }
                    _ => self.odd(header, OddKind::NotAsked(status)),
                }
                return;
            }
            State::Unbinding { sequence: unbind, why, .. }
                if *unbind == sequence || command == CommandId::UNBIND.response() =>
            {
                self.end(why.clone());
                return;
            }
            _ => {}
        }
        match self.asked.remove(&sequence) {
            // Its caller may have decided since the time that it gave.
            Some(Asked::Submit { matters_until, late: true, .. }) if matters_until <= now => {
                self.odd(header, OddKind::NotAsked(status));
            }
            Some(Asked::Submit { token, late, .. }) => {
                if !late {
                    self.awaited -= 1;
                }
                let answer = match pdu {
                    _ if !status.is_ok() => Answer::Refused(status),
                    Pdu::SubmitSmResp(resp) | Pdu::DataSmResp(resp) | Pdu::DeliverSmResp(resp) => {
                        let MessageResp { message_id, tlvs } = resp;
                        Answer::Accepted { message_id, tlvs }
                    }
                    _ => Answer::Unclear(command),
                };
                self.events.push_back(Event::Answered { token, answer, late });
                self.drop_answered();
                if status == CommandStatus::INVALID_BIND_STATUS && self.state == State::Bound {
                    self.drain(End::NotBound, Vec::new(), now);
                }
                self.settle(now);
            }
            Some(Asked::EnquireLink) => {}
            // An answer that came too late to matter.
            None if command == CommandId::ENQUIRE_LINK.response() => {}
            None => self.odd(header, OddKind::NotAsked(status)),
        }
    }

    /// Drops deadlines at the front whose submits were answered, so that [`Session::deadline`] is not in the
    /// past.
    fn drop_answered(&mut self) {
        while let Some((due, sequence)) = self.deadlines.front() {
            match self.asked.get(sequence) {
                Some(Asked::Submit { until, late: false, .. }) if until == due => return,
                _ => drop(self.deadlines.pop_front()),
            }
        }
    }

    fn drain(&mut self, why: End, unbinds: Vec<u32>, now: Instant) {
        let until = after(now, self.settings.response_timeout);
        self.state = State::Draining { until, why, unbinds };
        self.settle(now);
    }

    /// Continues the end once nothing is under way any more, or its time is over.
    fn settle(&mut self, now: Instant) {
        let State::Draining { until, why, unbinds } = &mut self.state else { return };
        if (self.awaited > 0 || self.unanswered > 0) && *until > now {
            return;
        }
        let (why, unbinds) = (why.clone(), std::mem::take(unbinds));
        if unbinds.is_empty() {
            let sequence = self.draw_sequence();
            let _ = self.send(&Pdu::Unbind, CommandStatus::OK, sequence, now);
            let until = after(now, self.settings.response_timeout.min(UNBIND_TIMEOUT));
            self.state = State::Unbinding { sequence, until, why };
            return;
        }
        for sequence in unbinds {
            self.respond(CommandId::UNBIND, CommandStatus::OK, sequence, now);
        }
        self.end(why);
    }

    fn end(&mut self, why: End) {
        self.state = State::Ended;
        let deadlines = std::mem::take(&mut self.deadlines);
        for (due, sequence) in deadlines {
            match self.asked.remove(&sequence) {
                Some(Asked::Submit { token, until, late: false, .. }) if until == due => {
                    let why = Unanswered::SessionEnded;
                    self.events.push_back(Event::Unanswered { token, why });
                }
                _ => {}
            }
        }
        (self.awaited, self.unanswered) = (0, 0);
        self.asked.clear();
        self.late.clear();
        self.events.push_back(Event::Ended(why));
    }

    /// Reported before what the PDU leads to, which may be the end.
    fn tell_flaws(&mut self, header: Header, flaws: Vec<Flaw>) {
        if !flaws.is_empty() {
            self.odd(header, OddKind::Flaws(flaws));
        }
    }

    fn odd(&mut self, header: Header, kind: OddKind) {
        let Header { command, sequence, .. } = header;
        self.events.push_back(Event::Odd(Oddity { command, sequence, kind }));
    }

    fn respond(&mut self, command: CommandId, status: CommandStatus, sequence: u32, now: Instant) {
        let response = match command.request() {
            CommandId::DELIVER_SM => Pdu::DeliverSmResp(MessageResp::default()),
            CommandId::DATA_SM => Pdu::DataSmResp(MessageResp::default()),
            CommandId::UNBIND => Pdu::UnbindResp,
            CommandId::ENQUIRE_LINK => Pdu::EnquireLinkResp,
            _ => Pdu::GenericNack,
        };
        // None of them has a text.
        let _ = self.send(&response, status, sequence, now);
    }

    fn send(
        &mut self,
        pdu: &Pdu,
        status: CommandStatus,
        sequence: u32,
        now: Instant,
    ) -> Result<(), EncodeError> {
        if self.output().is_empty() {
            self.moved = now;
        }
        pdu.encode(status, sequence, &mut self.output)
    }

    /// A number that no open request has.
    fn draw_sequence(&mut self) -> u32 {
        loop {
            let sequence = self.next_sequence;
            self.next_sequence = if sequence >= SEQUENCE_MAX { 1 } else { sequence + 1 };
            if !self.asked.contains_key(&sequence) {
                return sequence;
            }
        }
    }

    /// Goes on with this number, for tests of the wrap.
    #[cfg(test)]
    pub(crate) fn set_next_sequence(&mut self, sequence: u32) {
        self.next_sequence = sequence;
    }
}

/// The instant at `wait` after another, at most [`FOREVER`].
fn after(instant: Instant, wait: Duration) -> Instant {
    instant + wait.min(FOREVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_again_and_leave_out_those_that_are_open() {
        let now = Instant::now();
        let settings = Settings { window: 100, ..Settings::new(BindKind::Transmitter, Bind::default()) };
        let mut session = Session::new(settings, now).unwrap();
        let take = |session: &mut Session<u32>, pdu: Pdu, sequence| {
            let mut octets = Vec::new();
            pdu.encode(CommandStatus::OK, sequence, &mut octets).unwrap();
            session.receive(&octets, now);
        };
        take(&mut session, Pdu::BindResp(BindKind::Transmitter, BindResp::default()), 1);
        let submit = |session: &mut Session<u32>| {
            session.submit(0, Message::default(), Duration::from_secs(60), now).unwrap()
        };
        assert_eq!([submit(&mut session), submit(&mut session)], [2, 3]);
        take(&mut session, Pdu::SubmitSmResp(MessageResp::default()), 2);
        session.set_next_sequence(SEQUENCE_MAX - 1);
        let drawn: Vec<_> = (0..5).map(|_| submit(&mut session)).collect();
        assert_eq!(drawn, [SEQUENCE_MAX - 1, SEQUENCE_MAX, 1, 2, 4]);
        // The second one that is called 2 has a deadline of its own.
        take(&mut session, Pdu::SubmitSmResp(MessageResp::default()), 2);
        session.tick(now + session.settings.response_timeout);
        let unanswered = std::iter::from_fn(|| session.next_event())
            .filter(|event| matches!(event, Event::Unanswered { .. }))
            .count();
        assert_eq!(unanswered, 5);
    }
}
