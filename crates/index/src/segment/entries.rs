//! Entries: the recipients of all rows, in the order of rows. An entry has the number of its row while every
//! row has one recipient; the rows that have several shift those behind them.

use crate::partition::partition_point;
use crate::segment::ids::{Entry, Row};
use crate::segment::image::{Image, Section, Writer};

/// Which entries are which row's: collected while rows are gone through in their order.
pub(crate) struct EntriesWriter {
    rows: Vec<u32>,
    extras: Vec<u32>,
    /// Rows so far, and entries.
    row: u32,
    entry: u32,
}

impl EntriesWriter {
    pub(crate) fn new() -> EntriesWriter {
        EntriesWriter { rows: Vec::new(), extras: vec![0], row: 0, entry: 0 }
    }

    /// Adds the next row, with at least one recipient.
    pub(crate) fn add(&mut self, recipients: usize) {
        if recipients > 1 {
            self.rows.push(self.row);
            // The last one so far is now that before this row.
            self.extras.push(0);
        }
        self.row += 1;
        self.entry += recipients as u32;
        if let Some(last) = self.extras.last_mut() {
            *last = self.entry - self.row;
        }
    }

    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries { rows: &self.rows, extras: &self.extras }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.put(Section::SetRows, &self.rows);
        out.put(Section::SetExtras, &self.extras);
    }
}

/// Which entries are which row's.
#[derive(Clone, Copy)]
pub(crate) struct Entries<'a> {
    /// The rows with several recipients.
    rows: &'a [u32],
    /// How many entries more than rows there are before each of them, and before the end.
    extras: &'a [u32],
}

impl<'a> Entries<'a> {
    pub(crate) fn of(image: &'a Image) -> Entries<'a> {
        Entries { rows: image.integers(Section::SetRows), extras: image.integers(Section::SetExtras) }
    }

    /// The rows with several recipients.
    pub(crate) fn rows_with_several(&self) -> impl ExactSizeIterator<Item = Row> + use<'a> {
        self.rows.iter().map(|row| Row::new(*row as usize))
    }

    /// The row of an entry.
    pub(crate) fn row(&self, entry: Entry) -> Row {
        let entry = entry.get();
        let first = |at: usize| (self.rows[at] + self.extras[at]) as usize;
        let behind = partition_point(0..self.rows.len(), |at| first(at) <= entry);
        let Some(before) = behind.checked_sub(1) else { return Row::new(entry) };
        let row = self.rows[before] as usize;
        // Within the entries of that row, or behind them.
        Row::new(row.max(entry.saturating_sub(self.extras[behind] as usize)))
    }

    /// The first entry of a row; of the row behind the last one, the end of all entries.
    pub(crate) fn first(&self, row: Row) -> Entry {
        let at = partition_point(0..self.rows.len(), |at| (self.rows[at] as usize) < row.get());
        Entry::new(row.get() + self.extras[at] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_entries_lead_to_each_other() {
        let mut random = fastrand::Rng::with_seed(1);
        for several in [0, 1, 3] {
            let counts: Vec<usize> =
                (0..200).map(|_| 1 + random.usize(0..4) * random.usize(0..=several) / 3).collect();
            let mut writer = EntriesWriter::new();
            counts.iter().for_each(|count| writer.add(*count));
            let mut out = Writer::new();
            writer.write(&mut out);
            let image = out.finish();
            let entries = Entries::of(&image);
            let mut entry = 0;
            for (row, count) in counts.iter().enumerate() {
                assert_eq!(entries.first(Row::new(row)), Entry::new(entry));
                for _ in 0..*count {
                    assert_eq!(entries.row(Entry::new(entry)), Row::new(row));
                    assert_eq!(writer.entries().row(Entry::new(entry)), Row::new(row));
                    entry += 1;
                }
            }
            assert_eq!(entries.first(Row::new(counts.len())), Entry::new(entry));
            let known = (0..counts.len()).filter(|row| counts[*row] > 1).map(Row::new);
            assert!(entries.rows_with_several().eq(known));
        }
    }
}
