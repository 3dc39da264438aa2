//! Trunks that are slow, odd or elsewhere than they say, played by a peer of our own.

use crate::peer::{Got, Peer, Said, after_ms, now, polite, sdp, taking};
use crate::support::*;
use crate::voice::{made, phone, play, silence};
use axum::Router;
use serde_json::{Value, json};
use std::time::Duration;

/// A carrier whose minute is a second, with trunks that have these keys.
fn config(trunks: &[String], more: &str) -> String {
    let trunks = trunks.iter().map(|keys| format!("[[carrier.trunk]]\n{keys}\n"));
    format!(
        "[engine]\nminute = \"1s\"\n[callbacks]\nallow_private = true\n[[carrier]]\nname = \"voice\"\nkind = \"sip\"\n\
         channels = [\"Voice\"]\nbind = \"127.0.0.1:0\"\ntrunk_timeout = \"1s\"\n{more}\n{}",
        trunks.collect::<String>()
    )
}

fn at(peer: &Peer) -> String {
    format!("host = \"127.0.0.1\"\nport = {}", peer.port)
}

/// A call that plays a second of silence, with a ttl in minutes.
async fn step(ttl: u32) -> Value {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.wav", listener.local_addr().unwrap());
    let router = Router::new().fallback(async || silence(1));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut step = phone(play([url]));
    step["ttl"] = ttl.into();
    step
}

fn status(message: &Value) -> &str {
    message["status"]["name"].as_str().unwrap()
}

/// Rings, and is polite.
fn rings(got: &Got, _: u16) -> Said {
    if got.method() == "INVITE" { vec![now(got.answer("180 Ringing", "", ""))] } else { polite(got) }
}

/// Takes a call from an address of the other side's own.
fn takes(got: &Got, sound: u16) -> Said {
    match got.method() {
        "INVITE" => vec![now(taking(got, "sip:peer@127.0.0.1:9", sound))],
        _ => polite(got),
    }
}

#[tokio::test]
async fn a_cancel_goes_where_its_invite_went() {
    for more in [
        "",
        "domain = \"127.0.0.2\"",
        "domain = \"trunk.example\"",
        "transport = \"tcp\"",
        "host = \"localhost\"",
    ] {
        let peer =
            if more.contains("tcp") { Peer::tcp(rings).await } else { Peer::udp("127.0.0.1", rings).await };
        let keys = match more.strip_prefix("host") {
            Some(_) => format!("{more}\nport = {}", peer.port),
            None => at(&peer) + "\n" + more,
        };
        let server = TestServer::start(&config(&[keys], "")).await;
        let message = made(&server, step(2).await).await;
        assert_eq!(status(&message), "NoAnswer", "{more}: {message:#}");
        let (invites, cancels) = (peer.requests("INVITE"), peer.wait_for("CANCEL", 1).await);
        assert_eq!((invites.len(), cancels.len()), (1, 1), "{more}");
        for header in ["Via", "From", "To", "Call-ID"] {
            assert_eq!(invites[0].header(header), cancels[0].header(header), "{more}");
        }
        assert_eq!((invites[0].uri(), cancels[0].header("CSeq")), (cancels[0].uri(), "1 CANCEL"), "{more}");
        peer.wait_for("ACK", 1).await;
    }
}

#[tokio::test]
async fn what_rings_after_another_trunk_was_asked_is_cancelled() {
    for answer in ["100 Trying", "180 Ringing", "200 OK"] {
        let late = Peer::udp("127.0.0.1", move |got, sound| match got.method() {
            "INVITE" if answer.starts_with("200") => {
                vec![after_ms(2000, taking(got, "sip:x@127.0.0.1:9", sound))]
            }
            "INVITE" => vec![after_ms(2000, got.answer(answer, "", ""))],
            _ => polite(got),
        })
        .await;
        let good = Peer::udp("127.0.0.1", takes).await;
        let server = TestServer::start(&config(&[at(&late), at(&good)], "")).await;
        let message = made(&server, step(6).await).await;
        assert_eq!(status(&message), "Completed", "{answer}: {message:#}");
        let ends = if answer.starts_with("200") { "BYE" } else { "CANCEL" };
        late.wait_for(ends, 1).await;
        assert_eq!((late.requests("INVITE").len(), good.requests("INVITE").len()), (1, 1), "{answer}");
    }
}

