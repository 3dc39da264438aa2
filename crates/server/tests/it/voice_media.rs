//! The sound of calls: where it goes, what is agreed on, and keys; the other side is played by the test.

use crate::puppet::{Puppet, describe, drain, hear, is_quiet, packet, silent};
use crate::support::*;
use crate::voice::{config, counted, phone, play, silence};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::UdpSocket;

/// The source (SSRC) of what the peer says.
const SOURCE: u32 = 7;
/// The peer says little.
const PATIENT: &str = "media_timeout = \"60s\"";
/// Long enough for several frames on a busy machine.
const MOMENT: Duration = Duration::from_millis(400);

/// A server that calls a peer and plays silence for a minute; the id of the flow.
async fn calling(more: &str) -> (Puppet, TestServer, String) {
    let peer = Puppet::at("127.0.0.1").await;
    let server = TestServer::start(&config(&[peer.address().port()], more)).await;
    let id = server.send(&json!({"flow": [phone(a_minute().await)]})).await;
    (peer, server, id)
}

async fn a_minute() -> Value {
    play([counted(silence(60)).await.0])
}

async fn socket(ip: &str) -> UdpSocket {
    UdpSocket::bind((ip, 0)).await.unwrap()
}

#[tokio::test]
async fn nobody_but_the_callee_moves_its_sound() {
    let (mut peer, _server, _) = calling(PATIENT).await;
    let ours = peer.invited().await.sound();
    peer.accept().await;
    peer.sound.send_to(&silent(SOURCE), ours).await.unwrap();
    hear(&peer.sound).await;
    // It is taken before what others send now.
    tokio::time::sleep(MOMENT).await;
    let others = [socket("127.0.0.2").await, socket("127.0.0.1").await];
    // After a time in which the callee says nothing, too.
    for pause in [0, 1200] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        for other in &others {
            for packet in [packet(96, 1, 0, &[]), silent(1), silent(SOURCE), packet(101, 1, 0, &[1, 0, 0, 0])]
            {
                other.send_to(&packet, ours).await.unwrap();
            }
        }
        assert!(!is_quiet(&peer.sound, MOMENT).await, "the callee hears nothing any more");
        assert_eq!(others.iter().map(drain).sum::<usize>(), 0, "somebody else hears the call");
    }
}

#[tokio::test]
async fn a_callee_that_was_not_heard_yet_keeps_its_sound_and_is_followed_to_its_port() {
    let (mut peer, _server, _) = calling(PATIENT).await;
    let ours = peer.invited().await.sound();
    // It is behind NAT: it tells a port that is not the one its packets come from.
    let told = socket("127.0.0.1").await;
    peer.answer("200 OK", "", &describe(told.local_addr().unwrap(), "8 101")).await;
    peer.expect("ACK").await;
    hear(&told).await;
    let other = socket("127.0.0.2").await;
    other.send_to(&silent(1), ours).await.unwrap();
    peer.sound.send_to(&packet(96, SOURCE, 0, &[]), ours).await.unwrap();
    assert!(!is_quiet(&told, MOMENT).await);
    assert_eq!((drain(&other), drain(&peer.sound)), (0, 0));
    peer.sound.send_to(&silent(SOURCE), ours).await.unwrap();
    hear(&peer.sound).await;
    assert!(is_quiet(&told, MOMENT).await);
}

