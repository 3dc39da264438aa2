//! What the writer does for its callers: a job inside a transaction, which can be done again, and an answer
//! once it is committed.

use crate::error::{Result, StoreError};
use crate::work::{Need, Outcome, Work};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// A caller's work and its answer.
pub(crate) trait Job: Send {
    /// Does it. It is done again if this run is void.
    fn run(&mut self, work: &mut Work<'_>) -> Outcome<()>;

    /// Reports to the caller what came of it, or why nothing did.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);

    /// What it is about.
    fn subject(&self) -> &Subject;
}

/// What a job is about.
#[derive(Default)]
pub(crate) struct Subject {
    /// The flow, if it is one's, and the time, Unix milliseconds: a flow that fails again and again is set
    /// aside.
    pub(crate) flow: Option<(Uuid, i64)>,
    /// Octets that it will write, about.
    pub(crate) octets: usize,
    /// It may use the room that is kept aside for a full disk.
    pub(crate) urgent: bool,
    /// What it will look up for certain.
    pub(crate) need: Option<Need>,
    /// Its place among what waits; given back with the answer.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// What an event writes, about, octets: most flows are small, and a few large ones fill a group soon enough.
const EVENT_OCTETS: usize = 1024;

impl Subject {
    /// An event, of a flow that is known.
    pub(crate) fn event(flow: Option<(Uuid, i64)>, need: Option<Need>) -> Subject {
        Subject { flow, octets: EVENT_OCTETS, need, ..Subject::default() }
    }

    /// Something that is done although the disk is full.
    pub(crate) fn urgent() -> Subject {
        Subject { urgent: true, ..Subject::default() }
    }
}

/// A job and what its caller waits for.
pub(crate) fn job<T, F>(subject: Subject, work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: FnMut(&mut Work<'_>) -> Outcome<Result<T>> + Send + 'static,
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
    F: FnMut(&mut Work<'_>) -> Outcome<Result<T>> + Send,
{
    fn run(&mut self, work: &mut Work<'_>) -> Outcome<()> {
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
