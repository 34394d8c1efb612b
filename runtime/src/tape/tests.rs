//! Recordings of a loop keep the order; those that were tampered with do not.

use super::*;
use crate::future::yield_now;
use crate::sync::mpsc;
use crate::{Mode, Runtime, TaskBuilder, spawn, spawn_blocking, time, turn};
use proptest::prelude::*;
use proptest::sample::Index;

fn taped(records: usize) -> (Rc<Tape>, Runtime) {
    let tape = Tape::new(records);
    let observer = Rc::<Tape>::clone(&tape);
    (tape, Runtime::builder().manual_clock().observer(observer).build().expect("there are descriptors for a loop"))
}

/// A bit of everything that a loop does.
async fn everything() {
    let (sender, mut receiver) = mpsc::channel(2);
    let producer = TaskBuilder::new().name("producer").spawn(async move {
        for n in 0..10_u64 {
            time::sleep(Duration::from_millis(n % 3)).await;
            sender.send(n).await.unwrap();
        }
    });
    let consumer = TaskBuilder::new().name("consumer").spawn(async move {
        while let Some(n) = receiver.recv().await {
            if n % 4 == 0 {
                spawn(async { yield_now().await }).await.unwrap();
            }
        }
    });
    let aborted = TaskBuilder::new().name("aborted").spawn(std::future::pending::<()>());
    let hooks = [turn::idle(|| ()), turn::prepare(|| ()), turn::check(|| ())];
    yield_now().await;
    drop(hooks); // a loop with an idle hook does not block, so its time stands still
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled());
    assert!(spawn(async { std::panic::resume_unwind(Box::new("on purpose")) }).await.unwrap_err().is_panic());
    spawn_blocking(|| ()).await.unwrap();
    producer.await.unwrap();
    consumer.await.unwrap();
}

fn recorded() -> Recording {
    let (tape, runtime) = taped(100_000);
    runtime.block_on(everything());
    runtime.run(Mode::NoWait).unwrap();
    runtime.block_on(everything());
    drop(runtime);
    tape.recording()
}

/// The place of the nth record of which that holds.
fn nth(recording: &Recording, nth: usize, holds: impl Fn(&Record) -> bool) -> usize {
    let mut places = (0..recording.records.len()).filter(|at| holds(&recording.records[*at]));
    places.nth(nth).unwrap()
}

fn broken(recording: &Recording) -> Rule {
    recording.check_order().unwrap_err().rule
}

// --- The tape --------------------------------------------------------------------------------------------------------

#[test]
fn tape_that_is_attached_twice_is_told_once() {
    let tape = Tape::new(1_000);
    let runtime = Runtime::builder().manual_clock().observer(tape.clone()).observer(tape.clone()).build().unwrap();
    runtime.block_on(async {
        let observed = turn::observe(tape.clone());
        spawn(async {}).await.unwrap();
        drop(observed);
        spawn(async {}).await.unwrap();
    });
    let recording = tape.recording();
    assert_eq!(recording.check_order(), Ok(()));
    for task in &recording.tasks {
        assert_eq!(recording.polls(task.key).count(), 1);
    }
    assert_eq!(recording.tasks.len(), 2, "it is told also after one of those who attached it has gone");
}

#[test]
#[should_panic(expected = "no memory for a tape of 18446744073709551615 records")]
fn tape_beyond_all_memory_says_so() {
    drop(Tape::new(usize::MAX));
}

#[test]
fn phases_of_a_turn_taken_together_are_its_time() {
    let tape = Tape::new(100_000);
    let runtime = Runtime::builder().observer(tape.clone()).build().unwrap();
    for _ in 0..3 {
        runtime.block_on(everything());
    }
    let recording = tape.recording();
    recording.check_order().unwrap();
    assert!(recording.turns().count() > 10);
    for turn in recording.turns() {
        let together: u64 = turn.phases().map(Record::lasted).sum();
        assert_eq!(together, turn.end() - turn.begin());
    }
}

#[test]
fn full_ring_drops_the_oldest_and_counts_them() {
    let whole = recorded();
    for capacity in [1, 2, 10, whole.records.len() - 1, whole.records.len()] {
        let (tape, runtime) = taped(capacity);
        runtime.block_on(everything());
        let recording = tape.recording();
        assert_eq!(recording.records.len(), capacity.min(recording.records.len()));
        recording.check_order().unwrap();
    }
    let (tape, runtime) = taped(10);
    runtime.block_on(async {
        while tape.recording().dropped < 5 {
            yield_now().await;
        }
    });
    let recording = tape.recording();
    assert_eq!((recording.records.len(), recording.records[9].what), (10, What::Left));
}

