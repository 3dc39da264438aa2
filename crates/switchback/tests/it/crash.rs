//! `kill -9` under load: what was answered 200 is there after a restart, and comes to its end.

use crate::load::Load;
use crate::support::{Process, rounds, run};
use std::time::Duration;

/// How often, unless `$SWITCHBACK_ROUNDS` says otherwise.
const ROUNDS: usize = 20;
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_answered_is_lost_or_stuck() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let config = directory.path().join("switchback.toml");
    std::fs::write(
        &config,
        "[server]\nrequests_per_second = 0\n[engine]\nminute = \"100ms\"\n[store]\nindex_save = \"20ms\"\n",
    )
    .unwrap();
    let mut load = Load::new(&data);
    let rounds = rounds(ROUNDS);
    for _ in 0..rounds {
        let mut process = Process::serve(&data, &config);
        let senders = load.start(&process.url).await;
        // A random moment, but not before anything was answered.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..400))).await;
        load.until_answered().await;
        process.kill();
        senders.end().await;
    }
    let mut process = Process::serve(&data, &config);
    println!("{} flows acknowledged over {rounds} crashes", load.acknowledged());
    load.check(&process.url).await;
    // The index's files came through the crashes as well, whatever was being written then.
    process.kill();
    let output = run(&["index", "verify", "--data", data.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{output:?}");
}
