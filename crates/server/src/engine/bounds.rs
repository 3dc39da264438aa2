//! How long what a carrier says may be when it is kept: each message of a carrier passes here before it is
//! stored.

use flow::{CarrierRef, Receipt};
use sha2::{Digest, Sha256};

/// Octets of a reference. A longer one is known by its hash, in receipts as well, so that they meet.
const REFERENCE_MAX: usize = 100;
/// Octets of what a carrier says in its own words.
const WORDS_MAX: usize = 500;
/// Octets of a network's name, and of who answered.
const NAME_MAX: usize = 100;

/// What a carrier calls a message.
pub(super) fn reference(carrier: String, reference: String) -> CarrierRef {
    let reference = if reference.len() > REFERENCE_MAX { hashed(&reference) } else { reference };
    CarrierRef { carrier, reference }
}

/// A carrier's own words.
pub(super) fn words(text: String) -> String {
    cut(text, WORDS_MAX)
}

/// A receipt whose texts are not too long.
pub(super) fn receipt(receipt: Receipt) -> Receipt {
    Receipt {
        description: receipt.description.map(words),
        operator: receipt.operator.map(|name| cut(name, NAME_MAX)),
        answered_by: receipt.answered_by.map(|name| cut(name, NAME_MAX)),
        ..receipt
    }
}

fn hashed(reference: &str) -> String {
    let hash = Sha256::digest(reference.as_bytes());
    hash.iter().fold("sha256:".to_owned(), |text, octet| text + &format!("{octet:02x}"))
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::{Detail, Status};

    #[test]
    fn a_long_reference_is_kept_by_its_hash_and_a_usual_one_as_it_is() {
        let of = |text: String| reference("c".into(), text).reference;
        assert_eq!(of("x".repeat(100)), "x".repeat(100));
        let long = of("x".repeat(101));
        assert_eq!((long.len(), &long[..7]), (71, "sha256:"));
        assert_eq!(long, of("x".repeat(101)));
        assert_ne!(long, of("x".repeat(102)));
    }

    #[test]
    fn what_a_carrier_says_is_cut_at_a_character() {
        let told = Receipt {
            description: Some("é".repeat(1000)),
            operator: Some("o".repeat(1000)),
            answered_by: Some("human".into()),
            ..Receipt::new(Status::Failed, Detail::FAILED)
        };
        let kept = receipt(told);
        assert_eq!(kept.description, Some("é".repeat(250)));
        assert_eq!(kept.operator.map(|name| name.len()), Some(100));
        assert_eq!(kept.answered_by.as_deref(), Some("human"));
    }
}
