//! Searching: what can be asked, how it is found in a segment, and how the answers of segments become one.

pub(crate) mod execution;
pub(crate) mod language;
pub(crate) mod merge;
pub(crate) mod part;
pub(crate) mod plan;
pub(crate) mod scan;
pub(crate) mod scope;
pub(crate) mod term;
