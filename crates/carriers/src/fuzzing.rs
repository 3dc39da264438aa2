//! Ways in for the fuzz targets (`crates/fuzzing`); no part of the interface.

use crate::{SmppConfig, sip, smpp};
use std::sync::LazyLock;

static CONFIG: LazyLock<SmppConfig> = LazyLock::new(|| {
    let config = r#"{"host": "x", "system_id": "x", "password": "x", "receipt_id": "decimal"}"#;
    serde_json::from_str(config).unwrap_or_else(|error| panic!("{error}"))
});

/// Reads the body of a `deliver_sm` or a `data_sm`.
pub fn smpp_receipt(data: &[u8]) {
    smpp::fuzz_receipt(data, &CONFIG);
}

/// Reads an answer to an INVITE with its session description, and the same octets as a packet of media.
pub fn sip_answer(data: &[u8]) {
    sip::fuzz_answer(data);
}

/// Reads a sound file.
pub fn audio(data: &[u8]) {
    sip::fuzz_audio(data);
}
