//! What the writer does for its callers: a piece of work inside a transaction, which can be done again where that
//! transaction failed because of somebody else's, and an answer once it is committed.

use super::work::Work;
use crate::error::{Result, StoreError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// A caller's work and its answer.
pub(super) trait Job: Send {
    /// Does it inside the transaction. An error is the transaction's: it is rolled back.
    fn run(&mut self, work: &mut Work<'_>) -> rusqlite::Result<()>;

    /// Tells the caller what came of it, or why nothing did.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);

    /// What it is about.
    fn subject(&self) -> &Subject;
}

/// What a job is about.
#[derive(Default)]
pub(super) struct Subject {
    /// The flow, where it is one's, and the time, Unix milliseconds: who fails again and again is set aside.
    pub(super) flow: Option<(Uuid, i64)>,
    /// Octets that it will write, about.
    pub(super) octets: usize,
    /// It is done with the room that is kept aside where the disk is full.
    pub(super) urgent: bool,
    /// Its place among what waits; given back with the answer.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// What an event writes, about, octets: most flows are small, and a few large ones fill a group soon enough.
const EVENT_OCTETS: usize = 1024;

impl Subject {
    /// An event, of a flow that is known.
    pub(super) fn event(flow: Option<(Uuid, i64)>) -> Subject {
        Subject { flow, octets: EVENT_OCTETS, ..Subject::default() }
    }

    /// What is done where the disk is full as well.
    pub(super) fn urgent() -> Subject {
        Subject { urgent: true, ..Subject::default() }
    }
}

/// A job and what its caller waits for.
pub(super) fn job<T, F>(subject: Subject, work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: FnMut(&mut Work<'_>) -> rusqlite::Result<Result<T>> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Typed { work, result: None, reply, subject }), answer)
}

/// A job with the type of its answer.
struct Typed<T, F> {
    work: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    subject: Subject,
}

impl<T, F> Job for Typed<T, F>
where
    T: Send,
    F: FnMut(&mut Work<'_>) -> rusqlite::Result<Result<T>> + Send,
{
    fn run(&mut self, work: &mut Work<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.work)(work)?);
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let Typed { result, reply, .. } = *self;
        let result = match failure {
            Some(error) => Err(error.clone()),
            None => result.unwrap_or_else(|| Err(StoreError::unavailable("it was not done"))),
        };
        // A caller that went away needs no answer.
        let _ = reply.send(result);
    }

    fn subject(&self) -> &Subject {
        &self.subject
    }
}
