//! Where the server listens, as people write it.

use serde::{Deserialize, Deserializer, de::Error};
use std::net::{Ipv4Addr, SocketAddr};

/// It is no address with a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("must be an address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080")]
pub struct ListenError;

/// Reads an address and a port; `localhost` is 127.0.0.1.
///
/// # Errors
/// [`ListenError`].
pub fn parse_listen(text: &str) -> Result<SocketAddr, ListenError> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok());
    match local {
        Some(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => text.parse().map_err(|_| ListenError),
    }
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse_listen(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_21_where_to_listen_is_taken_as_people_write_it() {
        assert_eq!(parse_listen("localhost:8080"), Ok(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(parse_listen("[::1]:0").map(|address| address.port()), Ok(0));
        for wrong in
            ["8080", ":8080", "127.0.0.1", "localhost", "localhost:x", "example.com:80", "*:8080", ""]
        {
            assert!(
                parse_listen(wrong).is_err_and(|rule| rule.to_string().contains("such as 127.0.0.1:8080")),
                "{wrong}"
            );
        }
    }
}
