//! Calls through Kamailio as a trunk: a registrar and a proxy with digest, in front of phones.

use crate::callee::{Callee, INVITE, answer, start};
use crate::peer::{Got, Peer, Said, after_ms, now, polite, sdp, taking};
use crate::support::*;
use crate::voice::{made, phone, say};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

/// What a phone is called by here that the proxy itself refuses, after 100.
const REFUSED: &str = "+306900000503";
/// How long the proxy keeps a registration, seconds.
const KEPT_S: u32 = 2;

/// Kamailio, at a port for UDP and TCP, and the next one for TLS.
struct Proxy {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // So asked it ends its processes as well.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn script(directory: &Path, port: u16, phone: u16) -> String {
    let (tls, path) = (port + 1, directory.display());
    format!(
        r#"debug=0
log_stderror=yes
children=2
tcp_children=2
enable_tls=yes
dns=no
rev_dns=no
auto_aliases=no
alias="trunk.example"
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
listen=tls:127.0.0.1:{tls}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "tls.so"
modparam("registrar", "max_expires", {KEPT_S})
modparam("registrar", "min_expires", 1)
modparam("auth", "nonce_count", 0)
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "private_key", "{path}/key.pem")
modparam("tls", "certificate", "{path}/cert.pem")
request_route {{
    xlog("L_ALERT", "got $rm by $pr\n");
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
        sl_send_reply("404", "Not Here");
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (is_method("ACK")) {{ t_check_trans(); exit; }}
    t_check_trans();
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("trunk.example", "pass", "0")) {{ www_challenge("trunk.example", "1"); exit; }}
        xlog("L_ALERT", "registered $au\n");
        save("location");
        exit;
    }}
    if (!pv_proxy_authenticate("trunk.example", "pass", "0")) {{ proxy_challenge("trunk.example", "1"); exit; }}
    consume_credentials();
    t_newtran();
    if ($rU == "{REFUSED}") {{ t_reply("503", "Service Unavailable"); exit; }}
    record_route();
    $ru = "sip:callee@127.0.0.1:{phone}";
    t_relay();
}}
"#
    )
}

impl Proxy {
    /// One in front of a phone at a port.
    async fn start(phone: u16) -> Proxy {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let issued = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(path.join("cert.pem"), issued.cert.pem()).unwrap();
        std::fs::write(path.join("key.pem"), issued.signing_key.serialize_pem()).unwrap();
        let (child, port) = start(path, &["udp", "tcp"], |port| {
            std::fs::write(path.join("kamailio.cfg"), script(path, port, phone)).unwrap();
            let mut command = Command::new("kamailio");
            command
                .arg("-f")
                .arg(path.join("kamailio.cfg"))
                .args(["-DD", "-E", "-m", "32", "-M", "4", "-Y"])
                .arg(path);
            command
        })
        .await;
        Proxy { child, port, directory }
    }

    /// How often it wrote something.
    fn wrote(&self, what: &str) -> usize {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.matches(what).count()
    }

    /// A trunk that is this proxy.
    fn trunk(&self, transport: &str) -> String {
        let (port, ca) = match transport {
            "tls" => (self.port + 1, format!("tls_ca = \"{}/cert.pem\"\n", self.directory.path().display())),
            _ => (self.port, String::new()),
        };
        format!(
            "[[carrier.trunk]]\nhost = \"localhost\"\nport = {port}\ntransport = \"{transport}\"\n{ca}\
             domain = \"trunk.example\"\nusername = \"user\"\npassword = \"pass\"\n"
        )
    }
}

fn config(more: &str, trunks: &[String]) -> String {
    format!(
        "[engine]\nminute = \"1s\"\n[callbacks]\nallow_private = true\n[[carrier]]\nname = \"voice\"\nkind = \"sip\"\n\
         channels = [\"Voice\"]\nbind = \"127.0.0.1:0\"\n{more}\n{}",
        trunks.concat()
    )
}

fn step(ttl: u32) -> Value {
    let mut step = phone(json!([say("Hello.")]));
    step["ttl"] = ttl.into();
    step
}

const TRANSPORTS: [&str; 3] = ["udp", "tcp", "tls"];

#[tokio::test]
async fn a_call_goes_through_kamailio_to_baresip() {
    let callee = Callee::baresip().await;
    let proxy = Proxy::start(callee.port).await;
    for transport in TRANSPORTS {
        let server = TestServer::start(&config("", &[proxy.trunk(transport)])).await;
        let message = made(&server, step(20)).await;
        assert_eq!(message["status"]["name"], "Completed", "{transport}: {message:#}");
        // Its ACK and its BYE came by the same way.
        until("the BYE is there", || proxy.wrote(&format!("got BYE by {transport}\n")) > 0).await;
    }
}

#[tokio::test]
async fn a_busy_phone_behind_kamailio_is_busy() {
    let busy = format!("{INVITE}{}<recv request=\"ACK\"/>\n", answer("486 Busy Here", "", ""));
    let callee = Callee::sipp(&busy).await;
    let proxy = Proxy::start(callee.port).await;
    for transport in TRANSPORTS {
        let server = TestServer::start(&config("", &[proxy.trunk(transport)])).await;
        let message = made(&server, step(20)).await;
        assert_eq!(message["status"]["name"], "Busy", "{transport}: {message:#}");
    }
}

