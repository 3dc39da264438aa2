//! Lanes: tasks that are worked off together, one for each channel's submits and one for each other kind of
//! task.

use flow::{Channel, TaskKind};

/// Tasks that are worked off together, so that one kind of work never waits for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lane {
    /// Submits over one channel.
    Submit(Channel),
    /// Times to live that are over.
    Expire,
    /// Callbacks.
    Callback,
}

impl Lane {
    /// How many lanes there are: one for each channel, and two.
    pub const COUNT: usize = Channel::ALL.len() + 2;

    /// Every lane: those of the channels in the order of [`Channel::ALL`], then the others.
    pub const ALL: [Lane; Lane::COUNT] = {
        let mut all = [Lane::Expire; Lane::COUNT];
        let mut at = 0;
        while at < Channel::ALL.len() {
            all[at] = Lane::Submit(Channel::ALL[at]);
            at += 1;
        }
        all[Channel::ALL.len()] = Lane::Expire;
        all[Channel::ALL.len() + 1] = Lane::Callback;
        all
    };

    /// Its name: that of the channel, or what is done in it.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Submit(channel) => channel.name(),
            Lane::Expire => "expiries",
            Lane::Callback => "callbacks",
        }
    }

    pub(crate) fn of(task: TaskKind) -> Lane {
        match task {
            TaskKind::Submit { channel, .. } => Lane::Submit(channel),
            TaskKind::Expire { .. } => Lane::Expire,
            TaskKind::Callback { .. } => Lane::Callback,
        }
    }

    /// Its position in [`Lane::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Lane::Submit(channel) => channel as usize,
            Lane::Expire => Channel::ALL.len(),
            Lane::Callback => Channel::ALL.len() + 1,
        }
    }
}

// No two lanes share a number: each stands at its own.
const _: () = {
    let mut at = 0;
    while at < Lane::COUNT {
        assert!(Lane::ALL[at].index() == at, "the channels' numbers are their positions in Channel::ALL");
        at += 1;
    }
};

/// A set of lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lanes(u32);

const _: () = assert!(Lane::COUNT <= u32::BITS as usize, "a set of lanes has a bit for each");

impl Lanes {
    pub(crate) const NONE: Lanes = Lanes(0);

    pub(crate) fn add(&mut self, lane: Lane) {
        self.0 |= 1 << lane.index();
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Lane> {
        Lane::ALL.into_iter().filter(move |lane| self.0 & (1 << lane.index()) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_has_a_lane_and_every_lane_its_own_place() {
        for channel in Channel::ALL {
            assert_eq!(Lane::of(TaskKind::Submit { channel, message: 0, part: 0 }), Lane::Submit(channel));
        }
        assert_eq!(Lane::of(TaskKind::Expire { message: 0 }), Lane::Expire);
        assert_eq!(Lane::of(TaskKind::Callback { number: 1 }), Lane::Callback);
        let mut some = Lanes::NONE;
        assert_eq!(some.iter().count(), 0);
        for (before, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(some.iter().count(), before);
            some.add(lane);
            some.add(lane);
        }
        assert_eq!(some.iter().collect::<Vec<_>>(), Lane::ALL);
    }
}
