//! The command line as people use it.

use crate::support::{PROGRAM, Process, account, create_application, run};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use store::{Admin, ApplicationSettings, Keyring, NewApplication, SqliteAdmin};

/// A flow of one Sms, which the sandbox delivers.
const SMS: &str = r#"{"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+306900000010", "message": {"body": "hi"}}]}"#;

fn text(output: &[u8]) -> &str {
    std::str::from_utf8(output).unwrap()
}

#[test]
fn the_demo_runs_to_its_table() {
    let output = run(&["demo", "--exit", "--listen", "127.0.0.1:0"], &[]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for expected in
        ["in 500 flows", "Delivered", "Not Viber User", "found in", "\"terminationChannel\": \"Sms\""]
    {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
}

#[test]
fn a_flow_is_sent_tracked_and_found() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "[engine]\nminute = \"1s\"\n").unwrap();
    let process = Process::serve(&data, &config);
    // Beside the running server.
    let application = create_application(&data);
    let environment = account(&process.url, &application);
    let file = directory.path().join("flow.json");
    std::fs::write(&file, SMS).unwrap();
    let output = run(&["send", file.to_str().unwrap()], &environment);
    assert!(output.status.success(), "{output:?}");
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    let id = sent["trackingId"].as_str().unwrap();
    let output = run(&["track", id], &environment);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["trackingId"], id);
    let output = run(&["track", id, "--json"], &environment);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["trackingId"], id);
    let output = run(&["track", id, "--course"], &environment);
    for words in [id, "accepted", "step 1 (Sms): started"] {
        assert!(text(&output.stdout).contains(words), "{words} in {output:?}");
    }
    let output = run(&["search", "--to", "ends_with:10", "--type", "is_not:Voice", "--json"], &environment);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["totalElements"], 1);
    let output = run(&["search", "--status", "Queued", "--from-date", "2100-01-01"], &environment);
    assert!(text(&output.stdout).contains("0 flows"));

    let file_out = directory.path().join("flows.csv");
    let output = run(&["export", "--format", "csv", "--output", file_out.to_str().unwrap()], &environment);
    assert!(text(&output.stderr).contains("1 flows exported"), "{output:?}");
    assert!(std::fs::read_to_string(&file_out).unwrap().contains(id));
    let output = run(&["export", "--to", "+306900000010"], &environment);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["trackingId"], id);

    // Bad input is told with its field, on standard error, with exit code 1; wrong usage is 2.
    std::fs::write(&file, r#"{"flow": [{"type": "Sms", "order": 1}]}"#).unwrap();
    let output = run(&["send", file.to_str().unwrap()], &environment);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("flow[0].from is required"), "{output:?}");
    assert_eq!(run(&["track"], &environment).status.code(), Some(2));

    let list = run(&["app", "list", "--json", "--data", data.to_str().unwrap()], &[]);
    assert_eq!(serde_json::from_slice::<Value>(&list.stdout).unwrap()[0]["name"], "test");
    let dead = run(&["callbacks", "list", "--json", "--data", data.to_str().unwrap()], &[]);
    assert_eq!(text(&dead.stdout).trim(), "[]");
    let id = application["applicationId"].as_str().unwrap();
    assert!(run(&["app", "revoke", id, "--data", data.to_str().unwrap()], &[]).status.success());
    assert_eq!(run(&["search"], &environment).status.code(), Some(1));

    // With the first key that there is, each flow is written anew, once.
    drop(process);
    let key = [("SWITCHBACK__STORE__ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];
    let compact = ["store", "compact", "--data", data.to_str().unwrap()];
    for (written, environment) in [(0, &[][..]), (1, &key), (0, &key)] {
        let output = run(&compact, environment);
        let told = format!("{written} of 1 flows written anew");
        assert!(text(&output.stdout).starts_with(&told), "{output:?}");
    }
}

#[test]
fn statistics_are_printed_and_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "").unwrap();
    let process = Process::serve(&data, &config);
    let application = create_application(&data);
    let environment = account(&process.url, &application);
    let file = directory.path().join("flow.json");
    std::fs::write(&file, SMS).unwrap();
    assert!(run(&["send", file.to_str().unwrap()], &environment).status.success());
    let output = run(&["statistics", "--group-by", "channel", "--time-zone", "Europe/Athens"], &environment);
    for expected in ["channel", "Sms", "| all", "T00:00:00+0"] {
        assert!(text(&output.stdout).contains(expected), "{output:?}");
    }
    let output = run(&["statistics", "--json", "--interval", "month"], &environment);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["totals"]["flows"], 1, "{output:?}");
    let output = run(&["statistics", "--time-zone", "Athens"], &environment);
    assert!(text(&output.stderr).contains("--time-zone must be a time zone"), "{output:?}");
    let output = run(&["statistics", "--from", "9999-12-31"], &environment);
    assert!(text(&output.stderr).contains("--from must be before 9999-12-31"), "{output:?}");
    assert_eq!(run(&["statistics"], &[]).status.code(), Some(2));
    let running = run(&["statistics", "rebuild", "--data", data.to_str().unwrap()], &[]);
    assert_eq!(running.status.code(), Some(1), "{running:?}");
    drop(process);
    let rebuild = run(&["statistics", "rebuild", "--data", data.to_str().unwrap()], &[]);
    assert!(text(&rebuild.stdout).starts_with("1 stored flows are counted"), "{rebuild:?}");
}

