//! The classes of what the pool does.

use std::fmt;

/// What kind of job it is. Each class has a queue of its own and a bound on the threads that it occupies at once.
///
/// libuv has two kinds, and keeps half of its threads free of the slow one (`src/threadpool.c`, `slow_work_thread_threshold`),
/// so that look-ups that hang do not hold files up. A third is for what a program brings itself: nobody knows how long
/// that takes, so it holds up neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobClass {
    /// Whatever the program has done by [`spawn_blocking`](crate::spawn_blocking): the default.
    General,
    /// Calls to the file system.
    Files,
    /// Look-ups of names and addresses, which may take as long as a resolver's time-outs.
    Names,
}

impl JobClass {
    /// All of them.
    pub const ALL: [JobClass; 3] = [JobClass::General, JobClass::Files, JobClass::Names];
}

impl fmt::Display for JobClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JobClass::General => "general work",
            JobClass::Files => "files",
            JobClass::Names => "names",
        })
    }
}
