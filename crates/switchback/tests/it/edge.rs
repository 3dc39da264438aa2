//! Connections of a process whose files are limited.

use crate::support::{PROGRAM, Process};
use std::net::TcpStream;
use std::process::Command;

/// Starts a server with a soft and a hard limit on open files.
fn serve_limited(data: &std::path::Path, config: &std::path::Path, limits: &str) -> Process {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limits}; exec \"$0\" \"$@\"")).arg(PROGRAM);
    Process::serve_by(command, data, config, &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_leave_room_where_files_are_few() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "").unwrap();
    let process = serve_limited(&data, &config, "ulimit -n 256");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let (address, url) =
        (process.url.strip_prefix("http://").unwrap(), format!("{}/health/ready", process.url));
    let mut idle = Vec::new();
    for _ in 0..10 {
        idle.extend((0..60).map(|_| TcpStream::connect(address).unwrap()));
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    }
}

/// The limit on files that a process has.
fn files_max(process: &Process) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.child.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn the_limit_on_files_is_raised_as_far_as_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "").unwrap();
    let process = serve_limited(&data, &config, "ulimit -S -n 200; ulimit -H -n 300");
    assert_eq!(files_max(&process), "300");
}
