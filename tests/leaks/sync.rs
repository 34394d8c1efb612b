//! Waiting for each other: each primitive is passed, and its futures are dropped while they wait.

use crate::{MANY, Repeats};
use evloop::future::{Either, join, race};
use evloop::sync::{
    Barrier, CancellationToken, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, remote, watch,
};
use evloop::task::{spawn_blocking, yield_now};
use std::future::pending;
use std::rc::Rc;

/// Polls it, and drops it, for it waits.
async fn given_up(future: impl Future) {
    assert!(matches!(race(future, yield_now()).await, Either::Right(())));
}

pub(crate) fn repeat(repeats: &mut Repeats) {
    locks(repeats);
    signs(repeats);
    channels(repeats);
    across_threads(repeats);
}

fn locks(repeats: &mut Repeats) {
    repeats.within(
        "mutex",
        MANY,
        async || Rc::new(Mutex::new(0)),
        async |mutex| {
            let guard = mutex.lock().await;
            given_up(mutex.lock()).await;
            given_up(Rc::clone(mutex).lock_owned()).await;
            drop(join(mutex.lock(), async move { drop(guard) }).await);
        },
    );
    repeats.within(
        "rwlock",
        MANY,
        async || Rc::new(RwLock::new(0)),
        async |lock| {
            let guard = lock.write().await;
            given_up(lock.read()).await;
            given_up(Rc::clone(lock).write_owned()).await;
            drop(join(lock.read(), async move { drop(guard) }).await);
        },
    );
    repeats.within(
        "semaphore",
        MANY,
        async || Rc::new(Semaphore::new(2)),
        async |semaphore| {
            let permit = semaphore.acquire_many(2).await.unwrap();
            given_up(semaphore.acquire()).await;
            given_up(Rc::clone(semaphore).acquire_owned()).await;
            drop(join(semaphore.acquire(), async move { drop(permit) }).await.0.unwrap());
        },
    );
    repeats.each("semaphore closed", MANY, async || {
        let semaphore = Semaphore::new(0);
        let (refused, ()) = join(semaphore.acquire(), async { semaphore.close() }).await;
        refused.unwrap_err();
    });
    repeats.within(
        "barrier",
        MANY,
        async || Barrier::new(2),
        async |barrier| {
            given_up(barrier.wait()).await;
            join(barrier.wait(), barrier.wait()).await;
        },
    );
    repeats.each("once cell", MANY, async || {
        let cell = OnceCell::new();
        given_up(cell.get_or_init(pending)).await;
        join(cell.get_or_init(async || yield_now().await), cell.get_or_init(pending)).await;
    });
}

fn signs(repeats: &mut Repeats) {
    repeats.within(
        "notify",
        MANY,
        async || Notify::new(),
        async |notify| {
            given_up(notify.notified()).await;
            join(notify.notified(), async { notify.notify_one() }).await;
            join(notify.notified(), async { notify.notify_waiters() }).await;
        },
    );
    repeats.within(
        "cancellation token",
        MANY,
        async || CancellationToken::new(),
        async |token| {
            given_up(token.cancelled()).await;
            given_up(token.clone().cancelled_owned()).await;
            let child = token.child_token();
            drop(child.child_token());
            join(child.cancelled(), async { child.cancel() }).await;
            drop(token.child_token().drop_guard());
            assert!(token.run_until_cancelled(yield_now()).await.is_some());
        },
    );
    repeats.within(
        "watch",
        MANY,
        async || watch::channel(0),
        async |(sender, receiver)| {
            given_up(receiver.changed()).await;
            given_up(receiver.wait_for(|value| *value < 0)).await;
            given_up(sender.closed()).await;
            let mut other = sender.subscribe();
            let (changed, ()) = join(other.changed(), async { sender.send_modify(|value| *value += 1) }).await;
            changed.unwrap();
            receiver.mark_unchanged();
        },
    );
}

fn channels(repeats: &mut Repeats) {
    repeats.within(
        "broadcast",
        MANY,
        async || broadcast::channel(4),
        async |(sender, receiver)| {
            given_up(receiver.recv()).await;
            given_up(sender.closed()).await;
            drop(sender.subscribe());
            let _lagging = sender.subscribe();
            let (received, _) = join(receiver.recv(), async { sender.send(vec![7; 100]).unwrap() }).await;
            received.unwrap();
        },
    );
    repeats.within(
        "mpsc",
        MANY,
        async || mpsc::channel(1),
        async |(sender, receiver)| {
            given_up(receiver.recv()).await;
            sender.send(vec![7; 100]).await.unwrap();
            given_up(sender.send(vec![8; 100])).await;
            given_up(sender.reserve()).await;
            given_up(sender.closed()).await;
            drop((sender.clone(), sender.downgrade()));
            receiver.recv().await.unwrap();
            drop(sender.reserve().await.unwrap());
        },
    );
    repeats.each("mpsc dropped with what it holds", MANY, async || {
        let (sender, receiver) = mpsc::channel(2);
        sender.send(vec![7; 100]).await.unwrap();
        drop(receiver);
        sender.send(vec![7; 100]).await.unwrap_err();
    });
    repeats.within(
        "unbounded mpsc",
        MANY,
        async || mpsc::unbounded(),
        async |(sender, receiver)| {
            given_up(receiver.recv()).await;
            sender.send(vec![7; 100]).unwrap();
            receiver.recv().await.unwrap();
        },
    );
    repeats.each("oneshot", MANY, async || {
        let (sender, mut receiver) = oneshot::channel();
        given_up(&mut receiver).await;
        sender.send(vec![7; 100]).unwrap();
        receiver.await.unwrap();
        let (sender, receiver) = oneshot::channel::<Vec<u8>>();
        drop(sender);
        receiver.await.unwrap_err();
        let (mut sender, receiver) = oneshot::channel::<Vec<u8>>();
        given_up(sender.closed()).await;
        sender.send(vec![7; 100]).unwrap();
        drop(receiver);
    });
}

fn across_threads(repeats: &mut Repeats) {
    repeats.each("oneshot from another thread", MANY, async || {
        let (sender, receiver) = oneshot::channel();
        spawn_blocking(move || sender.send(vec![7; 100]).unwrap()).detach();
        receiver.await.unwrap();
    });
    repeats.within(
        "channel across threads",
        MANY,
        async || remote::channel(1),
        async |(sender, receiver)| {
            given_up(receiver.recv()).await;
            let theirs = sender.clone();
            let job = spawn_blocking(move || (0..3).for_each(|_| theirs.blocking_send(vec![7; 100]).unwrap()));
            let receive = async {
                for _ in 0..3 {
                    receiver.recv().await.unwrap();
                }
            };
            join(job, receive).await.0.unwrap();
            sender.send(vec![7; 100]).await.unwrap();
            given_up(sender.send(vec![7; 100])).await;
            receiver.recv().await.unwrap();
        },
    );
    repeats.within(
        "unbounded channel across threads",
        MANY,
        async || remote::unbounded(),
        async |(sender, receiver)| {
            given_up(receiver.recv()).await;
            let theirs = sender.clone();
            spawn_blocking(move || theirs.send(vec![7; 100]).unwrap()).await.unwrap();
            receiver.recv().await.unwrap();
        },
    );
}
