//! Positions in the change feed.

use std::collections::BTreeMap;

/// How far somebody has followed the change feed: for each writer the number of its last change that is
/// known. A writer is one life of a process that wrote to the database; it is drawn at random and never used
/// again. SQLite has one writer at a time, which takes over what those before it wrote: there a position has
/// one entry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position(BTreeMap<i64, u64>);

impl Position {
    /// Before every change.
    pub const START: Position = Position(BTreeMap::new());

    /// At a change of the only writer; `seq` is its number, 0 before the first one.
    pub fn of(writer: i64, seq: u64) -> Position {
        Position(BTreeMap::from([(writer, seq)]))
    }

    /// The only writer and the number of its last change; `None` at the start, or if there are several
    /// writers.
    pub fn single(&self) -> Option<(i64, u64)> {
        let mut entries = self.0.iter().map(|(writer, seq)| (*writer, *seq));
        entries.next().filter(|_| entries.next().is_none())
    }

    /// As octets, for whoever keeps it beside the database: of each entry the writer and the number,
    /// big-endian.
    pub fn to_octets(&self) -> Vec<u8> {
        let entries = self.0.iter();
        entries.flat_map(|(writer, seq)| [writer.to_be_bytes(), seq.to_be_bytes()].concat()).collect()
    }

    /// Reads what [`Position::to_octets`] wrote; `None` if it is something else.
    pub fn from_octets(octets: &[u8]) -> Option<Position> {
        let (entries, rest) = octets.as_chunks::<16>();
        let read = |entry: &[u8; 16]| {
            let (writer, seq) = entry.split_at(8);
            Some((i64::from_be_bytes(writer.try_into().ok()?), u64::from_be_bytes(seq.try_into().ok()?)))
        };
        let position: Option<BTreeMap<i64, u64>> = entries.iter().map(read).collect();
        position.filter(|_| rest.is_empty()).map(Position)
    }

    /// The number of a writer's last change that is known; 0 if none is.
    pub fn seq(&self, writer: i64) -> u64 {
        self.0.get(&writer).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_the_last_change_of_each_writer() {
        assert_eq!(Position::START.single(), None);
        let one = Position::of(7, 3);
        assert_eq!((one.single(), one.seq(7), one.seq(8)), (Some((7, 3)), 3, 0));
        let two = Position(BTreeMap::from([(7, 3), (8, 1)]));
        assert_eq!((two.single(), two.seq(8)), (None, 1));
        for position in [Position::START, Position::of(-7, u64::MAX), two] {
            assert_eq!(Position::from_octets(&position.to_octets()), Some(position));
        }
        assert_eq!(Position::from_octets(&[0; 17]), None);
    }
}
