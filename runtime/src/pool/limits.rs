//! How much of a pool each class of jobs may have.

use crate::trace::JobClass;
use std::ffi::OsStr;
use std::time::Duration;
use std::{env, io};

/// How large a pool may grow.
///
/// Unless it is said otherwise, the bounds of the classes add up to the threads of the pool: an eighth is for names, a quarter
/// for files, the rest for all else, and one at least for each. So no class ever waits for another, whatever hangs, as long as
/// there are three threads. Bounds that add up to more make classes share threads, and then they may wait for each other.
///
/// # Examples
/// ```
/// use evloop_runtime::engine::{JobClass, PoolLimits};
///
/// let limits = PoolLimits { threads_max: 16, names_max: Some(4), ..PoolLimits::default() };
/// assert_eq!(JobClass::ALL.map(|class| limits.class_max(class)), [8, 4, 4]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Threads at most. The default is 64: 40 for general jobs, as many as Starlette gives to handlers that block; 16 for
    /// files, four times the whole pool of libuv; 8 for names, four times what libuv has for them. A thread is started
    /// only when there is something for it to do, so what is not needed costs nothing.
    pub threads_max: usize,
    /// Jobs of each class that wait at most; past it, whoever submits waits. The default is 1,024: room
    /// for a burst, and no memory that grows with the load.
    pub queued_max: usize,
    /// How long a thread idles before it ends. The default is 10 seconds.
    pub idle: Duration,
    /// Threads that general jobs occupy at most. `None`, the default, is what files and names leave.
    pub general_max: Option<usize>,
    /// Threads that files occupy at most. `None`, the default, is a quarter of all.
    pub files_max: Option<usize>,
    /// Threads that names occupy at most. `None`, the default, is an eighth of all.
    pub names_max: Option<usize>,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits {
            threads_max: 64,
            queued_max: 1_024,
            idle: Duration::from_secs(10),
            general_max: None,
            files_max: None,
            names_max: None,
        }
    }
}

/// Where the environment says how many threads a pool may have, as `UV_THREADPOOL_SIZE` does for libuv.
const THREADS_VARIABLE: &str = "EVLOOP_POOL_THREADS";

/// No more can be asked for by the environment; libuv has the same bound.
const THREADS_OF_ENVIRONMENT_MAX: usize = 1_024;

impl PoolLimits {
    /// The default limits, with as many threads as `EVLOOP_POOL_THREADS` says, if it is set: 1 to 1,024.
    ///
    /// # Errors
    /// When the variable is set to anything else.
    pub fn from_environment() -> io::Result<PoolLimits> {
        env::var_os(THREADS_VARIABLE).map_or(Ok(PoolLimits::default()), |value| PoolLimits::from_text(&value))
    }

    fn from_text(value: &OsStr) -> io::Result<PoolLimits> {
        let text = value.to_string_lossy();
        match text.parse() {
            Ok(threads_max @ 1..=THREADS_OF_ENVIRONMENT_MAX) => Ok(PoolLimits { threads_max, ..PoolLimits::default() }),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{THREADS_VARIABLE} is {text:?}, and not a number from 1 to {THREADS_OF_ENVIRONMENT_MAX}"),
            )),
        }
    }

    /// Threads that jobs of the class occupy at most: what was said, or the class' share; never more than there are.
    #[must_use]
    pub fn class_max(&self, class: JobClass) -> usize {
        let (files, names) = ((self.threads_max / 4).max(1), (self.threads_max / 8).max(1));
        let max = match class {
            JobClass::General => {
                let left = self.threads_max.saturating_sub(self.files_max.unwrap_or(files));
                let left = left.saturating_sub(self.names_max.unwrap_or(names));
                self.general_max.unwrap_or(left.max(1))
            }
            JobClass::Files => self.files_max.unwrap_or(files),
            JobClass::Names => self.names_max.unwrap_or(names),
        };
        max.min(self.threads_max)
    }

    /// Whether something can get done within them.
    ///
    /// # Errors
    /// When there may be no threads, also for one class, or when nothing may wait.
    pub fn check(&self) -> io::Result<()> {
        if self.queued_max > 0 && JobClass::ALL.iter().all(|class| self.class_max(*class) > 0) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a pool needs a thread for each class and a place in its queue",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(threads_max: usize) -> [usize; 3] {
        let limits = PoolLimits { threads_max, ..PoolLimits::default() };
        JobClass::ALL.map(|class| limits.class_max(class))
    }

    #[test]
    fn shares_of_the_classes_add_up_to_the_threads() {
        assert_eq!(shares(64), [40, 16, 8]);
        assert_eq!(shares(4), [2, 1, 1]);
        for threads in 3..200 {
            assert_eq!(shares(threads).iter().sum::<usize>(), threads);
        }
    }

    #[test]
    fn each_class_has_a_thread_where_there_are_too_few_to_share_out() {
        assert_eq!(shares(2), [1, 1, 1]);
        assert_eq!(shares(1), [1, 1, 1]);
        assert_eq!(shares(0), [0, 0, 0]);
    }

    #[test]
    fn general_jobs_have_what_the_bounds_of_the_others_leave() {
        let limits = PoolLimits { threads_max: 8, files_max: Some(100), names_max: Some(2), ..PoolLimits::default() };
        assert_eq!(JobClass::ALL.map(|class| limits.class_max(class)), [1, 8, 2]);
    }

    #[test]
    fn limits_within_which_nothing_gets_done_are_refused() {
        let fine = PoolLimits::default();
        assert!(fine.check().is_ok());
        for limits in [
            PoolLimits { threads_max: 0, ..fine },
            PoolLimits { queued_max: 0, ..fine },
            PoolLimits { general_max: Some(0), ..fine },
            PoolLimits { files_max: Some(0), ..fine },
            PoolLimits { names_max: Some(0), ..fine },
        ] {
            assert_eq!(limits.check().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn environment_gives_a_number_within_bounds_or_an_error_that_tells_it() {
        let threads = |text: &str| PoolLimits::from_text(OsStr::new(text)).map(|limits| limits.threads_max);
        assert_eq!((threads("1").unwrap(), threads("1024").unwrap()), (1, 1_024));
        for bad in ["", "0", "1025", "-1", "4 ", "four", "99999999999999999999"] {
            let error = threads(bad).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("EVLOOP_POOL_THREADS is {bad:?}, and not a number from 1 to 1024"));
        }
    }
}
