//! `switchback app`.

use crate::output::{self, say};
use crate::place::{Place, open_or_create};
use crate::table::table;
use anyhow::anyhow;
use flow::Price;
use serde::Serialize;
use server::administration::{self, BalanceChange, BalanceError, Credentials, Name, RotatedKey};
use server::clock::now_ms;
use std::num::NonZeroU32;
use std::path::Path;
use store::{Admin, Application, ApplicationLimits, ApplicationSettings, TokenTtl};
use wire::time::iso;

#[derive(clap::Subcommand)]
pub enum App {
    /// Create an application; prints its credentials as JSON. The secret is not stored and can't be shown
    /// again.
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        place: Place,
        /// How long its tokens live.
        #[arg(long, value_enum, default_value = "hour")]
        token_ttl: Ttl,
        /// Send Sms in the GSM alphabet where a step does not say.
        #[arg(long)]
        transcode: bool,
        /// Keep its finished flows for so many days where that is less than the server's `retention_days`.
        #[arg(long, value_name = "DAYS")]
        retention_days: Option<NonZeroU32>,
    },
    /// List the applications.
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show, set, raise or forget what an application may still spend.
    Balance {
        /// Its id.
        id: String,
        /// Set it.
        #[arg(long, value_name = "AMOUNT", value_parser = administration::read_amount, conflicts_with_all = ["add", "none"])]
        set: Option<Price>,
        /// Add to it, or with a minus sign take from it.
        #[arg(long, value_name = "AMOUNT", value_parser = administration::read_amount, conflicts_with = "none", allow_negative_numbers = true)]
        add: Option<Price>,
        /// Count no more: it may spend what it likes.
        #[arg(long)]
        none: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show or set an application's own limits; a running server heeds them within 3 s.
    Limits {
        /// Its id.
        id: String,
        /// Requests a second; 0 for no limit.
        #[arg(long, value_name = "N")]
        requests_per_second: Option<u32>,
        /// Costly searches at the same time.
        #[arg(long, value_name = "N")]
        searches_max: Option<NonZeroU32>,
        /// Living tokens.
        #[arg(long, value_name = "N")]
        tokens_max: Option<NonZeroU32>,
        /// Forget all that were set before: the server's configuration says them again.
        #[arg(long)]
        reset: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Give an application another secret, print it, and end its tokens: for when a secret or a token leaked.
    Rotate {
        /// Its id.
        id: String,
        /// Instead change the key of its callbacks' signatures, and print the new one: for a day callbacks
        /// have the signatures of both. Secret and tokens stay.
        #[arg(long)]
        callback_secret: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Take all rights from an application; its flows stay, and those under way go on.
    Revoke {
        /// Its id.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Ttl {
    /// 3600 s
    Hour,
    /// 86400 s
    Day,
    /// 631139040 s
    Unlimited,
}

/// Creates an application, and the data directory where there is none.
pub async fn create(data: &Path, name: String, settings: ApplicationSettings) -> anyhow::Result<Credentials> {
    // Before there is a data directory: what is refused leaves none.
    let name = Name::of(name).map_err(|error| anyhow!("--name {error}"))?;
    Ok(administration::create(&open_or_create(data)?, name, settings, now_ms()).await?)
}

impl App {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            App::Create { name, place, token_ttl, transcode, retention_days } => {
                let token_ttl = match token_ttl {
                    Ttl::Hour => TokenTtl::Hour,
                    Ttl::Day => TokenTtl::Day,
                    Ttl::Unlimited => TokenTtl::Unlimited,
                };
                let Credentials { id, secret, callback_secret } = create(
                    &place.data()?,
                    name,
                    ApplicationSettings {
                        token_ttl,
                        transcode,
                        retention_days,
                        ..ApplicationSettings::default()
                    },
                )
                .await?;
                let (application_secret, callback_secret) = (Some(secret), Some(callback_secret));
                say!("{}", Shown { application_secret, callback_secret, ..Shown::of(id) }.json()?);
            }
            App::List { place, json } => list(&place.open()?, json).await?,
            App::Balance { id, set, add, none, place } => {
                match balance(&place.open()?, &id, change(set, add, none)).await? {
                    Some(balance) => say!("{balance}"),
                    None => say!("unlimited"),
                }
            }
            App::Limits { id, requests_per_second, searches_max, tokens_max, reset, place } => {
                let given = ApplicationLimits { requests_per_second, searches_max, tokens_max };
                let limits = administration::change_limits(&place.open()?, &id, given, reset).await?;
                say!("{}", describe(&limits));
            }
            App::Rotate { id, callback_secret: true, place } => {
                let rotated = administration::rotate_callback_key(&place.open()?, &id, now_ms()).await?;
                let RotatedKey { secret, previous_until_ms } = rotated;
                let (callback_secret, previous_signs_until) = (Some(secret), Some(iso(previous_until_ms)));
                say!("{}", Shown { callback_secret, previous_signs_until, ..Shown::of(id) }.json()?);
            }
            App::Rotate { id, place, .. } => {
                let secret = administration::rotate_secret(&place.open()?, &id).await?;
                say!("{}", Shown { application_secret: Some(secret), ..Shown::of(id) }.json()?);
            }
            App::Revoke { id, place } => {
                administration::revoke(&place.open()?, &id, now_ms()).await?;
                say!("revoked {id}; a running server notices within seconds");
            }
        }
        Ok(())
    }
}

/// What is printed of an application's secrets, as programs read it.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    application_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_signs_until: Option<String>,
}

