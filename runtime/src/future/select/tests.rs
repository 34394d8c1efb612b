//! What `select!` promises, and `join!` and `try_join!` with it.

use super::super::testing::{Gate, Task, Trace};
use super::Rotation;
use crate::sync::mpsc;
use crate::{join, try_join};
use std::future::{Ready, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The output of a future that does not wait.
fn now<F: Future>(future: F) -> F::Output {
    match Task::default().poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

// --- select! ---------------------------------------------------------------------------------------------------------

#[test]
fn branches_are_polled_from_the_top_and_the_losers_dropped_before_the_code_runs() {
    let trace = Trace::default();
    let (task, noted) = (Task::default(), trace.clone());
    let mut select = pin!(async {
        select! {
            n = noted.part("a", 3, 1) => n,
            n = noted.part("b", 2, 2) => { noted.note("code of b"); n }
            n = noted.part("c", 2, 3) => n,
        }
    });
    assert!(task.poll(select.as_mut()).is_pending());
    assert_eq!(trace.take(), ["a 1", "b 1", "c 1"]);
    assert_eq!(task.poll(select.as_mut()), Poll::Ready(2));
    assert_eq!(trace.take(), ["a 2", "b 2", "b dropped", "a dropped", "c dropped", "code of b"]);
}

#[test]
fn every_form_of_a_branch_is_read() {
    let (yes, no) = (true, false);
    let all = |which: usize| async move {
        let at = |place: usize| ready(if place == which { Ok(place) } else { Err(()) });
        select! {
            Ok(n) = at(0) => n,
            Ok(n) = at(1) => { n }
            Ok(n) = at(2) => { n },
            Ok(n) = at(3), if yes => n,
            Ok(n) = at(4), if yes => { n }
            Ok(n) = at(5), if yes => { n },
            Ok(()) | Err(()) = ready(Ok::<(), ()>(())), if no => unreachable!(),
            mut n = async { 5 }, if which == 6 => { n += 1; n }
            Ok(n) = at(7) => n,
            else => 8
        }
    };
    for which in 0..=8 {
        assert_eq!(now(all(which)), which);
    }
    assert_eq!(
        now(async {
            select! { n = ready(1) => n }
        }),
        1
    );
    assert_eq!(
        now(async {
            select! { n = ready(1), if yes => n }
        }),
        1
    );
}

#[test]
fn future_of_a_branch_whose_condition_is_false_is_not_made() {
    async fn choose(first: Option<Ready<u8>>) -> u8 {
        let given = first.is_some();
        select! {
            n = first.expect("it is given"), if given => n,
            n = ready(2) => n,
        }
    }
    assert_eq!(now(choose(Some(ready(1)))), 1);
    assert_eq!(now(choose(None)), 2);
}

#[test]
fn output_that_does_not_fit_leaves_the_choice_to_the_others() {
    let (task, trace, gate) = (Task::default(), Trace::default(), Gate::default());
    let (noted, opened) = (trace.clone(), gate.clone());
    let mut select = pin!(async {
        select! {
            Some(n) = noted.part("a", 1, None) => n,
            () = opened => 2,
        }
    });
    assert!(task.poll(select.as_mut()).is_pending());
    gate.open();
    assert_eq!(task.poll(select.as_mut()), Poll::Ready(2));
    assert_eq!(trace.take(), ["a 1", "a dropped"]);
}

#[test]
fn else_runs_when_no_branch_is_left() {
    let (sender, mut receiver) = mpsc::channel(2);
    sender.try_send(1).unwrap();
    drop(sender);
    let seen = now(async {
        let mut seen = Vec::new();
        loop {
            select! {
                Some(n) = receiver.recv() => seen.push(n),
                else => break seen,
            }
        }
    });
    assert_eq!(seen, [1]);
}

#[test]
#[should_panic(expected = "no branch of this select is left, and it has no else")]
fn select_with_no_branch_left_and_no_else_panics() {
    now(async {
        select! {
            () = pending(), if Vec::<u8>::new().len() > 1 => {}
        }
    });
}

#[test]
fn fair_select_gives_each_its_turn_behind_who_won_last() {
    let mut rotation = Rotation::new();
    let mut won = String::new();
    for round in 0..6 {
        now(async {
            select! {
                fair(rotation);
                () = ready(()) => won.push('a'),
                () = ready(()), if round != 4 => won.push('b'),
                () = pending() => unreachable!(),
                () = ready(()) => won.push('d'),
            }
        });
    }
    assert_eq!(won, "abdada", "b has no chance in round 4");
}

#[test]
fn code_may_use_what_the_futures_had_borrowed_and_leave_the_loop() {
    async fn first_two(words: &mut Vec<&'static str>) -> Result<usize, &'static str> {
        loop {
            select! {
                word = async { words.pop() } => match word {
                    Some("stop") => break,
                    Some("") => continue,
                    Some("fail") => Err("failed")?,
                    Some(word) => {
                        words.clear();
                        words.push(word);
                        return Ok(word.len());
                    }
                    None => return Err("empty"),
                },
                () = pending() => unreachable!(),
            }
            words.push("unreached");
        }
        Ok(0)
    }
    assert_eq!(now(first_two(&mut vec!["word", ""])), Ok(4));
    assert_eq!(now(first_two(&mut vec!["word", "stop"])), Ok(0));
    assert_eq!(now(first_two(&mut vec!["word", "fail"])), Err("failed"));
    assert_eq!(now(first_two(&mut vec![])), Err("empty"));
}

#[test]
fn select_drops_its_branches_after_any_number_of_polls() {
    for polls in 0..=4 {
        let (task, trace) = (Task::default(), Trace::default());
        let mut select = Box::pin(async {
            select! {
                Some(()) = trace.part("a", 2, None) => {}
                () = trace.part("b", 9, ()) => {}
                () = trace.part("c", 4, ()) => {}
            }
        });
        let ready = (0..polls).map(|_| task.poll(select.as_mut())).any(|polled| polled.is_ready());
        assert_eq!(ready, polls == 4);
        drop(select);
        let dropped = trace.take().into_iter().filter(|note| note.ends_with("dropped")).count();
        assert_eq!(dropped, if polls == 0 { 0 } else { 3 }, "they are made with the first poll");
    }
}

#[test]
fn panic_in_a_branch_drops_the_others() {
    let trace = Trace::default();
    let select = async {
        select! {
            () = trace.part("a", 2, ()) => {}
            _ = async { panic!("on purpose") } => {}
        }
    };
    assert!(catch_unwind(AssertUnwindSafe(|| now(select))).is_err());
    assert_eq!(trace.take(), ["a 1", "a dropped"]);
}

// --- join! and try_join! ---------------------------------------------------------------------------------------------

#[test]
fn join_gives_the_outputs_of_any_number_in_order() {
    assert_eq!(now(async { join!(ready(1)) }), (1,));
    assert_eq!(now(async { join!(ready(1), ready('2')) }), (1, '2'));
    assert_eq!(now(async { join!(ready(1), ready("2"), ready(3),) }), (1, "2", 3));
    let eight = now(async { join!(ready(1), ready(2), ready(3), ready(4), ready(5), ready(6), ready("7"), ready(8)) });
    assert_eq!(eight, (1, 2, 3, 4, 5, 6, "7", 8));
}

#[test]
fn join_polls_in_order_and_drops_what_is_done() {
    let (task, trace) = (Task::default(), Trace::default());
    let mut all = pin!(async { join!(trace.part("a", 2, 1), trace.part("b", 1, 2), trace.part("c", 2, 3)) });
    assert!(task.poll(all.as_mut()).is_pending());
    assert_eq!(trace.take(), ["a 1", "b 1", "b dropped", "c 1"]);
    assert_eq!(task.poll(all.as_mut()), Poll::Ready((1, 2, 3)));
    assert_eq!(trace.take(), ["a 2", "a dropped", "c 2", "c dropped"]);
}

#[test]
fn joined_futures_may_borrow_from_their_surroundings() {
    let words = [String::from("a"), String::from("bc")];
    let mut sum = 0;
    let lengths = now(async { join!(async { words[0].len() }, async { words[1].len() }, async { sum += 1 }) });
    assert_eq!((lengths, sum), ((1, 2, ()), 1));
}

#[test]
fn first_error_ends_a_try_join_and_drops_the_others_in_order() {
    let (task, trace) = (Task::default(), Trace::default());
    let mut all = pin!(async {
        try_join!(
            trace.part("a", 9, Ok(1)),
            trace.part("b", 2, Err::<(), _>("b")),
            trace.part("c", 1, Ok(3)),
            trace.part("d", 9, Ok(4))
        )
    });
    assert!(task.poll(all.as_mut()).is_pending());
    assert_eq!(trace.take(), ["a 1", "b 1", "c 1", "c dropped", "d 1"]);
    assert_eq!(task.poll(all.as_mut()), Poll::Ready(Err("b")));
    assert_eq!(trace.take(), ["a 2", "b 2", "b dropped", "a dropped", "d dropped"]);
    assert_eq!(
        now(async { try_join!(async { Ok::<_, ()>(1) }, async { Ok('2') }, async { Ok("3") }) }),
        Ok((1, '2', "3"))
    );
}

#[test]
fn second_is_not_polled_after_the_first_had_an_error() {
    let trace = Trace::default();
    assert_eq!(now(crate::future::try_join(ready(Err::<(), _>(1)), trace.part("b", 1, Ok(())))), Err(1));
    assert_eq!(trace.take(), ["b dropped"]);
}

#[test]
fn join_drops_its_futures_and_outputs_after_any_number_of_polls() {
    for polls in 0..=3 {
        let (task, trace) = (Task::default(), Trace::default());
        let mut all = Box::pin(async {
            let output = std::rc::Rc::new(trace.on_drop("output dropped"));
            join!(trace.part("a", 1, output), trace.part("b", 3, ()), trace.part("c", 2, ()))
        });
        let last = (0..polls).map(|_| task.poll(all.as_mut())).last();
        assert_eq!(last.as_ref().is_some_and(Poll::is_ready), polls == 3);
        drop((all, last));
        let dropped = trace.take().into_iter().filter(|note| note.ends_with("dropped")).count();
        assert_eq!(dropped, if polls == 0 { 0 } else { 4 });
    }
}
