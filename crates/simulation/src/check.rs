//! Whether the promises were kept, as far as the outside can tell: by what clients asked for and were
//! answered, what carriers and the callbacks' target saw, and what the trackings show in the end.

use crate::api::Http;
use crate::moment::At;
use crate::parties::{APPLICATION, BALANCE, CHANNELS};
use crate::pause::Pause;
use crate::request::{Request, RequestedStep};
use crate::summary::Summary;
use crate::world::{Called, Posted, Reply, Skews, Submission, World, statuses};
use anyhow::{Context, anyhow, bail};
use engine::indexing::{Followed, index_directory};
use flow::{CallbackStrategy, Channel, Price, Status};
use rust_decimal::prelude::FromPrimitive;
use serde_json::{Value, json};
use server::database;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use store::{Admin, Keyring, SqliteAdmin, SqliteStore, Statistics, StatisticsQuery};
use wire::time::parse_iso;

/// An answer is certainly written down so long after it was given, if the server still runs, milliseconds.
/// (The store may fail some times in a row, and is tried again within seconds.)
const CERTAIN_MS: i64 = 300_000;
/// What a carrier is being handed while a flow is cancelled, or its carrier is paused, may still arrive,
/// milliseconds.
const UNDER_WAY_MS: i64 = 60_000;

/// A part is handed over so often at most with outcomes that the server knows that it can't know:
/// `unknown_resends_max`, which is 1 by default, and the first time.
const UNKNOWNS_MAX: usize = 2;

/// How exactly a time to live is measured while the clock jumps, milliseconds.
const CLOCK_ERROR_MS: i64 = 2000;

type Checked = anyhow::Result<()>;

/// Everything that is compared.
struct Seen {
    requests: Vec<Request>,
    submissions: Vec<Submission>,
    posted: Vec<Posted>,
    called: Vec<Called>,
    end: At,
    skews: Skews,
    pauses: Vec<Pause>,
    /// The tracking of each request, where there is one.
    trackings: HashMap<String, Value>,
}

/// Checks all promises.
pub async fn check(
    world: &Arc<World>,
    api: &Http,
    store: &Arc<SqliteStore>,
    data: &Path,
) -> anyhow::Result<Summary> {
    let mut trackings = HashMap::new();
    let mut price = Price::ZERO;
    for tracking in search_all(api, &json!([])).await? {
        price += amount(&tracking["totalPrice"])?;
        let to = recipient(&tracking);
        if let Some(other) = trackings.insert(to.clone(), tracking) {
            bail!("{to} was sent two flows: one is {}", other["trackingId"]);
        }
    }
    let seen = world.with(|state| Seen {
        requests: state.requests.clone(),
        submissions: state.submissions.clone(),
        posted: state.posted.clone(),
        called: state.called.clone(),
        end: state.now(),
        skews: state.skews(),
        pauses: state.pauses.clone(),
        trackings,
    });
    let mut doubles = 0;
    for request in &seen.requests {
        let to = &request.to;
        let at = |broken: anyhow::Error| {
            let tracking = seen.trackings.get(to);
            anyhow!("{to}: {broken:#}\n{}", tracking.map(Value::to_string).unwrap_or_default())
        };
        seen.durable(request).map_err(at)?;
        seen.bounded(request).map_err(at)?;
        doubles += seen.doubled(request).map_err(at)?;
        let Some(tracking) = seen.trackings.get(to) else { continue };
        seen.ended(request, tracking).map_err(at)?;
        seen.in_order(request, tracking).map_err(at)?;
        seen.shown(request, tracking).map_err(at)?;
        seen.called_back(request, tracking).map_err(at)?;
    }
    seen.paused()?;
    found(api, &seen).await?;
    indexed(store, data).await?;
    counted(store, &seen).await?;
    let admin = SqliteAdmin::open(&database(data), &Keyring::default())?;
    let left = admin.balance(APPLICATION).await?.context("the balance is gone")?;
    let spent = BALANCE.parse::<Price>()? - left;
    if spent != price {
        bail!("the balance lacks {spent}, and the trackings cost {price}");
    }
    Ok(Summary {
        acknowledged: seen.requests.iter().filter(|request| request.tracking.is_some()).count(),
        crashes: 0,
        submissions: seen.submissions.len(),
        receipts: seen.posted.len(),
        callbacks: seen.called.len(),
        doubles,
        slowest_hand_over_ms: seen.slowest_hand_over_ms(),
        slowest_callback_ms: seen.slowest_callback_ms(),
        fingerprint: seen.fingerprint(),
    })
}

