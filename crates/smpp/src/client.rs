//! A [`Session`] over a connection: a pump that moves octets, and a handle to submit by.
//!
//! The pump keeps nothing of its own: each round looks at the session anew, for what is to be written, read and done by
//! when, so that no wake-up can be lost between rounds.

use crate::command::CommandId;
use crate::fields::EncodeError;
use crate::message::Message;
use crate::pdu::BindResp;
use crate::session::{Answer, End, Event, NotSubmitted, Oddity, Received, Session, Settings, Unanswered};
use crate::status::CommandStatus;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Octets that are read at once.
const READ_OCTETS: usize = 16 * 1024;
/// Events that may wait beyond the requests that do; of what is odd, no more is told then.
const EVENTS_MAX: usize = 1024;
/// Submits that may wait for room in the window.
const WAITING_MAX: usize = 64;
/// Answers of ours that are taken at once.
const CONTROLS_MAX: usize = 256;
/// How long the last octets of an ended session may take.
const LAST_WRITE: Duration = Duration::from_secs(1);
/// How long what an SMSC sent before it went may take.
const LAST_READ: Duration = Duration::from_secs(1);

/// Why a submit has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubmitError {
    /// The SMSC does not have the message.
    #[error(transparent)]
    NotSubmitted(#[from] NotSubmitted),
    /// It may have it.
    #[error("the submit was not answered ({0:?}): the SMSC may have the message")]
    Unanswered(Unanswered),
}

/// What comes in. `K` is what a submit was called by.
#[derive(Clone, PartialEq, Debug)]
pub enum Incoming<K> {
    /// The SMSC granted the bind.
    Bound(BindResp),
    /// A message or a receipt, which waits for [`Client::answer`].
    Received(Received),
    /// The answer to a submit that had failed as [`Unanswered::TimedOut`], or that nobody waited for any more.
    Late {
        /// The submit.
        key: K,
        /// Its answer.
        answer: Answer,
    },
    /// What the SMSC sent amiss. Where there is too much of it, not all is told.
    Odd(Oddity),
    /// The session is over; nothing follows.
    Ended(End),
}

/// A submit that was handed to the session: what it is called by, and who waits for its answer.
struct Pending<K> {
    key: K,
    waiter: Mutex<Option<oneshot::Sender<Result<Answer, SubmitError>>>>,
}

impl<K> Pending<K> {
    /// Tells whoever waits; gives the answer back where nobody does.
    fn resolve(&self, answer: Result<Answer, SubmitError>) -> Option<Result<Answer, SubmitError>> {
        match self.waiter.lock().take() {
            Some(waiter) => waiter.send(answer).err(),
            None => Some(answer),
        }
    }

    /// Whether nobody waits any more, so that it had better not be submitted.
    fn is_abandoned(&self) -> bool {
        self.waiter.lock().as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

struct Submit<K> {
    pending: Arc<Pending<K>>,
    message: Message,
    matters: Duration,
}

enum Control {
    Answer { command: CommandId, sequence: u32, status: CommandStatus },
    Close,
}

/// A session's handle. The session closes when all of them are gone.
pub struct Client<K> {
    submits: mpsc::Sender<Submit<K>>,
    controls: mpsc::UnboundedSender<Control>,
}

impl<K> Clone for Client<K> {
    fn clone(&self) -> Self {
        Client { submits: self.submits.clone(), controls: self.controls.clone() }
    }
}

impl<K: Clone + Send + Sync + 'static> Client<K> {
    /// Begins a session over a connection, on a task of its own. It binds; [`Incoming::Bound`] says so.
    ///
    /// # Errors
    /// When the bind has a text that SMPP can't carry.
    pub fn start<IO>(
        io: IO,
        settings: Settings,
    ) -> Result<(Client<K>, mpsc::Receiver<Incoming<K>>), EncodeError>
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        let unanswered_max = settings.unanswered_max;
        let session = Session::new(settings, Instant::now().into_std())?;
        let (submits, submits_in) = mpsc::channel(WAITING_MAX);
        // Answers are as many as requests, which are bounded.
        let (controls, controls_in) = mpsc::unbounded_channel();
        let (incoming, incoming_out) = mpsc::channel(unanswered_max + EVENTS_MAX);
        let outlet = Outlet { incoming, unanswered_max };
        tokio::spawn(pump(io, session, submits_in, controls_in, outlet));
        Ok((Client { submits, controls }, incoming_out))
    }

