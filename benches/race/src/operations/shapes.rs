//! The workloads of tasks, written once for all runtimes.
//!
//! They are a macro and not generic functions, since no bound fits all runtimes: tokio's `spawn` asks for futures that
//! may move to other threads, and the tasks of evloop and monoio, and what joins them, cannot. So each runtime's file
//! has the same text compiled against its own `block_on`, `spawn` and words.
//!
//! All but the wake from another thread run as a spawned task, so that how a runtime treats `block_on`'s own future
//! stays out of it.

use futures::task::AtomicWaker;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// How many tasks are spawned before the first is joined, and how many take turns in yielding.
pub(super) const BATCH: u64 = 1_000;

/// Runs a future as a task and gives what it found.
macro_rules! in_task {
    ($block_on:ident, $spawn:ident, $work:expr) => {{
        let told = std::sync::Arc::new(std::sync::OnceLock::new());
        let (tell, work) = (std::sync::Arc::clone(&told), $work);
        $block_on(async move {
            let task = async move { tell.set(work.await).expect("it is told once") };
            let _ = $spawn(task).await;
        });
        *told.get().expect("the task ran to its end")
    }};
}
pub(super) use in_task;

/// Defines the workloads of tasks and `shape`, which finds them.
///
/// `block_on` and `spawn` are functions in scope, `words` a module of [`words`](super::words).
macro_rules! shapes {
    ($block_on:ident, $spawn:ident, $words:ident) => {
        fn spawn_alone(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let watch = Stopwatch::start();
                for _ in 0..count {
                    let _ = $spawn(async {}).await;
                }
                watch.stop(count)
            })
        }

        fn spawn_batch(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let mut tasks = Vec::with_capacity(1_000);
                let watch = Stopwatch::start();
                for _ in 0..count / BATCH {
                    tasks.extend((0..BATCH).map(|_| $spawn(async {})));
                    for task in tasks.drain(..) {
                        let _ = task.await;
                    }
                }
                watch.stop(count / BATCH * BATCH)
            })
        }

        fn yield_1(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let watch = Stopwatch::start();
                for _ in 0..count {
                    Yield::new().await;
                }
                watch.stop(count)
            })
        }

        fn yield_1000(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let each = move |_| {
                    $spawn(async move {
                        for _ in 0..count / BATCH {
                            Yield::new().await;
                        }
                    })
                };
                let watch = Stopwatch::start();
                let tasks: Vec<_> = (0..BATCH).map(each).collect();
                for task in tasks {
                    let _ = task.await;
                }
                watch.stop(count / BATCH * BATCH)
            })
        }

        fn ping_pong_waker(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let (there, back) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
                let (inbox, answer) = (Arc::clone(&there), Arc::clone(&back));
                let other = $spawn(async move {
                    for _ in 0..count {
                        inbox.take().await;
                        answer.raise();
                    }
                });
                let watch = Stopwatch::start();
                for _ in 0..count {
                    there.raise();
                    back.take().await;
                }
                let spent = watch.stop(count);
                let _ = other.await;
                spent
            })
        }

        fn ping_pong_notify(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let (there, back) =
                    ($words::Shared::new($words::Notify::new()), $words::Shared::new($words::Notify::new()));
                let (inbox, answer) = ($words::Shared::clone(&there), $words::Shared::clone(&back));
                let other = $spawn(async move {
                    for _ in 0..count {
                        inbox.notified().await;
                        answer.notify_one();
                    }
                });
                let watch = Stopwatch::start();
                for _ in 0..count {
                    there.notify_one();
                    back.notified().await;
                }
                let spent = watch.stop(count);
                let _ = other.await;
                spent
            })
        }

        fn ping_pong_mpsc(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let (there, mut inbox) = $words::unbounded::<u32>();
                let (answer, mut back) = $words::unbounded::<u32>();
                let other = $spawn(async move {
                    while let Some(word) = inbox.recv().await {
                        answer.send(word).expect("its answer is waited for");
                    }
                });
                let watch = Stopwatch::start();
                for _ in 0..count {
                    there.send(1).expect("the other receives until this ends");
                    back.recv().await;
                }
                let spent = watch.stop(count);
                drop(there);
                let _ = other.await;
                spent
            })
        }

        fn ping_pong_oneshot(count: u64) -> Spent {
            in_task!($block_on, $spawn, async move {
                let (requests, mut inbox) = $words::unbounded::<$words::oneshot::Sender<u32>>();
                let server = $spawn(async move {
                    while let Some(answer) = inbox.recv().await {
                        answer.send(1).expect("the client waits for its answer");
                    }
                });
                let watch = Stopwatch::start();
                for _ in 0..count {
                    let (answer, answered) = $words::oneshot::channel();
                    requests.send(answer).expect("the server receives until this ends");
                    answered.await.expect("the server answers each request");
                }
                let spent = watch.stop(count);
                drop(requests);
                let _ = server.await;
                spent
            })
        }

        fn other_thread(count: u64) -> Spent {
            let (there, mut inbox) = $words::across::<u32>();
            let (answer, answered) = std::sync::mpsc::channel();
            let other = asks(count, answered, move || there.send(1).expect("the loop receives until this ends"));
            $block_on(async move {
                while let Some(word) = inbox.recv().await {
                    answer.send(word).expect("the thread waits for its answer");
                }
            });
            other.join().expect("the thread was answered each time")
        }

        /// The workload of tasks that an operation is, if it is one.
        fn shape(operation: Operation) -> Option<Work> {
            Some(match operation {
                Operation::SpawnAlone => spawn_alone,
                Operation::SpawnBatch => spawn_batch,
                Operation::Yield1 => yield_1,
                Operation::Yield1000 => yield_1000,
                Operation::PingPongWaker => ping_pong_waker,
                Operation::PingPongNotify => ping_pong_notify,
                Operation::PingPongMpsc => ping_pong_mpsc,
                Operation::PingPongOneshot => ping_pong_oneshot,
                Operation::OtherThread => other_thread,
                _ => return None,
            })
        }
    };
}
pub(super) use shapes;

/// Wakes its task and is ready when it is polled again: what it costs to be polled once more, and nothing of a
/// runtime's own way to yield.
#[derive(Debug)]
pub(super) struct Yield {
    woken: bool,
}

impl Yield {
    /// One that has not woken anybody yet.
    pub(super) const fn new() -> Yield {
        Yield { woken: false }
    }
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.woken {
            return Poll::Ready(());
        }
        self.woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// As much as is needed to be woken: a flag, and the waker of who waits for it.
#[derive(Debug, Default)]
pub(super) struct Flag {
    raised: AtomicBool,
    waiter: AtomicWaker,
}

impl Flag {
    /// Raises it and wakes who waits.
    pub(super) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.waiter.wake();
    }

    /// Waits until it is raised, and lowers it.
    pub(super) async fn take(&self) {
        poll_fn(|cx| {
            if self.raised.swap(false, Ordering::Acquire) {
                return Poll::Ready(());
            }
            self.waiter.register(cx.waker());
            // It may have been raised by another thread before the waker was there to be called.
            if self.raised.swap(false, Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn a_yield_is_ready_the_second_time() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut it = Yield::new();
        assert!(Pin::new(&mut it).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut it).poll(&mut cx).is_ready());
    }

    #[test]
    fn a_raised_flag_is_taken_once() {
        let mut cx = Context::from_waker(Waker::noop());
        let flag = Flag::default();
        let mut poll = || std::pin::pin!(flag.take()).poll(&mut cx);
        assert!(poll().is_pending());
        flag.raise();
        assert!(poll().is_ready());
        assert!(poll().is_pending());
    }
}
