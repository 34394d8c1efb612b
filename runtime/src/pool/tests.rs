//! Threads, bounds, back-pressure, and taking back.

use super::JobClass::{Files, General, Names};
use super::*;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::Wake;

fn pool(threads_max: usize, queued_max: usize) -> Pool {
    Pool::new(PoolLimits { threads_max, queued_max, idle: Duration::from_secs(3_600), ..PoolLimits::default() })
}

/// A job that ends when the other end is dropped, and says when it has begun.
fn gate() -> (Job, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, has_begun) = mpsc::channel();
    let (open, wait) = mpsc::channel::<()>();
    let job = Box::new(move || {
        begun.send(()).unwrap();
        let _closed = wait.recv();
    });
    (job, has_begun, open)
}

#[test]
fn jobs_of_one_thread_run_in_order() {
    let pool = pool(1, 10);
    let (sender, receiver) = mpsc::channel();
    for n in 0..5 {
        let sender = sender.clone();
        pool.submit(General, Box::new(move || sender.send(n).unwrap())).unwrap();
    }
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn no_more_threads_and_no_longer_queue_than_allowed() {
    let pool = Pool::new(PoolLimits { threads_max: 2, queued_max: 1, general_max: Some(2), ..PoolLimits::default() });
    let gates: Vec<_> = (0..2).map(|_| gate()).collect();
    let mut opens = Vec::new();
    for (job, begun, open) in gates {
        pool.submit(General, job).unwrap();
        begun.recv().unwrap();
        opens.push(open);
    }
    pool.submit(General, Box::new(|| ())).unwrap();
    assert!(matches!(pool.submit(General, Box::new(|| ())), Err(Refused::Full(_))));
    let load = pool.load();
    assert_eq!((load.threads, load.idle, load.general.running, load.general.queued), (2, 0, 2, 1));
    drop(opens);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn line_is_served_in_order_and_newcomers_do_not_overtake_it() {
    let pool = pool(1, 1);
    let (job, begun, open) = gate();
    pool.submit(General, job).unwrap();
    begun.recv().unwrap();
    pool.submit(General, Box::new(|| ())).unwrap();
    let wait = |place| {
        let waited = pool.submit_in_line(General, Box::new(|| ()), place, Waker::noop());
        waited.map(drop).map_err(|(_, place)| place)
    };
    let (first, second) = (wait(Key::NONE).unwrap_err(), wait(Key::NONE).unwrap_err());
    assert_eq!(wait(second), Err(second), "asked for another reason, it keeps its place");
    pool.leave(General, first);
    drop(open);
    while pool.shared.lock().lines.standing(General, second).is_some() {
        thread::yield_now();
    }
    assert!(
        matches!(pool.submit(General, Box::new(|| ())), Err(Refused::Full(_))),
        "the place is kept for who was called"
    );
    assert_eq!(wait(second), Ok(()));
    assert_eq!(pool.load().general.waiting, 0);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn panic_in_a_job_leaves_the_thread_for_the_next() {
    let pool = pool(1, 10);
    let (sender, receiver) = mpsc::channel();
    pool.submit(General, Box::new(|| std::panic::resume_unwind(Box::new("quietly")))).unwrap();
    pool.submit(General, Box::new(move || sender.send(()).unwrap())).unwrap();
    receiver.recv().unwrap();
    assert_eq!(pool.load().threads, 1);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn idle_thread_ends() {
    let pool = Pool::new(PoolLimits { idle: Duration::ZERO, ..PoolLimits::default() });
    pool.submit(General, Box::new(|| ())).unwrap();
    let mut state = pool.shared.lock();
    while state.threads > 0 {
        state = pool.shared.ended.wait(state).unwrap();
    }
}

#[test]
fn shutting_down_drops_what_has_not_begun_and_waits_for_the_rest() {
    let pool = pool(1, 10);
    let (job, begun, open) = gate();
    pool.submit(General, job).unwrap();
    begun.recv().unwrap();
    let (sender, receiver) = mpsc::channel::<()>();
    pool.submit(General, Box::new(move || drop(sender))).unwrap();
    assert!(!pool.shut_down(Duration::ZERO), "one is under way");
    assert!(receiver.recv().is_err());
    drop(open);
    assert!(pool.shut_down(Duration::MAX));
}

/// A pool of which the class has as many jobs under way as it may, and what opens them.
fn blocked(pool: &Pool, class: JobClass, jobs: usize) -> Vec<mpsc::Sender<()>> {
    let blocked = (0..jobs).map(|_| {
        let (job, begun, open) = gate();
        pool.submit(class, job).unwrap();
        begun.recv().unwrap();
        open
    });
    blocked.collect()
}

/// The job is done though others block.
fn is_done(pool: &Pool, class: JobClass) {
    let (sender, receiver) = mpsc::channel();
    pool.submit(class, Box::new(move || sender.send(()).unwrap())).unwrap();
    receiver.recv().unwrap();
}

#[test]
fn class_that_is_blocked_holds_no_other_up() {
    for class in JobClass::ALL {
        let limits = PoolLimits { threads_max: 8, ..PoolLimits::default() };
        let pool = Pool::new(limits);
        let opens = blocked(&pool, class, limits.class_max(class));
        pool.submit(class, Box::new(|| ())).unwrap();
        for other in JobClass::ALL.into_iter().filter(|other| *other != class) {
            is_done(&pool, other);
        }
        assert_eq!(pool.load().class(class).queued, 1, "one more of its class waits");
        drop(opens);
        while pool.load().class(class).finished < limits.class_max(class) as u64 + 1 {
            thread::yield_now();
        }
        assert!(pool.shut_down(Duration::MAX));
    }
}

#[test]
fn two_classes_that_are_blocked_leave_the_third_its_thread() {
    let pool = pool(3, 8);
    let opens = [blocked(&pool, General, 1), blocked(&pool, Names, 1)];
    pool.submit(Names, Box::new(|| ())).unwrap();
    is_done(&pool, Files);
    assert_eq!(pool.load().threads, 3);
    drop(opens);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn job_of_a_class_at_its_bound_starts_no_thread() {
    let pool = pool(8, 8);
    let opens = blocked(&pool, Names, 1);
    for _ in 0..4 {
        pool.submit(Names, Box::new(|| ())).unwrap();
    }
    let load = pool.load();
    assert_eq!((load.threads, load.names.running, load.names.queued), (1, 1, 4));
    drop(opens);
    while pool.load().names.finished < 5 {
        thread::yield_now();
    }
    assert_eq!(pool.load().threads, 1, "the thread that became free has done them all");
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn full_queue_of_one_class_takes_jobs_of_the_others() {
    let pool = pool(3, 1);
    let opens = blocked(&pool, Names, 1);
    pool.submit(Names, Box::new(|| ())).unwrap();
    assert!(matches!(pool.submit(Names, Box::new(|| ())), Err(Refused::Full(_))));
    is_done(&pool, Files);
    drop(opens);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn cancelled_job_is_handed_back_once_and_its_place_is_free_at_once() {
    let pool = pool(1, 1);
    let opens = blocked(&pool, General, 1);
    let ticket = pool.submit(General, Box::new(|| unreachable!("it was taken back"))).unwrap();
    assert!(pool.cancel(ticket).is_some());
    assert!(pool.cancel(ticket).is_none());
    let place = pool.submit(General, Box::new(|| ())).unwrap();
    assert!(pool.cancel(ticket).is_none(), "the next job has its place, and stays");
    assert_eq!(pool.load().general.cancelled, 1);
    assert!(pool.cancel(place).is_some());
    drop(opens);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn cancelled_job_calls_the_first_of_the_line() {
    let pool = pool(1, 1);
    let opens = blocked(&pool, General, 1);
    let ticket = pool.submit(General, Box::new(|| ())).unwrap();
    let (_, place) = pool.submit_in_line(General, Box::new(|| ()), Key::NONE, Waker::noop()).unwrap_err();
    assert!(pool.cancel(ticket).is_some());
    assert!(pool.submit_in_line(General, Box::new(|| ()), place, Waker::noop()).is_ok());
    drop(opens);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn job_under_way_cannot_be_taken_back() {
    let pool = pool(1, 1);
    let (job, begun, open) = gate();
    let ticket = pool.submit(General, job).unwrap();
    begun.recv().unwrap();
    assert!(pool.cancel(ticket).is_none());
    drop(open);
    while pool.is_busy() {
        thread::yield_now();
    }
    assert!(pool.cancel(ticket).is_none(), "nor one that has ended");
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn closing_calls_those_in_line_to_learn_of_it() {
    let pool = pool(1, 1);
    let opens = blocked(&pool, General, 1);
    pool.submit(General, Box::new(|| ())).unwrap();
    let (told, waker) = told();
    let (refused, place) = pool.submit_in_line(General, Box::new(|| ()), Key::NONE, &waker).unwrap_err();
    pool.close();
    assert!(told.load(SeqCst));
    let Refused::Full(job) = refused else { unreachable!("there was a thread") };
    assert!(pool.submit_in_line(General, job, place, &waker).is_ok(), "and was dropped");
    let load = pool.load().general;
    assert_eq!((load.submitted, load.cancelled, load.waiting), (2, 1, 0));
    drop(opens);
    assert!(pool.shut_down(Duration::MAX));
}

#[test]
fn last_job_that_is_taken_back_tells_who_waits_for_the_end_of_all() {
    let pool = pool(1, 2);
    let [first, last] = [(); 2].map(|()| pool.shared.lock().lines.push(General, Box::new(|| ()))); // and no thread looks
    let (told, waker) = told();
    assert!(pool.wake_when_idle(&waker));
    assert!(pool.cancel(first).is_some());
    assert!(!told.load(SeqCst), "one is left");
    assert!(pool.cancel(last).is_some());
    assert!(told.load(SeqCst));
    assert!(!pool.wake_when_idle(&waker));
}

/// A waker, and whether it was woken.
fn told() -> (Arc<AtomicBool>, Waker) {
    struct Tell(Arc<AtomicBool>);
    impl Wake for Tell {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }
    let told = Arc::new(AtomicBool::new(false));
    let waker = Waker::from(Arc::new(Tell(Arc::clone(&told))));
    (told, waker)
}
