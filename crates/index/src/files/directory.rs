//! The directory of an index. Each file has a number of its own in its name, and is written once.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directory of an index, to write new files to.
pub(crate) struct Directory<'a> {
    path: &'a Path,
    /// The number of the next file.
    next: u64,
}

impl<'a> Directory<'a> {
    /// The directory with a path, a new one if absent.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn open(path: &'a Path) -> io::Result<Directory<'a>> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mut next = 0;
        for entry in fs::read_dir(path)? {
            next = next.max(number(&entry?.file_name().to_string_lossy()) + 1);
        }
        Ok(Directory { path, next })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a new file under a name of its own, and returns the name.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(
        &mut self,
        kind: &str,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<String> {
        let name = format!("{:08}.{kind}", self.next);
        self.next += 1;
        let mut out = BufWriter::with_capacity(1 << 20, create(&self.file(&name))?);
        content(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(name)
    }

    /// Writes a file that takes the place of the one with its name, in one step.
    ///
    /// # Errors
    /// Those of the file system; the file of before then stays as it was.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let temporary = self.file(&format!("{name}.new"));
        let mut file = create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, self.file(name))?;
        File::open(self.path)?.sync_all()
    }

    /// Deletes the files that are not named, and returns the octets of the others.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn sweep(&self, is_named: impl Fn(&str) -> bool) -> io::Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(self.path)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&is_named) {
                bytes += entry.metadata()?.len();
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(bytes)
    }
}

/// The number in a file's name.
fn number(name: &str) -> u64 {
    name.split('.').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Creates a file, for its owner alone: the index has the recipients of all flows.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_their_owners_and_have_new_numbers() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a").join("b");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let mut directory = Directory::open(&path).unwrap();
        assert_eq!(
            (mode(&path), directory.write("kind", |_| Ok(())).unwrap()),
            (0o700, "00000000.kind".into())
        );
        fs::write(path.join("00000041.other"), b"12345").unwrap();
        let mut directory = Directory::open(&path).unwrap();
        let name = directory.write("kind", |out| out.write_all(b"123")).unwrap();
        assert_eq!((mode(&directory.file(&name)), &*name), (0o600, "00000042.kind"));
        assert_eq!(directory.write("kind", |_| Ok(())).unwrap(), "00000043.kind");
        directory.replace("name", b"content").unwrap();
        assert_eq!(fs::read(path.join("name")).unwrap(), b"content");
        assert_eq!(directory.sweep(|known| known == name || known == "name").unwrap(), 10);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    }
}
