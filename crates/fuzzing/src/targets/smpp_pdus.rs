//! What an SMSC writes, as PDUs: whatever it is, it is read; and what was read is read again from what is
//! written of it.

use smpp::{CommandStatus, Frames, Header, Pdu};

pub(crate) fn feed(octets: &[u8]) {
    let mut frames = Frames::new(128 * 1024);
    frames.push(octets);
    while let Ok(Some(frame)) = frames.next() {
        let Header { status, sequence, .. } = frame.header;
        let pdu = Pdu::decode(frame).pdu;
        let Some(written) = encoded(&pdu, status, sequence) else { continue };
        let mut again = Frames::new(u32::MAX);
        again.push(&written);
        let frame = again.next().expect("a length").expect("a whole PDU");
        assert_eq!((frame.header.status, frame.header.sequence), (status, sequence));
        let decoded = Pdu::decode(frame);
        assert_eq!(decoded.pdu, pdu);
        assert_eq!(encoded(&pdu, status, sequence), Some(written));
    }
}

fn encoded(pdu: &Pdu, status: CommandStatus, sequence: u32) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    pdu.encode(status, sequence, &mut out).ok()?;
    Some(out)
}
