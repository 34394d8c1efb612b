//! When a loop counts as held: looks go in, a verdict comes out. No clock and no thread, so that it can be tried by hand.

use super::thread::Times;
use crate::board::Beat;
use std::time::{Duration, Instant};

/// A look comes each fourth part of what is slow: so late, at most, is what a look finds.
const LOOKS_PER_SLOW: u32 = 4;

/// Once a stretch was reported its end is looked for so much more often than it is long.
const LOOKS_PER_STRETCH: u32 = 20;

/// The kernel keeps for how long a thread has run as of its last tick; of its usual rates, 100 a second is the lowest.
const TICK: Duration = Duration::from_millis(10);

const MINUTE: Duration = Duration::from_secs(60);

/// What a look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing to tell.
    Fine,
    /// The same for too long; whether the thread has just run. If not, it waits for something, or for a CPU.
    Held { ran: bool },
    /// A stretch that was reported is over.
    Over,
}

/// What is to be told of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// For how long it has held the loop, as far as the looks tell.
    pub(super) held: Duration,
    /// For how long of that the thread was on a CPU.
    pub(super) on_cpu: Option<Duration>,
    /// How many stretches before it were not told.
    pub(super) untold: u64,
}

#[derive(Debug)]
pub(super) struct Judge {
    slow: Duration,
    per_minute_max: u32,
    /// When the first of this minute's was told, and how many were.
    minute: Option<(Instant, u32)>,
    untold: u64,
    looked: Option<Instant>,
    stretch: Option<Stretch>,
}

/// A time in which the loop has begun nothing.
#[derive(Debug)]
struct Stretch {
    beat: Beat,
    /// Since the look before the first that found it: so long at most.
    held: Duration,
    /// Since that first look, without what may be nobody's fault: so long at least.
    sure: Duration,
    /// Since its thread was last seen to have run.
    quiet: Duration,
    /// To be told at so much.
    due: Duration,
    told: Telling,
    first: Option<Times>,
    last: Option<Times>,
}

#[derive(Debug, PartialEq, Eq)]
enum Telling {
    NotYet,
    Told,
    /// There were too many in this minute.
    Withheld,
}

impl Judge {
    pub(super) fn new(slow: Duration, per_minute_max: u32) -> Judge {
        Judge { slow, per_minute_max, minute: None, untold: 0, looked: None, stretch: None }
    }

    /// How long until the next look.
    pub(super) fn pause(&self) -> Duration {
        let usual = self.slow / LOOKS_PER_SLOW;
        match &self.stretch {
            Some(stretch) if stretch.told != Telling::NotYet => {
                (stretch.held / LOOKS_PER_STRETCH).clamp(usual / LOOKS_PER_SLOW, self.slow)
            }
            _ => usual,
        }
    }

    /// The loop has slept until now.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        self.looked = Some(now);
        self.stretch = None;
    }

    /// Looks: at what the loop has begun last, `None` while it sleeps, and at the times of its thread.
    pub(super) fn look(&mut self, now: Instant, beat: Option<Beat>, times: Option<Times>) -> Verdict {
        let passed = self.looked.replace(now).map_or(Duration::ZERO, |looked| now.saturating_duration_since(looked));
        // One who comes late was stopped, or got no CPU: then so did the loop, perhaps, and nobody is to blame.
        let late = passed > 2 * self.pause();
        let counted = if late { Duration::ZERO } else { passed };
        let Some(stretch) = self.stretch.as_mut().filter(|stretch| Some(stretch.beat) == beat) else {
            let over = self.stretch.as_mut().is_some_and(|stretch| {
                stretch.held += counted;
                stretch.told == Telling::Told
            });
            if over {
                return Verdict::Over; // what came after it is the next look's
            }
            self.stretch = beat.map(|beat| self.stretch_of(beat, counted, times));
            return Verdict::Fine;
        };
        stretch.go_on(passed, late, times);
        if stretch.told == Telling::Withheld || stretch.sure < stretch.due {
            return Verdict::Fine;
        }
        Verdict::Held { ran: stretch.quiet < TICK }
    }

    fn stretch_of(&self, beat: Beat, held: Duration, times: Option<Times>) -> Stretch {
        let (sure, quiet) = (Duration::ZERO, Duration::ZERO);
        Stretch { beat, held, sure, quiet, due: self.slow, told: Telling::NotYet, first: times, last: times }
    }

    /// After [`Verdict::Held`]: what is to be told, unless there was too much to tell in this minute. It is told again when it
    /// has become twice as long.
    pub(super) fn tell(&mut self, now: Instant) -> Option<Told> {
        let stretch = self.stretch.as_mut()?;
        stretch.due = stretch.due.max(stretch.sure) * 2;
        if stretch.told == Telling::NotYet {
            let (began, told) =
                self.minute.filter(|(began, _)| now.saturating_duration_since(*began) < MINUTE).unwrap_or((now, 0));
            if told >= self.per_minute_max {
                stretch.told = Telling::Withheld;
                self.untold += 1;
                return None;
            }
            self.minute = Some((began, told + 1));
            stretch.told = Telling::Told;
        }
        Some(stretch.tell(std::mem::take(&mut self.untold)))
    }

    /// After [`Verdict::Over`]: what is to be told of it for the last time.
    pub(super) fn tell_end(&mut self) -> Option<Told> {
        self.stretch.take().filter(|stretch| stretch.told == Telling::Told).map(|stretch| stretch.tell(0))
    }

    /// How many stretches were not told, for one who will not look again.
    pub(super) fn untold(&self) -> u64 {
        self.untold
    }
}

