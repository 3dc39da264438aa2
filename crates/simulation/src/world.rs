//! The world around a server: its time, its chance, its faults, and everything that was seen in it.

use crate::client::Request;
use crate::{Options, Trial};
use carriers::{CarrierSink, Report};
use fastrand::Rng;
use flow::{Receipt, Status};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep};

/// An SMSC sends a receipt again that is not answered in time.
const OFFER_TIMEOUT: Duration = Duration::from_secs(60);

/// When every simulation begins, Unix milliseconds.
const START_MS: i64 = 1_800_000_000_000;

/// A moment, as the checker compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Moments are numbered.
    pub number: u64,
    /// How long the simulation has run, milliseconds.
    pub elapsed_ms: i64,
    /// The latest time that the server's clock has shown so far, Unix milliseconds.
    pub latest_ms: i64,
    /// How often the server had been started.
    pub life: u32,
}

/// What a carrier answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Accepted,
    Refused,
    Later,
    Unknown,
}

/// A part that reached a carrier.
#[derive(Clone, Debug)]
pub struct Submission {
    pub carrier: String,
    /// The carrier is configured to get nothing twice.
    pub waits: bool,
    pub to: String,
    pub step: u16,
    pub part: u16,
    pub begun: At,
    /// What its message has left to live, milliseconds.
    pub ttl_ms: i64,
    /// What the carrier calls it, where it took it.
    pub reference: Option<String>,
    pub reply: Option<(At, Reply)>,
    /// When its SMSC's answer that it was taken had certainly arrived, however late.
    pub answered: Option<At>,
}

/// A receipt that goes by an SMPP session.
pub struct Offer {
    pub to: String,
    pub reference: String,
    pub status: Status,
    /// Hears whether it was taken.
    pub taken: oneshot::Sender<bool>,
}

/// A receipt that a carrier has for us.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Of which submission; none for a reference that nobody knows.
    pub submission: Option<usize>,
    pub receipt: Receipt,
    pub carrier: String,
    pub reference: String,
    /// It goes by an SMPP session.
    by_smsc: bool,
    due_ms: i64,
    pub offered: Option<At>,
    pub acknowledged: Option<At>,
}

/// The statuses that a tracking shows: of the flow, and of each message.
pub fn statuses(tracking: &Value) -> Vec<String> {
    let messages = tracking["messages"].as_array().into_iter().flatten();
    let all = std::iter::once(&tracking["status"]).chain(messages.map(|message| &message["status"]["name"]));
    all.map(|status| status.as_str().unwrap_or_default().to_owned()).collect()
}

/// A callback that reached its target.
#[derive(Clone, Debug)]
pub struct Called {
    pub tracking: String,
    pub webhook: String,
    /// Of the flow, and of each message.
    pub statuses: Vec<String>,
    pub updated: String,
    pub at: At,
    /// Whether the server was told 2xx; none when it died meanwhile.
    pub acknowledged: Option<bool>,
}

/// How likely things go wrong. Each seed draws which of them can: a run in which everything fails all the time tests
/// little.
#[derive(Clone, Debug, Default)]
pub struct Mood {
    pub crash: f64,
    pub delay: f64,
    pub store_fails: f64,
    pub throttled: f64,
    pub refused: f64,
    pub dropped_before: f64,
    pub dropped_after: f64,
    pub slow: f64,
    pub repeated: f64,
    pub disordered: f64,
    pub wrong: f64,
    pub target_fails: f64,
    pub answer_lost: f64,
    pub goes_down: f64,
    pub clock_jumps: f64,
    pub cancels: f64,
    pub clock_errs: f64,
    pub goes_aside: f64,
}

impl Mood {
    fn draw(random: &mut Rng) -> Mood {
        let mut maybe = |most: f64| if random.bool() { random.f64() * most } else { 0.0 };
        Mood {
            crash: maybe(0.004),
            delay: maybe(0.5),
            store_fails: maybe(0.05),
            throttled: maybe(0.2),
            refused: maybe(0.1),
            dropped_before: maybe(0.1),
            dropped_after: maybe(0.1),
            slow: maybe(0.1),
            repeated: maybe(0.3),
            disordered: maybe(0.3),
            wrong: maybe(0.2),
            target_fails: maybe(0.4),
            answer_lost: maybe(0.2),
            goes_down: maybe(0.3),
            clock_jumps: maybe(0.1),
            cancels: maybe(0.2),
            clock_errs: maybe(0.1),
            goes_aside: maybe(1.0),
        }
    }
}

/// How far the server's clock was off, and since when, milliseconds of the simulation.
pub struct Skews(Vec<(i64, i64)>);

impl Skews {
    /// The moments at which the server's clock showed a time, Unix milliseconds, as milliseconds of the
    /// simulation. None where it never did, more than one where it was set back.
    pub fn moments(&self, shown_ms: i64) -> impl Iterator<Item = i64> {
        self.found(shown_ms).map(|(at_ms, _)| at_ms)
    }