#[test]
fn names_go_with_the_records() {
    let (tape, runtime) = taped(100);
    runtime.block_on(async {
        let stays = TaskBuilder::new().name("stays").spawn(std::future::pending::<()>());
        for n in 0..10_000 {
            TaskBuilder::new().name(&format!("task {n}")).spawn(async {}).await.unwrap();
        }
        assert!(tape.reel.borrow().gone.len() <= 100 && tape.reel.borrow().live.len() <= 3);
        drop(stays);
    });
    let recording = tape.recording();
    assert!(recording.tasks.len() <= 101);
    assert_eq!((recording.find("stays").len(), recording.find("task 9999").len()), (1, 1));
    assert!(!recording.tasks.iter().any(|task| task.name.as_deref() == Some("task 1")), "its records are gone");
    for record in &recording.records {
        let polled = record.polled().filter(|task| *task != Key::NONE);
        assert!(polled.is_none_or(|task| recording.task(task).is_some()), "{record:?}");
    }
}

#[test]
fn name_of_any_length_takes_a_bounded_place() {
    let (tape, runtime) = taped(100);
    runtime.block_on(async { drop(TaskBuilder::new().name(&"é".repeat(10_000)).spawn(async {})) });
    assert_eq!(tape.recording().tasks[0].name.as_deref(), Some(&*"é".repeat(NAME_CHARS_MAX)));
}

#[test]
fn tape_that_comes_in_the_middle_of_a_poll_knows_what_it_has_not_seen() {
    let (tape, runtime) = (Tape::new(1_000), Runtime::builder().manual_clock().build().unwrap());
    runtime.block_on(async {
        let early = spawn(async { yield_now().await });
        let observed = turn::observe(Rc::<Tape>::clone(&tape));
        early.await.unwrap();
        drop(observed);
        yield_now().await;
        let _observed = turn::observe(Rc::<Tape>::clone(&tape));
        everything().await;
    });
    let recording = tape.recording();
    recording.check_order().unwrap();
    assert_eq!(recording.records[0].what, What::Attached);
    let What::Poll { wake, .. } = recording.records[1].what else { panic!("{:?}", recording.records[1]) };
    assert_eq!(wake, None, "woken before");
}

#[test]
fn tape_that_has_gone_and_comes_again_makes_up_nothing() {
    let (tape, runtime) = (Tape::new(1_000), Runtime::builder().manual_clock().build().unwrap());
    runtime.block_on(async {
        let observed = turn::observe(Rc::<Tape>::clone(&tape));
        spawn(async { time::advance(Duration::from_millis(3)) }).await.unwrap();
        let woken_before = spawn(yield_now());
        time::advance(Duration::from_millis(1));
        drop(observed);
        time::advance(Duration::from_millis(1));
        let _observed = turn::observe(Rc::<Tape>::clone(&tape));
        woken_before.await.unwrap();
        everything().await;
    });
    tape.recording().check_order().unwrap();
}

#[test]
fn tape_of_a_loop_with_a_seed_says_that_it_shuffles_and_keeps_the_order_all_the_same() {
    let shuffled = |seed| {
        let tape = Tape::new(10_000);
        let builder = Runtime::builder().manual_clock().observer(Rc::<Tape>::clone(&tape));
        let runtime = if let Some(seed) = seed { builder.seed(seed) } else { builder }.build().unwrap();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..10).map(|_| spawn(yield_now())).collect();
            for task in tasks {
                task.await.unwrap();
            }
            everything().await;
        });
        let recording = tape.recording();
        recording.check_order().unwrap();
        assert_eq!(recording.shuffled, seed.is_some());
        Recording { shuffled: false, ..recording }.check_order().is_err()
    };
    assert!((0..10).all(|seed| shuffled(Some(seed))));
    assert!(!shuffled(None));
}