impl Shown {
    fn of(application_id: String) -> Shown {
        Shown { application_id, ..Shown::default() }
    }

    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// An application in a list, as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    application_id: &'a str,
    name: &'a str,
    created_at: String,
    revoked_at: Option<String>,
    token_seconds: u32,
    transcode: bool,
    limits: ListedLimits,
    callback_secret: &'a str,
}

/// Limits as programs read them; null where the server's configuration says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedLimits {
    requests_per_second: Option<u32>,
    searches_max: Option<NonZeroU32>,
    tokens_max: Option<NonZeroU32>,
}

impl Listed<'_> {
    fn of<'a>((application, callback_secret): &'a (Application, String)) -> Listed<'a> {
        let Application { id, name, created_ms, revoked_ms, settings, .. } = application;
        let ApplicationLimits { requests_per_second, searches_max, tokens_max } = settings.limits;
        Listed {
            application_id: id,
            name,
            created_at: iso(*created_ms),
            revoked_at: revoked_ms.map(iso),
            token_seconds: settings.token_ttl.seconds(),
            transcode: settings.transcode,
            limits: ListedLimits { requests_per_second, searches_max, tokens_max },
            callback_secret,
        }
    }
}

/// What the options say is to become of a balance; nothing where it is only shown.
fn change(set: Option<Price>, add: Option<Price>, none: bool) -> Option<BalanceChange> {
    set.map(BalanceChange::Set).or(add.map(BalanceChange::Add)).or(none.then_some(BalanceChange::Forget))
}

/// Changes a balance, and answers with what it is then; none where nobody counts.
async fn balance(
    admin: &dyn Admin,
    id: &str,
    change: Option<BalanceChange>,
) -> anyhow::Result<Option<Price>> {
    let Some(change) = change else { return Ok(administration::balance(admin, id).await?) };
    let changed = administration::change_balance(admin, id, change).await;
    changed.map_err(|error| match error {
        BalanceError::None(_) => anyhow!("{error}: --set one first"),
        other => other.into(),
    })
}

/// Limits as people read them.
fn describe(limits: &ApplicationLimits) -> String {
    let ApplicationLimits { requests_per_second, searches_max, tokens_max } = *limits;
    let shown = [
        ("requests-per-second", requests_per_second),
        ("searches-max", searches_max.map(NonZeroU32::get)),
        ("tokens-max", tokens_max.map(NonZeroU32::get)),
    ];
    let shown: Vec<_> =
        shown.into_iter().filter_map(|(name, limit)| Some(format!("{name} {}", limit?))).collect();
    if shown.is_empty() { "as configured".into() } else { shown.join(", ") }
}

async fn list(admin: &dyn Admin, as_json: bool) -> anyhow::Result<()> {
    let applications = administration::list(admin).await?;
    if as_json {
        let rows: Vec<_> = applications.iter().map(Listed::of).collect();
        say!("{}", output::json(&rows)?);
        return Ok(());
    }
    let mut table = table(["application", "name", "created", "revoked", "limits"]);
    for (a, _) in applications {
        let (revoked, limits) = (a.revoked_ms.map(iso).unwrap_or_default(), describe(&a.settings.limits));
        table.add_row([a.id, a.name, iso(a.created_ms), revoked, limits]);
    }
    say!("{table}");
    Ok(())
}
