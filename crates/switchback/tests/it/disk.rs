//! Disks that are full, read-only, slow, damaged, or lose power: `disk.c`, before the C library.

use crate::load::Load;
use crate::support::{PROGRAM, Process, create_application, rounds, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How often, unless `$SWITCHBACK_ROUNDS` says otherwise.
const ROUNDS: usize = 15;

/// A data directory on a disk that does what it is told.
struct Disk {
    directory: tempfile::TempDir,
    shim: PathBuf,
}

impl Disk {
    fn new() -> Disk {
        let directory = tempfile::tempdir().unwrap();
        let shim = directory.path().join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk.c");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).status();
        assert!(compiled.unwrap().success());
        let config = "[server]\nrequests_per_second = 0\n[engine]\nminute = \"100ms\"\n[store]\nindex_save = \"20ms\"\n";
        std::fs::write(directory.path().join("switchback.toml"), config).unwrap();
        let disk = Disk { directory, shim };
        disk.set("ok");
        disk
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("switchback.toml")
    }

    fn mode(&self) -> PathBuf {
        self.directory.path().join("mode")
    }

    fn set(&self, mode: &str) {
        std::fs::write(self.mode(), mode).unwrap();
    }

    fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [("LD_PRELOAD", self.shim.clone()), ("DISK_DIR", self.data()), ("DISK_MODE", self.mode())]
    }

    fn serve(&self) -> Process {
        Process::serve_with(&self.data(), &self.config(), &self.environment())
    }

    /// What a start says that must fail.
    fn fail(&self) -> String {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg("--data").arg(self.data()).arg("--config").arg(self.config());
        command.args(["--listen", "127.0.0.1:0"]).env("RUST_BACKTRACE", "0").envs(self.environment());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_that_goes_loses_nothing_that_was_answered() {
    let disk = Disk::new();
    let mut load = Load::new(&disk.data());
    let rounds = rounds(ROUNDS);
    for _ in 0..rounds {
        let mut process = disk.serve();
        let senders = load.start(&process.url).await;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..400))).await;
        load.until_answered().await;
        disk.set("power");
        assert_eq!(process.child.wait().unwrap().code(), Some(137));
        disk.set("ok");
        senders.end().await;
    }
    let lost = std::fs::read_to_string(disk.mode().with_extension("lost")).unwrap();
    let sectors: u32 = lost.lines().map(|line| line.parse::<u32>().unwrap()).sum();
    println!("{} flows acknowledged, {sectors} sectors lost over {rounds} power cuts", load.acknowledged());
    assert!(lost.lines().count() == rounds && sectors > 0, "{lost}");
    let mut process = disk.serve();
    load.check(&process.url).await;
    process.stop();
    let output = run(&["index", "verify", "--data", disk.data().to_str().unwrap()], &[]);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_a_slow_one_waits() {
    let disk = Disk::new();
    let mut load = Load::new(&disk.data());
    let mut process = disk.serve();
    let _senders = load.start(&process.url).await;
    load.until_answered().await;
    disk.set("full");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let answer = load.send_one(&process.url).await.unwrap();
        if answer["code"] == "503000007" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer}");
    }
    disk.set("slow");
    load.start(&process.url).await;
    load.until_answered().await;
    disk.set("ok");
    process.stop();
    let mut process = disk.serve();
    load.check(&process.url).await;
    process.stop();
}

/// Waits until `/health/ready` answers with a status.
async fn until_ready(process: &Process, status: u16) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/health/ready", process.url);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while client.get(&url).send().await.unwrap().status() != status {
        assert!(tokio::time::Instant::now() < deadline, "not {status} in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_disk_is_full_is_not_ready_until_there_is_room() {
    let disk = Disk::new();
    create_application(&disk.data());
    let mut process = disk.serve();
    until_ready(&process, 200).await;
    // No flow has to come for either.
    disk.set("full");
    until_ready(&process, 503).await;
    disk.set("ok");
    until_ready(&process, 200).await;
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_flows_are_erased_and_tokens_taken() {
    let disk = Disk::new();
    let mut load = Load::new(&disk.data());
    let mut process = disk.serve();
    load.login(&process.url).await;
    let first = load.send_one(&process.url).await.unwrap()["trackingId"].as_str().unwrap().to_owned();
    let files = std::fs::read_dir(disk.data()).unwrap().map(|file| file.unwrap().metadata().unwrap());
    let taken: u64 = files.filter(|file| file.is_file()).map(|file| file.len()).sum();
    disk.set(&format!("room {taken}"));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while load.send_one(&process.url).await.unwrap()["code"] != "503000007" {
        assert!(tokio::time::Instant::now() < deadline, "the disk is not full");
    }
    // The room for it was kept aside, and is not for flows.
    load.login_again(&process.url).await;
    assert_eq!(load.erase(&process.url, &first).await, 204);
    assert_eq!(load.send_one(&process.url).await.unwrap()["code"], "503000007");
    disk.set("ok");
    until_ready(&process, 200).await;
    assert!(load.send_one(&process.url).await.unwrap()["trackingId"].is_string());
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_is_not_stored() {
    let disk = Disk::new();
    let mut load = Load::new(&disk.data());
    let mut process = disk.serve();
    load.login(&process.url).await;
    assert!(load.send_one(&process.url).await.unwrap()["trackingId"].is_string());
    // Sandbox and index have written what they had to.
    load.check(&process.url).await;
    disk.set("eio-once");
    let refused = (load.send_one(&process.url).await, std::fs::read_to_string(disk.mode()).unwrap());
    assert_eq!((refused.0.unwrap()["code"].as_str(), refused.1.as_str()), (Some("503000007"), "ok"));
    process.kill();
    let mut process = disk.serve();
    assert_eq!(load.found(&process.url).await, 1);
    // While every flush fails nobody is told a lie: the process ends.
    disk.set("eio");
    assert_eq!(load.send_one(&process.url).await, None);
    assert!(!process.child.wait().unwrap().success());
    disk.set("ok");
    let mut process = disk.serve();
    assert!(load.send_one(&process.url).await.unwrap()["trackingId"].is_string());
    load.check(&process.url).await;
    process.stop();
}

#[test]
fn a_read_only_disk_and_a_damaged_database_are_told_and_left_alone() {
    let disk = Disk::new();
    disk.set("readonly");
    let told = disk.fail();
    assert!(told.contains("Read-only file system") && told.contains("data"), "{told}");
    disk.set("ok");

    create_application(&disk.data());
    disk.serve().stop();
    let database = disk.data().join("switchback.db");
    let whole = std::fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    let last = damaged.len() - 4096;
    damaged[last..].fill(0xff);
    std::fs::write(&database, &damaged).unwrap();
    let told = disk.fail();
    assert!(told.contains("switchback.db") && told.contains("damaged"), "{told}");
    assert!(std::fs::read(&database).unwrap() == damaged, "it was written to");
    std::fs::write(&database, &whole).unwrap();
    disk.serve().stop();
}
