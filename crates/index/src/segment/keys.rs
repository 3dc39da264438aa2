//! The keys of a segment's rows. A UUIDv7 repeats the creation time and has six fixed bits, so that time and
//! id fit into 14 octets; other ids are kept as they are.

use crate::query::language::Key;
use crate::segment::ids::Row;
use crate::segment::image::{Image, Section, Writer};
use std::ops::Range;
use uuid::Uuid;

/// Bits of a UUIDv7 that its time and its version do not tell.
const RANDOM_BITS: u32 = 74;
/// The octets of a short key: 38 bits of milliseconds since the first key, then the random ones.
const SHORT: usize = 14;
/// The octets of a long key: the time, then the id.
const LONG: usize = 24;
/// Sampling interval of row times, so that a binary search stays in the processor's cache.
const SAMPLE: usize = 1024;
/// How many rows a key is usually away from where it should be.
const NEAR: usize = 8;
/// What stands before the samples: the first key's time, and 1 where keys are short.
const HEAD: usize = 2;

/// The bits of an id that a short key keeps, if the rest of it follows from its time.
fn shorten((ms, id): Key, base_ms: i64) -> Option<u128> {
    let bits = id.as_u128();
    let random = (bits >> 64 & 0xfff) << 62 | bits & ((1 << 62) - 1);
    let delta = ms.checked_sub(base_ms).filter(|delta| (0..1 << 38).contains(delta))?;
    let short = (delta as u128) << RANDOM_BITS | random;
    (lengthen(short, base_ms) == (ms, id)).then_some(short)
}

fn lengthen(short: u128, base_ms: i64) -> Key {
    let ms = base_ms + (short >> RANDOM_BITS) as i64;
    let (high, low) = (short >> 62 & 0xfff, short & ((1 << 62) - 1));
    let bits = (ms as u128 & 0xffff_ffff_ffff) << 80 | 7 << 76 | high << 64 | 2 << 62 | low;
    (ms, Uuid::from_u128(bits))
}

/// Writes ascending keys, at least one.
pub(crate) fn write(out: &mut Writer, keys: &[Key]) {
    let base_ms = keys[0].0;
    let short: Option<Vec<u128>> = keys.iter().map(|key| shorten(*key, base_ms)).collect();
    let mut head = vec![base_ms, i64::from(short.is_some())];
    head.extend(keys.iter().step_by(SAMPLE).map(|(ms, _)| *ms));
    let mut bytes: Vec<u8> = match short {
        Some(short) => short.iter().flat_map(|key| key.to_le_bytes().into_iter().take(SHORT)).collect(),
        None => keys
            .iter()
            .flat_map(|(ms, id)| ms.to_le_bytes().into_iter().chain(id.as_u128().to_le_bytes()))
            .collect(),
    };
    // A short key is read as 16 octets.
    bytes.extend([0; 16 - SHORT]);
    out.put(Section::KeyHead, &head);
    out.put_bytes(Section::Keys, bytes);
}

