//! Which carrier a part is offered to: a pure function of the carriers' state and of what was tried.

/// Whether new messages may go to a carrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Availability {
    /// It could take a message now, as far as it knows.
    Ready,
    /// It could not.
    Down,
    /// An operator paused it or drains it.
    Halted,
}

/// A carrier that could carry a part, in the order in which the routes have them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub(crate) availability: Availability,
    /// Enough of its last messages went well.
    pub(crate) is_well: bool,
    /// It takes all parts of a message at once.
    pub(crate) accepts_whole_message: bool,
}

/// What is done with a part. Carriers are positions among the candidates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// It is offered to this carrier.
    Ask { carrier: usize },
    /// No carrier is ready; it waits for this one.
    NoneReady { preferred: usize },
    /// It goes with the first part of its message.
    WithFirstPart,
    /// There is no candidate.
    None,
}

/// Chooses the carrier for a part that was handed over in vain `attempts` times. Only carriers that
/// are ready are asked, failing ones go last, and one that already declined the part goes after those not yet
/// asked.
pub(crate) fn choose(candidates: &[Candidate], part: u16, attempts: u32) -> Choice {
    if candidates.is_empty() {
        return Choice::None;
    }
    let mut ready: Vec<usize> =
        (0..candidates.len()).filter(|i| candidates[*i].availability == Availability::Ready).collect();
    if ready.is_empty() {
        // One that is down comes back by itself.
        let down = candidates.iter().position(|candidate| candidate.availability == Availability::Down);
        return Choice::NoneReady { preferred: down.unwrap_or(0) };
    }
    // Stable: carriers that do equally well keep the order of the routes.
    ready.sort_by_key(|i| !candidates[*i].is_well);
    let carrier = ready[attempts as usize % ready.len()];
    if part > 0 && candidates[carrier].accepts_whole_message {
        return Choice::WithFirstPart;
    }
    Choice::Ask { carrier }
}

/// Returns whether another carrier than the one that was just asked, for the `attempts`th time before it,
/// could take a part at once: each is asked once before anybody waits.
pub(crate) fn has_untried(carriers: &[Availability], asked: Option<usize>, attempts: u32) -> bool {
    let is_another =
        |(i, availability): (usize, &Availability)| Some(i) != asked && *availability == Availability::Ready;
    (attempts as usize) + 1 < carriers.len() && carriers.iter().enumerate().any(is_another)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Candidate =
        Candidate { availability: Availability::Ready, is_well: true, accepts_whole_message: false };
    const FAILING: Candidate = Candidate { is_well: false, ..WELL };
    const DOWN: Candidate = Candidate { availability: Availability::Down, ..WELL };
    const HALTED: Candidate = Candidate { availability: Availability::Halted, ..WELL };
    const WHOLE: Candidate = Candidate { accepts_whole_message: true, ..WELL };

    #[test]
    fn the_first_that_is_up_and_well_is_asked_and_then_the_others_in_turn() {
        let candidates = [DOWN, FAILING, WELL, WELL];
        let asked = |attempts| choose(&candidates, 0, attempts);
        let asked: Vec<Choice> = (0..5).map(asked).collect();
        assert_eq!(asked, [2, 3, 1, 2, 3].map(|carrier| Choice::Ask { carrier }));
    }

    #[test]
    fn nobody_is_asked_without_a_candidate_or_while_all_are_down() {
        assert_eq!(choose(&[], 0, 0), Choice::None);
        assert_eq!(choose(&[DOWN, DOWN], 0, 3), Choice::NoneReady { preferred: 0 });
        assert_eq!(choose(&[FAILING], 7, 9), Choice::Ask { carrier: 0 });
    }

    #[test]
    fn nothing_goes_to_a_carrier_that_is_halted() {
        assert_eq!(choose(&[HALTED, WELL], 0, 0), Choice::Ask { carrier: 1 });
        assert_eq!(choose(&[HALTED, FAILING], 1, 7), Choice::Ask { carrier: 1 });
        assert_eq!(choose(&[HALTED, DOWN], 0, 0), Choice::NoneReady { preferred: 1 });
        assert_eq!(choose(&[HALTED, HALTED], 0, 1), Choice::NoneReady { preferred: 0 });
    }

    #[test]
    fn later_parts_go_with_the_first_to_whoever_takes_all_at_once() {
        assert_eq!(choose(&[WHOLE], 0, 0), Choice::Ask { carrier: 0 });
        assert_eq!(choose(&[WHOLE], 1, 0), Choice::WithFirstPart);
        assert_eq!(choose(&[WELL, WHOLE], 1, 0), Choice::Ask { carrier: 0 });
        assert_eq!(choose(&[WELL, WHOLE], 1, 1), Choice::WithFirstPart);
    }

    #[test]
    fn each_is_asked_once_before_anybody_waits() {
        const UP: Availability = Availability::Ready;
        const DOWN: Availability = Availability::Down;
        const HALTED: Availability = Availability::Halted;
        for (carriers, asked, attempts, expected) in [
            (&[UP, UP][..], Some(0), 0, true),
            (&[UP, UP], Some(1), 1, false),
            (&[UP, UP, UP], Some(1), 1, true),
            (&[UP, DOWN], Some(0), 0, false),
            (&[UP, HALTED], Some(0), 0, false),
            (&[DOWN, UP], Some(0), 0, true),
            (&[UP], Some(0), 0, false),
            (&[UP, UP], None, 0, true),
            (&[], None, 0, false),
        ] {
            let untried = has_untried(carriers, asked, attempts);
            assert_eq!(untried, expected, "{carriers:?} {asked:?} {attempts}");
        }
    }
}
