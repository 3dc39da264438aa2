//! What holds for every command: where it looks, what it makes, how it ends, what it tells.

use crate::support::{PROGRAM, Process, account, create_application, run};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn text(output: &[u8]) -> &str {
    std::str::from_utf8(output).unwrap()
}

/// Runs a command in a directory.
fn within(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(directory).args(arguments).envs(environment.iter().copied()).output().unwrap()
}

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Every command that opens the data of a server; `ID` is an application.
const COMMANDS: [&[&str]; 26] = [
    &["app", "list"],
    &["app", "balance", "ID"],
    &["app", "limits", "ID"],
    &["app", "rotate", "ID"],
    &["app", "rotate", "--callback-secret", "ID"],
    &["user", "add", "ann", "--role", "viewer", "--application", "ID"],
    &["user", "role", "ann", "admin"],
    &["user", "applications", "ann", "ID"],
    &["user", "disable", "ann"],
    &["user", "enable", "ann"],
    &["user", "link", "ann"],
    &["user", "list"],
    &["user", "remove", "ann"],
    &["audit"],
    &["callbacks", "list"],
    &["flows", "quarantined"],
    &["receipts", "unmatched"],
    &["inbound"],
    &["suppress", "add", "--application", "ID", "--channel", "Sms", "+306900000001"],
    &["suppress", "list", "--application", "ID", "--channel", "Sms"],
    &["suppress", "remove", "--application", "ID", "--channel", "Sms", "+306900000001"],
    &["store", "compact"],
    &["index", "rebuild"],
    &["index", "verify"],
    &["index", "stats"],
    &["app", "revoke", "ID"],
];

/// A command, with an application's id where `ID` stands.
fn with_id<'a>(command: &[&'a str], id: &'a str) -> Vec<&'a str> {
    command.iter().map(|word| if *word == "ID" { id } else { word }).collect()
}

/// Options and environment.
type Way<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

#[test]
fn carriers_are_paused_listed_and_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, "[[carrier]]\nname = \"a\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\n").unwrap();
    let place = ["--data", data.to_str().unwrap()];
    let configured = [&place[..], &["--config", config.to_str().unwrap()]].concat();
    assert!(run(&[&["app", "create", "--name", "test"][..], &place].concat(), &[]).status.success());
    let carrier = |words: &[&str], place: &[&str]| run(&[&["carrier"][..], words, place].concat(), &[]);
    // Where the configuration is known, so are the carriers.
    let refused = carrier(&["pause", "b"], &configured);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no carrier \"b\""), "{refused:?}");
    assert!(carrier(&["pause", "--all"], &configured).status.success());
    assert!(carrier(&["drain", "b"], &place).status.success());
    for place in [&place[..], &configured] {
        let nameless = carrier(&["pause", ""], place);
        assert_eq!(nameless.status.code(), Some(1), "{nameless:?}");
        assert!(String::from_utf8_lossy(&nameless.stderr).contains("\"\" is none"), "{nameless:?}");
    }
    for wrong in [&["pause", "b c"][..], &["pause", "--all"], &["resume", "c"]] {
        assert_eq!(carrier(wrong, &place).status.code(), Some(1), "{wrong:?}");
    }
    let states = || -> Vec<String> {
        let listed = carrier(&["list", "--json"], &configured).stdout;
        let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
        let all = listed.as_array().unwrap().iter();
        all.map(|of| format!("{} {}", of["carrier"].as_str().unwrap(), of["state"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(states(), ["a paused", "b draining"]);
    assert!(carrier(&["resume", "--all"], &place).status.success());
    assert_eq!(states(), ["a running"]);
}

#[test]
fn rule_13_every_command_looks_where_the_configuration_and_the_environment_say() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let data = directory.path().join("data");
    let config = directory.path().join("sb.toml");
    std::fs::write(&config, format!("[store]\npath = \"{}\"\n", data.display())).unwrap();
    let (config, data) = (config.to_str().unwrap(), data.to_str().unwrap());
    let wrong = elsewhere.join("wrong");
    let wrong = wrong.to_str().unwrap();
    // By the file, by the environment, by the environment over the file, and by --data over both.
    let ways: [Way<'_>; 4] = [
        (&["--config", config], &[]),
        (&[], &[("SWITCHBACK__STORE__PATH", data)]),
        (&["--data", data], &[("SWITCHBACK__STORE__PATH", wrong)]),
        (&["--config", config, "--data", data], &[]),
    ];
    for (options, environment) in ways {
        let create = [&["app", "create", "--name", "x"], options].concat();
        let output = within(&elsewhere, &create, environment);
        assert!(output.status.success(), "{output:?}");
        let created: Value = serde_json::from_slice(&output.stdout).unwrap();
        let id = created["applicationId"].as_str().unwrap();
        for command in COMMANDS {
            let output = within(&elsewhere, &[&with_id(command, id), options].concat(), environment);
            assert!(output.status.success(), "{command:?} {options:?}: {output:?}");
        }
        assert_eq!(names(&elsewhere), Vec::<String>::new(), "{options:?}");
    }
    let replay = within(&elsewhere, &["callbacks", "replay", "--all", "--config", config], &[]);
    assert!(text(&replay.stderr).contains("nothing to replay"), "{replay:?}");
}

#[test]
fn rule_13_a_server_and_the_commands_beside_it_have_the_same_data() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("sb.toml");
    // Relative to the file, wherever the command is run.
    std::fs::write(&config, "[store]\npath = \"data\"\n").unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "localhost:0", "--config"]).arg(&config).current_dir("/");
    let mut child = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    let process = Process { child, url: line.trim().strip_prefix("listening on ").unwrap().to_owned() };
    let create = ["app", "create", "--name", "x", "--config", "../sb.toml"];
    let output = within(&directory.path().join("data"), &create, &[]);
    let created: Value = serde_json::from_slice(&output.stdout).unwrap();
    // It also has no scheme (rule 21).
    let environment = account(process.url.strip_prefix("http://").unwrap(), &created);
    let output = run(&["search"], &environment);
    assert!(output.status.success() && text(&output.stdout).contains("0 flows"), "{output:?}");
}

