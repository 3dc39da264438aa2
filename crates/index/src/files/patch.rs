//! A patch: which rows of a segment have other facets since its file was written. A checksum, then row and
//! facets of each, in four octets each.

use crate::facet::Combination;
use crate::segment::ids::Row;
use crate::segment::image::damaged;
use crate::segment::reader::Segment;
use std::fs;
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The octets of a change.
const CHANGE: usize = 8;

/// The content of a patch: what changed in a segment since its image was made.
pub(crate) fn content(segment: &Segment) -> Vec<u8> {
    let changes = segment.changes().into_iter().flat_map(|(row, combination)| {
        [row.get() as u32, combination.number()].into_iter().flat_map(u32::to_le_bytes)
    });
    let changes: Vec<u8> = changes.collect();
    let mut content = xxh3_64(&changes).to_le_bytes().to_vec();
    content.extend_from_slice(&changes);
    content
}

/// Changes a segment as a patch says.
///
/// # Errors
/// When the file cannot be read, or is not as it was written.
pub(crate) fn apply(file: &Path, segment: &mut Segment) -> io::Result<()> {
    let content = fs::read(file)?;
    let (sum, changes) = content.split_at_checked(8).ok_or_else(|| damaged("it is too short"))?;
    if sum != xxh3_64(changes).to_le_bytes() {
        return Err(damaged("its checksum is wrong"));
    }
    for change in changes.chunks_exact(CHANGE) {
        let number = |at: usize| u32::from_le_bytes(change[at..at + 4].try_into().unwrap_or_default());
        let (row, combination) = (Row::new(number(0) as usize), Combination::from_number(number(4)));
        if row.get() >= segment.rows() || !segment.set_combination(row, combination) {
            return Err(damaged("it changes a row that is not there"));
        }
    }
    Ok(())
}
