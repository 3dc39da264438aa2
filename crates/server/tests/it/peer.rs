//! A SIP peer of our own, over UDP or TCP, that keeps what it got and says what it is told, whatever that is.

use crate::support::until;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;

/// A message that came.
#[derive(Clone, Debug)]
pub struct Got {
    pub at: Instant,
    pub text: String,
    /// How many requests of this method came before, retransmissions not counted.
    pub before: usize,
}

impl Got {
    /// The method of a request, or `SIP/2.0`.
    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// The code of an answer.
    pub fn status(&self) -> Option<u16> {
        self.text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The values of a header, in their order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// An answer to it, with more headers, each with its line's end.
    pub fn answer(&self, line: &str, more: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {line}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for value in self.all(name) {
                let tag = if name == "To" && !value.contains("tag=") && !line.starts_with("100") {
                    ";tag=peer"
                } else {
                    ""
                };
                text += &format!("{name}: {value}{tag}\r\n");
            }
        }
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        text + &format!("{more}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// A request within the call that this INVITE began.
    pub fn request(&self, method: &str, number: u32, more: &str, body: &str) -> String {
        let contact = self.header("Contact");
        let uri = contact.split(['<', '>']).nth(1).unwrap_or_default();
        let transport = self.header("Via").split([' ', '/']).nth(2).unwrap_or("UDP");
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{};rport\r\nMax-Forwards: 70\r\n\
             From: {};tag=peer\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            fastrand::u64(..),
            self.header("To"),
            self.header("From"),
            self.header("Call-ID"),
            body.len()
        )
    }
}

/// What is said, and when.
pub type Said = Vec<(Duration, String)>;

pub fn now(text: String) -> (Duration, String) {
    (Duration::ZERO, text)
}

pub fn after_ms(ms: u64, text: String) -> (Duration, String) {
    (Duration::from_millis(ms), text)
}

type Script = dyn Fn(&Got, u16) -> Said + Send + Sync;

#[derive(Clone)]
pub struct Peer {
    pub port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    script: Arc<Script>,
    /// Where sound may go to.
    _sound: Arc<std::net::UdpSocket>,
    number: Arc<AtomicU32>,
}

impl Peer {
    /// One over UDP at an address; the script gets each request that is new, and a port for sound.
    pub async fn udp(address: &str, script: impl Fn(&Got, u16) -> Said + Send + Sync + 'static) -> Peer {
        let socket = Arc::new(UdpSocket::bind((address, 0)).await.unwrap());
        let peer = Peer::new(socket.local_addr().unwrap(), script);
        let listening = peer.clone();
        tokio::spawn(async move {
            let mut packet = vec![0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                for (after, text) in listening.hear(String::from_utf8_lossy(&packet[..length]).into_owned()) {
                    let socket = Arc::clone(&socket);
                    tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        let _ = socket.send_to(text.as_bytes(), from).await;
                    });
                }
            }
        });
        peer
    }

    /// One over TCP.
    pub async fn tcp(script: impl Fn(&Got, u16) -> Said + Send + Sync + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::new(listener.local_addr().unwrap(), script);
        let listening = peer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let peer = listening.clone();
                let (mut reads, mut writes) = stream.into_split();
                let (say, mut said) = mpsc::unbounded_channel::<String>();
                tokio::spawn(async move {
                    while let Some(text) = said.recv().await {
                        let _ = writes.write_all(text.as_bytes()).await;
                    }
                });
                tokio::spawn(async move {
                    let mut read: Vec<u8> = Vec::new();
                    while reads.read_buf(&mut read).await.is_ok_and(|octets| octets > 0) {
                        while let Some(message) = whole(&mut read) {
                            for (after, text) in peer.hear(message) {
                                let say = say.clone();
                                tokio::spawn(async move {
                                    tokio::time::sleep(after).await;
                                    let _ = say.send(text);
                                });
                            }
                        }
                    }
                });
            }
        });
        peer
    }

    fn new(address: SocketAddr, script: impl Fn(&Got, u16) -> Said + Send + Sync + 'static) -> Peer {
        let sound = Arc::new(std::net::UdpSocket::bind((address.ip(), 0)).unwrap());
        let script = Arc::new(script);
        Peer { port: address.port(), got: Arc::default(), script, _sound: sound, number: Arc::default() }
    }

    fn hear(&self, text: String) -> Said {
        let mut all = self.got.lock();
        let mut got = Got { at: Instant::now(), text, before: 0 };
        let same = |known: &Got| known.method() == got.method();
        let is_repeated = |known: &Got| {
            same(known)
                && known.header("CSeq") == got.header("CSeq")
                && known.header("Call-ID") == got.header("Call-ID")
                && known.header("Via") == got.header("Via")
        };
        if got.status().is_none() && all.iter().any(is_repeated) {
            return vec![];
        }
        got.before = all.iter().filter(|known| same(known)).count();
        all.push(got.clone());
        drop(all);
        self.number.fetch_add(1, Ordering::Relaxed);
        (self.script)(&got, self._sound.local_addr().unwrap().port())
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().clone()
    }

    /// The requests of a method that came, retransmissions not counted.
    pub fn requests(&self, method: &str) -> Vec<Got> {
        self.got().into_iter().filter(|got| got.method() == method).collect()
    }

    /// Waits for so many requests of a method.
    pub async fn wait_for(&self, method: &str, count: usize) -> Vec<Got> {
        until(&format!("{count} {method}"), || self.requests(method).len() >= count).await;
        self.requests(method)
    }
}

/// Takes a whole message from what was read of a stream.
fn whole(read: &mut Vec<u8>) -> Option<String> {
    let head = read.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let end = head + length.unwrap_or_default();
    (read.len() >= end).then(|| String::from_utf8_lossy(&read.drain(..end).collect::<Vec<u8>>()).into_owned())
}

/// A description of the peer's side: A-law.
pub fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=peer 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
}

/// What takes a call, from an address of the peer's; a person who hangs up never.
pub fn taking(got: &Got, contact: &str, sound: u16) -> String {
    got.answer("200 OK", &format!("Contact: <{contact}>\r\n"), &sdp(sound))
}

/// What anybody answers to what needs no thought: CANCEL and BYE, with 487 for the INVITE that was cancelled.
pub fn polite(got: &Got) -> Said {
    match got.method() {
        "CANCEL" => {
            let invite = Got { text: got.text.replace("CANCEL", "INVITE"), ..got.clone() };
            vec![now(got.answer("200 OK", "", "")), now(invite.answer("487 Request Terminated", "", ""))]
        }
        "BYE" | "REGISTER" => vec![now(got.answer("200 OK", "", ""))],
        _ => vec![],
    }
}
