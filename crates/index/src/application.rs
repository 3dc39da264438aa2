//! One application: its flows, and what makes segments of them meanwhile.
//!
//! The newest rows are loose. When there are enough of them they become a segment; eight neighbouring segments of
//! like size become one; a segment with many late or removed rows is made anew. Making one works on a copy; what
//! changes meanwhile in its range is noted, and done again on the new segment before it takes its place.

use crate::Limits;
use crate::build::Rows;
use crate::flows::Flows;
use crate::loose::Row;
use crate::query::Key;
use crate::segment::Segment;
use std::ops::{Bound, Range};
use std::sync::Arc;

pub(crate) struct Application {
    pub(crate) name: String,
    limits: Limits,
    pub(crate) flows: Flows,
    under_way: Option<UnderWay>,
}

/// A segment is being made.
struct UnderWay {
    /// Behind this key (or from the start),
    after: Option<Key>,
    /// up to this one,
    until: Key,
    /// this is what changed since.
    noted: Vec<Change>,
}

enum Change {
    Put(Row),
    Remove(Key),
    Erase(Key),
}

/// What is to be made into segments.
pub(crate) struct Job {
    name: String,
    limits: Limits,
    flows: Flows,
    segments: Range<usize>,
    after: Option<Key>,
    until: Key,
}

impl Application {
    pub(crate) fn new(name: String, limits: Limits) -> Application {
        Application { name, limits, flows: Flows::default(), under_way: None }
    }

    fn note(&mut self, key: Key, change: impl FnOnce() -> Change) {
        if let Some(UnderWay { after, until, noted }) = &mut self.under_way
            && after.is_none_or(|after| after < key)
            && key <= *until
        {
            noted.push(change());
        }
    }

    pub(crate) fn put(&mut self, row: Row) {
        self.note(row.key, || Change::Put(row.clone()));
        self.flows.put(row);
    }

    pub(crate) fn remove(&mut self, key: Key) {
        self.note(key, || Change::Remove(key));
        self.flows.remove(key);
    }

    pub(crate) fn erase(&mut self, key: Key) {
        self.note(key, || Change::Erase(key));
        self.flows.erase(key);
    }

    /// Whether something is left of what was erased.
    pub(crate) fn is_erasing(&self) -> bool {
        self.flows.segments.iter().any(|segment| segment.erases)
    }

    /// Whether [`Application::plan`] should be asked: there are many loose rows, or something is to be erased.
    pub(crate) fn is_untidy(&self) -> bool {
        self.flows.loose.len() > self.limits.loose_rows + self.limits.seal_rows || self.is_erasing()
    }

    /// What should be made next; changes in its range are noted from now on.
    pub(crate) fn plan(&mut self) -> Option<Job> {
        let gone = |segment: &Segment| segment.dead == segment.len();
        if self.flows.segments.iter().any(gone) {
            Arc::make_mut(&mut self.flows.segments).retain(|segment| !gone(segment));
        }
        let (segments, until) = self.seal().or_else(|| self.merge()).or_else(|| self.renew())?;
        let before = segments.start.checked_sub(1);
        let after = before.map(|before| self.flows.segments[before].last);
        self.under_way = Some(UnderWay { after, until, noted: Vec::new() });
        let (name, limits, flows) = (self.name.clone(), self.limits, self.flows.clone());
        Some(Job { name, limits, flows, segments, after, until })
    }

