//! Who is called: sipp, by scenarios, and baresip, which records what it hears.

use crate::support::until;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A process that ends with its value.
pub struct Callee {
    child: Child,
    pub port: u16,
    pub directory: TempDir,
}

impl Drop for Callee {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A UDP port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn until_bound(port: u16) {
    let taken = || std::net::UdpSocket::bind(("127.0.0.1", port)).is_err();
    until("the callee listens", taken).await;
}

/// What sipp answers, with what every answer has.
pub fn answer(line: &str, more: &str, body: &str) -> String {
    let retransmit = if line.starts_with("200") && !body.is_empty() { " retrans=\"500\"" } else { "" };
    format!(
        "<send{retransmit}><![CDATA[\n\nSIP/2.0 {line}\n[last_Via:]\n[last_From:]\n[last_To:];tag=callee[call_number]\n\
         [last_Call-ID:]\n[last_CSeq:]\nContact: <sip:[local_ip]:[local_port]>\n{more}Content-Length: [len]\n\n{body}\n]]></send>\n"
    )
}

/// A session description of sipp's.
pub const SDP: &str = "v=0\no=callee 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
    m=audio [media_port] RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n";

/// The call is answered and confirmed.
pub fn answered() -> String {
    let ringing = answer("180 Ringing", "", "");
    let ok = answer("200 OK", "Content-Type: application/sdp\n", SDP);
    format!("{INVITE}{ringing}{ok}<recv request=\"ACK\"/>\n")
}

pub const INVITE: &str = "<recv request=\"INVITE\" crlf=\"true\"/>\n";

/// Waits for the end and answers it.
pub fn bye() -> String {
    format!("<recv request=\"BYE\"/>\n{}", answer("200 OK", "", ""))
}

impl Callee {
    /// sipp with a scenario.
    pub async fn sipp(steps: &str) -> Callee {
        Callee::sipp_with(steps, &[], &[]).await
    }

    /// sipp with a scenario that plays files, and more arguments.
    pub async fn sipp_with(steps: &str, files: &[(&str, &[u8])], arguments: &[&str]) -> Callee {
        let directory = tempfile::tempdir().unwrap();
        for (name, octets) in files {
            std::fs::write(directory.path().join(name), octets).unwrap();
        }
        let scenario = directory.path().join("scenario.xml");
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"callee\">\n{steps}</scenario>\n"
        );
        std::fs::write(&scenario, text).unwrap();
        let (port, media) = (free_port(), free_port());
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&scenario)
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &port.to_string(), "-mp", &media.to_string()])
            .arg("-nostdin")
            .args(arguments)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed (cargo xtask test installs it)");
        if arguments.contains(&"t1") {
            let taken = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            until("the callee listens", taken).await;
        } else {
            until_bound(port).await;
        }
        Callee { child, port, directory }
    }

    /// Whether it went through its scenario as it should, once it has ended.
    pub async fn ended_well(&mut self) -> bool {
        until("the callee ends", || self.child.try_wait().unwrap().is_some()).await;
        self.child.wait().unwrap().success()
    }

    /// baresip, which answers by itself and records.
    pub async fn baresip() -> Callee {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let port = free_port();
        let config = format!(
            "sip_listen 127.0.0.1:{port}\nsip_trans_def udp\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\n\
             module aubridge.so\nmodule sndfile.so\nmodule_app account.so\nmodule_app menu.so\naudio_player aubridge,a\n\
             audio_source aubridge,a\naudio_alert aubridge,b\nnet_interface 127.0.0.1\nsnd_path {}\n",
            path.display()
        );
        std::fs::write(path.join("config"), config).unwrap();
        let account = format!("<sip:callee@127.0.0.1:{port}>;regint=0;answermode=auto;audio_codecs=pcma\n");
        std::fs::write(path.join("accounts"), account).unwrap();
        std::fs::write(path.join("contacts"), "").unwrap();
        let child = Command::new("baresip")
            .arg("-4")
            .arg("-f")
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip is installed (cargo xtask test installs it)");
        until_bound(port).await;
        Callee { child, port, directory }
    }

    /// The samples that baresip heard, once they are written.
    pub async fn heard(&self) -> Vec<i16> {
        let find = |path: &Path| -> Option<PathBuf> {
            let files = std::fs::read_dir(path).unwrap().flatten().map(|entry| entry.path());
            files.filter(|file| file.to_string_lossy().ends_with("-dec.wav")).max()
        };
        until("the recording is there", || find(self.directory.path()).is_some()).await;
        let file = find(self.directory.path()).unwrap();
        // It is closed a moment after the call.
        let mut length = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let octets = std::fs::read(&file).unwrap();
            if octets.len() == length && length > 44 {
                return octets[44..]
                    .chunks_exact(2)
                    .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                    .collect();
            }
            length = octets.len();
        }
    }
}
