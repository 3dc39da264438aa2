//! `cargo xtask bench voice`: calls at the same time, to sipp.

use crate::load::{Client, Process, Server, open_flows, post};
use crate::{Profile, build, peers};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Calls at the same time, spoken to for some seconds each: how late frames are sent, and what a call costs.
#[derive(clap::Args)]
pub struct Voice {
    /// Calls.
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// Seconds of each.
    #[arg(long, default_value_t = 10)]
    seconds: usize,
    /// Runs; the worst p99 and the median cost count.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// Answers and waits for the end.
const SCENARIO: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="callee">
<recv request="INVITE" crlf="true"/>
<send retrans="500"><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=callee[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=callee 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"#;

impl Voice {
    pub fn run(&self) -> anyhow::Result<()> {
        peers::install()?;
        let program = build(Profile::Release)?;
        println!("{} calls of {} s at the same time, {} runs", self.calls, self.seconds, self.runs);
        println!(
            "{:>8}{:>22}{:>24}{:>22}",
            "frames", "p99 of lateness, ms", "CPU, ms a call second", "memory, KiB a call"
        );
        (0..self.runs).try_for_each(|_| self.once(&program))
    }

    fn once(&self, program: &Path) -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let scenario = directory.path().join("scenario.xml");
        std::fs::write(&scenario, SCENARIO)?;
        let port = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut sipp = Command::new("sipp");
        sipp.arg("-sf").arg(&scenario).args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin"]);
        sipp.args(["-p", &port.to_string()]).current_dir(directory.path());
        let _sipp = Process::spawn(sipp.stdout(Stdio::null()).stderr(Stdio::null()))?;

        // A program that makes as many seconds of a sound as wanted, instead of speech.
        let sound = directory.path().join("sound.wav");
        let samples = 8000 * self.seconds as u32;
        let mut wav = b"RIFF".to_vec();
        wav.extend((36 + samples * 2).to_le_bytes());
        wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
        wav.extend((samples * 2).to_le_bytes());
        wav.extend((0..samples).flat_map(|i| ((i * 97 % 8000) as i16).to_le_bytes()));
        std::fs::write(&sound, wav)?;
        let config = format!(
            "[[carrier]]\nname = \"voice\"\nkind = \"sip\"\nchannels = [\"Voice\"]\nbind = \"127.0.0.1:0\"\nwindow = 200\n\
             calls_max = {0}\napplication_calls_max = {0}\nmedia_timeout = \"1h\"\nspeech = {{ command = [\"cat\", \"{1}\"] }}\n\
             [[carrier.trunk]]\nhost = \"127.0.0.1\"\nport = {port}\n",
            self.calls,
            sound.display()
        );
        let server = Server::start(program, &config)?;
        let token = server.token()?;
        let mut client = Client::connect(&server.address)?;
        let (cpu, kib) = (server.cpu_seconds()?, server.resident_kib()?);
        let step = json!({"type": "Voice", "order": 1, "from": "+302100000000", "to": "+306900000000",
            "dialPlan": {"verbs": [{"type": "SAY", "message": {"text": "x"}}]}});
        let body = json!({ "flow": [step] }).to_string();
        for _ in 0..self.calls {
            client.exchange(&post("/failover", &token, &body))?;
        }
        let open = post("/failover/tracking?size=1", &token, &open_flows());
        let deadline = Instant::now() + Duration::from_secs(60 + self.seconds as u64);
        let mut most_kib = kib;
        while serde_json::from_slice::<Value>(client.exchange(&open)?)?["totalElements"] != 0 {
            ensure!(Instant::now() < deadline, "the calls do not end");
            most_kib = most_kib.max(server.resident_kib()?);
            std::thread::sleep(Duration::from_millis(200));
        }
        let spent = server.cpu_seconds()? - cpu;
        let failed =
            post("/failover/tracking?size=1", &token, r#"[{"fieldName": "status", "searchTerm": "Failed"}]"#);
        let failed = serde_json::from_slice::<Value>(client.exchange(&failed)?)?["totalElements"].clone();
        ensure!(failed == 0, "{failed} calls failed");
        // Shown every second.
        std::thread::sleep(Duration::from_secs(2));
        let metrics = client.exchange(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")?;
        let metrics = String::from_utf8_lossy(metrics).into_owned();
        let figure = |name: &str| -> anyhow::Result<f64> {
            let name = format!("figure=\"{name}\"}} ");
            let line = metrics.lines().find_map(|line| line.split_once(name.as_str()));
            Ok(line.context("the carrier shows no figures")?.1.parse()?)
        };
        let call_seconds = (self.calls * self.seconds) as f64;
        println!(
            "{:>8}{:>22.1}{:>24.2}{:>22.0}",
            figure("frames")?,
            figure("frame_late_p99_ms")?,
            spent * 1000.0 / call_seconds,
            most_kib.saturating_sub(kib) as f64 / self.calls as f64
        );
        Ok(())
    }
}
