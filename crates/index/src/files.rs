//! The index on disk: a file for each segment, written once; a small one with what changed in it since; one an
//! application with its loose rows; and a manifest that names them. The manifest takes its place in one step, so
//! that the files are always those of one moment, and says up to which change of the store they are complete.

use crate::Index;
use crate::application::Application;
use crate::facet::Combination;
use crate::flows::Flows;
use crate::image::{Image, damaged};
use crate::loose::{Loose, Row};
use crate::segment::Segment;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::Bound;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// The manifest's name.
const MANIFEST: &str = "manifest";
/// The octets of a change in a patch: row, facets.
const CHANGE: usize = 8;

/// Why the files of an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There are none.
    #[error("there is no index yet")]
    Missing,
    /// They are of another store.
    #[error("the index belongs to another store")]
    Foreign,
    /// A file is not as it was written, or cannot be read.
    #[error("{}: {error}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
}

/// What was written, or read.
#[derive(Clone, Copy, Default, Debug)]
pub struct FilesReport {
    /// Up to which change of the store everything is in it.
    pub position: u64,
    /// Whose changes: the number of the life of the process that wrote to the store.
    pub writer: i64,
    /// Segments.
    pub segments: usize,
    /// Octets of all files.
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    identity: String,
    position: u64,
    /// Absent in files of version 0.1.
    #[serde(default)]
    writer: i64,
    applications: Vec<ApplicationFiles>,
}

#[derive(Serialize, Deserialize)]
struct ApplicationFiles {
    id: String,
    segments: Vec<SegmentFiles>,
    /// A segment of the loose rows.
    loose: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct SegmentFiles {
    image: String,
    patch: Option<String>,
}

/// What the directory has, so that nothing is written twice.
#[derive(Default)]
pub(crate) struct Written {
    /// The number of the next file.
    next: u64,
    /// By the address of a segment's bytes, which are kept so long.
    segments: HashMap<usize, WrittenSegment>,
}

#[derive(Clone)]
struct WrittenSegment {
    image: Arc<Image>,
    files: SegmentFiles,
    /// The segment's count of changes that its patch has.
    patched: usize,
}

fn address(image: &Arc<Image>) -> usize {
    Arc::as_ptr(image).addr()
}

impl Index {
    /// Writes what the directory does not have yet. Everything up to the store's change `position` must have been
    /// put before; what came later may be in it too. `writer` tells whose changes they are.
    ///
    /// # Errors
    /// Those of the file system; the files of before then stay as they were.
    pub fn save(
        &self,
        directory: &Path,
        identity: &str,
        writer: i64,
        position: u64,
    ) -> io::Result<FilesReport> {
        let mut written = self.written.lock();
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut manifest =
            Manifest { identity: identity.to_owned(), position, writer, applications: Vec::new() };
        let mut report = FilesReport { position, writer, ..FilesReport::default() };
        let mut kept = HashSet::new();
        let applications: Vec<_> = self.applications.read().values().cloned().collect();
        for application in applications {
            let (id, flows) = {
                let application = application.lock();
                (application.name.clone(), application.flows.clone())
            };
            let mut files = ApplicationFiles { id, segments: Vec::new(), loose: None };
            for segment in flows.segments.iter() {
                let known = match written.segments.get(&address(segment.image())).cloned() {
                    Some(known) => known,
                    None => write_segment(directory, &mut written.next, segment, &application)?,
                };
                let known = write_patch(directory, &mut written.next, segment, known)?;
                report.segments += 1;
                files.segments.push(known.files.clone());
                kept.insert(address(&known.image));
                // At once: where a later file can't be written, this one is not written again.
                written.segments.insert(address(&known.image), known);
            }
            if flows.loose.len() > 0 {
                let mut rows = crate::build::Rows::default();
                let loose = flows.loose.range(Bound::Unbounded, Bound::Unbounded);
                loose.for_each(|row| rows.push(row.key, row.combination, row.to.clone()));
                let image = rows.build(&files.id, usize::MAX);
                files.loose = Some(write(directory, &mut written.next, "loose", |out| image.write(out))?);
            }
            manifest.applications.push(files);
        }
        written.segments.retain(|address, _| kept.contains(address));
        let body = serde_json::to_vec(&manifest)?;
        let temporary = directory.join("manifest.new");
        let mut file = create(&temporary)?;
        writeln!(file, "{:016x}", xxh3_64(&body))?;
        file.write_all(&body)?;
        file.sync_all()?;
        fs::rename(&temporary, directory.join(MANIFEST))?;
        File::open(directory)?.sync_all()?;
        report.bytes = sweep(directory, &manifest)?;
        Ok(report)
    }

