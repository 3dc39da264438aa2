//! Runs whole servers in virtual time under faults drawn from a seed, and checks what the outside saw.
//!
//! A server is the real one: HTTP API, engine, store, index, callbacks. Its carriers and its callbacks' target belong
//! to a `World`, which also owns the clock and all chance, and outlives the server: a crash drops the server's
//! runtime with everything in it, and the next life opens the same files. Everything runs on one thread, in tokio's
//! paused time, which moves on when nobody has anything to do; so a seed tells the whole course, and an hour takes
//! milliseconds. (turmoil and madsim simulate networks and hosts, of which there are none here; what is needed of them
//! is what tokio has.) Then `check` compares what clients were answered and what carriers and the target saw with
//! what the trackings show. It does not know how the server works.

mod api;
mod aside;
mod carrier;
mod check;
mod client;
mod faults;
mod smsc;
mod target;
mod world;

pub use faults::Bug;

use api::{HOSTILE_TOKEN, Http, TOKEN};
use async_trait::async_trait;
use carrier::SimulatedCarrier;
use carriers::{Carrier, CarrierSink, Smpp, SmppConfig};
use engine::callbacks::Post;
use engine::indexing::Followed;
use engine::outside::{Outside, SetupError};
use faults::{Faulty, Forgetful, Memory};
use flow::Channel;
use parking_lot::Mutex;
use serde_json::json;
use server::config::{CallbackConfig, CarrierConfig, Config, UnknownSubmit};
use server::{Assembly, Data, clock, database};
use smsc::SimulatedSmsc;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{
    Accounts, Admin, Application, ApplicationSettings, Keyring, Lane, NewApplication, SqliteAdmin,
    SqliteOptions, Tasks, Threads, Token,
};
use target::SimulatedTarget;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::time::sleep;
use world::World;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Flows that clients send.
    pub flows: usize,
    /// A bug to be found.
    pub bug: Option<Bug>,
    /// What goes wrong.
    pub trial: Trial,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trial {
    /// Whatever the seed draws.
    #[default]
    Any,
    /// Nothing but this: for an hour, the carriers of Voice are down, and the target of every other flow's
    /// callbacks hangs.
    Outage,
    /// Nothing but this: another application sends hundreds of flows at once over the same slow carriers,
    /// with callbacks to as many hosts that hang, some of which can't be stored any more once they were
    /// accepted; and now and then the clock is wrong for some seconds, by hours or by years, with the
    /// carriers down.
    Hostile,
}

/// What happened in a run in which every promise was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Flows that were acknowledged.
    pub acknowledged: usize,
    /// Times that the server was killed.
    pub crashes: u32,
    /// Parts that reached a carrier.
    pub submissions: usize,
    /// Receipts that carriers had for us.
    pub receipts: usize,
    /// Callbacks that reached their target.
    pub callbacks: usize,
    /// Parts that reached carriers twice, as the guarantees allow it.
    pub doubles: usize,
    /// The longest that a first step over another channel than Voice waited for its carrier, milliseconds.
    pub slowest_hand_over_ms: i64,
    /// The longest that the first callback to a target waited that does not hang, milliseconds after the change.
    pub slowest_callback_ms: i64,
    /// A number that stands for the whole course: equal for equal courses.
    pub fingerprint: u64,
}

/// After the last flow was sent things go wrong for so long, milliseconds.
const TROUBLE_MS: i64 = 900_000;
/// An outage lasts so long, milliseconds.
const OUTAGE_MS: i64 = 3_600_000;
/// Then everything has to end within so long, milliseconds: steps, and clocks that were set back.
const ENDING_MS: i64 = 48 * 3_600_000;
/// What the hostile application has waiting and a wrong clock delay an application's messages and callbacks by at most.
const SERVED_MS: i64 = 15_000;
/// What the application may spend.
const BALANCE: &str = "1000";
const APPLICATION: &str = "5c0ffee0aa11bb22cc33dd44";
/// The other application, that takes what it can.
const HOSTILE: &str = "5c0ffee0aa11bb22cc33dd55";

