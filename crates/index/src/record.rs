//! What the index keeps of a flow.

use crate::facet::Combination;
use crate::number::{pack, unpack};
use crate::query::language::Key;
use std::sync::Arc;

/// What the index keeps of a flow.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) key: Key,
    pub(crate) combination: Combination,
    pub(crate) recipients: Recipients,
}

/// The recipients of a flow: distinct, sorted, in lower case (ASCII); at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Recipients {
    /// One number.
    Number(u64),
    /// Several, or no number.
    Texts(Arc<[Box<str>]>),
}

impl Recipients {
    pub(crate) fn new(texts: &[Box<str>]) -> Recipients {
        if let [text] = texts
            && let Some(number) = pack(text)
        {
            return Recipients::Number(number);
        }
        let mut texts: Vec<Box<str>> =
            texts.iter().map(|text| text.to_ascii_lowercase().into_boxed_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        Recipients::Texts(texts.into())
    }

    /// As texts.
    pub(crate) fn texts(&self) -> Box<[Box<str>]> {
        match self {
            Recipients::Number(number) => [unpack(*number).into_boxed_str()].into(),
            Recipients::Texts(texts) => texts.iter().cloned().collect(),
        }
    }
}
