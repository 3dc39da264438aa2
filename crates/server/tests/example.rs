//! `switchback.example.toml` is the defaults: every key is in it, and what is commented out has its default.

use server::config::{Config, KindConfig};
use std::path::Path;

const EXAMPLE: &str = include_str!("../../../switchback.example.toml");

/// Whether a comment is a key or the head of a table, and not a sentence.
fn is_toml(line: &str) -> bool {
    let is_key = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '"');
    line.starts_with('[') && line.ends_with(']') || line.split_once(" = ").is_some_and(|(key, _)| is_key(key))
}

/// The text with its defaults (`#key = value`) and its examples (`# key = value`) uncommented.
fn uncommented(text: &str, defaults: bool, examples: bool) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(' ') => {
            rest.get(1..).filter(|rest| examples && is_toml(rest)).unwrap_or_default().to_owned()
        }
        Some(rest) if defaults => rest.to_owned(),
        Some(_) => String::new(),
        None => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new(""), []).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// All that a configuration says, but for secrets.
fn shown(config: &Config) -> String {
    let Config {
        server, store, engine, callbacks, limits, shortener, pricing, console, routes, senders, ..
    } = config;
    let mut shown =
        format!("{server:#?} {store:#?} {engine:#?} {callbacks:#?} {limits:#?} {shortener:#?} {pricing:#?}");
    shown += &format!("{console:#?}");
    for carrier in &config.carriers {
        let kind = match &carrier.kind {
            KindConfig::Sandbox(sandbox) => format!("{:?}", sandbox.delay),
            KindConfig::Smpp(smpp) => format!("{smpp:#?}"),
            KindConfig::Sip(sip) => format!("{sip:#?}"),
            KindConfig::Http(http) => {
                let (http, _) = &**http;
                format!("{} {:?} {:?} {:?}", http.provider, http.base_url, http.timeout, http.connect_timeout)
            }
        };
        shown += &format!("\n{:#?} {kind}", carrier.common);
    }
    format!("{shown}\n{routes:#?} {senders:#?}")
}

/// The example's sections, its sandbox, and its other carriers, routes and senders.
fn parts() -> (&'static str, &'static str, &'static str) {
    let at = |start: &str| EXAMPLE.find(start).unwrap_or_else(|| panic!("{start} is not there"));
    let (sandbox, others) = (at("\n#[[carrier]]"), at("\n# Of kind \"smpp\""));
    (&EXAMPLE[..sandbox], &EXAMPLE[sandbox..others], &EXAMPLE[others..])
}

#[test]
fn what_is_commented_out_has_its_default() {
    let (sections, sandbox, others) = parts();
    let nothing = shown(&parse(""));
    assert_eq!(shown(&parse(EXAMPLE)), nothing);
    assert_eq!(shown(&parse(&uncommented(&format!("{sections}{sandbox}"), true, false))), nothing);
    // Of carriers, routes and senders the examples are what is required; the rest is as without it.
    let needed = "[server]\npublic_url = \"https://sms.acme.example\"\n";
    let sandbox = uncommented(sandbox, true, false);
    let others =
        |defaults| shown(&parse(&format!("{needed}{sandbox}{}", uncommented(others, defaults, true))));
    assert_eq!(others(true), others(false));
    parse(&uncommented(EXAMPLE, true, true));
}

/// The keys that a table may have, from the error of an unknown one.
fn keys(table: &str) -> Vec<String> {
    let text = format!("{table}\nunheard_of = 1\n");
    let error = Config::parse(&text, Path::new(""), []).err().expect("an error");
    let list = error.problems.iter().find_map(|line| Some(line.split_once("`unheard_of`: there are ")?.1));
    let list = list.unwrap_or_else(|| panic!("{table}: {error}"));
    list.split(", ").map(|key| key.split([' ', ';']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_key_is_there() {
    let smpp = "[[carrier]]\nname = \"a\"\nkind = \"smpp\"\nchannels = [\"Sms\"]";
    let sip = "[[carrier]]\nname = \"a\"\nkind = \"sip\"\nchannels = [\"Voice\"]";
    let http = "[[carrier]]\nname = \"a\"\nkind = \"http\"\nchannels = [\"Viber\"]";
    let sandbox = "[[carrier]]\nname = \"a\"\nkind = \"sandbox\"\nchannels = [\"Viber\"]";
    let (trunk, speech, machine) = (
        format!("{sip}\n[[carrier.trunk]]"),
        format!("{sip}\n[carrier.speech]"),
        format!("{sip}\n[carrier.machine]"),
    );
    let tables = ["[server]", "[store]", "[engine]", "[callbacks]", "[limits]", "[shortener]", "[pricing]"];
    let more = ["[[route]]", "[[sender]]", sandbox, smpp, sip, http, &trunk, &speech, &machine];
    let mut missing = Vec::new();
    for table in tables.into_iter().chain(more) {
        let is_written = |key: &String| {
            let starts = [format!("#{key} = "), format!("# {key} = "), format!("# [carrier.{key}]")];
            let trunk = "# [[carrier.trunk]]";
            EXAMPLE.lines().any(|line| {
                starts.iter().any(|start| line.starts_with(start)) || line.contains(&format!(" {key} = "))
            }) || key == "trunk" && EXAMPLE.contains(trunk)
        };
        missing.extend(keys(table).into_iter().filter(|key| !is_written(key)));
    }
    assert!(missing.is_empty(), "switchback.example.toml lacks {missing:?}");
}