const CONFIG: &str = r#"
[server]
# Its time is not the clients'.
requests_per_second = 0
[engine]
retry_max = "20s"
[callbacks]
retry_base = "1s"
retry_max = "60s"
[[carrier]]
name = "eager"
kind = "sandbox"
channels = ["Sms", "Viber"]
window = 8
prices = { Sms = "0.05", Viber = "0.02" }
[[carrier]]
name = "careful"
kind = "sandbox"
channels = ["Sms", "Voice"]
window = 8
unknown_submit = "wait"
prices = { Sms = "0.04", Voice = "0.06" }
[[carrier]]
name = "second"
kind = "sandbox"
channels = ["Viber", "Voice"]
window = 8
prices = { Viber = "0.01" }
"#;

/// What a flood and a wrong clock are tried with: one way out, with a queue before it, and few slots for callbacks.
const NARROW_CONFIG: &str = r#"
[engine]
retry_max = "20s"
[callbacks]
retry_base = "1s"
retry_max = "60s"
concurrency = 16
[[carrier]]
name = "eager"
kind = "sandbox"
channels = ["Sms", "Viber", "Voice"]
window = 3
prices = { Sms = "0.05", Viber = "0.02", Voice = "0.06" }
"#;

/// Runs a seed.
///
/// # Errors
/// The promise that was broken.
pub fn run(seed: u64, options: &Options) -> Result<Summary, String> {
    let world = World::new(seed, options);
    let told = Arc::clone(&world);
    clock::simulate(move || told.clock_ms());
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let memory = Arc::default();
    let before = Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    before.block_on(prepare(directory.path())).map_err(|error| error.to_string())?;
    // What the server draws: ids, pauses.
    fastrand::seed(seed);
    let (mut crashes, mut aside) = (0, None);
    loop {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let life = live(directory.path(), &world, options, Arc::clone(&memory));
        let ended = runtime.block_on(async {
            world.begin();
            tokio::select! {
                biased;
                () = world.crashed() => None,
                ended = life => Some(ended),
            }
        });
        match ended {
            None => {
                crashes += 1;
                let down_ms = world.with(|state| state.random.i64(100..120_000));
                runtime.block_on(async { world.end(down_ms) });
                // Its tasks have the database open.
                drop(runtime);
                wander(&world, directory.path(), &mut aside).map_err(|error| format!("{error:#}"))?;
            }
            Some(ended) => {
                let summary = ended.map(|summary| Summary { crashes, ..summary })?;
                return if options.trial == Trial::Hostile { fair(summary) } else { Ok(summary) };
            }
        }
    }
}

/// While the server is down, now and then a copy of its database goes aside, and later the copy's index comes here.
fn wander(world: &World, data: &Path, aside: &mut Option<TempDir>) -> anyhow::Result<()> {
    let flows = world.with(|state| {
        let likelihood = state.mood.goes_aside;
        state.happens(likelihood).then(|| state.random.usize(1..60))
    });
    let Some(flows) = flows else { return Ok(()) };
    match aside.take() {
        Some(copy) => aside::bring_index(copy.path(), data)?,
        None => {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
            *aside = Some(runtime.block_on(aside::go_on(data, flows))?);
        }
    }
    Ok(())
}

/// Whether the application that does nothing wrong was served in time. Virtual time has no noise: the clock is wrong and
/// carriers are down for up to ten seconds at a time, and what the other application has in the queues would take
/// more than half a minute.
fn fair(summary: Summary) -> Result<Summary, String> {
    let slowest_ms = summary.slowest_hand_over_ms.max(summary.slowest_callback_ms);
    if slowest_ms <= SERVED_MS { Ok(summary) } else { Err(format!("one waited for another: {summary:?}")) }
}

