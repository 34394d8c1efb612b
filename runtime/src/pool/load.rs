//! A pool in numbers.

use super::JobClass;

/// How busy a pool is, and what it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLoad {
    /// Threads there are.
    pub threads: usize,
    /// Those of them that have nothing to do.
    pub idle: usize,
    /// Whatever the program brings.
    pub general: ClassLoad,
    /// Files.
    pub files: ClassLoad,
    /// Names.
    pub names: ClassLoad,
}

/// The part of one class in a [`PoolLoad`].
///
/// What was submitted is queued, running, finished or cancelled. A job counts as running until its thread is free again, which
/// is a moment after its result was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassLoad {
    /// Jobs under way.
    pub running: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
    /// The most that have ever waited for a thread at once.
    pub queued_peak: usize,
    /// Those who found the queue full, and wait for a place in it.
    pub waiting: usize,
    /// Jobs that the queue took, since the pool was made.
    pub submitted: u64,
    /// Jobs that ran to their end, or panicked.
    pub finished: u64,
    /// Jobs that were taken back, or dropped when the pool was closed, before they began.
    pub cancelled: u64,
}

impl PoolLoad {
    /// The part of one class.
    #[must_use]
    pub fn class(&self, class: JobClass) -> ClassLoad {
        match class {
            JobClass::General => self.general,
            JobClass::Files => self.files,
            JobClass::Names => self.names,
        }
    }

    /// All classes together; the peak is that of the longest queue.
    #[must_use]
    pub fn total(&self) -> ClassLoad {
        JobClass::ALL.iter().fold(ClassLoad::default(), |sum, class| {
            let class = self.class(*class);
            ClassLoad {
                running: sum.running + class.running,
                queued: sum.queued + class.queued,
                queued_peak: sum.queued_peak.max(class.queued_peak),
                waiting: sum.waiting + class.waiting,
                submitted: sum.submitted + class.submitted,
                finished: sum.finished + class.finished,
                cancelled: sum.cancelled + class.cancelled,
            }
        })
    }
}
