//! Receipts of SMSCs, in text and in TLVs: understood or left alone.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| carriers::fuzzing::smpp_receipt(data));
