//! The machine in a world of processes that do as the test says.

use super::*;
use crate::serve::config::Config;
use proptest::prelude::*;
use std::collections::BTreeSet;

const S: Duration = Duration::from_secs(1);

fn rules() -> Rules {
    Rules { threads: 2, silence: Some(30 * S), start: Some(60 * S), graceful: Some(10 * S) }
}

/// Processes that are started when the fleet says so, and do nothing by themselves.
struct World {
    fleet: Fleet,
    now: Moment,
    /// Those that run.
    run: BTreeMap<Id, usize>,
    /// Those that were told to finish, or to end.
    told: BTreeSet<Id>,
    /// All that was to be done, in order and in words: `start 1`, `kill 2`; the numbers are of places.
    log: Vec<String>,
}

impl World {
    fn new(rules: Rules, workers: usize) -> World {
        let fleet = Fleet::new(rules, workers);
        let mut world =
            World { fleet, now: Moment::ZERO, run: BTreeMap::new(), told: BTreeSet::new(), log: Vec::new() };
        world.pass(Duration::ZERO);
        world
    }

    /// One in which all workers serve.
    fn that_serves(workers: usize) -> World {
        let mut world = World::new(rules(), workers);
        world.all_ready();
        world.log.clear();
        world
    }

    /// Does what is to be done, and checks what always holds.
    fn act(&mut self) {
        loop {
            let actions = self.fleet.take_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.do_one(&action);
            }
        }
        self.check();
    }

    fn do_one(&mut self, action: &Action) {
        let (word, id) = match action {
            Action::Start(id, place) => {
                assert!(!self.fleet.is_stopping(), "nobody is started during a stop");
                assert!(self.run.insert(*id, *place).is_none(), "nobody is started twice");
                self.fleet.started(*id, u32::try_from(self.run.len()).unwrap());
                ("start", id)
            }
            Action::Drain(id, _) => ("drain", id),
            Action::Quit(id) => ("quit", id),
            Action::TellSilence(id, ..) => ("tell", id),
            Action::Ask(id) => ("ask", id),
            Action::Kill(id) => ("kill", id),
        };
        self.log.push(format!("{word} {}", self.run[id]));
        match action {
            Action::Drain(..) | Action::Quit(_) | Action::Ask(_) => drop(self.told.insert(*id)),
            Action::Kill(id) => self.gone(*id, "was ended by SIGKILL", true),
            _ => {}
        }
    }

    fn check(&self) {
        for place in 1..=self.fleet.wanted() + 1 {
            let of = |part| self.fleet.processes().filter(|(_, it)| it.place == place && it.part == part).count();
            let (holders, successors) = (of(Part::Holds), of(Part::Succeeds));
            assert!(holders <= 1 && successors <= holders, "place {place}: {:?}", self.fleet);
            if !self.fleet.is_stopping() {
                let due = self.fleet.places.get(place - 1).map(|place| place.due.is_some());
                assert_eq!(
                    due,
                    (place <= self.fleet.wanted()).then_some(holders == 0),
                    "place {place}: {:?}",
                    self.fleet
                );
            }
        }
        let known: BTreeSet<Id> = self.fleet.processes().map(|(id, _)| id).collect();
        assert_eq!(known, self.run.keys().copied().collect(), "all that run are known, and nobody else");
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.fleet.tick(self.now);
        self.act();
    }

    fn gone(&mut self, id: Id, cause: &str, by_signal: bool) {
        if self.run.remove(&id).is_some() {
            self.told.remove(&id);
            self.fleet.gone(id, &End { cause: cause.to_owned(), by_signal }, self.now);
        }
    }

    fn dies(&mut self, id: Id, cause: &str, by_signal: bool) {
        self.gone(id, cause, by_signal);
        self.act();
    }

    fn ready(&mut self, id: Id) {
        self.fleet.ready(id, self.now);
        self.act();
    }

    fn all_ready(&mut self) {
        self.run.keys().copied().collect::<Vec<_>>().into_iter().for_each(|id| self.ready(id));
    }

    fn beat(&mut self, id: Id) {
        (0..2).for_each(|thread| self.fleet.beat(id, thread, self.now));
        self.act();
    }

    /// The one that holds the place, or succeeds there.
    fn of(&self, place: usize, part: Part) -> Id {
        let mut found = self.fleet.processes().filter(|(_, it)| it.place == place && it.part == part);
        found.next().expect("there is one").0
    }

    fn holder(&self, place: usize) -> Id {
        self.of(place, Part::Holds)
    }

    fn serving(&self) -> usize {
        self.fleet.processes().filter(|(_, it)| it.part == Part::Holds && it.is_serving()).count()
    }

    fn did(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    fn outcome(&self) -> Option<Outcome> {
        self.fleet.outcome(self.now)
    }

    /// Time passes, and everybody does as it should: is ready at once, beats, ends when told to.
    fn calm(&mut self, seconds: u32) {
        for _ in 0..seconds * 2 {
            for id in self.run.keys().copied().collect::<Vec<_>>() {
                if self.told.contains(&id) {
                    self.dies(id, "has ended", false);
                } else {
                    self.ready(id);
                    self.beat(id);
                }
            }
            self.pass(S / 2);
        }
    }
}

