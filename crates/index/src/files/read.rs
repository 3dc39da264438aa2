//! Reading the index from disk. Nothing is used before all of it is checked.

use crate::application::Application;
use crate::facet::Combination;
use crate::files::error::FilesError;
use crate::files::manifest::{ApplicationFiles, Manifest};
use crate::files::patch;
use crate::files::report::{ApplicationStats, FilesReport, Stats};
use crate::files::written::{Written, WrittenSegment};
use crate::flows::Flows;
use crate::index::Index;
use crate::loose::Loose;
use crate::record::Record;
use crate::segment::ids::Row;
use crate::segment::image::Image;
use crate::segment::reader::Segment;
use parking_lot::Mutex;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

impl Index {
    /// Fills an empty index from files; everything is checked before it is used.
    ///
    /// # Errors
    /// When there are none, or those of another store or format, or damaged ones; then the index stays empty.
    pub fn read(&self, directory: &Path, identity: &str) -> Result<FilesReport, FilesError> {
        let manifest = Manifest::read(directory)?;
        if manifest.identity != identity {
            return Err(FilesError::Foreign);
        }
        let read = read_applications(directory, &manifest.applications)?;
        let mut report = FilesReport { position: manifest.position, ..FilesReport::default() };
        let mut written = Written::default();
        let mut applications = self.applications.write();
        for ReadApplication { id, flows, segments } in read {
            report.segments += segments.len();
            segments.into_iter().for_each(|segment| written.put(segment));
            let application = Application::new(id.clone(), self.limits, flows);
            applications.insert(id, Arc::new(Mutex::new(application)));
        }
        drop(applications);
        let files = fs::read_dir(directory).into_iter().flatten().flatten();
        report.bytes = files.map(|entry| entry.metadata().map_or(0, |file| file.len())).sum();
        *self.written.lock() = written;
        Ok(report)
    }
}

/// Describes the files of an index, after checking them.
///
/// # Errors
/// As those of [`Index::read`].
pub fn stats(directory: &Path) -> Result<Stats, FilesError> {
    let manifest = Manifest::read(directory)?;
    let mut applications = Vec::new();
    for files in &manifest.applications {
        let ReadApplication { id, flows, segments } = read_application(directory, files)?;
        let lengths = files.names().filter_map(|name| fs::metadata(directory.join(name)).ok());
        applications.push(ApplicationStats {
            id,
            flows: flows.len(),
            segments: segments.len(),
            recipients: flows.segments.iter().map(|segment| segment.sizes().recipients).sum(),
            bytes: lengths.map(|file| file.len()).sum(),
        });
    }
    Ok(Stats { position: manifest.position, applications })
}

struct ReadApplication {
    id: String,
    flows: Flows,
    segments: Vec<WrittenSegment>,
}

/// Reads applications: checking is reading every octet, so each of two threads takes half of them.
fn read_applications(
    directory: &Path,
    applications: &[ApplicationFiles],
) -> Result<Vec<ReadApplication>, FilesError> {
    let read_every_other = |from: usize| {
        let mine = applications.iter().skip(from).step_by(2);
        mine.map(|files| read_application(directory, files)).collect::<Result<Vec<_>, _>>()
    };
    let (odd, even) = std::thread::scope(|scope| {
        let odd = scope.spawn(|| read_every_other(1));
        let even = read_every_other(0);
        (odd.join(), even)
    });
    let odd = odd.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let mut all = even?;
    all.extend(odd);
    Ok(all)
}

fn read_application(directory: &Path, files: &ApplicationFiles) -> Result<ReadApplication, FilesError> {
    let within = |name: &str| {
        let file = directory.join(name);
        move |source| FilesError::Damaged { file, source }
    };
    let read_segment = |name: &str| -> io::Result<Segment> {
        Segment::read(Image::map(&File::open(directory.join(name))?)?, &files.id)
    };
    let (mut segments, mut written) = (Vec::new(), Vec::new());
    for known in &files.segments {
        let mut segment = read_segment(&known.image).map_err(within(&known.image))?;
        if let Some(patch) = &known.patch {
            patch::apply(&directory.join(patch), &mut segment).map_err(within(patch))?;
        }
        let (image, files) = (Arc::clone(segment.image()), known.clone());
        written.push(WrittenSegment { image, files, patched: segment.changed() });
        segments.push(segment);
    }
    let mut loose = Loose::default();
    if let Some(name) = &files.loose {
        let segment = read_segment(name).map_err(within(name))?;
        for row in (0..segment.rows()).map(Row::new) {
            let combination = segment.combination(row);
            if combination != Combination::NONE {
                let recipients = segment.recipients_of(row);
                loose.put(Record { key: segment.keys().get(row), combination, recipients });
            }
        }
    }
    let flows = Flows { segments: Arc::new(segments), loose: Arc::new(loose) };
    Ok(ReadApplication { id: files.id.clone(), flows, segments: written })
}
