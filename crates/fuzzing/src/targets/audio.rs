//! Sound files of clients: read within their limits, or refused.

pub(crate) fn feed(data: &[u8]) {
    carriers::fuzzing::audio(data);
}
