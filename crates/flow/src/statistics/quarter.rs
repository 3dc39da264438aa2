//! Quarters of an hour: what statistics are kept by.

/// Milliseconds of a quarter of an hour.
const QUARTER_MS: i64 = 15 * 60_000;

/// A quarter of an hour; its number counts from the Unix epoch. The offset of every time zone in use is a
/// multiple of it, so that an hour, a day and a month of any zone is made of whole ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Quarter(pub i64);

impl Quarter {
    /// The one that a time is in, Unix milliseconds.
    pub const fn of(ms: i64) -> Quarter {
        Quarter(ms.div_euclid(QUARTER_MS))
    }

    /// The one that begins at a time, Unix milliseconds; `None` if none does.
    pub const fn starting_at(ms: i64) -> Option<Quarter> {
        if ms.rem_euclid(QUARTER_MS) == 0 { Some(Quarter::of(ms)) } else { None }
    }

    /// When it begins, Unix milliseconds.
    pub const fn start_ms(self) -> i64 {
        self.0.saturating_mul(QUARTER_MS)
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Quarter {
        Quarter(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_has_its_first_millisecond_and_not_the_next_ones() {
        for (ms, number) in [(0, 0), (899_999, 0), (900_000, 1), (-1, -1), (-900_000, -1), (-900_001, -2)] {
            assert_eq!(Quarter::of(ms), Quarter(number), "{ms}");
        }
        assert_eq!(Quarter::starting_at(900_000), Some(Quarter(0).next()));
        assert_eq!(Quarter::starting_at(900_001), None);
        assert_eq!(Quarter(-1).start_ms(), -900_000);
    }
}
