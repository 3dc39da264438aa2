//! An SMSC that the real SMPP carrier is bound to: it throttles, loses connections, unbinds, answers late,
//! and sends what nobody can use.

use crate::carrier::{Course, draw, take};
use crate::fault::Fault;
use crate::world::{Offer, Submission, World};
use async_trait::async_trait;
use carriers::SmppDial;
use flow::{Channel, Status};
use smpp::{Address, BindResp, CommandId, CommandStatus, Connection, Frames, Message, MessageResp, Pdu};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

/// Octets that a connection holds in each direction.
const CONNECTION_OCTETS: usize = 4096;
/// A connection that is there so long after an answer was written has carried it.
const CARRIED: Duration = Duration::from_secs(1);

/// A receipt as the SMSC writes it (SMPP 3.4, appendix B).
fn message(to: &str, reference: &str, status: Status) -> Message {
    let word = word(status);
    let text = format!(
        "id:{reference} sub:001 dlvrd:001 submit date:2701151200 done date:2701151201 \
         stat:{word} err:000 text:"
    );
    let source = Address { ton: 1, npi: 1, address: to.trim_start_matches('+').to_owned() };
    // `esm_class` of a receipt (5.2.12).
    Message { source, esm_class: 4, short_message: text.into_bytes(), ..Message::default() }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Delivered => "DELIVRD",
        Status::Undelivered => "UNDELIV",
        Status::Failed => "REJECTD",
        Status::Sent => "ACCEPTD",
        // What means nothing to anybody.
        _ => "BUSY",
    }
}

/// The SMSC of a carrier.
#[derive(Clone)]
pub struct SimulatedSmsc {
    pub name: String,
    pub world: Arc<World>,
}

#[async_trait]
impl SmppDial for SimulatedSmsc {
    async fn dial(&self) -> io::Result<Box<dyn Connection>> {
        self.world.step().await;
        if self.world.with(|state| state.down.contains(&self.name)) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (theirs, ours) = duplex(CONNECTION_OCTETS);
        let (out, octets) = mpsc::unbounded_channel();
        let session = Session { smsc: self.clone(), out, offers: HashMap::new(), sequence: 0 };
        tokio::spawn(session.serve(ours, octets));
        Ok(Box::new(theirs))
    }
}

/// What is written to the ESME.
enum Out {
    Octets(Vec<u8>),
    /// The connection is lost.
    Drop,
}

struct Session {
    smsc: SimulatedSmsc,
    out: mpsc::UnboundedSender<Out>,
    /// Receipts that wait for their answers, by their numbers.
    offers: HashMap<u32, oneshot::Sender<bool>>,
    sequence: u32,
}

fn write(out: &mpsc::UnboundedSender<Out>, pdu: &Pdu, status: CommandStatus, sequence: u32) {
    let mut octets = Vec::new();
    if pdu.encode(status, sequence, &mut octets).is_ok() {
        // The connection may be gone.
        let _ = out.send(Out::Octets(octets));
    }
}

impl Session {
    async fn serve(mut self, io: tokio::io::DuplexStream, mut octets: mpsc::UnboundedReceiver<Out>) {
        let (mut reader, mut writer) = split(io);
        let mut frames = Frames::new(64 * 1024);
        let mut buffer = Vec::new();
        let (offered, mut offers) = mpsc::unbounded_channel();
        loop {
            tokio::select! {
                biased;
                out = octets.recv() => match out {
                    Some(Out::Octets(octets)) if writer.write_all(&octets).await.is_ok() => {}
                    _ => break,
                },
                Some(offer) = offers.recv() => self.send_receipt(offer),
                read = reader.read_buf(&mut buffer) => {
                    if !matches!(read, Ok(1..)) {
                        break;
                    }
                    frames.push(&buffer);
                    buffer.clear();
                    while let Ok(Some(frame)) = frames.next() {
                        let header = frame.header;
                        let pdu = Pdu::decode(frame).pdu;
                        self.take(header.status, header.sequence, pdu, &offered);
                    }
                }
            }
        }
    }

    fn take(
        &mut self,
        status: CommandStatus,
        sequence: u32,
        pdu: Pdu,
        offered: &mpsc::UnboundedSender<Offer>,
    ) {
        match pdu {
            Pdu::Bind(kind, _) => {
                write(&self.out, &Pdu::BindResp(kind, BindResp::default()), CommandStatus::OK, sequence);
                let name = self.smsc.name.clone();
                self.smsc.world.with(|state| state.sessions.insert(name, offered.clone()));
            }
            Pdu::SubmitSm(message) => self.submitted(sequence, &message),
            Pdu::DeliverSmResp(_) => {
                if let Some(taken) = self.offers.remove(&sequence) {
                    let _ = taken.send(status.is_ok());
                }
            }
            Pdu::EnquireLink => write(&self.out, &Pdu::EnquireLinkResp, CommandStatus::OK, sequence),
            Pdu::Unbind => {
                write(&self.out, &Pdu::UnbindResp, CommandStatus::OK, sequence);
                let _ = self.out.send(Out::Drop);
            }
            Pdu::UnbindResp => drop(self.out.send(Out::Drop)),
            _ => {}
        }
    }

