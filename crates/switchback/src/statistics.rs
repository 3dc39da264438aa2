//! `switchback statistics`.

use crate::client::Account;
use crate::output::say;
use crate::place::{Place, existing};
use crate::table::{Table, table};
use flow::statistics::Dimension;
use reqwest::{Method, Url};
use server::lock;
use std::time::Instant;
use store::{Admin, RebuiltStatistics};
use wire::statistics::{FiguresView, StatisticsView};

/// How many flows were accepted, and what became of them.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Statistics {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    account: Option<Account>,
    #[command(flatten)]
    which: Which,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which figures.
#[derive(clap::Args)]
struct Which {
    /// Accepted at this time or later: ISO 8601, at a quarter of an hour.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Accepted before this time; likewise.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The periods of rows: hour, day or month.
    #[arg(long, default_value = "day")]
    interval: String,
    /// What messages are grouped by: channel, carrier, country, network, status, separated by commas.
    #[arg(long, value_name = "WHAT", default_value = "")]
    group_by: String,
    /// Where the periods begin.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make the statistics anew from what is stored; the server must not run.
    ///
    /// Never needed, since each commit changes them; for when the database was damaged. What is older than
    /// the oldest stored flow of an application stays as it is. Behind that, flows that were pruned or erased
    /// are not counted any more: it says how many.
    Rebuild(Place),
}

impl Statistics {
    pub async fn run(self) -> anyhow::Result<()> {
        let account = match (self.command, self.account) {
            (Some(Command::Rebuild(of)), _) => return rebuild(&of).await,
            (None, Some(account)) => account,
            (None, None) => anyhow::bail!("--app-id and --app-secret say whose statistics"),
        };
        let path = self.which.path()?;
        let answer = account.login().await?.call(Method::GET, &path, None).await.map_err(in_options)?;
        if self.json {
            say!("{}", answer.json()?);
            return Ok(());
        }
        say!("{}", figures_table(&answer.read("statistics")?));
        Ok(())
    }
}

impl Which {
    /// The path and query.
    fn path(&self) -> anyhow::Result<String> {
        // Only the path and the query are used.
        let mut url = Url::parse("http://localhost/failover/statistics")?;
        let times = [("dateStart", &self.from), ("dateEnd", &self.to)];
        let times = times.iter().filter_map(|(name, time)| Some((*name, time.as_deref()?)));
        let Which { interval, group_by, time_zone, .. } = self;
        let others = [("interval", interval), ("groupBy", group_by), ("timeZone", time_zone)];
        url.query_pairs_mut().extend_pairs(times).extend_pairs(others);
        Ok(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
    }
}

/// An error with the names of the options instead of the API's parameters.
fn in_options(error: anyhow::Error) -> anyhow::Error {
    let names = [
        ("dateStart", "--from"),
        ("dateEnd", "--to"),
        ("\ninterval ", "\n--interval "),
        ("\ngroupBy ", "\n--group-by "),
        ("\ntimeZone ", "\n--time-zone "),
    ];
    let told = names.iter().fold(format!("{error:#}"), |told, (name, option)| told.replace(name, option));
    anyhow::Error::msg(told)
}

async fn rebuild(of: &Place) -> anyhow::Result<()> {
    let data = of.data()?;
    existing(&data)?;
    let _lock = lock(&data)?;
    let started = Instant::now();
    let RebuiltStatistics { flows, unreadable, lost } = of.open_with_keys()?.rebuild_statistics().await?;
    say!("{flows} stored flows are counted; {:.1} s", started.elapsed().as_secs_f64());
    if lost != 0 {
        say!("{lost} that were counted before are not any more: they were pruned or erased since");
    }
    if unreadable > 0 {
        say!("{unreadable} can't be read, and are not counted: they are damaged, or their key is missing");
    }
    Ok(())
}

/// The rows, and the totals below them.
fn figures_table(view: &StatisticsView) -> Table {
    // Those that some row has a value for.
    let dimensions: Vec<Dimension> = Dimension::ALL
        .into_iter()
        .filter(|dimension| view.rows.iter().any(|row| row.value(*dimension).is_some()))
        .collect();
    let names = dimensions.iter().map(|dimension| dimension.name());
    let mut table = table(["start"].into_iter().chain(names).chain(FIGURES));
    for row in &view.rows {
        let values = dimensions.iter().map(|dimension| row.value(*dimension).unwrap_or_default().to_owned());
        table.add_row([row.start.clone()].into_iter().chain(values).chain(figures(&row.figures)));
    }
    let nothing = dimensions.iter().map(|_| String::new());
    table.add_row(["all".to_owned()].into_iter().chain(nothing).chain(figures(&view.totals)));
    (0..FIGURES.len()).for_each(|figure| table.align_right(1 + dimensions.len() + figure));
    table
}

const FIGURES: [&str; 9] =
    ["flows", "messages", "parts", "price", "success", "failover", "to the end", "p50", "p95"];

/// Figures as people read them.
fn figures(view: &FiguresView) -> [String; 9] {
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let share = |share: Option<f64>| share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default();
    let seconds = |ms: Option<f64>| ms.map(|ms| format!("{:.1} s", ms / 1000.0)).unwrap_or_default();
    [
        number(view.flows),
        view.messages.to_string(),
        view.parts.to_string(),
        format!("{:?}", view.price),
        share(view.success_share),
        share(view.failover_share),
        seconds(view.time_to_end.map(|ms| ms as f64)),
        seconds(view.latency_p50.map(|ms| ms as f64)),
        seconds(view.latency_p95.map(|ms| ms as f64)),
    ]
}
