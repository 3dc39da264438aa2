//! For tests: a network with addresses and no files.

use crate::fetch::{Fetch, FetchError};
use async_trait::async_trait;
use flow::Verb;
use std::net::IpAddr;

/// Reaches the addresses for which it holds.
pub struct Reaches(pub fn(IpAddr) -> bool);

#[async_trait]
impl Fetch for Reaches {
    async fn get(&self, _: &str) -> Result<Vec<u8>, FetchError> {
        Err(FetchError::Request("nothing is here".into()))
    }

    async fn dial_plan(&self, _: &str, _: &str) -> Result<Vec<Verb>, FetchError> {
        Err(FetchError::Request("nothing is here".into()))
    }

    fn reaches(&self, address: IpAddr) -> bool {
        self.0(address)
    }
}
