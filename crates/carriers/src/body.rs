//! Bodies of HTTP answers, read up to a limit.

use reqwest::Response;

/// The largest sound file, octets.
pub const FILE_MAX: usize = 20 * 1024 * 1024;

/// Reads the body of an answer that has at most `most` octets.
///
/// # Errors
/// Why it could not be read, or that it is larger.
pub async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, String> {
    let announced = response.content_length().unwrap_or_default();
    if announced > most as u64 {
        return Err(too_large(most));
    }
    let mut octets = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
        if chunk.len() > most - octets.len() {
            return Err(too_large(most));
        }
        octets.extend_from_slice(&chunk);
    }
    Ok(octets)
}

/// Text without the byte order mark that some writers put before it (RFC 8259, 8.1: it may be skipped).
pub fn without_mark(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets)
}

/// Says that something is larger than it may be.
pub(crate) fn too_large(most: usize) -> String {
    if most >> 20 > 0 {
        format!("larger than {} MiB", most >> 20)
    } else {
        format!("larger than {} KiB", most >> 10)
    }
}
