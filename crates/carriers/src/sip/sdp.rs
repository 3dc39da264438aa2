//! Session descriptions (RFC 8866) as offer and answer (RFC 3264), without I/O: one stream of G.711 with
//! keys.

use super::g711::Law;
use std::net::{IpAddr, SocketAddr};

/// The payload type that we offer for keys.
const KEYS: u8 = 101;
/// Payload types have seven bits (RFC 3550, 5.1).
const PAYLOAD_TYPES: u8 = 128;
/// Streams that a description may have: we answer each of them.
const STREAMS_MAX: usize = 32;
/// Octets of a name (RFC 1035, 2.3.4).
const NAME_MAX: usize = 253;
const LAWS: [Law; 2] = [Law::A, Law::Mu];

/// Why there is no sound by a session description.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum SdpError {
    /// It has more than [`STREAMS_MAX`] streams.
    #[error("the session description has too many streams")]
    TooManyStreams,
    /// An `m=` line lacks a field.
    #[error("a stream of the session description can't be read")]
    Stream,
    /// The port of an `m=` line is no number.
    #[error("a port of the session description can't be read")]
    Port,
    /// It has no stream of audio, or refuses it.
    #[error("the other side takes no audio")]
    NoAudio,
    /// It is an offer without audio.
    #[error("the other side offers no audio")]
    NoAudioOffered,
    /// Its audio has another transport, such as SRTP.
    #[error("the other side's sound is no plain RTP")]
    NotRtp,
    /// Its audio is in no format of ours.
    #[error("the other side takes neither PCMA nor PCMU")]
    NoFormat,
    /// It has no `c=` line that can be read.
    #[error("the session description has no address")]
    NoAddress,
}

/// What the other side wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Remote {
    /// Where sound goes, as the description says.
    pub(super) host: Host,
    /// The port there.
    pub(super) port: u16,
    /// The format that it prefers: this is sent.
    pub(super) liked: Format,
    /// All formats that may come, the preferred one among them.
    pub(super) formats: Vec<Format>,
    /// The payload types of keys.
    pub(super) keys: Vec<u8>,
    /// Whether it wants to hear us now; it does not while it holds the call.
    pub(super) listens: bool,
}

/// A host of a `c=` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Host {
    /// An address.
    Address(IpAddr),
    /// A name that is to be looked up.
    Name(String),
}

/// How sound is in packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Format {
    pub(super) payload_type: u8,
    pub(super) law: Law,
}

/// Which way sound goes, as who says it sees it (RFC 8866, 6.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    Both,
    Sends,
    Receives,
    Neither,
}

impl Direction {
    fn read(attribute: &str) -> Option<Direction> {
        let all = [Direction::Both, Direction::Sends, Direction::Receives, Direction::Neither];
        all.into_iter().find(|direction| direction.name() == attribute.trim())
    }

    const fn name(self) -> &'static str {
        match self {
            Direction::Both => "sendrecv",
            Direction::Sends => "sendonly",
            Direction::Receives => "recvonly",
            Direction::Neither => "inactive",
        }
    }

    /// As the one on the other side sees it (RFC 3264, 6.1).
    const fn mirrored(self) -> Direction {
        match self {
            Direction::Sends => Direction::Receives,
            Direction::Receives => Direction::Sends,
            same => same,
        }
    }

    const fn receives(self) -> bool {
        matches!(self, Direction::Both | Direction::Receives)
    }
}

/// A description as it is written.
#[derive(Default)]
struct Description<'a> {
    host: Option<Host>,
    direction: Option<Direction>,
    time: Option<&'a str>,
    streams: Vec<Stream<'a>>,
}

/// A stream of a description: its `m=` line with what follows.
struct Stream<'a> {
    kind: &'a str,
    port: u16,
    protocol: &'a str,
    formats: Vec<&'a str>,
    host: Option<Host>,
    direction: Option<Direction>,
    /// What the formats stand for (`a=rtpmap`).
    maps: Vec<(&'a str, &'a str)>,
}

