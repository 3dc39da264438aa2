//! Looks at what waits to be done, and why: what the store's queue has counted, seen together with how the
//! carriers are.

use crate::choosing::Availability;
use crate::core::Engine;
use crate::managed_carrier::ManagedCarrier;
use crate::owed_work::{Because, OwedWork};
use std::sync::Arc;
use store::{Lane, Wait, Waiting, Why};

impl Engine {
    /// What waited a second ago at most, by lane, application, carrier and why. What is being done at that
    /// moment does not wait. Times to live are not counted: each open flow has one.
    pub fn owed_work(&self) -> Arc<Vec<OwedWork>> {
        Arc::clone(&self.owed_work.read())
    }

    /// Looks at what waits. It costs as much as there are applications, however many tasks wait.
    pub(crate) fn look_at_owed_work(&self) -> Arc<Vec<OwedWork>> {
        let of_lane = |lane: Lane| {
            let turn = self.turn(lane);
            self.store.waiting(lane).into_iter().map(move |waiting| self.owed(lane, turn, waiting))
        };
        let owed: Arc<Vec<OwedWork>> = Arc::new(Lane::ALL.into_iter().flat_map(of_lane).collect());
        *self.owed_work.write() = Arc::clone(&owed);
        owed
    }

    /// `turn` is what the lane's tasks wait for whose turn has not come.
    fn owed(&self, lane: Lane, turn: (Option<&ManagedCarrier>, Why), waiting: Waiting) -> OwedWork {
        let Waiting { application, wait, count, oldest_ms } = waiting;
        let (carrier, because) = match wait {
            Wait::Turn => (turn.0, Because::Carrier(turn.1)),
            Wait::Time => (None, Because::Later),
            Wait::Carrier { carrier, why } => {
                (self.carriers.get(usize::from(carrier)).map(|carrier| &**carrier), Because::Carrier(why))
            }
        };
        let carrier = carrier.map(|carrier| carrier.config.name.clone());
        OwedWork { lane, application, carrier, because, count, oldest_ms }
    }

    /// The carrier that a lane's tasks wait for whose turn has not come, if the channel has but one, and why.
    /// A lane takes nothing while none of its carriers has room.
    fn turn(&self, lane: Lane) -> (Option<&ManagedCarrier>, Why) {
        let Lane::Submit(channel) = lane else { return (None, Why::Busy) };
        let carriers: Vec<&Arc<ManagedCarrier>> = self.carriers_of(channel).collect();
        let [first, others @ ..] = &carriers[..] else { return (None, Why::Busy) };
        let with = |availability| carriers.iter().find(|carrier| carrier.availability() == availability);
        let shown = with(Availability::Ready).or(with(Availability::Down)).unwrap_or(first);
        let only = others.is_empty().then_some(&***first);
        (only, shown.obstacle().unwrap_or(Why::Busy))
    }
}