    /// Fills an empty index from files; everything is checked before it is used.
    ///
    /// # Errors
    /// When there are none, or those of another store, or damaged ones; then the index stays empty.
    pub fn read(&self, directory: &Path, identity: &str) -> Result<FilesReport, FilesError> {
        let manifest = read_manifest(directory)?;
        if manifest.identity != identity {
            return Err(FilesError::Foreign);
        }
        let mut report =
            FilesReport { position: manifest.position, writer: manifest.writer, ..FilesReport::default() };
        let mut written = Written::default();
        // Checking is reading every octet: half of the applications on each of two threads.
        let (odd, even): (Vec<_>, Vec<_>) =
            manifest.applications.iter().enumerate().partition(|(i, _)| i % 2 == 1);
        let read_all = |all: Vec<(usize, &ApplicationFiles)>| {
            all.into_iter()
                .map(|(_, files)| read_application(directory, files))
                .collect::<Result<Vec<_>, _>>()
        };
        let (odd, even) = std::thread::scope(|scope| {
            let odd = scope.spawn(|| read_all(odd));
            let even = read_all(even);
            (odd.join(), even)
        });
        let odd = odd.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let even = even?;
        let mut applications = self.applications.write();
        for (id, flows, segments) in even.into_iter().chain(odd) {
            report.segments += segments.len();
            for known in segments {
                written.next = written.next.max(number(&known.files.image) + 1);
                written.segments.insert(address(&known.image), known);
            }
            let mut application = Application::new(id.clone(), self.limits);
            application.flows = flows;
            applications.insert(id, Arc::new(Mutex::new(application)));
        }
        drop(applications);
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            written.next = written.next.max(number(&name.to_string_lossy()) + 1);
            report.bytes += entry.metadata().map_or(0, |file| file.len());
        }
        *self.written.lock() = written;
        Ok(report)
    }
}

/// What the files of an index have.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Up to which change of the store everything is in them.
    pub position: u64,
    /// In no order.
    pub applications: Vec<ApplicationStats>,
}

/// What the files of an application have.
#[derive(Clone, Default, Debug)]
pub struct ApplicationStats {
    /// Its id.
    pub id: String,
    /// Flows.
    pub flows: usize,
    /// Segments.
    pub segments: usize,
    /// Recipients; one that is in several segments counts for each.
    pub recipients: usize,
    /// Octets of its files.
    pub bytes: u64,
}

/// Describes the files of an index, after checking them.
///
/// # Errors
/// As those of [`Index::read`].
pub fn stats(directory: &Path) -> Result<Stats, FilesError> {
    let manifest = read_manifest(directory)?;
    let mut applications = Vec::new();
    for files in &manifest.applications {
        let (id, flows, segments) = read_application(directory, files)?;
        let recipients = flows.segments.iter().map(Segment::recipients).sum();
        let names = files.segments.iter().flat_map(|segment| [Some(&segment.image), segment.patch.as_ref()]);
        let names = names.chain([files.loose.as_ref()]).flatten();
        let bytes = names.filter_map(|name| fs::metadata(directory.join(name)).ok()).map(|file| file.len());
        applications.push(ApplicationStats {
            id,
            flows: flows.len(),
            segments: segments.len(),
            recipients,
            bytes: bytes.sum(),
        });
    }
    Ok(Stats { position: manifest.position, applications })
}

