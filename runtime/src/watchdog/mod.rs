//! The watchdog: a thread that looks at a loop from outside, and tells what holds it while it is held.
//!
//! # What it looks at
//! The loop is not asked, for it would not answer. It leaves three words on its board anyway (turns begun, polls begun, where
//! it is): a look that finds them as they were in the look before knows that nothing was begun in between. So what the
//! watchdog costs the loop is one store at the beginning of a poll and of a phase, which is made with or without it, and one
//! swap in a turn that has slept.
//!
//! # What it does not take for a slow poll
//! - **A loop that sleeps**, or that nobody turns. Then the watchdog sleeps, too: see [`lookout`](crate::lookout).
//! - **A process that was stopped**, or suspended, or a machine that is too busy: if the watchdog itself comes late, by more
//!   than one look, that time counts for nothing, and neither does the time in which the loop's thread was ready to run and
//!   got no CPU, which the kernel keeps.
//!
//! # Why there is no stack in its reports
//! The stack is the thread's own, and it is at work on it. To read it, one has to interrupt the thread in a signal handler
//! and follow frame pointers, which the standard library and foreign code may not keep, or unwind there, which allocates and
//! locks, perhaps in the midst of the allocator: neither is sound. Or another process stops this one by `ptrace(2)` and reads
//! the debug information, as a debugger does; so that is left to a debugger. What the kernel tells without that is in the
//! report, the system call above all. While the loop is held, with the numbers of the process and of the report's thread:
//!
//! ```text
//! gdb -p PID --batch -ex "thread find THREAD" -ex "thread apply all backtrace"
//! perf record -t THREAD --call-graph dwarf sleep 1 && perf report      # where it computes, and does not wait
//! ```

mod judge;
mod report;
mod thread;

use crate::arena::Key;
use crate::board::{At, Beat, Board};
use crate::lookout::{Lookout, Standing};
use judge::{Judge, Told, Verdict};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fmt, io};
use thread::Thread;

pub use report::{Holder, SlowPoll};
pub use thread::ThreadState;

/// Under what name reports are logged.
const TARGET: &str = "evloop::watchdog";

/// What is slow takes so long at least.
const SLOW_MIN: Duration = Duration::from_millis(1);

type OnSlow = Box<dyn Fn(&SlowPoll) + Send>;

/// A thread that looks at a loop from outside, and reports a poll, a hook or a call that holds it, while it does so.
///
/// It is given to the loop when that is [built](crate::Builder::watchdog) and ends with it. Each stretch in which the loop
/// neither begins a poll nor waits for the kernel is reported once it has taken so long, again each time it has become twice
/// as long, and once more when it is over. Reports are logged as warnings, with the target `evloop::watchdog`, and handed to
/// whoever wants [more](Watchdog::on_slow).
///
/// While the loop sleeps, so does the watchdog. Time is the system's, also where the loop has a manual clock: a poll that
/// hangs does so in real time.
///
/// # The stack
/// A report has no stack of the loop's thread, because none can be taken soundly from inside of the process. While the
/// loop is held, a debugger has it, with the numbers of the process and of the report's [`thread`](SlowPoll::thread):
/// `gdb -p PID --batch -ex "thread find THREAD" -ex "thread apply all backtrace"`; and where a thread computes instead of
/// waiting, a profiler says where: `perf record -t THREAD --call-graph dwarf sleep 1`, then `perf report`.
///
/// # Examples
/// A task blocks the loop until it has been found out:
/// ```
/// use evloop_runtime::observe::{Holder, Watchdog};
/// use evloop_runtime::{Runtime, TaskBuilder};
/// use std::{sync::mpsc, time::Duration};
///
/// let (reporter, reports) = mpsc::channel();
/// let watchdog = Watchdog::new(Duration::from_millis(20)).on_slow(move |slow| drop(reporter.send(slow.clone())));
/// let runtime = Runtime::builder().watchdog(watchdog).build()?;
/// let thoughtless = async move { reports.recv() };
/// let found = runtime.block_on(async { TaskBuilder::new().name("thoughtless").spawn(thoughtless).await });
/// let slow = found.unwrap().unwrap();
/// assert!(!slow.over && slow.held >= Duration::from_millis(20));
/// assert!(matches!(slow.holder, Holder::Task { name: Some(name), .. } if &*name == "thoughtless"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a watchdog watches nothing until a loop is built with it"]
pub struct Watchdog {
    slow: Duration,
    per_minute_max: u32,
    on_slow: Option<OnSlow>,
}

impl Watchdog {
    /// One that reports what takes so long, and at least a millisecond.
    pub fn new(slow: Duration) -> Watchdog {
        Watchdog { slow: slow.max(SLOW_MIN), per_minute_max: 10, on_slow: None }
    }

    /// Calls `on_slow` with each report, on the watchdog's thread, after it was logged. It must not wait for the loop, which
    /// waits for the watchdog when it ends.
    pub fn on_slow(mut self, on_slow: impl Fn(&SlowPoll) + Send + 'static) -> Watchdog {
        self.on_slow = Some(Box::new(on_slow));
        self
    }

    /// So many stretches are reported in a minute, 10 unless it is said; those past it are counted, and the next report
    /// tells their number.
    pub fn per_minute_max(mut self, stretches: u32) -> Watchdog {
        self.per_minute_max = stretches;
        self
    }

