//! The course of a case: calm, attack, restart.

use super::bystander::{self, Latencies};
use super::case::Case;
use super::outcome::Outcome;
use super::stage::{Finding, Promise, Stage};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long an attack may go on after its time, before the server is killed under it.
const GRACE: Duration = Duration::from_secs(60);
/// How long a server that was started again is looked at.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// How long the parts of a case last, and what it is prepared with.
pub struct Course {
    /// How long the other application is measured before the attack.
    pub calm: Duration,
    /// How long the attack lasts.
    pub attack: Duration,
    /// Flows that searches go through.
    pub flows: usize,
}

/// Plays a case: calm, attack, restart.
pub fn play(program: &Path, case: &Case, course: &Course) -> anyhow::Result<Outcome> {
    eprintln!("{} {}", case.name, case.about);
    let mut stage = Stage::start(program, case.config, case.limits, case.guard_mib)?;
    let before = if case.prepare_is_attack { Some(calm(&stage, case, course.calm)?) } else { None };
    (case.prepare)(&mut stage, course.flows)?;
    let calm = match before {
        Some(calm) => calm,
        None => calm(&stage, case, course.calm)?,
    };
    let (attacked, finding, hung) = attack(&stage, case, course.attack)?;
    let lives = stage.server.as_mut().is_some_and(|server| server.lives().unwrap_or_default());
    let peak_mib = stage.watch.peak_mib();
    if !lives || hung {
        stage.server = None;
    }
    let started = Instant::now();
    let restart = match stage.restart(|_| Ok(())) {
        Ok(()) => {
            let took = started.elapsed();
            std::thread::sleep(AFTERWARDS);
            let lives = stage.server.as_mut().is_some_and(|server| server.lives().unwrap_or_default());
            lives.then(|| (took, stage.watch.peak_mib()))
        }
        Err(error) => {
            eprintln!("{}: {error:#}", case.name);
            None
        }
    };
    let panics = stage.panics();
    let memory_max_mib = finding.memory_max_mib.unwrap_or(case.memory_max_mib);
    let (name, about) = (case.name, case.about);
    Ok(Outcome {
        name,
        about,
        calm,
        attacked,
        peak_mib,
        lives,
        hung,
        panics,
        restart,
        finding,
        memory_max_mib,
    })
}

fn calm(stage: &Stage, case: &Case, lasting: Duration) -> anyhow::Result<Latencies> {
    let started = Instant::now();
    let ended = || started.elapsed() > lasting;
    Ok(bystander::send(&stage.server()?.address, &stage.other.token, case.rate, &ended))
}

/// The attack, with the other application beside it; the last value: whether it had to be ended.
fn attack(stage: &Stage, case: &Case, lasting: Duration) -> anyhow::Result<(Latencies, Finding, bool)> {
    let attack = stage.attack(lasting)?;
    let done = AtomicBool::new(false);
    let ended =
        || done.load(Ordering::Relaxed) && attack.over() || attack.started.elapsed() > lasting + GRACE;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| bystander::send(attack.address, &stage.other.token, case.rate, &ended));
        let attacker = scope.spawn(|| {
            let finding = (case.attack)(&attack);
            done.store(true, Ordering::Relaxed);
            finding
        });
        while !ended() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let hung = !done.load(Ordering::Relaxed);
        if hung {
            // Whoever waits for it gets its answer so.
            attack.ended.store(true, Ordering::Relaxed);
            Command::new("kill").args(["-KILL", &attack.server.id().to_string()]).status()?;
        }
        let finding = attacker.join().expect("no panic").unwrap_or_else(|error| Finding {
            promises: vec![Promise { text: format!("{error:#}"), kept: false }],
            ..Finding::default()
        });
        Ok((other.join().expect("no panic"), finding, hung))
    })
}
