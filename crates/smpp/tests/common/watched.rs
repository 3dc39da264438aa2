//! A session that is held against what it promises, and a script of everything that can happen to one.

use smpp::{
    Answer, Bind, BindKind, CommandId, CommandStatus, Event, Frames, Header, Message, MessageResp,
    NotSubmitted, Pdu, Received, Session, Settings, Unanswered,
};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Settings whose limits are reached soon.
pub fn settings() -> Settings {
    Settings {
        window: 4,
        enquire_link: Duration::from_secs(5),
        response_timeout: Duration::from_secs(2),
        command_length_max: 4096,
        unanswered_max: 8,
        late_max: 6,
        ..Settings::new(BindKind::Transceiver, Bind { system_id: "acme".to_owned(), ..Bind::default() })
    }
}

/// What was told of a submit.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Told {
    Nothing { matters_until: Instant },
    TimedOut { matters_until: Instant },
    All,
}

/// A session, and what the test knows of it.
pub struct Watched {
    pub session: Session<usize>,
    pub now: Instant,
    window: usize,
    tokens: Vec<Told>,
    /// What the SMSC sent, to know what it may expect.
    sent: Frames,
    /// Requests of the SMSC by number, less the answers.
    owed: HashMap<u32, i64>,
    /// The stream of the SMSC makes no sense any more.
    is_broken: bool,
    /// What the SMSC read.
    written: Frames,
    /// Our submits as the SMSC saw them.
    pub submits: Vec<u32>,
    pub enquired: Option<u32>,
    pub unbound: Option<u32>,
    /// What waits for an answer of the application.
    pub received: VecDeque<Received>,
    pub has_ended: bool,
    pub is_bound: bool,
}

impl Watched {
    pub fn new(settings: Settings) -> Watched {
        let now = Instant::now();
        let (window, length_max) = (settings.window, settings.command_length_max);
        let session = Session::new(settings, now).expect("a plain bind");
        Watched {
            session,
            now,
            window,
            tokens: Vec::new(),
            sent: Frames::new(length_max),
            owed: HashMap::new(),
            is_broken: false,
            written: Frames::new(u32::MAX),
            submits: Vec::new(),
            enquired: None,
            unbound: None,
            received: VecDeque::new(),
            has_ended: false,
            is_bound: false,
        }
    }

    /// One whose bind was granted.
    pub fn bound(settings: Settings) -> Watched {
        let mut watched = Watched::new(settings);
        watched.write(usize::MAX);
        watched.receive(&encoded(&Pdu::BindResp(BindKind::Transceiver, Default::default()), 0, 1));
        assert!(watched.is_bound);
        watched
    }

