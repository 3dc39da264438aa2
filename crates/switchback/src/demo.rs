//! `switchback demo`: the main job for a newcomer, in one command.

use crate::api::trackings_table;
use crate::app::{self, Credentials};
use crate::client::{Account, Api};
use crate::log::start_log;
use crate::output::{self, say};
use crate::serve;
use crate::table::{Table, table};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};
use server::Server;
use server::config::{Config, parse_listen};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use store::ApplicationSettings;

/// Flows that the demo sends.
const FLOWS: u64 = 500;
/// How long a ttl minute lasts in the demo, so that expiries can be watched.
const MINUTE: Duration = Duration::from_millis(250);
/// Flows sent at once.
const AT_ONCE: usize = 16;

#[derive(clap::Args)]
pub struct Demo {
    /// Address and port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    listen: SocketAddr,
    /// End after the tables instead of going on to serve.
    #[arg(long)]
    exit: bool,
}

impl Demo {
    pub async fn run(self) -> anyhow::Result<()> {
        start_log(false, "warn");
        let stopped = serve::stop_signal()?;
        let directory = tempfile::Builder::new().prefix("switchback-demo-").tempdir()?;
        let mut config = Config::parse("", Path::new(""), []).map_err(|error| anyhow::anyhow!(error))?;
        config.server.listen = self.listen;
        config.store.path = directory.path().join("data");
        config.engine.minute = MINUTE;
        // Its only client is this program.
        config.server.requests_per_second = 0;
        let server = match Server::start(config.clone()).await {
            Ok(server) => server,
            // The usual port is taken: any other one serves a demo as well.
            Err(_) if self.listen.port() == 8080 => {
                config.server.listen.set_port(0);
                Server::start(config.clone()).await?
            }
            Err(error) => return Err(error),
        };
        let url = format!("http://{}", server.address);
        let Credentials { id, secret, .. } =
            app::create(&config.store.path, "Demo".into(), ApplicationSettings::default()).await?;
        say!("A server on {url} with fresh data in {}.", config.store.path.display());
        say!("One ttl minute lasts {} ms here; the sandbox plays all channels.\n", MINUTE.as_millis());

        let course = async {
            let api = Account::new(url.clone(), id.clone(), secret.clone()).login().await?;
            show(&api).await
        };
        tokio::pin!(stopped);
        tokio::select! {
            result = course => result?,
            () = &mut stopped => {
                server.stop().await;
                return Ok(());
            }
        }
        if !self.exit {
            say!("\nGo on with:\n");
            say!("  export SWITCHBACK_URL={url}");
            say!("  export SWITCHBACK_APP_ID={id}");
            say!("  export SWITCHBACK_APP_SECRET={secret}");
            say!("  switchback search --to ends_with:10 --type is_not:Voice\n");
            say!("The API is described at {url}/docs. Serving until Ctrl-C.");
            stopped.await;
        }
        server.stop().await;
        Ok(())
    }
}

