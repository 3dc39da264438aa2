//! A SIP peer over UDP that a test plays, message by message: what sipp and baresip can't be told to do.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// How long anything may take that is expected.
const PATIENCE: Duration = Duration::from_secs(20);
/// Samples of a packet of 20 ms.
const SAMPLES: usize = 160;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request's or the status line.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub from: SocketAddr,
}

impl Message {
    fn read(octets: &[u8], from: SocketAddr) -> Message {
        let text = String::from_utf8_lossy(octets);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect();
        Message { line, headers, body: body.to_owned(), from }
    }

    /// The first header of a name.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub fn is_request(&self, method: &str) -> bool {
        self.line.starts_with(&format!("{method} "))
    }

    /// The code of an answer.
    pub fn status(&self) -> Option<u16> {
        self.line.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// What the `m=` lines of its description have, and its direction.
    pub fn described(&self) -> String {
        let told = self.body.lines().filter(|line| {
            let directions = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
            line.starts_with("m=") || directions.contains(line)
        });
        told.map(|line| line.replace(&format!(" {} ", self.sound().port()), " PORT "))
            .collect::<Vec<_>>()
            .join("|")
    }

    /// Where the author of its description wants sound.
    pub fn sound(&self) -> SocketAddr {
        let after = |prefix: &str| {
            let line = self.body.lines().find_map(|line| line.strip_prefix(prefix));
            line.unwrap_or_else(|| panic!("{prefix} in {self:?}"))
        };
        let host: IpAddr = after("c=IN ").split(' ').nth(1).unwrap().parse().unwrap();
        SocketAddr::new(host, after("m=audio ").split(' ').next().unwrap().parse().unwrap())
    }
}

/// A user agent that answers one call at a time.
pub struct Puppet {
    socket: UdpSocket,
    /// Where it hears and speaks, unless a test tells something else.
    pub sound: UdpSocket,
    /// What came and was not asked for yet.
    waiting: VecDeque<Message>,
    /// The INVITE of its call.
    invite: Option<Message>,
    sequence: u32,
}

impl Puppet {
    /// One at an address of this host.
    pub async fn at(ip: &str) -> Puppet {
        let ip: IpAddr = ip.parse().unwrap();
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let sound = UdpSocket::bind((ip, 0)).await.unwrap();
        Puppet { socket, sound, waiting: VecDeque::new(), invite: None, sequence: 0 }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// A description: A-law with keys, at the peer's sound.
    pub fn description(&self) -> String {
        describe(self.sound.local_addr().unwrap(), "8 101")
    }

    /// The next message that is wanted; others wait.
    async fn receive(&mut self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        if let Some(at) = self.waiting.iter().position(&wanted) {
            return self.waiting.remove(at).unwrap();
        }
        let receiving = async {
            let mut octets = [0; 8192];
            loop {
                let (length, from) = self.socket.recv_from(&mut octets).await.unwrap();
                let message = Message::read(&octets[..length], from);
                if wanted(&message) {
                    return message;
                }
                self.waiting.push_back(message);
            }
        };
        let received = tokio::time::timeout(PATIENCE, receiving).await;
        received.unwrap_or_else(|_| panic!("no {what} came, but {:#?}", self.waiting))
    }

    /// Waits for a new call.
    pub async fn invited(&mut self) -> Message {
        let known = self.invite.take().map(|invite| invite.header("Call-ID").to_owned());
        let new = |message: &Message| {
            message.is_request("INVITE") && known.as_deref() != Some(message.header("Call-ID"))
        };
        let invite = self.receive("INVITE", new).await;
        self.invite = Some(invite.clone());
        invite
    }

    /// Waits for a request of the call, and answers it where it wants an answer.
    pub async fn expect(&mut self, method: &str) -> Message {
        let request = self.receive(method, |message| message.is_request(method)).await;
        if method != "ACK" {
            self.reply(&request, "200 OK", "", "").await;
        }
        request
    }

    /// Answers the call; `more` are headers with their line ends, which may have a Contact.
    pub async fn answer(&self, line: &str, more: &str, body: &str) {
        self.reply(self.invite.as_ref().unwrap(), line, more, body).await;
    }

    async fn reply(&self, request: &Message, line: &str, more: &str, body: &str) {
        let mut text = format!("SIP/2.0 {line}\r\n");
        for (name, value) in &request.headers {
            match name.to_ascii_lowercase().as_str() {
                "via" | "from" | "call-id" | "cseq" => text += &format!("{name}: {value}\r\n"),
                "to" => text += &format!("To: {}\r\n", tagged(value)),
                _ => {}
            }
        }
        if !more.contains("Contact:") {
            text += &format!("Contact: <sip:callee@{}>\r\n", self.address());
        }
        text += &format!("{more}{}", content(body));
        self.socket.send_to(text.as_bytes(), request.from).await.unwrap();
    }

    /// Answers the call with the peer's description, and waits for the ACK.
    pub async fn accept(&mut self) {
        let body = self.description();
        self.answer("200 OK", "", &body).await;
        self.expect("ACK").await;
    }

    /// Sends a request within the call, and waits for the final answer.
    pub async fn ask(&mut self, method: &str, more: &str, body: &str) -> Message {
        self.sequence += 1;
        let sequence = self.sequence;
        self.send(method, sequence, more, body).await;
        let cseq = format!("{sequence} {method}");
        let is_final = |message: &Message| {
            message.status().is_some_and(|status| status >= 200) && message.header("CSeq") == cseq
        };
        self.receive("answer", is_final).await
    }

    /// Sends a re-INVITE, and confirms its answer with a description or nothing.
    pub async fn ask_anew(&mut self, body: &str, confirmed: &str) -> Message {
        let answer = self.ask("INVITE", "", body).await;
        self.send("ACK", self.sequence, "", confirmed).await;
        answer
    }

    async fn send(&self, method: &str, sequence: u32, more: &str, body: &str) {
        let invite = self.invite.as_ref().unwrap();
        let address = self.address();
        let contact = invite.header("Contact").trim_matches(['<', '>']);
        let text = format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{method}{sequence}{}\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {sequence} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:callee@{address}>\r\n{more}{}",
            address.port(),
            tagged(invite.header("To")),
            invite.header("From"),
            invite.header("Call-ID"),
            content(body)
        );
        self.socket.send_to(text.as_bytes(), invite.from).await.unwrap();
    }

