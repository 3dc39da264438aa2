//! Session descriptions (RFC 8866) as offer and answer (RFC 3264): one stream of G.711 with keys.

use super::g711::Law;
use std::net::{IpAddr, SocketAddr};

/// The payload type that we offer for keys.
const KEYS: u8 = 101;

/// What the other side wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Remote {
    /// Where media go.
    pub(super) address: SocketAddr,
    pub(super) law: Law,
    /// The payload type of keys, where it takes them.
    pub(super) keys: Option<u8>,
}

/// What we can do, at an address.
pub(super) fn offer(address: SocketAddr, id: u64) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let (ip, port) = (address.ip(), address.port());
    let (a, mu) = (Law::A, Law::Mu);
    format!(
        "v=0\r\no=switchback {id} {id} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {} {} {KEYS}\r\na=rtpmap:{} {}/8000\r\na=rtpmap:{} {}/8000\r\n\
         a=rtpmap:{KEYS} telephone-event/8000\r\na=fmtp:{KEYS} 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
        a.payload_type(),
        mu.payload_type(),
        a.payload_type(),
        a.name(),
        mu.payload_type(),
        mu.name(),
    )
}

/// Reads an answer.
pub(super) fn read_answer(octets: &[u8]) -> Result<Remote, String> {
    let text = std::str::from_utf8(octets).map_err(|_| "the session description is no text")?;
    let (mut ip, mut port, mut formats, mut keys) = (None, None, Vec::new(), None);
    let mut in_audio = true;
    for line in text.lines() {
        match line.split_once('=') {
            Some(("c", connection)) if in_audio => {
                ip = connection.split_whitespace().nth(2).and_then(|ip| ip.parse::<IpAddr>().ok()).or(ip);
            }
            Some(("m", media)) => {
                in_audio = port.is_none() && media.starts_with("audio ");
                if in_audio {
                    let mut words = media.split_whitespace().skip(1);
                    port = words.next().and_then(|port| port.parse::<u16>().ok());
                    formats = words.skip(1).filter_map(|format| format.parse::<u8>().ok()).collect();
                }
            }
            Some(("a", attribute)) if in_audio => {
                let map = attribute.strip_prefix("rtpmap:").and_then(|map| map.split_once(' '));
                if let Some((format, name)) = map
                    && name.to_ascii_lowercase().starts_with("telephone-event/8000")
                {
                    keys = format.parse().ok();
                }
            }
            _ => {}
        }
    }
    let port = port.filter(|port| *port != 0).ok_or("the other side takes no audio")?;
    let ip = ip.ok_or("the session description has no address")?;
    let law = formats
        .iter()
        .find_map(|format| [Law::A, Law::Mu].into_iter().find(|law| law.payload_type() == *format));
    let law = law.ok_or("the other side takes neither PCMA nor PCMU")?;
    Ok(Remote { address: SocketAddr::new(ip, port), law, keys: keys.filter(|keys| formats.contains(keys)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let answer = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 0 96\r\nc=IN IP4 10.0.0.2\r\na=rtpmap:96 telephone-event/8000\r\n\
            m=video 5000 RTP/AVP 31\r\nc=IN IP4 10.0.0.3\r\n";
        let remote = Remote { address: "10.0.0.2:4000".parse().unwrap(), law: Law::Mu, keys: Some(96) };
        assert_eq!(read_answer(answer.as_bytes()), Ok(remote));
        assert!(read_answer(answer.replace("audio 4000", "audio 0").as_bytes()).is_err());
        assert!(read_answer(answer.replace("AVP 0 96", "AVP 3").as_bytes()).is_err());
        let own = read_answer(offer("[::1]:6000".parse().unwrap(), 1).as_bytes()).unwrap();
        assert_eq!(own, Remote { address: "[::1]:6000".parse().unwrap(), law: Law::A, keys: Some(101) });
    }
}