#[test]
fn the_index_is_described_checked_and_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "").unwrap();
    let mut process = Process::serve(&data, &config);
    let application = create_application(&data);
    let id = application["applicationId"].as_str().unwrap();
    let url = process.url.clone();
    let environment = account(&url, &application);
    let file = directory.path().join("flow.json");
    std::fs::write(&file, SMS).unwrap();
    for _ in 0..3 {
        assert!(run(&["send", file.to_str().unwrap()], &environment).status.success());
    }
    let index = |command: &str| run(&["index", command, "--data", data.to_str().unwrap()], &[]);
    let output = index("verify");
    assert!(text(&output.stderr).contains("another server"), "{output:?}");
    process.stop();
    let output = index("verify");
    assert!(text(&output.stdout).starts_with("3 flows, every one as in the store"), "{output:?}");
    let output = index("stats");
    assert!(text(&output.stdout).contains(id), "{output:?}");

    // One octet of one file.
    let files: Vec<_> =
        std::fs::read_dir(data.join("index")).unwrap().map(|file| file.unwrap().path()).collect();
    let file = files.iter().find(|file| file.extension().is_some()).unwrap();
    let mut octets = std::fs::read(file).unwrap();
    octets[100] ^= 1;
    std::fs::write(file, octets).unwrap();
    for command in ["verify", "stats"] {
        let output = index(command);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("checksum"), "{output:?}");
    }
    // A server notices it as well, and goes on with an index made anew.
    let mut process = Process::serve(&data, &config);
    let url = process.url.clone();
    let environment = [("SWITCHBACK_URL", url.as_str()), environment[1], environment[2]];
    let output = run(&["search", "--json"], &environment);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["totalElements"], 3);
    process.stop();
    assert!(index("verify").status.success());

    // Files of the first format are not damaged: the log says in one line that they are made anew.
    let first = "aa87f3b78a2febd5\n{\"identity\":\"store\",\"position\":7,\"writer\":3,\"applications\":[]}";
    std::fs::write(data.join("index/manifest"), first).unwrap();
    let output = index("stats");
    assert!(text(&output.stderr).contains("format 1"), "{output:?}");
    let mut process = Process::serve(&data, &config);
    process.stop();
    assert!(index("verify").status.success());
    std::fs::remove_dir_all(data.join("index")).unwrap();
    let output = index("rebuild");
    assert!(text(&output.stdout).starts_with("3 flows in"), "{output:?}");
    assert!(index("verify").status.success());
}

#[test]
fn a_route_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let (config, rates) = (directory.path().join("switchback.toml"), directory.path().join("rates.csv"));
    std::fs::write(rates, "channel,carrier,prefix,operator,price\nSms,cheap,+3069,Cosmote,0.04\n").unwrap();
    let carriers = ["cheap", "other"].map(|name| {
        format!("[[carrier]]\nname = \"{name}\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\nprices = {{ Sms = \"0.07\" }}\n")
    });
    let rest = "[pricing]\nrates = \"rates.csv\"\ncurrency = \"EUR\"\n[[route]]\nchannel = \"Sms\"\ncountries = [\"GR\"]\n\
        carriers = [{ carrier = \"cheap\", priority = 1, weight = 3 }, { carrier = \"other\", priority = 1 }]\n";
    std::fs::write(&config, carriers.concat() + rest).unwrap();
    let explain = |to: &str| {
        let config = config.to_str().unwrap();
        run(&["route", "explain", "--config", config, "--channel", "sms", "--to", to, "--from", "Acme"], &[])
    };
    let output = explain("+306900000001");
    let shown = text(&output.stdout);
    for expected in ["route[0] holds: country GR", "cheap", "75 %", "0.04 EUR", "Cosmote", "0.07 EUR"] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert!(text(&explain("+442071838750").stdout).contains("no route holds"));
    let output = explain("12");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is no phone number"));
}

