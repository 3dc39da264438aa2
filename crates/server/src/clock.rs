//! The only place that reads the clock and draws random ids.

use std::cell::RefCell;
use uuid::Uuid;

thread_local! {
    /// What tells this thread the time instead of the system.
    static SIMULATED: RefCell<Option<Box<dyn Fn() -> i64>>> = const { RefCell::new(None) };
}

/// The time, Unix milliseconds.
pub fn now_ms() -> i64 {
    let simulated = SIMULATED.with_borrow(|clock| clock.as_ref().map(|clock| clock()));
    simulated.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond())
}

/// Lets `clock` tell this thread the time: for simulations, which run on one thread.
pub fn simulate(clock: impl Fn() -> i64 + 'static) {
    SIMULATED.set(Some(Box::new(clock)));
}

/// A new UUIDv7 of this time (RFC 9562, 5.7): sortable, and its own creation time.
pub fn new_id(now_ms: i64) -> Uuid {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&fastrand::u64(..).to_be_bytes());
    random[8..].copy_from_slice(&fastrand::u16(..).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(now_ms.unsigned_abs(), &random).into_uuid()
}

/// Letters and digits.
const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new code for a short link: 10 letters and digits, 59 bits. Who has it sees where it leads, so it comes from the
/// system's random source: that of ids can be told from some ids. (In a simulation it comes from the seed.)
///
/// # Errors
/// When the system has no randomness.
pub fn new_code() -> Result<String, getrandom::Error> {
    let simulated = SIMULATED.with_borrow(Option::is_some);
    let mut code = String::with_capacity(10);
    while code.len() < 10 {
        let mut octets = [0; 16];
        if simulated {
            fastrand::fill(&mut octets);
        } else {
            getrandom::fill(&mut octets)?;
        }
        // Of 256 values 248 fall evenly on 62.
        let fair = octets.iter().filter(|octet| **octet < 248);
        let letters = fair.map(|octet| char::from(ALPHANUMERIC[usize::from(octet % 62)]));
        code.extend(letters.take(10 - code.len()));
    }
    Ok(code)
}

/// An RFC 3339 time with milliseconds, UTC.
pub fn iso(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        // Outside of the years -9999 to 9999.
        Err(_) => String::new(),
    }
}

/// The end of the calendar, Unix milliseconds. What is later in the year 9999 (some hours of its last days, by offset)
/// counts as this.
pub const CALENDAR_END_MS: i64 = 253_402_207_200_999;

/// Reads an ISO 8601 time: with or without seconds, with an offset or in UTC, or a date alone (its midnight). The answer
/// is the first millisecond that is not before it: of times that have milliseconds, exactly those are before the one that
/// are before the other.
pub fn parse_iso(text: &str) -> Option<i64> {
    // A time zone or a calendar behind it (RFC 9557) would be another time than its digits say.
    if text.contains('[') {
        return None;
    }
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time().unwrap_or(jiff::civil::Time::midnight()));
    let offset = pieces.to_numeric_offset().unwrap_or(jiff::tz::Offset::UTC);
    match offset.to_timestamp(local) {
        Ok(time) => i64::try_from(-(-time.as_nanosecond()).div_euclid(1_000_000)).ok(),
        Err(_) => (local.year() == 9999).then_some(CALENDAR_END_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_times_that_clients_write() {
        let at = Some(1_746_457_200_000);
        for text in [
            "2025-05-05T15:00Z",
            "2025-05-05T15:00:00Z",
            "2025-05-05T15:00:00.000Z",
            "2025-05-05T18:00+03:00",
            "2025-05-05T15:00",
            "2025-05-05T15:00:00",
        ] {
            assert_eq!(parse_iso(text), at, "{text}");
        }
        assert_eq!(parse_iso("2025-05-05"), Some(1_746_403_200_000));
        for text in ["yesterday", "2025-05-05T15:00Z!", "2025-05-05Z15:00", "2025-13-01", "10000-01-01"] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
        assert_eq!(iso(1_746_457_200_120), "2025-05-05T15:00:00.120Z");
    }

    #[test]
    fn the_last_days_of_the_calendar_are_its_end() {
        assert_eq!(CALENDAR_END_MS, jiff::Timestamp::MAX.as_millisecond());
        for text in [
            "9999-12-31",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59.9999999",
            "9999-12-31T23:59:59+02:00",
            "9999-12-31T00:00:00-05:00",
        ] {
            assert_eq!(parse_iso(text), Some(CALENDAR_END_MS), "{text}");
        }
        assert!(parse_iso("9999-12-30").is_some_and(|ms| ms < CALENDAR_END_MS));
        assert!(parse_iso("0001-01-01T00:00:00").is_some_and(|ms| ms < 0));
    }

    #[test]
    fn codes_are_letters_and_digits_that_the_generator_of_ids_does_not_tell() {
        let draw = || {
            fastrand::seed(1);
            new_code().unwrap()
        };
        let codes: std::collections::HashSet<String> = std::iter::repeat_with(draw).take(100).collect();
        assert_eq!(codes.len(), 100);
        assert!(codes.iter().all(|code| code.len() == 10 && code.bytes().all(|b| b.is_ascii_alphanumeric())));
    }

    #[test]
    fn ids_carry_their_time() {
        let id = new_id(1_746_457_200_120);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_746_457_200, 120_000_000));
    }
}