async fn search_all(api: &Http, filters: &Value) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    loop {
        let page = all.len() / 1000;
        let path = format!("/failover/tracking?size=1000&page={page}");
        let (status, answer) = api.post(&path, filters).await;
        let content = answer["content"].as_array().filter(|_| status == 200);
        let content = content.with_context(|| format!("a search was answered {status}: {answer}"))?;
        all.extend(content.iter().cloned());
        if answer["last"] == true {
            return Ok(all);
        }
    }
}

fn amount(value: &Value) -> anyhow::Result<Price> {
    let price = value.as_f64().and_then(Price::from_f64).with_context(|| format!("no price: {value}"))?;
    Ok(price.round_dp(4))
}

fn messages(tracking: &Value) -> impl Iterator<Item = &Value> {
    tracking["messages"].as_array().into_iter().flatten()
}

fn recipient(tracking: &Value) -> String {
    let to = messages(tracking).next().map(|message| &message["to"]);
    let to = to.map(|to| to.as_str().or(to["phone"].as_str()).unwrap_or_default());
    to.unwrap_or_default().to_owned()
}

/// The messages of a step, by part.
fn parts(tracking: &Value, step: usize) -> Vec<&Value> {
    messages(tracking).filter(|message| message["order"] == step + 1).collect()
}

fn is_success(status: Status) -> bool {
    matches!(status, Status::Delivered | Status::Seen | Status::Completed)
}

/// What a message becomes when its clock runs out (contract, section 7).
fn expired(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "Undelivered",
        Channel::Viber => "Expired",
        _ => "NoAnswer",
    }
}

impl RequestedStep {
    fn fails_over_on(&self, status: &str) -> bool {
        self.failover_on.contains(&status)
    }
}

