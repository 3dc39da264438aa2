//! Runs a plan: lives of a server, one after the other, until everything has ended.

use crate::api::{HOSTILE_TOKEN, Http, TOKEN};
use crate::bug::Bug;
use crate::course::Course;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::faults::{Faulty, Memory};
use crate::outside::Simulated;
use crate::parties::{APPLICATION, BALANCE, HOSTILE, SENDING_MS};
use crate::plan::Plan;
use crate::reach::Reach;
use crate::summary::Summary;
use crate::trial::Trial;
use crate::world::World;
use crate::{aside, check, client, operator};
use anyhow::{anyhow, bail};
use engine::indexing::Followed;
use parking_lot::Mutex;
use server::config::Config;
use server::{Assembly, Data, clock, database};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{
    Accounts, Admin, Application, ApplicationSettings, Keyring, Lane, NewApplication, SqliteAdmin,
    SqliteOptions, SqliteStore, StoreError, Tasks, Threads, Token,
};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::time::sleep;

/// After the last flow was sent, things go wrong for this long, milliseconds.
const TROUBLE_MS: i64 = 900_000;
/// How long an outage lasts, milliseconds.
const OUTAGE_MS: i64 = 3_600_000;
/// Then everything has to end within this time, milliseconds: steps, and clocks that were set back.
const ENDING_MS: i64 = 48 * 3_600_000;
/// The longest that the hostile application's queue and a wrong clock may delay another application,
/// milliseconds.
const SERVED_MS: i64 = 15_000;

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

/// What a flood and a wrong clock are tried with: one way out, with a queue before it, and few slots for
/// callbacks.
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

/// Runs a plan.
///
/// # Errors
/// The promise that was broken, with what happened until then.
pub fn run(plan: &Plan) -> Result<Summary, Box<Failure>> {
    observe(plan).1
}

/// Runs a plan, and returns which methods of the store faults reached as well.
pub fn observe(plan: &Plan) -> (Reach, Result<Summary, Box<Failure>>) {
    let world = World::new(plan);
    let faults = world.with(|state| state.mood.faults());
    let mut crashes = 0;
    let ended = run_in(&world, plan, &mut crashes);
    let (course, reach): (Course, Reach) = world.with(|state| (state.course.clone(), state.reach.clone()));
    let failed = |broken: anyhow::Error| {
        let broken = format!("{broken:#}");
        Box::new(Failure { plan: plan.clone(), broken, faults, crashes, course })
    };
    (reach, ended.map(|summary| Summary { crashes, ..summary }).map_err(failed))
}

fn run_in(world: &Arc<World>, plan: &Plan, crashes: &mut u32) -> anyhow::Result<Summary> {
    let shown = Arc::clone(world);
    clock::simulate(move || shown.clock_ms());
    let directory = tempfile::tempdir()?;
    let memory = Arc::default();
    let before = Builder::new_current_thread().build()?;
    before.block_on(prepare(directory.path()))?;
    // What the server draws: ids, pauses.
    fastrand::seed(plan.seed);
    let mut aside = None;
    loop {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let life = live(directory.path(), world, plan, Arc::clone(&memory));
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
                *crashes += 1;
                let down_ms = world.with(|state| state.random.i64(100..120_000));
                runtime.block_on(async { world.end(down_ms) });
                // Its tasks have the database open.
                drop(runtime);
                wander(world, directory.path(), &mut aside)?;
            }
            Some(ended) => {
                let summary = ended?;
                return if plan.trial == Trial::Hostile { fair(summary) } else { Ok(summary) };
            }
        }
    }
}

/// While the server is down, now and then a copy of its database goes aside, and later the copy's index comes
/// here.
fn wander(world: &World, data: &Path, aside: &mut Option<TempDir>) -> anyhow::Result<()> {
    let flows = world.with(|state| state.happens(Fault::GoesAside).then(|| state.random.usize(1..60)));
    let Some(flows) = flows else { return Ok(()) };
    match aside.take() {
        Some(copy) => {
            world.with(|state| state.note("the index of the copy comes here".into()));
            aside::bring_index(copy.path(), data)?;
        }
        None => {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
            world.with(|state| state.note("a copy of the database goes on elsewhere".into()));
            *aside = Some(runtime.block_on(aside::go_on(data, flows))?);
        }
    }
    Ok(())
}

