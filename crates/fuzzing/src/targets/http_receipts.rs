//! What providers over HTTP post: read or refused.

use carriers::{Carrier, Http, Posted};
use server::config::{Config, KindConfig};
use std::path::Path;
use std::sync::LazyLock;

const CONFIG: &str = r#"
[server]
public_url = "https://sms.example"
[[carrier]]
name = "infobip-sms"
kind = "http"
channels = ["Sms"]
provider = "infobip-sms"
settings = { base_url = "https://x.api.infobip.com", api_key = "key", receipt_token = "t" }
[[carrier]]
name = "infobip-viber"
kind = "http"
channels = ["Viber"]
provider = "infobip-viber"
settings = { base_url = "https://x.api.infobip.com", api_key = "key", receipt_token = "t" }
"#;

static PROVIDERS: LazyLock<Vec<Http>> = LazyLock::new(|| {
    // Somebody may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::parse(CONFIG, Path::new(""), []).expect("it is right");
    let carriers = config.carriers.iter().filter_map(|carrier| match &carrier.kind {
        KindConfig::Http(http) => {
            Some(Http::new(&http.1, &http.0, Some("https://sms.example/r")).expect("right"))
        }
        _ => None,
    });
    carriers.collect()
});

pub(crate) fn feed(data: &[u8]) {
    let Some((which, body)) = data.split_first() else { return };
    let content_type = if which & 1 == 0 { "application/json" } else { "application/x-www-form-urlencoded" };
    let posted = Posted {
        url: "https://sms.example/r?token=t",
        query: "token=t",
        headers: &[("content-type".to_owned(), content_type.to_owned())],
        body,
        now_ms: 1_800_000_000_000,
    };
    for provider in &*PROVIDERS {
        let _ = provider.read_receipts(&posted);
    }
}