impl<'a> Description<'a> {
    fn read(text: &'a str) -> Result<Description<'a>, SdpError> {
        let mut description = Description::default();
        for line in text.lines() {
            let Some((kind, value)) = line.split_once('=') else { continue };
            let Description { host, direction, time, streams } = &mut description;
            match (kind, streams.last_mut()) {
                ("m", _) => {
                    if streams.len() == STREAMS_MAX {
                        return Err(SdpError::TooManyStreams);
                    }
                    streams.push(Stream::read(value)?);
                }
                // The first of several counts; those of a stream before those of the session (RFC 8866, 5.7).
                ("c", Some(stream)) => stream.host = stream.host.take().or_else(|| read_connection(value)),
                ("c", None) => *host = host.take().or_else(|| read_connection(value)),
                ("t", None) => *time = time.or(Some(value.trim())),
                ("a", Some(stream)) => stream.note(value),
                ("a", None) => *direction = Direction::read(value).or(*direction),
                _ => {}
            }
        }
        Ok(description)
    }

    /// What a stream's author wants, where we can have the stream.
    fn remote(&self, stream: &Stream<'_>) -> Result<(Remote, Direction), SdpError> {
        if stream.kind != "audio" || stream.port == 0 {
            return Err(SdpError::NoAudio);
        }
        if stream.protocol != "RTP/AVP" {
            return Err(SdpError::NotRtp);
        }
        let formats: Vec<Format> = stream.formats.iter().filter_map(|word| stream.format(word)).collect();
        let liked = *formats.first().ok_or(SdpError::NoFormat)?;
        let host = stream.host.as_ref().or(self.host.as_ref());
        let host = host.ok_or(SdpError::NoAddress)?.clone();
        let direction = stream.direction.or(self.direction).unwrap_or(Direction::Both);
        // An address of nowhere is how calls were held once (RFC 3264, 8.4).
        let nowhere = matches!(host, Host::Address(address) if address.is_unspecified());
        let listens = direction.receives() && !nowhere;
        let keys = stream.keys().collect();
        Ok((Remote { host, port: stream.port, liked, formats, keys, listens }, direction))
    }
}

impl<'a> Stream<'a> {
    fn read(line: &'a str) -> Result<Stream<'a>, SdpError> {
        let mut words = line.split_whitespace();
        let mut word = || words.next().ok_or(SdpError::Stream);
        let (kind, port, protocol) = (word()?, word()?, word()?);
        let mut formats = vec![word()?];
        formats.extend(words);
        // A number of ports may follow (RFC 8866, 5.14).
        let port = port.split('/').next().and_then(|port| port.parse().ok());
        let port = port.ok_or(SdpError::Port)?;
        Ok(Stream { kind, port, protocol, formats, host: None, direction: None, maps: Vec::new() })
    }

    fn note(&mut self, attribute: &'a str) {
        let map = attribute.strip_prefix("rtpmap:").map(str::trim_start);
        match map.and_then(|map| map.split_once(char::is_whitespace)) {
            Some(map) => self.maps.push(map),
            None => self.direction = Direction::read(attribute).or(self.direction),
        }
    }

    fn map(&self, format: &str) -> Option<&'a str> {
        self.maps.iter().find(|(mapped, _)| *mapped == format).map(|(_, name)| *name)
    }

    /// A format, if it is one of ours; types 0 and 8 need no map (RFC 3551, 6).
    fn format(&self, word: &str) -> Option<Format> {
        let payload_type = payload_type(word)?;
        let law = LAWS.into_iter().find(|law| match self.map(word) {
            Some(map) => is_at_8000(map, law.name()),
            None => payload_type == law.payload_type(),
        })?;
        Some(Format { payload_type, law })
    }