#[test]
fn rule_14_only_serve_and_app_create_make_a_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    for command in COMMANDS.iter().chain(&[&["callbacks", "replay", "--all"][..]]) {
        for options in [&["--data", "nowhere"][..], &[]] {
            let output = within(directory.path(), &[command, options].concat(), &[]);
            assert_eq!(output.status.code(), Some(1), "{command:?}: {output:?}");
            assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{command:?}: {output:?}");
            assert_eq!(names(directory.path()), Vec::<String>::new(), "{command:?} {options:?}");
        }
    }
    let output = within(directory.path(), &["app", "list"], &[]);
    assert!(text(&output.stderr).contains("no database at switchback-data/switchback.db"), "{output:?}");
    // A directory without a database is none either, and stays as it is.
    std::fs::create_dir(directory.path().join("empty")).unwrap();
    let output = within(directory.path(), &["app", "list", "--data", "empty"], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(names(&directory.path().join("empty")), Vec::<String>::new());
    // A name that is refused makes none.
    for (name, rule) in
        [(" ", "--name must not be empty"), ("a\nb", "--name must not have control characters")]
    {
        let output = within(directory.path(), &["app", "create", "--name", name], &[]);
        assert!(text(&output.stderr).contains(rule), "{output:?}");
        assert_eq!(names(directory.path()), ["empty"]);
    }
    assert!(within(directory.path(), &["app", "create", "--name", "x"], &[]).status.success());
    assert_eq!(names(directory.path()).len(), 2);
}

