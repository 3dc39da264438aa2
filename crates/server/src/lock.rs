//! One process works on a data directory.

use crate::data;
use anyhow::{Context, anyhow};
use std::fs::File;
use std::path::Path;

/// Keeps a data directory from other processes, until it is dropped.
pub struct Lock {
    _directory: File,
    _file: File,
}

/// Makes the data directory ours.
///
/// # Errors
/// When it is another process's.
pub fn lock(data: &Path) -> anyhow::Result<Lock> {
    // The directory itself, which nobody can take away from under us; versions up to 0.1 lock the file.
    let directory = locked(data, File::open(data))?;
    let path = data.join("lock");
    let file = locked(data, data::create_file(&path))?;
    Ok(Lock { _directory: directory, _file: file })
}

fn locked(data: &Path, file: std::io::Result<File>) -> anyhow::Result<File> {
    let file = file.with_context(|| format!("opening what locks {}", data.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(anyhow!("another server runs on the data directory {}", data.display()))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", data.display()))
        }
    }
}
