use super::{GroupError, TaskGroup, group};
use crate::future::{join, yield_now};
use crate::{TaskBuilder, block_on, spawn};
use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }

    fn guard(&self, name: &str) -> Guard {
        Guard(self.clone(), format!("{name} gone"))
    }
}

struct Guard(Trace, String);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.note(&*self.1);
    }
}

/// Ends with `result` after so many turns.
async fn ends<T, E>(trace: Trace, name: &'static str, turns: usize, result: Result<T, E>) -> Result<T, E> {
    let _guard = trace.guard(name);
    yields(turns).await;
    trace.note(format!("{name} ends"));
    result
}

async fn yields(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

type Told<T> = Result<T, GroupError<&'static str>>;

#[test]
fn value_is_there_when_the_body_and_all_children_have_ended() {
    let trace = Trace::default();
    block_on(async {
        let value: Told<i32> = group(async |g| {
            g.spawn(ends(trace.clone(), "slow", 5, Ok(())));
            let quick = g.spawn(ends(trace.clone(), "quick", 1, Ok(7)));
            let value = quick.await.unwrap();
            trace.note("body ends");
            Ok(value)
        })
        .await;
        trace.note("group ends");
        assert_eq!(value.unwrap(), 7);
    });
    assert_eq!(trace.take(), ["quick ends", "quick gone", "body ends", "slow ends", "slow gone", "group ends"]);
}

#[test]
fn error_of_a_child_drops_the_body_and_aborts_the_others() {
    let trace = Trace::default();
    block_on(async {
        let told: Told<()> = group(async |g| {
            let _body = trace.guard("body");
            let endless = g.spawn(ends(trace.clone(), "endless", usize::MAX, Ok(())));
            g.spawn(ends(trace.clone(), "failing", 2, Err::<(), _>("no")));
            endless.await.unwrap();
            unreachable!("the body does not go on");
        })
        .await;
        trace.note("group ends");
        let error = told.unwrap_err();
        assert_eq!(error.first().error(), Some(&"no"));
        assert_eq!(error.failures().len(), 1, "who was ended is no failure");
    });
    assert_eq!(trace.take(), ["failing ends", "failing gone", "body gone", "endless gone", "group ends"]);
}

#[test]
fn all_that_failed_are_told_with_their_names_and_places() {
    block_on(async {
        let mut line = 0;
        let told: Told<()> = group(async |g| {
            let trace = Trace::default();
            g.spawn_with(TaskBuilder::new().name("first"), ends(trace.clone(), "", 0, Err::<(), _>("one")));
            line = Location::caller().line() + 1;
            g.spawn(ends(trace.clone(), "", 0, Err::<(), _>("two")));
            g.spawn(async { panic!("three") as Result<(), _> });
            yields(3).await;
            unreachable!("the body does not go on");
        })
        .await;
        let error = told.unwrap_err();
        let [one, two, three] = error.failures() else { panic!("{error:?}") };
        assert_eq!((one.error(), one.name()), (Some(&"one"), Some("first")));
        assert_eq!((two.error(), two.name(), two.spawned_at().unwrap().line()), (Some(&"two"), None, line));
        assert_eq!(one.to_string(), "first failed: one");
        let place = format!("{}:{line}", file!());
        assert!(two.to_string().starts_with(&format!("the child spawned at {place}")), "{two}");
        assert_eq!(three.panic().unwrap().panic_message(), Some("three"));
        assert!(three.to_string().ends_with(" failed: the task panicked: three"), "{three}");
        assert_eq!(error.to_string(), "first failed: one (and 2 more)");
    });
}

#[test]
fn error_of_the_body_ends_the_children() {
    let trace = Trace::default();
    block_on(async {
        let told: Told<()> = group(async |g| {
            g.spawn(ends(trace.clone(), "child", usize::MAX, Ok(())));
            yield_now().await;
            Err("no")
        })
        .await;
        trace.note("group ends");
        assert_eq!(told.unwrap_err().to_string(), "the body of the group failed: no");
    });
    assert_eq!(trace.take(), ["child gone", "group ends"]);
}

#[test]
fn child_that_fails_after_the_body_ended_well_fails_the_group() {
    block_on(async {
        let told: Told<()> = group(async |g| {
            g.spawn(ends(Trace::default(), "", 3, Err::<(), _>("late")));
            Ok(())
        })
        .await;
        assert_eq!(told.unwrap_err().into_first().into_error().unwrap(), "late");
    });
}

#[test]
fn dropped_after_any_number_of_polls_it_ends_body_then_children_before_the_drop_returns() {
    block_on(async {
        for polls in 0..=6 {
            let trace = Trace::default();
            let mut scope: Pin<Box<dyn Future<Output = Told<()>>>> = Box::pin(group(async |g| {
                let _body = trace.guard("body");
                g.spawn(ends(trace.clone(), "a", usize::MAX, Ok(())));
                g.spawn(ends(trace.clone(), "b", usize::MAX, Ok(())));
                yields(3).await;
                g.spawn(ends(trace.clone(), "c", 1, Ok(())));
                pending().await
            }));
            for _ in 0..polls {
                let poll = poll_fn(|cx| Poll::Ready(scope.as_mut().poll(cx).is_pending()));
                assert!(poll.await);
                yield_now().await;
            }
            trace.take();
            drop(scope);
            trace.note("dropped");
            let expected: &[&str] = match polls {
                0 => &["dropped"],
                4 => &["body gone", "a gone", "b gone", "c gone", "dropped"],
                _ => &["body gone", "a gone", "b gone", "dropped"],
            };
            assert_eq!(trace.take(), expected, "after {polls} polls");
        }
    });
}

#[test]
fn children_have_gone_when_the_end_of_an_aborted_parent_is_seen() {
    let trace = Trace::default();
    block_on(async {
        let theirs = trace.clone();
        let parent = spawn(async move {
            let _outer = theirs.guard("what the parent owned before");
            let told: Told<()> = group(async |g| {
                let inner = theirs.clone();
                g.spawn(async move {
                    let _guard = inner.guard("child");
                    group(async |g| {
                        g.spawn(ends(inner.clone(), "grandchild", usize::MAX, Ok(())));
                        pending::<Result<(), &str>>().await
                    })
                    .await
                    .map_err(|error| error.into_first().into_error().unwrap())
                });
                pending().await
            })
            .await;
            told.unwrap();
        });
        yields(3).await;
        parent.abort();
        assert!(parent.await.unwrap_err().is_cancelled());
        trace.note("seen");
    });
    assert_eq!(trace.take(), ["grandchild gone", "child gone", "what the parent owned before gone", "seen"]);
}

#[test]
fn panic_of_the_body_ends_the_children_and_goes_on() {
    let trace = Trace::default();
    block_on(async {
        let theirs = trace.clone();
        let parent = spawn(async move {
            let scope = group(async |g| {
                g.spawn(ends(theirs.clone(), "child", usize::MAX, Ok(())));
                yields(2).await;
                panic!("on purpose") as Result<(), &str>
            });
            drop(scope.await);
        });
        assert_eq!(parent.await.unwrap_err().panic_message(), Some("on purpose"));
    });
    assert_eq!(trace.take(), ["child gone"]);
}

#[test]
fn child_may_spawn_its_siblings() {
    fn grow(g: &TaskGroup<&'static str>, trace: &Trace, left: usize) {
        let (inner, theirs) = (g.clone(), trace.clone());
        g.spawn(async move {
            yield_now().await;
            theirs.note(format!("{left} left"));
            if left > 0 {
                grow(&inner, &theirs, left - 1);
            }
            Ok(())
        });
    }
    let trace = Trace::default();
    block_on(async {
        let told: Told<()> = group(async |g| {
            grow(&g, &trace, 2);
            Ok(())
        })
        .await;
        told.unwrap();
    });
    assert_eq!(trace.take(), ["2 left", "1 left", "0 left"]);
}

#[test]
fn nothing_is_spawned_in_a_group_that_has_ended_or_failed() {
    let trace = Trace::default();
    block_on(async {
        let kept: Told<TaskGroup<_>> = group(async |g| Ok(g)).await;
        let kept = kept.unwrap();
        assert!(kept.is_closed());
        let guard = trace.guard("refused");
        let child = kept.spawn(async move {
            drop(guard);
            unreachable!("it is not polled") as Result<(), _>
        });
        assert_eq!(trace.take(), ["refused gone"]);
        assert!(child.is_finished());
        assert!(child.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn child_that_is_aborted_by_itself_is_no_failure() {
    block_on(async {
        let told: Told<&str> = group(async |g| {
            let child = g.spawn(pending::<Result<(), _>>());
            child.abort();
            let others = g.spawn(pending::<Result<(), _>>());
            g.abort_all();
            let (child, others) = join(child, others).await;
            assert!(child.unwrap_err().is_cancelled() && others.unwrap_err().is_cancelled());
            assert!(!g.is_closed());
            Ok("well")
        })
        .await;
        assert_eq!(told.unwrap(), "well");
    });
}

#[test]
fn child_that_drops_its_group_ends_with_its_poll() {
    type Scope = Pin<Box<dyn Future<Output = Told<()>>>>;
    let trace = Trace::default();
    block_on(async {
        let slot: Rc<RefCell<Option<Scope>>> = Rc::default();
        let (inner, theirs) = (Rc::clone(&slot), trace.clone());
        let scope: Scope = Box::pin(group(async move |g| {
            g.spawn(ends(theirs.clone(), "sibling", usize::MAX, Ok(())));
            g.spawn(async move {
                let _guard = theirs.guard("child");
                yield_now().await;
                drop(inner.take());
                theirs.note("group dropped");
                pending::<Result<(), _>>().await
            });
            pending().await
        }));
        let mut scope = scope;
        assert!(poll_fn(|cx| Poll::Ready(scope.as_mut().poll(cx).is_pending())).await);
        slot.replace(Some(scope));
        yields(3).await;
    });
    assert_eq!(trace.take(), ["sibling gone", "group dropped", "child gone"]);
}

#[test]
fn loop_that_ends_ends_its_groups() {
    let trace = Trace::default();
    let theirs = trace.clone();
    block_on(async {
        drop(spawn(async move {
            let told: Told<()> = group(async |g| {
                let _body = theirs.guard("body");
                g.spawn(ends(theirs.clone(), "child", usize::MAX, Ok(())));
                pending().await
            })
            .await;
            told.unwrap();
        }));
        yields(2).await;
    });
    assert_eq!(trace.take(), ["body gone", "child gone"]);
}

#[test]
fn io_error_keeps_the_kind_of_the_first_failure() {
    block_on(async {
        let scope = pin!(group(async |g| {
            g.spawn_with(TaskBuilder::new().name("opener"), async {
                Err::<(), _>(io::Error::new(io::ErrorKind::NotFound, "no such file"))
            });
            Ok(())
        }));
        let error = io::Error::from(scope.await.unwrap_err());
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::NotFound, "opener failed: no such file".into()));
    });
}

#[test]
fn children_end_when_the_body_panics_before_it_is_a_future() {
    block_on(async {
        let trace = Trace::default();
        let guard = trace.guard("child");
        let grouped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            drop(group(|g: TaskGroup<()>| -> std::future::Ready<Result<(), ()>> {
                let siblings = g.clone();
                g.spawn(async move {
                    let _both = (siblings, guard);
                    pending::<Result<(), ()>>().await
                });
                panic!("body")
            }));
        }));
        assert!(grouped.is_err());
        assert_eq!(trace.take(), ["child gone"]);
    });
}

#[test]
#[should_panic(expected = "a group was polled after it was ready")]
fn group_that_failed_has_no_value_for_who_polls_again() {
    block_on(async {
        let mut failed = pin!(group(async |g: TaskGroup<u8>| {
            g.spawn(async { Err::<(), _>(1) });
            Ok(())
        }));
        assert!(failed.as_mut().await.is_err());
        let _ = failed.await;
    });
}