#[test]
fn opt_outs_and_balances_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let application = create_application(&data);
    let (id, data) = (application["applicationId"].as_str().unwrap(), data.to_str().unwrap());
    let suppress = |command: &[&str]| {
        let of = ["--application", id, "--channel", "Sms", "--data", data];
        run(&[&["suppress", command[0]], &of[..], &command[1..]].concat(), &[])
    };
    assert!(suppress(&["add", "+306900000001", "--reason", "asked, twice"]).status.success());
    let file = directory.path().join("list.csv");
    std::fs::write(&file, "+306900000002\n\n+306900000003,told us\n").unwrap();
    let output = suppress(&["import", file.to_str().unwrap()]);
    assert!(text(&output.stdout).starts_with("2 recipients"), "{output:?}");
    std::fs::write(&file, "+306900000004\n12\n").unwrap();
    let output = suppress(&["import", file.to_str().unwrap()]);
    assert!(!output.status.success() && text(&output.stderr).contains("line 2"), "{output:?}");
    // Numbers are read as people write them; what is none is refused by name.
    let added = suppress(&["add", "+30 (0) 690 000 0007"]);
    assert!(text(&added.stdout).starts_with("+306900000007 is sent nothing"), "{added:?}");
    assert!(suppress(&["remove", "tel:+30-690-0000007"]).status.success());
    for wrong in ["hello +306900000007", "+306900000007;ext=5", "+3006900000007"] {
        let refused = suppress(&["add", wrong]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(text(&refused.stderr).contains(&format!("\"{wrong}\" is no phone number")), "{refused:?}");
    }
    assert!(suppress(&["remove", "+306900000002"]).status.success());
    assert!(!suppress(&["remove", "+306900000002"]).status.success());
    let output = suppress(&["list", "--csv"]);
    assert_eq!(text(&output.stdout), "+306900000001,\"asked, twice\"\n+306900000003,\"told us\"\n");
    let output = run(&["suppress", "list", "--application", "x", "--channel", "Sms", "--data", data], &[]);
    assert!(text(&output.stderr).contains("no application x"), "{output:?}");

    let balance = |more: &[&str]| run(&[&["app", "balance", id, "--data", data], more].concat(), &[]);
    assert_eq!(text(&balance(&[]).stdout), "unlimited\n");
    assert!(text(&balance(&["--add", "1"]).stderr).contains("--set one first"));
    assert_eq!(text(&balance(&["--set", "10.50"]).stdout), "10.50\n");
    assert_eq!(text(&balance(&["--add", "-0.25"]).stdout), "10.25\n");
    assert_eq!(text(&balance(&["--none"]).stdout), "unlimited\n");

    let limits = |more: &[&str]| {
        let output = run(&[&["app", "limits", id, "--data", data], more].concat(), &[]);
        text(&output.stdout).to_owned()
    };
    assert_eq!(limits(&[]), "as configured\n");
    assert_eq!(limits(&["--requests-per-second", "5"]), "requests-per-second 5\n");
    assert_eq!(limits(&["--tokens-max", "2"]), "requests-per-second 5, tokens-max 2\n");
    let output = run(&["app", "list", "--data", data], &[]);
    assert!(text(&output.stdout).contains("requests-per-second 5"), "{output:?}");
    assert_eq!(limits(&["--reset"]), "as configured\n");
    let output = run(&["app", "limits", "nobody", "--data", data], &[]);
    assert!(!output.status.success() && text(&output.stderr).contains("no application nobody"), "{output:?}");
}