#[tokio::test]
async fn an_ack_and_a_bye_go_where_the_invite_went_whatever_the_answer_says() {
    let route = "Record-Route: <sip:127.0.0.3:9;lr;x=\"a,b\">, <sip:127.0.0.4:9;lr>\r\n";
    for (more, tcp) in [
        ("Contact: <sip:elsewhere@127.0.0.2:9;transport=tcp>\r\n".to_owned(), false),
        ("Contact: <sip:elsewhere@192.0.2.1>\r\n".to_owned(), true),
        (format!("{route}Contact: <sip:elsewhere@elsewhere.invalid>\r\n"), false),
        // None at all.
        (String::new(), false),
        (String::new(), true),
    ] {
        let answer = more.clone();
        let script = move |got: &Got, sound| match got.method() {
            "INVITE" => {
                let answer = got.answer("200 OK", &answer, &sdp(sound));
                // It did not hear our first ACK.
                vec![now(answer.clone()), after_ms(300, answer)]
            }
            _ => polite(got),
        };
        let peer = if tcp { Peer::tcp(script).await } else { Peer::udp("127.0.0.1", script).await };
        let transport = if tcp { "\ntransport = \"tcp\"" } else { "" };
        let server = TestServer::start(&config(&[at(&peer) + transport], "")).await;
        let message = made(&server, step(6).await).await;
        assert_eq!(status(&message), "Completed", "{more}: {message:#}");
        let (acks, byes) = (peer.requests("ACK"), peer.wait_for("BYE", 1).await);
        assert_eq!((acks.len(), byes.len(), peer.requests("INVITE").len()), (1, 1, 1), "{more}");
        let uri = if more.is_empty() {
            peer.requests("INVITE")[0].uri().to_owned()
        } else {
            acks[0].uri().to_owned()
        };
        assert_eq!((acks[0].uri(), byes[0].uri()), (&*uri, &*uri), "{more}");
        assert!(more.is_empty() || uri.contains("elsewhere@"), "{uri}");
        let routes = if more.contains("Route") {
            vec!["<sip:127.0.0.4:9;lr>", "<sip:127.0.0.3:9;lr;x=\"a,b\">"]
        } else {
            vec![]
        };
        assert_eq!((acks[0].all("Route"), byes[0].all("Route")), (routes.clone(), routes), "{more}");
    }
}

#[tokio::test]
async fn two_who_take_a_call_are_both_acknowledged_and_one_is_left() {
    let peer = Peer::udp("127.0.0.1", |got, sound| match got.method() {
        "INVITE" => {
            let first = taking(got, "sip:first@127.0.0.1:9", sound);
            let second = taking(got, "sip:second@127.0.0.1:9", sound).replace("tag=peer", "tag=other");
            vec![now(first), after_ms(200, second)]
        }
        _ => polite(got),
    })
    .await;
    let server = TestServer::start(&config(&[at(&peer)], "")).await;
    let message = made(&server, step(6).await).await;
    assert_eq!(status(&message), "Completed", "{message:#}");
    let byes = peer.wait_for("BYE", 2).await;
    let acks = peer.requests("ACK");
    assert!(acks.len() == 2 && acks[1].header("To").ends_with("tag=other"), "{acks:?}");
    assert!(byes[0].uri().contains("second") && byes[1].uri().contains("first"), "{byes:?}");
}

#[tokio::test]
async fn a_trunk_that_fails_before_anything_rings_is_passed_over() {
    let cases = [
        (vec!["100 Trying", "503 Service Unavailable"], 50),
        (vec!["100 Trying", "500 Server Internal Error"], 0),
        (vec!["100 Trying", "408 Request Timeout"], 50),
        (vec!["599 Odd"], 0),
        (vec!["401 Unauthorized"], 0),
        // The step has the call by then.
        (vec!["100 Trying", "503 Service Unavailable"], 1500),
    ];
    for (lines, pause) in cases {
        let said = lines.clone();
        let broken = Peer::udp("127.0.0.1", move |got, _| match got.method() {
            "INVITE" => said
                .iter()
                .enumerate()
                .map(|(i, line)| after_ms(pause * i as u64, got.answer(line, "", "")))
                .collect(),
            _ => polite(got),
        })
        .await;
        let good = Peer::udp("127.0.0.1", takes).await;
        let server = TestServer::start(&config(&[at(&broken), at(&good)], "")).await;
        let message = made(&server, step(6).await).await;
        assert_eq!(status(&message), "Completed", "{lines:?} {pause}: {message:#}");
        assert_eq!((broken.requests("INVITE").len(), good.requests("INVITE").len()), (1, 1), "{lines:?}");
    }
}

