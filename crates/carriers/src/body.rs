//! Bodies of HTTP answers, read up to a limit.

use reqwest::Response;

/// The largest sound file, octets.
pub const FILE_MAX: usize = 20 * 1024 * 1024;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It has more octets than are taken.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The connection was lost within it, or took too long.
    #[error(transparent)]
    Lost(#[from] reqwest::Error),
}

/// Something has more than this many octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge(pub usize);

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 >> 20 {
            0 => write!(f, "larger than {} KiB", self.0 >> 10),
            mebibytes => write!(f, "larger than {mebibytes} MiB"),
        }
    }
}

impl std::error::Error for TooLarge {}

/// Reads the body of an answer that has at most `octets_max` octets.
///
/// # Errors
/// [`BodyError`].
pub async fn read(mut response: Response, octets_max: usize) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length().unwrap_or_default();
    if announced > octets_max as u64 {
        return Err(TooLarge(octets_max).into());
    }
    let mut octets = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if chunk.len() > octets_max - octets.len() {
            return Err(TooLarge(octets_max).into());
        }
        octets.extend_from_slice(&chunk);
    }
    Ok(octets)
}

/// Text without the byte order mark that some writers put before it (RFC 8259, 8.1: it may be skipped).
pub fn without_mark(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets)
}
