//! The configuration as its users write it.

use super::*;
use carriers::Provider;
use flow::Channel;
use std::path::Path;
use std::time::Duration;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new(""), []).map_err(|error| error.to_string())
}

#[test]
fn nothing_at_all_is_a_sandbox() {
    let config = parse("").unwrap();
    assert_eq!(config.carriers.len(), 1);
    assert_eq!(config.carriers[0].common.channels, Channel::ALL);
}

#[test]
fn unknown_keys_get_a_suggestion() {
    let error = |text: &str| parse(text).err().unwrap();
    assert!(error("[server]\nlisen = \"1.2.3.4:5\"").contains("did you mean `listen`?"));
    let sandbox = "[[carrier]]\nname = \"s\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\n";
    assert!(error(&format!("{sandbox}delai = \"1s\"")).contains("did you mean `delay`?"));
    assert!(error(&format!("{sandbox}windw = 3")).contains("did you mean `window`?"));
    assert!(error(&format!("{sandbox}{sandbox}")).contains("same name"));
    assert!(error("[engine]\nminute = \"soon\"").contains("line 2: engine.minute: expected a duration"));
    assert!(error("[callbacks]\ntimeout = \"10m\"").contains("line 2: callbacks.timeout"));
    let keys = parse("[store]\nencryption_key = \"c2hvcnQ=\"").unwrap().store.keys();
    assert!(keys.err().unwrap().to_string().starts_with("store.encryption_key: must be 32"));
    assert!(error("[store]\nold_encryption_keys = [\"c2hvcnQ=\"]").contains("need store.encryption_key"));
}

/// A configuration with every kind of table.
const EVERYTHING: &str = r#"
[server]
listen = "127.0.0.1:1"
public_url = "https://a.example"
requests_per_second = 5
shutdown = "1s"
tls = { cert = "a", key = "b" }
[store]
path = "data"
retention_days = 3
cached_flows_max = 7
encryption_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
old_encryption_keys = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
[engine]
minute = "1s"
lenient_order = false
[callbacks]
allow_private = true
timeout = "5s"
concurrency = 5
[limits]
steps_max = 5
search_timeout = "5s"
[shortener]
base_url = "https://s.example"
[pricing]
currency = "EUR"
[[carrier]]
name = "smsc"
kind = "smpp"
channels = ["Sms"]
rate = 5
window = 5
unknown_submit = "wait"
success_min = 0.5
prices = { Sms = "0.05" }
host = "a.example"
port = 2775
system_id = "id"
password = "password"
bind = "separate"
tls = true
response_timeout = "3s"
concatenation = "sar"
submit_id = "hex"
alphanumeric_sender = [5, 0]
stat = { X = { status = "Delivered", detail = "Delivered" } }
[[carrier]]
name = "trunk"
kind = "sip"
channels = ["Voice"]
bind = "0.0.0.0:0"
public_address = "192.0.2.1"
media_ports = [1000, 2000]
calls_max = 5
trunk = [{ host = "a.example", port = 5060, transport = "tls", username = "u", password = "p", register = true }]
speech = { command = ["say"], timeout = "3s" }
machine = { pause = "1s", loudness = 3.5, status = "Busy" }
[[carrier]]
name = "provider"
kind = "http"
channels = ["Sms"]
provider = "infobip-sms"
base_url = "https://a.example"
timeout = "3s"
settings = { base_url = "https://x.api.infobip.com", api_key = "key", receipt_token = "0123456789abcdef" }
[[route]]
channel = "Sms"
prefixes = ["+30"]
countries = ["GR"]
carriers = ["smsc", { carrier = "provider", priority = 1, weight = 2 }]
[[sender]]
id = "Acme"
channel = "Sms"
name = "Acme"
carriers = { smsc = "ACME" }
"#;

