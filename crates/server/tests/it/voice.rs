//! Calls over SIP to sipp and baresip.

use crate::callee::{Callee, INVITE, answer, answered, bye};
use crate::support::*;
use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A carrier with trunks at these ports.
pub fn config(ports: &[u16], more: &str) -> String {
    let trunks = ports.iter().map(|port| format!("[[carrier.trunk]]\nhost = \"127.0.0.1\"\nport = {port}\n"));
    format!(
        "[engine]\nminute = \"60s\"\n[callbacks]\nallow_private = true\n[[carrier]]\nname = \"voice\"\nkind = \"sip\"\n\
         channels = [\"Voice\"]\nbind = \"127.0.0.1:0\"\ntrunk_timeout = \"500ms\"\n{more}\n{}",
        trunks.collect::<String>()
    )
}

/// The longest sound that the tests play.
const SECONDS: usize = 3;
const TONE_HZ: f64 = 440.0;

/// A server of clients' files: a tone of three seconds, and a dial plan.
async fn files() -> String {
    let samples =
        (0..22_050 * SECONDS).map(|i| (i as f64 * TONE_HZ * std::f64::consts::TAU / 22_050.0).sin() * 8000.0);
    let samples: Vec<u8> = samples.flat_map(|sample| (sample as i16).to_le_bytes()).collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(22_050u32.to_le_bytes());
    wav.extend(44_100u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let play = json!({"verbs": [{"type": "PLAY", "fileURL": format!("{url}/tone.wav")}]});
    let router = Router::new()
        .route("/tone.wav", get(async move || wav))
        .route("/plan", axum::routing::post(async move || axum::Json(play)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub fn say(text: &str) -> Value {
    json!({"type": "SAY", "message": {"language": "en-US", "gender": "female", "text": text}})
}

fn call(to: Value, verbs: Value) -> Value {
    json!({"type": "Voice", "order": 1, "from": "+302100000000", "to": to, "dialPlan": {"verbs": verbs}, "ttl": 1})
}

pub fn phone(verbs: Value) -> Value {
    call(json!({"phone": "+306900000000"}), verbs)
}

/// Sends a call and answers with its message, once the flow has ended.
pub async fn made(server: &TestServer, step: Value) -> Value {
    let id = server.send(&json!({"flow": [step]})).await;
    server.track_to_end(&id).await["messages"][0].clone()
}

fn loudness(samples: &[i16]) -> f64 {
    let squares: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (squares / samples.len() as f64).sqrt()
}

#[tokio::test]
async fn a_flow_ends_in_a_call_that_speaks() {
    let callee = Callee::baresip().await;
    let sandbox = "[[carrier]]\nname = \"sandbox\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\"]\ndelay = \"5ms\"\n";
    let server = TestServer::start(&(config(&[callee.port], "") + sandbox)).await;
    // No Viber there, and the number is not assigned.
    let number = "+306900000011";
    let to = json!({"sip": format!("sip:callee@127.0.0.1:{}", callee.port)});
    let mut voice =
        call(to, json!([say("Hello. Your parcel will be delivered today at noon."), say("Goodbye.")]));
    voice["order"] = 3.into();
    let id = server.send(&json!({"flow": [viber(1, number), sms(2, number), voice]})).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(
        (&tracking["status"], &tracking["terminationChannel"]),
        (&json!("Succeeded"), &json!("Voice"))
    );
    let message = &tracking["messages"][2];
    assert_eq!((&message["status"]["name"], &message["carrier"]), (&json!("Completed"), &json!("voice")));
    let heard = callee.heard().await;
    let seconds = heard.len() as f64 / 8000.0;
    let duration = message["duration"].as_f64().unwrap();
    assert!(seconds > 3.0 && (duration - seconds).abs() < 1.5, "{seconds} s heard of {duration}");
    assert!(loudness(&heard) > 500.0, "{}", loudness(&heard));
}

#[tokio::test]
async fn a_tone_is_heard_as_it_is() {
    let callee = Callee::baresip().await;
    let server = TestServer::start(&config(&[callee.port], "")).await;
    let to = json!({"sip": format!("sip:callee@127.0.0.1:{}", callee.port)});
    let play = json!([{"type": "PLAY", "fileURL": format!("{}/tone.wav", files().await), "repeat": 2}]);
    let message = made(&server, call(to, play)).await;
    assert_eq!(message["status"]["name"], "Completed", "{message:#}");
    let heard = callee.heard().await;
    // The first and the last moment are cut.
    let tone = &heard[1600..heard.len() - 1600];
    let crossings = tone.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    let hertz = crossings as f64 * 8000.0 / tone.len() as f64;
    // A machine with much to do may lose a frame.
    assert!((hertz - TONE_HZ).abs() < 15.0, "{hertz} Hz");
    let seconds = heard.len() as f64 / 8000.0;
    assert!((seconds - 2.0 * SECONDS as f64).abs() < 1.0, "{seconds} s");
}

#[tokio::test]
async fn what_the_other_side_says_is_the_status() {
    let ringing = answer("180 Ringing", "", "");
    let refuse = |line: &str| format!("{INVITE}{ringing}{}<recv request=\"ACK\"/>\n", answer(line, "", ""));
    for (line, status, detail) in [
        ("486 Busy Here", "Busy", "Busy"),
        ("600 Busy Everywhere", "Busy", "Busy"),
        ("480 Temporarily Unavailable", "NoAnswer", "No Answer"),
        ("603 Decline", "Failed", "Failed"),
        ("404 Not Found", "Failed", "Unknown Number"),
    ] {
        let callee = Callee::sipp(&refuse(line)).await;
        let server = TestServer::start(&config(&[callee.port], "")).await;
        let message = made(&server, phone(json!([say("Hello.")]))).await;
        assert_eq!(message["status"]["name"], status, "{line}: {message:#}");
        assert_eq!(message["status"]["reason"]["detailedStatus"], detail, "{line}");
        let words = message["status"]["reason"]["description"].as_str().unwrap();
        assert!(words.contains(&line[..3]), "{words}");
    }
}

#[tokio::test]
async fn nobody_answers_in_time() {
    let cancelled = format!(
        "{INVITE}{}<recv request=\"CANCEL\"/>\n{}",
        answer("180 Ringing", "", ""),
        answer("200 OK", "", "")
    );
    let callee = Callee::sipp(&cancelled).await;
    let server = TestServer::start(&config(&[callee.port], "").replace("60s", "1500ms")).await;
    let id = server.send(&json!({"flow": [phone(json!([say("Hello.")]))]})).await;
    server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] == "Ringing").await;
    let message = server.track_to_end(&id).await["messages"][0].clone();
    assert_eq!(message["status"]["name"], "NoAnswer");
}

#[tokio::test]
async fn who_hangs_up_early_is_told_from_who_listens() {
    let hangs_up = format!(
        "{}<pause milliseconds=\"700\"/>\n<send retrans=\"500\"><![CDATA[\n\nBYE [next_url] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n[last_To:]\n[last_From:]\n\
         [last_Call-ID:]\nCSeq: 1 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n]]></send>\n<recv response=\"200\"/>\n",
        answered().replace("<recv request=\"INVITE\" crlf=\"true\"/>", "<recv request=\"INVITE\" crlf=\"true\" rrs=\"true\"/>")
            .replace("<recv request=\"ACK\"/>", "<recv request=\"ACK\" rrs=\"true\"/>")
    )
    // Who was called is now who calls.
    .replace("[last_To:]\n[last_From:]", "From: <sip:+306900000000@127.0.0.1>;tag=callee[call_number]\nTo: [$caller]")
    .replace(
        "rrs=\"true\"/>\n<send",
        "rrs=\"true\"><action><ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"caller\"/></action></recv>\n<send",
    );
    let callee = Callee::sipp(&hangs_up).await;
    let server = TestServer::start(&config(&[callee.port], "")).await;
    let message = made(&server, phone(json!([say(&"This will take a while. ".repeat(10))]))).await;
    assert_eq!(message["status"]["name"], "Terminated", "{message:#}");
    // What it was to hear takes longer.
    assert!((1..=10).contains(&message["duration"].as_u64().unwrap()), "{message:#}");
}

#[tokio::test]
async fn a_machine_is_hung_up_on_or_told_something_else() {
    // G.711 A-law of a second of noise, over and over.
    let noise: Vec<u8> = (0..8000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let greeting = "<nop><action><exec rtp_stream=\"noise.alaw,20,8\"/></action></nop>\n";
    let scenario = format!("{}{greeting}{}", answered(), bye());
    let mut durations = Vec::new();
    for (strategy, status) in [("Hangup", "NoAnswer"), ("Continue", "Completed")] {
        let callee = Callee::sipp_with(&scenario, &[("noise.alaw", &noise)], &[]).await;
        let server = TestServer::start(&config(&[callee.port], "")).await;
        let mut step = phone(json!([say("Hello.")]));
        step["machineDetection"] =
            json!({"strategy": strategy, "eventUrl": format!("{}/plan", files().await)});
        let message = made(&server, step).await;
        assert_eq!(message["status"]["name"], status, "{message:#}");
        assert_eq!(message["answeredBy"], "machine");
        durations.push(message["duration"].as_u64().unwrap());
    }
    // The tone of the other dial plan takes three seconds more than what tells a machine.
    assert!(durations[1] >= 5 && durations[0] < durations[1], "{durations:?}");
}

#[tokio::test]
async fn a_key_ends_a_prompt_that_it_may_end() {
    let key = "<pause milliseconds=\"500\"/>\n<nop><action><exec play_pcap_audio=\"/usr/share/sip-tester/dtmf_2833_1.pcap\"/></action></nop>\n";
    let mut durations = Vec::new();
    for barge_in in [true, false] {
        let scenario = format!("{}{key}{}", answered(), bye());
        let callee = Callee::sipp(&scenario).await;
        let server = TestServer::start(&config(&[callee.port], "")).await;
        let play = json!([{"type": "PLAY", "fileURL": format!("{}/tone.wav", files().await), "repeat": 2, "bargeIn": barge_in}]);
        let message = made(&server, phone(play)).await;
        assert_eq!(message["status"]["name"], "Completed", "{message:#}");
        durations.push(message["duration"].as_u64().unwrap());
    }
    let whole = 2 * SECONDS as u64;
    assert!(durations[0] < whole && durations[1] >= whole, "{durations:?} s");
}

#[tokio::test]
async fn a_challenge_is_answered() {
    let challenge = "Proxy-Authenticate: Digest realm=\"acme\", nonce=\"4711\", algorithm=MD5\n";
    let checked = "<recv request=\"INVITE\" crlf=\"true\"><action><ereg regexp=\"Digest .*username=.?user.*realm=.?acme.*response=\" \
        search_in=\"hdr\" header=\"Proxy-Authorization:\" check_it=\"true\" assign_to=\"proof\"/></action></recv>\n\
        <Reference variables=\"proof\"/>\n";
    let scenario = format!(
        "{INVITE}{}<recv request=\"ACK\"/>\n{}",
        answer("407 Proxy Authentication Required", challenge, ""),
        (answered() + &bye()).replace(INVITE, checked)
    );
    // sipp wants references at the end.
    let reference = "<Reference variables=\"proof\"/>\n";
    let scenario = scenario.replace(reference, "") + reference;
    let callee = Callee::sipp(&scenario).await;
    let account = "username = \"user\"\npassword = \"secret\"\n";
    let server = TestServer::start(&(config(&[callee.port], "") + account)).await;
    let message = made(&server, phone(json!([say("Hello.")]))).await;
    assert_eq!(message["status"]["name"], "Completed", "{message:#}");
}

#[tokio::test]
async fn a_trunk_that_wants_a_registration_gets_one() {
    let challenge = "WWW-Authenticate: Digest realm=\"acme\", nonce=\"4711\", algorithm=MD5\n";
    let register = "<recv request=\"REGISTER\"/>\n";
    let proof = "<recv request=\"REGISTER\"><action><ereg regexp=\"username=.?user\" search_in=\"hdr\" \
        header=\"Authorization:\" check_it=\"true\" assign_to=\"proof\"/></action></recv>\n";
    let scenario = format!(
        "{register}{}{proof}{}<Reference variables=\"proof\"/>\n",
        answer("401 Unauthorized", challenge, ""),
        answer("200 OK", "Expires: 300\n", "")
    );
    let mut callee = Callee::sipp_with(&scenario, &[], &["-m", "1"]).await;
    let account = "username = \"user\"\npassword = \"secret\"\nregister = true\n";
    let server = TestServer::start(&(config(&[callee.port], "") + account)).await;
    assert!(callee.ended_well().await);
    assert!(server.server.carrier_is_up("voice"));
}

#[tokio::test]
async fn a_trunk_may_be_reached_over_tcp() {
    let scenario = answered() + &bye();
    let callee = Callee::sipp_with(&scenario, &[], &["-t", "t1"]).await;
    let server = TestServer::start(&(config(&[callee.port], "") + "transport = \"tcp\"\n")).await;
    let message = made(&server, phone(json!([say("Hello.")]))).await;
    assert_eq!(message["status"]["name"], "Completed", "{message:#}");
}

#[tokio::test]
async fn another_trunk_takes_a_call_that_the_first_one_does_not() {
    let scenario = answered() + &bye();
    let unavailable =
        format!("{INVITE}{}<recv request=\"ACK\"/>\n", answer("503 Service Unavailable", "", ""));
    let (working, broken) = (Callee::sipp(&scenario).await, Callee::sipp(&unavailable).await);
    // It takes what comes and says nothing.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    for first in [silent.local_addr().unwrap().port(), broken.port] {
        let server = TestServer::start(&config(&[first, working.port], "")).await;
        let message = made(&server, phone(json!([say("Hello.")]))).await;
        assert_eq!(message["status"]["name"], "Completed", "{message:#}");
    }
}

#[tokio::test]
async fn what_cannot_be_called_or_fetched_is_told() {
    let callee = Callee::sipp(&(answered() + &bye())).await;
    let server = TestServer::start(&config(&[callee.port], "")).await;
    let (status, told) = server
        .post("/failover", &json!({"flow": [call(json!({"viber": "+306900000000"}), json!([say("x")]))]}))
        .await;
    assert_eq!(status, 400);
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("to.viber"), "{told}");
    let url = format!("{}/nothing.wav", files().await);
    let message = made(&server, phone(json!([{"type": "PLAY", "fileURL": url}]))).await;
    assert_eq!(message["status"]["name"], "Failed");
    let words = message["status"]["reason"]["description"].as_str().unwrap();
    assert!(words.contains("nothing.wav") && words.contains("404"), "{words}");
}

/// The head of a WAV file as its writer likes it, and 200 octets of silence.
fn absurd(rate: u32, channels: u16, depth: u16) -> Vec<u8> {
    let mut wav = b"RIFF\xec\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
    wav.extend(channels.to_le_bytes());
    wav.extend(rate.to_le_bytes());
    wav.extend(rate.wrapping_mul(2).to_le_bytes());
    wav.extend(b"\x02\0");
    wav.extend(depth.to_le_bytes());
    wav.extend(b"data\xc8\0\0\0");
    wav.extend([0; 200]);
    wav
}

/// A server of one file under any path, and how often it was asked for.
pub async fn counted(file: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let router = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::Relaxed);
        file.clone()
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

/// A WAV file of silence at 8 kHz.
pub fn silence(seconds: usize) -> Vec<u8> {
    let samples = vec![0; seconds * 16_000];
    let mut wav =
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data"
            .to_vec();
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    wav
}

pub fn play(urls: impl IntoIterator<Item = String>) -> Value {
    urls.into_iter().map(|url| json!({"type": "PLAY", "fileURL": url})).collect()
}

fn description(message: &Value) -> &str {
    message["status"]["reason"]["description"].as_str().unwrap()
}

#[tokio::test]
async fn no_sound_file_ends_the_process() {
    let callee = Callee::sipp(&(answered() + &bye())).await;
    let server = TestServer::start(&config(&[callee.port], "")).await;
    for (rate, channels, depth) in
        [(4_294_967_291, 1, 16), (100_000_007, 1, 16), (0, 1, 16), (8000, 65_535, 32), (8000, 1, 65_528)]
    {
        let (url, _) = counted(absurd(rate, channels, depth)).await;
        let message = made(&server, phone(play([url]))).await;
        assert_eq!(message["status"]["name"], "Failed", "{message:#}");
        assert!(description(&message).contains("the sound can't be read: it"), "{message:#}");
    }
    let message = made(&server, phone(json!([say("Hello.")]))).await;
    assert_eq!(message["status"]["name"], "Completed", "{message:#}");
}

#[tokio::test]
async fn a_sound_is_fetched_once_a_call_and_a_call_has_so_much_of_it() {
    let callee = Callee::sipp(&(answered() + &bye())).await;
    let server = TestServer::start(&config(&[callee.port], "sound_max = \"3s\"")).await;
    let (url, asked) = counted(silence(1)).await;
    let mut verbs = play(std::iter::repeat_n(format!("{url}/a.wav"), 3));
    verbs[0]["repeat"] = 2.into();
    let message = made(&server, phone(verbs)).await;
    assert_eq!(message["status"]["name"], "Completed", "{message:#}");
    assert!(message["duration"].as_u64().unwrap() >= 4, "each is played: {message:#}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // Different files are as many sounds.
    let message = made(&server, phone(play((0..100).map(|i| format!("{url}/{i}.wav"))))).await;
    assert_eq!(message["status"]["name"], "Failed");
    assert!(description(&message).contains("sound_max"), "{message:#}");
    assert_eq!(asked.load(Ordering::Relaxed), 1 + 4);
}

#[tokio::test]
async fn a_call_to_an_address_inside_is_refused_without_a_packet() {
    let inside = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = inside.local_addr().unwrap().port();
    let tcp = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let text = config(&[1], "").replace("allow_private = true", "allow_private = false");
    let server = TestServer::start(&text).await;
    for address in [
        format!("sip:x@127.0.0.1:{port}"),
        format!("x@127.0.0.1:{port}"),
        format!("sips:x@127.0.0.1:{port}"),
        format!("sip:x@[::ffff:127.0.0.1]:{port}"),
        format!("sip:x@localhost:{port}"),
        format!("sip:x@127.0.0.1:{port};transport=tcp"),
        format!("sip:x@example.com:{port};maddr=127.0.0.1"),
        format!("sip:x@127.0.0.1:{port}?Subject=hi&X-Evil=1"),
        format!("sip:x@2130706433:{port}"),
        format!("sip:x@10.0.0.1:{port}"),
    ] {
        let step = call(json!({ "sip": address }), json!([say("Hello.")]));
        let (status, told) = server.post("/failover", &json!({"flow": [step]})).await;
        assert_eq!(
            (status.as_u16(), &told["errors"][0]["field"]),
            (400, &json!("flow[0].to.sip")),
            "{address}: {told}"
        );
    }
    inside.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(inside.recv(&mut [0; 2000]).is_err(), "a packet came");
    if let Ok(tcp) = tcp {
        let connected = tokio::time::timeout(Duration::from_millis(100), tcp.accept()).await;
        assert!(connected.is_err(), "somebody connected");
    }
}

#[tokio::test]
async fn an_address_without_a_scheme_gets_one() {
    let server = TestServer::start(&config(&[1], "")).await;
    let step = call(json!({"sip": "1111@127.0.0.1:55080"}), json!([say("Hello.")]));
    let (status, told) = server.post("/failover", &json!({"flow": [step]})).await;
    assert_eq!(
        (status.as_u16(), &told["flow"][0]["to"]["sip"]),
        (200, &json!("sip:1111@127.0.0.1:55080")),
        "{told}"
    );
}

#[tokio::test]
async fn sound_ends_where_nothing_comes_back_from() {
    // The callee wants its sound somewhere else, where nobody says anything.
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    let media = elsewhere.local_addr().unwrap().port().to_string();
    let scenario = answered().replace("[media_port]", &media) + &bye();
    let callee = Callee::sipp(&scenario).await;
    let server = TestServer::start(&config(&[callee.port], "media_timeout = \"1s\"")).await;
    let (url, _) = counted(silence(60)).await;
    let message = made(&server, phone(play([url]))).await;
    assert_eq!(message["status"]["name"], "Failed", "{message:#}");
    assert!(description(&message).contains("Nothing came back"), "{message:#}");
    elsewhere.set_nonblocking(true).unwrap();
    let packets = || std::iter::from_fn(|| elsewhere.recv(&mut [0; 2000]).ok()).count();
    assert!(packets() > 0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(packets(), 0, "the call has ended, and its sound has not");
}

#[tokio::test]
async fn a_call_that_hears_its_callee_goes_on() {
    // Longer than `media_timeout`, to a callee that speaks.
    let callee = Callee::baresip().await;
    let server = TestServer::start(&config(&[callee.port], "media_timeout = \"2s\"")).await;
    let (url, _) = counted(silence(6)).await;
    let to = json!({"sip": format!("callee@127.0.0.1:{}", callee.port)});
    let message = made(&server, call(to, play([url]))).await;
    assert_eq!(message["status"]["name"], "Completed", "{message:#}");
}