/// The number in a file's name.
fn number(name: &str) -> u64 {
    name.split('.').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Writes a new file under a name of its own.
fn write(
    directory: &Path,
    next: &mut u64,
    kind: &str,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<String> {
    let name = format!("{next:08}.{kind}");
    *next += 1;
    let mut out = BufWriter::with_capacity(1 << 20, create(&directory.join(&name))?);
    content(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(name)
}

/// Creates a file, for its owner alone: the index has the recipients of all flows.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Writes a segment, and lets the application use the file instead of its memory.
fn write_segment(
    directory: &Path,
    next: &mut u64,
    segment: &Segment,
    application: &Mutex<Application>,
) -> io::Result<WrittenSegment> {
    let name = write(directory, next, "segment", |out| segment.image().write(out))?;
    let image = Arc::new(Image::map(&File::open(directory.join(&name))?)?);
    let mut application = application.lock();
    for known in Arc::make_mut(&mut application.flows.segments) {
        if Arc::ptr_eq(known.image(), segment.image()) {
            known.use_image(Arc::clone(&image));
        }
    }
    Ok(WrittenSegment { image, files: SegmentFiles { image: name, patch: None }, patched: 0 })
}

/// Writes what changed in a segment since its file was made, unless that is written.
fn write_patch(
    directory: &Path,
    next: &mut u64,
    segment: &Segment,
    mut known: WrittenSegment,
) -> io::Result<WrittenSegment> {
    if segment.changed != known.patched {
        let changes = segment.changes();
        let octets = changes.iter().flat_map(|(row, combination)| {
            [row.to_le_bytes(), combination.number().to_le_bytes()].into_iter().flatten()
        });
        let octets: Vec<u8> = octets.collect();
        let name = write(directory, next, "patch", |out| {
            out.write_all(&xxh3_64(&octets).to_le_bytes())?;
            out.write_all(&octets)
        })?;
        known.files.patch = Some(name);
        known.patched = segment.changed;
    }
    Ok(known)
}

/// Deletes the files that a manifest does not name; answers the octets of the others.
fn sweep(directory: &Path, manifest: &Manifest) -> io::Result<u64> {
    let mut named: HashSet<&str> = HashSet::from([MANIFEST]);
    for application in &manifest.applications {
        named.extend(application.loose.as_deref());
        for segment in &application.segments {
            named.insert(&segment.image);
            named.extend(segment.patch.as_deref());
        }
    }
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
            bytes += entry.metadata()?.len();
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(bytes)
}

fn read_manifest(directory: &Path) -> Result<Manifest, FilesError> {
    let file = directory.join(MANIFEST);
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FilesError::Missing),
        Err(error) => return Err(FilesError::Damaged { file, error }),
    };
    let parse = || {
        let (sum, body) = text.split_at_checked(17).ok_or_else(|| damaged("it is too short"))?;
        if sum != format!("{:016x}\n", xxh3_64(body)).as_bytes() {
            return Err(damaged("its checksum is wrong"));
        }
        Ok(serde_json::from_slice(body)?)
    };
    parse().map_err(|error| FilesError::Damaged { file, error })
}

type ReadApplication = (String, Flows, Vec<WrittenSegment>);

fn read_application(directory: &Path, files: &ApplicationFiles) -> Result<ReadApplication, FilesError> {
    let within = |name: &str| {
        let file = directory.join(name);
        move |error| FilesError::Damaged { file, error }
    };
    let read_segment = |name: &str| -> io::Result<Segment> {
        Segment::read(Image::map(&File::open(directory.join(name))?)?, &files.id)
    };
    let (mut segments, mut written) = (Vec::new(), Vec::new());
    for known in &files.segments {
        let mut segment = read_segment(&known.image).map_err(within(&known.image))?;
        if let Some(patch) = &known.patch {
            read_patch(&directory.join(patch), &mut segment).map_err(within(patch))?;
        }
        written.push(WrittenSegment {
            image: Arc::clone(segment.image()),
            files: known.clone(),
            patched: segment.changed,
        });
        segments.push(segment);
    }
    let mut loose = Loose::default();
    if let Some(name) = &files.loose {
        let segment = read_segment(name).map_err(within(name))?;
        for row in (0..segment.len()).filter(|row| segment.combination(*row) != Combination::NONE) {
            loose.put(Row {
                key: segment.keys().get(row),
                combination: segment.combination(row),
                to: segment.texts_of(row),
            });
        }
    }
    let flows = Flows { segments: Arc::new(segments), loose: Arc::new(loose) };
    Ok((files.id.clone(), flows, written))
}

fn read_patch(file: &Path, segment: &mut Segment) -> io::Result<()> {
    let octets = fs::read(file)?;
    let (sum, octets) = octets.split_at_checked(8).ok_or_else(|| damaged("it is too short"))?;
    if sum != xxh3_64(octets).to_le_bytes() {
        return Err(damaged("its checksum is wrong"));
    }
    for change in octets.chunks_exact(CHANGE) {
        let number = |at: usize| u32::from_le_bytes(change[at..at + 4].try_into().unwrap_or_default());
        let (row, combination) = (number(0) as usize, Combination::from_number(number(4)));
        if row >= segment.len() || !segment.set_combination(row, combination) {
            return Err(damaged("it changes a row that is not there"));
        }
    }
    Ok(())
}
