//! A message that a handset sent.

use super::config::SmppConfig;
use crate::handset::{Encoding, HandsetMessage, Segment};
use flow::text::{pack_septets, unpack_septets};
use smpp::{Message, tlv};

/// `esm_class` bit 6: the octets start with a user data header (SMPP 3.4, 5.2.12).
pub(super) const UDHI: u8 = 0x40;

/// Which of several parts something is, if it is.
fn segment(reference: u16, total: u8, sequence: u8) -> Option<Segment> {
    let is_one_of_several = total > 1 && (1..=total).contains(&sequence);
    is_one_of_several.then_some(Segment { reference, total, sequence })
}

/// The segment of a user data header: of its information elements, the one that joins parts (3GPP TS 23.040,
/// 9.2.3.24.1 and 9.2.3.24.8).
fn segment_of_header(mut elements: &[u8]) -> Option<Segment> {
    while let [kind, length, rest @ ..] = elements {
        let value = rest.get(..usize::from(*length))?;
        let found = match (kind, value) {
            (0x00, &[reference, total, sequence]) => segment(reference.into(), total, sequence),
            (0x08, &[high, low, total, sequence]) => {
                segment(u16::from_be_bytes([high, low]), total, sequence)
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
        elements = &rest[value.len()..];
    }
    None
}

/// The segment of the TLVs (SMPP 3.4, 5.3.2.22 to 5.3.2.24).
fn segment_of_tlvs(tlvs: &tlv::Tlvs) -> Option<Segment> {
    let octet = |tag| u8::try_from(tlvs.number(tag)?).ok();
    let reference = tlvs.number(tlv::SAR_MSG_REF_NUM)?;
    segment(reference, octet(tlv::SAR_TOTAL_SEGMENTS)?, octet(tlv::SAR_SEGMENT_SEQNUM)?)
}

/// The information elements of a message's user data header, and what follows it. A header that is
/// longer than the message is none.
pub(super) fn split_header(message: &Message) -> (&[u8], &[u8]) {
    let payload = message.payload();
    if message.esm_class & UDHI == 0 {
        return (&[], payload);
    }
    let Some((&length, rest)) = payload.split_first() else { return (&[], payload) };
    rest.split_at_checked(length.into()).unwrap_or((&[], payload))
}

/// What a `data_coding` means at this SMSC: SMPP's own table below 0x10, 3GPP TS 23.038, 4 above it.
pub(super) fn encoding_of(data_coding: u8, config: &SmppConfig) -> Encoding {
    let default = Encoding::from(config.alphabet);
    match data_coding {
        unicode if unicode == config.data_coding.unicode => Encoding::Ucs2,
        0x00 => default,
        0x01 => Encoding::Ascii,
        0x03 => Encoding::Latin1,
        0x08 => Encoding::Ucs2,
        0x02..=0x0f => Encoding::Binary,
        // With bit 5 it is compressed. Bits 3 and 2 are the alphabet.
        0x10..=0x7f if data_coding & 0x20 != 0 => Encoding::Binary,
        0x10..=0x7f => match data_coding & 0x0c {
            0x00 => default,
            0x08 => Encoding::Ucs2,
            _ => Encoding::Binary,
        },
        // Message waiting, stored, in UCS-2.
        0xe0..=0xef => Encoding::Ucs2,
        0xf0..=0xff if data_coding & 0x04 != 0 => Encoding::Binary,
        0x80..=0xff => default,
    }
}

/// Reads a message from a handset.
pub(super) fn read(message: &Message, config: &SmppConfig) -> HandsetMessage {
    let (elements, behind) = split_header(message);
    let encoding = encoding_of(message.data_coding, config);
    let header_octets = message.payload().len() - behind.len();
    let octets = match encoding {
        Encoding::GsmPacked if header_octets > 0 => {
            // They begin on a septet's boundary from the header's first bit on.
            let fill_bits = (7 - header_octets * 8 % 7) % 7;
            pack_septets(&unpack_septets(behind, fill_bits as u8), 0)
        }
        _ => behind.to_vec(),
    };
    HandsetMessage {
        from: message.source.address.clone(),
        to: message.destination.address.clone(),
        octets,
        encoding,
        data_coding: message.data_coding,
        segment: segment_of_header(elements).or_else(|| segment_of_tlvs(&message.tlvs)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::config;
    use super::*;
    use smpp::tlv::{Tlv, Tlvs};

    fn part(esm_class: u8, short_message: &[u8]) -> Message {
        Message { esm_class, short_message: short_message.to_vec(), ..Message::default() }
    }

    #[test]
    fn parts_of_long_messages_are_told_apart() {
        let segment = |reference, total, sequence| Some(Segment { reference, total, sequence });
        for (octets, behind, expected) in [
            (&[5, 0, 3, 0x2a, 2, 1, b'h', b'i'][..], &b"hi"[..], segment(0x2a, 2, 1)),
            (&[6, 8, 4, 1, 0x2a, 3, 3, b'h'], b"h", segment(0x12a, 3, 3)),
            // Behind another element; a port.
            (&[11, 5, 4, 0, 0, 0, 0, 0, 3, 9, 2, 2, b'h'], b"h", segment(9, 2, 2)),
            (&[5, 0, 3, 0x2a, 2, 3, b'h'], b"h", None),
            (&[5, 0, 3, 0x2a, 1, 1, b'h'], b"h", None),
            (&[5, 0, 9, 0x2a, 2, 1, b'h'], b"h", None),
            (&[0, b'h'], b"h", None),
            (&[200, 0, 3], &[200, 0, 3], None),
            (&[], &[], None),
        ] {
            let message = read(&part(UDHI, octets), &config(""));
            assert_eq!((&*message.octets, message.segment), (behind, expected), "{octets:?}");
        }
        let mut sar = part(0, b"hi");
        let tlvs = [(tlv::SAR_MSG_REF_NUM, &[1, 0][..]), (tlv::SAR_TOTAL_SEGMENTS, &[2])];
        sar.tlvs = Tlvs(tlvs.iter().map(|(tag, value)| Tlv::new(*tag, *value)).collect());
        assert_eq!(read(&sar, &config("")).segment, None);
        sar.tlvs.0.push(Tlv::new(tlv::SAR_SEGMENT_SEQNUM, [2]));
        assert_eq!(read(&sar, &config("")).segment, segment(256, 2, 2));
    }

    #[test]
    fn data_codings_mean_alphabets() {
        let latin = config(r#""alphabet": "latin1", "data_coding": {"unicode": 24}"#);
        for (data_coding, encoding) in [
            (0x00, Encoding::Latin1),
            (0x01, Encoding::Ascii),
            (0x02, Encoding::Binary),
            (0x03, Encoding::Latin1),
            (0x04, Encoding::Binary),
            (0x08, Encoding::Ucs2),
            (0x0e, Encoding::Binary),
            (0x10, Encoding::Latin1),
            (0x18, Encoding::Ucs2),
            (0x28, Encoding::Binary),
            (0x48, Encoding::Ucs2),
            (0xc0, Encoding::Latin1),
            (0xe1, Encoding::Ucs2),
            (0xf0, Encoding::Latin1),
            (0xf5, Encoding::Binary),
        ] {
            assert_eq!(encoding_of(data_coding, &latin), encoding, "{data_coding:#x}");
        }
    }

    #[test]
    fn packed_septets_begin_behind_the_fill_bits() {
        let config = config(r#""alphabet": "gsm_packed""#);
        let octets = [&[5, 0, 3, 1, 2, 1][..], &pack_septets(b"hello", 1)].concat();
        let message = read(&part(UDHI, &octets), &config);
        assert_eq!(message.encoding.decode(&message.octets), "hello");
    }
}
