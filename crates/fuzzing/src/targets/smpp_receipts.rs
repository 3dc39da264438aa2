//! Receipts of SMSCs, in text and in TLVs: understood or left alone.

pub(crate) fn feed(data: &[u8]) {
    carriers::fuzzing::smpp_receipt(data);
}
