//! The data directory: its owner's alone. It has the key that secrets are hashed and callbacks signed with,
//! and who was sent what.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Makes the data directory where there is none, for its owner alone. One that is there stays as it is.
///
/// # Errors
/// When it can't be made.
pub fn create_directory(data: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data)
}

/// Creates or opens a file in it for writing, for its owner alone.
///
/// # Errors
/// When it can't be created or opened.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The directory and the files in it that others than their owner may read or change.
fn open_to_others(data: &Path) -> Vec<PathBuf> {
    let is_open = |path: &PathBuf| {
        fs::symlink_metadata(path)
            .is_ok_and(|file| !file.is_symlink() && file.permissions().mode() & 0o077 != 0)
    };
    let within = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
    let files = within(data).chain(within(&data.join("index"))).map(|entry| entry.path());
    std::iter::once(data.to_owned()).chain(files).filter(is_open).collect()
}

/// Warns where others may read the data directory, as those that older versions made.
pub fn warn_of_others(data: &Path) {
    let open = open_to_others(data);
    if let [first, ..] = open.as_slice() {
        tracing::warn!(
            "others than their owner may read {} of the data directory's files, such as {}: run chmod -R go= {}",
            open.len(),
            first.display(),
            data.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_its_owners_and_what_is_open_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("a/data");
        create_directory(&data).unwrap();
        create_directory(&data.join("index")).unwrap();
        let files = [data.join("lock"), data.join("index/manifest")];
        for file in &files {
            create_file(file).unwrap();
        }
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
        for path in [&data, &files[0], &files[1]] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o744)).unwrap();
            assert_eq!(open_to_others(&data), std::slice::from_ref(path));
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        // Creating it again leaves it as its owner made it.
        fs::set_permissions(&data, fs::Permissions::from_mode(0o750)).unwrap();
        create_directory(&data).unwrap();
        assert_eq!(open_to_others(&data), [data]);
    }
}
