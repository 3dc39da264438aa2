//! The command line as people use it.

use crate::support::{PROGRAM, Process, create_application, run};
use serde_json::Value;
use std::process::Command;

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
    let environment = [
        ("SWITCHBACK_URL", process.url.as_str()),
        ("SWITCHBACK_APP_ID", application["applicationId"].as_str().unwrap()),
        ("SWITCHBACK_APP_SECRET", application["applicationSecret"].as_str().unwrap()),
    ];
    let file = directory.path().join("flow.json");
    let flow = r#"{"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+306900000010", "message": {"body": "hi"}}]}"#;
    std::fs::write(&file, flow).unwrap();
    let output = run(&["send", file.to_str().unwrap()], &environment);
    assert!(output.status.success(), "{output:?}");
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    let id = sent["trackingId"].as_str().unwrap();
    let output = run(&["track", id], &environment);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["trackingId"], id);
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
    let environment = [
        ("SWITCHBACK_URL", url.as_str()),
        ("SWITCHBACK_APP_ID", id),
        ("SWITCHBACK_APP_SECRET", application["applicationSecret"].as_str().unwrap()),
    ];
    let file = directory.path().join("flow.json");
    let flow = r#"{"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+306900000010", "message": {"body": "hi"}}]}"#;
    std::fs::write(&file, flow).unwrap();
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
    assert!(text(&output.stderr).contains("E.164"));
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
    // Nobody listens there.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = run(&["call", "--to", &format!("sip:x@127.0.0.1:{port}"), "--say", "hello"], &[]);
    assert!(text(&output.stdout).contains("calling"));
    assert!(text(&output.stderr).contains("no trunk"), "{output:?}");
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