#[test]
fn worker_that_dies_is_replaced_at_once_and_then_after_pauses() {
    let mut world = World::that_serves(2);
    world.dies(world.holder(2), "was ended by SIGKILL", true);
    assert_eq!(world.did(), ["start 2"]);
    world.dies(world.holder(2), "has ended with status 1", false);
    assert!(world.did().is_empty());
    world.pass(S / 2);
    assert_eq!(world.did(), ["start 2"]);
    world.ready(world.holder(2));
    world.pass(10 * S);
    world.dies(world.holder(2), "was ended by SIGSEGV", true);
    assert_eq!(world.did(), ["start 2"], "it had lived");
}

#[test]
fn first_worker_that_cannot_start_ends_it_all() {
    let mut world = World::new(rules(), 3);
    world.did();
    world.fleet.failed(world.holder(2), "no such table".to_owned());
    world.dies(world.holder(2), "has ended with status 3", false);
    assert_eq!(world.did(), ["quit 1", "quit 3"]);
    assert_eq!(world.outcome(), None);
    world.pass(S);
    assert_eq!(world.did(), ["kill 1", "kill 3"]);
    let Some(Outcome::Failed(text)) = world.outcome() else { panic!("{:?}", world.outcome()) };
    assert!(text.ends_with("cannot start: no such table"), "{text}");
}

#[test]
fn first_worker_that_is_not_ready_in_time_ends_it_all() {
    let mut world = World::new(rules(), 1);
    world.pass(60 * S);
    world.pass(S);
    let Some(Outcome::Failed(text)) = world.outcome() else { panic!("{:?}", world.outcome()) };
    assert!(text.ends_with("was not ready in 60 s"), "{text}");
}

#[test]
fn signal_from_outside_ends_no_start_unless_it_comes_again_and_again() {
    let mut world = World::new(rules(), 1);
    for _ in 0..2 {
        world.dies(world.holder(1), "was ended by SIGKILL", true);
        world.pass(S);
        assert_eq!(world.outcome(), None);
    }
    world.dies(world.holder(1), "was ended by SIGKILL", true);
    let Some(Outcome::Failed(text)) = world.outcome() else { panic!("{:?}", world.outcome()) };
    assert!(text.ends_with("cannot start: it was ended by SIGKILL"), "{text}");
}

#[test]
fn worker_that_cannot_start_later_is_tried_again() {
    let mut world = World::that_serves(1);
    world.dies(world.holder(1), "was ended by SIGKILL", true);
    for _ in 0..20 {
        world.fleet.failed(world.holder(1), "the disk is full".to_owned());
        world.dies(world.holder(1), "has ended with status 3", false);
        world.pass(30 * S);
    }
    assert_eq!(world.outcome(), None);
    assert_eq!(world.did().len(), 21);
}

#[test]
fn workers_are_replaced_one_by_one_and_all_places_serve_meanwhile() {
    let mut world = World::that_serves(3);
    world.fleet.roll(world.now);
    world.act();
    for place in 1..=3 {
        assert_eq!(world.did(), [format!("start {place}")]);
        assert_eq!(world.serving(), 3);
        world.ready(world.of(place, Part::Succeeds));
        assert_eq!(world.serving(), 3);
        assert_eq!(world.log.remove(0), format!("drain {place}"));
    }
    assert!(world.did().is_empty() && !world.fleet.is_rolling());
    assert_eq!(world.fleet.rolls(), 1);
    assert!(world.fleet.rolled, "that all were replaced is not told while old ones finish");
    world.calm(2);
    assert!(!world.fleet.rolled);
    assert_eq!(world.run.len(), 3);
    assert!(world.fleet.places().iter().all(|place| place.restarts == 0), "it was asked for");
}