/// Makes the applications that flows belong to.
async fn prepare(data: &Path) -> anyhow::Result<()> {
    let admin = SqliteAdmin::open(&database(data), &Keyring::default())?;
    for id in [APPLICATION, HOSTILE] {
        let application = Application {
            id: id.into(),
            name: format!("simulated {id}"),
            secret_hash: [0; 32],
            created_ms: 0,
            revoked_ms: None,
            settings: ApplicationSettings::default(),
        };
        admin.add_application(&NewApplication { application, secret: String::new() }).await?;
    }
    admin.set_balance(APPLICATION, Some(BALANCE.parse()?)).await?;
    Ok(())
}

/// One life of the server, until everything has ended.
async fn live(
    data: &Path,
    world: &Arc<World>,
    options: &Options,
    memory: Arc<Mutex<Memory>>,
) -> Result<Summary, String> {
    let text = if options.trial == Trial::Hostile { NARROW_CONFIG } else { CONFIG };
    let config = Config::parse(text, data, []).map_err(|error| error.to_string())?;
    let store_options = SqliteOptions {
        threads: Threads::Callers,
        queue_max: 64,
        // Small, so that flows are read from the database as well.
        cached_flows_max: const { std::num::NonZeroUsize::new(8).unwrap() },
        ..SqliteOptions::new(clock::now_ms(), Arc::new(clock::new_id))
    };
    let followed = Followed::default();
    let (skips, chance, observed) =
        (options.bug == Some(Bug::SkipIndex), Arc::clone(world), followed.clone());
    let data_files = Data::open_observed(data, store_options, followed, move |changes, position| {
        if !(skips && chance.with(|state| state.random.u8(0..50)) == 0) {
            observed.follow(changes, position);
        }
    });
    let opened = data_files.map_err(|error| format!("{error:#}"))?;
    let (store, followed, directory) = (&opened.store, &opened.followed, opened.index_directory());
    let faulty =
        Arc::new(Faulty { inner: Arc::clone(store), world: Arc::clone(world), bug: options.bug, memory });
    opened.read_index(&*faulty).await.map_err(|error| format!("{error:#}"))?;
    for (token, application) in [(TOKEN, APPLICATION), (HOSTILE_TOKEN, HOSTILE)] {
        let hash = Token::hash_of(token);
        if store.token(hash).await.map_err(|error| error.to_string())?.is_none() {
            let scope = "MT_ROLE_SMS MT_ROLE_VIBER MT_ROLE_VOICE MT_ROLE_FAILOVER".to_owned();
            let token = Token { hash, application: application.into(), expires_ms: i64::MAX, scope };
            store.add_token(token, usize::MAX).await.map_err(|error| error.to_string())?;
        }
    }
    let outside = Simulated { world: Arc::clone(world), bug: options.bug };
    let started = Assembly::start(&config, faulty, followed, &outside, None).await;
    let Assembly { engine, router, .. } = started.map_err(|error| format!("{error:#}"))?;
    let api = Http { router, token: TOKEN };
    tokio::spawn(engine.run());

    let (waiting, clients) = world.with(|state| {
        let posted = state.posted.iter().enumerate();
        let waiting: Vec<_> =
            posted.filter(|(_, posted)| posted.acknowledged.is_none()).map(|(i, _)| i).collect();
        let requests = state.requests.iter().enumerate();
        let clients: Vec<_> = requests.filter(|(_, request)| !request.settled).map(|(i, _)| i).collect();
        (waiting, clients)
    });
    waiting.into_iter().for_each(|index| drop(tokio::spawn(Arc::clone(world).deliver(index))));
    let broken = Arc::new(Mutex::new(None));
    let note = |broken: Arc<Mutex<Option<String>>>, client: Result<(), String>| {
        if let Err(promise) = client {
            broken.lock().get_or_insert(promise);
        }
    };
    for index in clients {
        let client = client::run(Arc::clone(world), index, api.clone());
        let broken = Arc::clone(&broken);
        tokio::spawn(async move { note(broken, client.await) });
    }
    if options.trial == Trial::Hostile {
        let flood = client::flood(Http { token: HOSTILE_TOKEN, ..api.clone() });
        let broken = Arc::clone(&broken);
        tokio::spawn(async move { note(broken, flood.await) });
    }
    loop {
        sleep(Duration::from_secs(5)).await;
        if let Some(promise) = broken.lock().take() {
            return Err(promise);
        }
        weather(world);
        if world.with(|state| state.random.u8(0..20)) == 0 {
            while followed.index.tidy() {}
            followed.save(&**store, directory).await.map_err(|error| format!("{error:#}"))?;
        }
        let (elapsed_ms, quiet) = world.with(|state| {
            let settled = state.requests.iter().all(|request| request.settled);
            let told = state.posted.iter().all(|posted| posted.acknowledged.is_some());
            (state.now().elapsed_ms, settled && told)
        });
        let outage = options.trial == Trial::Outage;
        let trouble_ms = if outage { OUTAGE_MS } else { client::SENDING_MS + TROUBLE_MS };
        if elapsed_ms > trouble_ms {
            world.heal();
        }
        if quiet && Lane::ALL.iter().all(|lane| store.next_due_ms(*lane).is_none()) {
            break;
        }
        if elapsed_ms > client::SENDING_MS + TROUBLE_MS + ENDING_MS {
            let owed: Vec<_> = Lane::ALL.iter().map(|lane| (lane, store.next_due_ms(*lane))).collect();
            return Err(format!("stuck: everything should have ended; {quiet} {owed:?}"));
        }
    }
    world.heal();
    followed.save(&**store, directory).await.map_err(|error| format!("{error:#}"))?;
    check::check(world, &api, store, data).await
}

