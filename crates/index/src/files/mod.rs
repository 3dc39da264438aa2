//! The index on disk: a file for each segment, written once; a small one with what changed in it since; one
//! an application with its loose flows; and a manifest that names them. The manifest takes its place in one
//! step, so that the files are always those of one moment, and says up to which position of the store they
//! are complete.

pub(crate) mod directory;
pub(crate) mod error;
pub(crate) mod manifest;
pub(crate) mod patch;
pub(crate) mod read;
pub(crate) mod report;
pub(crate) mod save;
pub(crate) mod written;