    /// Submits a message and waits for its answer. `key` names it in [`Incoming::Late`], which can come for `matters`
    /// from now. Waits while the window is full; who stops waiting before it was sent sends nothing.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, key: K, message: Message, matters: Duration) -> Result<Answer, SubmitError> {
        let (waiter, answer) = oneshot::channel();
        let pending = Arc::new(Pending { key, waiter: Mutex::new(Some(waiter)) });
        let submit = Submit { pending, message, matters };
        if self.submits.send(submit).await.is_err() {
            return Err(NotSubmitted::NotBound.into());
        }
        // The pump answers all that it took; it is gone only if it panicked.
        answer.await.unwrap_or(Err(SubmitError::Unanswered(Unanswered::SessionEnded)))
    }

    /// Answers what was [received](Incoming::Received), once for each.
    pub fn answer(&self, received: (CommandId, u32), status: CommandStatus) {
        let (command, sequence) = received;
        let _ = self.controls.send(Control::Answer { command, sequence, status });
    }

    /// Takes no more messages, waits for the answers that are out, unbinds, and ends: [`Incoming::Ended`] says when.
    pub fn close(&self) {
        let _ = self.controls.send(Control::Close);
    }
}

/// Where events go.
struct Outlet<K> {
    incoming: mpsc::Sender<Incoming<K>>,
    unanswered_max: usize,
}

impl<K: Clone> Outlet<K> {
    fn tell_all(&self, session: &mut Session<Arc<Pending<K>>>) {
        while let Some(event) = session.next_event() {
            self.tell(event);
        }
    }

    fn tell(&self, event: Event<Arc<Pending<K>>>) {
        let spare = self.incoming.capacity().saturating_sub(self.unanswered_max);
        let told = match event {
            Event::Bound(resp) => Incoming::Bound(resp),
            // Those that wait are bounded, and have their places.
            Event::Received(received) => Incoming::Received(received),
            Event::Answered { token, answer, .. } => match token.resolve(Ok(answer)) {
                Some(Ok(answer)) if spare > 8 => Incoming::Late { key: token.key.clone(), answer },
                _ => return,
            },
            Event::Unanswered { token, why } => {
                token.resolve(Err(SubmitError::Unanswered(why)));
                return;
            }
            Event::Odd(odd) if spare > EVENTS_MAX / 2 => Incoming::Odd(odd),
            Event::Odd(_) => return,
            Event::Ended(end) => Incoming::Ended(end),
        };
        // Nobody may listen any more.
        let _ = self.incoming.try_send(told);
    }
}

