//! Whole requests as octets, head and body, through the parser of HTTP into the API: each gets an answer that
//! is no failure of the server's, or the connection ends.

use crate::api::converse;

pub(crate) fn feed(data: &[u8]) {
    let answer = converse(data);
    if answer.is_empty() {
        return;
    }
    let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    let status: u16 =
        status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).expect("a status");
    assert!((100..500).contains(&status), "{}", String::from_utf8_lossy(&answer));
}
