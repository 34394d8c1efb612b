//! Where a task is played: its future, and then its output in the same place.
//!
//! - **Invariant (pinned).** The future leaves its place only by being dropped there; what is moved out of it is an output.

#![allow(unsafe_code, reason = "the future is pinned where it lies, by the invariant above")]

use super::address::Address;
use super::join::JoinError;
use crate::trace;
use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A stage whose future's type has been forgotten.
pub(super) trait Stage {
    /// Polls the future of the task of that address; `true` when the stage has become the output.
    fn poll(self: Pin<&mut Self>, address: Address) -> bool;

    /// Drops the future, if there is one, and puts the error in its place.
    fn cancel(self: Pin<&mut Self>);

    /// Moves the output into `into`, an `Option` of the task's result; it stays `None` when it was taken before.
    fn take_output(self: Pin<&mut Self>, into: &mut dyn Any);

    /// Drops what is there; a panic while doing so is its own and ends here.
    fn empty(self: Pin<&mut Self>);
}

/// The stage of a task with that future.
pub(super) enum StageOf<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    Empty,
}

impl<F: Future> Stage for StageOf<F>
where
    F::Output: 'static,
{
    fn poll(self: Pin<&mut Self>, address: Address) -> bool {
        let waker = address.waker(); // made where the future is known: so its wakes need not look up whose they are
        trace::set_waker(waker.data());
        let scene = self.scene();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let StageOf::Future(future) = scene else { unreachable!("a task that has ended is not polled") };
            // SAFETY: invariant `pinned`.
            unsafe { Pin::new_unchecked(future) }.poll(&mut Context::from_waker(&waker))
        }));
        match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(output)) => scene.finish(output),
            Err(panic) => scene.fail(JoinError::panicked(panic)),
        }
        true
    }

    fn cancel(self: Pin<&mut Self>) {
        self.scene().fail(JoinError::cancelled());
    }

    fn take_output(self: Pin<&mut Self>, into: &mut dyn Any) {
        let into = into.downcast_mut().expect("a handle asks for the output type that its task was spawned with");
        let scene = self.scene();
        // Looked at before it is moved: a future stays where it is.
        if matches!(scene, StageOf::Output(_))
            && let StageOf::Output(output) = mem::replace(scene, StageOf::Empty)
        {
            *into = Some(output);
        }
    }

    fn empty(self: Pin<&mut Self>) {
        if let Err(panic) = self.scene().clear() {
            log::error!("dropping what a task left behind panicked: {}", JoinError::panicked(panic));
        }
    }
}

impl<F: Future> StageOf<F> {
    pub(super) fn new(future: F) -> StageOf<F> {
        StageOf::Future(future)
    }

    fn scene(self: Pin<&mut Self>) -> &mut StageOf<F> {
        // SAFETY: invariant `pinned`, which the methods of this file keep.
        unsafe { self.get_unchecked_mut() }
    }

    /// Drops the future in its place, then keeps the output. A future that panics while it is dropped has panicked. Out of line,
    /// since what it needs is needed once, and a poll saves no more registers than it must.
    #[inline(never)]
    fn finish(&mut self, output: F::Output) {
        let cleared = self.clear();
        *self = StageOf::Output(match cleared {
            Ok(()) => Ok(output),
            Err(panic) => Err(spoiled(output, panic)),
        });
    }

    /// Drops the future in its place, then keeps the error, or that of the drop.
    #[cold]
    fn fail(&mut self, error: JoinError) {
        let cleared = self.clear();
        *self = StageOf::Output(Err(match cleared {
            Ok(()) => error,
            Err(panic) => spoiled(error, panic),
        }));
    }

    /// Drops what is there in its place, and nothing is there then, whether or not the drop panics.
    fn clear(&mut self) -> Result<(), Box<dyn Any + Send>> {
        catch_unwind(AssertUnwindSafe(|| *self = StageOf::Empty))
    }
}

/// Drops what would have been the outcome of a task, but for that panic; one while doing so ends here.
#[cold]
fn spoiled<T>(outcome: T, panic: Box<dyn Any + Send>) -> JoinError {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(outcome))) {
        log::error!("dropping the output of a task panicked: {}", JoinError::panicked(panic));
    }
    JoinError::panicked(panic)
}