    /// Begins to watch the loop of this thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn watch(self, board: &Arc<Board>) -> io::Result<Watch> {
        let lookout = Arc::new(Lookout::new());
        let watcher = Watcher {
            judge: Judge::new(self.slow, self.per_minute_max),
            lookout: Arc::clone(&lookout),
            board: Arc::clone(board),
            thread: Thread::new(rustix::thread::gettid()),
            on_slow: self.on_slow,
            found: None,
            number: 0,
        };
        let builder = std::thread::Builder::new().name("evloop-watchdog".to_owned());
        let thread = builder.spawn(move || watcher.watch())?;
        Ok(Watch { lookout, thread: Cell::new(Some(thread)) })
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog")
            .field("slow", &self.slow)
            .field("per_minute_max", &self.per_minute_max)
            .finish_non_exhaustive()
    }
}

/// The loop's half of its watchdog.
pub(crate) struct Watch {
    lookout: Arc<Lookout>,
    /// Until it has ended.
    thread: Cell<Option<JoinHandle<()>>>,
}

impl Watch {
    pub(crate) fn lookout(&self) -> &Arc<Lookout> {
        &self.lookout
    }

    /// A run begins; when what comes back is dropped, it is over.
    pub(crate) fn begin_run(&self) -> Run<'_> {
        self.lookout.goes_on();
        Run(&self.lookout)
    }

    /// Ends the watchdog, and waits for it.
    pub(crate) fn end(&self) {
        self.lookout.end();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the watchdog panicked");
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("lookout", &self.lookout).finish_non_exhaustive()
    }
}

/// A run of a loop that is watched.
#[must_use = "dropping it ends the run"]
pub(crate) struct Run<'a>(&'a Lookout);

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.0.sleeps();
    }
}

/// The watchdog's own half.
struct Watcher {
    judge: Judge,
    lookout: Arc<Lookout>,
    board: Arc<Board>,
    thread: Thread,
    on_slow: Option<OnSlow>,
    /// The last report of the stretch under way.
    found: Option<SlowPoll>,
    number: u64,
}

impl Watcher {
    fn watch(mut self) {
        self.lookout.begin_to_watch();
        loop {
            let beat = match self.lookout.standing() {
                Standing::Awake => Some(self.board.beat()),
                Standing::Asleep | Standing::Parked => None,
                Standing::Ended => break,
            };
            self.look(beat);
            if beat.is_none() && self.lookout.try_park() {
                // Awake, and not to park again before the next look: a loop that sleeps in each turn would unpark each time.
                self.judge.begin_anew(Instant::now());
            }
            self.lookout.pause(self.judge.pause());
        }
        self.look(None);
        match self.judge.untold() {
            0 => {}
            1 => log::warn!(target: TARGET, "the loop was held once more than was reported"),
            others => log::warn!(target: TARGET, "the loop was held {others} times more than was reported"),
        }
    }

    fn look(&mut self, beat: Option<Beat>) {
        match self.judge.look(Instant::now(), beat, self.thread.times()) {
            Verdict::Fine => {}
            Verdict::Held { ran } => {
                if let Some(beat) = beat {
                    self.find(beat, ran);
                }
            }
            Verdict::Over => {
                if let (Some(told), Some(found)) = (self.judge.tell_end(), self.found.take()) {
                    self.report(&SlowPoll { over: true, held: told.held, on_cpu: told.on_cpu, unreported: 0, ..found });
                }
            }
        }
    }

    /// The loop is held: looks by whom, and reports it if that has not changed meanwhile.
    fn find(&mut self, beat: Beat, ran: bool) {
        let state = self.thread.state();
        if !ran && state == ThreadState::Runs {
            return; // it would run if it were let
        }
        let note = self.lookout.read_note(beat.polls).filter(|_| matches!(beat.at, At::Task(_)));
        let holder = self.holder(beat.at);
        let holds_still = self.lookout.standing() == Standing::Awake && self.board.beat() == beat;
        let (true, Some(holder)) = (holds_still, holder) else { return };
        let Some(Told { held, on_cpu, untold }) = self.judge.tell(Instant::now()) else { return };
        if self.found.is_none() {
            self.number += 1;
        }
        let found = SlowPoll {
            number: self.number,
            over: false,
            held,
            on_cpu,
            holder,
            doing: note.map(|text| String::from_utf8_lossy(&text).into_owned()),
            state,
            thread: self.thread.id.as_raw_nonzero().get(),
            unreported: untold,
        };
        self.report(&found);
        self.found = Some(found);
    }

    fn holder(&self, at: At) -> Option<Holder> {
        match at {
            At::Phase(phase) => Some(Holder::Phase(phase)),
            At::Task(Key::NONE) => Some(Holder::Root),
            At::Task(key) => {
                let called = self.lookout.called(key)?;
                Some(Holder::Task { key, name: called.name, spawned_at: called.spawned_at })
            }
        }
    }

    fn report(&self, slow: &SlowPoll) {
        log::warn!(target: TARGET, "{slow}");
        if let Some(on_slow) = &self.on_slow
            && catch_unwind(AssertUnwindSafe(|| on_slow(slow))).is_err()
        {
            log::error!("who is told of slow polls panicked");
        }
    }
}
