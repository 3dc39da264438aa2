//! Integers below 2^24, in three octets each.

/// Packs integers; one more octet lets every one be read as four.
pub(crate) fn pack24(values: impl ExactSizeIterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() * 3 + 1);
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes()[..3]);
    }
    bytes.push(0);
    bytes
}

/// Integer `at` of those that [`pack24`] packed.
pub(crate) fn get24(bytes: &[u8], at: usize) -> usize {
    let octets = bytes[3 * at..3 * at + 4].try_into().unwrap_or_default();
    (u32::from_le_bytes(octets) & 0xff_ffff) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        let values = [0, 1, 255, 256, 65_536, 0xff_ffff, 0x12_3456];
        let packed = pack24(values.into_iter());
        assert_eq!(packed.len(), 3 * values.len() + 1);
        assert!(values.iter().enumerate().all(|(at, value)| get24(&packed, at) == *value as usize));
    }
}
