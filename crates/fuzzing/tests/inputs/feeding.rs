//! Feeds a target and notices where it panics.

use fuzzing::Target;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

/// An input in hexadecimal, the only one then.
const INPUT: &str = "SWITCHBACK_INPUT";

/// What panicked since an input was fed, in whichever thread: a runtime catches what its tasks do.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Held while an input is fed: of tests in one process none takes another's panics for its own.
static TURN: Mutex<()> = Mutex::new(());

fn panics() -> Vec<String> {
    std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner))
}

fn watch_panics() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
            tell(panic);
        }));
    });
}

/// Feeds a target until something panics; says what, and at which input.
pub fn feed(target: Target, inputs: Vec<Vec<u8>>) -> Option<String> {
    watch_panics();
    // In a thread of its own, with which ends what targets keep for a thread.
    let feeding = std::thread::spawn(move || {
        inputs.into_iter().find_map(|input| {
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            panics();
            let _ = catch_unwind(AssertUnwindSafe(|| (target.feed)(&input)));
            let panics = panics();
            (!panics.is_empty()).then(|| finding(target.name, &input, &panics.join("\n")))
        })
    });
    feeding.join().expect("only targets panic")
}

/// What to tell of an input at which a target panics.
pub fn finding(target: &str, input: &[u8], why: &str) -> String {
    let hex: String = input.iter().map(|octet| format!("{octet:02x}")).collect();
    format!(
        "{target} panics at {hex}\n{why}\n\
         again: {INPUT}={hex} cargo nextest run --workspace -E 'package(fuzzing) & test(={target})'"
    )
}

/// Octets from hexadecimal.
pub fn octets(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

/// The input that is given to be fed again.
pub fn given() -> Option<Vec<u8>> {
    std::env::var(INPUT).ok().map(|hex| octets(&hex).expect("octets in hexadecimal"))
}
