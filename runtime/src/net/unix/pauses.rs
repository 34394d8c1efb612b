//! Trying again where the kernel tells nobody when there is room.

use crate::time::{Sleep, sleep};
use std::time::Duration;

/// How long the first pause is. Each one after is twice as long.
const FIRST: Duration = Duration::from_millis(1);

/// And how long it is at most.
const MAX: Duration = Duration::from_millis(64);

/// The pauses between one attempt and the next.
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) fn new() -> Pauses {
        Pauses { next: FIRST }
    }

    pub(super) fn next(&mut self) -> Sleep {
        let pause = sleep(self.next);
        self.next = MAX.min(self.next * 2);
        pause
    }
}
