//! Tasks, groups, timers, hooks, the pool, and whole loops.

use crate::{FEW, MANY, Repeats, SOME};
use evloop::future::{Either, FutureSet, join_all, race};
use evloop::observe::Watchdog;
use evloop::task::{JoinSet, group, yield_now};
use evloop::time::{Timer, interval, sleep, sleep_precise, timeout};
use evloop::{Handle, Runtime, spawn, spawn_blocking, turn};
use std::future::pending;
use std::thread;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn repeat(repeats: &mut Repeats) {
    tasks(repeats);
    several(repeats);
    timers(repeats);
    pool(repeats);
    loops(repeats);
}

fn tasks(repeats: &mut Repeats) {
    repeats.each("task joined", MANY, async || assert_eq!(spawn(async { 7 }).await.unwrap(), 7));
    repeats.each("task detached", MANY, async || {
        drop(spawn(yield_now()));
        yield_now().await;
    });
    repeats.each("task aborted", MANY, async || {
        let task = spawn(pending::<()>());
        yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    repeats.each("task aborted on drop", MANY, async || {
        drop(spawn(sleep(HOUR)).abort_on_drop());
        yield_now().await;
    });
    repeats.each("task that panics", SOME, async || {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        assert!(spawn(async { panic!("on purpose") }).await.unwrap_err().is_panic());
        std::panic::set_hook(hook);
    });
}

fn several(repeats: &mut Repeats) {
    repeats.each("group whose children end", MANY, async || {
        let sum = group(async |g| {
            let (one, other) = (g.spawn(async { Ok::<_, ()>(1) }), g.spawn(async { Ok(2) }));
            Ok(one.await.unwrap() + other.await.unwrap())
        });
        assert_eq!(sum.await.unwrap(), 3);
    });
    repeats.each("group that a child ends", MANY, async || {
        let failed = group(async |g| {
            g.spawn(pending::<Result<(), _>>());
            g.spawn(async { Err::<(), _>("no") });
            pending::<Result<(), _>>().await
        });
        assert_eq!(failed.await.unwrap_err().failures().len(), 1);
    });
    repeats.each("group dropped half-way", MANY, async || {
        let endless = group(async |g| {
            g.spawn(pending::<Result<(), ()>>());
            pending::<Result<(), ()>>().await
        });
        assert!(matches!(race(endless, yield_now()).await, Either::Right(())));
        yield_now().await;
    });
    repeats.within(
        "join set",
        MANY,
        async || JoinSet::new(),
        async |set| {
            set.spawn(async { 1 });
            set.spawn(pending());
            assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
            set.shutdown().await;
        },
    );
    repeats.each("join set dropped", MANY, async || {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        drop(set);
        yield_now().await;
    });
    repeats.within(
        "set of futures",
        MANY,
        async || FutureSet::new(),
        async |set| {
            set.push(yield_now());
            set.next().await.unwrap();
            set.push(yield_now());
            set.clear();
            join_all([yield_now(), yield_now()]).await;
        },
    );
    repeats.each("select", MANY, async || {
        evloop::select! {
            () = pending() => unreachable!("it waits for ever"),
            () = yield_now() => (),
        }
    });
}

fn timers(repeats: &mut Repeats) {
    repeats.each("sleep elapsed", FEW, async || sleep(Duration::from_micros(1)).await); // a millisecond each
    repeats.each("sleep dropped", MANY, async || assert!(timeout(Duration::ZERO, sleep(HOUR)).await.is_err()));
    repeats.each("timeout in time", MANY, async || timeout(HOUR, yield_now()).await.unwrap());
    repeats.within(
        "sleep reset",
        MANY,
        async || sleep(HOUR),
        async |sleep| {
            sleep.reset(HOUR);
            assert!(matches!(race(&mut *sleep, yield_now()).await, Either::Right(())));
        },
    );
    repeats.each("interval", MANY, async || {
        let mut ticks = interval(HOUR);
        ticks.tick().await;
        assert!(matches!(race(ticks.tick(), yield_now()).await, Either::Right(())));
    });
    repeats.within(
        "timer started again",
        MANY,
        async || Timer::new(),
        async |timer| {
            timer.start(Duration::ZERO, HOUR);
            timer.fired().await;
            timer.again().unwrap();
            timer.stop();
        },
    );
    repeats.each("precise sleep elapsed", MANY, async || sleep_precise(Duration::from_nanos(1)).unwrap().await);
    repeats.each("precise sleep dropped", MANY, async || {
        assert!(matches!(race(sleep_precise(HOUR).unwrap(), yield_now()).await, Either::Right(())));
    });
}

fn pool(repeats: &mut Repeats) {
    repeats.each("job finished", MANY, async || assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7));
    repeats.each("job cancelled", MANY, async || {
        let mut job = spawn_blocking(|| vec![7; 100]);
        job.cancel(); // it may have begun
        drop(job.await);
    });
    repeats.each("job dropped", MANY, async || {
        drop(spawn_blocking(|| vec![7; 100]));
        yield_now().await;
    });
    repeats.each("job waited for and dropped", MANY, async || {
        drop(race(spawn_blocking(|| vec![7; 100]), yield_now()).await);
    });
    repeats.each("job detached", MANY, async || {
        spawn_blocking(|| vec![7; 100]).detach();
        spawn_blocking(|| ()).await.unwrap();
    });
    repeats.each("job that panics", SOME, async || {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        assert!(spawn_blocking(|| panic!("on purpose")).await.unwrap_err().is_panic());
        std::panic::set_hook(hook);
    });
    repeats.within(
        "task from another thread",
        MANY,
        async || Handle::current(),
        async |handle| {
            let (handle, again) = (handle.clone(), handle.clone());
            let remote = spawn_blocking(move || handle.spawn(|| async { 7 })).await.unwrap();
            assert_eq!(remote.await.unwrap(), 7);
            spawn_blocking(move || drop(again.spawn(yield_now))).await.unwrap();
        },
    );
}

fn loops(repeats: &mut Repeats) {
    repeats.each("hooks", MANY, async || {
        let hooks = [turn::idle(|| ()), turn::prepare(|| ()), turn::check(|| ())];
        yield_now().await;
        drop(hooks);
    });
    repeats.outside("loop made and dropped", MANY, || drop(Runtime::new().unwrap()));
    repeats.outside("loop closed", MANY, || Runtime::new().unwrap().close().unwrap());
    repeats.outside("loop dropped with all that it has", SOME, || {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            drop(spawn(sleep(HOUR)));
            drop(spawn(pending::<()>()));
            let (one, mut other) = evloop::net::UnixStream::pair().unwrap();
            drop(spawn(async move { evloop::io::AsyncRead::read(&mut other, &mut [0]).await.map(|_| one) }));
            yield_now().await;
        });
        let _hook = runtime.enter(|| turn::check(|| ()));
        let handle = runtime.enter(Handle::current);
        drop(runtime);
        assert!(!handle.is_open() && handle.spawn(async || ()).wait().unwrap_err().is_cancelled());
    });
    repeats.outside("loop with a pool shut down", SOME, || {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async { spawn_blocking(|| ()).await.unwrap() });
        assert!(runtime.shut_down(HOUR));
    });
    repeats.outside("loop that is watched", SOME, || {
        let runtime = Runtime::builder().watchdog(Watchdog::new(HOUR)).build().unwrap();
        runtime.block_on(async { spawn(async {}).await.unwrap() });
    });
    repeats.outside("loop on a thread of its own", SOME, || {
        thread::spawn(|| evloop::block_on(async { spawn(sleep(Duration::ZERO)).await.unwrap() })).join().unwrap();
    });
}
