//! Passwords: what one must be, and hashing by argon2id (RFC 9106) with the parameters of OWASP's password
//! storage cheat sheet: 19 MiB, two passes, one lane.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashingError, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::collections::BTreeSet;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// Octets of a password, at least and at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 10..=1024;

/// Different symbols of a password, at least: ten blanks are none.
const DIFFERENT_MIN: usize = 4;

/// KiB of memory of a hash, and passes over it.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// Hashes that are made at the same time in this process: they take 38 MiB at most.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A hash that no password has, which takes as long to compare with as any other.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz\
                       $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a text is no password for an operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PasswordRule {
    /// It is too short or too long.
    #[error("must have {} to {} octets", LENGTH.start(), LENGTH.end())]
    Length,
    /// It is almost one symbol over and over.
    #[error("must have at least {DIFFERENT_MIN} different symbols")]
    Same,
    /// It is the operator's name.
    #[error("must not be the name")]
    Name,
}

/// Why nothing was hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Random(#[from] getrandom::Error),
    /// There is no memory for it, or the stored hash can't be read.
    #[error("the password can't be hashed")]
    Hashing(#[from] HashingError),
    /// The process ends.
    #[error("the process ends")]
    Ending(#[from] JoinError),
}

/// Whether a text may become the password of an operator.
///
/// # Errors
/// [`PasswordRule`].
pub(super) fn check(password: &str, name: &str) -> Result<(), PasswordRule> {
    if !LENGTH.contains(&password.len()) {
        return Err(PasswordRule::Length);
    }
    if password.chars().collect::<BTreeSet<_>>().len() < DIFFERENT_MIN {
        return Err(PasswordRule::Same);
    }
    if password.eq_ignore_ascii_case(name) { Err(PasswordRule::Name) } else { Ok(()) }
}

fn argon2() -> Result<Argon2<'static>, HashingError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| HashingError::ParamsInvalid)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Does work with a hash on a thread that may block, when its turn comes.
async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
) -> Result<T, HashError> {
    // It is never closed. The turn lasts as long as the work does, also if nobody waits for it any more.
    let turn = TURNS.acquire().await;
    let done = spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await?
}

/// The hash of a password with a new salt, as a PHC string.
///
/// # Errors
/// [`HashError`].
pub(super) async fn hash(password: String) -> Result<String, HashError> {
    in_turn(move || {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        Ok(argon2()?.hash_password_with_salt(password.as_bytes(), &salt)?.to_string())
    })
    .await
}

/// Whether a password is the one of a hash. Without a hash it takes as long, and is never so.
///
/// # Errors
/// [`HashError`].
pub(super) async fn matches(password: String, hash: Option<String>) -> Result<bool, HashError> {
    if password.len() > *LENGTH.end() {
        return Ok(false);
    }
    in_turn(move || {
        let hash = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS)).map_err(HashingError::from)?;
        match argon2()?.verify_password(password.as_bytes(), &hash) {
            Ok(()) => Ok(true),
            Err(HashingError::PasswordInvalid) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_argon2id_with_owasps_parameters_and_a_salt_of_its_own() {
        let [one, other] =
            [hash("correct horse".into()).await.unwrap(), hash("correct horse".into()).await.unwrap()];
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert!(matches("correct horse".into(), Some(one.clone())).await.unwrap());
        assert!(!matches("correct horsf".into(), Some(one.clone())).await.unwrap());
        assert!(!matches("a".repeat(1025), Some(one)).await.unwrap());
        assert!(matches!(matches("x".into(), Some("no hash".into())).await, Err(HashError::Hashing(_))));
    }

    #[tokio::test]
    async fn the_hash_of_nobody_is_compared_with_at_the_same_cost() {
        let hash = PasswordHash::new(NOBODYS).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, 1));
        assert!(!matches(String::new(), None).await.unwrap());
    }

    #[test]
    fn a_password_is_long_enough_varied_and_not_the_name() {
        assert_eq!(check("123456789", "ann"), Err(PasswordRule::Length));
        assert_eq!(check(&"a".repeat(1025), "ann"), Err(PasswordRule::Length));
        assert_eq!(check("Ann.Of.Acme", "ann.of.acme"), Err(PasswordRule::Name));
        assert_eq!(check("1234567890", "ann"), Ok(()));
        assert_eq!(check(&"abcd".repeat(256), "ann"), Ok(()));
        assert_eq!(check(&" ".repeat(10), "ann"), Err(PasswordRule::Same));
        assert_eq!(check("abcabcabcabc", "ann"), Err(PasswordRule::Same));
    }
}