    fn keys(&self) -> impl Iterator<Item = u8> {
        let keys = self
            .formats
            .iter()
            .filter(|word| self.map(word).is_some_and(|map| is_at_8000(map, "telephone-event")));
        keys.filter_map(|word| payload_type(word))
    }
}

/// Reads a payload type. Written otherwise than we write it, as `08` or `+8`, it would be a format in our
/// answer that the offer lacks.
fn payload_type(word: &str) -> Option<u8> {
    let payload_type: u8 = word.parse().ok().filter(|payload_type| *payload_type < PAYLOAD_TYPES)?;
    (payload_type.to_string() == word).then_some(payload_type)
}

/// Returns whether a map is that of an encoding with one channel of 8,000 Hz.
fn is_at_8000(map: &str, name: &str) -> bool {
    let mut parts = map.trim().split('/');
    let named = parts.next().is_some_and(|first| first.eq_ignore_ascii_case(name));
    named && parts.next() == Some("8000") && matches!(parts.next(), None | Some("1"))
}

/// The host of a `c=` line: an address, with the time to live that multicast has, or a name (RFC 8866, 5.7).
fn read_connection(value: &str) -> Option<Host> {
    let mut words = value.split_whitespace();
    let ("IN", "IP4" | "IP6") = (words.next()?, words.next()?) else { return None };
    let host = words.next()?.split('/').next()?;
    if let Ok(address) = host.parse() {
        return Some(Host::Address(address));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_name = name.len() <= NAME_MAX
        && name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
        // Or it would be another way to write an IPv4 address.
        && name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()));
    is_name.then(|| Host::Name(name.to_ascii_lowercase()))
}

/// Reads an answer to an offer of ours.
///
/// # Errors
/// [`SdpError`].
pub(super) fn read_answer(octets: &[u8]) -> Result<Remote, SdpError> {
    let text = String::from_utf8_lossy(octets);
    let description = Description::read(&text)?;
    let mut read = Err(SdpError::NoAudio);
    for stream in description.streams.iter().filter(|stream| stream.kind == "audio") {
        read = description.remote(stream).map(|(mut remote, _)| {
            // What comes has the type that we offered, what goes the one of the answer (RFC 3264, 6.1). Some
            // name the type alone.
            let named = stream.formats.iter().any(|word| payload_type(word) == Some(KEYS));
            if (!remote.keys.is_empty() || named) && !remote.keys.contains(&KEYS) {
                remote.keys.push(KEYS);
            }
            remote
        });
        if read.is_ok() {
            break;
        }
    }
    read
}

/// Our side of a session, with what it described so far.
pub(super) struct Local {
    address: SocketAddr,
    id: u64,
    version: u64,
    /// The last description without its version.
    said: String,
    /// The streams that were agreed on, in their order: ours, or one that we don't have as we write it.
    streams: Vec<Option<String>>,
}

impl Local {
    /// Our side at an address; `id` tells this session from others (RFC 8866, 5.2).
    pub(super) fn new(address: SocketAddr, id: u64) -> Local {
        Local { address, id, version: id, said: String::new(), streams: vec![None] }
    }

    /// Makes an offer. A later one keeps the streams that there were (RFC 3264, 8).
    pub(super) fn offer(&mut self) -> String {
        let [first, second] = LAWS.map(Law::payload_type);
        let maps: String = LAWS
            .iter()
            .map(|law| format!("a=rtpmap:{} {}/8000\r\n", law.payload_type(), law.name()))
            .collect();
        let ours = format!(
            "m=audio {} RTP/AVP {first} {second} {KEYS}\r\n{maps}a=rtpmap:{KEYS} telephone-event/8000\r\n\
             a=fmtp:{KEYS} 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
            self.address.port()
        );
        self.write("0 0", &ours)
    }