    /// Where the call's requests come from.
    pub fn requests_came_from(&self) -> SocketAddr {
        self.invite.as_ref().unwrap().from
    }

    /// Sends octets as they are, and waits for whatever comes.
    pub async fn send_raw(&mut self, text: &str, to: SocketAddr) -> Message {
        self.socket.send_to(text.as_bytes(), to).await.unwrap();
        self.receive("answer", |message| message.status().is_some()).await
    }
}

/// A description of a stream with payload types, at an address.
pub fn describe(at: SocketAddr, types: &str) -> String {
    let family = if at.is_ipv4() { "IP4" } else { "IP6" };
    let ip = at.ip();
    format!(
        "v=0\r\no=callee 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {} RTP/AVP {types}\r\na=rtpmap:101 telephone-event/8000\r\n",
        at.port()
    )
}

fn tagged(to: &str) -> String {
    if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=callee") }
}

/// The last headers and the body, whose type is SDP where it looks like one.
fn content(body: &str) -> String {
    let content_type = if body.starts_with("v=0") { "Content-Type: application/sdp\r\n" } else { "" };
    format!("{content_type}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A packet of sound with a type, a source and a time.
pub fn packet(payload_type: u8, source: u32, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type, 0, 1];
    packet.extend(timestamp.to_be_bytes());
    packet.extend(source.to_be_bytes());
    packet.extend(payload);
    packet
}

/// 20 ms of silence in A-law.
pub fn silent(source: u32) -> Vec<u8> {
    packet(8, source, 160, &[0xd5; SAMPLES])
}

/// The payload type of the next packet of sound.
pub async fn hear(sound: &UdpSocket) -> u8 {
    let mut octets = [0; 2000];
    let received = tokio::time::timeout(PATIENCE, sound.recv(&mut octets)).await;
    let length = received.expect("sound comes").unwrap();
    assert_eq!(length, 12 + SAMPLES);
    octets[1] & 0x7f
}

/// Takes what came so far; how many packets.
pub fn drain(sound: &UdpSocket) -> usize {
    std::iter::from_fn(|| sound.try_recv(&mut [0; 2000]).ok()).count()
}

/// Whether anything comes for some time, after what came before.
pub async fn is_quiet(sound: &UdpSocket, time: Duration) -> bool {
    drain(sound);
    tokio::time::timeout(time, sound.recv(&mut [0; 2000])).await.is_err()
}
