//! Whether this process was forked off after something was made in it.
//!
//! A loop does not survive a fork: parent and child would share its epoll instance, and what the one registers or removes
//! the other would miss. The kernel can be asked who we are (`getpid`), but that is a system call a turn; so the C library
//! is asked, once, to count.

#![allow(unsafe_code, reason = "no crate registers a handler with `pthread_atfork`")]

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many forks lie between the start of the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

static REGISTERED: Once = Once::new();

/// A place in the line of forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u32);

impl Generation {
    /// That of this process.
    ///
    /// # Panics
    /// When there is no memory for the handler that counts.
    pub(crate) fn current() -> Generation {
        // Miri knows no handlers of forks, and no forks.
        let register = || {
            // SAFETY: the handler takes no arguments, as the call wants it, and lives as long as the process. In a child it
            // runs on its one thread before `fork` returns there, where only what is async-signal-safe may be done: it adds
            // to an atomic number, which takes no lock and no memory. No handler is given for the parent's side.
            let status = unsafe { libc::pthread_atfork(None, None, Some(count)) };
            assert!(status == 0, "there is memory for one more handler of forks");
        };
        if !cfg!(miri) {
            REGISTERED.call_once(register);
        }
        Generation(FORKS.load(Relaxed))
    }

    /// Whether this process was forked off since.
    #[inline]
    pub(crate) fn is_past(self) -> bool {
        self.0 != FORKS.load(Relaxed)
    }
}

extern "C" fn count() {
    FORKS.fetch_add(1, Relaxed);
}
