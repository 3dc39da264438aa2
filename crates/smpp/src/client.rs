//! A [`Session`] over a connection: a pump that moves octets, and a handle to submit by.
//!
//! The pump has no state of its own: each round asks the session what is to be written, read
//! and done by when, so that no wake-up can be lost between rounds.

use crate::command::CommandId;
use crate::fields::EncodeError;
use crate::message::Message;
use crate::pdu::BindResp;
use crate::session::{Answer, End, Event, NotSubmitted, Oddity, Received, Session, Settings, Unanswered};
use crate::status::CommandStatus;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Octets that are read at once.
const READ_OCTETS: usize = 16 * 1024;
/// Events that may wait in addition to the requests that do; beyond half of it, oddities are dropped.
const EVENTS_MAX: usize = 1024;
/// Submits that may wait for room in the window.
const WAITING_MAX: usize = 64;
/// How long the last octets of a session may take, those that are written and those that are read.
const LAST_OCTETS: Duration = Duration::from_secs(1);

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

/// What a session delivers. `K` is the key of a submit.
#[derive(Clone, PartialEq, Debug)]
pub enum Incoming<K> {
    /// The SMSC granted the bind.
    Bound(BindResp),
    /// A message or a receipt, which waits for [`Client::answer`].
    Received(Received),
    /// The answer to a submit that had failed as [`Unanswered::TimedOut`], or whose caller no longer waits.
    Late {
        /// The submit.
        key: K,
        /// Its answer.
        answer: Answer,
    },
    /// Something irregular that the SMSC sent. If there is too much of it, some is dropped.
    Odd(Oddity),
    /// The session is over; nothing follows.
    Ended(End),
}

/// A submit that was handed to the session: its key, and the caller that waits for its answer.
struct Pending<K> {
    key: K,
    waiter: Mutex<Option<oneshot::Sender<Result<Answer, SubmitError>>>>,
}

impl<K> Pending<K> {
    /// Gives the answer to the caller, or back if the caller no longer waits.
    fn resolve(&self, answer: Result<Answer, SubmitError>) -> Option<Result<Answer, SubmitError>> {
        match self.waiter.lock().take() {
            Some(waiter) => waiter.send(answer).err(),
            None => Some(answer),
        }
    }

    /// Returns whether the caller no longer waits, so that it should not be submitted.
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
    ready: Arc<AtomicBool>,
}

impl<K> Clone for Client<K> {
    fn clone(&self) -> Self {
        let Client { submits, controls, ready } = self;
        Client { submits: submits.clone(), controls: controls.clone(), ready: Arc::clone(ready) }
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
        let ready = Arc::new(AtomicBool::new(false));
        let outlet = Outlet { incoming, unanswered_max, ready: Arc::clone(&ready) };
        tokio::spawn(pump(io, session, submits_in, controls_in, outlet));
        Ok((Client { submits, controls, ready }, incoming_out))
    }

    /// Returns whether messages can be submitted now: the session is bound, for that, and does not end.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Submits a message and waits for its answer. `key` names it in [`Incoming::Late`], which can come for
    /// `matters` from now. Waits while the window is full. If the future is dropped before the message was
    /// sent, nothing is sent.
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

    /// Takes no more messages, waits for the answers that are out, unbinds, and ends: [`Incoming::Ended`]
    /// says when.
    pub fn close(&self) {
        let _ = self.controls.send(Control::Close);
    }
}

/// Where events go.
struct Outlet<K> {
    incoming: mpsc::Sender<Incoming<K>>,
    unanswered_max: usize,
    /// Shows whether messages can be submitted.
    ready: Arc<AtomicBool>,
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
        // The receiver may be gone.
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
    tokio::pin!(io);
    let (mut octets, mut flushed) = (vec![0; READ_OCTETS], true);
    // Whether a handle still exists.
    let mut held = true;
    let mut last_write = None;
    let alarm = tokio::time::sleep_until(Instant::now());
    tokio::pin!(alarm);
    loop {
        // Everything that is ready first, so that a busy side starves no other.
        held &= take_controls(&mut session, &mut controls);
        take_submits(&mut session, &mut submits);
        if session.deadline().is_some_and(|deadline| deadline <= now()) {
            session.tick(now());
        }
        outlet.ready.store(session.is_ready(), Ordering::Relaxed);
        outlet.tell_all(&mut session);
        if session.is_ended() && session.output().is_empty() && flushed {
            break;
        }
        let is_open = held && !session.is_ended();
        let takes_submits = is_open && (!session.is_ready() || session.room() > 0);
        // An SMSC that reads nothing must not keep what is left of an ended session.
        let deadline = if session.is_ended() {
            Some(*last_write.get_or_insert_with(|| Instant::now() + LAST_OCTETS))
        } else {
            session.deadline().map(Instant::from_std)
        };
        // Most deadlines move away with each PDU. One that rings early does no harm; to move it each time
        // costs more.
        if let Some(deadline) = deadline
            && (deadline < alarm.deadline() || alarm.is_elapsed())
        {
            alarm.as_mut().reset(deadline);
        }
        tokio::select! {
            biased;
            moved = move_octets(io.as_mut(), &session, flushed, &mut octets) => {
                flushed = take_moved(io.as_mut(), &mut session, flushed, &mut octets, moved).await;
            }
            control = controls.recv(), if is_open => match control {
                Some(control) => control.apply(&mut session),
                None => {
                    held = false;
                    session.close(now());
                }
            },
            Some(submit) = submits.recv(), if takes_submits => submit.apply(&mut session),
            () = &mut alarm, if deadline.is_some() => {
                if last_write.is_some_and(|last| last <= Instant::now()) {
                    break;
                }
            }
        }
    }
    outlet.ready.store(false, Ordering::Relaxed);
    refuse_rest(&mut submits).await;
    // A peer that is gone needs no end of TLS.
    let _ = tokio::time::timeout(LAST_OCTETS, io.shutdown()).await;
}

