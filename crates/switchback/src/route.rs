//! `switchback route`.

use crate::output::say;
use crate::serve::load_with_warnings;
use crate::table::table;
use anyhow::Context;
use flow::{Channel, FlowKind, Step};
use server::clock::now_ms;
use server::routing::{Routes, example_step};
use std::path::PathBuf;
use wire::typed_number::typed_number;
use wire::words::one_of_channels;

#[derive(clap::Subcommand)]
pub enum Route {
    /// Say which carriers are tried for a message, in which order, why, and what they charge.
    ///
    /// By the configuration alone: a carrier that is down or does badly goes last while it is so (`/metrics`
    /// tells).
    Explain(Explain),
}

#[derive(clap::Args)]
pub struct Explain {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sms, Viber or Voice.
    #[arg(long)]
    channel: String,
    /// The recipient's number with its country, or of the country of the console.
    #[arg(long)]
    to: String,
    /// The sender: an Sms sender id, a senderInfoTrackingId, a caller id.
    #[arg(long, default_value = "")]
    from: String,
    /// The application's id.
    #[arg(long, default_value = "")]
    application: String,
    /// The message's label.
    #[arg(long)]
    label: Option<String>,
}

impl Route {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Route::Explain(explain) => explain.run(),
        }
    }
}

impl Explain {
    fn run(self) -> anyhow::Result<()> {
        let config = load_with_warnings(self.config.as_deref())?;
        let settings = config.engine_settings()?;
        let step = self.step(config.console.country.as_deref())?;
        let routes = Routes::new(&settings);
        if let Err(why) = routes.sender(&step, &self.application) {
            say!("note: {why}: such a message is refused");
        }
        let explanation = routes.explain(&step, &self.application);
        match explanation.route {
            Some((i, route)) => say!("route[{i}] holds: {}", route.conditions()),
            None => {
                say!("no route holds: the carriers of {} in the order of the configuration", step.channel())
            }
        }
        let currency = config.pricing.currency.as_deref().unwrap_or_default();
        let mut table = table(["priority", "carrier", "tried first there", "sender", "price", "operator"]);
        for (name, priority, share) in explanation.choices {
            let carrier = config.carriers.iter().find(|carrier| carrier.common.name == name);
            let rate = carrier
                .and_then(|carrier| carrier.common.rate(&settings.rates, &step, FlowKind::Plain, now_ms()));
            let price = rate.as_ref().map(|rate| rate.price);
            table.add_row([
                priority.to_string(),
                name.to_owned(),
                format!("{:.0} %", share * 100.0),
                routes.sender_for(&step, &self.application, name),
                price.map(|price| format!("{price} {currency}")).unwrap_or_default(),
                rate.and_then(|rate| rate.operator).unwrap_or_default(),
            ]);
        }
        say!("{table}");
        Ok(())
    }

    /// A step that stands for the message.
    fn step(&self, country: Option<&str>) -> anyhow::Result<Step> {
        let to = typed_number(&self.to, country).context("--to")?;
        let Some(channel) = Channel::parse(&self.channel) else {
            anyhow::bail!("--channel must be {}", one_of_channels());
        };
        Ok(example_step(channel, self.from.clone(), to, self.label.clone()))
    }
}