/// Drives a session until it ends.
async fn pump<IO, K>(
    io: IO,
    mut session: Session<Arc<Pending<K>>>,
    mut submits: mpsc::Receiver<Submit<K>>,
    mut controls: mpsc::UnboundedReceiver<Control>,
    outlet: Outlet<K>,
) where
    IO: AsyncRead + AsyncWrite,
    K: Clone,
{
    let (mut reader, mut writer) = split(io);
    let mut octets = Vec::with_capacity(READ_OCTETS);
    let (mut submitted, mut controlled) = (Vec::new(), Vec::new());
    let mut flushed = true;
    // Whether somebody may submit, and control.
    let (mut can_submit, mut is_held) = (true, true);
    let mut last_write = None;
    let alarm = tokio::time::sleep_until(Instant::now());
    tokio::pin!(alarm);
    loop {
        outlet.tell_all(&mut session);
        if session.is_ended() && session.output().is_empty() && flushed {
            break;
        }
        let has_output = !session.output().is_empty();
        // An SMSC that reads nothing must not keep what is left of an ended session.
        let deadline = if session.is_ended() {
            Some(*last_write.get_or_insert_with(|| Instant::now() + LAST_WRITE))
        } else {
            session.deadline().map(Instant::from_std)
        };
        // Most deadlines move away with each PDU. One that rings early does no harm; to move it each time costs more.
        if let Some(deadline) = deadline
            && (deadline < alarm.deadline() || alarm.is_elapsed())
        {
            alarm.as_mut().reset(deadline);
        }
        // Those that come while it is not bound are told so at once.
        let room = if session.is_ready() { session.room() } else { WAITING_MAX };
        let wants_octets = session.wants_octets();
        tokio::select! {
            written = write_out(&mut writer, session.output()), if has_output || !flushed => match written {
                Ok(Some(written @ 1..)) => {
                    flushed = false;
                    session.wrote(written, now());
                }
                Ok(None) => flushed = true,
                failed => {
                    flushed = true;
                    let why = match failed {
                        Err(error) => error.to_string(),
                        Ok(_) => "nothing more can be written".to_owned(),
                    };
                    // What the SMSC sent before it went is still there, and answers may be in it.
                    let rest = take_rest(&mut reader, &mut octets, &mut session, &outlet);
                    let _ = tokio::time::timeout(LAST_READ, rest).await;
                    session.disconnected(why);
                }
            },
            read = reader.read_buf(&mut octets), if wants_octets => match read {
                Ok(0) => session.disconnected("the SMSC closed it".to_owned()),
                Ok(_) => {
                    session.receive(&octets, now());
                    octets.clear();
                }
                Err(error) => session.disconnected(error.to_string()),
            },
            taken = submits.recv_many(&mut submitted, room), if can_submit && room > 0 => {
                can_submit = taken > 0;
                for submit in submitted.drain(..) {
                    submit_to(&mut session, submit);
                }
            }
            taken = controls.recv_many(&mut controlled, CONTROLS_MAX), if is_held => {
                // The last answers of who is gone come before this.
                is_held = taken > 0;
                if !is_held {
                    session.close(now());
                }
                for control in controlled.drain(..) {
                    match control {
                        Control::Answer { command, sequence, status } => {
                            session.answer(command, sequence, status, now());
                        }
                        Control::Close => session.close(now()),
                    }
                }
            }
            () = &mut alarm, if deadline.is_some() => {
                if last_write.is_some_and(|last| last <= Instant::now()) {
                    break;
                }
                session.tick(now());
            }
        }
    }
    submits.close();
    while let Some(submit) = submits.recv().await {
        submit.pending.resolve(Err(NotSubmitted::NotBound.into()));
    }
    // A peer that is gone needs no end of TLS.
    let _ = tokio::time::timeout(LAST_WRITE, writer.shutdown()).await;
}

/// Writes some octets and answers how many; where there are none, sees to it that those of before have left.
async fn write_out<W: AsyncWrite + Unpin>(writer: &mut W, octets: &[u8]) -> io::Result<Option<usize>> {
    if octets.is_empty() {
        writer.flush().await?;
        return Ok(None);
    }
    writer.write(octets).await.map(Some)
}

/// Reads to the end of a connection.
async fn take_rest<R: AsyncRead + Unpin, K: Clone>(
    reader: &mut R,
    octets: &mut Vec<u8>,
    session: &mut Session<Arc<Pending<K>>>,
    outlet: &Outlet<K>,
) {
    while session.wants_octets() && reader.read_buf(octets).await.is_ok_and(|read| read > 0) {
        session.receive(octets, now());
        octets.clear();
        outlet.tell_all(session);
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn submit_to<K: Clone>(session: &mut Session<Arc<Pending<K>>>, submit: Submit<K>) {
    let Submit { pending, message, matters } = submit;
    if pending.is_abandoned() {
        return;
    }
    if let Err(why) = session.submit(Arc::clone(&pending), message, matters, now()) {
        pending.resolve(Err(why.into()));
    }
}