/// Whether the application that does nothing wrong was served in time. Virtual time has no noise: the clock
/// is wrong and carriers are down for up to ten seconds at a time, and what the other application has in the
/// queues would take more than half a minute.
fn fair(summary: Summary) -> anyhow::Result<Summary> {
    let slowest_ms = summary.slowest_hand_over_ms.max(summary.slowest_callback_ms);
    if slowest_ms <= SERVED_MS { Ok(summary) } else { Err(anyhow!("one waited for another: {summary:?}")) }
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

/// What a life of the server has.
struct Life {
    store: Arc<SqliteStore>,
    opened: Data,
    api: Http,
    /// The first promise that a client saw broken.
    broken: Arc<Mutex<Option<anyhow::Error>>>,
}

/// One life of the server, until everything has ended.
async fn live(
    data: &Path,
    world: &Arc<World>,
    plan: &Plan,
    memory: Arc<Mutex<Memory>>,
) -> anyhow::Result<Summary> {
    let life = start(data, world, plan, memory).await?;
    go_on(world, plan, &life);
    let (store, followed) = (&life.store, &life.opened.followed);
    let admin = SqliteAdmin::open(&database(data), &Keyring::default())?;
    let directory = life.opened.index_directory();
    loop {
        sleep(Duration::from_secs(5)).await;
        if let Some(promise) = life.broken.lock().take() {
            return Err(promise);
        }
        weather(world);
        operator::act(world, &admin).await?;
        if world.with(|state| state.random.u8(0..20)) == 0 {
            while followed.index.tidy() {}
            followed.save(&**store, directory).await?;
        }
        if has_ended(world, plan, store)? {
            break;
        }
    }
    world.heal();
    followed.save(&**store, directory).await?;
    check::check(world, &life.api, store, data).await
}

/// Starts the server on what is there.
async fn start(
    data: &Path,
    world: &Arc<World>,
    plan: &Plan,
    memory: Arc<Mutex<Memory>>,
) -> anyhow::Result<Life> {
    let text = if plan.trial == Trial::Hostile { NARROW_CONFIG } else { CONFIG };
    let config = Config::parse(text, data, [])?;
    let store_options = SqliteOptions {
        threads: Threads::Callers,
        queue_max: 64,
        // Small, so that flows are read from the database as well.
        cached_flows_max: const { std::num::NonZeroUsize::new(8).unwrap() },
        ..SqliteOptions::new(clock::now_ms())
    };
    let followed = Followed::default();
    let (skips, chance, observed) = (plan.bug == Some(Bug::SkipIndex), Arc::clone(world), followed.clone());
    let opened = Data::open_observed(data, store_options, followed, move |changes, position| {
        if !(skips && chance.with(|state| state.random.u8(0..50)) == 0) {
            observed.follow(changes, position);
        }
    });
    let opened = opened?;
    let store = Arc::clone(&opened.store);
    let faulty = Faulty { inner: Arc::clone(&store), world: Arc::clone(world), bug: plan.bug, memory };
    let faulty = Arc::new(faulty);
    opened.read_index(&*faulty).await?;
    add_tokens(&store).await?;
    let outside = Simulated { world: Arc::clone(world), bug: plan.bug };
    let started = Assembly::start(&config, faulty, &opened.followed, &outside, None, None).await;
    let Assembly { engine, router, .. } = started?;
    world.with(|state| state.serving = true);
    tokio::spawn(engine.run());
    Ok(Life { store, opened, api: Http { router, token: TOKEN }, broken: Arc::default() })
}

async fn add_tokens(store: &SqliteStore) -> Result<(), StoreError> {
    for (token, application) in [(TOKEN, APPLICATION), (HOSTILE_TOKEN, HOSTILE)] {
        let hash = Token::hash_of(token);
        if store.token(hash).await?.is_none() {
            let scope = "MT_ROLE_SMS MT_ROLE_VIBER MT_ROLE_VOICE MT_ROLE_FAILOVER".to_owned();
            let token = Token { hash, application: application.into(), expires_ms: i64::MAX, scope };
            store.add_token(token, usize::MAX).await?;
        }
    }
    Ok(())
}

/// Lets carriers and clients go on where they stood when the server died.
fn go_on(world: &Arc<World>, plan: &Plan, life: &Life) {
    let (waiting, clients, floods) = world.with(|state| {
        let posted = state.posted.iter().enumerate();
        let waiting: Vec<_> =
            posted.filter(|(_, posted)| posted.acknowledged.is_none()).map(|(i, _)| i).collect();
        let requests = state.requests.iter().enumerate();
        let clients: Vec<_> = requests.filter(|(_, request)| !request.settled).map(|(i, _)| i).collect();
        (waiting, clients, state.mood.of(Fault::Flood) > 0.0)
    });
    waiting.into_iter().for_each(|index| drop(tokio::spawn(Arc::clone(world).deliver(index))));
    let note = |broken: Arc<Mutex<Option<anyhow::Error>>>, client: anyhow::Result<()>| {
        if let Err(promise) = client {
            broken.lock().get_or_insert(promise);
        }
    };
    for index in clients {
        let client = client::run(Arc::clone(world), index, life.api.clone());
        let broken = Arc::clone(&life.broken);
        tokio::spawn(async move { note(broken, client.await) });
    }
    if plan.trial == Trial::Hostile && floods {
        let flood = client::flood(Http { token: HOSTILE_TOKEN, ..life.api.clone() });
        let broken = Arc::clone(&life.broken);
        tokio::spawn(async move { note(broken, flood.await) });
    }
}

/// Returns whether nothing is left to be done. Ends the trouble when its time is over.
fn has_ended(world: &World, plan: &Plan, store: &SqliteStore) -> anyhow::Result<bool> {
    let (elapsed_ms, quiet) = world.with(|state| {
        let settled = state.requests.iter().all(|request| request.settled);
        let told = state.posted.iter().all(|posted| posted.acknowledged.is_some());
        (state.now().elapsed_ms, settled && told)
    });
    let outage = plan.trial == Trial::Outage;
    let trouble_ms = if outage { OUTAGE_MS } else { SENDING_MS + TROUBLE_MS };
    if elapsed_ms > trouble_ms {
        world.heal();
    }
    if quiet && Lane::ALL.iter().all(|lane| store.next_due_ms(*lane).is_none()) {
        return Ok(true);
    }
    if elapsed_ms > SENDING_MS + TROUBLE_MS + ENDING_MS {
        let owed: Vec<_> = Lane::ALL.iter().map(|lane| (lane, store.next_due_ms(*lane))).collect();
        bail!("stuck: everything should have ended; {quiet} {owed:?}");
    }
    Ok(false)
}

/// Carriers go down and come back, clocks are set.
fn weather(world: &World) {
    world.with(|state| {
        state.mend_clock();
        if state.chance(state.mood.of(Fault::ClockErrs) / 10.0) {
            state.err_clock();
        }
        if state.trial != Trial::Any {
            return;
        }
        if state.chance(state.mood.of(Fault::GoesDown) / 10.0) {
            let name = ["eager", "careful", "second"][state.random.usize(0..3)].to_owned();
            state.note(format!("{name} goes down"));
            state.down.push(name);
        }
        if state.random.u8(0..10) == 0 {
            if !state.down.is_empty() {
                state.note("all carriers are up".into());
            }
            state.down.clear();
        }
        if state.chance(state.mood.of(Fault::ClockJumps) / 10.0) {
            state.jump();
        }
    });
}
