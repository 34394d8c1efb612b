//! Time as far as the master has seen it.

use super::fleet::Moment;
use evloop_runtime::time::now;
use std::time::{Duration, Instant};

/// The master looks at the clock so often at least.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// A busy machine may have it look a little later.
const LATE: Duration = Duration::from_millis(500);

/// A clock that stands still while this process does not run.
///
/// A master that is stopped (`SIGSTOP`, Ctrl-Z) hears no worker, and once it goes on it must not take its own silence for
/// theirs. So what passes between two looks counts for no more than it should have been.
#[derive(Debug)]
pub(super) struct Clock {
    last: Instant,
    now: Moment,
}

impl Clock {
    /// Begins at zero.
    ///
    /// # Panics
    /// When this thread is in no loop.
    pub(super) fn new() -> Clock {
        Clock { last: now(), now: Moment::ZERO }
    }

    /// A look at it.
    pub(super) fn look(&mut self) -> Moment {
        let fresh = now();
        self.now += fresh.saturating_duration_since(self.last).min(LOOK + LATE);
        self.last = fresh;
        self.now
    }

    /// The last look.
    pub(super) fn now(&self) -> Moment {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evloop_runtime::{Runtime, time};

    #[test]
    fn time_in_which_the_master_was_stopped_does_not_count() {
        let runtime = Runtime::builder().manual_clock().build().unwrap();
        runtime.enter(|| {
            let mut clock = Clock::new();
            for _ in 0..10 {
                time::advance(Duration::from_millis(300));
                clock.look();
            }
            assert_eq!(clock.now(), Moment::from_secs(3));
            time::advance(Duration::from_secs(3_600));
            assert_eq!(clock.look(), Moment::from_millis(4_500));
        });
    }
}