impl Stretch {
    /// So much later it is still the same.
    ///
    /// Of a time that was looked at late, only that counts for which the thread is known to have run; of others all but that
    /// in which it waited for a CPU. The kernel adds a wait up when it is over: what is more than the time that has passed was
    /// counted before.
    fn go_on(&mut self, passed: Duration, late: bool, times: Option<Times>) {
        let Some((before, now)) = self.last.zip(times) else {
            let counted = if late { Duration::ZERO } else { passed };
            self.held += counted;
            self.sure += counted;
            return;
        };
        self.last = times;
        let ran = now.on_cpu.saturating_sub(before.on_cpu);
        let waited = now.kept_waiting.saturating_sub(before.kept_waiting);
        self.quiet = if ran.is_zero() { self.quiet + passed } else { Duration::ZERO };
        let counted = if late { ran.min(passed) } else { passed };
        self.held += counted;
        let not_to_blame = if late { waited.saturating_sub(passed) } else { waited };
        self.sure = (self.sure + counted).saturating_sub(not_to_blame);
    }

    fn tell(&self, untold: u64) -> Told {
        let on_cpu = self.first.zip(self.last).map(|(first, last)| last.on_cpu.saturating_sub(first.on_cpu));
        Told { held: self.held, on_cpu, untold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Key;
    use crate::board::At;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A judge of a hundred milliseconds, whose clock and whose loop are moved by hand.
    struct Trial {
        judge: Judge,
        now: Instant,
        times: Times,
    }

    const HELD: Verdict = Verdict::Held { ran: true };

    impl Trial {
        fn new(per_minute_max: u32) -> Trial {
            Trial { judge: Judge::new(ms(100), per_minute_max), now: Instant::now(), times: Times::default() }
        }

        /// So much later, in which the thread ran, a look that finds that poll.
        fn after(&mut self, passed: Duration, poll: u64) -> Verdict {
            self.times.on_cpu += passed;
            self.starved(passed, poll)
        }

        /// The same, but that the thread did not run.
        fn starved(&mut self, passed: Duration, poll: u64) -> Verdict {
            self.now += passed;
            let beat = Beat { turns: 1, polls: poll, at: At::Task(Key::new(0, 0)) };
            self.judge.look(self.now, Some(beat), Some(self.times))
        }

        fn asleep(&mut self, passed: Duration) -> Verdict {
            self.now += passed;
            self.judge.look(self.now, None, Some(self.times))
        }

        fn tell(&mut self) -> Option<Duration> {
            self.judge.tell(self.now).map(|told| told.held)
        }

        /// A poll that is slow, and over.
        fn slow_poll(&mut self, poll: u64) -> Option<Told> {
            self.after(ms(25), poll);
            while self.after(ms(25), poll) == Verdict::Fine {}
            let told = self.judge.tell(self.now);
            self.asleep(ms(5));
            self.judge.tell_end();
            told
        }
    }

    #[test]
    fn poll_is_told_when_it_has_surely_been_slow_and_again_at_its_end() {
        let mut trial = Trial::new(10);
        assert_eq!(trial.after(ms(0), 1), Verdict::Fine);
        assert_eq!(trial.after(ms(25), 2), Verdict::Fine);
        for _ in 0..3 {
            assert_eq!(trial.after(ms(25), 2), Verdict::Fine);
        }
        assert_eq!(trial.after(ms(25), 2), HELD);
        assert_eq!(trial.tell(), Some(ms(125)), "it may have begun with the look before it was found");
        assert_eq!(trial.after(ms(5), 2), Verdict::Fine);
        assert_eq!(trial.after(ms(5), 3), Verdict::Over);
        assert_eq!(trial.judge.tell_end().map(|told| told.held), Some(ms(135)));
        assert_eq!(trial.after(ms(25), 3), Verdict::Fine);
    }

    #[test]
    fn loop_that_begins_something_or_sleeps_between_two_looks_is_never_held() {
        let mut trial = Trial::new(10);
        for poll in 0..1_000 {
            assert_eq!(trial.after(ms(25), poll), Verdict::Fine);
        }
        for _ in 0..1_000 {
            assert_eq!(trial.after(ms(25), 7), Verdict::Fine);
            assert_eq!(trial.asleep(ms(25)), Verdict::Fine);
        }
    }

    #[test]
    fn long_stretch_is_told_ever_more_seldom() {
        let mut trial = Trial::new(10);
        let mut told = Vec::new();
        while told.len() < 4 {
            let pause = trial.judge.pause();
            assert!(pause <= ms(100));
            if trial.after(pause, 1) == HELD {
                told.extend(trial.tell());
            }
        }
        assert!(told.windows(2).all(|pair| pair[1] >= 2 * pair[0]), "{told:?}");
    }

    #[test]
    fn time_in_which_the_watchdog_itself_did_not_run_counts_for_nothing() {
        let mut trial = Trial::new(10);
        trial.after(ms(0), 1);
        for _ in 0..1_000 {
            assert_eq!(trial.starved(ms(51), 1), Verdict::Fine);
        }
        for _ in 0..3 {
            assert_eq!(trial.after(ms(25), 1), Verdict::Fine);
        }
        assert_eq!(trial.after(ms(25), 1), HELD);
    }

    #[test]
    fn time_in_which_the_thread_waits_for_a_cpu_counts_for_nothing() {
        let mut trial = Trial::new(10);
        trial.after(ms(0), 1);
        for _ in 0..1_000 {
            trial.times.kept_waiting += ms(20);
            trial.times.on_cpu += ms(5);
            if trial.starved(ms(25), 1) != Verdict::Fine {
                break;
            }
        }
        assert_eq!(trial.times.on_cpu, ms(100), "its own time is counted");
    }

    #[test]
    fn time_in_which_a_watchdog_that_is_late_knows_that_the_thread_ran_is_counted() {
        let mut trial = Trial::new(10);
        trial.after(ms(0), 1);
        trial.times.on_cpu += ms(99);
        assert_eq!(trial.starved(ms(10_000), 1), Verdict::Fine);
        trial.times.on_cpu += ms(1);
        assert_eq!(trial.starved(ms(10_000), 1), HELD);
        assert_eq!(trial.tell(), Some(ms(100)));
    }

    #[test]
    fn wait_for_a_cpu_that_is_known_only_when_it_is_over_is_taken_back() {
        let mut trial = Trial::new(10);
        trial.after(ms(0), 1);
        for _ in 0..3 {
            assert_eq!(trial.starved(ms(25), 1), Verdict::Fine);
        }
        trial.times.kept_waiting += ms(100);
        for _ in 0..4 {
            assert_eq!(trial.after(ms(25), 1), Verdict::Fine);
        }
        assert_eq!(trial.after(ms(25), 1), HELD);
    }

    #[test]
    fn thread_that_did_not_run_is_told_apart_from_one_that_did() {
        let mut trial = Trial::new(10);
        trial.after(ms(0), 1);
        for _ in 0..3 {
            assert_eq!(trial.starved(ms(25), 1), Verdict::Fine);
        }
        assert_eq!(trial.starved(ms(25), 1), Verdict::Held { ran: false });
        assert_eq!(trial.after(ms(25), 1), HELD);
    }

    #[test]
    fn in_a_minute_so_many_are_told_and_the_others_counted() {
        let mut trial = Trial::new(2);
        let told: Vec<bool> = (0..5).map(|poll| trial.slow_poll(poll).is_some()).collect();
        assert_eq!(told, [true, true, false, false, false]);
        assert_eq!(trial.judge.untold(), 3);
        trial.asleep(MINUTE);
        assert_eq!(trial.slow_poll(9).map(|told| told.untold), Some(3));
        assert_eq!(trial.slow_poll(10).map(|told| told.untold), Some(0));
    }
}
