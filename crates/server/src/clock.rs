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

/// A new code for a short link: 10 letters and digits, 59 bits.
pub fn new_code() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(10).collect()
}

/// An RFC 3339 time with milliseconds, UTC.
pub fn iso(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        // Outside of the years -9999 to 9999.
        Err(_) => String::new(),
    }
}

/// Reads an ISO 8601 time: with or without seconds, with an offset or in UTC, or a date alone (its midnight).
pub fn parse_iso(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    let local = match text.strip_suffix(['Z', 'z']) {
        Some(head) => head.parse::<jiff::civil::DateTime>().ok()?,
        None => text.parse::<jiff::civil::DateTime>().ok()?,
    };
    Some(jiff::tz::Offset::UTC.to_timestamp(local).ok()?.as_millisecond())
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
        assert_eq!(parse_iso("yesterday"), None);
        assert_eq!(iso(1_746_457_200_120), "2025-05-05T15:00:00.120Z");
    }

    #[test]
    fn ids_carry_their_time() {
        let id = new_id(1_746_457_200_120);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_746_457_200, 120_000_000));
    }
}
