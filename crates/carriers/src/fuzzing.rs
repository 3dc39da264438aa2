//! Ways in for the fuzz targets (`fuzz/`); no part of the interface.

use crate::{SmppConfig, sip, smpp};

/// Reads a receipt of an SMSC: an octet for `esm_class`, then the text, in the message or in a TLV.
pub fn smpp_receipt(data: &[u8]) {
    let config = r#"{"host": "x", "system_id": "x", "password": "x", "receipt_id": "decimal"}"#;
    let config: SmppConfig = serde_json::from_str(config).unwrap_or_else(|error| panic!("{error}"));
    smpp::fuzz_receipt(data, &config);
}

/// Reads an answer to an INVITE with its session description, and the same octets as a packet of media.
pub fn sip_answer(data: &[u8]) {
    sip::fuzz_answer(data);
}
