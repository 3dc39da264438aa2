//! Sessions: signing in, who a session's holder is, signing out.

use super::audit::{Act, IDENTITY_PROVIDER, audited};
use super::desk::Desk;
use super::links;
use super::one_time;
use super::operator_name::OperatorName;
use super::operators::{self, NewOperator, OperatorError};
use super::passwords::{self, HashError};
use store::{Admin, LinkPurpose, Operator, OperatorChange, Role, Session, StoreError};

/// How long a session lives, milliseconds.
pub const LIFE_MS: i64 = 12 * 3600 * 1000;
/// How long it lives without being used, milliseconds.
pub const IDLE_MS: i64 = 2 * 3600 * 1000;
/// Sessions of an operator at the same time; the oldest ends for another one.
pub const MOST: usize = 20;
/// A use is kept at most once in so many milliseconds.
const SEEN_MS: u64 = 60_000;

/// A session that began.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// What its holder shows: 43 characters of base64url, stored nowhere.
    pub id: String,
    /// Whose it is.
    pub operator: Operator,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The name, the password or the link is wrong, or the operator is disabled: which of them is not told.
    #[error("the name or the password is wrong")]
    Refused,
    /// The name belongs to an operator whom the identity provider does not know by it.
    #[error("the name {0} belongs to another operator")]
    NameTaken(String),
    /// The operator can't be made as the identity provider says.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The password can't be compared.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Random(#[from] getrandom::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens a session of an operator who proved to be that one, by `how`.
async fn open(
    admin: &dyn Admin,
    operator: Operator,
    how: &str,
    now_ms: i64,
) -> Result<SignedIn, SignInError> {
    let id = one_time::draw()?;
    let (hash, name) = (one_time::hash(&id), operator.name.clone());
    let session = Session { hash, operator: name.clone(), started_ms: now_ms, seen_ms: now_ms };
    let act = Act { operator: &name, action: "session.begin", subject: &name, detail: how };
    audited(admin, act, now_ms, async {
        let added = admin.add_session(&session, MOST).await?;
        if added { Ok(()) } else { Err(SignInError::Refused) }
    })
    .await?;
    Ok(SignedIn { id, operator })
}

/// Signs an operator in. A name that nobody has takes as long as a wrong password. Who calls it slows down
/// those who guess.
///
/// # Errors
/// [`SignInError::Refused`]; [`SignInError::Hash`]; [`SignInError::Random`]; [`SignInError::Store`].
pub async fn sign_in(
    desk: &Desk,
    name: &str,
    password: String,
    now_ms: i64,
) -> Result<SignedIn, SignInError> {
    let name = name.to_ascii_lowercase();
    let (operator, hash) = desk
        .run(async move |admin| {
            let found = (admin.operator(&name).await?, admin.password_hash(&name).await?);
            Ok::<_, StoreError>(found)
        })
        .await?;
    let matches = passwords::matches(password, hash).await?;
    let operator = operator.filter(|operator| matches && operator.disabled_ms.is_none());
    let operator = operator.ok_or(SignInError::Refused)?;
    desk.run(async move |admin| open(admin, operator, "password", now_ms).await).await
}

/// Signs an operator in by the code of a link to sign in, which is used by that.
///
/// # Errors
/// [`SignInError::Refused`]; [`SignInError::Random`]; [`SignInError::Store`].
pub async fn sign_in_by_link(admin: &dyn Admin, code: &str, now_ms: i64) -> Result<SignedIn, SignInError> {
    let link = links::find(admin, code, now_ms).await?;
    let link = link.filter(|link| link.purpose == LinkPurpose::SignIn).ok_or(SignInError::Refused)?;
    let operator = admin.operator(&link.operator).await?.filter(|known| known.disabled_ms.is_none());
    let operator = operator.ok_or(SignInError::Refused)?;
    if !admin.use_link(&link.hash, None).await? {
        return Err(SignInError::Refused);
    }
    open(admin, operator, "link", now_ms).await
}

/// Whom an identity provider vouches for.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The name, the role and the applications that the operator has here.
    pub operator: NewOperator,
    /// Who vouches, and as whom the operator is known there for ever: another one of the same name is
    /// somebody else.
    pub identity: String,
}

