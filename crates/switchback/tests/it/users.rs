//! `switchback user` and `switchback audit`.

use crate::support::{create_application, run};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// Runs a command on the data of a directory.
fn on(data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    run(&[arguments, &["--data", data.to_str().unwrap()]].concat(), environment)
}

fn done(data: &Path, arguments: &[&str]) -> String {
    let output = on(data, arguments, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(data: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(data, &[arguments, &["--json"]].concat())).unwrap()
}

/// The code of a link that was printed.
fn code(printed: &str) -> &str {
    let code = printed.lines().next().unwrap().split_once("/console/welcome?code=").unwrap().1;
    assert_eq!(code.len(), 43, "{printed}");
    code
}

#[test]
fn operators_are_kept_from_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let application = create_application(&data);
    let acme = application["applicationId"].as_str().unwrap();
    let added = done(&data, &["user", "add", "Ann", "--role", "support", "--application", acme]);
    assert!(added.starts_with("/console/welcome?code="), "{added}");
    let told = "ann sets a password there, on the address of the server, once, until 20";
    assert!(added.contains(told), "{added}");
    let again = done(&data, &["user", "link", "ann"]);
    assert_ne!(code(&added), code(&again));
    let url = [("SWITCHBACK__SERVER__PUBLIC_URL", "https://sms.acme.example/")];
    let output = on(&data, &["user", "add", "bob", "--role", "admin"], &url);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("https://sms.acme.example/console/welcome?code="), "{told}");
    for command in [
        &["user", "role", "ann", "viewer"][..],
        &["user", "applications", "ann", "--all"],
        &["user", "disable", "ann"],
        &["user", "enable", "ann"],
        &["user", "disable", "ann"],
        &["user", "remove", "bob"],
    ] {
        done(&data, command);
    }
    let listed = json(&data, &["user", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&"ann".into(), &"viewer".into()));
    assert_eq!((&listed[0]["applications"], &listed[0]["signsInBy"]), (&Value::Array(vec![]), &Value::Null));
    assert!(listed[0]["disabledAt"].is_string());
    let table = done(&data, &["user", "list"]);
    assert!(table.contains("nothing yet") && table.contains("| all "), "{table}");
    // No code is stored in plain.
    for name in ["switchback.db", "switchback.db-wal"] {
        let octets = std::fs::read(data.join(name)).unwrap_or_default();
        for code in [code(&added), code(&again)] {
            assert!(!octets.windows(code.len()).any(|window| window == code.as_bytes()), "{name}");
        }
    }
}

#[test]
fn the_audit_has_what_was_done_from_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    create_application(&data);
    done(&data, &["user", "add", "ann", "--role", "support"]);
    done(&data, &["user", "link", "ann"]);
    done(&data, &["user", "role", "ann", "viewer"]);
    let taken = on(&data, &["user", "add", "ANN", "--role", "admin"], &[]);
    assert_eq!(taken.status.code(), Some(1), "{taken:?}");
    let entries = json(&data, &["audit", "--operator", "command line"]);
    let told = entries.as_array().unwrap().iter().rev().map(|entry| {
        let word = |name: &str| entry[name].as_str().unwrap();
        (word("action"), word("subject"), word("outcome"))
    });
    let told: Vec<_> = told.collect();
    let expected = [
        ("operator.add", "ann", "done"),
        ("operator.link", "ann", "done"),
        ("operator.role", "ann", "done"),
        ("operator.add", "ann", "failed"),
    ];
    assert_eq!(told, expected);
    let newest = json(&data, &["audit", "--limit", "1"]);
    assert_eq!(newest[0]["reason"], "there is an operator ann already");
    let before = newest[0]["entry"].to_string();
    let older = json(&data, &["audit", "--limit", "1", "--before", &before]);
    assert_eq!(older[0]["action"], "operator.role");
    let links = json(&data, &["audit", "--action", "operator.link", "--subject", "ann"]);
    assert_eq!(links.as_array().unwrap().len(), 1);
    assert_eq!(json(&data, &["audit", "--operator", "ann"]), Value::Array(vec![]), "she did nothing yet");
    assert_eq!(json(&data, &["audit", "--operator", "the server"]), Value::Array(vec![]));
    let nobody = on(&data, &["audit", "--operator", "nobody"], &[]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no operator \"nobody\""), "{nobody:?}");
    let table = done(&data, &["audit"]);
    assert!(table.contains("support to viewer") && table.contains("failed: there is"), "{table}");
}

#[test]
fn what_is_no_operator_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    create_application(&data);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["user", "add", "a b", "--role", "admin"], 2, "must have 1 to 64 letters"),
        (&["user", "add", "ann", "--role", "root"], 2, "viewer, support, operator, admin"),
        (&["user", "add", "ann"], 2, "--role"),
        (&["user", "applications", "ann"], 2, "--all"),
        (&["user", "add", "ann", "--role", "viewer", "--application", "no"], 1, "there is no application no"),
        (&["user", "role", "ann", "admin"], 1, "there is no operator ann"),
    ];
    for (command, status, told) in cases {
        let output = on(&data, command, &[]);
        assert_eq!(output.status.code(), Some(status), "{command:?}: {output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(told) && output.stdout.is_empty(), "{command:?}: {error}");
    }
}
