//! The sizes of an index's parts.

/// The sizes of an index's parts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Newest flows that stay loose, since others may come a little late.
    pub loose_rows: usize,
    /// Flows behind them that are made into a segment.
    pub seal_rows: usize,
    /// Flows that came too late for their segment, before it is made anew.
    pub late_rows: usize,
    /// Neighbouring segments of like size that are made into one.
    pub merge_segments: usize,
    /// Recipients of all rows together that a segment may have, at most 2^24 - 1.
    pub segment_weight_max: usize,
    /// Prefixes and suffixes with more rows in a segment get counts of their own; others are listed.
    pub heavy_rows: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            loose_rows: 1024,
            seal_rows: 4096,
            late_rows: 2048,
            merge_segments: 8,
            segment_weight_max: 16_000_000,
            heavy_rows: 65_536,
        }
    }
}