    /// Answers an offer of the other side by what it offers: every stream has its place, one is ours, and it
    /// has no format that was not offered (RFC 3264, 6).
    ///
    /// # Errors
    /// [`SdpError`]; all stays as it was then.
    pub(super) fn answer(&mut self, offer: &[u8]) -> Result<(String, Remote), SdpError> {
        let text = String::from_utf8_lossy(offer);
        let description = Description::read(&text)?;
        let mut why = SdpError::NoAudioOffered;
        let mut taken = None;
        for (at, stream) in description.streams.iter().enumerate() {
            match description.remote(stream) {
                Ok((remote, direction)) if taken.is_none() => taken = Some((at, remote, direction)),
                Ok(_) => {}
                Err(told) if stream.kind == "audio" => why = told,
                Err(_) => {}
            }
        }
        let (place, mut remote, direction) = taken.ok_or(why)?;
        // One is enough, and the one that is answered is the one that comes.
        remote.keys.truncate(1);
        let refused = |stream: &Stream<'_>| {
            format!("m={} 0 {} {}\r\n", stream.kind, stream.protocol, stream.formats.join(" "))
        };
        let streams = description.streams.iter().enumerate();
        self.streams = streams.map(|(at, stream)| (at != place).then(|| refused(stream))).collect();
        let types =
            remote.formats.iter().map(|format| format.payload_type).chain(remote.keys.iter().copied());
        let types: Vec<String> = types.map(|payload_type| payload_type.to_string()).collect();
        let maps = remote.formats.iter().map(|format| (format.payload_type, format.law.name()));
        let maps = maps.chain(remote.keys.iter().map(|keys| (*keys, "telephone-event")));
        let maps: String = maps.map(|(number, name)| format!("a=rtpmap:{number} {name}/8000\r\n")).collect();
        let ours = format!(
            "m=audio {} RTP/AVP {}\r\n{maps}a=ptime:20\r\na={}\r\n",
            self.address.port(),
            types.join(" "),
            direction.mirrored().name()
        );
        // The time of an answer is that of its offer.
        let time = description.time.unwrap_or("0 0").to_owned();
        Ok((self.write(&time, &ours), remote))
    }

    /// Writes a description, with a new version if it differs from the last one (RFC 3264, 8).
    fn write(&mut self, time: &str, ours: &str) -> String {
        let Local { address, id, .. } = *self;
        let (family, ip) = (if address.is_ipv4() { "IP4" } else { "IP6" }, address.ip());
        let streams = self.streams.iter().map(|refused| refused.as_deref().unwrap_or(ours));
        let said = format!("s=-\r\nc=IN {family} {ip}\r\nt={time}\r\n{}", streams.collect::<String>());
        if !self.said.is_empty() && self.said != said {
            self.version += 1;
        }
        self.said = said;
        format!("v=0\r\no=switchback {id} {} IN {family} {ip}\r\n{}", self.version, self.said)
    }
}

