//! One application: its flows, and what makes segments of them meanwhile.
//!
//! The newest flows are loose. When there are enough of them they become a segment; neighbouring segments of
//! like size become one; a segment with many late or removed rows is made anew. A build works on a copy; what
//! changes meanwhile in its range is noted, and done again on the new segments before they take their place.

use crate::flows::Flows;
use crate::limits::Limits;
use crate::query::language::Key;
use crate::record::Record;
use crate::segment::build::build;
use crate::segment::reader::Segment;
use crate::segment::rows::Rows;
use std::ops::{Bound, Range};
use std::sync::Arc;

/// Changes that a build is brought up to date with while everybody waits.
const LAST_CHANGES_MAX: usize = 64;

pub(crate) struct Application {
    name: String,
    limits: Limits,
    pub(crate) flows: Flows,
    under_way: Option<UnderWay>,
}

/// A build that is under way.
struct UnderWay {
    range: KeyRange,
    /// What changed in its range since it has its copy.
    changes: Vec<Change>,
}

/// The keys behind one (or from the start) up to another, that one included.
#[derive(Clone, Copy)]
struct KeyRange {
    after: Option<Key>,
    until: Key,
}

impl KeyRange {
    fn contains(&self, key: Key) -> bool {
        self.after.is_none_or(|after| after < key) && key <= self.until
    }
}

enum Change {
    Put(Record),
    Remove(Key),
    Erase(Key),
}

/// Segments that are to be made.
pub(crate) struct Build {
    name: String,
    limits: Limits,
    flows: Flows,
    /// The segments that they replace.
    segments: Range<usize>,
    range: KeyRange,
}

impl Application {
    pub(crate) fn new(name: String, limits: Limits, flows: Flows) -> Application {
        Application { name, limits, flows, under_way: None }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn note(&mut self, key: Key, change: impl FnOnce() -> Change) {
        if let Some(UnderWay { range, changes }) = &mut self.under_way
            && range.contains(key)
        {
            changes.push(change());
        }
    }

    /// Adds a flow or replaces what is known of it.
    pub(crate) fn put(&mut self, record: Record) {
        self.note(record.key, || Change::Put(record.clone()));
        self.flows.put(record);
    }

    /// Forgets a flow.
    pub(crate) fn remove(&mut self, key: Key) {
        self.note(key, || Change::Remove(key));
        self.flows.remove(key);
    }

    /// Forgets a flow, and with the next build and save everything that was kept of it.
    pub(crate) fn erase(&mut self, key: Key) {
        self.note(key, || Change::Erase(key));
        self.flows.erase(key);
    }

    /// Whether something is left of what was erased.
    pub(crate) fn has_erased(&self) -> bool {
        self.flows.segments.iter().any(|segment| segment.has_erased)
    }

    /// Whether [`Application::start_build`] should be called: there are many loose flows, or something is to
    /// be erased.
    pub(crate) fn needs_build(&self) -> bool {
        self.flows.loose.len() > self.limits.loose_rows + self.limits.seal_rows || self.has_erased()
    }

    /// What should be made next, if anything; changes in its range are noted from now on.
    pub(crate) fn start_build(&mut self) -> Option<Build> {
        let is_gone = |segment: &Segment| segment.removed() == segment.rows();
        if self.flows.segments.iter().any(is_gone) {
            Arc::make_mut(&mut self.flows.segments).retain(|segment| !is_gone(segment));
        }
        let (segments, until) = self.seal().or_else(|| self.merge()).or_else(|| self.renew())?;
        let before = segments.start.checked_sub(1);
        let range = KeyRange { after: before.map(|before| self.flows.segments[before].last), until };
        self.under_way = Some(UnderWay { range, changes: Vec::new() });
        let (name, limits, flows) = (self.name.clone(), self.limits, self.flows.clone());
        Some(Build { name, limits, flows, segments, range })
    }

    /// The flows behind all segments, less the newest.
    fn seal(&self) -> Option<(Range<usize>, Key)> {
        let count = self.flows.segments.len();
        let last = self.flows.segments.last().map_or(Bound::Unbounded, |last| Bound::Excluded(last.last));
        let behind = || self.flows.loose.range(last, Bound::Unbounded);
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
                let run = segments[..end].iter().rev().take_while(|segment| segment.rows() < size);
                let start = end - run.count();
                let fit = if end - start >= factor { self.fitting(&segments[start..end]) } else { 0 };
                if fit > 1 {
                    return Some((start..start + fit, segments[start + fit - 1].last));
                }
                end = start.min(end - 1);
            }
            size *= factor.max(2);
        }
        None
    }

    /// How many of these, from the oldest on, one segment may have.
    fn fitting(&self, segments: &[Segment]) -> usize {
        let weights = segments.iter().scan(0, |sum, segment| {
            *sum += segment.sizes().weight;
            Some(*sum)
        });
        weights.take_while(|sum| *sum < self.limits.segment_weight_max).count()
    }

    /// A segment of which something was erased, or many rows were removed or changed, or into whose range
    /// many came.
    fn renew(&self) -> Option<(Range<usize>, Key)> {
        let segments = &self.flows.segments;
        let late = |at: usize| {
            let before = at.checked_sub(1).map(|before| segments[before].last);
            let after = before.map_or(Bound::Unbounded, Bound::Excluded);
            self.flows.loose.range(after, Bound::Included(segments[at].last)).count()
        };
        let any_late = self.flows.loose.len() > self.limits.loose_rows;
        let at = (0..segments.len()).find(|at| {
            let segment = &segments[*at];
            segment.has_erased
                || 2 * segment.removed() > segment.rows()
                || segment.changed() > segment.rows()
                || any_late && late(*at) > self.limits.late_rows
        })?;
        Some((at..at + 1, segments[at].last))
    }

    /// Lets what was built take its place, up to date. Returns whether it did: if much changed since, that
    /// must be done by [`Changes::redo`] first.
    pub(crate) fn finish_build(&mut self, build: &Build, built: &mut Flows) -> bool {
        let Some(UnderWay { range, changes }) = &mut self.under_way else { return true };
        if changes.len() > LAST_CHANGES_MAX {
            return false;
        }
        let KeyRange { after, until } = *range;
        Changes(std::mem::take(changes)).redo(built);
        self.under_way = None;
        let new = built.segments.iter().cloned();
        Arc::make_mut(&mut self.flows.segments).splice(build.segments.clone(), new);
        let loose = Arc::make_mut(&mut self.flows.loose);
        loose.drain(after, until);
        built.loose.range(Bound::Unbounded, Bound::Unbounded).for_each(|record| loose.put(record.clone()));
        true
    }

    /// Takes what changed in the range of the build that is under way.
    pub(crate) fn take_changes(&mut self) -> Changes {
        let under_way = self.under_way.as_mut();
        Changes(under_way.map(|under_way| std::mem::take(&mut under_way.changes)).unwrap_or_default())
    }

    /// Makes segments of rows for an application that has none.
    pub(crate) fn load(&mut self, rows: Rows) {
        self.flows.segments = Arc::new(make(&self.name, &self.limits, rows));
    }
}

