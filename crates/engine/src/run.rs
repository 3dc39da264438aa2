//! Runs the lanes of an engine.

use crate::core::Engine;
use crate::{callback_lane, expire_lane, prune, submit_lane, watch};
use flow::Channel;
use futures::future::join_all;
use std::sync::Arc;
use tokio::task::JoinHandle;

impl Engine {
    /// Works until [`Engine::close`]; returns when everything in flight is finished.
    pub async fn run(self: Arc<Self>) {
        let mut lanes: Vec<JoinHandle<()>> = Vec::new();
        for channel in Channel::ALL {
            let engine = Arc::clone(&self);
            lanes.push(tokio::spawn(async move { submit_lane::run(&engine, channel).await }));
        }
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { expire_lane::run(&engine).await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { callback_lane::run(&engine).await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { watch::run(&engine).await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { watch::replay(&engine).await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { prune::run(&engine).await }));
        join_all(lanes).await;
    }
}