#[tokio::test]
async fn an_offer_within_a_call_is_answered_by_what_it_offers() {
    let (mut peer, _server, _) = calling(PATIENT).await;
    peer.invited().await;
    peer.accept().await;
    assert_eq!(hear(&peer.sound).await, 8);
    let at = peer.sound.local_addr().unwrap();
    let all = describe(at, "8 0 101");
    let mut versions = Vec::new();
    for (offer, answer, heard) in [
        (describe(at, "0 101"), "m=audio PORT RTP/AVP 0 101|a=sendrecv", Some(0)),
        (format!("{all}a=sendonly\r\n"), "m=audio PORT RTP/AVP 8 0 101|a=recvonly", None),
        (all.clone(), "m=audio PORT RTP/AVP 8 0 101|a=sendrecv", Some(8)),
        (format!("{all}a=inactive\r\n"), "m=audio PORT RTP/AVP 8 0 101|a=inactive", None),
        (all.replace("IP4 127.0.0.1", "IP4 0.0.0.0"), "m=audio PORT RTP/AVP 8 0 101|a=sendrecv", None),
        (format!("{all}a=recvonly\r\n"), "m=audio PORT RTP/AVP 8 0 101|a=sendonly", Some(8)),
        (
            format!("{all}m=video 6000 RTP/AVP 31\r\n"),
            "m=audio PORT RTP/AVP 8 0 101|a=sendrecv|m=video 0 RTP/AVP 31",
            Some(8),
        ),
    ] {
        for method in ["INVITE", "UPDATE"] {
            let told = match method {
                "INVITE" => peer.ask_anew(&offer, "").await,
                _ => peer.ask(method, "", &offer).await,
            };
            assert_eq!((told.status(), told.described().as_str()), (Some(200), answer), "{offer}\n{told:#?}");
            versions.push(told.body.lines().nth(1).unwrap().to_owned());
        }
        // What was under way has come.
        tokio::time::sleep(MOMENT).await;
        drain(&peer.sound);
        match heard {
            Some(payload_type) => assert_eq!(hear(&peer.sound).await, payload_type, "{offer}"),
            None => assert!(is_quiet(&peer.sound, MOMENT).await, "{offer}"),
        }
    }
    // The same answer twice is the same description, and another one has another version.
    assert!(versions.chunks(2).all(|both| both[0] == both[1]), "{versions:#?}");
    versions.dedup();
    assert_eq!(versions.len(), 7, "{versions:#?}");
    // What we can't is refused, and all goes on.
    let audio = all.lines().find(|line| line.starts_with("m=")).unwrap();
    for streams in ["m=image 5000 udptl t38", "m=video 5000 RTP/AVP 31", &audio.replace("8 0 101", "18")] {
        assert_eq!(peer.ask_anew(&all.replace(audio, streams), "").await.status(), Some(488), "{streams}");
        assert_eq!(
            peer.ask("UPDATE", "", &all.replace(audio, streams)).await.status(),
            Some(488),
            "{streams}"
        );
    }
    let told = peer.ask("UPDATE", "Content-Type: text/plain\r\n", "hello").await;
    assert_eq!((told.status(), told.header("Accept")), (Some(415), "application/sdp"));
    let told = peer.ask("UPDATE", "", "").await;
    assert_eq!((told.status(), told.body.as_str()), (Some(200), ""));
    drain(&peer.sound);
    assert_eq!(hear(&peer.sound).await, 8);
}

#[tokio::test]
async fn sound_follows_what_was_agreed_on_to_another_port() {
    let (mut peer, _server, _) = calling(PATIENT).await;
    let ours = peer.invited().await.sound();
    peer.accept().await;
    peer.sound.send_to(&silent(SOURCE), ours).await.unwrap();
    hear(&peer.sound).await;
    let (second, third) = (socket("127.0.0.1").await, socket("127.0.0.1").await);
    let told = peer.ask_anew(&describe(second.local_addr().unwrap(), "8"), "").await;
    assert_eq!(told.described(), "m=audio PORT RTP/AVP 8|a=sendrecv");
    hear(&second).await;
    // What is late from the first port moves nothing.
    peer.sound.send_to(&silent(SOURCE), ours).await.unwrap();
    assert!(is_quiet(&peer.sound, MOMENT).await && !is_quiet(&second, MOMENT).await);
    // Who offers nothing gets an offer, and answers it with the ACK.
    let told = peer.ask_anew("", &describe(third.local_addr().unwrap(), "0 101")).await;
    assert_eq!(told.described(), "m=audio PORT RTP/AVP 8 0 101|a=sendrecv");
    assert_eq!(hear(&third).await, 0);
    assert!(is_quiet(&second, MOMENT).await);
}

#[tokio::test]
async fn a_held_call_lasts_and_goes_on_where_it_was() {
    let (mut peer, server, id) = calling("media_timeout = \"1s\"").await;
    peer.invited().await;
    peer.accept().await;
    let held = format!("{}a=inactive\r\n", peer.description());
    assert_eq!(peer.ask_anew(&held, "").await.status(), Some(200));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let back = peer.description();
    assert_eq!(peer.ask_anew(&back, "").await.status(), Some(200), "it was ended while it was held");
    drain(&peer.sound);
    hear(&peer.sound).await;
    // Nothing comes back from now on.
    peer.expect("BYE").await;
    let message = server.track_to_end(&id).await["messages"][0].clone();
    assert_eq!(message["status"]["name"], "Failed", "{message:#}");
}

