//! What needs no descriptor of its own: tasks, time, waiting for each other, the pool.

use crate::{FEW, MANY, Operation, operation};
use evloop::future::{join, race};
use evloop::io::framed::{Framed, LinesCodec};
use evloop::io::{AsyncRead, AsyncWrite, duplex};
use evloop::sync::{
    Barrier, CancellationToken, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, remote, watch,
};
use evloop::task::{JoinSet, group, yield_now};
use evloop::time::{Timer, interval, sleep, sleep_precise, timeout};
use evloop::{Handle, Runtime, spawn, spawn_blocking, turn};
use std::future::pending;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn operations() -> Vec<Operation> {
    [loops(), tasks(), times(), locks(), signs(), channels(), threads(), streams()].into_iter().flatten().collect()
}

fn loops() -> Vec<Operation> {
    vec![
        operation("Runtime", "made and dropped", MANY, |rounds| async move {
            for _ in 0..rounds {
                drop(Runtime::new().unwrap());
            }
        }),
        operation("turn", "a turn with three hooks", MANY, |rounds| async move {
            let _hooks = [turn::idle(|| ()), turn::prepare(|| ()), turn::check(|| ())];
            for _ in 0..rounds {
                yield_now().await;
            }
        }),
    ]
}

fn tasks() -> Vec<Operation> {
    vec![
        operation("task", "yielded", MANY, |rounds| async move {
            for _ in 0..rounds {
                yield_now().await;
            }
        }),
        operation("task", "spawned and joined", MANY, |rounds| async move {
            for _ in 0..rounds {
                spawn(async {}).await.unwrap();
            }
        }),
        operation("task", "spawned, aborted, joined", MANY, |rounds| async move {
            for _ in 0..rounds {
                let task = spawn(pending::<()>());
                task.abort();
                task.await.unwrap_err();
            }
        }),
        operation("task", "`group` of two children", MANY, |rounds| async move {
            for _ in 0..rounds {
                let two = group(async |g| {
                    g.spawn(async { Ok::<_, ()>(()) });
                    g.spawn(async { Ok(()) });
                    Ok(())
                });
                two.await.unwrap();
            }
        }),
        operation("task", "a task of a `JoinSet`", MANY, |rounds| async move {
            let mut set = JoinSet::new();
            for _ in 0..rounds {
                set.spawn(async {});
                set.join_next().await.unwrap().unwrap();
            }
        }),
        operation("future", "`select!` of two", MANY, |rounds| async move {
            for _ in 0..rounds {
                evloop::select! {
                    () = pending() => unreachable!("it waits for ever"),
                    () = yield_now() => (),
                }
            }
        }),
    ]
}

fn times() -> Vec<Operation> {
    vec![
        operation("time", "`sleep` that elapses", FEW, |rounds| async move {
            for _ in 0..rounds {
                sleep(Duration::from_millis(1)).await;
            }
        }),
        operation("time", "`timeout` of what yields once", MANY, |rounds| async move {
            for _ in 0..rounds {
                timeout(HOUR, yield_now()).await.unwrap();
            }
        }),
        operation("time", "tick of an `interval`", FEW, |rounds| async move {
            let mut ticks = interval(Duration::from_millis(1));
            for _ in 0..rounds {
                ticks.tick().await;
            }
        }),
        operation("time", "`Timer` started and stopped", MANY, |rounds| async move {
            let mut timer = Timer::new();
            for _ in 0..rounds {
                timer.start(HOUR, HOUR);
                timer.stop();
            }
        }),
        operation("time", "`sleep_precise` that elapses", MANY, |rounds| async move {
            for _ in 0..rounds {
                sleep_precise(Duration::from_micros(50)).unwrap().await;
            }
        }),
    ]
}

fn locks() -> Vec<Operation> {
    vec![
        operation("sync", "`Mutex` that is free", MANY, |rounds| async move {
            let mutex = Mutex::new(());
            for _ in 0..rounds {
                drop(mutex.lock().await);
            }
        }),
        operation("sync", "`Mutex` handed over", MANY, |rounds| async move {
            let mutex = Mutex::new(());
            for _ in 0..rounds {
                let guard = mutex.lock().await;
                drop(join(mutex.lock(), async move { drop(guard) }).await);
            }
        }),
        operation("sync", "`RwLock` read", MANY, |rounds| async move {
            let lock = RwLock::new(());
            for _ in 0..rounds {
                drop(lock.read().await);
            }
        }),
        operation("sync", "`Semaphore` that has permits", MANY, |rounds| async move {
            let semaphore = Semaphore::new(1);
            for _ in 0..rounds {
                drop(semaphore.acquire().await.unwrap());
            }
        }),
        operation("sync", "`Barrier` of two", MANY, |rounds| async move {
            let barrier = Barrier::new(2);
            for _ in 0..rounds {
                join(barrier.wait(), barrier.wait()).await;
            }
        }),
        operation("sync", "`OnceCell` that has its value", MANY, |rounds| async move {
            let cell = OnceCell::new();
            for _ in 0..rounds {
                cell.get_or_init(async || ()).await;
            }
        }),
    ]
}

