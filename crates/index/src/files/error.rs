//! Why the files of an index cannot be used.

use std::io;
use std::path::PathBuf;

/// Why the files of an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There are none: nothing was saved yet.
    #[error("there is no index yet")]
    Missing,
    /// They are of another store: its identity is not the one that was saved.
    #[error("the index belongs to another store")]
    Foreign,
    /// They were written by a version with another format. Nothing is wrong with them.
    #[error("the index has format {found}, and this version reads and writes format {expected}")]
    OtherFormat {
        /// Theirs.
        found: u32,
        /// That of this version.
        expected: u32,
    },
    /// A file is not as it was written, or cannot be read.
    #[error("{}: {source}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}