    pub fn receive(&mut self, octets: &[u8]) {
        if self.session.is_ended() {
            return;
        }
        self.sent.push(octets);
        while !self.is_broken {
            match self.sent.next() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let Header { command, sequence, .. } = frame.header;
                    let is_answered = !command.is_response()
                        && !matches!(command, CommandId::ALERT_NOTIFICATION | CommandId::OUTBIND);
                    *self.owed.entry(sequence).or_default() += i64::from(is_answered);
                }
                Err(bad) => {
                    self.is_broken = true;
                    *self.owed.entry(bad.sequence.unwrap_or(0)).or_default() += 1;
                }
            }
        }
        self.session.receive(octets, self.now);
        self.look();
    }

    /// Submits; whether it was taken.
    pub fn submit(&mut self, message: Message, matters: Duration) -> bool {
        let token = self.tokens.len();
        let (room, is_ready) = (self.session.room(), self.session.is_ready());
        match self.session.submit(token, message, matters, self.now) {
            Ok(sequence) => {
                assert!(room > 0 && is_ready && (1..=0x7fff_ffff).contains(&sequence));
                let matters_until = self.now + matters.min(Duration::from_secs(1 << 30));
                self.tokens.push(Told::Nothing { matters_until });
                self.look();
                true
            }
            Err(NotSubmitted::NotBound) => {
                assert!(!is_ready);
                false
            }
            Err(NotSubmitted::WindowFull) => {
                assert!(is_ready && room == 0);
                false
            }
            Err(NotSubmitted::Encode(error)) => panic!("{error}"),
        }
    }

    /// Answers one of what was received.
    pub fn answer(&mut self, which: usize, status: CommandStatus) {
        if self.received.is_empty() {
            return;
        }
        let received = self.received.remove(which % self.received.len()).expect("it is within");
        self.session.answer(received.command, received.sequence, status, self.now);
        self.look();
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    pub fn tick(&mut self) {
        self.session.tick(self.now);
        assert!(self.session.deadline().is_none_or(|deadline| deadline > self.now), "a deadline in the past");
        self.look();
    }

    /// Goes to the next deadline.
    pub fn sleep(&mut self) {
        if let Some(deadline) = self.session.deadline() {
            self.now = self.now.max(deadline);
            self.tick();
        }
    }

    pub fn close(&mut self) {
        self.session.close(self.now);
        self.look();
    }

    pub fn disconnect(&mut self) {
        self.session.disconnected("gone".to_owned());
        self.look();
        assert!(self.has_ended);
    }

    /// The SMSC reads so many octets at most.
    pub fn write(&mut self, most: usize) {
        let output = self.session.output();
        let octets = output[..most.min(output.len())].to_vec();
        self.session.wrote(octets.len(), self.now);
        self.written.push(&octets);
        self.look();
        while let Some(frame) = self.written.next().expect("a length") {
            let header = frame.header;
            let decoded = Pdu::decode(frame);
            assert!(decoded.flaws.is_empty(), "{header:?} {decoded:?}");
            self.saw(header, decoded.pdu);
        }
    }

    fn saw(&mut self, header: Header, pdu: Pdu) {
        let Header { command, sequence, .. } = header;
        if command.is_response() {
            let owed = self.owed.entry(sequence).or_default();
            *owed -= 1;
            assert!(*owed >= 0, "{command} {sequence} answers nothing");
            return;
        }
        match pdu {
            Pdu::Bind(..) => assert_eq!(sequence, 1),
            Pdu::SubmitSm(_) => self.submits.push(sequence),
            Pdu::EnquireLink => self.enquired = Some(sequence),
            Pdu::Unbind => {
                assert_eq!(self.unbound.replace(sequence), None, "one unbind");
            }
            other => panic!("{other:?}"),
        }
    }

    /// Takes what happened, and holds it against what was told before.
    fn look(&mut self) {
        while let Some(event) = self.session.next_event() {
            assert!(!self.has_ended, "{event:?} behind the end");
            match event {
                Event::Bound(_) => {
                    assert!(!self.is_bound);
                    self.is_bound = true;
                }
                Event::Answered { token, answer, late } => {
                    match (self.tokens[token], late) {
                        (Told::Nothing { .. }, false) => {}
                        (Told::TimedOut { matters_until }, true) => assert!(self.now < matters_until),
                        told => panic!("{told:?}, and now {answer:?}"),
                    }
                    assert!(!matches!(answer, Answer::Refused(CommandStatus::OK)));
                    self.tokens[token] = Told::All;
                }
                Event::Unanswered { token, why } => {
                    let Told::Nothing { matters_until } = self.tokens[token] else { panic!("told twice") };
                    self.tokens[token] = match why {
                        Unanswered::TimedOut => Told::TimedOut { matters_until },
                        Unanswered::SessionEnded => Told::All,
                    };
                }
                Event::Received(received) => self.received.push_back(received),
                Event::Odd(_) => {}
                Event::Ended(_) => self.has_ended = true,
            }
        }
        let open = self.tokens.iter().filter(|told| matches!(told, Told::Nothing { .. })).count();
        assert!(open <= self.window && self.session.room() == self.window - open);
        assert_eq!(self.has_ended, self.session.is_ended());
        assert!(!self.has_ended || open == 0, "the end tells of every submit");
    }

    /// Whether every request of the SMSC has its answer.
    pub fn owes_nothing(&self) -> bool {
        self.owed.values().all(|&owed| owed == 0)
    }

    /// Whether the SMSC's stream stands between two PDUs.
    fn is_between(&self) -> bool {
        !self.is_broken && self.sent.pending() == 0
    }

    /// The application does its part, the SMSC reads, and whatever is owed must be paid; then it still
    /// submits and comes to an end in time.
    pub fn conclude(mut self) {
        while !self.received.is_empty() || !self.session.output().is_empty() {
            self.write(usize::MAX);
            self.answer(0, CommandStatus::OK);
        }
        if !self.has_ended {
            // The answer to an unbind comes last.
            assert!(!self.session.is_ready() || self.owes_nothing(), "{:?}", self.owed);
        }
        if self.session.is_ready() && self.is_between() {
            while self.session.room() == 0 {
                self.sleep();
                self.write(usize::MAX);
                if !self.session.is_ready() {
                    break;
                }
            }
        }
        if self.session.is_ready() && self.is_between() {
            assert!(self.submit(Message::default(), Duration::ZERO));
            self.write(usize::MAX);
            let sequence = *self.submits.last().expect("it was written");
            self.receive(&encoded(&Pdu::SubmitSmResp(MessageResp::default()), 0, sequence));
            assert_eq!(self.tokens.last(), Some(&Told::All));
        }
        self.close();
        for _ in 0..1000 {
            if self.has_ended {
                break;
            }
            self.write(usize::MAX);
            self.sleep();
        }
        assert!(self.has_ended, "it ends");
    }
}

