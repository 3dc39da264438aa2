//! Where calls may lead: in a world whose only public address is 127.0.0.2, nothing reaches 127.0.0.1.

use crate::puppet::{Puppet, describe, hear, silent};
use crate::voice::silence;
use async_trait::async_trait;
use carriers::{Carrier, Fetch, FetchError, Outcome, Outgoing, ReceiptsOnly, Sip, SipConfig};
use flow::{Content, Flow, FlowKind, NewFlow, Receipt, Status, Step, Ttl, Verb, Voice, VoiceTarget};
use server::clock::{new_flow_id, now_ms};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const OUTSIDE: &str = "127.0.0.2";
const INSIDE: &str = "127.0.0.1";
/// Time in which something would have come.
const MOMENT: Duration = Duration::from_millis(400);

/// Files of silence, and the one public address.
struct World;

#[async_trait]
impl Fetch for World {
    async fn get(&self, _: &str) -> Result<Vec<u8>, FetchError> {
        Ok(silence(8))
    }

    async fn dial_plan(&self, _: &str, _: &str) -> Result<Vec<Verb>, FetchError> {
        Err(FetchError::Plan("there is none".into()))
    }

    fn reaches(&self, address: IpAddr) -> bool {
        address.to_canonical().to_string() == OUTSIDE
    }
}

/// A port of the inside that must get nothing, over UDP and TCP.
struct Inside {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Inside {
    fn new() -> Inside {
        let bound = std::iter::repeat_with(|| {
            let udp = UdpSocket::bind((INSIDE, 0)).unwrap();
            let tcp = TcpListener::bind((INSIDE, udp.local_addr().unwrap().port()));
            tcp.map(|tcp| Inside { udp, tcp })
        });
        // Somebody may have the port for TCP.
        let inside = bound.take(20).find_map(Result::ok).unwrap();
        inside.udp.set_nonblocking(true).unwrap();
        inside.tcp.set_nonblocking(true).unwrap();
        inside
    }

    fn address(&self) -> SocketAddr {
        self.udp.local_addr().unwrap()
    }

