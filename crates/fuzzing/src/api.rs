//! The server's HTTP API on a store of its own, without a network: what targets ask.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use server::config::Config;
use server::{Assembly, Data};
use std::path::Path;
use std::sync::Arc;
use store::{
    Accounts, Admin, ApplicationSettings, Keyring, NewApplication, SqliteAdmin, SqliteOptions, Threads, Token,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tower::ServiceExt;

const TOKEN: &str = "fuzz";

struct Api {
    runtime: Runtime,
    router: Router,
    _directory: TempDir,
}

// Of the thread, not of the process: it is dropped at the end, and its directory removed.
thread_local! {
    static API: Api = Api::start().expect("the server starts");
}

impl Api {
    fn start() -> Result<Api, Box<dyn std::error::Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let directory = tempfile::tempdir()?;
        let router = runtime.block_on(router(directory.path()))?;
        Ok(Api { runtime, router, _directory: directory })
    }
}

async fn router(data: &Path) -> Result<Router, Box<dyn std::error::Error>> {
    // Somebody may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let path = server::database(data);
    let admin = SqliteAdmin::open(&path, &Keyring::default())?;
    let new =
        NewApplication::draw("fuzz".into(), ApplicationSettings::default(), &admin.secret_key().await?, 0)?;
    admin.add_application(&new).await?;
    let options = SqliteOptions {
        threads: Threads::Callers,
        queue_max: 64,
        cached_flows_max: std::num::NonZeroUsize::MIN,
        ..SqliteOptions::new(server::clock::now_ms())
    };
    let opened = Data::open(data, options)?;
    let store = Arc::clone(&opened.store);
    let scope = "MT_ROLE_SMS MT_ROLE_VIBER MT_ROLE_VOICE MT_ROLE_FAILOVER".to_owned();
    let token =
        Token { hash: Token::hash_of(TOKEN), application: new.application.id, expires_ms: i64::MAX, scope };
    store.add_token(token, usize::MAX).await?;
    let config = Config::parse("[server]\nrequests_per_second = 0\n", data, [])?;
    let network = config.network();
    Ok(Assembly::start(&config, store, &opened.followed, &network, None, None).await?.router)
}

/// Asks the API; answers with the status and what was read as JSON. Panics where the answer is none that the
/// contract (section 6) allows to any request.
pub(crate) fn ask(method: Method, uri: &str, content: &[u8]) -> Option<(u16, Value)> {
    let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    // What is no URI never comes so far.
    let request = request.body(Body::from(content.to_vec())).ok()?;
    let asking = |api: &Api| {
        api.runtime.block_on(async {
            let Ok(response) = api.router.clone().oneshot(request).await;
            let status = response.status().as_u16();
            (status, to_bytes(response.into_body(), usize::MAX).await.expect("a body"))
        })
    };
    let (status, octets) = API.with(asking);
    let answer: Value = serde_json::from_slice(&octets).expect("JSON");
    assert!(status < 500, "{status}: {answer}");
    assert!(status < 400 || answer["code"].is_string() && answer["developerMessage"].is_string(), "{answer}");
    Some((status, answer))
}

/// Octets of a request's head, as the listener has it.
const HEAD_MAX: usize = 64 * 1024;

/// Sends octets over a connection to the API, closes it for writing, and answers with what comes back.
pub(crate) fn converse(sent: &[u8]) -> Vec<u8> {
    API.with(|api| api.runtime.block_on(exchange(&api.router, sent)))
}

async fn exchange(router: &Router, sent: &[u8]) -> Vec<u8> {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let mut http = http1::Builder::new();
    // As in the server's listener, but for its timeouts; the answer comes although nothing more is sent.
    http.max_buf_size(HEAD_MAX).half_close(true);
    let service = TowerToHyperService::new(router.clone());
    let serving = http.serve_connection(TokioIo::new(theirs), service);
    let asking = async {
        let (mut reading, mut writing) = tokio::io::split(ours);
        let mut answer = Vec::new();
        let sending = async {
            // Who refuses a request reads it to its end or not.
            let _ = writing.write_all(sent).await;
            let _ = writing.shutdown().await;
        };
        let (read, ()) = tokio::join!(reading.read_to_end(&mut answer), sending);
        read.map(|_| answer).unwrap_or_default()
    };
    let (_, answer) = tokio::join!(serving, asking);
    answer
}
