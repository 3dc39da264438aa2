//! Operators: added, listed, changed, removed, invited. `by` is who does it, for the audit: an operator's
//! name, or one of the constants of [`audit`](super::audit).

use super::audit::{Act, COMMAND_LINE, SERVER, audited};
use super::links::{self, Invitation, LinkError};
use super::operator_name::OperatorName;
use std::collections::BTreeSet;
use store::{Admin, LinkPurpose, Operator, OperatorChange, Role, StoreError};

/// Who is added.
#[derive(Clone, Debug)]
pub struct NewOperator {
    /// What the operator signs in as.
    pub name: OperatorName,
    /// What the operator may do.
    pub role: Role,
    /// Ids of the applications that the operator sees; empty for all.
    pub applications: Vec<String>,
}

/// Why nothing was done for an operator.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The name is taken.
    #[error("there is an operator {0} already")]
    Taken(String),
    /// No operator has this name.
    #[error("there is no operator {0}")]
    Unknown(String),
    /// An application is not there.
    #[error("there is no application {0}")]
    NoApplication(String),
    /// The operator signs in elsewhere, and can have no password here.
    #[error("operator {0} signs in by the identity provider and has no password here")]
    Elsewhere(String),
    /// There is no link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The ids of applications, each once.
///
/// # Errors
/// [`OperatorError::NoApplication`]; [`OperatorError::Store`].
pub(super) async fn known(
    admin: &dyn Admin,
    applications: Vec<String>,
) -> Result<Vec<String>, OperatorError> {
    let wanted: BTreeSet<String> = applications.into_iter().collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let there: BTreeSet<String> = admin.applications().await?.into_iter().map(|known| known.id).collect();
    match wanted.difference(&there).next() {
        Some(absent) => Err(OperatorError::NoApplication(absent.clone())),
        None => Ok(wanted.into_iter().collect()),
    }
}

/// Applications as the audit has them.
fn named(applications: &[String]) -> String {
    if applications.is_empty() { "all applications".into() } else { applications.join(" ") }
}

async fn of(admin: &dyn Admin, name: &str) -> Result<Operator, OperatorError> {
    admin.operator(name).await?.ok_or_else(|| OperatorError::Unknown(name.to_owned()))
}

/// Stores a new operator, who is known elsewhere by `identity` if there is one.
///
/// # Errors
/// [`OperatorError::Taken`]; [`OperatorError::NoApplication`]; [`OperatorError::Store`].
pub(super) async fn store_new(
    admin: &dyn Admin,
    by: &str,
    new: NewOperator,
    identity: Option<String>,
    now_ms: i64,
) -> Result<Operator, OperatorError> {
    let NewOperator { name, role, applications } = new;
    let operator = Operator {
        name: name.as_str().to_owned(),
        role,
        applications: known(admin, applications).await?,
        has_password: false,
        identity,
        created_ms: now_ms,
        disabled_ms: None,
    };
    let detail = format!("{}, {}", role.name(), named(&operator.applications));
    let act = Act { operator: by, action: "operator.add", subject: &operator.name, detail: &detail };
    audited(admin, act, now_ms, async {
        let added = admin.add_operator(&operator).await?;
        if added { Ok(()) } else { Err(OperatorError::Taken(operator.name.clone())) }
    })
    .await?;
    Ok(operator)
}

/// Adds an operator, who sets a password by the link.
///
/// # Errors
/// [`OperatorError`].
pub async fn add(
    admin: &dyn Admin,
    by: &str,
    new: NewOperator,
    now_ms: i64,
) -> Result<Invitation, OperatorError> {
    let operator = store_new(admin, by, new, None, now_ms).await?;
    Ok(links::issue(admin, &operator.name, LinkPurpose::Password, now_ms).await?)
}

