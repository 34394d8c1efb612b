//! The way to a loop from other threads.

use super::super::home::Home;

/// The way to a loop's tasks from any thread.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    home: Home,
}

impl Door {
    pub(super) fn new(home: Home) -> Door {
        Door { home }
    }

    /// Has `call` called on the loop's thread, between polls, in the order in which calls and wakes are posted.
    ///
    /// # Errors
    /// `call` comes back when the loop has ended.
    pub fn post<C: FnOnce() + Send + 'static>(&self, call: C) -> Result<(), Box<dyn FnOnce() + Send>> {
        self.home.post_call(Box::new(call))
    }

    /// Whether the loop still runs, or could be run again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.home.is_open()
    }
}