/// Signs in whom an identity provider vouches for; makes the operator, or changes what the provider says
/// otherwise now.
///
/// # Errors
/// [`SignInError::Refused`] if the operator is disabled here; [`SignInError::NameTaken`];
/// [`SignInError::Operator`]; [`SignInError::Random`]; [`SignInError::Store`].
pub async fn sign_in_elsewhere(
    admin: &dyn Admin,
    proven: Proven,
    now_ms: i64,
) -> Result<SignedIn, SignInError> {
    let Proven { operator: new, identity } = proven;
    let name = new.name.clone();
    let operator = match admin.operator(name.as_str()).await? {
        None => operators::store_new(admin, IDENTITY_PROVIDER, new, Some(identity), now_ms).await?,
        Some(known) if known.identity.as_ref() != Some(&identity) => {
            return Err(SignInError::NameTaken(known.name));
        }
        Some(known) if known.disabled_ms.is_some() => return Err(SignInError::Refused),
        Some(known) => follow(admin, known, new.role, new.applications, now_ms).await?,
    };
    open(admin, operator, IDENTITY_PROVIDER, now_ms).await
}

/// Changes an operator to what an identity provider says now.
async fn follow(
    admin: &dyn Admin,
    mut known: Operator,
    role: Role,
    applications: Vec<String>,
    now_ms: i64,
) -> Result<Operator, OperatorError> {
    let applications = operators::known(admin, applications).await?;
    if known.role != role {
        known.role = role;
        let to = OperatorChange::Role(role);
        operators::change(admin, IDENTITY_PROVIDER, &known.name, to, now_ms).await?;
    }
    if known.applications != applications {
        known.applications.clone_from(&applications);
        let to = OperatorChange::Applications(applications);
        operators::change(admin, IDENTITY_PROVIDER, &known.name, to, now_ms).await?;
    }
    Ok(known)
}

/// The operator as of now whose session has this id, if it lives; keeps that it was used.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn find(admin: &dyn Admin, id: &str, now_ms: i64) -> Result<Option<Operator>, StoreError> {
    let Some(session) = admin.session(&one_time::hash(id)).await? else { return Ok(None) };
    let lives = now_ms.saturating_sub(session.started_ms) < LIFE_MS
        && now_ms.saturating_sub(session.seen_ms) < IDLE_MS;
    let operator = if lives { admin.operator(&session.operator).await? } else { None };
    let operator = operator.filter(|operator| operator.disabled_ms.is_none());
    let kept = match operator {
        None => admin.end_session(&session.hash).await.map(drop),
        // A clock that was set back is followed as well.
        Some(_) if now_ms.abs_diff(session.seen_ms) >= SEEN_MS => {
            admin.touch_session(&session.hash, now_ms).await
        }
        Some(_) => Ok(()),
    };
    // On a disk that is full operators see what is wrong all the same.
    if let Err(error) = kept {
        tracing::debug!(%error, "the use or the end of a session was not kept");
    }
    Ok(operator)
}

/// Ends a session, if it is there.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn sign_out(admin: &dyn Admin, id: &str, now_ms: i64) -> Result<(), StoreError> {
    let hash = one_time::hash(id);
    let Some(session) = admin.session(&hash).await? else { return Ok(()) };
    let name = &*session.operator;
    let act = Act { operator: name, action: "session.end", subject: name, detail: "" };
    audited(admin, act, now_ms, async { admin.end_session(&hash).await.map(drop) }).await
}