#[test]
fn asked_again_meanwhile_replaces_again_who_was_replaced() {
    let mut world = World::that_serves(3);
    world.fleet.roll(world.now);
    world.act();
    world.ready(world.of(1, Part::Succeeds));
    assert_eq!(world.did(), ["start 1", "drain 1", "start 2"]);
    world.fleet.roll(world.now);
    world.act();
    world.calm(20);
    assert_eq!(world.did(), ["drain 2", "start 3", "drain 3", "start 1", "drain 1", "start 2", "drain 2"]);
    assert_eq!((world.run.len(), world.fleet.is_rolling()), (3, false));
}

#[test]
fn successor_that_fails_leaves_the_old_ones_in_their_places() {
    let mut world = World::that_serves(2);
    let old = [world.holder(1), world.holder(2)];
    world.fleet.roll(world.now);
    world.act();
    world.dies(world.of(1, Part::Succeeds), "has ended with status 3", false);
    world.pass(29 * S);
    assert_eq!([world.holder(1), world.holder(2)], old);
    assert_eq!(world.did(), ["start 1"]);
    assert!(!world.fleet.is_rolling() && world.fleet.rolls() == 0);
}

#[test]
fn successor_takes_the_place_of_one_that_dies_meanwhile() {
    let mut world = World::that_serves(1);
    world.fleet.roll(world.now);
    world.act();
    let new = world.of(1, Part::Succeeds);
    world.dies(world.holder(1), "was ended by SIGKILL", true);
    assert_eq!(world.holder(1), new);
    assert_eq!(world.did(), ["start 1"]);
    world.ready(new);
    assert!(world.did().is_empty() && !world.fleet.is_rolling());
}

#[test]
fn places_that_pause_are_filled_when_workers_are_to_be_replaced() {
    let mut world = World::that_serves(1);
    for _ in 0..6 {
        world.dies(world.holder(1), "has ended with status 1", false);
        world.pass(world.fleet.places[0].due.map_or(Duration::ZERO, |due| due.saturating_sub(world.now)));
    }
    world.dies(world.holder(1), "has ended with status 1", false);
    world.did();
    world.fleet.roll(world.now);
    world.act();
    assert_eq!(world.did(), ["start 1"], "what was wrong may have been mended");
    world.calm(1);
    assert!(!world.fleet.is_rolling());
}

#[test]
fn silent_worker_is_told_asked_replaced_and_killed() {
    let mut world = World::that_serves(2);
    let silent = world.holder(1);
    for _ in 0..30 {
        world.pass(S);
        world.beat(world.holder(2));
        world.fleet.beat(silent, 1, world.now); // its other loop
    }
    assert!(world.did().is_empty());
    world.pass(S);
    assert_eq!(world.did(), ["tell 1", "ask 1", "start 1"]);
    world.fleet.beat(silent, 1, world.now);
    world.pass(S);
    assert_eq!(world.did(), ["kill 1"]);
}

#[test]
fn silent_worker_that_answers_again_may_finish() {
    let mut world = World::that_serves(1);
    let silent = world.holder(1);
    world.pass(31 * S);
    assert_eq!(world.did(), ["tell 1", "ask 1", "start 1"]);
    world.beat(silent);
    world.all_ready();
    world.pass(S);
    assert!(world.did().is_empty());
    world.beat(world.holder(1));
    for _ in 0..11 {
        world.pass(S);
    }
    assert!(world.did().is_empty());
    world.pass(S);
    assert_eq!(world.did(), ["kill 1"], "not for ever");
}

#[test]
fn without_limits_nobody_is_ended() {
    let mut world = World::new(Rules { silence: None, start: None, graceful: None, threads: 2 }, 1);
    world.pass(1_000_000 * S);
    world.all_ready();
    world.pass(1_000_000 * S);
    world.fleet.finish(Duration::ZERO, world.now);
    world.pass(1_000_000 * S);
    assert_eq!(world.did(), ["start 1", "drain 1"]);
}

#[test]
fn limits_without_end_are_none() {
    let limit = Some(Duration::MAX);
    let mut world = World::new(Rules { silence: limit, start: limit, graceful: limit, threads: 2 }, 2);
    world.pass(1_000_000 * S);
    world.all_ready();
    world.fleet.retiring(world.holder(2), Why::Requests(10), world.now);
    world.act();
    world.fleet.finish(Duration::ZERO, world.now);
    world.pass(1_000_000 * S);
    assert_eq!(world.did(), ["start 1", "start 2", "start 2", "drain 1", "drain 2"]);
}

#[test]
fn silence_within_two_beats_is_none() {
    let mut world = World::new(Rules { silence: Some(S / 10), ..rules() }, 1);
    world.all_ready();
    world.pass(S * 29 / 10);
    assert_eq!(world.did(), ["start 1"]);
}