/// Whatever is in the place of a value, the error says where it is and never what it is.
#[test]
fn no_error_of_the_configuration_repeats_a_value() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let check = |text: &str, environment: Vec<(String, String)>| {
        let Surroundings { refused, failing, .. } =
            Config::parse(text, Path::new(""), environment).map_err(|error| error.to_string())?.survey();
        // The files and the program of this configuration are nowhere.
        let named = ["server.tls.", "pricing.rates", "speech.command", ".direct_bind"];
        let others = refused.into_iter().chain(failing);
        let others: Vec<_> = others
            .filter(|text| text.contains("hunter2") || !named.iter().any(|key| text.contains(key)))
            .collect();
        if others.is_empty() { Ok(()) } else { Err(others.join("\n")) }
    };
    assert_eq!(check(EVERYTHING, Vec::new()), Ok(()));
    // Text that is wrong by its characters or by its length, other types, and what is no TOML.
    let wrong = [
        "\"hunter2 \\u001b \"",
        "\"hunter2",
        "hunter2",
        "{ env = \"hunter2!\" }",
        "{ env = [\"hunter2\"] }",
        "{ hunter = \"hunter2\" }",
        "[[\"hunter2\"], \"hunter2\", 7732777]",
        "7732777",
        "-7732777",
        "7732777.5",
        "7732-07-07",
    ];
    let mut refused = 0;
    let mut section = "";
    for (at, line) in EVERYTHING.lines().enumerate() {
        section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(section);
        let Some((key, _)) = line.split_once(" = ") else { continue };
        for value in wrong {
            let mut lines: Vec<String> = EVERYTHING.lines().map(str::to_owned).collect();
            lines[at] = format!("{key} = {value}");
            let mut errors = vec![check(&lines.join("\n"), Vec::new())];
            if !section.starts_with('[') {
                let name = format!("{ENV_PREFIX}{section}__{key}").to_uppercase();
                errors.push(check(EVERYTHING, vec![(name, value.to_owned())]));
            }
            for error in errors.into_iter().filter_map(Result::err) {
                let error = error.to_string();
                assert!(!error.contains("hunter2") && !error.contains("7732"), "{key} = {value}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 400, "{refused}");
    let error = check("[store]\nencryption_key = \"hunter2", Vec::new()).unwrap_err();
    assert!(error.starts_with("line 2, column "), "{error}");
    let error = check(&EVERYTHING.replace("password = \"password\"", "password = 5"), Vec::new());
    assert!(error.unwrap_err().starts_with("line 40: carrier smsc: password: must be a text"));
}

#[test]
fn no_error_of_a_providers_file_repeats_a_value() {
    let preset = include_str!("../../../carriers/presets/vonage-sms.toml");
    assert!(Provider::parse(preset).is_ok());
    let mut refused = 0;
    for (at, line) in preset.lines().enumerate() {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        for value in ["\"hunter2", "[[\"hunter2\"]]", "7732777", "{ hunter = \"hunter2\" }"] {
            let mut lines: Vec<String> = preset.lines().map(str::to_owned).collect();
            lines[at] = format!("{key} = {value}");
            if let Err(error) = Provider::parse(&lines.join("\n")) {
                let error = error.to_string();
                assert!(!error.contains("hunter2") && !error.contains("7732"), "{key} = {value}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn rule_21_an_override_that_is_wrong_is_named() {
    for (name, value, told) in [
        ("STORE__QUEUE_MAX", "hunter2", "store.queue_max: must be a whole number"),
        ("STORE__QUEUE_MAX", "0", "store.queue_max: must be 1 to 1000000"),
        ("SERVER__LISTN", "x", "server.listn: unknown key `listn`"),
        ("SERVER__LISTEN", "example.com:80", "server.listen: must be an address and a port"),
        ("SERVR__LISTEN", "x", "servr: unknown key `servr`"),
        ("SERVER__TLS", "{ cert = \"a\" }", "server.tls: the key `key` is missing"),
        ("LISTEN", "x", "expected SWITCHBACK__SECTION__KEY"),
        ("CARRIER__NAME", "x", "[[carrier]] can't be set"),
        ("ROUTE__CHANNEL", "Sms", "[[route]] can't be set"),
    ] {
        let name = format!("SWITCHBACK__{name}");
        let text = "[server]\nlisten = \"127.0.0.1:1\"\n[store]\nqueue_max = 5";
        let error = Config::parse(text, Path::new(""), [(name.clone(), value.to_owned())]).err().unwrap();
        let error = error.to_string();
        assert!(error.starts_with(&format!("{name}: {told}")), "{error}");
        assert!(error.lines().count() == 1 && !error.contains("hunter2"), "{error}");
    }
}

/// A configuration with a mistake of every kind, each in its line.
const MISTAKES: &str = r#"
[server]
listn = "127.0.0.1:1"
public_url = 5
[engine]
minute = "soon"
[limits]
steps_max = 0
tokens_max = 0
[pricing]
currency = "euro"
[[carrier]]
name = "smsc"
kind = "smpp"
channels = ["Sms", "Voice"]
window = 0
prices = { Sms = "-1", Voice = "1000000001" }
host = "a.example"
port = "x"
system_id = "id"
password = 5
[[carrier]]
kind = "carrier-pigeon"
[[carrier]]
name = "lost"
kind = "http"
channels = ["Sms"]
provider = "nobody"
[[route]]
channel = "Sms"
carriers = ["smsc", "lost", "nowhere"]
[[route]]
channel = "Fax"
[[sender]]
id = "a"
channel = "Sms"
carriers = { nowhere = "1" }
"#;

#[test]
fn rule_18_all_mistakes_are_told_at_once_with_line_and_carrier() {
    let error = parse(MISTAKES).err().unwrap();
    for told in [
        "line 3: server.listn: unknown key",
        "line 4: server.public_url: must be a string",
        "line 6: engine.minute: expected a duration",
        "line 8: limits.steps_max: must be 1 to",
        "line 9: limits.tokens_max: must be 1 to",
        "line 11: pricing.currency: must be three",
        "line 21: carrier smsc: password: must be a text",
        "line 16: carrier smsc: window: must be at least 1",
        "line 17: carrier smsc: prices.Sms: must be 0 to",
        "line 17: carrier smsc: prices.Voice: must be 0 to",
        "line 19: carrier smsc: port: must be a whole number from 0 to 65535, not this text",
        "line 22: carrier[1]: the key `name` is missing",
        "line 23: carrier[1]: kind: must be",
        "line 28: carrier lost: provider: must be the path",
        "line 31: route[0]: carriers[2]: there is no carrier \"nowhere\"",
        "line 33: route[1]: channel: must be one of Sms, Viber, Voice",
        "line 37: sender[0]: carriers.nowhere: there is no carrier \"nowhere\"",
    ] {
        assert!(error.contains(told), "{told} in:\n{error}");
    }
    assert_eq!(error.lines().count(), 17, "{error}");
}

#[test]
fn rule_19_every_relative_path_is_relative_to_the_file() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
        ("token", "0123456789abcdef"),
        ("password", "secret"),
        ("rates.csv", "channel,price\nSms,0.1\n"),
        ("acme.toml", include_str!("../../../carriers/presets/infobip-sms.toml")),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let text = r#"
[server]
public_url = "https://a.example"
tls = { cert = "cert", key = "tls-key" }
[store]
path = "data"
encryption_key = { file = "key" }
old_encryption_keys = [{ file = "key" }]
[pricing]
rates = "rates.csv"
[[carrier]]
name = "smsc"
kind = "smpp"
channels = ["Sms"]
host = "a.example"
system_id = "id"
password = "password"
tls = true
tls_ca = "ca"
[[carrier]]
name = "acme"
kind = "http"
channels = ["Sms"]
provider = "acme.toml"
settings = { base_url = "https://x.example", api_key = "key", receipt_token = { file = "token" } }
[[carrier]]
name = "trunk"
kind = "sip"
channels = ["Voice"]
trunk = [{ host = "a.example", username = "u", password = { file = "password" }, transport = "tls", tls_ca = "trunk-ca" }]
speech = { command = ["bin/say"] }
"#;
    let config = Config::parse(text, directory.path(), []).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.store.path, directory.path().join("data"));
    let found = config.survey();
    let missing = |key: &str, name: &str| {
        let path = directory.path().join(name);
        let told = found.refused.iter().chain(&found.failing).filter(|text| text.contains(key));
        assert!(told.clone().count() == 1, "{key} in {found:?}");
        assert!(told.clone().all(|text| text.contains(path.to_str().unwrap())), "{key} in {found:?}");
    };
    // What is not there is looked for beside the file, and what is there is found.
    missing("server.tls.cert", "cert");
    missing("server.tls.key", "tls-key");
    missing("carrier smsc: tls_ca", "ca");
    missing("carrier trunk: trunk[0].tls_ca", "trunk-ca");
    missing("carrier trunk: speech.command", "bin/say");
    assert_eq!((found.refused.len(), found.failing.len()), (4, 1), "{found:?}");
}

#[test]
fn rule_19_what_was_relative_to_the_current_directory_is_taken_with_a_warning() {
    // Tests run in their crate's directory.
    let directory = tempfile::tempdir().unwrap();
    let text = "[store]\npath = \"src\"\nencryption_key = { file = \"Cargo.toml\" }\n";
    let config = Config::parse(text, directory.path(), []).unwrap();
    assert_eq!(config.store.path, Path::new("src"));
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    assert!(config.warnings[0].starts_with("line 2: store.path: src is taken from the current directory"));
    assert!(config.warnings[1].starts_with("line 3: store.encryption_key: Cargo.toml is taken from"));
    // What is beside the file goes first.
    std::fs::create_dir(directory.path().join("src")).unwrap();
    let config = Config::parse(text, directory.path(), []).unwrap();
    assert_eq!((config.store.path, config.warnings.len()), (directory.path().join("src"), 1));
    // Where nothing is said, the data are in the current directory, with and without a file.
    let config = Config::parse("", directory.path(), []).unwrap();
    assert_eq!(config.store.path, Path::new("switchback-data"));
}

#[test]
fn networks_of_trusted_proxies_are_read_and_mistakes_named() {
    let config = parse("[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1/128\"]").unwrap();
    assert!(config.server.trusted_proxies[0].contains(&std::net::IpAddr::from([10, 1, 2, 3])));
    let error = parse("[server]\ntrusted_proxies = [\"10.0.0.0\"]").err().unwrap();
    assert!(error.contains("trusted_proxies"), "{error}");
    assert_eq!(parse("").unwrap().server.requests_per_second, 1000);
}

#[test]
fn the_environment_overrides_the_file() {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = [
        variable("SWITCHBACK__SERVER__LISTEN", "127.0.0.1:9"),
        variable("SWITCHBACK__ENGINE__MINUTE", "1s"),
        variable("SWITCHBACK__ENGINE__LENIENT_ORDER", "false"),
        variable("SWITCHBACK_URL", "not ours"),
    ];
    let text = "[server]\nlisten = \"127.0.0.1:1\"";
    let config = Config::parse(text, Path::new(""), environment).unwrap();
    assert_eq!(config.server.listen.port(), 9);
    assert_eq!(config.engine.minute, Duration::from_secs(1));
    assert!(!config.engine.lenient_order);
}

#[test]
fn a_route_with_a_mistake_is_refused() {
    let error = |route: &str| {
        let carriers = ["a", "b", "c"].map(|name| {
            format!("[[carrier]]\nname = \"{name}\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\"]\n")
        });
        parse(&(carriers.concat() + route)).err().unwrap()
    };
    let route = "[[route]]\nchannel = \"Voice\"\ncarriers = [\"a\"]\n";
    assert!(error(route).contains("a does not carry Voice"));
    assert!(error(&route.replace("Voice", "Sms").replace("\"a\"", "\"x\"")).contains("no carrier \"x\""));
    assert!(error("[[route]]\nchannel = \"Sms\"\nprefixes = [\"30\"]\ncarriers = [\"a\"]").contains("\"+\""));
}