#[test]
fn rule_14_an_id_that_is_not_there_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    create_application(&data);
    let flow = "01890000-0000-7000-8000-000000000000";
    let commands: [(&[&str], &str); 17] = [
        (&["app", "balance", "nosuch"], "nosuch"),
        (&["app", "balance", "nosuch", "--set", "1"], "nosuch"),
        (&["app", "balance", "nosuch", "--add", "1"], "no application nosuch"),
        (&["app", "balance", "nosuch", "--none"], "nosuch"),
        (&["app", "limits", "nosuch", "--tokens-max", "5"], "nosuch"),
        (&["app", "rotate", "nosuch"], "nosuch"),
        (&["app", "rotate", "nosuch", "--callback-secret"], "nosuch"),
        (&["app", "revoke", "nosuch"], "nosuch"),
        (&["user", "role", "nosuch", "admin"], "nosuch"),
        (&["user", "link", "nosuch"], "nosuch"),
        (&["user", "remove", "nosuch"], "nosuch"),
        (&["suppress", "list", "--application", "nosuch", "--channel", "Sms"], "nosuch"),
        (&["suppress", "add", "--application", "nosuch", "--channel", "Sms", "+306900000001"], "nosuch"),
        (&["callbacks", "list", "--application", "nosuch"], "nosuch"),
        (&["suppress", "list", "--application", "nosuch", "--channel", "Fax"], "Sms, Viber or Voice"),
        (&["callbacks", "replay", flow], flow),
        (&["flows", "quarantined", "--release", flow], flow),
    ];
    for (command, named) in commands {
        let output = run(&[command, &["--data", data.to_str().unwrap()]].concat(), &[]);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {output:?}");
        assert!(output.stdout.is_empty() && text(&output.stderr).contains(named), "{command:?}: {output:?}");
    }
    // What is no id and no number is wrong usage; nobody is asked.
    let wrong: [&[&str]; 13] = [
        &["track", "../../metrics"],
        &["cancel", "tracking/01890000-0000-7000-8000-000000000000"],
        &["erase", ""],
        &["callbacks", "replay", "x"],
        &["app", "balance", "x", "--add", "79228162514264337593543950335"],
        &["app", "balance", "x", "--set", "much"],
        &["app", "limits", "x", "--tokens-max", "0"],
        &["search", "--size", "-1"],
        &["receipts", "unmatched", "--limit", "-1"],
        &["inbound", "--limit", "many"],
        &["audit", "--limit", "-1"],
        &["audit", "--limit", "0"],
        &["audit", "--limit", "1001"],
    ];
    let account =
        [("SWITCHBACK_APP_ID", "a"), ("SWITCHBACK_APP_SECRET", "b"), ("SWITCHBACK_URL", "127.0.0.1:9")];
    for command in wrong {
        let output = run(command, &account);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
    }
}

/// An SMSC that takes whatever comes (SMPP 3.4): each request is answered with status 0, submits with a
/// message id.
fn smsc() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || take_pdus(stream));
        }
    });
    port
}

fn take_pdus(mut stream: TcpStream) {
    let mut head = [0; 16];
    while stream.read_exact(&mut head).is_ok() {
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
        let mut body = vec![0; number(0) as usize - 16];
        stream.read_exact(&mut body).unwrap();
        let (command, sequence) = (number(4), number(12));
        let id: &[u8] = match command {
            // submit_sm
            0x4 => b"1\0",
            // bind_transceiver
            0x9 => b"smsc\0",
            _ => b"",
        };
        let words = [16 + id.len() as u32, command | 0x8000_0000, 0, sequence];
        let answer: Vec<u8> =
            words.iter().flat_map(|word| word.to_be_bytes()).chain(id.iter().copied()).collect();
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// The log of a server that sends a message over SMPP and one to nobody over HTTP.
fn log_of_messages(rust_log: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("sb.toml"));
    let carrier = format!(
        "[[carrier]]\nname = \"smsc\"\nkind = \"smpp\"\nchannels = [\"Sms\"]\nhost = \"127.0.0.1\"\nport = {}\n\
         system_id = \"acme\"\npassword = \"smppass\"\n[server]\npublic_url = \"http://a.example\"\n",
        smsc()
    );
    std::fs::write(&config, carrier).unwrap();
    let log = directory.path().join("log");
    let mut command = Command::new(PROGRAM);
    command
        .arg("serve")
        .arg("--data")
        .arg(&data)
        .arg("--config")
        .arg(&config)
        .args(["--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", rust_log).stderr(std::fs::File::create(&log).unwrap()).stdout(Stdio::piped());
    let mut process = Process::of(command.spawn().unwrap());
    let url = process.url.clone();
    let application = create_application(&data);
    let environment = account(&url, &application);
    let flow = r#"{"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+306987654321", "message": {"body": "xyzzy 4711"}}]}"#;
    let file = directory.path().join("flow.json");
    std::fs::write(&file, flow).unwrap();
    let output = run(&["send", file.to_str().unwrap()], &environment);
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let output = run(&["track", sent["trackingId"].as_str().unwrap()], &environment);
        let tracking: Value = serde_json::from_slice(&output.stdout).unwrap();
        if tracking["messages"][0]["status"]["name"] == "Sent" {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{tracking}");
        std::thread::sleep(Duration::from_millis(50));
    }
    process.stop();
    std::fs::read_to_string(log).unwrap()
}

#[test]
fn rule_16_no_level_of_the_log_tells_secrets_bodies_or_recipients() {
    for level in ["debug", "trace", "warn,trace"] {
        let log = log_of_messages(level);
        assert!(log.contains("data opened"), "{log}");
        for secret in ["smppass", "xyzzy", "306987654321"] {
            let line = log.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "RUST_LOG={level}: {secret} in {}", line.unwrap_or_default());
        }
    }
}

#[test]
fn rule_16_a_rust_log_that_is_none_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .args(["serve", "--config", "nowhere.toml"])
        .current_dir(&directory)
        .env("RUST_LOG", "server=loud");
    let output = command.output().unwrap();
    assert!(text(&output.stderr).starts_with("warning: RUST_LOG: "), "{output:?}");
}

