//! Writing the index to disk.

use crate::application::Application;
use crate::files::directory::Directory;
use crate::files::manifest::{ApplicationFiles, Manifest, POSITION_OCTETS_MAX, SegmentFiles};
use crate::files::patch;
use crate::files::report::FilesReport;
use crate::files::written::WrittenSegment;
use crate::index::Index;
use crate::loose::Loose;
use crate::segment::build::build;
use crate::segment::image::Image;
use crate::segment::reader::Segment;
use crate::segment::rows::Rows;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

impl Index {
    /// Writes what the directory does not have yet. Everything up to `position` of the store must have been
    /// put before; what came later may be in it too. A position is whatever the store tells positions by, of
    /// at most [`POSITION_OCTETS_MAX`] octets: the index only gives it back.
    ///
    /// # Errors
    /// Those of the file system, and a position of too many octets; the files of before then stay as they
    /// were.
    pub fn save(&self, directory: &Path, identity: &str, position: &[u8]) -> io::Result<FilesReport> {
        if position.len() > POSITION_OCTETS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the position has too many octets"));
        }
        let mut written = self.written.lock();
        let mut directory = Directory::open(directory)?;
        let mut manifest = Manifest::new(identity, position);
        let mut report = FilesReport { position: position.into(), ..FilesReport::default() };
        let mut kept = HashSet::new();
        let applications: Vec<_> = self.applications.read().values().cloned().collect();
        for application in applications {
            let (id, flows) = {
                let application = application.lock();
                (application.name().to_owned(), application.flows.clone())
            };
            let mut files = ApplicationFiles { id, segments: Vec::new(), loose: None };
            for segment in flows.segments.iter() {
                let mut known = match written.get(segment.image()) {
                    Some(known) => known,
                    None => write_segment(&mut directory, segment, &application)?,
                };
                write_patch(&mut directory, segment, &mut known)?;
                report.segments += 1;
                files.segments.push(known.files.clone());
                kept.insert(known.files.image.clone());
                // At once: if a later file can't be written, this one is not written again.
                written.put(known);
            }
            if flows.loose.len() > 0 {
                files.loose = Some(write_loose(&mut directory, &flows.loose, &files.id)?);
            }
            manifest.applications.push(files);
        }
        written.keep(&kept);
        report.bytes = manifest.write(&directory)?;
        Ok(report)
    }
}

/// Writes a segment, and lets the application use the file instead of its memory.
fn write_segment(
    directory: &mut Directory<'_>,
    segment: &Segment,
    application: &Mutex<Application>,
) -> io::Result<WrittenSegment> {
    let name = directory.write("segment", |out| segment.image().write(out))?;
    let image = Arc::new(Image::map(&File::open(directory.file(&name))?)?);
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
    directory: &mut Directory<'_>,
    segment: &Segment,
    known: &mut WrittenSegment,
) -> io::Result<()> {
    if segment.changed() != known.patched {
        let content = patch::content(segment);
        known.files.patch = Some(directory.write("patch", |out| out.write_all(&content))?);
        known.patched = segment.changed();
    }
    Ok(())
}

/// Writes loose flows, at least one, as a segment without a trie.
fn write_loose(directory: &mut Directory<'_>, loose: &Loose, application: &str) -> io::Result<String> {
    let mut rows = Rows::default();
    loose.range(Bound::Unbounded, Bound::Unbounded).for_each(|record| rows.push(record.clone()));
    let image = build(&rows, application, usize::MAX);
    directory.write("loose", |out| image.write(out))
}