fn signs() -> Vec<Operation> {
    vec![
        operation("sync", "`Notify` that is waited for", MANY, |rounds| async move {
            let notify = Notify::new();
            for _ in 0..rounds {
                join(notify.notified(), async { notify.notify_one() }).await;
            }
        }),
        operation("sync", "`CancellationToken`, a child of it cancelled", MANY, |rounds| async move {
            let token = CancellationToken::new();
            for _ in 0..rounds {
                let child = token.child_token();
                join(child.cancelled(), async { child.cancel() }).await;
            }
        }),
        operation("sync", "`watch` changed and seen", MANY, |rounds| async move {
            let (sender, mut receiver) = watch::channel(0);
            for value in 0..rounds {
                join(receiver.changed(), async { sender.send(value).unwrap() }).await.0.unwrap();
            }
        }),
    ]
}

fn channels() -> Vec<Operation> {
    vec![
        operation("sync", "`oneshot` made, sent, received", MANY, |rounds| async move {
            for _ in 0..rounds {
                let (sender, receiver) = oneshot::channel();
                join(receiver, async { sender.send(()).unwrap() }).await.0.unwrap();
            }
        }),
        operation("sync", "message by `mpsc`", MANY, |rounds| async move {
            let (sender, mut receiver) = mpsc::channel(1);
            for _ in 0..rounds {
                join(receiver.recv(), sender.send(())).await.1.unwrap();
            }
        }),
        operation("sync", "message by an unbounded `mpsc`", MANY, |rounds| async move {
            let (sender, mut receiver) = mpsc::unbounded();
            for _ in 0..rounds {
                join(receiver.recv(), async { sender.send(()).unwrap() }).await;
            }
        }),
        operation("sync", "message by `broadcast`", MANY, |rounds| async move {
            let (sender, mut receiver) = broadcast::channel(4);
            for _ in 0..rounds {
                join(receiver.recv(), async { sender.send(()).unwrap() }).await.0.unwrap();
            }
        }),
    ]
}

fn threads() -> Vec<Operation> {
    vec![
        operation("sync", "message by `remote` to another thread and back", MANY, |rounds| async move {
            let (sender, mut theirs) = remote::channel(1);
            let (answers, mut receiver) = remote::channel(1);
            let job = spawn_blocking(move || {
                while let Some(message) = theirs.blocking_recv() {
                    answers.blocking_send(message).unwrap();
                }
            });
            for _ in 0..rounds {
                sender.send(()).await.unwrap();
                receiver.recv().await.unwrap();
            }
            drop(sender);
            job.await.unwrap();
        }),
        operation("Handle", "task spawned from another thread, awaited there", MANY, |rounds| async move {
            let handle = Handle::current();
            let job = spawn_blocking(move || {
                for _ in 0..rounds {
                    handle.spawn(async || ()).wait().unwrap();
                }
            });
            job.await.unwrap();
        }),
        operation("task", "`spawn_blocking`, awaited", MANY, |rounds| async move {
            for _ in 0..rounds {
                spawn_blocking(|| ()).await.unwrap();
            }
        }),
        operation("task", "`spawn_blocking`, dropped at once", MANY, |rounds| async move {
            for _ in 0..rounds {
                race(spawn_blocking(|| ()), async {}).await;
            }
        }),
    ]
}

fn streams() -> Vec<Operation> {
    vec![
        operation("io", "`duplex`, written and read", MANY, |rounds| async move {
            let (mut near, mut far) = duplex(64);
            for _ in 0..rounds {
                near.write_all(b"12345").await.unwrap();
                far.read_exact(&mut [0; 5]).await.unwrap();
            }
        }),
        operation("io", "line by `Framed` over `duplex`", MANY, |rounds| async move {
            let (near, far) = duplex(64);
            let (mut near, mut far) = (Framed::new(near, LinesCodec::new(64)), Framed::new(far, LinesCodec::new(64)));
            for _ in 0..rounds {
                near.send("line").await.unwrap();
                far.next().await.unwrap().unwrap();
            }
        }),
    ]
}
