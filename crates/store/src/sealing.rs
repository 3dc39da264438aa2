//! Documents that nobody without the key can read: XChaCha20-Poly1305, under a random nonce each, bound to
//! the flow.

use crate::application::blind;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The first octet of what is sealed; JSON never starts so, and no document (`document.rs`).
const SEALED: u8 = 1;
const TAG_LENGTH: usize = 4;
const NONCE_LENGTH: usize = 24;

/// The keys that documents are sealed with. Without any, documents are written as they are.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    /// Tells which key a document needs.
    tag: [u8; TAG_LENGTH],
    cipher: XChaCha20Poly1305,
}

impl Keyring {
    /// The first key seals, and all of them open: so keys can be changed.
    pub fn new(keys: impl IntoIterator<Item = [u8; 32]>) -> Keyring {
        let keys = keys.into_iter().map(|key| {
            let hash = Sha256::new().chain_update(b"documents").chain_update(key).finalize();
            Key { tag: std::array::from_fn(|i| hash[i]), cipher: XChaCha20Poly1305::new(&key.into()) }
        });
        Keyring { keys: keys.collect() }
    }

    fn seal<'a>(&self, id: &[u8], document: &'a [u8]) -> Result<Cow<'a, [u8]>, SealError> {
        let Some(key) = self.keys.first() else { return Ok(Cow::Borrowed(document)) };
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let payload = Payload { msg: document, aad: id };
        let sealed = key.cipher.encrypt(&nonce.into(), payload).map_err(|_| SealError::Damaged)?;
        let mut out = vec![SEALED];
        out.extend(key.tag);
        out.extend(nonce);
        out.extend(sealed);
        Ok(Cow::Owned(out))
    }

    /// Returns whether something is sealed as it would be now: with the first key, or not at all without one.
    pub(crate) fn is_current(&self, document: &[u8]) -> bool {
        let tag = document.strip_prefix(&[SEALED]).and_then(|rest| rest.get(..TAG_LENGTH));
        tag == self.keys.first().map(|key| key.tag.as_slice())
    }

    /// Opens a document of the flow with this id.
    pub(crate) fn unseal<'a>(&self, id: &[u8], document: &'a [u8]) -> Result<Cow<'a, [u8]>, SealError> {
        let Some(rest) = document.strip_prefix(&[SEALED]) else { return Ok(Cow::Borrowed(document)) };
        let (tag, rest) = rest.split_at_checked(TAG_LENGTH).ok_or(SealError::Damaged)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LENGTH).ok_or(SealError::Damaged)?;
        let key = self.keys.iter().find(|key| key.tag == tag).ok_or(SealError::NoKey)?;
        let payload = Payload { msg: sealed, aad: id };
        let opened = key.cipher.decrypt(XNonce::from_slice(nonce), payload);
        opened.map(Cow::Owned).map_err(|_| SealError::Damaged)
    }

    /// Gives a connection the SQL functions `seal(id, doc)` and `unseal(id, doc)`; what is damaged unseals to
    /// NULL.
    pub(crate) fn attach(&self, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        let failed = |error: SealError| rusqlite::Error::UserFunctionError(Box::new(error));
        let keys = self.clone();
        connection.create_scalar_function("seal", 2, flags, move |context| {
            let (id, document) = (context.get_raw(0).as_blob()?, context.get_raw(1).as_blob()?);
            keys.seal(id, document).map(Cow::into_owned).map_err(failed)
        })?;
        let keys = self.clone();
        connection.create_scalar_function("unseal", 2, flags, move |context| {
            let (id, document) = (context.get_raw(0).as_blob()?, context.get_raw(1).as_blob()?);
            match keys.unseal(id, document) {
                Ok(document) => Ok(Some(document.into_owned())),
                // The trouble of who needs it: an error would be that of all that is read beside it.
                Err(SealError::Damaged) => Ok(None),
                Err(error) => Err(failed(error)),
            }
        })
    }
}

/// Gives a connection the SQL function `blind(kind, application, value)`: [`blind`] with the installation's
/// key.
pub(crate) fn attach_blind(connection: &Connection, secret_key: [u8; 32]) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("blind", 3, flags, move |context| {
        let (kind, application) = (context.get_raw(0).as_str()?, context.get_raw(1).as_str()?);
        let value = context.get_raw(2).as_bytes()?;
        Ok(blind(&secret_key, kind, application, value))
    })
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(
        "flows are encrypted with a key that store.encryption_key and store.old_encryption_keys don't have"
    )]
    NoKey,
    #[error("an encrypted flow is damaged")]
    Damaged,
    #[error("there are no random numbers")]
    Random,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_and_the_flow_open_it() {
        let (old, new) = (Keyring::new([[1; 32]]), Keyring::new([[2; 32], [1; 32]]));
        let sealed = old.seal(b"flow", b"{}").unwrap().into_owned();
        assert!(!sealed.windows(2).any(|window| window == b"{}"));
        assert_eq!(new.unseal(b"flow", &sealed).unwrap(), b"{}".as_slice());
        assert_ne!(new.seal(b"flow", b"{}").unwrap(), sealed);
        assert!(matches!(Keyring::new([[2; 32]]).unseal(b"flow", &sealed), Err(SealError::NoKey)));
        assert!(matches!(Keyring::default().unseal(b"flow", &sealed), Err(SealError::NoKey)));
        assert!(matches!(old.unseal(b"other", &sealed), Err(SealError::Damaged)));
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(old.unseal(b"flow", &damaged).is_err() || at == 0);
            assert!(old.unseal(b"flow", &sealed[..at]).is_err() || at == 0);
        }
        // What was written before there was a key stays readable.
        assert_eq!(old.unseal(b"flow", b"{}").unwrap(), b"{}".as_slice());
        assert_eq!(Keyring::default().seal(b"flow", b"{}").unwrap(), b"{}".as_slice());
    }
}