#[tokio::test]
async fn what_the_person_says_ends_the_call_also_when_another_trunk_could_be_asked() {
    for (lines, expected) in [
        (vec!["100 Trying", "486 Busy Here"], "Busy"),
        (vec!["100 Trying", "603 Decline"], "Failed"),
        (vec!["180 Ringing", "503 Service Unavailable"], "Failed"),
        (vec!["183 Session Progress", "408 Request Timeout"], "NoAnswer"),
    ] {
        let said = lines.clone();
        let first = Peer::udp("127.0.0.1", move |got, _| match got.method() {
            "INVITE" => said
                .iter()
                .enumerate()
                .map(|(i, line)| after_ms(100 * i as u64, got.answer(line, "", "")))
                .collect(),
            _ => polite(got),
        })
        .await;
        let good = Peer::udp("127.0.0.1", takes).await;
        let server = TestServer::start(&config(&[at(&first), at(&good)], "")).await;
        let message = made(&server, step(3).await).await;
        assert_eq!(
            (status(&message), good.requests("INVITE").len()),
            (expected, 0),
            "{lines:?}: {message:#}"
        );
    }
}

const ACCOUNT: &str = "\nusername = \"user\"\npassword = \"pass\"";

#[tokio::test]
async fn a_challenge_that_can_be_answered_is_answered() {
    let none = Vec::new();
    for (challenges, further, expected) in [
        (
            vec![r#"WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth,auth-int""#],
            none.clone(),
            vec!["qop=auth,"],
        ),
        (
            vec![r#"WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth-int""#],
            none.clone(),
            vec!["qop=auth-int,"],
        ),
        (
            vec![r#"Proxy-Authenticate: Digest realm="r", nonce="n1", algorithm=SHA-256, qop="auth""#],
            none.clone(),
            vec!["algorithm=SHA-256"],
        ),
        (
            vec![r#"WWW-Authenticate: Digest realm="r", nonce="n1", algorithm=MD5-sess, qop="auth""#],
            none.clone(),
            vec!["algorithm=MD5-sess"],
        ),
        (
            vec![r#"WWW-Authenticate: Digest realm="re, \"alm", nonce="n1", qop="auth""#],
            none.clone(),
            vec![r#"realm="re, \"alm", nonce="n1""#],
        ),
        (
            vec![
                r#"WWW-Authenticate: Digest realm="r", nonce="n0", algorithm=SHA-999"#,
                r#"WWW-Authenticate: Digest realm="r", nonce="n1", algorithm=SHA-256-sess, qop="auth""#,
                r#"WWW-Authenticate: Digest realm="r", nonce="n2""#,
            ],
            none.clone(),
            vec!["nonce=\"n1\""],
        ),
        (
            vec![r#"WWW-Authenticate: Digest realm="trunk", nonce="n1", qop="auth""#],
            vec![r#"Proxy-Authenticate: Digest realm="proxy", nonce="n2""#],
            vec!["realm=\"trunk\"", "realm=\"proxy\""],
        ),
    ] {
        let rounds: Vec<Vec<&str>> =
            [challenges.clone(), further].into_iter().filter(|round| !round.is_empty()).collect();
        let all = rounds.len();
        let peer = Peer::udp("127.0.0.1", move |got, sound| match (got.method(), rounds.get(got.before)) {
            ("INVITE", Some(round)) => {
                let line = if round[0].starts_with("WWW") {
                    "401 Unauthorized"
                } else {
                    "407 Proxy Authentication Required"
                };
                let headers: String = round.iter().map(|line| format!("{line}\r\n")).collect();
                vec![now(got.answer(line, &headers, ""))]
            }
            _ => takes(got, sound),
        })
        .await;
        let server = TestServer::start(&config(&[at(&peer) + ACCOUNT], "")).await;
        let message = made(&server, step(6).await).await;
        assert_eq!(status(&message), "Completed", "{challenges:?}: {message:#}");
        let invites = peer.requests("INVITE");
        assert_eq!(invites.len(), all + 1, "{challenges:?}");
        let (first, last) = (&invites[0], &invites[all]);
        assert_eq!(
            (first.header("Call-ID"), first.header("From")),
            (last.header("Call-ID"), last.header("From"))
        );
        assert_eq!(last.header("CSeq"), format!("{} INVITE", all + 1));
        let proofs = [last.all("Authorization"), last.all("Proxy-Authorization")].concat();
        assert_eq!(proofs.len(), expected.len(), "{proofs:?}");
        for (proof, expected) in proofs.iter().zip(expected) {
            assert!(proof.contains(expected) && proof.contains("username=\"user\""), "{proof}");
        }
    }
}

#[tokio::test]
async fn a_password_that_is_wrong_is_not_tried_for_ever() {
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    let peer = Peer::udp("127.0.0.1", move |got, _| match got.method() {
        "INVITE" => vec![now(got.answer("401 Unauthorized", challenge, ""))],
        _ => vec![],
    })
    .await;
    let server = TestServer::start(&config(&[at(&peer) + ACCOUNT], "")).await;
    let message = made(&server, step(3).await).await;
    assert_eq!((status(&message), peer.requests("INVITE").len()), ("Failed", 2), "{message:#}");
}

#[tokio::test]
async fn a_registration_keeps_to_what_the_registrar_says() {
    for how in ["header", "contact", "both"] {
        let peer = Peer::udp("127.0.0.1", move |got, _| {
            let contact = got.header("Contact");
            let more = match how {
                "header" => "Expires: 4\r\n".to_owned(),
                "contact" => format!("Contact: {contact};expires=4\r\n"),
                _ => format!("Contact: {contact};expires=4\r\nExpires: 600\r\n"),
            };
            vec![now(got.answer("200 OK", &more, ""))]
        })
        .await;
        let trunk = at(&peer) + ACCOUNT + "\nregister = true";
        let server = TestServer::start(&config(&[trunk], "")).await;
        let registers = peer.wait_for("REGISTER", 2).await;
        let pause = registers[1].at - registers[0].at;
        // It goes out after two seconds.
        assert!(pause < Duration::from_secs(4), "{how}: {pause:?}");
        let ids = |name: &str| registers.iter().map(|got| got.header(name).to_owned()).collect::<Vec<_>>();
        assert!(ids("Call-ID").windows(2).all(|pair| pair[0] == pair[1]), "{how}");
        assert_eq!(ids("CSeq")[..2], ["1 REGISTER", "2 REGISTER"], "{how}");
        server.server.stop().await;
        let last = peer.requests("REGISTER").pop().unwrap();
        assert_eq!(
            (last.header("Expires"), last.header("Call-ID")),
            ("0", registers[0].header("Call-ID")),
            "{how}"
        );
    }
}

#[tokio::test]
async fn a_registrar_that_wants_longer_registrations_gets_them() {
    let peer = Peer::udp("127.0.0.1", |got, _| match got.header("Expires").parse::<u32>() {
        Ok(seconds) if seconds < 600 => {
            vec![now(got.answer("423 Interval Too Brief", "Min-Expires: 600\r\n", ""))]
        }
        _ => vec![now(got.answer("200 OK", "Expires: 600\r\n", ""))],
    })
    .await;
    let server = TestServer::start(&config(&[at(&peer) + ACCOUNT + "\nregister = true"], "")).await;
    let registers = peer.wait_for("REGISTER", 2).await;
    assert_eq!(registers[1].header("Expires"), "600");
    assert_eq!(registers[0].header("Call-ID"), registers[1].header("Call-ID"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(peer.requests("REGISTER").len(), 2);
    assert!(server.server.carrier_is_up("voice"));
}

#[tokio::test]
async fn every_request_within_a_call_gets_a_final_answer() {
    let methods =
        ["OPTIONS", "INFO", "MESSAGE", "PRACK", "REFER", "NOTIFY", "SUBSCRIBE", "PUBLISH", "UPDATE"];
    let peer = Peer::udp("127.0.0.1", move |got, sound| match got.method() {
        "INVITE" => {
            let mut said = vec![now(got.answer("180 Ringing", "", ""))];
            // While it rings, and once it was answered; the numbers of both grow.
            for (i, method) in methods.iter().enumerate() {
                said.push(after_ms(100 + i as u64 * 20, got.request(method, 10 + i as u32, "", "")));
                said.push(after_ms(800 + i as u64 * 20, got.request(method, 50 + i as u32, "", "")));
            }
            said.push(after_ms(
                100 + 400,
                got.request("INVITE", 40, "Contact: <sip:x@127.0.0.1:9>\r\n", &sdp(sound)),
            ));
            said.push(after_ms(600, taking(got, "sip:peer@127.0.0.1:9", sound)));
            said.push(after_ms(1100, got.request("OPTIONS", 5, "", "")));
            // Of no call.
            said.push(after_ms(700, got.request("BYE", 1, "", "").replace("Call-ID: ", "Call-ID: x")));
            said
        }
        _ => polite(got),
    })
    .await;
    let server = TestServer::start(&config(&[at(&peer)], "")).await;
    let message = made(&server, step(6).await).await;
    assert_eq!(status(&message), "Completed", "{message:#}");
    let answer = |sequence: String| {
        let answers = peer.got().into_iter();
        answers.filter(|got| got.header("CSeq") == sequence).find_map(|got| Some((got.status()?, got)))
    };
    for (i, method) in methods.iter().enumerate() {
        let expected = match *method {
            "OPTIONS" | "INFO" | "UPDATE" => 200,
            _ => 405,
        };
        for number in [10 + i, 50 + i] {
            let (status, got) = answer(format!("{number} {method}")).expect(method);
            assert_eq!(status, expected, "{number} {method}");
            assert!(status == 200 || got.header("Allow").contains("INVITE"), "{method}");
            assert!(got.body().is_empty() && got.header("Content-Type").is_empty(), "{method}");
        }
    }
    // An offer while ours has no answer; what is out of order; what is of no call.
    assert_eq!(answer("40 INVITE".into()).map(|found| found.0), Some(491));
    assert_eq!(answer("5 OPTIONS".into()).map(|found| found.0), Some(500));
    assert_eq!(answer("1 BYE".into()).map(|found| found.0), Some(481));
}

#[tokio::test]
async fn a_trunk_that_answers_late_is_not_called_again_and_again() {
    for late_ms in [1600, 2700, 4100] {
        let peer = Peer::udp("127.0.0.1", move |got, sound| match got.method() {
            "INVITE" => vec![after_ms(late_ms, taking(got, "sip:peer@127.0.0.1:9", sound))],
            _ => polite(got),
        })
        .await;
        let server = TestServer::start(&config(&[at(&peer)], "")).await;
        let message = made(&server, step(6).await).await;
        assert_eq!(status(&message), "Completed", "{late_ms}: {message:#}");
        assert_eq!(peer.requests("INVITE").len(), 1, "{late_ms}");
        peer.wait_for("BYE", 1).await;
    }
}

#[tokio::test]
async fn a_trunk_that_never_answers_hears_of_a_call_no_more_once_its_step_is_over() {
    let peer = Peer::udp("127.0.0.1", |_, _| vec![]).await;
    let server = TestServer::start(&config(&[at(&peer)], "")).await;
    let message = made(&server, step(3).await).await;
    assert_eq!(status(&message), "NoAnswer", "{message:#}");
    assert_eq!(peer.requests("INVITE").len(), 1);
}

#[tokio::test]
async fn an_ipv6_trunk_is_called_by_uris_with_brackets() {
    let peer = Peer::udp("::1", |got, sound| match got.method() {
        "INVITE" => {
            let description = sdp(sound).replace("IP4 127.0.0.1", "IP6 ::1");
            vec![now(got.answer("200 OK", "Contact: <sip:peer@[::1]:9>\r\n", &description))]
        }
        _ => polite(got),
    })
    .await;
    let keys = format!("host = \"::1\"\nport = {}", peer.port);
    let server =
        TestServer::start(&config(&[keys], "").replace("bind = \"127.0.0.1:0\"", "bind = \"[::1]:0\"")).await;
    let message = made(&server, step(6).await).await;
    assert_eq!(status(&message), "Completed", "{message:#}");
    let invite = peer.requests("INVITE").remove(0);
    assert_eq!(invite.uri(), "sip:+306900000000@[::1]");
    for header in ["From", "To", "Contact", "Via"] {
        assert!(invite.header(header).contains("[::1]"), "{}", invite.text);
    }
    assert!(invite.body().contains("c=IN IP6 ::1"), "{}", invite.text);
    peer.wait_for("BYE", 1).await;
}

#[tokio::test]
async fn a_caller_that_no_uri_can_hold_is_escaped_and_named() {
    let peer = Peer::udp("127.0.0.1", takes).await;
    let server = TestServer::start(&config(&[at(&peer)], "")).await;
    let mut step = step(6).await;
    step["from"] = json!("Ελλάδα");
    let message = made(&server, step).await;
    assert_eq!(status(&message), "Completed", "{message:#}");
    let invite = peer.requests("INVITE").remove(0);
    let user = "%CE%95%CE%BB%CE%BB%CE%AC%CE%B4%CE%B1";
    assert!(
        invite.header("From").starts_with(&format!("\"Ελλάδα\" <sip:{user}@127.0.0.1>;tag=")),
        "{}",
        invite.text
    );
    assert!(invite.header("Contact").starts_with(&format!("<sip:{user}@127.0.0.1:")), "{}", invite.text);
}