#[test]
fn loop_that_is_held_for_less_than_its_limit_is_left_in_peace_however_often() {
    let mut world = World::new(Rules { silence: Some(2 * S), ..rules() }, 1);
    world.all_ready();
    world.did();
    // Held right before a beat each time, so that it comes so much later.
    for _ in 0..5 {
        world.pass(S + S * 17 / 10);
        world.beat(world.holder(1));
    }
    assert!(world.did().is_empty());
    world.pass(3 * S);
    assert_eq!(world.did(), ["tell 1", "ask 1", "start 1"], "since its next beat was due, it has not turned");
}

#[test]
fn one_that_retires_is_replaced_at_once_however_often() {
    let mut world = World::that_serves(1);
    for _ in 0..10 {
        let old = world.holder(1);
        world.fleet.retiring(old, Why::Requests(10), world.now);
        world.act();
        assert_eq!(world.did(), ["start 1"]);
        world.all_ready();
        world.dies(old, "has ended", false);
        assert!(world.did().is_empty());
    }
    assert_eq!(world.fleet.places()[0].restarts, 0);
}

#[test]
fn one_that_was_sent_a_signal_is_replaced_a_moment_later_unless_all_are_to_end() {
    for all in [false, true] {
        let mut world = World::that_serves(1);
        world.fleet.retiring(world.holder(1), Why::Terminated, world.now);
        world.pass(GROUP * 9 / 10);
        assert!(world.did().is_empty());
        if all {
            world.fleet.finish(IDLE, world.now);
        }
        world.pass(GROUP / 10);
        assert_eq!(world.did(), ["start 1"][usize::from(all)..]);
    }
}

#[test]
fn one_worker_more_and_less_within_bounds() {
    let mut world = World::that_serves(1);
    world.fleet.fewer(world.now);
    world.act();
    assert!(world.did().is_empty(), "one stays");
    for _ in 0..Config::WORKERS_MAX {
        world.fleet.more(world.now);
        world.act();
    }
    assert_eq!(world.did().len(), Config::WORKERS_MAX - 1);
    world.all_ready();
    world.fleet.fewer(world.now);
    world.act();
    assert_eq!(world.did(), ["drain 64"]);
    world.fleet.more(world.now);
    world.act();
    assert_eq!(world.did(), ["start 64"], "also while the old one finishes");
}

#[test]
fn place_that_goes_takes_its_successor_with_it_and_the_rest_are_replaced() {
    let mut world = World::that_serves(2);
    world.fleet.roll(world.now);
    world.act();
    world.ready(world.of(1, Part::Succeeds));
    world.did();
    world.fleet.fewer(world.now);
    world.act();
    assert_eq!(world.did(), ["drain 2", "drain 2"]);
    assert!(!world.fleet.is_rolling());
    world.calm(1);
    assert_eq!(world.run.len(), 1);
}

#[test]
fn stop_during_a_roll_ends_old_and_new() {
    let mut world = World::that_serves(2);
    world.fleet.roll(world.now);
    world.act();
    world.fleet.finish(IDLE, world.now);
    world.act();
    assert_eq!(world.did(), ["start 1", "drain 1", "drain 2", "drain 1"]);
    world.all_ready(); // the news was under way
    assert_eq!(world.outcome(), None);
    world.calm(1);
    assert_eq!(world.outcome(), Some(Outcome::Stopped));
    assert!(world.did().is_empty());
}

#[test]
fn who_does_not_finish_in_time_is_killed() {
    let mut world = World::that_serves(2);
    world.fleet.finish(IDLE, world.now);
    world.pass(12 * S);
    assert_eq!(world.did(), ["drain 1", "drain 2"], "they cut what is left by themselves at 10");
    world.pass(S);
    assert_eq!(world.did(), ["kill 1", "kill 2"]);
    assert_eq!(world.outcome(), Some(Outcome::Stopped));
}

#[test]
fn told_twice_all_are_killed() {
    let mut world = World::that_serves(2);
    world.fleet.finish(IDLE, world.now);
    world.act();
    world.fleet.break_off(world.now);
    world.act();
    assert_eq!(world.did(), ["drain 1", "drain 2", "kill 1", "kill 2"]);
    assert_eq!(world.outcome(), Some(Outcome::Broken));
}