#[test]
fn a_test_call_tells_why_it_can_not_be_made() {
    let output = run(&["call", "--to", "+306900000000", "--say", "hello"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--config"), "{output:?}");
    // Nobody answers there.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let output = run(&["call", "--to", &format!("sip:x@127.0.0.1:{port}"), "--say", "hello"], &[]);
    assert!(text(&output.stdout).contains("calling"));
    assert!(text(&output.stderr).contains("no trunk"), "{output:?}");
}

/// A trunk that wants to know who calls, and is busy then; its words would steer a terminal.
fn a_busy_trunk() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut octets = [0; 8192];
        loop {
            let (length, from) = socket.recv_from(&mut octets).unwrap();
            let request = String::from_utf8_lossy(&octets[..length]).into_owned();
            if !request.starts_with("INVITE ") {
                continue;
            }
            let kept = request.lines().filter(|line| {
                ["Via", "From", "To", "Call-ID", "CSeq"]
                    .iter()
                    .any(|name| line.starts_with(&format!("{name}:")))
            });
            let kept: String = kept.map(|line| format!("{line}\r\n")).collect();
            let answer = if request.contains("Authorization") {
                format!(
                    "SIP/2.0 486 Busy Here\r\n{kept}Server: x\x1b]0;PWNED\x07\r\nContent-Length: 0\r\n\r\n"
                )
            } else {
                let challenge = "WWW-Authenticate: Digest realm=\"acme\", nonce=\"4711\", algorithm=MD5\r\n";
                format!("SIP/2.0 401 Unauthorized\r\n{kept}{challenge}Content-Length: 0\r\n\r\n")
            };
            socket.send_to(answer.as_bytes(), from).unwrap();
        }
    });
    port
}

#[test]
fn a_test_call_shows_its_messages_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let sound = directory.path().join("sound.wav");
    let mut wav =
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data"
            .to_vec();
    wav.extend(16_000u32.to_le_bytes());
    wav.extend([0; 16_000]);
    std::fs::write(&sound, wav).unwrap();
    let config = directory.path().join("switchback.toml");
    let text = format!(
        "[[carrier]]\nname = \"voice\"\nkind = \"sip\"\nchannels = [\"Voice\"]\nbind = \"127.0.0.1:0\"\n\
         [carrier.speech]\ncommand = [\"cat\", \"{}\"]\n[[carrier.trunk]]\nhost = \"127.0.0.1\"\nport = {}\n\
         username = \"acct-77\"\npassword = \"hunter2\"\n",
        sound.display(),
        a_busy_trunk()
    );
    std::fs::write(&config, text).unwrap();
    let call = ["call", "--to", "+306900000000", "--say", "hello", "--config", config.to_str().unwrap()];
    let output = run(&call, &[]);
    let shown = text_of_call(&output);
    assert!(!shown.contains("INVITE") && shown.contains("Busy"), "{shown}");
    let output = run(&[&call[..], &["--trace"]].concat(), &[]);
    let shown = text_of_call(&output);
    for expected in [
        " s  sent to UDP 127.0.0.1:",
        " s  received from UDP 127.0.0.1:",
        "\nINVITE sip:+306900000000@127.0.0.1",
        "\nSIP/2.0 401 Unauthorized\n",
        "\nSIP/2.0 486 Busy Here\n",
        "\nServer: x\\u{1b}]0;PWNED\\u{7}\n",
        "\nACK sip:",
        "\nm=audio ",
        "realm=\"acme\"",
        "nonce=\"4711\"",
        "nonce=\"***\"",
        "response=\"***\"",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    for secret in ["hunter2", "\u{1b}", "\u{7}", "acct-77", "\r"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

/// What a call that went as it should printed.
fn text_of_call(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).to_owned()
}

#[test]
fn a_term_signal_ends_the_server_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "").unwrap();
    let mut process = Process::serve(&data, &config);
    process.stop();
}