    fn assert_untouched(&self, by: &str) {
        let mut octets = [0; 2000];
        if let Ok(length) = self.udp.recv(&mut octets) {
            panic!("{by}: a packet came: {}", String::from_utf8_lossy(&octets[..length]));
        }
        assert!(self.tcp.accept().is_err(), "{by}: somebody connected");
    }
}

/// A carrier in that world, with a trunk where the peer is, and its receipts.
async fn carrier(trunk: SocketAddr) -> (Arc<Sip>, mpsc::UnboundedReceiver<Receipt>) {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = format!(
        "bind = \"{INSIDE}:0\"\nmedia_timeout = \"1s\"\n[[trunk]]\nhost = \"{}\"\nport = {}\n",
        trunk.ip(),
        trunk.port()
    );
    let config: SipConfig = toml::from_str(&config).unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    let sip = Sip::start("voice".into(), config, Arc::new(ReceiptsOnly(sender)), Arc::new(World)).await;
    (Arc::new(sip.unwrap()), receiver)
}

fn outgoing(to: VoiceTarget) -> Outgoing {
    let verbs = vec![Verb::Play { url: "http://files/a.wav".into(), repeat: 1, barge_in: false }];
    let voice = Voice { from: "+302100000000".into(), to, verbs, machine_detection: None };
    let content = Content::Voice(voice);
    let step = Step { order: 1, failover_on: vec![], ttl: Ttl::minutes(1), content, country: None };
    let now_ms = now_ms();
    let new = NewFlow {
        id: new_flow_id(now_ms),
        application: String::new(),
        kind: FlowKind::Plain,
        minute_ms: 60_000,
        steps: vec![step],
        callback: None,
        restrictions: None,
        callback_bytes_max: flow::CALLBACK_BYTES,
    };
    Outgoing {
        flow: Arc::new(Flow::accept(new, now_ms)),
        message: 0,
        part: 0,
        attempts: 0,
        sender: "+302100000000".into(),
        time_left: Duration::from_secs(60),
    }
}

/// Has a peer called, by its own address or as a trunk.
async fn calling(
    peer: &mut Puppet,
    by_trunk: bool,
) -> (Arc<Sip>, mpsc::UnboundedReceiver<Receipt>, SocketAddr) {
    let (sip, receipts) = carrier(peer.address()).await;
    let to = if by_trunk {
        VoiceTarget::Phone("+306900000000".into())
    } else {
        VoiceTarget::Sip(format!("sip:callee@{}", peer.address()))
    };
    let caller = Arc::clone(&sip);
    tokio::spawn(async move { caller.submit(&outgoing(to)).await });
    let ours = peer.invited().await.sound();
    (sip, receipts, ours)
}

/// The final receipt.
async fn end(receipts: &mut mpsc::UnboundedReceiver<Receipt>) -> Receipt {
    loop {
        let receipt = tokio::time::timeout(Duration::from_secs(20), receipts.recv()).await.unwrap().unwrap();
        if receipt.status.is_final() {
            return receipt;
        }
    }
}

#[tokio::test]
async fn no_address_of_a_client_leads_inside() {
    let inside = Inside::new();
    let port = inside.address().port();
    let (sip, _receipts) = carrier("127.0.0.2:9".parse().unwrap()).await;
    for address in [
        format!("sip:x@{INSIDE}:{port}"),
        format!("sips:x@{INSIDE}:{port}"),
        format!("sip:x@localhost:{port}"),
        format!("sips:x@localhost:{port}"),
        format!("sip:x@[::ffff:{INSIDE}]:{port}"),
        format!("sip:x@2130706433:{port}"),
        format!("sip:x@0x7f.1:{port}"),
        format!("sip:x@0177.0.0.1:{port}"),
        format!("sip:x@{INSIDE}:{port};transport=tcp"),
        format!("sip:x@{OUTSIDE}:{port};maddr={INSIDE}"),
        format!("sip:x@{OUTSIDE}:{port};method=BYE"),
        format!("sip:x@{OUTSIDE}:{port}?Route=%3Csip:{INSIDE}:{port}%3E"),
    ] {
        let outcome = sip.submit(&outgoing(VoiceTarget::Sip(address.clone()))).await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{address}: {outcome:?}");
    }
    tokio::time::sleep(MOMENT).await;
    inside.assert_untouched("an address");
}

#[tokio::test]
async fn no_answer_leads_inside() {
    let inside = Arc::new(Inside::new());
    let at = inside.address();
    let mut cases = JoinSet::new();
    for (line, headers) in [
        ("200 OK", format!("Contact: <sip:x@{at}>\r\n")),
        ("200 OK", format!("Contact: <sip:x@{at};transport=tcp>\r\n")),
        ("200 OK", format!("Contact: <sips:x@{at}>\r\n")),
        ("200 OK", format!("Contact: <sip:x@[::ffff:{INSIDE}]:{}>\r\n", at.port())),
        ("200 OK", format!("Contact: <sip:x@PEER;maddr={INSIDE}>\r\n")),
        ("200 OK", format!("Contact: <sip:x@localhost:{}>\r\n", at.port())),
        ("200 OK", format!("Contact: <sip:x@2130706433:{}>\r\n", at.port())),
        ("200 OK", format!("Record-Route: <sip:{at};lr>\r\n")),
        ("200 OK", format!("Record-Route: <sip:{at};transport=tcp;lr>\r\n")),
        ("200 OK", format!("Record-Route: <sip:localhost:{};lr>\r\n", at.port())),
        ("302 Moved Temporarily", format!("Contact: <sip:x@{at}>\r\n")),
        ("305 Use Proxy", format!("Contact: <sip:{at};transport=tcp>\r\n")),
        ("300 Multiple Choices", format!("Contact: <sip:x@localhost:{}>, <sip:x@{at}>\r\n", at.port())),
    ] {
        for by_trunk in [false, true] {
            cases.spawn(no_packet_inside_after(Arc::clone(&inside), line, headers.clone(), by_trunk));
        }
    }
    cases.join_all().await;
}

/// A call whose answer has these headers, by the address or by a trunk.
async fn no_packet_inside_after(inside: Arc<Inside>, line: &str, headers: String, by_trunk: bool) {
    let mut peer = Puppet::at(OUTSIDE).await;
    let (_sip, mut receipts, ours) = calling(&mut peer, by_trunk).await;
    let headers = headers.replace("PEER", &peer.address().to_string());
    if line.starts_with("200") {
        let body = peer.description();
        peer.answer(line, &headers, &body).await;
        peer.sound.send_to(&silent(7), ours).await.unwrap();
        hear(&peer.sound).await;
        // The call ends by itself, and its BYE goes nowhere else.
        peer.expect("BYE").await;
    } else {
        peer.answer(line, &headers, "").await;
        assert_eq!(end(&mut receipts).await.status, Status::Failed, "{line}");
    }
    tokio::time::sleep(MOMENT).await;
    inside.assert_untouched(&format!("{line} {headers}"));
}

#[tokio::test]
async fn no_description_sends_sound_inside() {
    let inside = Arc::new(Inside::new());
    let at = inside.address();
    let described = describe(at, "8");
    let mut cases = JoinSet::new();
    for by_trunk in [false, true] {
        for description in [
            described.clone(),
            described.replace(&format!("IP4 {INSIDE}"), "IP4 localhost"),
            described.replace(&format!("IP4 {INSIDE}"), &format!("IP6 ::ffff:{INSIDE}")),
            // The session's address is outside, the stream's is not.
            format!("{}c=IN IP4 {INSIDE}\r\n", described.replace(INSIDE, OUTSIDE)),
        ] {
            cases.spawn(no_sound_inside_after(Arc::clone(&inside), description, by_trunk));
        }
        cases.spawn(no_sound_inside_later(Arc::clone(&inside), described.clone(), by_trunk));
    }
    cases.join_all().await;
    inside.assert_untouched("a description");
}

/// A call whose answer describes sound inside.
async fn no_sound_inside_after(inside: Arc<Inside>, description: String, by_trunk: bool) {
    let mut peer = Puppet::at(OUTSIDE).await;
    let (_sip, mut receipts, _) = calling(&mut peer, by_trunk).await;
    peer.answer("200 OK", "", &description).await;
    peer.expect("BYE").await;
    let receipt = end(&mut receipts).await;
    assert_eq!(receipt.status, Status::Failed, "{description}");
    assert!(receipt.description.unwrap().contains("Nothing came back"));
    inside.assert_untouched(&description);
}

/// A call under way whose sound is to go inside.
async fn no_sound_inside_later(inside: Arc<Inside>, description: String, by_trunk: bool) {
    let mut peer = Puppet::at(OUTSIDE).await;
    let (_sip, mut receipts, ours) = calling(&mut peer, by_trunk).await;
    peer.accept().await;
    peer.sound.send_to(&silent(7), ours).await.unwrap();
    hear(&peer.sound).await;
    assert_eq!(peer.ask_anew(&description, "").await.status(), Some(200));
    // Somebody inside speaks, which makes nobody speak to it.
    inside.udp.send_to(&silent(7), ours).unwrap();
    peer.expect("BYE").await;
    assert_eq!(end(&mut receipts).await.status, Status::Failed);
    inside.assert_untouched("a later description");
}

#[tokio::test]
async fn an_answer_goes_to_where_its_request_came_from_and_not_inside() {
    let inside = Inside::new();
    let mut peer = Puppet::at(OUTSIDE).await;
    let (sip, _receipts, _) = calling(&mut peer, false).await;
    let target = peer.requests_came_from();
    let (own, port) = (peer.address(), inside.address().port());
    for (i, via) in [
        format!("{own};received={INSIDE}"),
        format!("{own};received={INSIDE};rport={port}"),
        format!("{own};maddr={INSIDE}"),
        format!("{INSIDE}:{port}"),
        format!("localhost:{port}"),
    ]
    .iter()
    .enumerate()
    {
        let text = format!(
            "OPTIONS sip:x@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{i}\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: options{i}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        // Once more: an answer that was kept goes the same way.
        for _ in 0..2 {
            assert_eq!(peer.send_raw(&text, target).await.status(), Some(200), "{via}");
        }
    }
    inside.assert_untouched("an answer");
    drop(sip);
}