/// Changes to be done again.
pub(crate) struct Changes(Vec<Change>);

impl Changes {
    /// Does them on what was built.
    pub(crate) fn redo(self, built: &mut Flows) {
        for change in self.0 {
            match change {
                Change::Put(record) => built.put(record),
                Change::Remove(key) => built.remove(key),
                Change::Erase(key) => built.erase(key),
            }
        }
    }
}

impl Build {
    /// Makes the segments.
    pub(crate) fn run(&self) -> Flows {
        let rows = self.flows.rows(self.segments.clone(), self.range.after, self.range.until);
        let segments = Arc::new(make(&self.name, &self.limits, rows));
        Flows { segments, loose: Arc::default() }
    }
}

fn make(name: &str, limits: &Limits, rows: Rows) -> Vec<Segment> {
    let pieces = rows.into_pieces(limits.segment_weight_max).into_iter();
    pieces.map(|rows| Segment::new(build(&rows, name, limits.heavy_rows))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facet::Combination;
    use crate::record::Recipients;
    use uuid::Uuid;

    const LIMITS: Limits = Limits {
        loose_rows: 10,
        seal_rows: 20,
        late_rows: 5,
        merge_segments: 3,
        segment_weight_max: 1000,
        heavy_rows: 1000,
    };

    fn record(at: i64, number: u32) -> Record {
        Record {
            key: (at, Uuid::nil()),
            combination: Combination::from_number(number),
            recipients: Recipients::new(&[format!("+30{at}").into()]),
        }
    }

    fn application(limits: Limits) -> Application {
        Application::new("a".into(), limits, Flows::default())
    }

    /// Makes what is due until nothing is.
    fn build_all(application: &mut Application) -> usize {
        let mut builds = 0;
        while let Some(build) = application.start_build() {
            let mut built = build.run();
            assert!(application.finish_build(&build, &mut built));
            builds += 1;
        }
        builds
    }

    fn sizes(application: &Application) -> Vec<usize> {
        application.flows.segments.iter().map(Segment::rows).collect()
    }

    #[test]
    fn the_oldest_loose_flows_become_a_segment_when_there_are_enough() {
        let mut application = application(LIMITS);
        (0..30).for_each(|at| application.put(record(at, 0x101)));
        assert!(!application.needs_build() && application.start_build().is_none());
        application.put(record(30, 0x101));
        assert!(application.needs_build());
        assert_eq!(build_all(&mut application), 1);
        assert_eq!((sizes(&application), application.flows.loose.len()), (vec![21], 10));
        assert_eq!(application.flows.segments[0].last, (20, Uuid::nil()));
        assert!(!application.needs_build());
    }

    #[test]
    fn neighbours_of_like_size_become_one_segment() {
        let mut application = application(LIMITS);
        for at in 0..10 + 21 * 3 {
            application.put(record(at, 0x101));
            if application.needs_build() && application.flows.segments.len() < 2 {
                let build = application.start_build().unwrap();
                application.finish_build(&build, &mut build.run());
            }
        }
        assert_eq!(sizes(&application), [21, 21]);
        // The third of its size is made first; then three are one.
        assert_eq!(build_all(&mut application), 2);
        assert_eq!((sizes(&application), application.flows.loose.len()), (vec![63], 10));
    }

    #[test]
    fn a_merge_stays_below_the_largest_size() {
        let mut application = application(Limits { segment_weight_max: 50, ..LIMITS });
        let segment = |from: i64| {
            let mut rows = Rows::default();
            (from..from + 20).for_each(|at| rows.push(record(at, 0x101)));
            Segment::new(build(&rows, "a", 1000))
        };
        application.flows.segments = Arc::new([0, 20, 40].map(segment).into());
        // Three would weigh 60; two of them are one.
        assert_eq!(build_all(&mut application), 1);
        assert_eq!(sizes(&application), [40, 20]);
        let mut others = self::application(Limits { merge_segments: 4, ..LIMITS });
        others.flows.segments = Arc::new([0, 20, 40].map(segment).into());
        assert_eq!(build_all(&mut others), 0);
    }

    /// An application with one segment of 20 rows.
    fn sealed() -> Application {
        let mut application = application(LIMITS);
        let mut rows = Rows::default();
        (0..20).for_each(|at| rows.push(record(at * 10, 0x101)));
        application.load(rows);
        assert_eq!(sizes(&application), [20]);
        application
    }

    #[test]
    fn a_segment_is_made_anew_when_most_of_it_was_removed() {
        let mut application = sealed();
        (0..10).for_each(|at| application.remove((at * 10, Uuid::nil())));
        assert_eq!(build_all(&mut application), 0);
        application.remove((100, Uuid::nil()));
        assert_eq!(build_all(&mut application), 1);
        assert_eq!((sizes(&application), application.flows.segments[0].removed()), (vec![9], 0));
        (11..20).for_each(|at| application.remove((at * 10, Uuid::nil())));
        // Nothing needs to be made of a segment without rows.
        assert_eq!((build_all(&mut application), sizes(&application)), (0, vec![]));
    }

    #[test]
    fn a_segment_is_made_anew_when_much_of_it_changed() {
        let mut application = sealed();
        (0..20).for_each(|at| application.put(record(at * 10, 0x102)));
        assert_eq!((application.flows.segments[0].changed(), build_all(&mut application)), (20, 0));
        application.put(record(0, 0x101));
        assert_eq!(build_all(&mut application), 1);
        assert_eq!(application.flows.segments[0].changed(), 0);
    }

    #[test]
    fn a_segment_is_made_anew_when_many_come_late() {
        let mut application = sealed();
        (0..5).for_each(|at| application.put(record(at * 10 + 1, 0x101)));
        (0..6).for_each(|at| application.put(record(1000 + at, 0x101)));
        assert_eq!(build_all(&mut application), 0);
        application.put(record(189, 0x101));
        assert_eq!(build_all(&mut application), 1);
        assert_eq!((sizes(&application), application.flows.loose.len()), (vec![26], 6));
    }

    #[test]
    fn what_changes_during_a_build_is_done_again() {
        let mut application = sealed();
        application.erase((50, Uuid::nil()));
        assert!(application.needs_build() && application.has_erased());
        let build = application.start_build().unwrap();
        let mut built = build.run();
        // Behind the range of the build nothing is noted.
        (0..100).for_each(|at| application.put(record(1000 + at, 0x101)));
        application.put(record(0, 0x103));
        application.remove((190, Uuid::nil()));
        application.erase((100, Uuid::nil()));
        for _ in 0..LAST_CHANGES_MAX - 2 {
            application.put(record(10, 0x104));
        }
        assert!(!application.finish_build(&build, &mut built));
        application.take_changes().redo(&mut built);
        application.put(record(20, 0x105));
        for _ in 1..LAST_CHANGES_MAX {
            application.put(record(30, 0x106));
        }
        assert!(application.finish_build(&build, &mut built));
        let known = |at: i64| application.flows.get((at, Uuid::nil()));
        let facets = |number: u32| Combination::from_number(number).facets([].into());
        for (at, number) in [(0, 0x103), (10, 0x104), (20, 0x105), (30, 0x106), (1099, 0x101)] {
            assert_eq!(known(at).unwrap().status, facets(number).status, "{at}");
        }
        assert!([50, 100, 190].iter().all(|at| known(*at).is_none()));
        // What was erased meanwhile is still in the new segment.
        assert!(application.has_erased());
        assert_eq!(application.flows.len(), 17 + 100);
    }
}