/// Tells all submits that still wait that the session is not bound.
async fn refuse_rest<K>(submits: &mut mpsc::Receiver<Submit<K>>) {
    submits.close();
    while let Some(submit) = submits.recv().await {
        submit.pending.resolve(Err(NotSubmitted::NotBound.into()));
    }
}

/// Applies what the handles ask for; returns whether a handle still exists.
fn take_controls<K: Clone>(
    session: &mut Session<Arc<Pending<K>>>,
    controls: &mut mpsc::UnboundedReceiver<Control>,
) -> bool {
    loop {
        match controls.try_recv() {
            Ok(control) => control.apply(session),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => {
                session.close(now());
                return false;
            }
        }
    }
}

/// Submits what waits, as far as there is room. While the session is not bound, submits fail at once.
fn take_submits<K: Clone>(session: &mut Session<Arc<Pending<K>>>, submits: &mut mpsc::Receiver<Submit<K>>) {
    while !session.is_ready() || session.room() > 0 {
        let Ok(submit) = submits.try_recv() else { return };
        submit.apply(session);
    }
}

/// What moved: octets that were written (`None`: earlier ones were flushed), and octets that were read.
struct Moved {
    wrote: Poll<io::Result<Option<usize>>>,
    read: Poll<io::Result<usize>>,
}

/// Writes and reads in one, so that neither waits for the other.
async fn move_octets<IO: AsyncRead + AsyncWrite, T: Clone>(
    mut io: Pin<&mut IO>,
    session: &Session<T>,
    flushed: bool,
    octets: &mut [u8],
) -> Moved {
    poll_fn(|context| {
        let output = session.output();
        let wrote = if !output.is_empty() {
            io.as_mut().poll_write(context, output).map_ok(Some)
        } else if !flushed {
            io.as_mut().poll_flush(context).map_ok(|()| None)
        } else {
            Poll::Pending
        };
        let mut buffer = ReadBuf::new(octets);
        let read = if session.wants_octets() {
            io.as_mut().poll_read(context, &mut buffer).map_ok(|()| buffer.filled().len())
        } else {
            Poll::Pending
        };
        if wrote.is_pending() && read.is_pending() {
            Poll::Pending
        } else {
            Poll::Ready(Moved { wrote, read })
        }
    })
    .await
}

/// Takes what moved into the session; returns whether all that was written has left.
async fn take_moved<IO: AsyncRead, T: Clone>(
    io: Pin<&mut IO>,
    session: &mut Session<T>,
    flushed: bool,
    octets: &mut [u8],
    moved: Moved,
) -> bool {
    let flushed = match moved.wrote {
        Poll::Pending => flushed,
        Poll::Ready(Ok(Some(count @ 1..))) => {
            session.wrote(count, now());
            false
        }
        Poll::Ready(Ok(None)) => true,
        Poll::Ready(failed) => {
            let why = failed.map_or_else(|error| error.to_string(), |_| "closed".to_owned());
            read_last(io, session, octets, moved.read).await;
            session.disconnected(why);
            return true;
        }
    };
    match moved.read {
        Poll::Pending => {}
        Poll::Ready(Ok(0)) => session.disconnected("the SMSC closed it".to_owned()),
        Poll::Ready(Ok(read)) => session.receive(&octets[..read], now()),
        Poll::Ready(Err(error)) => session.disconnected(error.to_string()),
    }
    flushed
}

/// Reads what has arrived when nothing can be written any more: answers among it say what the SMSC has.
async fn read_last<IO: AsyncRead, T: Clone>(
    mut io: Pin<&mut IO>,
    session: &mut Session<T>,
    octets: &mut [u8],
    read: Poll<io::Result<usize>>,
) {
    let until = Instant::now() + LAST_OCTETS;
    let mut arrived = match read {
        Poll::Ready(Ok(read)) => Some(read),
        Poll::Ready(Err(_)) => return,
        Poll::Pending => None,
    };
    while arrived != Some(0) {
        session.receive(&octets[..arrived.unwrap_or(0)], now());
        // It goes nowhere.
        session.wrote(session.output().len(), now());
        if !session.wants_octets() {
            return;
        }
        let next = poll_fn(|context| {
            let mut buffer = ReadBuf::new(octets);
            io.as_mut().poll_read(context, &mut buffer).map_ok(|()| buffer.filled().len())
        });
        let Ok(Ok(next)) = tokio::time::timeout_at(until, next).await else { return };
        arrived = Some(next);
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

impl Control {
    fn apply<T: Clone>(self, session: &mut Session<T>) {
        match self {
            Control::Answer { command, sequence, status } => session.answer(command, sequence, status, now()),
            Control::Close => session.close(now()),
        }
    }
}

impl<K: Clone> Submit<K> {
    fn apply(self, session: &mut Session<Arc<Pending<K>>>) {
        let Submit { pending, message, matters } = self;
        if pending.is_abandoned() {
            return;
        }
        if let Err(why) = session.submit(Arc::clone(&pending), message, matters, now()) {
            pending.resolve(Err(why.into()));
        }
    }
}
