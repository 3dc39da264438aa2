//! `switchback app`.

use crate::client::base64;
use crate::output::{self, say};
use crate::place::{Place, open_or_create};
use crate::table::table;
use anyhow::bail;
use flow::Price;
use serde::Serialize;
use server::clock::now_ms;
use std::num::NonZeroU32;
use std::path::Path;
use store::{
    Admin, Application, ApplicationLimits, ApplicationSettings, CallbackKey, NewApplication, TokenTtl,
    callback_secret,
};
use wire::time::iso;

/// The most that a balance is set to or changed by.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

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
        #[arg(long, value_name = "AMOUNT", value_parser = amount, conflicts_with_all = ["add", "none"])]
        set: Option<Price>,
        /// Add to it, or with a minus sign take from it.
        #[arg(long, value_name = "AMOUNT", value_parser = amount, conflicts_with = "none", allow_negative_numbers = true)]
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

/// A new application's credentials.
pub struct Credentials {
    pub id: String,
    pub secret: String,
    /// The key of its callbacks' signatures, in the form that Standard Webhooks libraries take.
    pub callback_secret: String,
}

/// Creates an application.
pub async fn create(data: &Path, name: String, settings: ApplicationSettings) -> anyhow::Result<Credentials> {
    if name.trim().is_empty() {
        bail!("--name must not be empty");
    }
    if name.contains(char::is_control) {
        bail!("--name must not have control characters");
    }
    let admin = open_or_create(data)?;
    let key = admin.secret_key().await?;
    let new = NewApplication::draw(name, settings, &key, now_ms())?;
    admin.add_application(&new).await?;
    let id = new.application.id;
    let callback_secret = webhook_secret(&key, &id, CallbackKey::default());
    Ok(Credentials { id, secret: new.secret, callback_secret })
}

/// The key of an application's callbacks' signatures, in the form that Standard Webhooks libraries take.
fn webhook_secret(key: &[u8; 32], application: &str, of: CallbackKey) -> String {
    format!("whsec_{}", base64(&callback_secret(key, application, of.generation)))
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
                let change = Change { set, add, none };
                match balance(&place.open()?, &id, &change).await? {
                    Some(balance) => say!("{balance}"),
                    None => say!("unlimited"),
                }
            }
            App::Limits { id, requests_per_second, searches_max, tokens_max, reset, place } => {
                let given = ApplicationLimits { requests_per_second, searches_max, tokens_max };
                say!("{}", limits(&place.open()?, &id, given, reset).await?);
            }
            App::Rotate { id, callback_secret: true, place } => {
                let admin = place.open()?;
                let Some(key) = admin.rotate_callback_key(&id, now_ms()).await? else {
                    bail!("there is no application {id} that could have a callback secret");
                };
                let secret = webhook_secret(&admin.secret_key().await?, &id, key);
                let until = iso(key.changed_ms.saturating_add(CallbackKey::GRACE_MS));
                let (callback_secret, previous_signs_until) = (Some(secret), Some(until));
                say!("{}", Shown { callback_secret, previous_signs_until, ..Shown::of(id) }.json()?);
            }
            App::Rotate { id, place, .. } => {
                let Some(secret) = place.open()?.rotate_secret(&id).await? else {
                    bail!("there is no application {id} that could have a secret");
                };
                say!("{}", Shown { application_secret: Some(secret), ..Shown::of(id) }.json()?);
            }
            App::Revoke { id, place } => {
                if !place.open()?.revoke_application(&id, now_ms()).await? {
                    bail!("there is no application {id} to revoke");
                }
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
    callback_secret: String,
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
    fn of<'a>(application: &'a Application, key: &[u8; 32]) -> Listed<'a> {
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
            callback_secret: webhook_secret(key, id, settings.callback_key),
        }
    }
}

/// What is to become of a balance.
struct Change {
    set: Option<Price>,
    add: Option<Price>,
    none: bool,
}

/// Changes a balance, and answers with what it is then; none where nobody counts.
async fn balance(admin: &dyn Admin, id: &str, change: &Change) -> anyhow::Result<Option<Price>> {
    if admin.application(id).await?.is_none() {
        bail!("there is no application {id}");
    }
    if change.set.is_some() || change.none {
        admin.set_balance(id, change.set).await?;
    }
    if let Some(amount) = change.add
        && admin.add_balance(id, amount).await?.is_none()
    {
        bail!("application {id} has no balance to add to: --set one first");
    }
    Ok(admin.balance(id).await?)
}

/// An amount of money that balances can be reckoned with exactly.
fn amount(text: &str) -> Result<Price, String> {
    let most = Price::from(AMOUNT_MAX);
    let amount = text.parse::<Price>().ok().filter(|amount| (-most..=most).contains(amount));
    amount.ok_or_else(|| format!("must be a decimal number, such as 10.50, of at most {AMOUNT_MAX}"))
}

/// Sets the limits that are given, and answers with all that the application has.
async fn limits(
    admin: &dyn Admin,
    id: &str,
    given: ApplicationLimits,
    reset: bool,
) -> anyhow::Result<String> {
    let Some(Application { settings, .. }) = admin.application(id).await? else {
        bail!("there is no application {id}");
    };
    let known = if reset { ApplicationLimits::default() } else { settings.limits };
    let limits = ApplicationLimits {
        requests_per_second: given.requests_per_second.or(known.requests_per_second),
        searches_max: given.searches_max.or(known.searches_max),
        tokens_max: given.tokens_max.or(known.tokens_max),
    };
    if limits != settings.limits {
        admin.set_limits(id, limits).await?;
    }
    Ok(describe(&limits))
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
    let key = admin.secret_key().await?;
    let applications = admin.applications().await?;
    if as_json {
        let rows: Vec<_> = applications.iter().map(|of| Listed::of(of, &key)).collect();
        say!("{}", output::json(&rows)?);
        return Ok(());
    }
    let mut table = table(["application", "name", "created", "revoked", "limits"]);
    for a in applications {
        let (revoked, limits) = (a.revoked_ms.map(iso).unwrap_or_default(), describe(&a.settings.limits));
        table.add_row([a.id, a.name, iso(a.created_ms), revoked, limits]);
    }
    say!("{table}");
    Ok(())
}