/// Adds the admin of a new installation, and invites that admin anew as long as nobody could sign in yet;
/// `None` once anybody else was added, or the password was set.
///
/// # Errors
/// [`OperatorError`].
pub async fn first_admin(admin: &dyn Admin, now_ms: i64) -> Result<Option<Invitation>, OperatorError> {
    let name = OperatorName::ours("admin");
    match &*admin.operators().await? {
        [] => {
            let new = NewOperator { name, role: Role::Admin, applications: Vec::new() };
            add(admin, SERVER, new, now_ms).await.map(Some)
        }
        [only] if only.name == name.as_str() && !only.has_password && only.identity.is_none() => {
            invite(admin, SERVER, &only.name, now_ms).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// Makes a link by which somebody who tries the server out signs in as an admin called `demo`, once, within
/// [`SIGN_IN_LINK_MS`](links::SIGN_IN_LINK_MS).
///
/// # Errors
/// [`OperatorError`].
pub async fn demo_link(admin: &dyn Admin, now_ms: i64) -> Result<Invitation, OperatorError> {
    let name = OperatorName::ours("demo");
    if admin.operator(name.as_str()).await?.is_none() {
        let new = NewOperator { name: name.clone(), role: Role::Admin, applications: Vec::new() };
        store_new(admin, COMMAND_LINE, new, None, now_ms).await?;
    }
    Ok(links::issue(admin, name.as_str(), LinkPurpose::SignIn, now_ms).await?)
}

/// Every operator, by name.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(admin: &dyn Admin) -> Result<Vec<Operator>, StoreError> {
    admin.operators().await
}

/// Changes an operator; it takes effect at the next lookup of each of the operator's sessions.
///
/// # Errors
/// [`OperatorError::Unknown`]; [`OperatorError::NoApplication`]; [`OperatorError::Store`].
pub async fn change(
    admin: &dyn Admin,
    by: &str,
    name: &str,
    to: OperatorChange,
    now_ms: i64,
) -> Result<(), OperatorError> {
    let before = of(admin, name).await?;
    let (action, detail, to) = match to {
        OperatorChange::Role(role) => {
            ("operator.role", format!("{} to {}", before.role.name(), role.name()), to)
        }
        OperatorChange::Applications(applications) => {
            let applications = known(admin, applications).await?;
            let detail = format!("{} to {}", named(&before.applications), named(&applications));
            ("operator.applications", detail, OperatorChange::Applications(applications))
        }
        OperatorChange::Disable(_) => ("operator.disable", String::new(), to),
        OperatorChange::Enable => ("operator.enable", String::new(), to),
    };
    let act = Act { operator: by, action, subject: name, detail: &detail };
    audited(admin, act, now_ms, async {
        let changed = admin.change_operator(name, &to).await?;
        if changed { Ok(()) } else { Err(OperatorError::Unknown(name.to_owned())) }
    })
    .await
}

/// Removes an operator, whose sessions end. The audit keeps what the operator did.
///
/// # Errors
/// [`OperatorError::Unknown`]; [`OperatorError::Store`].
pub async fn remove(admin: &dyn Admin, by: &str, name: &str, now_ms: i64) -> Result<(), OperatorError> {
    of(admin, name).await?;
    let act = Act { operator: by, action: "operator.remove", subject: name, detail: "" };
    audited(admin, act, now_ms, async {
        let removed = admin.remove_operator(name).await?;
        if removed { Ok(()) } else { Err(OperatorError::Unknown(name.to_owned())) }
    })
    .await
}

/// Invites an operator anew, such as one who forgot the password: sessions end, the password of before does
/// not work any more, nor does a link of before.
///
/// # Errors
/// [`OperatorError::Unknown`]; [`OperatorError::Elsewhere`]; [`OperatorError::Link`];
/// [`OperatorError::Store`].
pub async fn invite(
    admin: &dyn Admin,
    by: &str,
    name: &str,
    now_ms: i64,
) -> Result<Invitation, OperatorError> {
    if of(admin, name).await?.identity.is_some() {
        return Err(OperatorError::Elsewhere(name.to_owned()));
    }
    let act = Act { operator: by, action: "operator.link", subject: name, detail: "" };
    let issued = async { Ok(links::issue(admin, name, LinkPurpose::Password, now_ms).await?) };
    audited(admin, act, now_ms, issued).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::administration::audit;
    use crate::administration::test_place::{TestPlace, application};
    use store::{AuditQuery, Operators, Outcome};

    fn new(name: &str, role: Role) -> NewOperator {
        NewOperator { name: OperatorName::of(name).unwrap(), role, applications: Vec::new() }
    }

    #[tokio::test]
    async fn what_is_done_to_operators_is_in_the_audit() {
        let place = TestPlace::new();
        let admin = &place.admin;
        let acme = application(admin, "Acme").await;
        let twice = vec![acme.clone(), acme.clone()];
        let ann = NewOperator { applications: twice.clone(), ..new("Ann", Role::Viewer) };
        add(admin, COMMAND_LINE, ann.clone(), 1).await.unwrap();
        assert_eq!(list(admin).await.unwrap()[0].applications, std::slice::from_ref(&acme));
        let taken = add(admin, COMMAND_LINE, ann, 2).await;
        assert!(matches!(taken, Err(OperatorError::Taken(name)) if name == "ann"));
        let changes = [
            OperatorChange::Role(Role::Support),
            OperatorChange::Applications(Vec::new()),
            OperatorChange::Applications(twice),
            OperatorChange::Disable(3),
            OperatorChange::Enable,
        ];
        for to in changes {
            change(admin, "bob", "ann", to, 3).await.unwrap();
        }
        remove(admin, "bob", "ann", 4).await.unwrap();
        let all = AuditQuery { before: None, limit: usize::MAX, operator: None, action: None, subject: None };
        let entries = audit::list(admin, all).await.unwrap();
        let told = entries.iter().rev().map(|one| {
            let kept = &one.entry;
            assert_eq!(kept.subject, "ann");
            (&*kept.operator, &*kept.action, &*kept.detail, one.outcome == Some(Outcome::Done))
        });
        let told: Vec<_> = told.collect();
        let (to_all, to_acme) =
            (format!("{acme} to all applications"), format!("all applications to {acme}"));
        let expected = [
            (COMMAND_LINE, "operator.add", &*format!("viewer, {acme}"), true),
            (COMMAND_LINE, "operator.add", &*format!("viewer, {acme}"), false),
            ("bob", "operator.role", "viewer to support", true),
            ("bob", "operator.applications", &*to_all, true),
            ("bob", "operator.applications", &*to_acme, true),
            ("bob", "operator.disable", "", true),
            ("bob", "operator.enable", "", true),
            ("bob", "operator.remove", "", true),
        ];
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn who_or_what_is_not_there_is_named() {
        let place = TestPlace::new();
        let admin = &place.admin;
        let stranger = NewOperator { applications: vec!["no".into()], ..new("ann", Role::Viewer) };
        let error = add(admin, COMMAND_LINE, stranger, 1).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no application no");
        let unknown = [
            change(admin, "bob", "ann", OperatorChange::Enable, 1).await.unwrap_err(),
            remove(admin, "bob", "ann", 1).await.unwrap_err(),
            invite(admin, "bob", "ann", 1).await.unwrap_err(),
        ];
        for error in unknown {
            assert_eq!(error.to_string(), "there is no operator ann");
        }
    }

    #[tokio::test]
    async fn a_new_installation_has_one_admin_who_is_invited_until_a_password_is_set() {
        let place = TestPlace::new();
        let admin = &place.admin;
        let first = first_admin(admin, 1).await.unwrap().unwrap();
        assert_eq!(first.path(), format!("/console/welcome?code={}", first.code));
        assert_eq!((&*first.operator, first.code.len()), ("admin", 43));
        // At the next start, whose link alone works.
        let second = first_admin(admin, 2).await.unwrap().unwrap();
        assert!(links::find(admin, &first.code, 3).await.unwrap().is_none());
        let password = "a password of mine".to_owned();
        links::set_password(&place.desk, &second.code, password, 3).await.unwrap();
        assert_eq!(first_admin(admin, 4).await.unwrap(), None);
        // Somebody else was added by hand.
        let other = TestPlace::new();
        add(&other.admin, COMMAND_LINE, new("admin2", Role::Viewer), 1).await.unwrap();
        assert_eq!(first_admin(&other.admin, 2).await.unwrap(), None);
        assert_eq!(other.admin.operators().await.unwrap().len(), 1);
    }
}
