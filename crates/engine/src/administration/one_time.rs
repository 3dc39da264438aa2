//! Codes and ids that nobody can guess: their holders show them, and only their hashes are stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A new code: 32 random octets in base64url, 43 characters.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn draw() -> Result<String, getrandom::Error> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets)?;
    Ok(URL_SAFE_NO_PAD.encode(octets))
}

/// What a code is stored as. It is 256 random bits, so that a plain hash can't be searched.
pub(super) fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}