/// Ends all sessions of an operator; returns how many. `by` is who does it.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn end_all(
    admin: &dyn Admin,
    by: &str,
    name: &OperatorName,
    now_ms: i64,
) -> Result<usize, StoreError> {
    let act = Act { operator: by, action: "session.end-all", subject: name.as_str(), detail: "" };
    audited(admin, act, now_ms, admin.end_sessions(name.as_str())).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::administration::audit::COMMAND_LINE;
    use crate::administration::links::{PASSWORD_LINK_MS, SIGN_IN_LINK_MS, SetPasswordError, set_password};
    use crate::administration::test_place::{TestPlace, application};
    use store::{Audit, AuditQuery, Operators};

    const PASSWORD: &str = "a password of mine";

    fn new(name: &str, role: Role) -> NewOperator {
        NewOperator { name: OperatorName::of(name).unwrap(), role, applications: Vec::new() }
    }

    /// Adds an operator with a password.
    async fn with_password(place: &TestPlace, name: &str) {
        let invited = operators::add(&place.admin, COMMAND_LINE, new(name, Role::Support), 0).await.unwrap();
        assert_eq!(set_password(&place.desk, &invited.code, PASSWORD.into(), 0).await.unwrap(), name);
    }

    /// The id of a new session.
    async fn session(place: &TestPlace, name: &str, now_ms: i64) -> String {
        sign_in(&place.desk, name, PASSWORD.into(), now_ms).await.unwrap().id
    }

    async fn holder(place: &TestPlace, id: &str, now_ms: i64) -> Option<String> {
        find(&place.admin, id, now_ms).await.unwrap().map(|operator| operator.name)
    }

    #[tokio::test]
    async fn a_link_sets_one_password_within_a_day() {
        let place = TestPlace::new();
        let (admin, desk) = (&place.admin, &place.desk);
        let invited = operators::add(admin, COMMAND_LINE, new("ann", Role::Viewer), 0).await.unwrap();
        let set = async |code: &str, password: &str, now_ms: i64| {
            set_password(desk, code, password.to_owned(), now_ms).await
        };
        for (wrong, rule) in [("short", "the password must have 10 to 1024 octets"), ("ann", "must have")] {
            let error = set(&invited.code, wrong, 1).await.unwrap_err();
            assert!(error.to_string().contains(rule), "{error}");
        }
        let late = set(&invited.code, PASSWORD, PASSWORD_LINK_MS).await;
        assert!(matches!(late, Err(SetPasswordError::NoLink)));
        assert_eq!(set(&invited.code, PASSWORD, PASSWORD_LINK_MS - 1).await.unwrap(), "ann");
        for code in [&*invited.code, "guess", ""] {
            assert!(matches!(set(code, PASSWORD, 2).await, Err(SetPasswordError::NoLink)));
        }
        // A new link ends what was before.
        let id = session(&place, "Ann", 3).await;
        let again = operators::invite(admin, COMMAND_LINE, "ann", 4).await.unwrap();
        assert_eq!(holder(&place, &id, 5).await, None);
        let old = sign_in(desk, "ann", PASSWORD.into(), 5).await;
        assert!(matches!(old, Err(SignInError::Refused)));
        assert_eq!(set(&again.code, "another password", 6).await.unwrap(), "ann");
        sign_in(desk, "ann", "another password".into(), 7).await.unwrap();
    }

    #[tokio::test]
    async fn who_is_refused_learns_nothing() {
        let place = TestPlace::new();
        with_password(&place, "ann").await;
        with_password(&place, "dis").await;
        operators::add(&place.admin, COMMAND_LINE, new("new", Role::Admin), 0).await.unwrap();
        operators::change(&place.admin, "ann", "dis", OperatorChange::Disable(1), 1).await.unwrap();
        let wrong = [("ann", "wrong"), ("dis", PASSWORD), ("new", ""), ("nobody", PASSWORD), ("", "")];
        for (name, password) in wrong {
            let refused = sign_in(&place.desk, name, password.into(), 2).await;
            assert!(matches!(refused, Err(SignInError::Refused)), "{name}");
        }
        sign_in(&place.desk, "ann", PASSWORD.into(), 2).await.unwrap();
    }

    #[tokio::test]
    async fn a_session_ends_by_age_by_disuse_and_by_hand() {
        let place = TestPlace::new();
        with_password(&place, "ann").await;
        let idle = session(&place, "ann", 0).await;
        assert_eq!(holder(&place, &idle, IDLE_MS - 1).await.as_deref(), Some("ann"));
        assert_eq!(holder(&place, &idle, 2 * IDLE_MS - 2).await.as_deref(), Some("ann"));
        assert_eq!(holder(&place, &idle, 3 * IDLE_MS - 2).await, None);
        assert_eq!(holder(&place, &idle, 0).await, None, "what ended stays so");
        let used = session(&place, "ann", 0).await;
        for now_ms in (0..LIFE_MS).step_by(IDLE_MS as usize / 2) {
            assert!(holder(&place, &used, now_ms).await.is_some(), "{now_ms}");
        }
        assert_eq!(holder(&place, &used, LIFE_MS).await, None);
        let left = session(&place, "ann", 0).await;
        sign_out(&place.admin, &left, 1).await.unwrap();
        sign_out(&place.admin, &left, 1).await.unwrap();
        assert_eq!(holder(&place, &left, 1).await, None);
        let (one, other) = (session(&place, "ann", 0).await, session(&place, "ann", 0).await);
        let ann = OperatorName::of("ann").unwrap();
        assert_eq!(end_all(&place.admin, "bob", &ann, 1).await.unwrap(), 2);
        assert_eq!((holder(&place, &one, 1).await, holder(&place, &other, 1).await), (None, None));
        assert_eq!(holder(&place, "guess", 1).await, None);
    }

    #[tokio::test]
    async fn a_use_is_kept_once_a_minute() {
        let place = TestPlace::new();
        with_password(&place, "ann").await;
        let id = session(&place, "ann", 1_000_000).await;
        let seen = async || place.admin.session(&one_time::hash(&id)).await.unwrap().unwrap().seen_ms;
        for (now_ms, seen_ms) in [(1_059_999, 1_000_000), (1_060_000, 1_060_000), (900_000, 900_000)] {
            assert!(holder(&place, &id, now_ms).await.is_some());
            assert_eq!(seen().await, seen_ms);
        }
    }

    #[tokio::test]
    async fn the_oldest_of_many_sessions_ends_and_changes_take_effect_at_once() {
        let place = TestPlace::new();
        let demo = operators::demo_link(&place.admin, 0).await.unwrap();
        let first = sign_in_by_link(&place.admin, &demo.code, 0).await.unwrap();
        let mut ids = Vec::new();
        for now_ms in 1..=MOST as i64 {
            let operator = first.operator.clone();
            ids.push(open(&place.admin, operator, "test", now_ms).await.unwrap().id);
        }
        assert_eq!(holder(&place, &first.id, 50).await, None);
        assert!(holder(&place, &ids[0], 50).await.is_some());
        let to = OperatorChange::Role(Role::Viewer);
        operators::change(&place.admin, "bob", "demo", to, 51).await.unwrap();
        assert_eq!(find(&place.admin, &ids[0], 52).await.unwrap().unwrap().role, Role::Viewer);
        operators::change(&place.admin, "bob", "demo", OperatorChange::Disable(53), 53).await.unwrap();
        assert_eq!(holder(&place, &ids[0], 54).await, None);
    }

    #[tokio::test]
    async fn a_link_of_the_demo_signs_in_once_within_an_hour() {
        let place = TestPlace::new();
        let demo = operators::demo_link(&place.admin, 0).await.unwrap();
        let late = sign_in_by_link(&place.admin, &demo.code, SIGN_IN_LINK_MS).await;
        assert!(matches!(late, Err(SignInError::Refused)));
        let password = set_password(&place.desk, &demo.code, PASSWORD.into(), 1).await;
        assert!(matches!(password, Err(SetPasswordError::NoLink)));
        let signed_in = sign_in_by_link(&place.admin, &demo.code, SIGN_IN_LINK_MS - 1).await.unwrap();
        assert_eq!((&*signed_in.operator.name, signed_in.operator.role), ("demo", Role::Admin));
        let again = sign_in_by_link(&place.admin, &demo.code, 1).await;
        assert!(matches!(again, Err(SignInError::Refused)));
        // Nor does a link for a password sign in.
        let invited = operators::add(&place.admin, COMMAND_LINE, new("ann", Role::Viewer), 0).await.unwrap();
        let refused = sign_in_by_link(&place.admin, &invited.code, 1).await;
        assert!(matches!(refused, Err(SignInError::Refused)));
    }

    #[tokio::test]
    async fn an_identity_provider_makes_and_changes_its_own_operators_alone() {
        let place = TestPlace::new();
        let admin = &place.admin;
        let acme = application(admin, "Acme").await;
        let proven = |name: &str, subject: &str, role: Role, applications: &[&String]| {
            let applications = applications.iter().map(|id| (*id).clone()).collect();
            let operator = NewOperator { applications, ..new(name, role) };
            Proven { operator, identity: format!("https://id.example {subject}") }
        };
        let first = proven("cleo", "7", Role::Viewer, &[&acme]);
        let signed_in = sign_in_elsewhere(admin, first, 1).await.unwrap();
        assert_eq!(holder(&place, &signed_in.id, 2).await.as_deref(), Some("cleo"));
        let promoted = proven("cleo", "7", Role::Admin, &[]);
        let signed_in = sign_in_elsewhere(admin, promoted.clone(), 3).await.unwrap().operator;
        assert_eq!((signed_in.role, signed_in.applications.len()), (Role::Admin, 0));
        assert_eq!(admin.operator("cleo").await.unwrap().unwrap(), signed_in);
        // Neither a local operator's name nor that of another one there.
        with_password(&place, "ann").await;
        for (name, subject) in [("ann", "8"), ("cleo", "8")] {
            let taken = sign_in_elsewhere(admin, proven(name, subject, Role::Admin, &[]), 4).await;
            assert!(matches!(taken, Err(SignInError::NameTaken(taken)) if taken == name));
        }
        assert_eq!(admin.operator("ann").await.unwrap().unwrap().role, Role::Support);
        let password = operators::invite(admin, "ann", "cleo", 5).await;
        assert!(matches!(password, Err(OperatorError::Elsewhere(_))));
        operators::change(admin, "ann", "cleo", OperatorChange::Disable(6), 6).await.unwrap();
        let refused = sign_in_elsewhere(admin, promoted, 7).await;
        assert!(matches!(refused, Err(SignInError::Refused)));
        let by = AuditQuery {
            before: None,
            limit: 9,
            operator: Some(IDENTITY_PROVIDER.into()),
            action: None,
            subject: None,
        };
        let acts = admin.audit_entries(&by).await.unwrap();
        let acts: Vec<_> = acts.iter().map(|one| &*one.entry.action).collect();
        assert_eq!(acts, ["operator.applications", "operator.role", "operator.add"]);
    }
}
