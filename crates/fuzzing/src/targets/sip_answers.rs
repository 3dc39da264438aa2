//! What the other side of a call sends: answers with session descriptions, and media.

pub(crate) fn feed(data: &[u8]) {
    carriers::fuzzing::sip_answer(data);
}