/// Runs a command whose reader is gone before it begins.
fn unread(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    child.wait_with_output().unwrap()
}

#[test]
fn rule_17_a_reader_that_leaves_is_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("sb.toml"));
    std::fs::write(&config, "[engine]\nminute = \"1s\"\n").unwrap();
    let process = Process::serve(&data, &config);
    let application = create_application(&data);
    let environment = account(&process.url, &application);
    let (id, path) = (application["applicationId"].as_str().unwrap(), data.to_str().unwrap());
    let file = directory.path().join("flow.json");
    let flow = r#"{"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+306900000010", "message": {"body": "hi"}}]}"#;
    std::fs::write(&file, flow).unwrap();
    let sent = run(&["send", file.to_str().unwrap()], &environment);
    let sent: Value = serde_json::from_slice(&sent.stdout).unwrap();
    let of = ["--application", id, "--channel", "Sms", "--data", path];
    assert!(run(&[&["suppress", "add", "+306900000001"], &of[..]].concat(), &[]).status.success());
    let config = config.to_str().unwrap();
    let commands: [&[&str]; 25] = [
        &["--help"],
        &["--version"],
        &["app", "list", "--data", path],
        &["app", "list", "--json", "--data", path],
        &["user", "list", "--data", path],
        &["audit", "--data", path],
        &["app", "balance", id, "--data", path],
        &["app", "limits", id, "--data", path],
        &["callbacks", "list", "--data", path],
        &["callbacks", "list", "--json", "--data", path],
        &["flows", "quarantined", "--data", path],
        &["receipts", "unmatched", "--data", path],
        &["receipts", "unmatched", "--json", "--data", path],
        &["inbound", "--data", path],
        &["inbound", "--from", "+306900000001", "--json", "--data", path],
        &["suppress", "list", "--application", id, "--channel", "Sms", "--data", path],
        &["suppress", "list", "--csv", "--application", id, "--channel", "Sms", "--data", path],
        &["config", "check", config],
        &["route", "explain", "--config", config, "--channel", "Sms", "--to", "+306900000001"],
        &["send", file.to_str().unwrap()],
        &["track", sent["trackingId"].as_str().unwrap()],
        &["search"],
        &["search", "--json"],
        &["export"],
        &["export", "--format", "csv"],
    ];
    for command in commands {
        let output = unread(command, &environment);
        assert!(output.status.success(), "{command:?}: {output:?}");
        assert_eq!(text(&output.stderr), "", "{command:?}");
    }
    // What can't be written for another reason is a failure.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(PROGRAM);
    let output =
        command.args(["app", "list", "--data", path]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("writing the output"), "{output:?}");
}

#[test]
fn rule_17_a_server_goes_on_when_nobody_reads_what_it_tells() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg("--data").arg(&data).args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "trace");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut process = Process::of(child);
    let url = process.url.clone();
    let application = create_application(&data);
    assert!(run(&["search"], &account(&url, &application)).status.success());
    process.stop();
}

/// What `config check` and `serve` say of a configuration that both refuse.
fn refused(directory: &Path, config: &str) -> String {
    let file = directory.join("sb.toml");
    std::fs::write(&file, config).unwrap();
    let check = run(&["config", "check", file.to_str().unwrap()], &[]);
    assert_eq!(check.status.code(), Some(1), "{config}: {check:?}");
    let serve = run(&["serve", "--config", file.to_str().unwrap()], &[("RUST_LOG", "off")]);
    assert_eq!(serve.status.code(), Some(1), "{config}: {serve:?}");
    assert_eq!(text(&check.stderr), text(&serve.stderr), "{config}");
    text(&check.stderr).to_owned()
}

