//! A loop as it stands between two polls, for those who draw it.
//!
//! What is taken is a copy: plain data that may travel to another thread, and says nothing of what happens afterwards.
//! [`Metrics`](crate::observe::Metrics) say what a loop has done; this says what it has before it.

use crate::arena::Key;
use crate::clock::Tick;
use crate::core::Core;
use crate::pool::PoolLoad;
use crate::reactor::Source;
use crate::sys::describe::describe;
use crate::trace::{Cause, Phase, Side};
use std::os::fd::RawFd;
use std::panic::Location;
use std::time::Duration;

/// A loop as it stands: see [`turn::view`](crate::turn::view).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct View {
    /// Its time.
    pub clock: ClockView,
    /// The run queue, first to be polled first.
    pub ready: Vec<ReadyView>,
    /// The timer wheel.
    pub wheel: WheelView,
    /// The descriptors that are registered, in the order of their places.
    pub sources: Vec<SourceView>,
    /// The hooks of the turn, in the order in which they were added.
    pub hooks: Vec<HookView>,
    /// The blocking pool.
    pub pool: PoolLoad,
}

/// A loop's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockView {
    /// From when the loop was made until this turn's time.
    pub now: Duration,
    /// Whether it moves by hand.
    pub manual: bool,
}

/// A task in the run queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadyView {
    /// Its key; [`Key::NONE`] is the future of `block_on`.
    pub task: Key,
    /// The name that it was given.
    pub name: Option<String>,
    /// Why it is runnable.
    pub cause: Cause,
}

/// A timer wheel, see [`turn::wheel`](crate::turn::wheel): 8 levels of 64 slots, from level 0, whose slots are ticks, each level 64 times as coarse as the one below.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WheelView {
    /// How many timers each slot holds, as [`Timers::slots`](crate::engine::Timers::slots) counts them.
    pub levels: [[u16; 64]; 8],
    /// The tick up to which deadlines have been looked at: its digits, in base 64, are where the hand is on each level.
    pub elapsed: Tick,
    /// The tick at which the wheel must be looked at next: the next deadline, or when a slot of a higher level is taken apart.
    pub next: Option<Tick>,
    /// Timers that have not fired.
    pub armed: usize,
}

/// A descriptor that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceView {
    /// Its key.
    pub key: Key,
    /// Its number.
    pub fd: RawFd,
    /// The sides that a task waits for.
    pub waiting: Vec<Side>,
    /// The sides that are worth trying, as far as is known.
    pub ready: Vec<Side>,
    /// Whether it keeps the loop alive.
    pub referenced: bool,
    /// Where in the program it was registered.
    pub made_at: &'static Location<'static>,
}

impl SourceView {
    /// What is open under its number, in words: a socket with its addresses, else what the kernel calls it. The kernel is
    /// asked now, so it is true while the descriptor is open.
    #[must_use]
    pub fn describe(&self) -> String {
        describe(self.fd)
    }
}

/// A hook of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookView {
    /// Where in the turn it is called.
    pub phase: Phase,
    /// Whether it keeps the loop alive.
    pub referenced: bool,
    /// Where in the program it was added.
    pub made_at: &'static Location<'static>,
}

impl Core {
    /// The loop as it stands.
    pub(crate) fn view(&self) -> View {
        View {
            clock: ClockView {
                now: self.clock.now().saturating_duration_since(self.clock.instant_of(0)),
                manual: self.clock.is_manual(),
            },
            ready: self.ready_view(),
            wheel: self.wheel_view(),
            sources: self.sources_view(),
            hooks: self.hooks_view(),
            pool: self.pool.load(),
        }
    }

    /// Its timer wheel alone.
    pub(crate) fn wheel_view(&self) -> WheelView {
        let timers = self.timers.borrow();
        WheelView {
            levels: timers.slots(),
            elapsed: timers.elapsed(),
            next: timers.until_next(),
            armed: timers.armed(),
        }
    }

    fn ready_view(&self) -> Vec<ReadyView> {
        let name = |task| self.tasks.info(task).and_then(|info| info.name).map(|name| String::from(&*name));
        let ready = self.tasks.ready().into_iter();
        ready.map(|(task, cause)| ReadyView { task, name: name(task), cause }).collect()
    }

    fn sources_view(&self) -> Vec<SourceView> {
        let reactor = self.reactor.borrow();
        let view = |(key, source): (Key, &Source)| SourceView {
            key,
            fd: source.fd(),
            waiting: source.waiting(),
            ready: source.ready(),
            referenced: source.is_referenced(),
            made_at: source.made_at(),
        };
        reactor.walk().map(view).collect()
    }

    fn hooks_view(&self) -> Vec<HookView> {
        let hooks = self.hooks.borrow();
        hooks.iter().map(|(phase, referenced, made_at)| HookView { phase, referenced, made_at }).collect()
    }
}