#[test]
fn recording_made_in_a_poll_says_that_it_is_open() {
    let (tape, runtime) = taped(1_000);
    let recording = runtime.block_on(async {
        time::advance(Duration::from_nanos(70));
        tape.recording()
    });
    recording.check_order().unwrap();
    let poll = recording.records.last().unwrap();
    assert_eq!((poll.lasted(), recording.turns().next().unwrap().end()), (70, poll.end));
    assert!(matches!(poll.what, What::Poll { then: After::Open, .. }));
}

#[test]
fn panic_of_the_root_ends_its_poll_and_its_run() {
    let (tape, runtime) = taped(1_000);
    let task = runtime.enter(|| spawn(std::future::pending::<()>()));
    runtime.run(Mode::NoWait).unwrap();
    let panics =
        std::panic::AssertUnwindSafe(|| runtime.block_on(async { std::panic::resume_unwind(Box::new("on purpose")) }));
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(crate::trace::cause(), Cause::Outside);
    task.abort();
    assert_eq!(runtime.metrics().wakes.outside, 2, "the root's, and this");
    runtime.block_on(everything());
    tape.recording().check_order().unwrap();
}

#[test]
fn tape_at_another_loop_begins_anew() {
    let (tape, first) = taped(1_000);
    first.block_on(everything());
    let second = Runtime::builder().manual_clock().observer(tape.clone()).build().unwrap();
    assert_eq!(tape.recording().records.len(), 1);
    second.block_on(everything());
    tape.recording().check_order().unwrap();
}

// --- The order -------------------------------------------------------------------------------------------------------

#[test]
fn recording_that_has_lost_its_beginning_is_in_order_wherever_it_begins() {
    let whole = recorded();
    whole.check_order().unwrap();
    for lost in 0..whole.records.len() {
        let recording = Recording { dropped: lost as u64, records: whole.records[lost..].to_vec(), ..whole.clone() };
        recording.check_order().unwrap_or_else(|violation| panic!("{lost} lost: {violation}"));
    }
}

#[test]
fn swapped_phases_are_told() {
    let recording = recorded();
    let turn: Vec<usize> = (0..recording.records.len()).filter(|at| recording.records[*at].phase().is_some()).collect();
    for pair in turn.windows(2).take(20) {
        let mut recording = recording.clone();
        recording.records.swap(pair[0], pair[1]);
        assert!(recording.check_order().is_err(), "{pair:?}");
    }
}

#[test]
fn turn_that_does_not_ask_the_kernel_is_told() {
    let mut recording = recorded();
    let kernel = nth(&recording, 1, |record| record.phase() == Some(Phase::Poll));
    recording.records[kernel].what = What::Phase(Phase::Poll);
    assert_eq!(broken(&recording), Rule::Kernel);
    recording.records.remove(kernel);
    assert_eq!(broken(&recording), Rule::Phases);
}

#[test]
fn poll_without_a_wake_is_told() {
    let mut recording = recorded();
    let second = nth(&recording, 1, |record| record.polled() == Some(Key::NONE));
    let What::Poll { wake, .. } = &mut recording.records[second].what else { unreachable!("it was found as one") };
    *wake = None;
    assert_eq!(broken(&recording), Rule::Wake);
}

#[test]
fn overlapping_polls_are_told() {
    let mut recording = recorded();
    let polls = |recording: &Recording, at: usize| recording.records[at].polled().is_some();
    let first = (0..recording.records.len()).find(|at| polls(&recording, *at) && polls(&recording, at + 1)).unwrap();
    let run = (0..first).rev().find(|at| recording.records[*at].phase().is_some()).unwrap();
    recording.records[run].end += 20;
    recording.records[first].end += 10;
    assert_eq!(broken(&recording), Rule::Polls);
}

#[test]
fn swapped_polls_are_told_unless_the_loop_shuffles() {
    let (tape, runtime) = taped(1_000);
    runtime.block_on(async {
        for _ in 0..3 {
            drop(spawn(async {}));
        }
        yield_now().await;
    });
    let mut recording = tape.recording();
    let first = nth(&recording, 1, |record| record.polled().is_some());
    let [a, b] = [first, first + 1].map(|at| recording.records[at]);
    assert_ne!(a.polled(), b.polled());
    // The one comes a place earlier, the other one later, and both remember where they were woken.
    let moved = |mut record: Record, by: i32| {
        if let What::Poll { wake: Some(wake), .. } = &mut record.what {
            wake.from = wake.from.saturating_add_signed(by);
        }
        record
    };
    (recording.records[first], recording.records[first + 1]) = (moved(b, -1), moved(a, 1));
    assert_eq!(broken(&recording), Rule::Fifo);
    recording.shuffled = true;
    recording.check_order().unwrap();
    recording.records[first + 1] = recording.records[first];
    assert_eq!(broken(&recording), Rule::Wake, "the same wake again");
}

