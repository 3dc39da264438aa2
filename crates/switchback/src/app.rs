//! `switchback app`.

use crate::client::base64;
use crate::output::{self, say};
use crate::table::table;
use anyhow::{Context, bail};
use flow::Price;
use serde_json::{Value, json};
use server::clock::{iso, now_ms};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use store::{
    Admin, Application, ApplicationLimits, ApplicationSettings, CallbackKey, Keyring, NewApplication,
    TokenTtl, callback_secret,
};

#[derive(clap::Subcommand)]
pub enum App {
    /// Create an application; prints its credentials as JSON. The secret is not stored and can't be shown again.
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
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
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show, set, raise or forget what an application may still spend.
    Balance {
        /// Its id.
        id: String,
        /// Set it.
        #[arg(long, value_name = "AMOUNT", conflicts_with_all = ["add", "none"])]
        set: Option<Price>,
        /// Add to it, or with a minus sign take from it.
        #[arg(long, value_name = "AMOUNT", conflicts_with = "none", allow_negative_numbers = true)]
        add: Option<Price>,
        /// Count no more: it may spend what it likes.
        #[arg(long)]
        none: bool,
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
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
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
    },
    /// Give an application another secret, print it, and end its tokens: for when a secret or a token leaked.
    Rotate {
        /// Its id.
        id: String,
        /// Instead change the key of its callbacks' signatures, and print the new one: for a day callbacks have the
        /// signatures of both. Secret and tokens stay.
        #[arg(long)]
        callback_secret: bool,
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
    },
    /// Take all rights from an application; its flows stay, and those under way go on.
    Revoke {
        /// Its id.
        id: String,
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
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

/// Opens the database of a data directory, and creates it where there is none.
pub fn open(data: &Path) -> anyhow::Result<Admin> {
    open_with(data, &Keyring::default())
}

/// Opens it with the keys that flows are encrypted with.
pub fn open_with(data: &Path, keys: &Keyring) -> anyhow::Result<Admin> {
    server::data::create_directory(data).with_context(|| format!("creating {}", data.display()))?;
    Ok(Admin::open(&server::database(data), keys)?)
}

/// Creates an application.
pub fn create(data: &Path, name: String, settings: ApplicationSettings) -> anyhow::Result<Credentials> {
    if name.trim().is_empty() {
        bail!("--name must not be empty");
    }
    if name.contains(char::is_control) {
        bail!("--name must not have control characters");
    }
    let admin = open(data)?;
    let key = admin.secret_key()?;
    let new = NewApplication::draw(name, settings, &key, now_ms())?;
    admin.add_application(&new)?;
    let id = new.application.id;
    let callback_secret = webhook_secret(&key, &id, CallbackKey::default());
    Ok(Credentials { id, secret: new.secret, callback_secret })
}

/// The key of an application's callbacks' signatures, in the form that Standard Webhooks libraries take.
fn webhook_secret(key: &[u8; 32], application: &str, of: CallbackKey) -> String {
    format!("whsec_{}", base64(&callback_secret(key, application, of.generation)))
}

impl App {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            App::Create { name, data, token_ttl, transcode, retention_days } => {
                let token_ttl = match token_ttl {
                    Ttl::Hour => TokenTtl::Hour,
                    Ttl::Day => TokenTtl::Day,
                    Ttl::Unlimited => TokenTtl::Unlimited,
                };
                let Credentials { id, secret, callback_secret } = create(
                    &data,
                    name,
                    ApplicationSettings {
                        token_ttl,
                        transcode,
                        retention_days,
                        ..ApplicationSettings::default()
                    },
                )?;
                say!(
                    "{}",
                    json!({"applicationId": id, "applicationSecret": secret, "callbackSecret": callback_secret})
                );
            }
            App::List { data, json } => list(&data, json)?,
            App::Balance { id, set, add, none, data } => {
                let mut admin = open(&data)?;
                if (set.is_some() || none) && !admin.set_balance(&id, set)? {
                    bail!("there is no application {id}");
                }
                if let Some(amount) = add
                    && admin.add_balance(&id, amount)?.is_none()
                {
                    bail!("application {id} has no balance to add to: --set one first");
                }
                match admin.balance(&id)? {
                    Some(balance) => say!("{balance}"),
                    None => say!("unlimited"),
                }
            }
            App::Limits { id, requests_per_second, searches_max, tokens_max, reset, data } => {
                let given = ApplicationLimits { requests_per_second, searches_max, tokens_max };
                say!("{}", limits(&data, &id, given, reset)?);
            }
            App::Rotate { id, callback_secret: true, data } => {
                let mut admin = open(&data)?;
                let Some(key) = admin.rotate_callback_key(&id, now_ms())? else {
                    bail!("there is no application {id} that could have a callback secret");
                };
                let secret = webhook_secret(&admin.secret_key()?, &id, key);
                let until = iso(key.changed_ms.saturating_add(CallbackKey::GRACE_MS));
                say!(
                    "{}",
                    json!({"applicationId": id, "callbackSecret": secret, "previousSignsUntil": until})
                );
            }
            App::Rotate { id, data, .. } => {
                let Some(secret) = open(&data)?.rotate_secret(&id)? else {
                    bail!("there is no application {id} that could have a secret");
                };
                say!("{}", json!({"applicationId": id, "applicationSecret": secret}));
            }
            App::Revoke { id, data } => {
                if !open(&data)?.revoke_application(&id, now_ms())? {
                    bail!("there is no application {id} to revoke");
                }
                say!("revoked {id}; a running server notices within seconds");
            }
        }
        Ok(())
    }
}

/// Sets the limits that are given, and answers with all that the application has.
fn limits(data: &Path, id: &str, given: ApplicationLimits, reset: bool) -> anyhow::Result<String> {
    let mut admin = open(data)?;
    let Some(Application { settings, .. }) = admin.application(id)? else {
        bail!("there is no application {id}");
    };
    let known = if reset { ApplicationLimits::default() } else { settings.limits };
    let limits = ApplicationLimits {
        requests_per_second: given.requests_per_second.or(known.requests_per_second),
        searches_max: given.searches_max.or(known.searches_max),
        tokens_max: given.tokens_max.or(known.tokens_max),
    };
    if limits != settings.limits {
        admin.set_limits(id, limits)?;
    }
    Ok(describe(&limits))
}

/// Limits as programs read them; null where the server's configuration says.
fn limits_of(limits: &ApplicationLimits) -> Value {
    let ApplicationLimits { requests_per_second, searches_max, tokens_max } = limits;
    json!({"requestsPerSecond": requests_per_second, "searchesMax": searches_max, "tokensMax": tokens_max})
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

fn list(data: &Path, as_json: bool) -> anyhow::Result<()> {
    let admin = open(data)?;
    let key = admin.secret_key()?;
    let applications = admin.applications()?;
    if as_json {
        let rows: Vec<_> = applications
            .iter()
            .map(|a| {
                json!({
                    "applicationId": a.id,
                    "name": a.name,
                    "createdAt": iso(a.created_ms),
                    "revokedAt": a.revoked_ms.map(iso),
                    "tokenSeconds": a.settings.token_ttl.seconds(),
                    "transcode": a.settings.transcode,
                    "limits": limits_of(&a.settings.limits),
                    "callbackSecret": webhook_secret(&key, &a.id, a.settings.callback_key),
                })
            })
            .collect();
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