#[test]
fn rule_18_what_serve_refuses_config_check_refuses_in_the_same_words() {
    let directory = tempfile::tempdir().unwrap();
    let sip =
        "[[carrier]]\nname = \"trunk\"\nkind = \"sip\"\nchannels = [\"Voice\"]\ntrunk = [{ host = \"h\" }]\n";
    let sms = "[[carrier]]\nname = \"sms\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\n";
    let http = "[server]\npublic_url = \"https://a.example\"\n[[carrier]]\nname = \"h\"\nkind = \"http\"\nchannels = [\"Sms\"]\n";
    for (config, told) in [
        ("[server]\ntls = { cert = \"no.pem\", key = \"no.pem\" }\n".to_owned(), "line 2: server.tls.cert: "),
        (format!("{sms}prices = {{ Sms = \"-1\" }}\n"), "line 5: carrier sms: prices.Sms: must be 0 to"),
        ("[store]\npath = \"/etc/passwd\"\n".into(), "line 2: store.path: /etc/passwd: is no directory"),
        ("[store]\npath = \"/etc/passwd/data\"\n".into(), "line 2: store.path: /etc/passwd: is no directory"),
        ("[store]\nencryption_key = { file = \"no\" }\n".into(), "line 2: store.encryption_key: "),
        ("[pricing]\nrates = \"no.csv\"\n".into(), "line 2: pricing.rates: "),
        ("[server]\nlisten = \"192.0.2.1:0\"\n".into(), "line 2: server.listen: 192.0.2.1:0: "),
        ("[callbacks]\nconcurrency = 9223372036854775807\n".into(), "line 2: callbacks.concurrency: must be"),
        (format!("{sip}bind = \"192.0.2.1:0\"\n"), "line 6: carrier trunk: bind: 192.0.2.1:0: "),
        (
            format!("{sip}bind = \"0.0.0.0:5\"\ndirect_bind = \"0.0.0.0:5\"\n"),
            "carrier trunk: direct_bind: 0.0.0.0:5",
        ),
        (format!("{http}provider = \"no.toml\"\n"), "line 7: carrier h: provider: "),
        (format!("{http}provider = \"vonage-sms\"\n"), "line 3: carrier h: settings"),
        (
            format!("{sms}[[route]]\nchannel = \"Sms\"\ncarriers = [\"no\"]\n"),
            "line 7: route[0]: carriers[0]: there is no carrier",
        ),
    ] {
        let error = refused(directory.path(), &config);
        assert!(error.contains(told), "{told} in {error}");
        assert_eq!(names(directory.path()), ["sb.toml"], "{config}");
    }
    // All at once.
    let all = "[server]\ntls = { cert = \"no.pem\", key = \"no.key\" }\n[store]\npath = \"/etc/passwd\"\n[pricing]\nrates = \"no.csv\"\n";
    let error = refused(directory.path(), all);
    assert_eq!(error.lines().count(), 4, "{error}");
}

#[test]
fn rule_18_what_fails_later_for_certain_is_found_and_a_server_warns_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("sb.toml");
    let sip = |host: &str, speech: &str| {
        format!(
            "[[carrier]]\nname = \"trunk\"\nkind = \"sip\"\nchannels = [\"Voice\"]\n\
             trunk = [{{ host = \"{host}\" }}]\nspeech = {{ {speech} }}\n"
        )
    };
    let smpp = "[[carrier]]\nname = \"smsc\"\nkind = \"smpp\"\nchannels = [\"Sms\"]\nsystem_id = \"a\"\npassword = \"b\"\n";
    for (text_of, told) in [
        (
            sip("h", "command = [\"no-such-program\"]"),
            "line 6: carrier trunk: speech.command: there is no program",
        ),
        (sip("h", "url = \"say.example\""), "line 6: carrier trunk: speech.url: must be an http"),
        (sip("a b", "command = [\"true\"]"), "carrier trunk: trunk[0].host: must be a host"),
        (format!("{smpp}host = \"smpp://h\"\n"), "line 7: carrier smsc: host: must be a host"),
        (format!("{smpp}host = \"h\"\nport = 0\n"), "line 8: carrier smsc: port: must be 1 to 65535"),
        ("[server]\npublic_url = \"https://\"\n".into(), "line 2: server.public_url: must be"),
    ] {
        std::fs::write(&config, &text_of).unwrap();
        let check = run(&["config", "check", config.to_str().unwrap()], &[]);
        assert_eq!(check.status.code(), Some(1), "{text_of}: {check:?}");
        assert!(text(&check.stderr).contains(told), "{told} in {check:?}");
    }
    // As before, such a server starts: what else it does may be right.
    std::fs::write(&config, sip("h", "command = [\"no-such-program\"]")).unwrap();
    Process::serve(&directory.path().join("data"), &config).stop();
}

