//! Texts of SMPP as they stand.

/// Octets as text: each is the character of its number (Latin-1), so that none is lost.
pub(crate) fn text_of(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}