    /// Those at which it was right.
    pub fn right_moments(&self, shown_ms: i64) -> impl Iterator<Item = i64> {
        self.found(shown_ms).filter(|(_, skew_ms)| *skew_ms == 0).map(|(at_ms, _)| at_ms)
    }

    fn found(&self, shown_ms: i64) -> impl Iterator<Item = (i64, i64)> {
        let ends = self.0.iter().skip(1).map(|(since_ms, _)| *since_ms).chain([i64::MAX]);
        self.0.iter().zip(ends).filter_map(move |((since_ms, skew_ms), end_ms)| {
            let at_ms = shown_ms - START_MS - skew_ms;
            (*since_ms..=end_ms).contains(&at_ms).then_some((at_ms, *skew_ms))
        })
    }
}

/// Everything outside of the server, and what it saw. It outlives the server's lives.
pub struct World {
    state: Mutex<State>,
    crash: Notify,
}

/// What is in a world.
pub struct State {
    pub random: Rng,
    pub mood: Mood,
    pub requests: Vec<Request>,
    pub submissions: Vec<Submission>,
    pub posted: Vec<Posted>,
    pub called: Vec<Called>,
    /// Carriers that take nothing now.
    pub down: Vec<String>,
    /// The one trouble that goes on; [`Trial::Any`] when there is none but the mood's.
    pub trial: Trial,
    /// Carriers of Sms are bound to SMSCs.
    pub speaks_smpp: bool,
    /// The sessions of such carriers in this life, for receipts.
    pub sessions: HashMap<String, mpsc::UnboundedSender<Offer>>,
    /// Where receipts go in this life.
    pub sink: Option<Arc<dyn CarrierSink>>,
    number: u64,
    life: u32,
    /// How long the simulation had run when this life began.
    before_ms: i64,
    began: Option<Instant>,
    /// How far the server's clock is off.
    skew_ms: i64,
    /// How far it was off, and since when, milliseconds of the simulation; the last one is now.
    skews: Vec<(i64, i64)>,
    /// What it was off before it erred, while it does.
    right_skew_ms: Option<i64>,
    latest_ms: i64,
    crashed: bool,
}

impl State {
    /// How long the server's clock was off by how much.
    pub fn skews(&self) -> Skews {
        Skews(self.skews.clone())
    }

    /// Whether something of this likelihood happens.
    pub fn happens(&mut self, likelihood: f64) -> bool {
        likelihood > 0.0 && self.random.f64() < likelihood
    }

    fn elapsed_ms(&self) -> i64 {
        self.before_ms + self.began.map_or(0, |began| began.elapsed().as_millis() as i64)
    }

    fn clock_ms(&mut self) -> i64 {
        let now_ms = START_MS + self.elapsed_ms() + self.skew_ms;
        self.latest_ms = self.latest_ms.max(now_ms);
        now_ms
    }

    /// This moment.
    pub fn now(&mut self) -> At {
        self.clock_ms();
        self.number += 1;
        let (number, latest_ms) = (self.number, self.latest_ms);
        At { number, elapsed_ms: self.elapsed_ms(), latest_ms, life: self.life }
    }

    /// Sets the server's clock, forward or back.
    pub fn jump(&mut self) {
        let by_ms = self.random.i64(-7_200_000..=7_200_000);
        if self.right_skew_ms.is_none() {
            self.set_skew(self.skew_ms + by_ms);
        }
    }

    fn set_skew(&mut self, skew_ms: i64) {
        self.clock_ms();
        self.skew_ms = skew_ms;
        self.skews.push((self.elapsed_ms(), skew_ms));
    }

    /// Makes the server's clock wrong until [`State::mend_clock`]: by two hours or by 400 days.
    pub fn err_clock(&mut self) {
        let by_ms = if self.random.bool() { 7_200_000 } else { 400 * 86_400_000 };
        if self.right_skew_ms.replace(self.skew_ms).is_none() {
            self.set_skew(self.skew_ms + by_ms);
        }
        if self.trial == Trial::Hostile && self.random.bool() {
            self.down = ["eager", "careful", "second"].map(str::to_owned).to_vec();
        }
    }

