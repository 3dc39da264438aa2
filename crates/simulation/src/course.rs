//! What happened in a run, in order.

use std::fmt;

/// Lines of a course that are shown, the last ones.
const SHOWN_MAX: usize = 400;

/// What happened, each with the virtual time since the start, milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Course(Vec<(i64, String)>);

impl Course {
    /// Notes what happened at a time.
    pub fn note(&mut self, elapsed_ms: i64, what: String) {
        self.0.push((elapsed_ms, what));
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.0.len().saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            writeln!(f, "  ({hidden} lines before)")?;
        }
        for (elapsed_ms, what) in self.0.iter().skip(hidden) {
            let (seconds, ms) = (elapsed_ms / 1000, elapsed_ms % 1000);
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            writeln!(f, "  {hours}:{minutes:02}:{:02}.{ms:03}  {what}", seconds % 60)?;
        }
        Ok(())
    }
}
