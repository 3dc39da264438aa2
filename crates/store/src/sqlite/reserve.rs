//! Room on the disk that is kept aside: where the disk is full, flows can still be erased and tokens taken
//! with it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Octets kept aside.
const OCTETS: usize = 4 << 20;
/// Between two attempts to get the room back.
const RETRY: Duration = Duration::from_secs(1);

/// The file that takes the room.
pub(super) struct Reserve {
    /// None: no room is kept aside.
    path: Option<PathBuf>,
    /// The room was given away, and when it was last tried to get it back.
    spent: Option<Instant>,
}

impl Reserve {
    /// Beside the database; none where the store works in its caller's runtime.
    pub(super) fn beside(database: &Path, wanted: bool) -> Reserve {
        let path = wanted.then(|| database.with_extension("reserve"));
        let missing = path.as_ref().is_some_and(|path| !path.exists());
        let spent = missing.then(|| Instant::now().checked_sub(RETRY).unwrap_or_else(Instant::now));
        let mut reserve = Reserve { path, spent };
        reserve.restore();
        reserve
    }

    /// Whether the room was given away.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.is_some()
    }

    /// Gives the room away; answers whether there was any.
    pub(super) fn spend(&mut self) -> bool {
        let Some(path) = self.path.as_ref().filter(|_| self.spent.is_none()) else { return false };
        self.spent = Some(Instant::now());
        std::fs::remove_file(path).is_ok()
    }

    /// Takes the room again where it was given away and there is some.
    pub(super) fn restore(&mut self) {
        let (Some(path), Some(tried)) = (&self.path, self.spent) else { return };
        if tried.elapsed() < RETRY {
            return;
        }
        self.spent = match write(path) {
            Ok(()) => None,
            Err(_) => {
                let _ = std::fs::remove_file(path);
                Some(Instant::now())
            }
        };
    }
}

fn write(path: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let zeros = vec![0; 64 << 10];
    (0..OCTETS / zeros.len()).try_for_each(|_| file.write_all(&zeros))?;
    file.sync_all()
}
