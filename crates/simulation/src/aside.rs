//! A copy of the database that goes on elsewhere, and whose index comes beside the database: what a server
//! finds after a backup was put in a database's place, or a database in that of a backup that had gone on.

use crate::parties::APPLICATION;
use engine::indexing::index_directory;
use flow::sample;
use server::{Data, clock};
use std::fs;
use std::path::Path;
use store::{Flows, SqliteOptions, Threads};
use tempfile::TempDir;

/// Copies the database of a server that is down, and lets the copy go on by so many flows that only it has.
pub async fn go_on(data: &Path, flows: usize) -> anyhow::Result<TempDir> {
    let copy = tempfile::tempdir()?;
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
        }
    }
    let options = SqliteOptions { threads: Threads::Callers, ..SqliteOptions::new(clock::now_ms()) };
    let opened = Data::open(copy.path(), options)?;
    let store = &*opened.store;
    opened.read_index(store).await?;
    for number in 0..flows {
        let now_ms = clock::now_ms();
        let steps = vec![sample::step(1, sample::sms(&format!("+3069999{number:05}"), "elsewhere"))];
        let mut flow = sample::flow(steps, None, now_ms, clock::new_flow_id(now_ms));
        flow.application = APPLICATION.into();
        store.accept(flow, None, now_ms).await?;
    }
    opened.followed.save(store, opened.index_directory()).await?;
    store.close().await;
    Ok(copy)
}

/// Puts a copy's index in the place of the database's own.
pub fn bring_index(copy: &Path, data: &Path) -> std::io::Result<()> {
    let own = index_directory(data);
    if own.exists() {
        fs::remove_dir_all(&own)?;
    }
    fs::create_dir(&own)?;
    for entry in fs::read_dir(index_directory(copy))? {
        let entry = entry?;
        fs::copy(entry.path(), own.join(entry.file_name()))?;
    }
    Ok(())
}
