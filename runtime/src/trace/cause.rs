//! Why a task became runnable.

use crate::arena::Key;

/// Why a task became runnable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Cause {
    /// It was just spawned.
    #[default]
    Spawn,
    /// Another task woke it, or it woke itself.
    Task(Key),
    /// A source became ready.
    Io,
    /// A deadline passed.
    Timer,
    /// A wake or a call came from another thread: the pool, a handle, a channel.
    Mail,
    /// Code that runs between polls woke it: the caller of `block_on`, or of a turn.
    Outside,
}

impl Cause {
    /// The task, if one is the cause, or [`Key::NONE`].
    pub(crate) fn task(self) -> Key {
        if let Cause::Task(key) = self { key } else { Key::NONE }
    }
}

/// A [`Cause`] in one word, as every wake and every poll writes it down: the key of a task, or the place of another cause as the
/// stamp of the place that no key but [`Key::NONE`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Why(pub(super) Key);

impl Default for Why {
    fn default() -> Why {
        Why::SPAWN
    }
}

impl Why {
    pub(crate) const SPAWN: Why = Why::other(0);
    pub(crate) const IO: Why = Why::other(2);
    pub(crate) const TIMER: Why = Why::other(3);
    pub(crate) const MAIL: Why = Why::other(4);
    pub(crate) const OUTSIDE: Why = Why::other(5);
    /// Of who has not been woken.
    pub(crate) const NEVER: Why = Why::other(6);

    /// That task, or with [`Key::NONE`] the future of `block_on`.
    #[inline]
    pub(crate) const fn task(key: Key) -> Why {
        Why(key)
    }

    const fn other(place: u32) -> Why {
        Why(Key::new(Key::NONE.index(), place))
    }

    #[inline]
    pub(super) fn is_task(self) -> bool {
        self.0.index() != Key::NONE.index() || self.is_root()
    }

    #[cold]
    fn is_root(self) -> bool {
        self.0 == Key::NONE
    }

    #[inline]
    pub(crate) fn cause(self) -> Cause {
        match self {
            _ if self.is_task() => Cause::Task(self.0),
            Why::SPAWN => Cause::Spawn,
            Why::IO => Cause::Io,
            Why::TIMER => Cause::Timer,
            Why::MAIL => Cause::Mail,
            _ => Cause::Outside,
        }
    }

    /// Its place among the causes, from 0: that of a task is 1.
    #[inline]
    pub(crate) fn place(self) -> usize {
        if self.is_task() { 1 } else { self.0.stamp() as usize }
    }
}