/// Carriers go down and come back, clocks are set.
fn weather(world: &World) {
    world.with(|state| {
        state.mend_clock();
        let likelihood = if state.trial == Trial::Hostile { 0.03 } else { state.mood.clock_errs / 10.0 };
        if state.happens(likelihood) {
            state.err_clock();
        }
        if state.trial != Trial::Any {
            return;
        }
        if state.happens(state.mood.goes_down / 10.0) {
            let name = ["eager", "careful", "second"][state.random.usize(0..3)].to_owned();
            state.down.push(name);
        }
        if state.random.u8(0..10) == 0 {
            state.down.clear();
        }
        if state.happens(state.mood.clock_jumps / 10.0) {
            state.jump();
        }
    });
}

/// The outside of a server in a world.
struct Simulated {
    world: Arc<World>,
    bug: Option<Bug>,
}

impl Simulated {
    /// The real SMPP carrier, bound to an SMSC of the world.
    fn smpp(&self, name: &str, sink: Arc<dyn CarrierSink>) -> Result<Smpp, String> {
        let account = json!({"host": name, "system_id": "simulated", "password": ""});
        let config: SmppConfig = serde_json::from_value(account).map_err(|error| error.to_string())?;
        let smsc = SimulatedSmsc { name: name.to_owned(), world: Arc::clone(&self.world) };
        let sink = if self.bug == Some(Bug::ForgetLateAnswer) { Arc::new(Forgetful(sink)) } else { sink };
        Smpp::start_over(Arc::new(smsc), name.to_owned(), Arc::new(config), sink)
            .map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Outside for Simulated {
    async fn carrier(
        &self,
        config: &CarrierConfig,
        sink: Arc<dyn CarrierSink>,
    ) -> Result<Arc<dyn Carrier>, SetupError> {
        let world = Arc::clone(&self.world);
        world.with(|state| state.sink = Some(Arc::clone(&sink)));
        let (name, waits) = (config.common.name.clone(), config.common.unknown_submit == UnknownSubmit::Wait);
        let speaks_smpp =
            config.common.channels.contains(&Channel::Sms) && world.with(|state| state.speaks_smpp);
        let smpp = if speaks_smpp { Some(self.smpp(&name, sink)?) } else { None };
        Ok(Arc::new(SimulatedCarrier { name, waits, world, smpp }))
    }

    fn post(&self, _: &CallbackConfig) -> Result<Box<dyn Post>, SetupError> {
        Ok(Box::new(SimulatedTarget(Arc::clone(&self.world))))
    }
}
