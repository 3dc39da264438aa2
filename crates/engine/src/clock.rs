//! The only place that reads the clock and draws random ids.

use flow::flow_of;
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

/// A new flow's id: a UUIDv7 of this time whose last two octets are zero, so that those of its messages and
/// parts lead to it ([`flow_of`]). 58 random bits are left: among a million flows of one millisecond, two
/// have the same id with a probability of 1 in 600,000.
pub fn new_flow_id(now_ms: i64) -> Uuid {
    flow_of(new_id(now_ms))
}

/// Letters and digits.
const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new code for a short link: 10 letters and digits, 59 bits. Who has it sees where it leads, so it comes
/// from the system's random source: that of ids can be told from some ids. (In a simulation it comes from the
/// seed.)
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_flows_id_is_a_version_7_that_ends_in_zeros() {
        let id = new_flow_id(1_746_457_200_120);
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_746_457_200, 120_000_000));
        assert_eq!(id.as_bytes()[14..], [0, 0]);
        assert_ne!(new_flow_id(1_746_457_200_120), id);
    }
}