    /// The rows behind all segments, less the newest.
    fn seal(&self) -> Option<(Range<usize>, Key)> {
        let count = self.flows.segments.len();
        let last = self.flows.segments.last().map(|segment| segment.last);
        let behind =
            || self.flows.loose.range(last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let sealed = behind().count().checked_sub(self.limits.loose_rows)?;
        if sealed <= self.limits.seal_rows {
            return None;
        }
        Some((count..count, behind().nth(sealed - 1)?.key))
    }

    /// Neighbours of like size.
    fn merge(&self) -> Option<(Range<usize>, Key)> {
        let segments = &self.flows.segments;
        let factor = self.limits.merge_segments;
        let mut size = self.limits.seal_rows.max(1) * 2;
        while size < self.limits.segment_weight_max {
            let mut end = segments.len();
            while end > 0 {
                let run = segments[..end].iter().rev().take_while(|segment| segment.len() < size);
                let start = end - run.count();
                if end - start >= factor {
                    // As many of them, from the oldest on, as one segment may have.
                    let weights = segments[start..end].iter().scan(0, |sum, segment| {
                        *sum += segment.weight();
                        Some(*sum)
                    });
                    let fit = weights.take_while(|sum| *sum < self.limits.segment_weight_max).count();
                    if fit > 1 {
                        return Some((start..start + fit, segments[start + fit - 1].last));
                    }
                }
                end = start.min(end - 1);
            }
            size *= factor.max(2);
        }
        None
    }

    /// A segment of which something was erased, or many rows were removed or changed, or into whose range many came.
    fn renew(&self) -> Option<(Range<usize>, Key)> {
        let segments = &self.flows.segments;
        let late = |at: usize| {
            let after =
                at.checked_sub(1).map_or(Bound::Unbounded, |before| Bound::Excluded(segments[before].last));
            self.flows.loose.range(after, Bound::Included(segments[at].last)).count()
        };
        let any_late = self.flows.loose.len() > self.limits.loose_rows;
        let at = (0..segments.len()).find(|at| {
            let segment = &segments[*at];
            segment.erases
                || 2 * segment.dead > segment.len()
                || segment.changed > segment.len()
                || any_late && late(*at) > self.limits.late_rows
        })?;
        Some((at..at + 1, segments[at].last))
    }

    /// Brings what was made up to date, at most a few changes while this is locked; false when more came.
    pub(crate) fn finish(&mut self, job: &Job, made: &mut Flows) -> bool {
        const FEW: usize = 64;
        let Some(UnderWay { after, until, noted }) = &mut self.under_way else { return true };
        if noted.len() > FEW {
            return false;
        }
        let (after, until) = (*after, *until);
        catch_up(made, std::mem::take(noted));
        self.under_way = None;
        let new = made.segments.iter().cloned();
        Arc::make_mut(&mut self.flows.segments).splice(job.segments.clone(), new);
        let loose = Arc::make_mut(&mut self.flows.loose);
        loose.drain(after, until);
        made.loose.range(Bound::Unbounded, Bound::Unbounded).for_each(|row| loose.put(row.clone()));
        true
    }

    /// What changed since the last time.
    pub(crate) fn noted(&mut self) -> Noted {
        Noted(
            self.under_way.as_mut().map(|under_way| std::mem::take(&mut under_way.noted)).unwrap_or_default(),
        )
    }

    /// Makes segments of rows for an application that has none.
    pub(crate) fn load(&mut self, rows: Rows) {
        self.flows.segments = Arc::new(build(&self.name, &self.limits, rows));
    }
}

/// Changes to be done again.
pub(crate) struct Noted(Vec<Change>);

impl Noted {
    /// Does them on what was made.
    pub(crate) fn catch_up(self, made: &mut Flows) {
        catch_up(made, self.0);
    }
}

fn catch_up(made: &mut Flows, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Put(row) => made.put(row),
            Change::Remove(key) => made.remove(key),
            Change::Erase(key) => made.erase(key),
        }
    }
}

fn build(name: &str, limits: &Limits, rows: Rows) -> Vec<Segment> {
    let pieces = rows.into_pieces(limits.segment_weight_max).into_iter().filter(|rows| rows.len() > 0);
    pieces.map(|rows| Segment::new(rows.build(name, limits.heavy_rows))).collect()
}

impl Job {
    /// Makes the segments.
    pub(crate) fn make(&self) -> Flows {
        let rows = self.flows.rows(self.segments.clone(), self.after, self.until);
        let segments = Arc::new(build(&self.name, &self.limits, rows));
        Flows { segments, loose: Arc::default() }
    }
}