    /// The clock is right again.
    pub fn mend_clock(&mut self) {
        if let Some(skew_ms) = self.right_skew_ms.take() {
            self.set_skew(skew_ms);
            if self.trial == Trial::Hostile {
                self.down.clear();
            }
        }
    }
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64, options: &Options) -> Arc<World> {
        let mut random = Rng::with_seed(seed);
        let any = options.trial == Trial::Any;
        let mood = if any { Mood::draw(&mut random) } else { Mood::default() };
        let requests = (0..options.flows).map(|number| Request::draw(number, &mut random, &mood)).collect();
        let state = State {
            random,
            mood,
            requests,
            submissions: Vec::new(),
            posted: Vec::new(),
            called: Vec::new(),
            down: match options.trial {
                Trial::Outage => vec!["careful".into(), "second".into()],
                Trial::Any | Trial::Hostile => Vec::new(),
            },
            trial: options.trial,
            // No draw, so that the other seeds stay as they are.
            speaks_smpp: any && seed % 2 == 1,
            sessions: HashMap::new(),
            sink: None,
            number: 0,
            life: 0,
            before_ms: 0,
            began: None,
            skew_ms: 0,
            skews: vec![(0, 0)],
            right_skew_ms: None,
            latest_ms: START_MS,
            crashed: false,
        };
        Arc::new(World { state: Mutex::new(state), crash: Notify::new() })
    }

    /// Looks at the world or changes it.
    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock())
    }

    /// What the server's clock shows, Unix milliseconds.
    pub fn clock_ms(&self) -> i64 {
        self.with(State::clock_ms)
    }

    /// Begins a life; to be called in its runtime.
    pub fn begin(&self) {
        self.with(|state| {
            state.life += 1;
            state.crashed = false;
            state.began = Some(Instant::now());
        });
    }

    /// Ends a life: the server is down for a while.
    pub fn end(&self, down_ms: i64) {
        self.with(|state| {
            state.before_ms = state.elapsed_ms() + down_ms;
            state.began = None;
            state.sink = None;
            state.sessions.clear();
            state.posted.iter_mut().for_each(|posted| posted.due_ms = posted.due_ms.max(state.before_ms));
        });
    }

    /// Returns when the server has crashed.
    pub async fn crashed(&self) {
        self.crash.notified().await;
    }

    /// A place where anything can happen: time passes, or the server dies, and then it never returns.
    pub async fn step(&self) {
        let wait = self.with(|state| {
            if !state.crashed && state.happens(state.mood.crash) {
                state.crashed = true;
                self.crash.notify_one();
            }
            if state.crashed {
                return None;
            }
            // Mostly short, sometimes longer than a try lasts.
            let longest_ms = if state.random.u8(..) == 0 { 20_000 } else { 100 };
            let delayed = state.happens(state.mood.delay);
            Some(if delayed { state.random.u64(1..longest_ms) } else { 0 })
        });
        match wait {
            None => pending().await,
            Some(0) => {}
            Some(ms) => {
                sleep(Duration::from_millis(ms)).await;
                if self.with(|state| state.crashed) {
                    pending().await
                }
            }
        }
    }

    /// Has a carrier post a receipt `after_ms` from now.
    pub fn post(
        self: &Arc<World>,
        after_ms: i64,
        submission: Option<usize>,
        carrier: &str,
        reference: &str,
        receipt: Receipt,
        by_smsc: bool,
    ) {
        let index = self.with(|state| {
            let due_ms = state.elapsed_ms() + after_ms;
            let (carrier, reference) = (carrier.to_owned(), reference.to_owned());
            let (offered, acknowledged) = (None, None);
            state.posted.push(Posted {
                submission,
                receipt,
                carrier,
                reference,
                by_smsc,
                due_ms,
                offered,
                acknowledged,
            });
            state.posted.len() - 1
        });
        tokio::spawn(Arc::clone(self).deliver(index));
    }

    /// Offers a receipt when it is due, again and again until it is taken.
    pub async fn deliver(self: Arc<World>, index: usize) {
        let wait_ms = self.with(|state| state.posted[index].due_ms - state.elapsed_ms());
        sleep(Duration::from_millis(wait_ms.max(0).unsigned_abs())).await;
        loop {
            self.step().await;
            let posted = self.with(|state| {
                let now = state.now();
                let posted = &mut state.posted[index];
                posted.offered.get_or_insert(now);
                posted.clone()
            });
            let taken = if posted.by_smsc { self.offer(posted).await } else { self.report(posted).await };
            self.step().await;
            if taken {
                self.with(|state| {
                    let now = state.now();
                    state.posted[index].acknowledged = Some(now);
                });
                return;
            }
            let pause_ms = self.with(|state| state.random.u64(1000..30_000));
            sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    /// Tells the server directly; answers whether it took it.
    async fn report(&self, posted: Posted) -> bool {
        let Some(sink) = self.with(|state| state.sink.clone()) else { return false };
        let reference = flow::CarrierRef::new(posted.carrier, posted.reference);
        sink.report(Report { reference, recipient: None, receipt: posted.receipt }).await.is_ok()
    }

    /// Sends it by the carrier's SMPP session; answers whether it was taken there.
    async fn offer(&self, posted: Posted) -> bool {
        let (taken, answered) = oneshot::channel();
        let sent = self.with(|state| {
            let to = posted.submission.map_or("", |submission| &state.submissions[submission].to).to_owned();
            let Posted { reference, receipt, .. } = posted;
            let offer = Offer { to, reference, status: receipt.status, taken };
            state.sessions.get(&posted.carrier).is_some_and(|session| session.send(offer).is_ok())
        });
        sent && matches!(tokio::time::timeout(OFFER_TIMEOUT, answered).await, Ok(Ok(true)))
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.with(|state| {
            state.mood = Mood::default();
            state.mend_clock();
            state.down.clear();
            state.trial = Trial::Any;
        });
    }
}