#[tokio::test]
async fn a_description_that_came_early_counts_and_so_does_a_name() {
    for (early, named) in [(true, false), (false, true), (true, true)] {
        let mut peer = Puppet::at("127.0.0.1").await;
        let server = TestServer::start(&config(&[peer.address().port()], "")).await;
        let step = phone(play([counted(silence(1)).await.0]));
        let id = server.send(&json!({"flow": [step]})).await;
        peer.invited().await;
        let mut body = peer.description();
        if named {
            body = body.replace("c=IN IP4 127.0.0.1", "c=IN IP4 localhost");
        }
        if early {
            peer.answer("183 Session Progress", "", &body).await;
            peer.answer("200 OK", "", "").await;
        } else {
            peer.answer("200 OK", "", &body).await;
        }
        peer.expect("ACK").await;
        assert_eq!(hear(&peer.sound).await, 8);
        peer.expect("BYE").await;
        let message = server.track_to_end(&id).await["messages"][0].clone();
        assert_eq!(message["status"]["name"], "Completed", "early {early}, named {named}: {message:#}");
    }
}

#[tokio::test]
async fn a_key_ends_a_prompt_once_whether_it_is_told_in_sound_or_by_info_or_both() {
    let mut peer = Puppet::at("127.0.0.1").await;
    let server = TestServer::start(&config(&[peer.address().port()], PATIENT)).await;
    let mut verbs = play(vec![counted(silence(60)).await.0; 3]);
    for verb in verbs.as_array_mut().unwrap() {
        verb["bargeIn"] = true.into();
    }
    let id = server.send(&json!({"flow": [phone(verbs)]})).await;
    let ours = peer.invited().await.sound();
    peer.accept().await;
    hear(&peer.sound).await;
    let relay = "Content-Type: application/dtmf-relay\r\n";
    let told = peer.ask("INFO", "Content-Type: text/xml\r\n", "<key/>").await;
    assert_eq!(told.status(), Some(415));
    for press in 1..=2u32 {
        // Three packets of one event, and a request.
        for _ in 0..3 {
            let event = packet(101, SOURCE, press * 8000, &[5, 0x80, 3, 0x20]);
            peer.sound.send_to(&event, ours).await.unwrap();
        }
        let told = peer.ask("INFO", relay, "Signal=5\r\nDuration=100\r\n").await;
        assert_eq!(told.status(), Some(200));
        tokio::time::sleep(MOMENT).await;
    }
    drain(&peer.sound);
    hear(&peer.sound).await;
    // The third key ends the third prompt.
    let told = peer.ask("INFO", "Content-Type: application/dtmf\r\n", "5").await;
    assert_eq!(told.status(), Some(200));
    peer.expect("BYE").await;
    let message = server.track_to_end(&id).await["messages"][0].clone();
    assert_eq!(message["status"]["name"], "Completed", "{message:#}");
    assert!(message["duration"].as_u64().unwrap() < 60, "{message:#}");
}

#[tokio::test]
async fn a_call_may_go_over_ipv6() {
    for by_trunk in [true, false] {
        let mut peer = Puppet::at("::1").await;
        let text = config(&[peer.address().port()], "").replace("host = \"127.0.0.1\"", "host = \"::1\"");
        let server = TestServer::start(&text.replace("bind = \"127.0.0.1:0\"", "bind = \"[::1]:0\"")).await;
        let mut step = phone(play([counted(silence(1)).await.0]));
        if !by_trunk {
            step["to"] = json!({"sip": format!("sip:callee@{}", peer.address())});
        }
        let id = server.send(&json!({"flow": [step]})).await;
        let ours = peer.invited().await.sound();
        assert!(ours.is_ipv6());
        peer.accept().await;
        peer.sound.send_to(&silent(SOURCE), ours).await.unwrap();
        assert_eq!(hear(&peer.sound).await, 8);
        peer.expect("BYE").await;
        let message = server.track_to_end(&id).await["messages"][0].clone();
        assert_eq!(message["status"]["name"], "Completed", "{message:#}");
    }
}
