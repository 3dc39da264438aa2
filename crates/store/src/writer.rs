//! The one writer: takes what waits, does it in one transaction, commits once, then answers everybody.

use crate::batch::{Batch, Removal};
use crate::cache::Stored;
use crate::database::{Database, Failure};
use crate::error::StoreError;
use crate::failures::Failures;
use crate::feed::{Change, Observer};
use crate::job::Job;
use crate::names::Names;
use crate::position::Position;
use crate::upkeep::Cutoffs;
use crate::wanted::{Found, Wanted};
use crate::work::{Context, Stop, Work, plan};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Most jobs in one transaction, and octets that they write: bounds how long the first of them waits for the
/// last.
const GROUP_MAX: usize = 512;
const GROUP_OCTETS_MAX: usize = 16 << 20;
/// Look-ups before the first run: a job that needs something that depends on what it found has two.
const PLANS_MAX: usize = 3;
/// Runs of one transaction: each but the last one missed something. The longest chain that one job can have
/// is that of a late answer: its flow, the recipient's unanswered parts, their flows, the early receipts, and
/// the other parts that then are answered. A group can have a longer one, where its jobs build on each other;
/// halves of it have not.
const RUNS_MAX: usize = 10;

/// What the writer is asked to do.
pub(crate) enum Command {
    /// Do this.
    Do(Box<dyn Job>),
    /// Forget what is too old, at most so much of each kind.
    Forget {
        cutoffs: Cutoffs,
        limit: usize,
        /// Gets whether there is more.
        done: oneshot::Sender<Result<bool, StoreError>>,
    },
    /// End after what came before.
    Close {
        /// Gets word when that is done.
        closed: oneshot::Sender<()>,
    },
}

type Group = Vec<Box<dyn Job>>;

/// A batch that was committed, until a poll shows it.
struct Committed {
    /// The number of its last change in the feed.
    seq: u64,
    puts: Vec<Stored>,
    removals: Vec<Removal>,
}

pub(crate) struct Writer<D> {
    database: D,
    context: Arc<Context>,
    observer: Observer,
    position: Position,
    /// Own commits that no poll has shown yet, in their order.
    committed: VecDeque<Committed>,
    /// Consecutive failed commits; only the first and the recovery are logged.
    failed: u64,
    failures: Failures,
    /// Jobs that failed by themselves in the transaction under way, and why.
    doomed: Vec<(Box<dyn Job>, StoreError)>,
    names: Names,
}

impl<D: Database> Writer<D> {
    /// A writer that has everything up to `position`.
    pub(crate) fn new(
        database: D,
        context: Arc<Context>,
        observer: Observer,
        position: Position,
    ) -> Writer<D> {
        Writer {
            database,
            context,
            observer,
            position,
            committed: VecDeque::new(),
            failed: 0,
            failures: Failures::default(),
            doomed: Vec::new(),
            names: Names::default(),
        }
    }

