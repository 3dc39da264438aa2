//! `switchback demo`: the main job for a newcomer, in one command.

use crate::api::trackings_table;
use crate::app;
use crate::client::{Account, Api};
use crate::log::start_log;
use crate::output::say;
use crate::serve;
use crate::table::{Table, table};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use server::administration::{Credentials, operators};
use server::{Server, database};

use server::clock::now_ms;
use server::config::{Config, parse_listen};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use store::{ApplicationSettings, SqliteAdmin};
use wire::channel::MessageView;
use wire::search::{FieldName, FilterRequest, Operator, PageView};
use wire::send_view::SendResponse;

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
            let admin = SqliteAdmin::open(&database(&config.store.path), &config.store.keys()?)?;
            let link = operators::demo_link(&admin, now_ms()).await?;
            say!(
                "or look at them in the console; this link signs you in, once, within an hour:\n\n  {url}{}\n",
                link.path()
            );
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
            let answer = api.call(Method::POST, "/failover", Some(flow(i))).await;
            progress.inc(1);
            answer
        });
    }
    while let Some(sent) = sends.join_next().await {
        sent??.read::<SendResponse>("an accepted flow")?;
    }
    progress.set_message("waiting");
    loop {
        let ended = ["Succeeded", "Failed"].map(|status| is_not(FieldName::Status, status));
        let open = search(api, "size=1", &ended).await?.0.total_elements as u64;
        progress.set_position(FLOWS + FLOWS.saturating_sub(open));
        if open == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    progress.finish_and_clear();

    let page = search(api, "size=1000", &[]).await?.0;
    let count = messages(&page).count();
    say!("What became of {count} messages in {FLOWS} flows:\n{}\n", outcomes(&page));

    show_searches(api).await?;
    let wanted = [
        (FieldName::Type, "Viber"),
        (FieldName::TerminationChannel, "Sms"),
        (FieldName::Status, "Succeeded"),
    ];
    let page = search(api, "size=1", &wanted.map(|(field, term)| FilterRequest::is(field, term))).await?.0;
    if let Some(found) = page.content.first() {
        let path = format!("/failover/tracking/{}", found.tracking_id);
        let tracking = api.call(Method::GET, &path, None).await?;
        say!("One that Viber could not deliver and Sms did:\n{}", tracking.json()?);
    }
    Ok(())
}

/// Shows some searches, with what they took.
async fn show_searches(api: &Api) -> anyhow::Result<()> {
    let searches = [
        ("all flows", vec![]),
        (
            "failed, and ended by Voice",
            vec![
                FilterRequest::is(FieldName::Status, "Failed"),
                FilterRequest::is(FieldName::TerminationChannel, "Voice"),
            ],
        ),
        (
            "to a number ending in 10, with no call made",
            vec![
                FilterRequest::by(FieldName::To, Operator::EndsWith, "10"),
                is_not(FieldName::Type, "Voice"),
            ],
        ),
    ];
    for (name, filters) in searches {
        let (page, took) = search(api, "size=3", &filters).await?;
        say!("{} {name}, found in {:.2} ms; the newest:", page.total_elements, took.as_secs_f64() * 1000.0);
        say!("{}\n", trackings_table(&page));
    }
    Ok(())
}

/// The `i`th flow as JSON: Viber, then Sms, then Voice, to a number whose last digits are all outcomes in
/// turn.
fn flow(i: u64) -> String {
    let to = format!("+30690{:07}", i * 7 % 1000 + (i / 1000) * 1000);
    FLOW.replace("{to}", &to)
}

/// The flow that is sent to every recipient.
const FLOW: &str = r#"{"flow": [
    {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": "{to}", "ttl": 2,
     "message": {"text": "Your parcel is here.",
                 "action": {"caption": "Track", "targetUrl": "https://acme.example/t/1"}}},
    {"type": "Sms", "order": 2, "from": "Acme", "to": "{to}", "ttl": 4, "message": {"body": "Your parcel is here."}},
    {"type": "Voice", "order": 3, "from": "+302100000000", "to": {"phone": "{to}"}, "ttl": 4,
     "dialPlan": {"verbs": [{"type": "SAY", "message": {"language": "en-US", "gender": "female",
                                                        "text": "Your parcel is here."}}]}}
]}"#;

fn is_not(field: FieldName, term: &str) -> FilterRequest {
    FilterRequest::by(field, Operator::IsNot, term)
}

async fn search(api: &Api, query: &str, filters: &[FilterRequest]) -> anyhow::Result<(PageView, Duration)> {
    let started = Instant::now();
    let answer = api.search(&format!("/failover/tracking?{query}"), filters).await?;
    let took = started.elapsed();
    Ok((answer.read("a page of trackings")?, took))
}

fn messages(page: &PageView) -> impl Iterator<Item = &MessageView> {
    page.content.iter().flat_map(|tracking| &tracking.messages)
}

/// Messages by channel and status, with their price.
fn outcomes(page: &PageView) -> Table {
    let mut rows: BTreeMap<_, (u64, f64)> = BTreeMap::new();
    for message in messages(page) {
        let status = message.status();
        let key = (message.channel().name(), status.name.as_str(), status.reason.detailed_status.as_str());
        let row = rows.entry(key).or_default();
        row.0 += 1;
        row.1 += message.price();
    }
    let mut table = table(["channel", "status", "detailed status", "messages", "price"]);
    for ((channel, status, detail), (count, price)) in rows {
        let [channel, status, detail] = [channel, status, detail].map(str::to_owned);
        table.add_row([channel, status, detail, count.to_string(), format!("{price:.3}")]);
    }
    for column in [3, 4] {
        table.align_right(column);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_flows_of_the_demo_are_json_with_their_recipients() {
        for i in [0, 1, FLOWS - 1] {
            let sent: Value = serde_json::from_str(&flow(i)).unwrap();
            let steps = sent["flow"].as_array().unwrap();
            let to = steps[0]["to"].as_str().unwrap();
            assert!(flow::is_e164(to) && steps[1]["to"] == to && steps[2]["to"]["phone"] == to, "{to}");
        }
    }
}