#[test]
fn one_that_not_even_a_kill_ends_is_not_waited_for() {
    let mut fleet = Fleet::new(rules(), 1);
    fleet.tick(Moment::ZERO);
    fleet.quit(Moment::ZERO);
    fleet.tick(S);
    assert_eq!(fleet.take_actions().len(), 3, "start, quit, kill");
    assert_eq!((fleet.outcome(S + DEAD / 2), fleet.next_deadline()), (None, Some(S + DEAD)));
    assert_eq!(fleet.outcome(S + DEAD), Some(Outcome::Stopped));
}

#[test]
fn one_that_cannot_be_understood_is_replaced() {
    let mut world = World::that_serves(1);
    world.fleet.garbled(world.holder(1), "what it says means nothing", world.now);
    world.act();
    assert_eq!(world.did(), ["ask 1", "start 1"]);
    world.pass(S);
    assert_eq!(world.did(), ["kill 1"]);
}

#[derive(Debug, Clone)]
enum Deed {
    Pass(u64),
    Ready(usize),
    Beat(usize),
    Retire(usize),
    Fail(usize),
    Garble(usize),
    Die(usize, bool),
    Roll,
    More,
    Fewer,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0_u64..40_000).prop_map(Deed::Pass),
        6 => any::<usize>().prop_map(Deed::Ready),
        3 => any::<usize>().prop_map(Deed::Beat),
        2 => any::<usize>().prop_map(Deed::Retire),
        1 => any::<usize>().prop_map(Deed::Fail),
        1 => any::<usize>().prop_map(Deed::Garble),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, by_signal)| Deed::Die(which, by_signal)),
        2 => Just(Deed::Roll),
        1 => Just(Deed::More),
        1 => Just(Deed::Fewer),
    ]
}

impl World {
    fn does(&mut self, deed: &Deed) {
        let which = |which: &usize| self.run.keys().copied().nth(which % self.run.len().max(1));
        match deed {
            Deed::Pass(ms) => self.pass(Duration::from_millis(*ms)),
            Deed::Roll => self.fleet.roll(self.now),
            Deed::More => self.fleet.more(self.now),
            Deed::Fewer => self.fleet.fewer(self.now),
            Deed::Ready(it) => which(it).into_iter().for_each(|id| self.fleet.ready(id, self.now)),
            Deed::Beat(it) => which(it).into_iter().for_each(|id| self.beat(id)),
            Deed::Retire(it) => which(it).into_iter().for_each(|id| self.fleet.retiring(id, Why::Terminated, self.now)),
            Deed::Fail(it) => which(it).into_iter().for_each(|id| self.fleet.failed(id, "it is broken".to_owned())),
            Deed::Garble(it) => which(it).into_iter().for_each(|id| self.fleet.garbled(id, "garbage", self.now)),
            Deed::Die(it, by_signal) => which(it).into_iter().for_each(|id| self.dies(id, "is gone", *by_signal)),
        }
        self.act();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_all_places_serve_in_the_end_and_all_of_it_stops(
        workers in 1_usize..5,
        deeds in prop::collection::vec(deed(), 0..40),
        end in 0..3,
    ) {
        let mut world = World::that_serves(workers);
        for deed in &deeds {
            world.does(deed);
        }
        world.calm(180);
        prop_assert!(world.fleet.is_complete(), "{:?}", world.fleet);
        prop_assert!(!world.fleet.is_rolling(), "{:?}", world.fleet);
        prop_assert_eq!(world.run.len(), world.fleet.wanted());
        world.did();

        match end {
            0 => world.fleet.finish(IDLE, world.now),
            1 => world.fleet.quit(world.now),
            _ => world.fleet.break_off(world.now),
        }
        world.act();
        world.calm(1);
        prop_assert!(world.run.is_empty() && world.outcome().is_some());
        prop_assert!(world.did().iter().all(|did| !did.starts_with("start")));
    }

    #[test]
    fn stop_at_any_moment_ends_all_of_it_in_time(
        workers in 1_usize..5,
        deeds in prop::collection::vec(deed(), 0..40),
        rest in prop::collection::vec(deed(), 0..20),
    ) {
        let mut world = World::new(rules(), workers);
        for deed in &deeds {
            world.does(deed);
        }
        world.fleet.finish(IDLE, world.now);
        world.act();
        let is_asked = |deed: &&Deed| !matches!(deed, Deed::Roll | Deed::More | Deed::Fewer | Deed::Pass(_));
        rest.iter().filter(is_asked).for_each(|deed| world.does(deed));
        for _ in 0..30 {
            world.pass(S);
        }
        prop_assert!(world.run.is_empty() && world.outcome().is_some(), "{:?}", world.fleet);
    }
}