#[test]
fn configurations_are_checked() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../switchback.example.toml");
    let output = run(&["config", "check", example], &[]);
    assert!(output.status.success(), "{output:?}");
    let directory = tempfile::tempdir().unwrap();
    let wrong = directory.path().join("wrong.toml");
    std::fs::write(&wrong, "[enginee]\nminute = \"1s\"\n").unwrap();
    let output = run(&["config", "check", wrong.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did you mean `engine`?"), "{output:?}");
    let output = Command::new(PROGRAM)
        .args(["config", "check", example])
        .env("SWITCHBACK__ENGINE__MINUTE", "never")
        .output()
        .unwrap();
    assert!(text(&output.stderr).contains("expected a duration"), "{output:?}");
}

#[test]
fn errors_of_a_configuration_do_not_show_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("switchback.toml");
    let carrier =
        "[[carrier]]\nname = \"a\"\nkind = \"smpp\"\nchannels = [\"Sms\"]\nhost = \"h\"\nsystem_id = \"i\"\n";
    let check = |text: String, environment: &[(&str, &OsStr)]| {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(PROGRAM);
        let output = command.arg("config").arg("check").arg(&file).envs(environment.iter().copied()).output();
        let output = output.unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        told
    };
    assert!(check(format!("{carrier}password = \"hunter2"), &[]).contains("line 7, column"));
    assert!(check(format!("{carrier}password = [\"hunter2\"]"), &[]).contains("password: must be a text"));
    let long = "hunter2".repeat(37);
    assert!(check(format!("{carrier}password = \"{long}\""), &[]).contains("password: must be at most 255"));
    let key = "SWITCHBACK__STORE__ENCRYPTION_KEY";
    assert!(check(String::new(), &[(key, OsStr::new("hunter2"))]).contains("must be 32 octets"));
    assert!(check(String::new(), &[(key, OsStr::new("[\"hunter2\"]"))]).contains(key));
    // What is no UTF-8, in a variable of ours and in one that a key names.
    let octets = OsStr::from_bytes(b"hunter2\xff");
    assert!(check(String::new(), &[(key, octets)]).contains("must be UTF-8"));
    let named = "[store]\nencryption_key = { env = \"A_KEY\" }".to_owned();
    assert!(check(named.clone(), &[("A_KEY", octets)]).contains("store.encryption_key: "));
    assert!(check(named, &[]).contains("not set"));
    assert!(
        check("[store]\nencryption_key = { env = \"hunter2!\" }".into(), &[]).contains("name of a variable")
    );
}

#[test]
fn a_weak_receipt_secret_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("switchback.toml");
    let config = "[server]\npublic_url = \"https://a.example\"\n[[carrier]]\nname = \"infobip\"\nkind = \"http\"\n\
        channels = [\"Sms\"]\nprovider = \"infobip-sms\"\n\
        settings = { base_url = \"https://x.example\", api_key = \"k\", receipt_token = \"hunter2\" }\n";
    std::fs::write(&file, config).unwrap();
    let output = run(&["config", "check", file.to_str().unwrap()], &[]);
    let told = text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.starts_with("warning: "), "{told}");
    assert!(told.contains("line 8: carrier infobip: settings.receipt_token: has 7 characters"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

/// The modes of a directory and of what is in it.
fn modes(directory: &Path) -> Vec<(String, u32)> {
    let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    let mut found = vec![(directory.display().to_string(), mode(directory))];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(modes(&path))
        } else {
            found.push((path.display().to_string(), mode(&path)))
        }
    }
    found
}

#[test]
fn the_data_directory_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "[store]\nindex_save = \"50ms\"\n").unwrap();
    // Whatever the umask, and whoever comes first: here the command line, then the server.
    let create = format!("umask 000; exec {PROGRAM} app create --name a --data {}", data.display());
    assert!(Command::new("sh").args(["-c", &create]).status().unwrap().success());
    let serve = format!(
        "umask 000; exec {PROGRAM} serve --data {} --config {} --listen 127.0.0.1:0",
        data.display(),
        config.display()
    );
    let mut server = Command::new("sh").args(["-c", &serve]).stdout(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !data.join("index/manifest").exists() || !data.join("switchback.db-wal").exists() {
        assert!(Instant::now() < deadline, "{:?}", modes(&data));
        std::thread::sleep(Duration::from_millis(20));
    }
    let found = modes(&data);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(found.iter().all(|(_, mode)| mode & 0o077 == 0), "{found:?}");
    for name in ["switchback.db", "switchback.db-wal", "switchback.db-shm", "lock", "index/manifest"] {
        assert!(found.iter().any(|(path, _)| path.ends_with(name)), "{name} of {found:?}");
    }
}

#[test]
fn a_data_directory_that_others_may_read_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg("--data").arg(&data).args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "warn");
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stderr.take().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.contains(&format!("chmod -R go= {}", data.display())), "{line}");
}

#[test]
fn the_key_of_callbacks_is_changed_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let application = create_application(&data);
    let (id, data) = (application["applicationId"].as_str().unwrap(), data.to_str().unwrap());
    let output = run(&["app", "rotate", "--callback-secret", id, "--data", data], &[]);
    let rotated: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(rotated["callbackSecret"].as_str().unwrap().starts_with("whsec_"));
    assert_ne!(rotated["callbackSecret"], application["callbackSecret"]);
    assert!(rotated["previousSignsUntil"].is_string() && rotated["applicationSecret"].is_null());
    let list = run(&["app", "list", "--json", "--data", data], &[]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list[0]["callbackSecret"], rotated["callbackSecret"]);
    // The application's own secret is another matter.
    let output = run(&["app", "rotate", id, "--data", data], &[]);
    let rotated: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(rotated["applicationSecret"].is_string() && rotated["callbackSecret"].is_null());
    assert_eq!(run(&["app", "rotate", "--callback-secret", "x", "--data", data], &[]).status.code(), Some(1));
}