#[tokio::test]
async fn a_phone_behind_kamailio_asks_and_hangs_up_within_a_call() {
    let phone = Peer::udp("127.0.0.1", |got: &Got, sound: u16| -> Said {
        match got.method() {
            "INVITE" => {
                let routes: String =
                    got.all("Record-Route").iter().map(|route| format!("Route: {route}\r\n")).collect();
                let recorded = routes.replace("Route: ", "Record-Route: ");
                let contact = "Contact: <sip:phone@127.0.0.1:9>\r\n";
                let kind = "Content-Type: application/sdp\r\n";
                let taken = got.answer("200 OK", &format!("{contact}{recorded}"), &sdp(sound));
                let offer = got.request("INVITE", 7, &format!("{routes}{contact}{kind}"), &sdp(sound));
                let bye = got.request("BYE", 8, &routes, "");
                vec![now(taken), after_ms(500, offer), after_ms(1500, bye)]
            }
            _ => polite(got),
        }
    })
    .await;
    let proxy = Proxy::start(phone.port).await;
    for (before, transport) in TRANSPORTS.into_iter().enumerate() {
        let server = TestServer::start(&config("", &[proxy.trunk(transport)])).await;
        let mut step = step(20);
        step["dialPlan"]["verbs"] = json!([say(&"This will take a while. ".repeat(10))]);
        let message = made(&server, step).await;
        assert_eq!(message["status"]["name"], "Terminated", "{transport}: {message:#}");
        let taken = || {
            phone
                .got()
                .iter()
                .filter(|got| got.status() == Some(200) && got.header("CSeq") == "7 INVITE")
                .count()
        };
        until("the offer is answered", || taken() > before).await;
    }
}

#[tokio::test]
async fn calls_that_nobody_answers_are_cancelled_through_kamailio() {
    let phones = Peer::udp("127.0.0.1", |got, _| match got.method() {
        "INVITE" => vec![now(got.answer("180 Ringing", "Contact: <sip:phone@127.0.0.1:9>\r\n", ""))],
        _ => polite(got),
    })
    .await;
    let proxy = Proxy::start(phones.port).await;
    let more = "window = 200\ncalls_max = 100\napplication_calls_max = 100\nprepares_max = 10\n\
        speech = { command = [\"espeak-ng\", \"--stdin\", \"--stdout\"] }";
    let server = TestServer::start(&config(more, &[proxy.trunk("udp")])).await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(server.send(&json!({"flow": [step(10)]})).await);
    }
    for id in ids {
        let tracking = server.track_to_end(&id).await;
        assert_eq!(tracking["messages"][0]["status"]["name"], "NoAnswer", "{tracking:#}");
    }
    let cancels = phones.wait_for("CANCEL", 100).await;
    let calls = |all: &[Got]| {
        let ids = all.iter().map(|got| got.header("Call-ID").to_owned());
        ids.collect::<std::collections::BTreeSet<String>>()
    };
    let invites = phones.requests("INVITE");
    assert_eq!((invites.len(), calls(&invites).len()), (100, 100));
    assert_eq!(calls(&invites), calls(&cancels), "a phone rings on");
    assert!(proxy.wrote("got CANCEL") >= 100);
}

#[tokio::test]
async fn the_next_trunk_takes_what_kamailio_refuses() {
    let other = Peer::udp("127.0.0.1", |got, sound| match got.method() {
        "INVITE" => vec![now(taking(got, "sip:other@127.0.0.1:9", sound))],
        _ => polite(got),
    })
    .await;
    let proxy = Proxy::start(9).await;
    for transport in TRANSPORTS {
        let trunks = [
            proxy.trunk(transport),
            format!("[[carrier.trunk]]\nhost = \"127.0.0.1\"\nport = {}\n", other.port),
        ];
        let server = TestServer::start(&config("", &trunks)).await;
        let mut step = step(20);
        step["to"]["phone"] = REFUSED.into();
        let message = made(&server, step).await;
        assert_eq!(message["status"]["name"], "Completed", "{transport}: {message:#}");
    }
    assert_eq!(other.requests("INVITE").len(), TRANSPORTS.len());
    // It was asked, and asked again with proof; over UDP maybe more often.
    for transport in TRANSPORTS {
        until("it wrote that", || proxy.wrote(&format!("got INVITE by {transport}\n")) >= 2).await;
    }
}

#[tokio::test]
async fn a_registration_with_kamailio_is_made_anew_before_it_is_over() {
    let proxy = Proxy::start(9).await;
    for transport in TRANSPORTS {
        let before = proxy.wrote("registered user");
        let trunk = proxy.trunk(transport) + "register = true\n";
        let server = TestServer::start(&config("", &[trunk])).await;
        // It keeps them for two seconds.
        let started = std::time::Instant::now();
        until("it has registered three times", || proxy.wrote("registered user") >= before + 3).await;
        assert!(started.elapsed() < Duration::from_secs(u64::from(KEPT_S) * 5), "{:?}", started.elapsed());
        let after = proxy.wrote("registered user");
        server.server.stop().await;
        assert!(proxy.wrote("registered user") > after, "{transport}: it was not ended");
    }
}
