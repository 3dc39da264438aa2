//! `switchback user`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use anyhow::anyhow;
use serde::Serialize;
use server::administration::audit::COMMAND_LINE;
use server::administration::links::Invitation;
use server::administration::operators::{self, NewOperator};
use server::administration::{OperatorName, OperatorNameError};
use server::clock::now_ms;
use store::{Operator, OperatorChange, Role};
use wire::time::iso;

#[derive(clap::Subcommand)]
pub enum User {
    /// Add an operator, and print a link that works once, within a day, for setting a password.
    Add {
        #[command(flatten)]
        who: Who,
        /// What the operator may do: each role may do what those before it may.
        #[arg(long, value_name = "ROLE", value_parser = role())]
        role: Role,
        /// An application that the operator sees, by its id; all of them if there is none. May be repeated.
        #[arg(long = "application", value_name = "ID")]
        applications: Vec<String>,
    },
    /// List the operators.
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give an operator another role.
    Role {
        #[command(flatten)]
        who: Who,
        /// The role.
        #[arg(value_parser = role())]
        role: Role,
    },
    /// Say which applications an operator sees.
    Applications {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        which: Which,
    },
    /// Let an operator sign in no more; sessions end.
    Disable(Who),
    /// Let an operator who was disabled sign in again.
    Enable(Who),
    /// Remove an operator; sessions end. What the operator did stays in the audit.
    Remove(Who),
    /// Print a new link for setting a password, for who forgot it: sessions end, and the password of before.
    Link(Who),
}

/// Whom a command is about.
#[derive(clap::Args)]
pub struct Who {
    /// The operator's name.
    #[arg(value_parser = name)]
    name: OperatorName,
    #[command(flatten)]
    place: Place,
}

/// Which applications.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Their ids.
    id: Vec<String>,
    /// All of them, those to come as well.
    #[arg(long)]
    all: bool,
}

fn name(text: &str) -> Result<OperatorName, OperatorNameError> {
    OperatorName::of(text)
}

/// Reads a role, and tells which there are.
fn role() -> impl clap::builder::TypedValueParser<Value = Role> {
    use clap::builder::TypedValueParser as _;
    clap::builder::PossibleValuesParser::new(Role::ALL.map(Role::name))
        .try_map(|word| Role::of(&word).ok_or_else(|| anyhow!("there is no such role")))
}

impl User {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            User::Add { who: Who { name, place }, role, applications } => {
                let new = NewOperator { name, role, applications };
                let invitation = operators::add(&place.open()?, COMMAND_LINE, new, now_ms()).await?;
                show(&invitation, &place)
            }
            User::List { place, json } => list(&operators::list(&place.open()?).await?, json),
            User::Role { who, role } => who.change(OperatorChange::Role(role)).await,
            User::Applications { who, which } => who.change(OperatorChange::Applications(which.id)).await,
            User::Disable(who) => who.change(OperatorChange::Disable(now_ms())).await,
            User::Enable(who) => who.change(OperatorChange::Enable).await,
            User::Remove(Who { name, place }) => {
                operators::remove(&place.open()?, COMMAND_LINE, name.as_str(), now_ms()).await?;
                say!("removed {name}");
                Ok(())
            }
            User::Link(Who { name, place }) => {
                let admin = place.open()?;
                let invitation = operators::invite(&admin, COMMAND_LINE, name.as_str(), now_ms()).await?;
                show(&invitation, &place)
            }
        }
    }
}

impl Who {
    async fn change(self, to: OperatorChange) -> anyhow::Result<()> {
        let Who { name, place } = self;
        operators::change(&place.open()?, COMMAND_LINE, name.as_str(), to, now_ms()).await?;
        say!("changed {name}; a running server notices at once");
        Ok(())
    }
}

/// Shows a link: as a URL if the configuration has one, else as a path.
fn show(invitation: &Invitation, place: &Place) -> anyhow::Result<()> {
    let (base, until) = (place.configured()?.public_url(), iso(invitation.ends_ms));
    say!("{}{}", base.as_deref().unwrap_or_default(), invitation.path());
    let name = &invitation.operator;
    match base {
        Some(_) => say!("{name} sets a password there, once, until {until}."),
        None => say!("{name} sets a password there, on the address of the server, once, until {until}."),
    }
    Ok(())
}

/// An operator in a list, as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    name: &'a str,
    role: &'static str,
    /// Empty for all.
    applications: &'a [String],
    signs_in_by: Option<&'static str>,
    identity: Option<&'a str>,
    created_at: String,
    disabled_at: Option<String>,
}

impl Listed<'_> {
    fn of(operator: &Operator) -> Listed<'_> {
        let elsewhere = operator.identity.as_ref().map(|_| "identity provider");
        Listed {
            name: &operator.name,
            role: operator.role.name(),
            applications: &operator.applications,
            signs_in_by: elsewhere.or(operator.has_password.then_some("password")),
            identity: operator.identity.as_deref(),
            created_at: iso(operator.created_ms),
            disabled_at: operator.disabled_ms.map(iso),
        }
    }
}

fn list(operators: &[Operator], as_json: bool) -> anyhow::Result<()> {
    let listed = operators.iter().map(Listed::of);
    if as_json {
        say!("{}", output::json(&listed.collect::<Vec<_>>())?);
        return Ok(());
    }
    let mut table = table(["name", "role", "applications", "signs in by", "created", "disabled"]);
    for one in listed {
        let applications =
            if one.applications.is_empty() { "all".into() } else { one.applications.join(" ") };
        let signs_in_by = one.signs_in_by.unwrap_or("nothing yet").to_owned();
        let disabled = one.disabled_at.unwrap_or_default();
        table.add_row([
            one.name.into(),
            one.role.into(),
            applications,
            signs_in_by,
            one.created_at,
            disabled,
        ]);
    }
    say!("{table}");
    Ok(())
}
