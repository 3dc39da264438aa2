//! Operators: people with a login, their one-time links and their sessions.

use crate::error::Result;
use async_trait::async_trait;

/// What an operator may do. Each role may do all that those before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Sees flows with masked numbers and without bodies.
    Viewer,
    /// Sees everything of flows; cancels, keeps opt-outs, replays callbacks.
    Support,
    /// Sees carriers and statistics; pauses carriers.
    Operator,
    /// Keeps applications and operators; erases; reads the audit.
    Admin,
}

impl Role {
    /// All of them, the one with the fewest rights first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Support, Role::Operator, Role::Admin];

    /// The word for it, as it is stored and as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Support => "support",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// The role that a word means.
    pub fn of(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A person with a login.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// What the operator signs in as.
    pub name: String,
    /// What the operator may do.
    pub role: Role,
    /// Ids of the applications that the operator sees; empty for all.
    pub applications: Vec<String>,
    /// Whether there is a password to sign in with.
    pub has_password: bool,
    /// Who proves the operator's name, and as whom the operator is known there: for those who sign in
    /// elsewhere, who never have a password here.
    pub identity: Option<String>,
    /// Since when there is such an operator, Unix milliseconds.
    pub created_ms: i64,
    /// Since when the operator must not sign in, Unix milliseconds.
    pub disabled_ms: Option<i64>,
}

impl Operator {
    /// Whether the operator sees what is of an application.
    pub fn sees(&self, application: &str) -> bool {
        self.applications.is_empty() || self.applications.iter().any(|id| id == application)
    }
}

/// A change of an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorChange {
    /// Another role.
    Role(Role),
    /// Other applications; empty for all.
    Applications(Vec<String>),
    /// From this time on (Unix milliseconds) the operator must not sign in: sessions and links end.
    Disable(i64),
    /// The operator may sign in again.
    Enable,
}

/// What a one-time link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkPurpose {
    /// Setting a password.
    Password,
    /// Signing in.
    SignIn,
}

impl LinkPurpose {
    /// The word that it is stored as.
    pub const fn name(self) -> &'static str {
        match self {
            LinkPurpose::Password => "password",
            LinkPurpose::SignIn => "sign-in",
        }
    }

    /// The purpose that a stored word means.
    pub fn of(name: &str) -> Option<LinkPurpose> {
        [LinkPurpose::Password, LinkPurpose::SignIn].into_iter().find(|purpose| purpose.name() == name)
    }
}

/// A link that works once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OneTimeLink {
    /// SHA-256 of its code.
    pub hash: [u8; 32],
    /// Whose it is.
    pub operator: String,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// When it ends, Unix milliseconds.
    pub ends_ms: i64,
}

/// A login that lasts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// SHA-256 of its id.
    pub hash: [u8; 32],
    /// Whose it is.
    pub operator: String,
    /// When it began, Unix milliseconds.
    pub started_ms: i64,
    /// When it was used last, to about a minute, Unix milliseconds.
    pub seen_ms: i64,
}

/// Operators, their links and their sessions. Whether a link or a session is over is the caller's to say: the
/// store has no clock. Each write is durable when it returns.
#[async_trait]
pub trait Operators: Send + Sync {
    /// Stores a new operator, without a password; returns whether the name was free.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn add_operator(&self, new: &Operator) -> Result<bool>;

    /// Every operator, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn operators(&self) -> Result<Vec<Operator>>;

    /// An operator, disabled or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn operator(&self, name: &str) -> Result<Option<Operator>>;

    /// Changes an operator; returns whether there is one of this name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn change_operator(&self, name: &str, change: &OperatorChange) -> Result<bool>;

    /// Removes an operator with sessions and links; returns whether there was one of this name. What the
    /// audit has stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn remove_operator(&self, name: &str) -> Result<bool>;

    /// The argon2id hash of an operator's password, a PHC string; `None` if there is no such operator or no
    /// password.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn password_hash(&self, name: &str) -> Result<Option<String>>;

    /// Stores a link in place of the operator's previous one. One for a password also ends the operator's
    /// sessions and password. Returns whether there is such an operator.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn add_link(&self, new: &OneTimeLink) -> Result<bool>;

    /// The link whose code has this SHA-256, if it was not used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn link(&self, hash: &[u8; 32]) -> Result<Option<OneTimeLink>>;

    /// Uses a link, and sets its operator's password if a hash of one is given (a PHC string). Returns
    /// whether it was there: of several who use it at once, one gets true.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn use_link(&self, hash: &[u8; 32], password_hash: Option<&str>) -> Result<bool>;

    /// Stores a session; beyond `most` of one operator the oldest end. Returns whether there is such an
    /// operator.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn add_session(&self, new: &Session, most: usize) -> Result<bool>;

    /// The session whose id has this SHA-256.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn session(&self, hash: &[u8; 32]) -> Result<Option<Session>>;

    /// Keeps that a session was used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn touch_session(&self, hash: &[u8; 32], now_ms: i64) -> Result<()>;

    /// Ends a session; returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn end_session(&self, hash: &[u8; 32]) -> Result<bool>;

    /// Ends all sessions of an operator; returns how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn end_sessions(&self, operator: &str) -> Result<usize>;
}
