//! What `--help` says of every command is what `help.txt` has, so that a change of it is seen.

#[path = "../../xtask/tests/snapshot/mod.rs"]
mod snapshot;

use std::process::Command;

fn help_of(command: &[String]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_switchback"));
    // Help shows the values of variables.
    let output = program.args(command).arg("--help").env_clear().output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The commands of a command, as its help lists them.
fn commands_in(help: &str) -> Vec<String> {
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let names = listed.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        // A second line of a description is indented further.
        line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next()
    });
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn write_help(command: &[String], all: &mut String) {
    let help = help_of(command);
    *all += &format!("$ switchback {}\n\n{help}\n", [command, &["--help".into()]].concat().join(" "));
    for name in commands_in(&help) {
        write_help(&[command, &[name]].concat(), all);
    }
}

#[test]
fn help_is_as_it_was() {
    let mut now = String::new();
    write_help(&[], &mut now);
    snapshot::compare(env!("CARGO_MANIFEST_DIR"), "tests/help.txt", &now);
}