/// Answers octets as an offer, and panics if the answer has what the offer lacks; returns whether there was
/// an answer.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn answers_by_the_rules(offer: &[u8]) -> bool {
    let mut local = Local::new(SocketAddr::from(([192, 0, 2, 1], 4000)), 7);
    let Ok((answer, remote)) = local.answer(offer) else { return false };
    let text = String::from_utf8_lossy(offer);
    let offered = Description::read(&text).expect("it was read before");
    let answered = Description::read(&answer).expect("we write what can be read");
    assert_eq!(offered.streams.len(), answered.streams.len(), "{answer}");
    for (asked, told) in offered.streams.iter().zip(&answered.streams) {
        assert_eq!((asked.kind, asked.protocol), (told.kind, told.protocol), "{answer}");
        assert!(told.formats.iter().all(|format| asked.formats.contains(format)), "{answer}");
    }
    let ours: Vec<&Stream<'_>> = answered.streams.iter().filter(|stream| stream.port != 0).collect();
    assert_eq!((ours.len(), ours.first().map(|stream| stream.port)), (1, Some(4000)), "{answer}");
    assert!(remote.formats.contains(&remote.liked) && remote.port != 0);
    // A second answer to the same is the same.
    assert_eq!(local.answer(offer).map(|(again, _)| again), Ok(answer.clone()));
    // An offer of ours keeps the places.
    let again = local.offer();
    let kept = Description::read(&again).expect("we write what can be read");
    assert_eq!(kept.streams.len(), offered.streams.len());
    assert!(read_answer(again.as_bytes()).is_ok());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

    fn at(address: &str) -> (Host, u16) {
        let address: SocketAddr = address.parse().unwrap();
        (Host::Address(address.ip()), address.port())
    }

    fn place(remote: &Remote) -> (Host, u16) {
        (remote.host.clone(), remote.port)
    }

    fn types(remote: &Remote) -> Vec<u8> {
        remote.formats.iter().map(|format| format.payload_type).collect()
    }

    fn local() -> Local {
        Local::new("192.0.2.1:4000".parse().unwrap(), 7)
    }

    /// The `m=` lines and directions of an answer to an offer after [`HEAD`].
    fn answered(streams: &str) -> Result<Vec<String>, SdpError> {
        let (answer, _) = local().answer(format!("{HEAD}{streams}").as_bytes())?;
        let told = answer.lines().filter(|line| {
            line.starts_with("m=")
                || line.strip_prefix("a=").is_some_and(|line| Direction::read(line).is_some())
        });
        Ok(told.map(str::to_owned).collect())
    }

    #[test]
    fn a_format_that_is_written_in_another_way_is_not_answered() {
        let (answer, _) =
            local().answer(format!("{HEAD}m=audio 4000 RTP/AVP 8 000 +0\r\n").as_bytes()).unwrap();
        assert!(answer.contains("m=audio 4000 RTP/AVP 8\r\n"), "{answer}");
        assert_eq!(answered("m=audio 4000 RTP/AVP 08\r\n"), Err(SdpError::NoFormat));
    }

    #[test]
    fn an_answer_is_read() {
        let answer = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 0 96\r\nc=IN IP4 10.0.0.2\r\na=rtpmap:96 telephone-event/8000\r\n\
            m=video 5000 RTP/AVP 31\r\nc=IN IP4 10.0.0.3\r\n";
        let remote = read_answer(answer.as_bytes()).unwrap();
        assert_eq!(place(&remote), at("10.0.0.2:4000"));
        assert_eq!((remote.liked.law, types(&remote), remote.keys), (Law::Mu, vec![0], vec![96, KEYS]));
        assert!(remote.listens);
        assert!(read_answer(answer.replace("audio 4000", "audio 0").as_bytes()).is_err());
        assert!(read_answer(answer.replace("AVP 0 96", "AVP 3").as_bytes()).is_err());
        let mut own = Local::new("[::1]:6000".parse().unwrap(), 1);
        let own = read_answer(own.offer().as_bytes()).unwrap();
        assert_eq!(place(&own), at("[::1]:6000"));
        assert_eq!((own.liked.law, types(&own), own.keys), (Law::A, vec![8, 0], vec![KEYS]));
    }

    #[test]
    fn odd_answers_are_read_for_what_they_say() {
        for (streams, payload_type, keys) in [
            // A type of its own for A-law, and one that stands for something else.
            ("m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:0 G722/8000\r\na=rtpmap:97 pcma/8000/1\r\n", 97, vec![]),
            // Keys without a map, a number of ports, spaces, unknown attributes.
            (
                "m=audio  4000/2 RTP/AVP 8 101\r\na=ptime:30\r\na=fmtp:101 0-16\r\na=rtcp:4001\r\n",
                8,
                vec![101],
            ),
            ("m=audio 4000 RTP/AVP 8\r\na=rtpmap: 8  PCMA/8000\r\na=maxptime:240\r\n", 8, vec![]),
            // Line ends of another system, and a name that is no UTF-8 comes as its replacement.
            ("m=audio 4000 RTP/AVP 18 3 0\n", 0, vec![]),
            ("m=image 0 udptl t38\r\nm=audio 4000 RTP/AVP 8\r\n", 8, vec![]),
        ] {
            let remote = read_answer(format!("{HEAD}{streams}").as_bytes()).unwrap();
            assert_eq!((remote.liked.payload_type, &remote.keys), (payload_type, &keys), "{streams}");
        }
        let mut octets = HEAD.replace("s=-", "s=\u{1}").into_bytes();
        octets.iter_mut().filter(|octet| **octet == 1).for_each(|octet| *octet = 0xe9);
        octets.extend(b"m=audio 4000 RTP/AVP 8\r\n");
        assert!(read_answer(&octets).is_ok());
        for streams in [
            "",
            "m=audio 4000 RTP/AVP 8/8000\r\n",
            "m=audio 4000 RTP/SAVP 8\r\n",
            "m=audio 4000 RTP/AVP 136\r\n",
            "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMA/16000\r\n",
            "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000/2\r\n",
            "m=audio 70000 RTP/AVP 8\r\n",
            "m=audio 4000 RTP/AVP\r\n",
            "m=audio\r\n",
        ] {
            assert!(read_answer(format!("{HEAD}{streams}").as_bytes()).is_err(), "{streams}");
        }
    }

    #[test]
    fn an_address_is_that_of_the_stream_or_of_the_session_or_a_name() {
        let host = |lines: &str| {
            let text = format!("v=0\r\n{lines}m=audio 4000 RTP/AVP 8\r\n");
            read_answer(text.as_bytes()).map(|remote| remote.host)
        };
        let name = |name: &str| Ok(Host::Name(name.into()));
        assert_eq!(host("c=IN IP4 Media.Example.\r\n"), name("media.example"));
        assert_eq!(host("c=IN IP6 2001:db8::1\r\n"), Ok(Host::Address("2001:db8::1".parse().unwrap())));
        assert_eq!(host("c=IN IP4 224.2.1.1/127\r\n"), Ok(Host::Address("224.2.1.1".parse().unwrap())));
        assert_eq!(host("c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\n"), host("c=IN IP4 192.0.2.1\r\n"));
        for other in ["2130706433", "0x7f.1", "127.1", "a b", "a..b", "-", "x@y", "[::1]", ""] {
            assert!(host(&format!("c=IN IP4 {other}\r\n")).is_err() || other == "a b", "{other}");
        }
        assert!(host("c=ATM NSAP x\r\n").is_err() && host("").is_err());
    }

    #[test]
    fn an_offer_is_answered_by_what_it_offers() {
        let held = "m=audio 5000 RTP/AVP 8 0\r\n";
        for (streams, answer) in [
            (
                "m=audio 5000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n",
                "m=audio 4000 RTP/AVP 0 101|a=sendrecv",
            ),
            ("m=audio 5000 RTP/AVP 9 0 8\r\n", "m=audio 4000 RTP/AVP 0 8|a=sendrecv"),
            (&format!("{held}a=sendonly\r\n"), "m=audio 4000 RTP/AVP 8 0|a=recvonly"),
            (&format!("{held}a=recvonly\r\n"), "m=audio 4000 RTP/AVP 8 0|a=sendonly"),
            (&format!("{held}a=inactive\r\n"), "m=audio 4000 RTP/AVP 8 0|a=inactive"),
            (&format!("a=sendonly\r\n{held}"), "m=audio 4000 RTP/AVP 8 0|a=recvonly"),
            (&format!("a=sendonly\r\n{held}a=sendrecv\r\n"), "m=audio 4000 RTP/AVP 8 0|a=sendrecv"),
            (
                "m=video 6000 RTP/AVP 31 32\r\nm=audio 5000 RTP/AVP 8\r\nm=image 7000 udptl t38\r\n",
                "m=video 0 RTP/AVP 31 32|m=audio 4000 RTP/AVP 8|a=sendrecv|m=image 0 udptl t38",
            ),
            (
                "m=audio 6000 RTP/SAVP 8\r\nm=audio 5000 RTP/AVP 8\r\nm=audio 5002 RTP/AVP 0\r\n",
                "m=audio 0 RTP/SAVP 8|m=audio 4000 RTP/AVP 8|a=sendrecv|m=audio 0 RTP/AVP 0",
            ),
            (
                "m=audio 5000 RTP/AVP 97 98\r\na=rtpmap:97 PCMU/8000\r\na=rtpmap:98 telephone-event/8000\r\n",
                "m=audio 4000 RTP/AVP 97 98|a=sendrecv",
            ),
        ] {
            assert_eq!(answered(streams).map(|lines| lines.join("|")), Ok(answer.into()), "{streams}");
        }
        for streams in [
            "",
            "m=image 5000 udptl t38\r\n",
            "m=video 5000 RTP/AVP 31\r\n",
            "m=audio 0 RTP/AVP 8\r\n",
            "m=audio 5000 RTP/AVP 18 9\r\n",
            "m=audio 5000 UDP/TLS/RTP/SAVPF 8\r\n",
        ] {
            assert!(answered(streams).is_err(), "{streams}");
        }
    }

    #[test]
    fn a_hold_is_one_whichever_way_it_is_told() {
        let mut local = local();
        let mut listens =
            |streams: &str| local.answer(format!("{HEAD}{streams}").as_bytes()).unwrap().1.listens;
        let audio = "m=audio 5000 RTP/AVP 8\r\n";
        assert!(listens(audio) && listens(&format!("{audio}a=recvonly\r\n")));
        for held in ["a=sendonly\r\n", "a=inactive\r\n", "c=IN IP4 0.0.0.0\r\n", "c=IN IP6 ::\r\n"] {
            assert!(!listens(&format!("{audio}{held}")), "{held}");
        }
    }

    #[test]
    fn the_version_rises_with_what_is_new_and_streams_keep_their_places() {
        let mut local = local();
        let version = |text: &str| text.lines().nth(1).unwrap().split(' ').nth(2).unwrap().to_owned();
        assert_eq!(version(&local.offer()), "7");
        let offer =
            format!("{}m=video 1 RTP/AVP 31\r\nm=audio 5000 RTP/AVP 8\r\n", HEAD.replace("t=0 0", "t=5 9"));
        let (first, _) = local.answer(offer.as_bytes()).unwrap();
        let (again, _) = local.answer(offer.as_bytes()).unwrap();
        assert_eq!((version(&first).as_str(), &first), ("8", &again));
        assert!(first.contains("\r\nt=5 9\r\n"), "{first}");
        // What can't be answered changes nothing.
        assert!(local.answer(b"m=image 1 udptl t38\r\n").is_err());
        let ours = local.offer();
        assert_eq!(version(&ours), "9");
        assert!(ours.find("m=video 0 RTP/AVP 31").unwrap() < ours.find("m=audio 4000").unwrap(), "{ours}");
    }

    proptest! {
        /// Every answer has the streams of its offer in their order, and never what the offer lacks.
        #[test]
        fn an_answer_has_what_was_offered(
            streams in prop::collection::vec(stream(), 0..6),
            direction in "(a=(sendonly|inactive)\r\n)?",
        ) {
            let possible = streams.iter().any(|(_, possible)| *possible);
            let streams: String = streams.into_iter().map(|(text, _)| text).collect();
            prop_assert_eq!(answers_by_the_rules(format!("{HEAD}{direction}{streams}").as_bytes()), possible);
        }

        #[test]
        fn no_octets_end_the_process(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            answers_by_the_rules(&octets);
            let _ = read_answer(&octets);
        }
    }

    /// A stream of an offer, and whether we can have it.
    fn stream() -> impl Strategy<Value = (String, bool)> {
        let kind = prop::sample::select(vec!["audio", "audio", "audio", "video", "image", "application"]);
        let protocol = prop::sample::select(vec!["RTP/AVP", "RTP/AVP", "RTP/SAVP", "udptl"]);
        let formats =
            prop::collection::vec(prop::sample::select(vec!["0", "8", "9", "18", "97", "101"]), 1..5);
        let attributes =
            prop::sample::select(vec!["", "a=sendonly\r\n", "a=inactive\r\n", "a=rtpmap:97 PCMU/8000\r\n"]);
        let keys = "(a=rtpmap:101 telephone-event/8000\r\n)?";
        (kind, prop::sample::select(vec![0u16, 1, 5000]), protocol, formats, attributes, keys).prop_map(
            |(kind, port, protocol, formats, attributes, keys)| {
                let text = format!("m={kind} {port} {protocol} {}\r\n{attributes}{keys}", formats.join(" "));
                let ours = |format: &&str| {
                    matches!(*format, "0" | "8") || *format == "97" && attributes.contains("97")
                };
                let possible =
                    kind == "audio" && port != 0 && protocol == "RTP/AVP" && formats.iter().any(ours);
                (text, possible)
            },
        )
    }
}
