//! Child processes: start them, talk with them, wait for their end.
//!
//! ```
//! use evloop_runtime::process::Command;
//!
//! evloop_runtime::block_on(async {
//!     let output = Command::new("echo").arg("hello").output().await?;
//!     assert!(output.status.success());
//!     assert_eq!(output.stdout, b"hello\n");
//!     Ok::<(), std::io::Error>(())
//! }).unwrap();
//! ```
//!
//! # How the end is heard of
//! Each child has a descriptor of its own, a pidfd (Linux 5.4), which is readable once the child has ended; then it is
//! waited for, it alone. So there is no handler for `SIGCHLD`, no thread that waits, and no `wait` for whatever child comes:
//! those that other parts of the program have started stay theirs. A signal goes through the descriptor too, and can never
//! reach a stranger who was given the number of a child that is gone.
//!
//! What nobody can mend: where `SIGCHLD` is ignored, or another library waits for all children, a status may be lost.
//! [`Child::wait`] says so then.
//!
//! # Who waits in the end
//! A child that has ended stays in the kernel's table, a zombie, until it is waited for. One whose [`Child`] is dropped is
//! waited for by its loop, in a task that does not keep the loop alive. (To a clock that is moved by hand such a child is a
//! source that is waited for: while it runs, time takes its time.) When the loop ends before the child, its descriptor goes
//! on a list of the process, and whoever starts the next child looks through it, as Python's `subprocess` does. So a zombie is
//! left only by a child that outlives its loop and ends when no other is started any more; it is gone with the process.
//!
//! # Where it is started
//! [`Command::spawn`] starts the child on the thread of the loop, as libuv does, and holds the loop until the child has got
//! as far as `exec`: some half a millisecond. std uses `posix_spawn` where it can, whose cost does not grow with the memory
//! of this process; a [`uid`](Command::uid), a [`gid`](Command::gid) or a `PATH` of the child's own keep it from that. Where
//! it takes too long, a thread of the pool may start the child, and [`Child::from_std`] takes it over. That is not the
//! default for two reasons: an error is told at once, where it was made; and what the kernel ties to the thread that started
//! a child, as its signal on the parent's death (`PR_SET_PDEATHSIG`), comes when that thread ends, and those of the pool do.
//!
//! # What is not here
//! A new session (`setsid`), supplementary groups, resource limits, descriptors under other numbers than the first three,
//! and whatever else is done between `fork` and `exec`: it takes unsafe code, or is not stable in std. For who wants it, there
//! is [`Command::as_std_mut`]; `setsid(1)`, `setpriv(1)`, `prlimit(1)` and a shell's `exec 3<&0` do it from outside. Signals
//! without a name, those of real time, cannot be sent.

mod child;
mod command;
mod communicate;
mod orphan;

pub use crate::pipe::{PipeReader as ChildStderr, PipeReader as ChildStdout, PipeWriter as ChildStdin};
pub use child::{Child, Wait};
pub use command::Command;
pub use communicate::{Communicate, OUTPUT_BYTES_MAX};
pub use std::process::{ExitStatus, Output, Stdio};
