//! The bytes of a segment: named sections behind a table with their places and checksums. The same bytes lie
//! in memory and on disk; integers are little-endian.

use bytemuck::{AnyBitPattern, NoUninit};
use std::io::{self, Write};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// Changes with every change of the format.
const MAGIC: [u8; 8] = *b"SwbkIdx2";
/// Sections start at multiples of it, so that each can be read as integers in place.
const ALIGNMENT: usize = 64;

/// The sections of a segment, in their order. Each is written and read by the one file that is named before
/// it.
#[derive(Clone, Copy)]
pub(crate) enum Section {
    /// The application's id.
    Application,
    /// [`crate::segment::sizes`]
    Sizes,
    /// [`crate::segment::keys`]
    KeyHead,
    Keys,
    /// [`crate::segment::recipients`]
    To,
    SetStarts,
    SetMembers,
    /// [`crate::segment::entries`]
    SetRows,
    SetExtras,
    /// [`crate::segment::numbers`]
    Blocks,
    Planes,
    /// [`crate::segment::texts`]
    TextStarts,
    Texts,
    /// [`crate::segment::suffixes`]
    BySuffix,
    /// [`crate::segment::postings`]
    PostingSamples,
    PostingCounts,
    PostingLong,
    PostingRows,
    /// [`crate::segment::trie`]
    PrefixNodes,
    PrefixDigits,
    PrefixSamples,
    SuffixNodes,
    SuffixDigits,
    SuffixSamples,
    /// [`crate::segment::count_tables`]
    Combinations,
    Slots,
    Low,
    Middle,
    High,
}

const SECTIONS: usize = Section::High as usize + 1;
/// Magic, checksum of the rest, then offset, length and checksum of each section.
const HEADER: usize = 16 + SECTIONS * 24;

/// Collects sections.
pub(crate) struct Writer {
    sections: Vec<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer { sections: vec![Vec::new(); SECTIONS] }
    }

    /// Sets a section.
    pub(crate) fn put<T: NoUninit>(&mut self, section: Section, values: &[T]) {
        self.sections[section as usize] = bytemuck::cast_slice(values).to_vec();
    }

    /// Sets a section of octets.
    pub(crate) fn put_bytes(&mut self, section: Section, bytes: Vec<u8>) {
        self.sections[section as usize] = bytes;
    }

    /// The image, in memory.
    pub(crate) fn finish(self) -> Image {
        let mut ranges = [(); SECTIONS].map(|()| 0..0);
        let mut end = HEADER.next_multiple_of(ALIGNMENT);
        for (range, section) in ranges.iter_mut().zip(&self.sections) {
            *range = end..end + section.len();
            end = range.end.next_multiple_of(ALIGNMENT);
        }
        let mut words = vec![0u64; end / 8];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        // Each section is given up as soon as it is copied.
        for (range, section) in ranges.iter().zip(self.sections) {
            bytes[range.clone()].copy_from_slice(&section);
        }
        Image { bytes: Bytes::Memory(words), ranges }
    }
}

enum Bytes {
    Memory(Vec<u64>),
    Mapped(memmap2::Mmap),
}

/// A segment's bytes.
pub(crate) struct Image {
    bytes: Bytes,
    ranges: [Range<usize>; SECTIONS],
}

impl Image {
    /// Maps a file. Nothing of it is trusted before every checksum is right.
    ///
    /// # Errors
    /// When it cannot be read, or its bytes are not those that were written.
    pub(crate) fn map(file: &std::fs::File) -> io::Result<Image> {
        // SAFETY: files of the index are written once, synced before anybody maps them, and never changed
        // afterwards; the data directory is locked by the process that writes. Somebody who changes them
        // regardless changes what searches find, or ends the process where the file became shorter, as with
        // every mapped file.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(file)? };
        let ranges = check(&map)?;
        Ok(Image { bytes: Bytes::Mapped(map), ranges })
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Memory(words) => bytemuck::cast_slice(words),
            Bytes::Mapped(map) => map,
        }
    }

    /// Writes it all, with checksums.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut table = Vec::with_capacity(HEADER - 16);
        for range in &self.ranges {
            let sum = xxh3_64(&self.bytes()[range.clone()]);
            for value in [range.start as u64, range.len() as u64, sum] {
                table.extend_from_slice(&value.to_le_bytes());
            }
        }
        out.write_all(&MAGIC)?;
        out.write_all(&xxh3_64(&table).to_le_bytes())?;
        out.write_all(&table)?;
        out.write_all(&self.bytes()[HEADER..])
    }

    /// A section's octets.
    pub(crate) fn section(&self, section: Section) -> &[u8] {
        &self.bytes()[self.ranges[section as usize].clone()]
    }

    /// A section's integers.
    pub(crate) fn integers<T: AnyBitPattern>(&self, section: Section) -> &[T] {
        // Sections are aligned and were written from such integers.
        bytemuck::cast_slice(self.section(section))
    }
}

/// The error of bytes that are not as they were written.
pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The places of the sections, once everything is seen to be as it was written.
fn check(bytes: &[u8]) -> io::Result<[Range<usize>; SECTIONS]> {
    let header = bytes.get(..HEADER).ok_or_else(|| damaged("it is shorter than its header"))?;
    if header[..8] != MAGIC {
        return Err(damaged("it is no segment of this version"));
    }
    let number = |at: usize| {
        let octets = header.get(at..at + 8).and_then(|octets| octets.try_into().ok()).unwrap_or_default();
        u64::from_le_bytes(octets)
    };
    if xxh3_64(&header[16..]) != number(8) {
        return Err(damaged("the checksum of its header is wrong"));
    }
    let mut ranges = [(); SECTIONS].map(|()| 0..0);
    for (i, range) in ranges.iter_mut().enumerate() {
        let at = 16 + i * 24;
        let (start, len) = (number(at) as usize, number(at + 8) as usize);
        *range = start..start.saturating_add(len);
        let section = bytes.get(range.clone()).ok_or_else(|| damaged("it is shorter than its sections"))?;
        if start % ALIGNMENT != 0 || xxh3_64(section) != number(at + 16) {
            return Err(damaged("the checksum of a section is wrong"));
        }
    }
    Ok(ranges)
}
