//! The world around a server: its time, its chance, its faults, and everything that was seen in it.

use crate::course::Course;
use crate::fault::{Fault, Mood};
use crate::moment::At;
use crate::pause::Pause;
use crate::plan::Plan;
use crate::reach::{Reach, Side};
use crate::request::Request;
use crate::trial::Trial;
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
    pub by_smsc: bool,
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

/// A line of the course about a receipt.
fn receipt_line(state: &State, posted: &Posted, what: &str) -> String {
    let to = posted.submission.map_or("nobody", |submission| &state.submissions[submission].to);
    format!("{to} receipt {:?} of {} {what}", posted.receipt.status, posted.reference)
}

/// Everything outside of the server, and what it saw. It outlives the server's lives.
pub struct World {
    state: Mutex<State>,
    crash: Notify,
}

/// What happens at a place where anything can happen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The server is killed here.
    Dies,
    /// It was killed already.
    IsDead,
    /// So much time passes, milliseconds.
    Waits(u64),
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
    /// What an operator paused, the last one last.
    pub pauses: Vec<Pause>,
    /// What happened so far.
    pub course: Course,
    /// Which methods of the store faults reached.
    pub reach: Reach,
    /// The server has started in this life.
    pub serving: bool,
    /// How often the server may still be killed.
    crashes_left: u32,
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

    /// Draws whether something of this likelihood happens.
    pub fn chance(&mut self, likelihood: f64) -> bool {
        likelihood > 0.0 && self.random.f64() < likelihood
    }

    /// Draws whether a fault happens here.
    pub fn happens(&mut self, fault: Fault) -> bool {
        self.chance(self.mood.of(fault))
    }

    /// Notes what happened now.
    pub fn note(&mut self, what: String) {
        let elapsed_ms = self.elapsed_ms();
        self.course.note(elapsed_ms, what);
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
        self.note(format!("the clock is {skew_ms} ms off"));
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
    /// The world of a plan.
    pub fn new(plan: &Plan) -> Arc<World> {
        let mut random = Rng::with_seed(plan.seed);
        let any = plan.trial == Trial::Any;
        let mut mood = match plan.trial {
            Trial::Any => Mood::draw(&mut random),
            Trial::Outage => Mood::default(),
            Trial::Hostile => Mood::hostile(),
        };
        let draw = |number| Request::draw(number, &mut random, &mood);
        let mut requests: Vec<Request> = (0..plan.flows).map(draw).collect();
        // Behind all draws, so that what remains is as the seed draws it.
        mood.switch_off(&plan.without);
        for (number, request) in requests.iter_mut().enumerate() {
            request.settled = !plan.sends(number);
            request.cancel_after_ms = request.cancel_after_ms.filter(|_| mood.of(Fault::Cancels) > 0.0);
        }
        if plan.variation > 0 {
            random = Rng::with_seed(plan.seed ^ plan.variation.rotate_right(8));
        }
        let state = State {
            random,
            mood,
            requests,
            submissions: Vec::new(),
            posted: Vec::new(),
            called: Vec::new(),
            down: match plan.trial {
                Trial::Outage => vec!["careful".into(), "second".into()],
                Trial::Any | Trial::Hostile => Vec::new(),
            },
            pauses: Vec::new(),
            course: Course::default(),
            reach: Reach::default(),
            serving: false,
            crashes_left: plan.crashes_max.unwrap_or(u32::MAX),
            trial: plan.trial,
            // No draw, so that the other seeds stay as they are.
            speaks_smpp: any && plan.seed % 2 == 1,
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
            state.note(format!("the server starts, life {}", state.life));
        });
    }

    /// Ends a life: the server is down for a while.
    pub fn end(&self, down_ms: i64) {
        self.with(|state| {
            state.before_ms = state.elapsed_ms() + down_ms;
            state.began = None;
            state.sink = None;
            state.serving = false;
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
        let wait = self.with(|state| self.draw_step(state));
        self.pass(wait).await;
    }

    /// The same before or after a call of the store.
    pub async fn store_step(&self, method: &'static str, side: Side) {
        let wait = self.with(|state| {
            let wait = self.draw_step(state);
            let met = state.reach.at(method);
            met.calls += u64::from(side == Side::Before);
            match (wait, side) {
                (Step::Dies, Side::Before) => met.died_before += 1,
                (Step::Dies, Side::After) => met.answers_lost += 1,
                (Step::Waits(1..), _) => met.delayed += 1,
                (Step::Waits(0) | Step::IsDead, _) => {}
            }
            if wait == Step::Dies {
                let when = if side == Side::Before { "before" } else { "after" };
                state.note(format!("that was {when} the store's {method}"));
            }
            wait
        });
        self.pass(wait).await;
    }

    fn draw_step(&self, state: &mut State) -> Step {
        let dies = !state.crashed && state.happens(Fault::Crash) && state.crashes_left > 0;
        if dies {
            state.crashed = true;
            state.crashes_left -= 1;
            state.note("the server is killed".into());
            self.crash.notify_one();
            return Step::Dies;
        }
        if state.crashed {
            return Step::IsDead;
        }
        // Mostly short, sometimes longer than a try lasts.
        let longest_ms = if state.random.u8(..) == 0 { 20_000 } else { 100 };
        let delayed = state.happens(Fault::Delay);
        Step::Waits(if delayed { state.random.u64(1..longest_ms) } else { 0 })
    }

    async fn pass(&self, step: Step) {
        match step {
            Step::Dies | Step::IsDead => pending().await,
            Step::Waits(0) => {}
            Step::Waits(ms) => {
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
            self.with(|state| state.note(receipt_line(state, &posted, "comes")));
            let taken = if posted.by_smsc {
                self.offer(posted.clone()).await
            } else {
                self.report(posted.clone()).await
            };
            self.step().await;
            if taken {
                self.with(|state| {
                    let now = state.now();
                    state.posted[index].acknowledged = Some(now);
                    state.note(receipt_line(state, &posted, "is taken"));
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
            if !state.mood.faults().is_empty() || state.trial != Trial::Any {
                state.note("nothing goes wrong any more".into());
            }
            state.mood = Mood::default();
            state.mend_clock();
            state.down.clear();
            state.trial = Trial::Any;
        });
    }
}