    /// Works until it is closed, or nobody is left who could ask for something.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        while let Some(first) = inbox.recv().await {
            if let Some(last) = self.take_group(first, &mut inbox).await
                && self.finish(last).await
            {
                return;
            }
        }
    }

    /// Does what waits, up to a command that is no job; returns that.
    async fn take_group(&mut self, first: Command, inbox: &mut mpsc::Receiver<Command>) -> Option<Command> {
        let (mut group, mut octets): (Group, usize) = (Vec::new(), 0);
        let mut next = Some(first);
        let mut last = None;
        while let Some(command) = next.take() {
            match command {
                Command::Do(job) => {
                    octets += job.subject().octets;
                    group.push(job);
                }
                other => {
                    last = Some(other);
                    break;
                }
            }
            if group.len() >= GROUP_MAX || octets >= GROUP_OCTETS_MAX {
                break;
            }
            next = inbox.try_recv().ok();
        }
        self.commit(group).await;
        last
    }

    /// Does what is no job; returns whether it was the last thing. What comes after a close is dropped, which
    /// its callers see.
    async fn finish(&mut self, command: Command) -> bool {
        match command {
            Command::Do(job) => self.commit(vec![job]).await,
            Command::Forget { cutoffs, limit, done } => {
                let result = if self.database.is_full() {
                    Err(StoreError::Full)
                } else {
                    self.database.forget_old(&cutoffs, limit).await.map_err(error_of)
                };
                // A caller that went away needs no answer.
                let _ = done.send(result);
            }
            Command::Close { closed } => {
                self.database.close().await;
                let _ = closed.send(());
                return true;
            }
        }
        false
    }

    /// Commits a group. If one of it can't be done, the others are done without it.
    async fn commit(&mut self, group: Group) {
        let mut groups = vec![group];
        while let Some(mut group) = groups.pop() {
            if self.database.is_full() {
                // The room that is left is for what makes room, and for who has to get in.
                group = refuse(group, |job| !job.subject().urgent, &StoreError::Full);
            }
            if group.is_empty() {
                continue;
            }
            let attempted = self.attempt(&mut group).await;
            if attempted.is_err() {
                // What was looked up is void, and what follows has transactions of its own.
                self.database.release().await;
            }
            for (job, error) in std::mem::take(&mut self.doomed) {
                let about = job.subject().flow;
                let flow = about.map(|(id, _)| id);
                tracing::error!(%error, ?flow, "a job failed by itself; nothing of it was stored");
                self.note_failure(about, &error).await;
                job.answer(Some(&error));
            }
            match attempted {
                Ok(()) => {
                    self.follow().await;
                    group.into_iter().for_each(|job| job.answer(None));
                }
                Err(Failure::Part(_)) if group.len() > 1 => {
                    // Someone's trouble is its own: halves find it in few steps.
                    let second = group.split_off(group.len() / 2);
                    groups.extend([second, group]);
                }
                Err(Failure::Full)
                    if group.iter().any(|job| job.subject().urgent) && self.database.make_room() =>
                {
                    groups.push(group);
                }
                Err(failure) => self.fail(group, failure).await,
            }
        }
    }

    /// Does a group in one transaction, and leaves those out that fail by themselves.
    async fn attempt(&mut self, group: &mut Group) -> Result<(), Failure> {
        let mut found = self.plan(group).await?;
        for _ in 0..RUNS_MAX {
            let tables = self.database.tables();
            let mut work = Work::new(&self.context, tables, &found);
            let mut failed = Vec::new();
            for (at, job) in group.iter_mut().enumerate() {
                if let Err(Stop::Failed(error)) = job.run(&mut work) {
                    failed.push((at, error));
                }
            }
            if !failed.is_empty() {
                for (at, error) in failed.into_iter().rev() {
                    self.doomed.push((group.remove(at), error));
                }
                continue;
            }
            match work.finish().map_err(Failure::Part)? {
                Ok(batch) => return self.write(batch).await,
                Err(wanted) => found.extend(self.database.look_up(&wanted).await?),
            }
        }
        Err(Failure::Part(StoreError::unavailable("it depends on more than can be looked up at once")))
    }

    /// Looks up what the jobs of a group will need for certain.
    async fn plan(&mut self, group: &mut Group) -> Result<Found, Failure> {
        let mut found = Found::default();
        let tables = self.database.tables();
        for _ in 0..PLANS_MAX {
            let mut wanted = Wanted::default();
            for need in group.iter().filter_map(|job| job.subject().need.as_ref()) {
                plan(need, &self.context, tables, &found, &mut wanted);
            }
            if wanted.is_empty() {
                break;
            }
            found.extend(self.database.look_up(&wanted).await?);
        }
        Ok(found)
    }

    /// Writes a batch.
    async fn write(&mut self, mut batch: Batch) -> Result<(), Failure> {
        if batch.is_empty() {
            self.database.release().await;
            return Ok(());
        }
        let seq = self.database.commit(&mut batch).await?;
        let puts = batch.puts.into_iter().map(|put| put.stored).collect();
        self.committed.push_back(Committed { seq, puts, removals: batch.removals });
        Ok(())
    }

    /// Follows the feed: what a poll shows reaches the cache, the queue and the observer, in this order.
    async fn follow(&mut self) {
        if self.failed > 0 {
            tracing::warn!(failed = self.failed, "commits succeed again");
            self.failed = 0;
        }
        if self.committed.is_empty() {
            return;
        }
        let poll = self.database.poll(&self.position).await;
        let seen = poll.position.seq(self.context.writer);
        self.position = poll.position;
        while let Some(committed) = self.committed.pop_front_if(|committed| committed.seq <= seen) {
            self.publish(committed);
        }
    }

    /// Brings the cache and the queue up with a commit, and the observer.
    fn publish(&mut self, Committed { puts, removals, .. }: Committed) {
        self.failures.forget(puts.iter().map(|stored| &stored.flow.id));
        let shared = &self.context.shared;
        let mut changes = Vec::with_capacity(puts.len() + removals.len());
        for stored in puts {
            let flow = Arc::clone(&stored.flow);
            // The cache before the queue: who claims a task finds its flow as it is now.
            shared.cache.lock().put(flow.id, stored);
            shared.owe(&flow);
            changes.push(Change::put(&flow, self.names.shared(&flow.application)));
        }
        for Removal { stored: Stored { flow, .. }, erased } in removals {
            shared.cache.lock().pop(&flow.id);
            shared.disown(&flow.id);
            changes.push(Change::removed(&flow, self.names.shared(&flow.application), erased));
        }
        (self.observer)(&changes, &self.position);
    }

    /// Answers a group that could not be committed.
    async fn fail(&mut self, group: Group, failure: Failure) {
        if let Failure::Part(error) = &failure {
            // It is alone: a group would have been halved.
            let about = group.first().and_then(|job| job.subject().flow);
            self.note_failure(about, error).await;
        }
        let error = error_of(failure);
        if self.failed == 0 {
            tracing::error!(%error, "a commit failed; nothing of it was stored");
        }
        self.failed += 1;
        refuse(group, |_| true, &error);
    }

    /// A job failed by itself. A flow for which that happens again and again is set aside.
    async fn note_failure(&mut self, about: Option<(Uuid, i64)>, error: &StoreError) {
        let Some((flow, now_ms)) = about.filter(|(flow, _)| self.failures.note(*flow)) else { return };
        let reason = match error {
            StoreError::Unavailable(cause) => cause.to_string(),
            other => other.to_string(),
        };
        match self.database.set_aside(flow, now_ms, &reason).await {
            Ok(()) => {
                tracing::error!(%flow, reason, "a flow that can't be changed or stored was set aside");
                metrics::counter!("switchback_flows_quarantined_total").increment(1);
                let shared = &self.context.shared;
                shared.quarantined.lock().insert(flow);
                shared.cache.lock().pop(&flow);
                shared.disown(&flow);
            }
            Err(error) => tracing::error!(%flow, %error, "a flow could not be set aside"),
        }
    }
}

/// What a caller hears of a failure.
fn error_of(failure: Failure) -> StoreError {
    match failure {
        Failure::Part(error) | Failure::Whole(error) => error,
        Failure::Full => StoreError::Full,
    }
}

/// Answers those of a group that `whom` says with an error; returns the others.
fn refuse(group: Group, whom: impl Fn(&dyn Job) -> bool, error: &StoreError) -> Group {
    let (refused, others): (Group, Group) = group.into_iter().partition(|job| whom(&**job));
    refused.into_iter().for_each(|job| job.answer(Some(error)));
    others
}
