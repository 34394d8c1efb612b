//! Which signal is the second one: the same rule for a server without workers and for a master.
//!
//! The first of those that end a server has it finish what has begun, a second one ends it at once. Who forwards a signal to a
//! process and then to its group, as timeout(1) does, sends it twice within a moment, and means it once.

use evloop_runtime::signal::SignalKind;
use std::time::Duration;

/// The same signal again in less time is no second one.
const DOUBLED: Duration = Duration::from_millis(200);

/// The status of a process that was told twice: 128 and the number of `SIGINT`, as shells have it.
pub(super) const ENDED_BY_SECOND: u8 = 130;

/// What a signal means after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Finish what has begun.
    First,
    /// Nothing: it is the first one over again.
    Doubled,
    /// End at once.
    Second,
}

/// The first signal that said to end, once there was one.
#[derive(Debug, Default)]
pub(super) struct Told(Option<(Duration, SignalKind)>);

impl Told {
    /// What a signal that ends a server means. `now` is a time since whatever beginning, the same for each.
    pub(super) fn hear(&mut self, signal: SignalKind, now: Duration) -> Meaning {
        match self.0 {
            None => {
                self.0 = Some((now, signal));
                Meaning::First
            }
            Some((since, first)) if first == signal && now.saturating_sub(since) < DOUBLED => Meaning::Doubled,
            Some(_) => Meaning::Second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERRUPT: SignalKind = SignalKind::INTERRUPT;
    const TERMINATE: SignalKind = SignalKind::TERMINATE;

    fn means(told: &mut Told, signal: SignalKind, millis: u64) -> Meaning {
        told.hear(signal, Duration::from_millis(millis))
    }

    #[test]
    fn same_signal_within_a_moment_is_the_first_over_again() {
        let mut told = Told::default();
        assert_eq!(means(&mut told, TERMINATE, 1_000), Meaning::First);
        assert_eq!(means(&mut told, TERMINATE, 1_000), Meaning::Doubled);
        assert_eq!(means(&mut told, TERMINATE, 1_199), Meaning::Doubled);
        assert_eq!(means(&mut told, TERMINATE, 1_200), Meaning::Second, "who repeats it a moment later means it");
    }

    #[test]
    fn another_signal_is_the_second_at_once() {
        let mut told = Told::default();
        assert_eq!(means(&mut told, TERMINATE, 0), Meaning::First);
        assert_eq!(means(&mut told, INTERRUPT, 0), Meaning::Second);
    }
}
