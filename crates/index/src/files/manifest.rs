//! The manifest: which files are those of one moment, and what they are complete up to.

use crate::files::directory::Directory;
use crate::files::error::FilesError;
use crate::segment::image::damaged;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The manifest's name.
const MANIFEST: &str = "manifest";
/// Changes with every change of a file's format. Files of another one are made anew.
const FORMAT: u32 = 2;
/// The most octets that a position may have.
pub const POSITION_OCTETS_MAX: usize = 1024;

#[derive(Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// Of the store.
    pub(crate) identity: String,
    /// Up to where the store's changes are in the files.
    pub(crate) position: Box<[u8]>,
    pub(crate) applications: Vec<ApplicationFiles>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ApplicationFiles {
    pub(crate) id: String,
    pub(crate) segments: Vec<SegmentFiles>,
    /// A segment of the loose flows.
    pub(crate) loose: Option<String>,
}

impl ApplicationFiles {
    /// The names of all files.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let of_segments =
            self.segments.iter().flat_map(|segment| [Some(&segment.image), segment.patch.as_ref()]);
        of_segments.chain([self.loose.as_ref()]).flatten().map(String::as_str)
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SegmentFiles {
    pub(crate) image: String,
    pub(crate) patch: Option<String>,
}

/// What a manifest of any format has. Those before the second did not name theirs.
#[derive(Deserialize)]
struct AnyFormat {
    #[serde(default = "first_format")]
    format: u32,
}

const fn first_format() -> u32 {
    1
}

impl Manifest {
    pub(crate) fn new(identity: &str, position: &[u8]) -> Manifest {
        Manifest {
            format: FORMAT,
            identity: identity.to_owned(),
            position: position.into(),
            applications: Vec::new(),
        }
    }

    /// Lets the manifest take its place, and deletes the files that it does not name. Returns the octets
    /// of the others.
    ///
    /// # Errors
    /// Those of the file system; the manifest of before then stays as it was.
    pub(crate) fn write(&self, directory: &Directory<'_>) -> io::Result<u64> {
        let body = serde_json::to_vec(self)?;
        let mut content = format!("{:016x}\n", xxh3_64(&body)).into_bytes();
        content.extend_from_slice(&body);
        directory.replace(MANIFEST, &content)?;
        let named: HashSet<&str> = self.applications.iter().flat_map(ApplicationFiles::names).collect();
        directory.sweep(|name| name == MANIFEST || named.contains(name))
    }

    /// Reads the manifest of a directory.
    ///
    /// # Errors
    /// When there is none, or it is damaged or of another format.
    pub(crate) fn read(directory: &Path) -> Result<Manifest, FilesError> {
        let file = directory.join(MANIFEST);
        let content = match fs::read(&file) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FilesError::Missing),
            Err(source) => return Err(FilesError::Damaged { file, source }),
        };
        let damage = |source| FilesError::Damaged { file: file.clone(), source };
        let body = body_of(&content).map_err(damage)?;
        let json = |error: serde_json::Error| damage(error.into());
        let AnyFormat { format } = serde_json::from_slice(body).map_err(json)?;
        if format != FORMAT {
            return Err(FilesError::OtherFormat { found: format, expected: FORMAT });
        }
        serde_json::from_slice(body).map_err(json)
    }
}

/// What stands behind the checksum.
fn body_of(content: &[u8]) -> io::Result<&[u8]> {
    let (sum, body) = content.split_at_checked(17).ok_or_else(|| damaged("it is too short"))?;
    if sum != format!("{:016x}\n", xxh3_64(body)).as_bytes() {
        return Err(damaged("its checksum is wrong"));
    }
    Ok(body)
}
