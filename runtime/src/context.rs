//! Which loop this thread is in: how `spawn` and `sleep` find it without being told.

use crate::core::Core;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};

thread_local! {
    /// The loop whose turn is under way on this thread. Nothing is left to drop when the thread ends, since who enters leaves: so
    /// the thread need not be asked whether it has ended.
    static CURRENT: Cell<ManuallyDrop<Option<Rc<Core>>>> = const { Cell::new(ManuallyDrop::new(None)) };

    /// All loops of this thread, also those whose turn it is not: a socket may be dropped between two runs of its loop.
    static LOOPS: RefCell<Vec<Weak<Core>>> = const { RefCell::new(Vec::new()) };

    static NEXT_ID: Cell<u32> = const { Cell::new(0) };
}

/// The text for those who need a loop where there is none.
const NO_LOOP: &str =
    "there is no event loop on this thread: call this from inside `evloop::run`, `Runtime::block_on` or a task";

/// The id for the next loop of this thread.
pub(crate) fn next_id() -> u32 {
    let id = NEXT_ID.get();
    NEXT_ID.set(id.checked_add(1).expect("a thread makes fewer than 2^32 loops"));
    id
}

/// Makes a loop known to its thread.
pub(crate) fn register(core: &Rc<Core>) {
    LOOPS.with(|loops| loops.borrow_mut().push(Rc::downgrade(core)));
}

/// Forgets a loop.
pub(crate) fn forget(id: u32) {
    let is_another = |core: &Weak<Core>| core.upgrade().is_some_and(|core| core.id != id);
    // A thread that has ended so far that the list is gone, needs nobody to be forgotten.
    let _gone = LOOPS.try_with(|loops| loops.borrow_mut().retain(is_another));
}

/// Runs `inside` with `core` as the thread's loop. Inside of another loop's run, that one is current again afterwards.
pub(crate) fn enter<R>(core: &Rc<Core>, inside: impl FnOnce() -> R) -> R {
    struct Leave(Option<Rc<Core>>);
    impl Drop for Leave {
        fn drop(&mut self) {
            drop(replace(self.0.take()));
        }
    }
    let _leave = Leave(replace(Some(Rc::clone(core))));
    core.tasks.enter(inside)
}

/// Whether a loop's turn is under way on this thread.
pub(crate) fn is_entered() -> bool {
    entered().is_some()
}

fn replace(core: Option<Rc<Core>>) -> Option<Rc<Core>> {
    ManuallyDrop::into_inner(CURRENT.replace(ManuallyDrop::new(core)))
}

/// The thread's loop, if there is one.
#[inline]
fn entered() -> Option<Rc<Core>> {
    let current = CURRENT.take();
    let core = Option::clone(&current);
    CURRENT.set(current);
    core
}

/// The thread's loop.
///
/// # Panics
/// When there is none.
#[inline]
#[track_caller]
pub(crate) fn current() -> Rc<Core> {
    match entered() {
        Some(core) => core,
        None => panic!("{NO_LOOP}"),
    }
}

/// Lends the thread's loop.
///
/// # Panics
/// When there is none.
#[inline]
#[track_caller]
pub(crate) fn with<R>(look: impl FnOnce(&Core) -> R) -> R {
    look(&current())
}

/// Lends this thread's loop of that id, entered or not; `None` when it has ended.
#[inline]
pub(crate) fn with_id<R>(id: u32, look: impl FnOnce(&Core) -> R) -> Option<R> {
    match entered() {
        Some(core) if core.id == id => Some(look(&core)),
        _ => with_other(id, look),
    }
}

#[cold]
fn with_other<R>(id: u32, look: impl FnOnce(&Core) -> R) -> Option<R> {
    let core =
        LOOPS.try_with(|loops| loops.borrow().iter().find_map(|core| core.upgrade().filter(|core| core.id == id)));
    core.ok().flatten().map(|core| look(&core))
}