/// Sends, waits, and shows what became of it.
async fn show(api: &Api) -> anyhow::Result<()> {
    let progress = ProgressBar::new(FLOWS * 2);
    progress.set_style(ProgressStyle::with_template("{msg:>8} [{bar:40}] {elapsed}")?.progress_chars("=> "));
    progress.set_message("sending");
    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut sends = tokio::task::JoinSet::new();
    for i in 0..FLOWS {
        let (api, slots, progress) = (api.clone(), slots.clone(), progress.clone());
        sends.spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire_owned().await;
            let answer = api.call(Method::POST, "/failover", Some(flow(i).to_string())).await;
            progress.inc(1);
            answer
        });
    }
    let mut ids = Vec::new();
    while let Some(sent) = sends.join_next().await {
        ids.push(sent??["trackingId"].as_str().unwrap_or_default().to_owned());
    }
    progress.set_message("waiting");
    loop {
        let open = total(api, json!([is_not("status", "Succeeded"), is_not("status", "Failed")])).await?;
        progress.set_position(FLOWS + FLOWS.saturating_sub(open));
        if open == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    progress.finish_and_clear();

    let page = search(api, "size=1000", json!([])).await?.0;
    say!("What became of {} messages in {FLOWS} flows:\n{}\n", count_messages(&page), outcomes(&page));

    let searches = [
        ("all flows", json!([])),
        ("failed, and ended by Voice", json!([is("status", "Failed"), is("terminationChannel", "Voice")])),
        (
            "to a number ending in 10, with no call made",
            json!([
                {"fieldName": "to", "searchOperator": "ends_with", "searchTerm": "10"},
                is_not("type", "Voice"),
            ]),
        ),
    ];
    for (name, filters) in searches {
        let (page, took) = search(api, "size=3", filters).await?;
        say!("{} {name}, found in {:.2} ms; the newest:", page["totalElements"], took.as_secs_f64() * 1000.0);
        say!("{}\n", trackings_table(&page));
    }

    let filters = json!([is("type", "Viber"), is("terminationChannel", "Sms"), is("status", "Succeeded")]);
    let page = search(api, "size=1", filters).await?.0;
    if let Some(id) = page["content"][0]["trackingId"].as_str() {
        let tracking = api.call(Method::GET, &format!("/failover/tracking/{id}"), None).await?;
        say!("One that Viber could not deliver and Sms did:\n{}", output::json(&tracking)?);
    }
    Ok(())
}

/// The `i`th flow: Viber, then Sms, then Voice, to a number whose last digits are all outcomes in turn.
fn flow(i: u64) -> Value {
    let to = format!("+30690{:07}", i * 7 % 1000 + (i / 1000) * 1000);
    json!({"flow": [
        {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": to, "ttl": 2,
         "message": {"text": "Your parcel is here.",
                     "action": {"caption": "Track", "targetUrl": "https://acme.example/t/1"}}},
        {"type": "Sms", "order": 2, "from": "Acme", "to": to, "ttl": 4, "message": {"body": "Your parcel is here."}},
        {"type": "Voice", "order": 3, "from": "+302100000000", "to": {"phone": to}, "ttl": 4,
         "dialPlan": {"verbs": [{"type": "SAY", "message": {"language": "en-US", "gender": "female",
                                                            "text": "Your parcel is here."}}]}},
    ]})
}

fn is(field: &str, term: &str) -> Value {
    json!({"fieldName": field, "searchTerm": term})
}

fn is_not(field: &str, term: &str) -> Value {
    json!({"fieldName": field, "searchOperator": "is_not", "searchTerm": term})
}

async fn search(api: &Api, query: &str, filters: Value) -> anyhow::Result<(Value, Duration)> {
    let started = Instant::now();
    let path = format!("/failover/tracking?{query}");
    let page = api.call(Method::POST, &path, Some(filters.to_string())).await?;
    Ok((page, started.elapsed()))
}

async fn total(api: &Api, filters: Value) -> anyhow::Result<u64> {
    Ok(search(api, "size=1", filters).await?.0["totalElements"].as_u64().unwrap_or_default())
}

fn messages(page: &Value) -> impl Iterator<Item = &Value> {
    let content = page["content"].as_array().into_iter().flatten();
    content.flat_map(|tracking| tracking["messages"].as_array().into_iter().flatten())
}

fn count_messages(page: &Value) -> usize {
    messages(page).count()
}

/// Messages by channel and status, with their price.
fn outcomes(page: &Value) -> Table {
    let mut rows: BTreeMap<(String, String, String), (u64, f64)> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for message in messages(page) {
        let status = &message["status"];
        let key = (text(&message["type"]), text(&status["name"]), text(&status["reason"]["detailedStatus"]));
        let row = rows.entry(key).or_default();
        row.0 += 1;
        row.1 += message["price"].as_f64().unwrap_or_default();
    }
    let mut table = table(["channel", "status", "detailed status", "messages", "price"]);
    for ((channel, status, detail), (count, price)) in rows {
        table.add_row([channel, status, detail, count.to_string(), format!("{price:.3}")]);
    }
    for column in [3, 4] {
        table.align_right(column);
    }
    table
}
