//! RTP packets (RFC 3550, 5.1) and the keys in them (RFC 4733, 2.3).

/// Octets before the payload, without contributing sources and extension.
const HEADER: usize = 12;

/// A packet that came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) payload_type: u8,
    pub(super) timestamp: u32,
    /// Who sends it (SSRC).
    pub(super) source: u32,
    pub(super) payload: &'a [u8],
}

/// Writes a packet.
pub(super) fn write(
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    source: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER + payload.len());
    packet.extend([0x80, payload_type | if marker { 0x80 } else { 0 }]);
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(source.to_be_bytes());
    packet.extend(payload);
    packet
}

/// Returns whether a packet is a report about the sound (RTCP), which may come where the sound does (RFC
/// 5761, 4).
pub(super) fn is_report(octets: &[u8]) -> bool {
    matches!(octets, [first, 192..=223, ..] if first >> 6 == 2)
}

/// Reads a packet; `None` if it is none.
pub(super) fn read(octets: &[u8]) -> Option<Packet<'_>> {
    let header = octets.get(..HEADER)?;
    if header[0] >> 6 != 2 {
        return None;
    }
    let mut start = HEADER + usize::from(header[0] & 0x0f) * 4;
    if header[0] & 0x10 != 0 {
        let words = octets.get(start + 2..start + 4)?;
        start += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    let padding = if header[0] & 0x20 != 0 { usize::from(*octets.last()?) } else { 0 };
    let end = octets.len().checked_sub(padding)?;
    let timestamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let source = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    Some(Packet { payload_type: header[1] & 0x7f, timestamp, source, payload: octets.get(start..end)? })
}

/// The key of an event's payload; `None` if it is another event.
pub(super) fn key(payload: &[u8]) -> Option<char> {
    let keys = b"0123456789*#ABCD";
    payload.get(..4).and_then(|event| keys.get(usize::from(event[0]))).map(|key| char::from(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let packet = write(8, true, 7, 160, 99, b"abc");
        assert_eq!(
            read(&packet),
            Some(Packet { payload_type: 8, timestamp: 160, source: 99, payload: b"abc" })
        );
        // With a contributing source, an extension and padding.
        let mut full = packet[..HEADER].to_vec();
        full[0] |= 0x31;
        full.extend([0; 4]);
        full.extend([0, 0, 0, 1, 9, 9, 9, 9]);
        full.extend(b"xy\0\x02");
        assert_eq!(read(&full).unwrap().payload, b"xy");
        for cut in 0..packet.len().min(HEADER) {
            assert_eq!(read(&packet[..cut]), None);
        }
        assert!(
            !is_report(&packet) && is_report(&[0x80, 201, 0, 1]) && !is_report(&[0, 201]) && !is_report(&[])
        );
        assert_eq!((key(&[11, 0, 0, 0]), key(&[16, 0, 0, 0]), key(&[1])), (Some('#'), None, None));
    }
}
