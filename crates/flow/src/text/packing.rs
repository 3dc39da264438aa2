//! Septets in octets, without a gap (3GPP TS 23.038, 6.1.2.1).

/// Packs septets, one in each octet of `septets`, the first one from the lowest bit on. `fill_bits`, of at
/// most 6, stay free before it, so that it begins on a septet's boundary behind a user data header (3GPP TS
/// 23.040, 9.2.3.24).
pub fn pack_septets(septets: &[u8], fill_bits: u8) -> Vec<u8> {
    let mut octets = Vec::with_capacity((septets.len() * 7 + 13) / 8);
    let (mut bits, mut count) = (0_u16, u32::from(fill_bits.min(6)));
    for septet in septets {
        bits |= u16::from(septet & 0x7f) << count;
        count += 7;
        if count >= 8 {
            octets.push((bits & 0xff) as u8);
            bits >>= 8;
            count -= 8;
        }
    }
    if count > 0 && !septets.is_empty() {
        octets.push((bits & 0xff) as u8);
    }
    octets
}

/// Unpacks as many septets as whole ones are there. Where 7 bits are left over, the last one may be none: the
/// octets don't say.
pub fn unpack_septets(octets: &[u8], fill_bits: u8) -> Vec<u8> {
    let mut septets = Vec::with_capacity(octets.len() * 8 / 7);
    let (mut bits, mut count) = (0_u16, 0);
    let mut skipped = u32::from(fill_bits.min(6));
    for octet in octets {
        bits |= u16::from(*octet) << count;
        count += 8;
        let skip = std::mem::take(&mut skipped);
        bits >>= skip;
        count -= skip;
        while count >= 7 {
            septets.push((bits & 0x7f) as u8);
            bits >>= 7;
            count -= 7;
        }
    }
    septets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packs_as_23_038_shows() {
        assert_eq!(pack_septets(b"hellohello", 0), [0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37]);
        assert_eq!(unpack_septets(&[0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37], 0), b"hellohello");
        // Behind a header of 6 octets one bit is filled, and 153 septets end where the 140 octets do.
        assert_eq!(pack_septets(&[0x7f], 1), [0xfe]);
        assert_eq!(pack_septets(&[1; 153], 1).len(), 134);
        assert_eq!(pack_septets(&[1; 160], 0).len(), 140);
        assert!(pack_septets(&[], 3).is_empty());
    }

    proptest! {
        #[test]
        fn unpacking_undoes_packing(
            septets in prop::collection::vec(0_u8..0x80, 0..200),
            fill_bits in 0_u8..7,
        ) {
            let unpacked = unpack_septets(&pack_septets(&septets, fill_bits), fill_bits);
            prop_assert_eq!(&unpacked[..septets.len()], &septets[..]);
            prop_assert!(unpacked[septets.len()..].iter().all(|septet| *septet == 0));
            prop_assert!(unpacked.len() <= septets.len() + 1);
        }
    }
}