impl Seen {
    fn of<'a>(&'a self, request: &'a Request) -> impl Iterator<Item = (usize, &'a Submission)> {
        let submissions = self.submissions.iter().enumerate();
        submissions.filter(|(_, submission)| submission.to == request.to)
    }

    /// Nothing new goes to a carrier that is paused.
    fn paused(&self) -> Checked {
        for Pause { carrier, from_ms, to_ms } in &self.pauses {
            let paused = from_ms + UNDER_WAY_MS..to_ms.unwrap_or(i64::MAX);
            let is_wrong = |submission: &&Submission| {
                submission.carrier == *carrier && paused.contains(&submission.begun.elapsed_ms)
            };
            if let Some(submission) = self.submissions.iter().find(is_wrong) {
                bail!("{carrier} was paused at {from_ms} ms and was handed {submission:?}");
            }
        }
        Ok(())
    }

    fn receipts_of(&self, submission: usize) -> impl Iterator<Item = &Posted> {
        self.posted.iter().filter(move |posted| posted.submission == Some(submission))
    }

    /// The end of a life, as far as it is known: the last moment that was seen of it.
    fn life_ended_ms(&self, life: u32) -> i64 {
        if life == self.end.life {
            return i64::MAX;
        }
        let replies = self.submissions.iter().filter_map(|submission| submission.reply.map(|(at, _)| at));
        let receipts = self.posted.iter().filter_map(|posted| posted.acknowledged);
        let calls = self.called.iter().map(|called| called.at);
        let all = replies.chain(receipts).chain(calls).filter(|at| at.life == life);
        all.map(|at| at.elapsed_ms).max().unwrap_or(0)
    }

    /// Whether the server certainly knows that a carrier took a part, and what the carrier calls it.
    fn is_known(&self, submission: &Submission) -> bool {
        self.told(submission)
            .is_some_and(|at| self.life_ended_ms(at.life).saturating_sub(at.elapsed_ms) > CERTAIN_MS)
    }

    /// When the server was told that a carrier took a part: at once, or late, while that still mattered.
    fn told(&self, submission: &Submission) -> Option<At> {
        let until_ms = submission.begun.elapsed_ms + submission.ttl_ms - CLOCK_ERROR_MS;
        match submission.reply {
            Some((at, Reply::Accepted)) => Some(at),
            Some((_, Reply::Unknown)) => submission.answered.filter(|at| at.elapsed_ms < until_ms),
            _ => None,
        }
    }

    /// What was acknowledged is there, and nothing that nobody asked for.
    fn durable(&self, request: &Request) -> Checked {
        match (&request.tracking, self.trackings.get(&request.to)) {
            (Some(id), None) => Err(anyhow!("lost: {id} was acknowledged")),
            (Some(id), Some(tracking)) if tracking["trackingId"] != **id => {
                Err(anyhow!("{id} was acknowledged, and another flow is there"))
            }
            (None, Some(_)) if !request.posted => Err(anyhow!("a flow that nobody sent")),
            _ => Ok(()),
        }
    }

    /// A part whose outcome nobody could know is handed over again a bounded number of times.
    fn bounded(&self, request: &Request) -> Checked {
        let all: Vec<&Submission> = self.of(request).map(|(_, submission)| submission).collect();
        for (i, submission) in all.iter().enumerate() {
            let here = |other: &&&Submission| (other.step, other.part) == (submission.step, submission.part);
            let unknown =
                all[..i].iter().filter(here).filter(|before| self.is_written_unknown(before, submission));
            if unknown.count() >= UNKNOWNS_MAX {
                let Submission { step, part, .. } = submission;
                bail!("step {step} part {part} is sent again and again: {submission:?}");
            }
        }
        Ok(())
    }

    /// Whether the server certainly had written down, when it handed over `later`, that the outcome of
    /// `before` is not known: it did so before it went on, and it may have died instead.
    fn is_written_unknown(&self, before: &Submission, later: &Submission) -> bool {
        matches!(before.reply, Some((at, Reply::Unknown)) if at.life == later.begun.life
            || self.life_ended_ms(at.life).saturating_sub(at.elapsed_ms) > CERTAIN_MS)
    }

    /// A part reaches carriers once; where it does twice, the first time had an outcome that the server could
    /// not know, and its carrier may be asked again. Answers how often that was so.
    fn doubled(&self, request: &Request) -> anyhow::Result<usize> {
        let mut last: HashMap<(u16, u16), &Submission> = HashMap::new();
        let mut doubles = 0;
        for (_, submission) in self.of(request).filter(|(_, submission)| submission.reference.is_some()) {
            let Some(before) = last.insert((submission.step, submission.part), submission) else { continue };
            doubles += 1;
            let place = format!("step {} part {}", submission.step, submission.part);
            if before.waits {
                bail!("doubled: {place} after {before:?}, which must not be repeated");
            }
            let excused = match before.reply {
                Some((_, Reply::Unknown)) => true,
                Some((_, Reply::Accepted)) => {
                    before.begun.life != submission.begun.life && !self.is_known(before)
                }
                // It died while the carrier had it.
                None => before.begun.life != submission.begun.life,
                Some((_, Reply::Refused | Reply::Later)) => false,
            };
            if !excused {
                bail!("doubled: {place}: {before:?}, then {submission:?}");
            }
        }
        Ok(doubles)
    }

    /// Every flow ends, and says why.
    fn ended(&self, request: &Request, tracking: &Value) -> Checked {
        let code = tracking["statusCode"].as_u64();
        match (tracking["status"].as_str(), code) {
            (Some("Succeeded"), None) | (Some("Failed"), Some(2 | 3)) => {}
            (Some("Failed"), Some(0)) if request.cancel_asked.is_some() => {}
            other => bail!("ended as {other:?}"),
        }
        let cancelled = tracking["reason"]["detailedStatus"] == "Cancelled";
        if cancelled != (code == Some(0)) || (request.cancelled.is_some() && !cancelled) {
            bail!("a cancelled flow does not say so");
        }
        let Some(cancelled) = request.cancelled else { return Ok(()) };
        let after = |(_, submission): &(usize, &Submission)| {
            submission.begun.elapsed_ms > cancelled.elapsed_ms + UNDER_WAY_MS
        };
        match self.of(request).find(after) {
            Some((_, submission)) => Err(anyhow!("cancelled at {cancelled:?}, and then {submission:?}")),
            None => Ok(()),
        }
    }

    /// A step starts when something that its predecessor fails over on has happened, and nothing before it
    /// said that the message got through.
    fn in_order(&self, request: &Request, tracking: &Value) -> Checked {
        for (_, submission) in self.of(request).filter(|(_, submission)| submission.step > 0) {
            let before = usize::from(submission.step) - 1;
            let plan = &request.steps[before];
            let succeeded = self.succeeded(request, before);
            let in_time = |at: &At| succeeded.is_none_or(|succeeded| at.number < succeeded.number);
            let mut caused = false;
            for (i, earlier) in self.of(request).filter(|(_, earlier)| usize::from(earlier.step) == before) {
                if let Some((at, Reply::Refused)) = earlier.reply
                    && at.number < submission.begun.number
                {
                    caused |= plan.fails_over_on("Failed") && in_time(&at);
                }
                for posted in self.receipts_of(i) {
                    let offered = posted.offered.filter(|at| at.number < submission.begun.number);
                    let fits = plan.fails_over_on(posted.receipt.status.name());
                    caused |= fits && offered.is_some_and(|at| in_time(&at));
                }
            }
            let started = parts(tracking, before).first().and_then(|part| part["createdAt"].as_str());
            let started_ms =
                started.and_then(parse_iso).context("a step started without the one before it")?;
            // By the clock, or by the time that has passed, where the clock was wrong when the step started.
            let passed = |at: At| {
                let mut moments = self.skews.moments(started_ms);
                moments.any(|began_ms| at.elapsed_ms + CLOCK_ERROR_MS >= began_ms + plan.ttl_ms)
            };
            let over = |at: At| at.latest_ms >= started_ms + plan.ttl_ms || passed(at);
            let timely = over(submission.begun) && succeeded.is_none_or(over);
            caused |= timely && plan.fails_over_on(expired(plan.channel));
            if !caused {
                bail!("step {} started without a cause: {submission:?}", submission.step);
            }
        }
        Ok(())
    }

    /// When the server certainly knew that all parts of a step got through.
    fn succeeded(&self, request: &Request, step: usize) -> Option<At> {
        let mut last: Option<At> = None;
        for part in 0..request.steps[step].parts {
            let mut of_part = self.of(request).filter(|(_, submission)| {
                usize::from(submission.step) == step && submission.part == part && self.is_known(submission)
            });
            let (index, submission) = of_part.next()?;
            let good = self.receipts_of(index).filter(|posted| is_success(posted.receipt.status));
            let first = good.filter_map(|posted| posted.acknowledged).min()?;
            // A receipt that comes before the answer counts when the answer is there.
            let answered = self.told(submission).map_or(first, |at| At {
                number: at.number,
                elapsed_ms: at.elapsed_ms + CERTAIN_MS,
                ..at
            });
            let certain = if first.elapsed_ms > answered.elapsed_ms { first } else { return None };
            last = last.max(Some(certain));
        }
        last
    }

    /// A tracking shows what carriers said, and nothing that they did not say.
    fn shown(&self, request: &Request, tracking: &Value) -> Checked {
        for (step, plan) in request.steps.iter().enumerate() {
            for (part, message) in parts(tracking, step).into_iter().enumerate() {
                let name = message["status"]["name"].as_str().unwrap_or_default();
                let status =
                    plan.channel.rules().parse_status(name).with_context(|| format!("no status: {name}"))?;
                let here = |submission: &Submission| {
                    usize::from(submission.step) == step && usize::from(submission.part) == part
                };
                let mut said = Vec::new();
                let mut certain = Vec::new();
                for (i, submission) in self.of(request).filter(|(_, submission)| here(submission)) {
                    for posted in self.receipts_of(i) {
                        let heard = posted.receipt.status;
                        let ends = heard.is_final() && plan.channel.rules().has(heard);
                        if ends && posted.offered.is_some() {
                            said.push(heard);
                        }
                        if ends && posted.acknowledged.is_some() && self.is_known(submission) {
                            certain.push(heard);
                        }
                    }
                }
                if is_success(status)
                    && !said.contains(&status)
                    && !self.is_by_recipient(request, tracking, (step, part))
                {
                    bail!("step {step} part {part} shows {status:?}; carriers said {said:?}");
                }
                if !certain.is_empty() && !said.contains(&status) {
                    bail!(
                        "a receipt was lost: step {step} part {part} shows {status:?}, and {certain:?} \
                         were acknowledged"
                    );
                }
                if plan.channel == Channel::Viber
                    && certain.contains(&Status::Seen)
                    && said.iter().all(|heard| is_success(*heard))
                    && status != Status::Seen
                {
                    bail!("Seen was lost: step {step} shows {status:?}");
                }
            }
        }
        Ok(())
    }

    /// Whether a part's success may be one that a carrier reported on another part of its message. Where it
    /// answered neither hand-over, the server knows no id of theirs, and the receipt says only whose message
    /// it is about (docs/carriers-smpp.md). Each receipt counts for one part even so.
    fn is_by_recipient(&self, request: &Request, tracking: &Value, (step, part): (usize, usize)) -> bool {
        let name = |message: &Value| message["status"]["name"].as_str().unwrap_or_default().to_owned();
        let shown: Vec<String> = parts(tracking, step).into_iter().map(name).collect();
        let of_step = self.of(request).filter(|(_, submission)| usize::from(submission.step) == step);
        let of_step: Vec<(usize, &Submission)> = of_step.collect();
        let reported = |index: usize| {
            let receipts = self.receipts_of(index).filter(|posted| posted.by_smsc);
            let same = receipts.filter(|posted| posted.receipt.status.name() == shown[part]);
            same.filter_map(|posted| posted.offered).min()
        };
        let reports = of_step.iter().filter(|(index, _)| reported(*index).is_some()).count();
        let is_open = |at: At, submission: &Submission| {
            let replied =
                matches!(submission.reply, Some((_, Reply::Accepted | Reply::Refused | Reply::Later)));
            !replied && self.told(submission).is_none_or(|told| told.number > at.number)
        };
        let is_for_either = |own: &Submission, other: &Submission, at: At| {
            let at_one = own.carrier == other.carrier && own.part != other.part;
            at_one && own.begun.number < at.number && is_open(at, own) && is_open(at, other)
        };
        let mut own = of_step.iter().filter(|(_, submission)| usize::from(submission.part) == part);
        shown.iter().filter(|name| **name == shown[part]).count() <= reports
            && own.any(|(_, own)| {
                of_step
                    .iter()
                    .any(|(index, other)| reported(*index).is_some_and(|at| is_for_either(own, other, at)))
            })
    }

    /// Whoever wants callbacks gets the end, and every change in order; again only where its answer was not
    /// heard.
    fn called_back(&self, request: &Request, tracking: &Value) -> Checked {
        let id = tracking["trackingId"].as_str().unwrap_or_default();
        let calls: Vec<&Called> = self.called.iter().filter(|called| called.tracking == id).collect();
        let mut first: Vec<&Called> = Vec::new();
        let mut last: HashMap<&str, &Called> = HashMap::new();
        for call in &calls {
            match last.insert(&call.webhook, call) {
                None => first.push(call),
                // The acknowledgement may have died with the server before it was written down.
                Some(before) if before.acknowledged == Some(true) && before.at.life == call.at.life => {
                    bail!("called twice: {before:?}, then {call:?}");
                }
                Some(_) => {}
            }
        }
        let (Some(strategy), Some(latest)) = (request.callback, first.last()) else {
            let nothing = request.callback.is_none() && calls.is_empty();
            return if nothing { Ok(()) } else { Err(anyhow!("a callback was lost, or made for nobody")) };
        };
        if strategy == CallbackStrategy::OnCompletion && first.len() != 1 {
            bail!("{} callbacks for one end", first.len());
        }
        if first.windows(2).any(|two| two[0].updated > two[1].updated) {
            bail!("callbacks out of order");
        }
        let now = statuses(tracking);
        let shows_end = match strategy {
            CallbackStrategy::OnChange => latest.statuses == now,
            // The end: messages may have moved on since then.
            CallbackStrategy::OnCompletion => latest.statuses.first() == now.first(),
        };
        if !shows_end {
            bail!("the last callback shows {:?}", latest.statuses);
        }
        if last.values().any(|call| call.acknowledged != Some(true) && call.at.life == self.end.life) {
            bail!("a callback was given up that was not acknowledged");
        }
        Ok(())
    }

    /// See [`Summary::slowest_hand_over_ms`].
    fn slowest_hand_over_ms(&self) -> i64 {
        let waited = self.requests.iter().filter(|request| request.steps[0].channel != Channel::Voice);
        let waited = waited.filter_map(|request| {
            let acknowledged = request.acknowledged?;
            let first = self.submissions.iter().find(|submission| submission.to == request.to)?;
            Some(first.begun.elapsed_ms - acknowledged.elapsed_ms)
        });
        waited.max().unwrap_or_default()
    }

    /// See [`Summary::slowest_callback_ms`].
    fn slowest_callback_ms(&self) -> i64 {
        let hanging = self.requests.iter().filter(|request| request.hangs);
        let hanging: HashSet<_> = hanging.filter_map(|request| request.tracking.as_deref()).collect();
        let mut webhooks = HashSet::new();
        let first = self.called.iter().filter(|called| webhooks.insert(&called.webhook));
        let ours: HashSet<_> =
            self.requests.iter().filter_map(|request| request.tracking.as_deref()).collect();
        let waited = first.filter(|called| {
            let tracking = called.tracking.as_str();
            ours.contains(tracking) && !hanging.contains(tracking)
        });
        waited.filter_map(|called| self.after_ms(called)).max().unwrap_or_default()
    }

    /// How long after its change a callback came. Where the clock was set, the moment of the change is not
    /// known exactly: the latest that it can be.
    fn after_ms(&self, called: &Called) -> Option<i64> {
        let moments = self.skews.right_moments(parse_iso(&called.updated)?);
        moments.map(|changed_ms| called.at.elapsed_ms - changed_ms).filter(|after_ms| *after_ms >= 0).min()
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}{:?}{:?}{:?}", self.submissions, self.posted, self.called, self.end).hash(&mut hasher);
        hasher.finish()
    }
}