#[test]
fn rule_19_a_configuration_is_the_same_from_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let etc = directory.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::write(
        etc.join("sb.toml"),
        "[store]\npath = \"data\"\nencryption_key = { file = \"encryption.key\" }\n",
    )
    .unwrap();
    std::fs::write(etc.join("encryption.key"), "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n").unwrap();
    for (current, file) in [(directory.path(), "etc/sb.toml"), (&*etc, "sb.toml"), (Path::new("/"), "")] {
        let whole = etc.join("sb.toml");
        let file = if file.is_empty() { whole.to_str().unwrap() } else { file };
        let output = within(current, &["config", "check", file], &[]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    let output = within(directory.path(), &["app", "create", "--name", "x", "--config", "etc/sb.toml"], &[]);
    assert!(output.status.success() && etc.join("data/switchback.db").exists(), "{output:?}");
}

#[test]
fn rule_19_data_of_before_are_found_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let etc = directory.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::write(etc.join("sb.toml"), "[store]\npath = \"data\"\n").unwrap();
    create_application(&directory.path().join("data"));
    let output = within(directory.path(), &["app", "list", "--json", "--config", "etc/sb.toml"], &[]);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()[0]["name"], "test");
    let warning = "warning: etc/sb.toml: line 2: store.path: data is taken from the current directory";
    assert!(text(&output.stderr).starts_with(warning), "{output:?}");
    // Where there are data beside the file as well, those count, and the others are told of.
    create_application(&etc.join("data"));
    let output = within(directory.path(), &["app", "list", "--json", "--config", "etc/sb.toml"], &[]);
    let warning = "warning: etc/sb.toml: line 2: store.path: etc/data is taken; there are data in data of";
    assert!(text(&output.stderr).starts_with(warning), "{output:?}");
    let output = within(&etc, &["app", "list", "--json", "--config", "sb.toml"], &[]);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn rule_20_a_list_is_written_and_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let applications = [create_application(&data), create_application(&data)];
    let suppress = |application: &Value, command: &str, more: &[&str]| {
        let id = application["applicationId"].as_str().unwrap();
        let of =
            ["suppress", command, "--application", id, "--channel", "Sms", "--data", data.to_str().unwrap()];
        let output = run(&[&of, more].concat(), &[]);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    for (recipient, reason) in
        [("+306900000098", "a \"b\", c\r\n d"), ("+306900000099", "line1\nline2"), ("+306900000100", "")]
    {
        suppress(&applications[0], "add", &[recipient, "--reason", reason]);
    }
    let file = directory.path().join("list.csv");
    let written = suppress(&applications[0], "list", &["--csv"]);
    std::fs::write(&file, &written).unwrap();
    let told = suppress(&applications[1], "import", &[file.to_str().unwrap()]);
    assert!(text(&told).starts_with("3 recipients"), "{}", text(&told));
    assert_eq!(text(&suppress(&applications[1], "list", &["--csv"])), text(&written));
    // With a header as well.
    std::fs::write(&file, ["recipient,reason\r\n".as_bytes(), &written].concat()).unwrap();
    let told = suppress(&applications[1], "import", &[file.to_str().unwrap()]);
    assert!(text(&told).starts_with("3 recipients"), "{}", text(&told));
}

