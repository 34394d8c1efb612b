//! Processes of the race: each on its core, and none outlives the harness.

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, kill_process, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// As many descriptors as a process of the race may hold, where the machine lets it: ten thousand connections and some.
const DESCRIPTORS_MAX: u64 = 20_000;

/// How often a process is asked whether it has ended.
const GLANCE: Duration = Duration::from_millis(5);

/// A process of the race. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Tied(Child);

/// A command that runs `command` on a core and ends it with this process, by way of `tied`: the order to the kernel
/// outlives the `exec`, so it holds for programs that know nothing of it, and costs the contestant no thread that waits for
/// the end of its input. A second thread would make locks and counts of descriptors dearer in the process that is measured.
///
/// Its input is empty; where its output and errors go, `command` cannot tell us, so the caller says it anew.
///
/// # Errors
///
/// When this program cannot tell where it lies.
pub(crate) fn tie(core: usize, command: &Command) -> io::Result<Command> {
    let mut tied = Command::new(std::env::current_exe()?);
    tied.args(["tied", &core.to_string(), &std::process::id().to_string()]);
    tied.arg(command.get_program()).args(command.get_args());
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

/// This program, to be something else than the harness.
///
/// # Errors
///
/// When it cannot tell where it lies.
pub(crate) fn itself<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
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

    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a process's number fits")
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// The next line that it prints, where its output is piped; empty at the end.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if let Some(output) = self.0.stdout.as_mut() {
            // The reader is thrown away with what it holds: who asks for one line is told one line.
            BufReader::<&mut ChildStdout>::new(output).read_line(&mut line)?;
        }
        Ok(line.trim_end().to_owned())
    }

    /// Waits for its end, and returns what it printed where its output is piped.
    ///
    /// # Errors
    ///
    /// That it failed, with the last line of its errors where they are piped.
    pub(crate) fn output(mut self) -> io::Result<String> {
        let (mut output, mut errors) = (String::new(), String::new());
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_string(&mut output)?;
        }
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_string(&mut errors)?;
        }
        let status = self.0.wait()?;
        if status.success() {
            return Ok(output);
        }
        let last = errors.lines().last().map(|last| last.strip_prefix("race: ").unwrap_or(last).to_owned());
        Err(io::Error::other(last.unwrap_or_else(|| status.to_string())))
    }

    /// Sends it a signal and waits for its end.
    ///
    /// # Errors
    ///
    /// That it has not ended in `patience`.
    pub(crate) fn end(mut self, signal: Signal, patience: Duration) -> io::Result<()> {
        let pid = Pid::from_raw(self.pid()).expect("a process's number is not 0");
        kill_process(pid, signal)?;
        let begun = Instant::now();
        while self.ended()?.is_none() {
            if begun.elapsed() > patience {
                return Err(io::Error::other(format!("it does not end in {patience:?}")));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
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
///
/// # Errors
///
/// That there is no such program, or the parent has ended meanwhile.
pub(crate) fn become_program(core: usize, parent: i32, program: &OsStr, arguments: &[OsString]) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the kernel was asked; nobody would end us then.
    if getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Err(io::Error::other("the harness has ended"));
    }
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(DESCRIPTORS_MAX, |maximum| maximum.min(DESCRIPTORS_MAX));
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) })?;
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)?;
    Err(Command::new(program).args(arguments).exec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::test_kill_process;

    fn shell(script: &str) -> Tied {
        let mut command = Command::new("sh");
        Tied::spawn(command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap()
    }

    #[test]
    fn dropped_process_is_gone() {
        let process = shell("exec sleep 1000");
        let pid = Pid::from_raw(process.pid()).unwrap();
        assert!(test_kill_process(pid).is_ok());
        drop(process);
        assert!(test_kill_process(pid).is_err());
    }

    #[test]
    fn output_of_one_that_fails_is_the_last_of_its_errors() {
        assert_eq!(shell("echo yes").output().unwrap(), "yes\n");
        assert_eq!(shell("echo first >&2; echo race: no >&2; exit 1").output().unwrap_err().to_string(), "no");
        assert_eq!(shell("exit 3").output().unwrap_err().to_string(), "exit status: 3");
    }

    #[test]
    fn line_is_what_is_printed_first() {
        let mut process = shell("echo held; exec sleep 1000");
        assert_eq!(process.line().unwrap(), "held");
        assert!(process.ended().unwrap().is_none());
        assert_eq!(shell("exit 1").line().unwrap(), "");
    }

    #[test]
    fn one_that_heeds_no_signal_is_not_waited_for() {
        let mut process = shell("trap '' TERM; echo ready; while :; do sleep 1000; done");
        assert_eq!(process.line().unwrap(), "ready");
        assert!(process.end(Signal::TERM, Duration::from_millis(20)).is_err());
    }
}