    fn send_receipt(&mut self, offer: Offer) {
        self.sequence += 1;
        let Offer { to, reference, status, taken } = offer;
        let receipt = Pdu::DeliverSm(message(&to, &reference, status));
        write(&self.out, &receipt, CommandStatus::OK, self.sequence);
        self.offers.insert(self.sequence, taken);
    }

    fn submitted(&self, sequence: u32, message: &Message) {
        let world = &self.smsc.world;
        // The part's number stands in the user data header (3GPP TS 23.040, 9.2.3.24.1).
        let part = match (message.esm_class & 0x40, message.short_message.get(5)) {
            (0x40, Some(&number)) => u16::from(number).saturating_sub(1),
            _ => 0,
        };
        let to = format!("+{}", message.destination.address);
        let (submission, course, odd) = world.with(|state| {
            let here = |s: &Submission| {
                s.to == to && s.part == part && s.carrier == self.smsc.name && s.reply.is_none()
            };
            let submission = state.submissions.iter().rposition(here);
            let odd = state.happens(Fault::Wrong);
            (submission, draw(state), odd)
        });
        if odd {
            self.send_nonsense(sequence);
        }
        // Whoever sent it has died since.
        let Some(submission) = submission else { return };
        let answer = |status| write(&self.out, &Pdu::SubmitSmResp(MessageResp::default()), status, sequence);
        match course {
            Course::Throttle => answer(CommandStatus::THROTTLED),
            Course::Refuse => answer(CommandStatus::SUBMIT_FAILED),
            Course::DropBefore => drop(self.out.send(Out::Drop)),
            Course::DropAfter => {
                self.smsc.accept(submission);
                let unbinds = world.with(|state| state.random.bool());
                if unbinds {
                    // The answer stands behind it.
                    write(&self.out, &Pdu::Unbind, CommandStatus::OK, 0x0070_0000 + sequence);
                    self.answer_later(submission, sequence, 0);
                } else {
                    let _ = self.out.send(Out::Drop);
                }
            }
            Course::Take { answer_ms } => {
                self.smsc.accept(submission);
                self.answer_later(submission, sequence, answer_ms);
            }
        }
    }

    /// Answers that a part was taken, after a while.
    fn answer_later(&self, submission: usize, sequence: u32, after_ms: u64) {
        let (out, world) = (self.out.clone(), Arc::clone(&self.smsc.world));
        tokio::spawn(async move {
            world.step().await;
            sleep(Duration::from_millis(after_ms)).await;
            let (reference, at) = world.with(|state| {
                let now = state.now();
                (state.submissions[submission].reference.clone().unwrap_or_default(), now)
            });
            let resp = MessageResp { message_id: reference, ..MessageResp::default() };
            write(&out, &Pdu::SubmitSmResp(resp), CommandStatus::OK, sequence);
            sleep(CARRIED).await;
            if !out.is_closed() {
                world.with(|state| state.submissions[submission].answered = Some(at));
            }
        });
    }

    /// What no SMSC should send, of each kind: it costs nothing but itself.
    fn send_nonsense(&self, sequence: u32) {
        let kind = self.smsc.world.with(|state| state.random.u8(0..5));
        let deliver = |body: &[u8]| Pdu::Other(CommandId::DELIVER_SM, body.to_vec());
        let pdu = match kind {
            0 => Pdu::Other(CommandId(0x3177), b"abc".to_vec()),
            1 => deliver(b""),
            2 => deliver(b"\0\x01\x01306"),
            3 => Pdu::Other(CommandId::SUBMIT_SM.response(), b"nobody asked".to_vec()),
            _ => Pdu::Other(CommandId::ENQUIRE_LINK.response(), b"\0".to_vec()),
        };
        write(&self.out, &pdu, CommandStatus::OK, 0x0060_0000 + sequence);
    }
}

impl SimulatedSmsc {
    /// Takes a part: from now on it is on its way, whatever becomes of the answer.
    fn accept(&self, submission: usize) {
        take(&self.world, &self.name, submission, Channel::Sms, true);
    }
}
