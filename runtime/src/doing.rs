//! What a task says that it does, for the watchdog of its loop.

use crate::board::{Board, Number};
use crate::context;
use crate::lookout::Lookout;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

/// Where a task of this loop says what it does, so that the [watchdog](crate::observe::Watchdog) can say it, too. A server
/// says which request it serves.
///
/// What is said holds for the poll under way. Its first 64 bytes are kept.
///
/// # Examples
/// ```
/// use evloop_runtime::Runtime;
/// use evloop_runtime::observe::{Doing, Watchdog};
/// use std::{sync::mpsc, time::Duration};
///
/// let (reporter, reports) = mpsc::channel();
/// let on_slow = move |slow: &evloop_runtime::observe::SlowPoll| drop(reporter.send(slow.doing.clone()));
/// let watchdog = Watchdog::new(Duration::from_millis(20)).on_slow(on_slow);
/// let runtime = Runtime::builder().watchdog(watchdog).build()?;
/// runtime.block_on(async {
///     let doing = Doing::current().expect("this loop has a watchdog");
///     doing.note(b"reckoning a digest");
///     assert_eq!(doing.noted().as_deref(), Some("reckoning a digest"));
///     assert_eq!(reports.recv().unwrap().as_deref(), Some("reckoning a digest")); // and that blocks the loop
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Doing {
    board: Arc<Board>,
    lookout: Arc<Lookout>,
    /// Only the loop's thread writes.
    _home: PhantomData<Rc<()>>,
}

impl Doing {
    /// That of this thread's loop, if it is watched.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[must_use]
    #[track_caller]
    pub fn current() -> Option<Doing> {
        context::with(|core| {
            let lookout = Arc::clone(core.lookout()?);
            Some(Doing { board: Arc::clone(&core.board), lookout, _home: PhantomData })
        })
    }

    /// Says it: some thirty instructions, and no lock.
    #[inline]
    pub fn note(&self, text: &[u8]) {
        self.lookout.write_note(self.board.get(Number::Polls), text);
    }

    /// What was said last in the poll under way, or in the one that has just ended, for an
    /// [observer](crate::observe::Observer) that is told of it.
    #[must_use]
    pub fn noted(&self) -> Option<String> {
        let text = self.lookout.read_note(self.board.get(Number::Polls))?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}