#[tokio::test]
async fn what_others_wrote_steers_no_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let path = data.to_str().unwrap();
    let steering = "\u{1b}]0;PWNED\u{7}\u{9b}2J";
    let output = run(&["app", "create", "--name", &format!("a{steering}"), "--data", path], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("control characters"), "{output:?}");
    // An application of before, and an opt-out.
    server::data::create_directory(&data).unwrap();
    let admin = SqliteAdmin::open(&server::database(&data), &Keyring::default()).unwrap();
    let (name, settings) = (format!("a{steering}"), ApplicationSettings::default());
    let new = NewApplication::draw(name, settings, &admin.secret_key().await.unwrap(), 0).unwrap();
    admin.add_application(&new).await.unwrap();
    let id = new.application.id.as_str();
    let of = ["--application", id, "--channel", "Sms", "--data", path];
    let add = [&["suppress", "add", "+306900000001", "--reason", steering], &of[..]].concat();
    assert!(run(&add, &[]).status.success());
    let outputs = [
        run(&["app", "list", "--data", path], &[]),
        run(&["app", "list", "--json", "--data", path], &[]),
        run(&[&["suppress", "list"], &of[..]].concat(), &[]),
        run(&["suppress", "list", "--application", steering, "--channel", "Sms", "--data", path], &[]),
    ];
    for output in outputs {
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(shown.contains("PWNED"), "{shown:?}");
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    }
}

#[tokio::test]
async fn what_reached_no_message_and_what_handsets_sent_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    server::data::create_directory(&data).unwrap();
    let options = store::SqliteOptions::new(0);
    let (kept, _) = store::SqliteStore::open(&server::database(&data), options).unwrap();
    let receipt = store::UnreadReceipt {
        reason: "unknown-word".into(),
        text: "id:m1 stat:\u{9b}2JODD text:hello".into(),
        reference: Some("m1".into()),
        word: Some("ODD".into()),
        error: Some("007".into()),
        recipient: Some("306900000123".into()),
    };
    store::Flows::keep_unread(&kept, "smsc".into(), receipt, 1_700_000_000_000).await.unwrap();
    for (from, octets, segment) in [("306900000001", "STOP", None), ("306900000002", "hel", Some((9, 3, 1)))]
    {
        let segment =
            segment.map(|(reference, total, sequence)| store::InboundSegment { reference, total, sequence });
        let (octets, encoding) = (octets.as_bytes().to_vec(), "gsm".to_owned());
        let message = store::InboundMessage {
            carrier: "smsc".into(),
            from: from.into(),
            to: "Acme".into(),
            segment,
            content: store::InboundOctets { octets, encoding, data_coding: 0 },
        };
        store::Flows::keep_inbound(&kept, message, 1_700_000_000_000).await.unwrap();
    }
    kept.close().await;
    let path = data.to_str().unwrap();
    let shown = |arguments: &[&str]| {
        let output = run(&[arguments, &["--data", path]].concat(), &[]);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout).to_owned()
    };
    let receipts = shown(&["receipts", "unmatched"]);
    for told in ["smsc", "unknown-word", "m1", "ODD", "007", "***123", "2023-11-14"] {
        assert!(receipts.contains(told), "{told}: {receipts}");
    }
    assert!(!receipts.contains("hello") && !receipts.contains("306900000123"), "{receipts}");
    assert!(!receipts.contains(|c: char| c.is_control() && c != '\n'), "{receipts:?}");
    let listed: Value = serde_json::from_str(&shown(&["receipts", "unmatched", "--json"])).unwrap();
    assert_eq!(listed[0]["recipient"], "***123");
    let messages = shown(&["inbound"]);
    assert!(messages.contains("STOP") && messages.contains("hel (1 of 3 parts)"), "{messages}");
    let from = shown(&["inbound", "--from", "+306900000001", "--json"]);
    let listed: Value = serde_json::from_str(&from).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["text"], &listed[0]["parts"]), (&"STOP".into(), &1.into()));
    let one: Value = serde_json::from_str(&shown(&["inbound", "--limit", "1", "--json"])).unwrap();
    assert_eq!(one.as_array().unwrap().len(), 1);
}
