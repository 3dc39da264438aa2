//! The recipients of each row: an ordinal, or the number of a set of them. Equal sets are kept once.

use crate::segment::ids::{Ordinal, Row};
use crate::segment::image::{Image, Section, Writer};
use crate::segment::packed::{get24, pack24};
use std::collections::HashMap;

/// Collects the recipients of rows, in the order of rows.
pub(crate) struct RecipientsWriter {
    /// Distinct recipients; the numbers of sets go on behind them.
    recipients: u32,
    to: Vec<u32>,
    starts: Vec<u32>,
    members: Vec<u32>,
    numbers: HashMap<Box<[u32]>, u32>,
}

impl RecipientsWriter {
    pub(crate) fn new(recipients: usize, rows: usize) -> RecipientsWriter {
        RecipientsWriter {
            recipients: recipients as u32,
            to: Vec::with_capacity(rows),
            starts: vec![0],
            members: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// Adds the next row's ordinals: distinct, at least one.
    pub(crate) fn add(&mut self, ordinals: &[u32]) {
        let to = if let [ordinal] = ordinals { *ordinal } else { self.recipients + self.set(ordinals) };
        self.to.push(to);
    }

    /// The number of a set.
    fn set(&mut self, ordinals: &[u32]) -> u32 {
        let mut members = ordinals.to_vec();
        members.sort_unstable();
        let next = self.numbers.len() as u32;
        *self.numbers.entry(members.into_boxed_slice()).or_insert_with_key(|members| {
            self.members.extend_from_slice(members);
            self.starts.push(self.members.len() as u32);
            next
        })
    }

    pub(crate) fn write(self, out: &mut Writer) {
        out.put_bytes(Section::To, pack24(self.to.into_iter()));
        out.put(Section::SetStarts, &self.starts);
        out.put(Section::SetMembers, &self.members);
    }
}

/// The recipients of each row.
#[derive(Clone, Copy)]
pub(crate) struct RowRecipients<'a> {
    recipients: usize,
    to: &'a [u8],
    starts: &'a [u32],
    members: &'a [u32],
}

/// A row's recipients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum To {
    /// One.
    One(Ordinal),
    /// Several: the number of their set.
    Set(usize),
}

impl<'a> RowRecipients<'a> {
    pub(crate) fn of(image: &'a Image, recipients: usize) -> RowRecipients<'a> {
        RowRecipients {
            recipients,
            to: image.section(Section::To),
            starts: image.integers(Section::SetStarts),
            members: image.integers(Section::SetMembers),
        }
    }

    /// A row's recipients.
    pub(crate) fn get(&self, row: Row) -> To {
        let to = get24(self.to, row.get());
        to.checked_sub(self.recipients).map_or(To::One(Ordinal::new(to)), To::Set)
    }

    /// How many different sets there are.
    pub(crate) fn sets(&self) -> usize {
        self.starts.len() - 1
    }

    /// The recipients of a set.
    pub(crate) fn set(&self, number: usize) -> impl Iterator<Item = Ordinal> + use<'a> {
        let members = &self.members[self.starts[number] as usize..self.starts[number + 1] as usize];
        members.iter().map(|ordinal| Ordinal::new(*ordinal as usize))
    }

    /// Calls `each` with a row's recipients.
    pub(crate) fn each(&self, row: Row, each: impl FnMut(Ordinal)) {
        match self.get(row) {
            To::One(ordinal) => std::iter::once(ordinal).for_each(each),
            To::Set(number) => self.set(number).for_each(each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_recipients_and_equal_sets_are_kept_once() {
        let rows: [&[u32]; 6] = [&[3], &[9, 2], &[0], &[2, 9], &[1, 2, 3], &[9]];
        let mut writer = RecipientsWriter::new(10, rows.len());
        rows.iter().for_each(|row| writer.add(row));
        let mut out = Writer::new();
        writer.write(&mut out);
        let image = out.finish();
        let recipients = RowRecipients::of(&image, 10);
        assert_eq!(recipients.sets(), 2);
        for (at, row) in rows.iter().enumerate() {
            let mut found = Vec::new();
            recipients.each(Row::new(at), |ordinal| found.push(ordinal.get() as u32));
            let mut sorted = row.to_vec();
            sorted.sort_unstable();
            assert_eq!(found, sorted);
        }
        let to = |row: usize| recipients.get(Row::new(row));
        assert_eq!(
            (to(0), to(1), to(3), to(4)),
            (To::One(Ordinal::new(3)), To::Set(0), To::Set(0), To::Set(1))
        );
        assert_eq!(recipients.set(1).map(Ordinal::get).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
