//! Hooks: calls that the turn makes at fixed places, in the order in which they were added.
//!
//! The engine keeps them and says whose turn it is; the loop makes the calls, for they are code of the user's. A hook that
//! is added while those of its phase are called waits for the next turn, one that is removed is not called any more:
//! libuv's rules for `uv_idle_t`, `uv_prepare_t` and `uv_check_t`. Other than there, they are called first added first.

use crate::trace::Phase;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound::{Excluded, Included};
use std::panic::Location;
use std::rc::Rc;

/// What is called; shared, since it may remove itself while it runs.
pub(crate) type Call = Rc<RefCell<dyn FnMut()>>;

/// All hooks of one loop.
#[derive(Default)]
pub(crate) struct Hooks {
    /// By number, and the number is that of its coming.
    added: BTreeMap<u64, Hook>,
    last: u64,
    /// How many each phase has, so that a phase without any costs no search.
    of_phase: [usize; Phase::ALL.len()],
    referenced: usize,
}

struct Hook {
    phase: Phase,
    call: Call,
    referenced: bool,
    made_at: &'static Location<'static>,
}

/// A pass over the hooks of a phase, which may change meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    phase: Phase,
    called: u64,
    last: u64,
    /// So many are still to be called, or fewer where some are removed meanwhile.
    left: usize,
}

impl Hooks {
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty()
    }

    /// Whether the loop must not block, because an idle hook wants the next turn.
    pub(crate) fn wants_turns(&self) -> bool {
        self.of_phase[Phase::Idle as usize] > 0
    }

    /// How many of them keep the loop alive.
    pub(crate) fn referenced(&self) -> usize {
        self.referenced
    }

    /// Adds a hook, which counts, and names it.
    pub(crate) fn add(&mut self, phase: Phase, call: Call, made_at: &'static Location<'static>) -> u64 {
        self.last += 1;
        self.added.insert(self.last, Hook { phase, call, referenced: true, made_at });
        self.of_phase[phase as usize] += 1;
        self.referenced += 1;
        self.last
    }

    /// Removes a hook; what it called comes back, for the caller to drop.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Call> {
        let hook = self.added.remove(&number)?;
        self.of_phase[hook.phase as usize] -= 1;
        self.referenced -= usize::from(hook.referenced);
        Some(hook.call)
    }

    pub(crate) fn set_referenced(&mut self, number: u64, referenced: bool) {
        if let Some(hook) = self.added.get_mut(&number)
            && std::mem::replace(&mut hook.referenced, referenced) != referenced
        {
            self.referenced = if referenced { self.referenced + 1 } else { self.referenced - 1 };
        }
    }

    /// A pass over the hooks that a phase has now.
    pub(crate) fn pass(&self, phase: Phase) -> Pass {
        Pass { phase, called: 0, last: self.last, left: self.of_phase[phase as usize] }
    }

    /// The next call of a pass.
    pub(crate) fn next(&self, pass: &mut Pass) -> Option<Call> {
        pass.left = pass.left.checked_sub(1)?;
        let behind = (Excluded(pass.called), Included(pass.last));
        let (number, hook) = self.added.range(behind).find(|(_, hook)| hook.phase == pass.phase)?;
        pass.called = *number;
        Some(Rc::clone(&hook.call))
    }

    /// Each of them: its phase, whether it counts, and where it was added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Phase, bool, &'static Location<'static>)> {
        self.added.values().map(|hook| (hook.phase, hook.referenced, hook.made_at))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("added", &self.added.len())
            .field("referenced", &self.referenced)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Rc::new(RefCell::new(|| ()))
    }

    fn add(hooks: &mut Hooks, phase: Phase) -> u64 {
        hooks.add(phase, call(), Location::caller())
    }

    #[test]
    fn pass_takes_those_of_its_phase_that_were_there_when_it_began_and_still_are() {
        let mut hooks = Hooks::default();
        let first = add(&mut hooks, Phase::Check);
        add(&mut hooks, Phase::Prepare);
        let second = add(&mut hooks, Phase::Check);
        let third = add(&mut hooks, Phase::Check);
        let mut pass = hooks.pass(Phase::Check);
        let mut called = Vec::new();
        while hooks.next(&mut pass).is_some() {
            called.push(pass.called);
            hooks.remove(second);
            add(&mut hooks, Phase::Check);
        }
        assert_eq!(called, [first, third]);
    }

    #[test]
    fn pass_has_as_many_left_as_its_phase_has_hooks_and_ends_with_them() {
        let mut hooks = Hooks::default();
        let [idle, first, second] = [Phase::Idle, Phase::Check, Phase::Check].map(|phase| add(&mut hooks, phase));
        let left = |hooks: &Hooks| [Phase::Idle, Phase::Prepare, Phase::Check].map(|phase| hooks.pass(phase).left);
        assert_eq!(left(&hooks), [1, 0, 2]);
        hooks.remove(first);
        assert_eq!(left(&hooks), [1, 0, 1]);
        for (phase, only) in [(Phase::Idle, Some(idle)), (Phase::Prepare, None), (Phase::Check, Some(second))] {
            let mut pass = hooks.pass(phase);
            assert_eq!(hooks.next(&mut pass).map(|_| pass.called), only);
            let added = add(&mut hooks, phase);
            assert!(hooks.next(&mut pass).is_none(), "who is added meanwhile waits for the next turn");
            assert_eq!(pass.left, 0);
            hooks.remove(added);
        }
    }

    #[test]
    fn counts_follow_what_is_added_and_removed() {
        let mut hooks = Hooks::default();
        let (idle, check) = (add(&mut hooks, Phase::Idle), add(&mut hooks, Phase::Check));
        assert_eq!((hooks.wants_turns(), hooks.referenced()), (true, 2));
        hooks.set_referenced(check, false);
        hooks.set_referenced(check, false);
        hooks.remove(idle);
        hooks.remove(idle);
        assert_eq!((hooks.wants_turns(), hooks.referenced(), hooks.is_empty()), (false, 0, false));
        hooks.remove(check);
        assert_eq!((hooks.referenced(), hooks.is_empty()), (0, true));
    }
}
