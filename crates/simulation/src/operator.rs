//! An operator, who now and then pauses a carrier for some minutes.

use crate::fault::Fault;
use crate::pause::Pause;
use crate::world::World;
use server::clock::now_ms;
use store::{Admin, Halt, HaltedCarrier, StoreError};

/// What an operator does.
enum Act {
    Halts(HaltedCarrier),
    ResumesAll,
}

/// Does what an operator does now, if anything. Nothing stays paused when nothing goes wrong any more.
pub async fn act(world: &World, admin: &dyn Admin) -> Result<(), StoreError> {
    match draw(world) {
        Some(Act::Halts(halted)) => {
            admin.halt_carriers(std::slice::from_ref(&halted)).await?;
            world.with(|state| {
                let from_ms = state.now().elapsed_ms;
                state.note(format!("{} is {}", halted.carrier, halted.halt.name()));
                state.pauses.push(Pause { carrier: halted.carrier, from_ms, to_ms: None });
            });
        }
        Some(Act::ResumesAll) => {
            world.with(|state| {
                let now_ms = state.now().elapsed_ms;
                state.note("all carriers are resumed".into());
                state.pauses.iter_mut().for_each(|pause| _ = pause.to_ms.get_or_insert(now_ms));
            });
            admin.resume_carriers(None).await?;
        }
        None => {}
    }
    Ok(())
}

fn draw(world: &World) -> Option<Act> {
    let since_ms = now_ms();
    world.with(|state| {
        let is_paused = state.pauses.iter().any(|pause| pause.to_ms.is_none());
        let likelihood = state.mood.of(Fault::Paused);
        if likelihood == 0.0 {
            return is_paused.then_some(Act::ResumesAll);
        }
        if is_paused && state.random.u8(0..30) == 0 {
            return Some(Act::ResumesAll);
        }
        if !state.chance(likelihood / 10.0) {
            return None;
        }
        let carrier = ["eager", "careful", "second"][state.random.usize(0..3)].to_owned();
        let halt = if state.random.bool() { Halt::Paused } else { Halt::Draining };
        Some(Act::Halts(HaltedCarrier { carrier, halt, since_ms, by: "simulated".into() }))
    })
}
