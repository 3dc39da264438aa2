//! `switchback call`.

use crate::output::say;
use crate::serve::load_with_warnings;
use anyhow::{Context, bail};
use carriers::{Carrier, Outcome, Outgoing, ReceiptsOnly, Sip, SipConfig, Trace};
use flow::{Content, Flow, FlowKind, NewFlow, Step, Ttl, Verb, Voice, VoiceTarget};
use server::clock::{new_flow_id, now_ms};
use server::config::KindConfig;
use server::files::Files;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Make a test call and print its course. Needs no server.
///
/// By the first sip carrier of the configuration, or straight to a SIP address.
#[derive(clap::Args)]
pub struct Call {
    /// Whom: a phone number, or a SIP address such as sip:alice@192.0.2.1.
    #[arg(long)]
    to: String,
    #[command(flatten)]
    heard: Heard,
    /// The language of what is said.
    #[arg(long, default_value = "en-US")]
    language: String,
    /// The caller id.
    #[arg(long, default_value = "switchback")]
    from: String,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long it may ring, seconds.
    #[arg(long, default_value_t = 60)]
    ring: u64,
    /// Print the SIP messages, too, without passwords and credentials: what a trunk's support asks for.
    #[arg(long)]
    trace: bool,
}

/// What is to be heard: one of them, or both.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Heard {
    /// What is said.
    #[arg(long)]
    say: Option<String>,
    /// A WAV or MP3 file that is played, a URL.
    #[arg(long)]
    play: Option<String>,
}

impl Call {
    pub async fn run(self) -> anyhow::Result<()> {
        let (course, mut receipts) = mpsc::unbounded_channel();
        // What a person names on the command line may be a private address.
        let files = Files::new(true, flow::Limits::default())?;
        let started = Instant::now();
        let show = move |what: &str| say!("{:>7.2} s  {what}", started.elapsed().as_secs_f64());
        let trace = self.trace.then(|| Trace::new(move |way, message| show(&format!("{way}\n{message}\n"))));
        let course = Arc::new(ReceiptsOnly(course));
        let sip = Sip::start_traced("call".into(), self.carrier()?, course, Arc::new(files), trace).await;
        let sip = sip.map_err(anyhow::Error::msg)?;
        let outgoing = self.outgoing();
        show("calling");
        match sip.submit(&outgoing).await {
            Outcome::Accepted { .. } => show("taken by the trunk"),
            Outcome::Refused { description, .. } => bail!("{}", description.unwrap_or_default()),
            Outcome::Later { reason, .. } | Outcome::Unknown { reason } => bail!("{reason}"),
        }
        while let Some(receipt) = receipts.recv().await {
            let mut words = vec![receipt.status.name().to_owned()];
            words.extend(receipt.description);
            words.extend(receipt.duration_s.map(|seconds| format!("{seconds} s")));
            words.extend(receipt.answered_by.map(|who| format!("answered by a {who}")));
            show(&words.join(", "));
            if receipt.status.is_final() {
                sip.close().await;
                return Ok(());
            }
        }
        bail!("the call was lost")
    }

    /// The configured carrier, or one whose trunk is the host of the address.
    fn carrier(&self) -> anyhow::Result<SipConfig> {
        if let Some(file) = &self.config {
            let configured =
                load_with_warnings(Some(file))?.carriers.into_iter().find_map(|carrier| match carrier.kind {
                    KindConfig::Sip(sip) => Some(*sip),
                    KindConfig::Sandbox(_) | KindConfig::Smpp(_) | KindConfig::Http(_) => None,
                });
            return configured.context("the configuration has no carrier of kind \"sip\"");
        }
        let host = self.to.split('@').nth(1).and_then(|rest| rest.split([':', ';', '>']).next());
        let host = host.context("--to a phone number needs --config with a carrier of kind \"sip\"")?;
        SipConfig::through(host).map_err(anyhow::Error::msg)
    }

    fn outgoing(&self) -> Outgoing {
        let to = self.to.clone();
        let to = if to.contains('@') { VoiceTarget::Sip(to) } else { VoiceTarget::Phone(to) };
        let say = self.heard.say.iter().map(|text| Verb::Say {
            language: self.language.clone(),
            gender: "female".into(),
            text: text.clone(),
            repeat: 1,
            barge_in: false,
        });
        let play =
            self.heard.play.iter().map(|url| Verb::Play { url: url.clone(), repeat: 1, barge_in: false });
        let verbs = say.chain(play).collect();
        let voice = Voice { from: self.from.clone(), to, verbs, machine_detection: None };
        let (ttl, content) = (Ttl::minutes(1), Content::Voice(voice));
        let now_ms = now_ms();
        let new = NewFlow {
            id: new_flow_id(now_ms),
            application: String::new(),
            kind: FlowKind::Plain,
            minute_ms: 60_000,
            steps: vec![Step { order: 1, failover_on: vec![], ttl, content, country: None }],
            callback: None,
            restrictions: None,
            callback_bytes_max: flow::CALLBACK_BYTES,
        };
        Outgoing {
            flow: Arc::new(Flow::accept(new, now_ms)),
            message: 0,
            part: 0,
            attempts: 0,
            sender: self.from.clone(),
            time_left: Duration::from_secs(self.ring),
        }
    }
}