#[test]
fn rule_21_an_error_names_what_was_written_and_says_what_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("sb.toml");
    std::fs::write(
        &config,
        "[[carrier]]\nname = \"smsc\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\nwindow = \"x\"\n",
    )
    .unwrap();
    let check = ["config", "check", config.to_str().unwrap()];
    let output = run(&check, &[("SWITCHBACK__SERVER__LISTN", "x"), ("SWITCHBACK__ENGINE__MINUTE", "1ms")]);
    let told = text(&output.stderr);
    for expected in [
        "SWITCHBACK__SERVER__LISTN: server.listn: unknown key `listn`",
        "did you mean `listen`?",
        "SWITCHBACK__ENGINE__MINUTE: engine.minute: must be at least 10ms",
        "sb.toml: line 5: carrier smsc: window: must be a whole number",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    let environment = [("SWITCHBACK_APP_ID", "a"), ("SWITCHBACK_APP_SECRET", "b")];
    let output = run(&["search", "--url", "ftp://127.0.0.1"], &environment);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("SWITCHBACK_URL must be an http or https URL"), "{output:?}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = directory.path().join("data");
    let output =
        run(&["serve", "--data", data.to_str().unwrap(), "--listen", &address], &[("RUST_LOG", "off")]);
    assert!(
        text(&output.stderr).starts_with(&format!("error: --listen: server.listen: {address}: ")),
        "{output:?}"
    );
    // Nobody listens there: the address is told, and not that a URL has no base.
    let output = run(&["search", "--url", "127.0.0.1:9"], &environment);
    assert!(text(&output.stderr).starts_with("error: asking http://127.0.0.1:9"), "{output:?}");
    let output = run(&["serve", "--listen", "8080"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("such as 127.0.0.1:8080"), "{output:?}");
}

#[test]
fn rule_9_credentials_fit_into_a_line_of_base64() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let created = create_application(&data);
    let id = created["applicationId"].as_str().unwrap();
    let output = run(&["app", "rotate", id, "--data", data.to_str().unwrap()], &[]);
    let rotated: Value = serde_json::from_slice(&output.stdout).unwrap();
    for credentials in [&created, &rotated] {
        let secret = credentials["applicationSecret"].as_str().unwrap();
        assert!(secret.len() == 20 && secret.bytes().all(|b| b.is_ascii_alphanumeric()), "{secret}");
        assert!((id.len() + 1 + secret.len()).div_ceil(3) * 4 <= 60);
    }
    assert_ne!(created["applicationSecret"], rotated["applicationSecret"]);
}

/// A server that gives tokens and answers everything else with 400.
fn refusing_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut octet = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut octet).unwrap() == 1 {
                head.push(octet[0]);
            }
            let (status, body) = if head.starts_with(b"POST /oauth/token") {
                ("200 OK", r#"{"access_token": "t"}"#)
            } else {
                ("400 Bad Request", r#"{"errors": [{"field": "to", "message": "must be a recipient"}]}"#)
            };
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn rule_21_what_is_missing_is_named_with_every_way_to_give_it() {
    for (command, ways) in [
        (&["callbacks", "replay"][..], ["<TRACKING_ID", "--all"]),
        (&["call", "--to", "sip:a@192.0.2.1"], ["--say <SAY>", "--play <PLAY>"]),
    ] {
        let output = run(command, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(ways.iter().all(|way| text(&output.stderr).contains(way)), "{output:?}");
    }
}

#[test]
fn rule_7_erase_names_both_ways_and_passes_a_refusal_on() {
    let environment = [("SWITCHBACK_APP_ID", "a"), ("SWITCHBACK_APP_SECRET", "b")];
    let output = run(&["erase"], &environment);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(told.contains("--to <RECIPIENT>") && told.contains("ID"), "{told}");
    let both = ["erase", "01890000-0000-7000-8000-000000000000", "--to", "+306900000000"];
    assert_eq!(run(&both, &environment).status.code(), Some(2));

    let output = run(&["erase", "--to", "abc", "--url", &refusing_server()], &environment);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("to must be a recipient") && output.stdout.is_empty(),
        "{output:?}"
    );
}

#[test]
fn rule_15_whatever_is_made_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("sb.toml");
    std::fs::write(&config, "[store]\npath = \"a/data\"\n").unwrap();
    let create = format!("umask 000; exec {PROGRAM} app create --name a --config {}", config.display());
    assert!(Command::new("sh").args(["-c", &create]).status().unwrap().success());
    let index = format!("umask 000; exec {PROGRAM} index rebuild --config {}", config.display());
    assert!(Command::new("sh").args(["-c", &index]).status().unwrap().success());
    let mut open: Vec<PathBuf> = vec![directory.path().join("a")];
    while let Some(path) = open.pop() {
        let mode = std::fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
