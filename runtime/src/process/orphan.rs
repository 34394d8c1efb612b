//! Children whose owner has gone: somebody waits for them all the same, so that they leave no zombie.

use super::child::{Pidfd, poll_end};
use crate::sys::pidfd;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Children that have outlived the loop which waited for them.
static LEFT: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Has the loop of that child wait for it, without being kept alive by it.
#[track_caller]
pub(super) fn leave(pidfd: Pidfd) {
    if is_over(pidfd.get()) {
        return;
    }
    pidfd.set_referenced(false);
    let core = Rc::clone(pidfd.core());
    let task = core.tasks.spawn_from(Location::caller(), Some(Rc::from("orphan")), Orphan(Some(pidfd)));
    task.set_referenced(false);
}

/// Waits for those that have outlived their loops, as far as they have ended.
pub(super) fn reap_left() {
    left().retain(|pidfd| !is_over(pidfd));
}

/// Whether nothing is left to wait for: it has ended, or somebody else has taken its status.
fn is_over(pidfd: impl AsFd) -> bool {
    !matches!(pidfd::try_wait(pidfd), Ok(None))
}

fn left() -> MutexGuard<'static, Vec<OwnedFd>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner) // a list of descriptors is whole at any time
}

/// The wait for a child that nobody else waits for. Dropped with its loop, it leaves the child to the process.
struct Orphan(Option<Pidfd>);

impl Future for Orphan {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let over = self.0.as_ref().is_none_or(|pidfd| poll_end(pidfd, cx).is_ready());
        if over {
            self.0 = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let Some(pidfd) = self.0.take() else { return };
        match pidfd.into_inner() {
            Ok(source) if is_over(&source) => {}
            Ok(source) => left().push(source.0),
            Err(error) => log::warn!("cannot wait for a child: {error}"),
        }
    }
}
