//! Processes of the race: each on its core, and none outlives the harness.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// A process of the race. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Tied(Child);

/// A command that runs `command` on a core and ends it with this process, by way of `tied`: the order to the kernel
/// outlives the `exec`, so it holds for programs that know nothing of it, and costs the contestant no thread that waits for
/// the end of its input. A second thread would make locks and counts of descriptors dearer in the process that is measured.
///
/// # Errors
///
/// When this program cannot tell where it lies.
pub(crate) fn tie(core: usize, command: &Command) -> io::Result<Command> {
    let mut tied = Command::new(std::env::current_exe()?);
    tied.args([OsStr::new("tied"), OsStr::new(&core.to_string())]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        tied.current_dir(directory);
    }
    tied.stdin(Stdio::null());
    Ok(tied)
}

impl Tied {
    /// Starts what [`tie`] has made.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// The process itself.
    pub(crate) fn process(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        // It may have ended by itself; either way nobody of it is left after the wait.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Becomes a program on this core that is killed when its parent ends. It returns only when that fails.
pub(crate) fn become_program(core: usize, program: &OsStr, arguments: &[OsString]) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the kernel was asked; then a child of init is left, whom nobody would end.
    if getppid().is_none_or(rustix::process::Pid::is_init) {
        return Err(io::Error::other("the harness has ended"));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)?;
    Err(Command::new(program).args(arguments).exec())
}