fn encoded(pdu: &Pdu, status: u32, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(CommandStatus(status), sequence, &mut out).expect("plain fields");
    out
}

/// The next octets of a script; zeros behind its end.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn number(&mut self) -> usize {
        self.octet().into()
    }
}

/// Any PDU with any body.
fn any_pdu(script: &mut Script<'_>) -> Vec<u8> {
    let command = [0x8000_0000, 0][script.number() % 2] | u32::from(script.octet());
    let (status, sequence, length) = (script.octet(), script.octet(), script.number() % 64);
    let body = (0..length).map(|_| script.octet()).collect();
    encoded(&Pdu::Other(CommandId(command), body), status.into(), sequence.into())
}

/// Plays what may end the session; returns whether the connection is still there.
fn play_end(script: &mut Script<'_>, watched: &mut Watched, inbox: &mut VecDeque<u8>) -> bool {
    match script.octet() % 16 {
        0 => inbox.extend(encoded(&Pdu::Unbind, 0, script.octet().into())),
        1 => watched.close(),
        2 => {
            if let Some(sequence) = watched.unbound {
                inbox.extend(encoded(&Pdu::UnbindResp, 0, sequence));
            }
        }
        3 => {
            // Octets that may be no PDU at all.
            let length = script.number() % 64;
            inbox.extend((0..length).map(|_| script.octet()));
        }
        4 => {
            watched.disconnect();
            return false;
        }
        5 => {
            let status = u32::from(script.octet());
            let resp = Pdu::BindResp(BindKind::Transceiver, Default::default());
            inbox.extend(encoded(&resp, status, 1));
        }
        _ => {}
    }
    true
}

/// Plays what a script says, each octet a deed of the application, the SMSC, the network or the clock.
pub fn play(script: &[u8]) {
    let mut script = Script(script);
    let mut watched = match script.octet() % 4 {
        0 => Watched::new(settings()),
        _ => Watched::bound(settings()),
    };
    // What is on its way from the SMSC, and in pieces of which size it comes.
    let (mut inbox, mut piece) = (VecDeque::new(), usize::MAX);
    while !script.0.is_empty() {
        match script.octet() % 20 {
            0 | 1 => {
                let matters = Duration::from_millis(script.number() as u64 * 100);
                watched.submit(Message::default(), matters);
            }
            2 | 3 => {
                // An answer to one of the last submits, some of which have theirs already.
                let back = script.number() % 16;
                let status = if script.octet() % 4 == 0 { u32::from(script.octet()) } else { 0 };
                if let Some(&sequence) = watched.submits.iter().rev().nth(back) {
                    inbox.extend(encoded(&Pdu::SubmitSmResp(MessageResp::default()), status, sequence));
                }
            }
            4 => {
                if let Some(sequence) = watched.submits.pop() {
                    inbox.extend(encoded(&Pdu::SubmitSmResp(MessageResp::default()), 0, sequence));
                }
            }
            5 | 6 => {
                let message = Message { short_message: vec![b'x'; script.number()], ..Message::default() };
                let sequence = u32::from(script.octet());
                inbox.extend(encoded(&Pdu::DeliverSm(message.clone()), 0, sequence));
            }
            7 => watched.answer(script.number(), CommandStatus(script.octet().into())),
            8 => {
                watched.pass(Duration::from_millis(script.number() as u64 * 20));
                watched.tick();
            }
            // The clock goes on, and nobody has called yet.
            9 => watched.pass(Duration::from_millis(script.number() as u64 * 20)),
            10 => watched.sleep(),
            11 => {
                let pdu =
                    [Pdu::EnquireLink, Pdu::Other(CommandId(script.octet().into()), vec![script.octet()])];
                inbox.extend(encoded(&pdu[script.number() % 2], 0, script.octet().into()));
            }
            12 => {
                if let Some(sequence) = watched.enquired.take() {
                    inbox.extend(encoded(&Pdu::EnquireLinkResp, 0, sequence));
                }
            }
            13 => inbox.extend(any_pdu(&mut script)),
            14 if !play_end(&mut script, &mut watched, &mut inbox) => return,
            14 => {}
            15 => watched.write(script.number()),
            16 => watched.write(usize::MAX),
            17 => piece = script.number() + 1,
            _ => {
                while watched.session.wants_octets() && !inbox.is_empty() {
                    let octets: Vec<u8> = inbox.drain(..piece.min(inbox.len())).collect();
                    watched.receive(&octets);
                }
            }
        }
    }
    watched.conclude();
}