/// Searches find what a plain look at all trackings finds.
async fn found(api: &Http, seen: &Seen) -> Checked {
    let all: Vec<&Value> = seen.trackings.values().collect();
    for status in ["Queued", "InProgress", "Succeeded", "Failed"] {
        let filters = json!([{"fieldName": "status", "searchTerm": status}]);
        let found = search_all(api, &filters).await?.len();
        let there = all.iter().filter(|tracking| tracking["status"] == status).count();
        if found != there {
            bail!("a search for {status} finds {found} of {there}");
        }
    }
    for channel in CHANNELS {
        let name = channel.name();
        let filters = json!([{"fieldName": "terminationChannel", "searchTerm": name},
            {"fieldName": "type", "searchTerm": name, "searchOperator": "is_not"}]);
        let found = search_all(api, &filters).await?.len();
        let has = |tracking: &&&Value| {
            tracking["terminationChannel"] == name
                && messages(tracking).all(|message| message["type"] != name)
        };
        let there = all.iter().filter(has).count();
        if found != there {
            bail!("a search for {filters} finds {found} of {there}");
        }
    }
    Ok(())
}

/// The statistics are the sum of all trackings.
async fn counted(store: &SqliteStore, seen: &Seen) -> Checked {
    let range = store.statistics_range(APPLICATION.to_owned()).await?;
    let bounds = range.map(|range| vec![range.start, range.end]).unwrap_or_default();
    let query =
        StatisticsQuery { application: APPLICATION.to_owned(), bounds, group_by: vec![], rows_max: 1 };
    let totals = store.statistics(query).await?.context("a period has several rows")?.totals;
    let all = || seen.trackings.values();
    let succeeded = all().filter(|tracking| tracking["status"] == "Succeeded").count();
    // Steps start in their order, from 1.
    let started = |tracking| messages(tracking).filter_map(|message| message["order"].as_u64()).max();
    let steps: Vec<usize> = all().map(|tracking| started(tracking).unwrap_or_default() as usize).collect();
    let failed_over = steps.iter().filter(|started| **started > 1).count();
    let mut price = Price::ZERO;
    for tracking in all() {
        price += amount(&tracking["totalPrice"])?;
    }
    let parts = all().flat_map(messages).count();
    let there = [all().count(), succeeded, failed_over, steps.iter().sum(), parts].map(|count| count as i64);
    let counted =
        [totals.flows, totals.succeeded_flows, totals.failed_over_flows, totals.messages, totals.parts];
    if counted != there || totals.price != price {
        bail!("the statistics have {totals:?}, and there are {there:?} for {price}");
    }
    Ok(())
}

/// The index's files, as they were saved at some time, and what changed since then, are what the store has.
async fn indexed(store: &Arc<SqliteStore>, data: &Path) -> Checked {
    let followed = Followed::default();
    let opened = followed.open(&**store, &index_directory(data)).await?;
    let found = followed.differences(&**store).await?;
    let indexed = followed.index.len();
    if opened.rebuilt || !found.differing.is_empty() || found.flows != indexed {
        bail!("the saved index: {opened:?}, {indexed} flows, {found:?}");
    }
    Ok(())
}