/// The keys of an image.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    head: &'a [i64],
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Keys<'a> {
    pub(crate) fn of(image: &'a Image, rows: usize) -> Keys<'a> {
        Keys { head: image.integers(Section::KeyHead), bytes: image.section(Section::Keys), len: rows }
    }

    /// The key of a row.
    pub(crate) fn get(&self, row: Row) -> Key {
        self.at(row.get())
    }

    fn at(&self, row: usize) -> Key {
        let octets = |at: usize| u128::from_le_bytes(self.bytes[at..at + 16].try_into().unwrap_or_default());
        let (base_ms, is_short) = (self.head[0], self.head[1] != 0);
        if is_short {
            let short = octets(row * SHORT) & ((1 << (8 * SHORT)) - 1);
            return lengthen(short, base_ms);
        }
        let at = row * LONG;
        let ms = i64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap_or_default());
        (ms, Uuid::from_u128(octets(at + 8)))
    }

    /// The first row whose key is not less than `key`; behind the last one if all are less.
    pub(crate) fn lower_bound(&self, key: Key) -> Row {
        let samples = &self.head[HEAD..];
        // The samples of earlier times are less, those of later times are not; some between may be equal.
        let from = samples.partition_point(|ms| *ms < key.0);
        let until = from + samples[from..].partition_point(|ms| *ms <= key.0);
        let before = from.saturating_sub(1);
        let mut range: Range<usize> = before * SAMPLE..(until * SAMPLE).min(self.len);
        let middle = |range: &Range<usize>| (range.start + range.end) / 2;
        // Rows come about evenly between two samples, and each look elsewhere may be a read from memory: the
        // first one is where the key should be, the next ones move away from there.
        let (mut at, mut step) = (middle(&range), NEAR);
        if let (Some(first), Some(behind)) = (samples.get(before), samples.get(until))
            && from != 0
        {
            let share = (key.0 as f64 - *first as f64) / (*behind as f64 - *first as f64);
            at = range.start + (share * range.len() as f64) as usize;
        }
        while range.start < range.end {
            let next = if self.at(at) < key {
                range.start = at + 1;
                range.start + step
            } else {
                range.end = at;
                range.end.saturating_sub(step)
            };
            step *= 2;
            at = if range.contains(&next) { next } else { middle(&range) };
        }
        Row::new(range.start)
    }

    /// The row with a key.
    pub(crate) fn find(&self, key: Key) -> Option<Row> {
        let row = self.lower_bound(key);
        (row.get() < self.len && self.get(row) == key).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_whatever_their_ids() {
        let mut random = fastrand::Rng::with_seed(1);
        let v7 = |random: &mut fastrand::Rng| {
            let ms = random.i64(1_700_000_000_000..1_700_000_000_900);
            let bytes = random.u128(..).to_be_bytes();
            let bytes = bytes[..10].try_into().unwrap();
            (ms, uuid::Builder::from_unix_timestamp_millis(ms as u64, &bytes).into_uuid())
        };
        let any = |random: &mut fastrand::Rng| (random.i64(-300..300), Uuid::from_u128(random.u128(..)));
        for (short, len) in [(true, 1), (true, 5000), (false, 1), (false, 5000)] {
            let key = |random: &mut fastrand::Rng| if short { v7(random) } else { any(random) };
            let mut keys: Vec<Key> = (0..len).map(|_| key(&mut random)).collect();
            keys.sort_unstable();
            let mut out = Writer::new();
            write(&mut out, &keys);
            let image = out.finish();
            let octets = if short { SHORT } else { LONG };
            assert_eq!(image.section(Section::Keys).len(), len * octets + 16 - SHORT);
            let packed = Keys::of(&image, len);
            for (row, known) in keys.iter().enumerate() {
                assert_eq!((packed.at(row), packed.find(*known)), (*known, Some(Row::new(row))));
                let asked = key(&mut random);
                let bound = packed.lower_bound(asked);
                assert_eq!(bound.get(), keys.partition_point(|known| *known < asked));
                assert_eq!(packed.find(asked), keys.binary_search(&asked).ok().map(Row::new));
            }
        }
    }

    /// A time that is 38 bits of milliseconds away from the first one, or before it, has no room in a short
    /// key.
    #[test]
    fn a_key_is_short_only_where_nothing_is_lost() {
        let v7 =
            |ms: i64| (ms, uuid::Builder::from_unix_timestamp_millis(ms as u64, &[0xff; 10]).into_uuid());
        let base_ms = 1_700_000_000_000;
        for (delta_ms, is_short) in [(0, true), ((1 << 38) - 1, true), (1 << 38, false), (-1, false)] {
            let key = v7(base_ms + delta_ms);
            let short = shorten(key, base_ms);
            assert_eq!(short.is_some(), is_short, "{delta_ms}");
            assert!(short.is_none_or(|short| lengthen(short, base_ms) == key));
        }
        assert_eq!(shorten((base_ms + 1, v7(base_ms).1), base_ms), None);
        assert_eq!(shorten((base_ms, Uuid::from_u128(v7(base_ms).1.as_u128() ^ 1 << 77)), base_ms), None);
    }
}
