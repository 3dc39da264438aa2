//! Who is called: sipp, by scenarios, and baresip, which records what it hears.

use crate::support::until;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How often a callee is started again because somebody else has a port that it was told to take.
const STARTS_MAX: usize = 20;

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

/// A port that has a good chance to be free, with the three after it. It is not from the range that systems
/// give to those who ask for any port, so that nobody gets it in between.
fn draw_port() -> u16 {
    20_000 + fastrand::u16(..3000) * 4
}

/// Whether a process itself has bound a port, by the tables of the system. To try to bind it would take it
/// away from the process at that moment.
fn has_bound(process: u32, table: &str, port: u16) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    let links = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let own: Vec<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let sockets = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    sockets.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = fields.get(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}")));
        // 0A is LISTEN; a TCP connection may be from the same port.
        let listens = table == "udp" || fields.get(3) == Some(&"0A");
        local && listens && fields.get(9).is_some_and(|inode| own.contains(&format!("socket:[{inode}]")))
    })
}

/// Starts a callee at ports that are drawn for it, until it has bound them; what it says is in the file
/// `log`.
pub async fn start(directory: &Path, tables: &[&str], command: impl Fn(u16) -> Command) -> (Child, u16) {
    let log = directory.join("log");
    for _ in 0..STARTS_MAX {
        let port = draw_port();
        let output = std::fs::File::create(&log).unwrap();
        let mut child = command(port)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .expect("it is installed (cargo xtask test installs it)");
        let id = child.id();
        let mut ended = false;
        until("the callee listens or ends", || {
            ended = child.try_wait().unwrap().is_some();
            ended || tables.iter().all(|table| has_bound(id, table, port))
        })
        .await;
        if !ended {
            return (child, port);
        }
    }
    panic!("the callee does not start: {}", std::fs::read_to_string(&log).unwrap_or_default());
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
        let tables: &[&str] = if arguments.contains(&"t1") { &["tcp"] } else { &["udp"] };
        let (child, port) = start(directory.path(), tables, |port| {
            let mut command = Command::new("sipp");
            let (sip, media) = (port.to_string(), (port + 2).to_string());
            command.arg("-sf").arg(&scenario).args([
                "-i",
                "127.0.0.1",
                "-mi",
                "127.0.0.1",
                "-p",
                &sip,
                "-mp",
                &media,
            ]);
            command.arg("-nostdin").args(arguments);
            command
        })
        .await;
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
        std::fs::write(path.join("contacts"), "").unwrap();
        let (child, port) = start(path, &["udp", "tcp"], |port| {
            let config = format!(
                "sip_listen 127.0.0.1:{port}\nsip_trans_def udp\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\n\
                 module aubridge.so\nmodule sndfile.so\nmodule_app account.so\nmodule_app menu.so\n\
                 audio_player aubridge,a\naudio_source aubridge,a\naudio_alert aubridge,b\nnet_interface 127.0.0.1\n\
                 snd_path {}\n",
                path.display()
            );
            std::fs::write(path.join("config"), config).unwrap();
            let account = format!("<sip:callee@127.0.0.1:{port}>;regint=0;answermode=auto;audio_codecs=pcma\n");
            std::fs::write(path.join("accounts"), account).unwrap();
            let mut command = Command::new("baresip");
            command.arg("-4").arg("-f").arg(path);
            command
        })
        .await;
        // Its TCP socket is there a moment before the account is.
        let log = path.join("log");
        let ready = || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("baresip is ready"));
        until("baresip is ready", ready).await;
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
        // It is whole once it is closed.
        let descriptors = format!("/proc/{}/fd", self.child.id());
        let open = || {
            let links = std::fs::read_dir(&descriptors).unwrap().flatten();
            links.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|link| link == file)
        };
        until("the recording is closed", || !open()).await;
        let octets = std::fs::read(&file).unwrap();
        octets[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }
}
