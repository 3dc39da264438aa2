//! A segment: an image, which is some sections of octets, the same in memory and on disk. Each structure has
//! one file here, which writes and reads its sections.

pub(crate) mod build;
pub(crate) mod count_tables;
pub(crate) mod counts;
pub(crate) mod digit_sequence;
pub(crate) mod entries;
pub(crate) mod ids;
pub(crate) mod image;
pub(crate) mod keys;
pub(crate) mod numbers;
pub(crate) mod ordinal_set;
pub(crate) mod overlay;
pub(crate) mod packed;
pub(crate) mod postings;
pub(crate) mod prefetch;
pub(crate) mod reader;
pub(crate) mod recipients;
pub(crate) mod rows;
pub(crate) mod sizes;
pub(crate) mod slots;
pub(crate) mod suffixes;
pub(crate) mod texts;
pub(crate) mod trie;
