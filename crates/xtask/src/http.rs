//! `cargo xtask bench http`: messages a second through a carrier over HTTP, with their receipts.

use crate::drive::drive;
use crate::figures::spread;
use crate::load::{Client, Server, open_flows, post};
use crate::traffic::sms_body;
use crate::{Profile, build};
use axum::Router;
use axum::extract::State;
use axum::routing::post as route;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two posts of receipts.
const RECEIPTS_EVERY: Duration = Duration::from_millis(20);
/// Receipts of a post.
const RECEIPTS_MAX: usize = 500;

/// Messages a second through a carrier over HTTP on loopback: accepted, on disk, posted to a provider, and
/// its receipt taken, which the provider posts in groups. The provider is a small server in this process.
#[derive(clap::Args)]
pub struct Http {
    /// Messages of each run.
    #[arg(long, default_value_t = 30_000)]
    messages: usize,
    /// Runs; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

const PROVIDER: &str = r#"
description = "the benchmark's"
channels = ["Sms"]
base_url = "http://replaced"
[[request]]
name = "text"
path = "/send"
body = '{"to": {{ to }}, "from": {{ sender }}, "text": {{ text }}, "reference": {{ message_id }}, "ttl": {{ ttl_s }}}'
[answer]
accepted = "status == 200"
id = "/id"
[receipts]
id = "/id"
status = "/status"
statuses = { delivered = "Delivered" }
verify = { kind = "header", name = "x-secret", value = "s3cret" }
"#;

/// The messages that the provider took and has not reported on yet.
type Taken = Arc<Mutex<Vec<String>>>;

async fn take(State(taken): State<Taken>, axum::Json(body): axum::Json<Value>) -> axum::Json<Value> {
    let id = body["reference"].as_str().unwrap_or_default().to_owned();
    taken.lock().expect("no panic").push(id.clone());
    axum::Json(json!({ "id": id }))
}

impl Http {
    pub fn run(&self) -> anyhow::Result<()> {
        let program = build(Profile::Release)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut rates = (1..=self.runs)
            .map(|number| {
                eprintln!("run {number} of {}", self.runs);
                self.once(&program, &runtime)
            })
            .collect::<anyhow::Result<Vec<f64>>>()?;
        let (median, least, most) = spread(&mut rates);
        println!(
            "{} runs of {} messages over HTTP, each with its receipt, provider and clients on the same {} cores:\n\
             {median:.0} messages/s ({least:.0} to {most:.0})",
            self.runs,
            self.messages,
            std::thread::available_parallelism()?
        );
        Ok(())
    }

    fn once(&self, program: &Path, runtime: &tokio::runtime::Runtime) -> anyhow::Result<f64> {
        let taken = Taken::default();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let provider = Router::new().route("/send", route(take)).with_state(Arc::clone(&taken));
        let provider = runtime.spawn(async move { axum::serve(listener, provider).await });

        let file = tempfile::Builder::new().suffix(".toml").tempfile()?;
        std::fs::write(file.path(), PROVIDER)?;
        let config = format!(
            "[server]\npublic_url = \"https://sms.example\"\n[[carrier]]\nname = \"p\"\nkind = \"http\"\n\
             provider = \"{}\"\nchannels = [\"Sms\"]\nbase_url = \"{url}\"\nwindow = 200\n",
            file.path().display()
        );
        let server = Server::start(program, &config)?;
        let token = server.token()?;
        let requests: Vec<_> = (0..self.messages).map(|i| post("/failover", &token, &sms_body(i))).collect();
        let started = Instant::now();
        std::thread::scope(|scope| -> anyhow::Result<()> {
            let reporting = scope.spawn(|| self.report(&server.address, &taken));
            drive(&server.address, 32, &requests)?;
            reporting.join().expect("no panic")
        })?;
        let mut client = Client::connect(&server.address)?;
        let open = post("/failover/tracking?size=1", &token, &open_flows());
        while serde_json::from_slice::<Value>(client.exchange(&open)?)?["totalElements"] != 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let spent = started.elapsed();
        provider.abort();
        Ok(self.messages as f64 / spent.as_secs_f64())
    }

    /// Reports on every message, until each has its receipt.
    fn report(&self, address: &str, taken: &Taken) -> anyhow::Result<()> {
        let mut client = Client::connect(address)?;
        let mut reported = 0;
        while reported < self.messages {
            let ids = std::mem::take(&mut *taken.lock().expect("no panic"));
            for ids in ids.chunks(RECEIPTS_MAX) {
                let receipts: Vec<Value> =
                    ids.iter().map(|id| json!({"id": id, "status": "delivered"})).collect();
                let body = json!(receipts).to_string();
                let request = format!(
                    "POST /carriers/p/receipts HTTP/1.1\r\nhost: x\r\nx-secret: s3cret\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                client.exchange(request.as_bytes())?;
                reported += ids.len();
            }
            std::thread::sleep(RECEIPTS_EVERY);
        }
        Ok(())
    }
}
