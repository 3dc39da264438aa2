//! What the directory has, so that nothing is written twice.

use crate::files::manifest::SegmentFiles;
use crate::segment::image::Image;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The segments that have files.
#[derive(Default)]
pub(crate) struct Written {
    /// By the address of their images, which no other image can have while they are kept here.
    segments: HashMap<usize, WrittenSegment>,
}

/// A segment that has files.
#[derive(Clone)]
pub(crate) struct WrittenSegment {
    pub(crate) image: Arc<Image>,
    pub(crate) files: SegmentFiles,
    /// The segment's count of changes that its patch has.
    pub(crate) patched: usize,
}

fn address(image: &Arc<Image>) -> usize {
    Arc::as_ptr(image).addr()
}

impl Written {
    /// The files of the segment with an image.
    pub(crate) fn get(&self, image: &Arc<Image>) -> Option<WrittenSegment> {
        self.segments.get(&address(image)).cloned()
    }

    pub(crate) fn put(&mut self, segment: WrittenSegment) {
        self.segments.insert(address(&segment.image), segment);
    }

    /// Leaves only these files' segments.
    pub(crate) fn keep(&mut self, names: &HashSet<String>) {
        self.segments.retain(|_, segment| names.contains(&segment.files.image));
    }
}