#[test]
fn wake_by_the_wrong_cause_is_told() {
    let mut recording = recorded();
    let by_timer = nth(&recording, 0, |record| matches!(record.what, What::Poll { cause: Cause::Timer, .. }));
    let What::Poll { cause, .. } = &mut recording.records[by_timer].what else { unreachable!("it was found as one") };
    *cause = Cause::Mail;
    assert_eq!(broken(&recording), Rule::Cause);
}

#[test]
fn timers_that_fire_early_are_told() {
    let mut recording = recorded();
    let fired = nth(&recording, 0, |record| matches!(record.what, What::Timers { fired: 1.., .. }));
    let asked = (0..fired).rev().find(|at| recording.records[*at].phase() == Some(Phase::Poll)).unwrap();
    assert!(recording.records[asked..fired].iter().all(|record| record.phase() != Some(Phase::Check)));
    recording.records[asked].what = What::Kernel { asked: Some(u64::MAX), slept: 0, events: 0 };
    assert_eq!(broken(&recording), Rule::Early);
}

proptest! {
    #[test]
    fn any_two_neighbours_that_are_swapped_are_told(place: Index) {
        let mut recording = recorded();
        let at = place.index(recording.records.len() - 1);
        let pair = [recording.records[at], recording.records[at + 1]];
        recording.records.swap(at, at + 1);
        // Where a task was cancelled, between two polls, is nobody's order but its own.
        let free = |record: &Record| matches!(record.what, What::Cancel { .. } | What::Attached);
        let observable = pair[0] != pair[1] && !pair.iter().any(free);
        prop_assert!(!observable || recording.check_order().is_err(), "{pair:?}");
    }
}

// --- Why -------------------------------------------------------------------------------------------------------------

#[test]
fn why_tells_the_wakes_of_both_back_to_what_they_share() {
    let (tape, runtime) = taped(1_000);
    runtime.block_on(async {
        let sleeper = TaskBuilder::new().name("sleeper").spawn(time::sleep(Duration::from_millis(5)));
        let waiter = TaskBuilder::new().name("waiter").spawn(sleeper);
        waiter.await.unwrap().unwrap();
    });
    let recording = tape.recording();
    let [sleeper, waiter] = ["sleeper", "waiter"].map(|name| recording.find(name)[0]);
    let polls: Vec<usize> = recording.polls(sleeper).chain(recording.polls(waiter)).map(|(at, _)| at).collect();
    let [slept, woke, began, done] = polls[..] else { panic!("{polls:?}") };
    let first = recording.why(sleeper, waiter).unwrap();
    assert_eq!((first.first[0], first.later[0], first.because), (slept, began, Because::WokenFirst));
    let last = recording.why_polls(woke, done);
    assert_eq!((last.because, last.common), (Because::Led, Some(woke)));
    let timers = *last.later.last().unwrap();
    assert_eq!(recording.records[timers].phase(), Some(Phase::Timers), "a deadline is where it all comes from");
    assert_eq!(recording.why_polls(began, woke).because, Because::WokenAfter);
    let text = last.to_string();
    assert!(
        text.starts_with(&format!("sleeper {sleeper:?} ran before waiter {waiter:?}, and led to its wake")),
        "{text}"
    );
    assert!(text.contains("woken at 5.000000 ms by a deadline that passed"), "{text}");
    assert!(recording.why(Key::NONE, Key::new(77, 77)).unwrap_err().to_string().contains("was not polled"));
}

#[test]
fn tasks_are_found_by_name_by_part_of_it_and_by_key() {
    let recording = recorded();
    let found = recording.find("producer");
    assert_eq!((found.len(), recording.find("produce").len(), recording.find("nobody").len()), (2, 2, 0));
    assert_eq!(recording.find(&format!("{:?}", found[1])), found[1..]);
    assert_eq!((recording.find("root"), recording.find("99#99").len()), (vec![Key::NONE], 0));
}
