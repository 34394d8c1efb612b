//! What is to be started, and how.

use super::child::Child;
use super::communicate::OUTPUT_BYTES_MAX;
use super::orphan;
use crate::context;
use crate::core::Core;
use crate::sys::pidfd;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::{error, fmt, io};

/// A child to be started: [`std::process::Command`], whose methods it has, on the loop.
///
/// It may be started any number of times. All descriptors that this library opens are closed in the child
/// (`O_CLOEXEC`), as those of std are: it gets the three standard streams and nothing else.
///
/// # Examples
/// ```
/// use evloop_runtime::io::AsyncRead;
/// use evloop_runtime::process::{Command, Stdio};
///
/// evloop_runtime::block_on(async {
///     let mut child = Command::new("sh").args(["-c", "echo $WORD; exit 3"]).env("WORD", "hello").stdout(Stdio::piped()).spawn()?;
///     let mut said = String::new().into_bytes();
///     child.stdout.take().expect("it is piped").read_to_end(&mut said).await?;
///     assert_eq!(said, b"hello\n");
///     assert_eq!(child.wait().await?.code(), Some(3));
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct Command {
    std: std::process::Command,
    /// Which of the standard streams the caller has chosen.
    chosen: [bool; 3],
    kill_on_drop: bool,
    output_max: usize,
}

impl Command {
    /// Starts `program`, which is looked for in `PATH` unless it has a slash, with no arguments, in this process's
    /// environment and directory.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command {
            std: std::process::Command::new(program),
            chosen: [false; 3],
            kill_on_drop: false,
            output_max: OUTPUT_BYTES_MAX,
        }
    }

    /// One more argument. No shell reads it: it arrives as it is.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// More arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        self.std.args(args);
        self
    }

    /// What the program finds as its own name, in place of the one it was started by.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg0(name);
        self
    }

    /// Sets one variable of the child's environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.std.env(name, value);
        self
    }

    /// Sets variables of the child's environment.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Command {
        self.std.envs(variables);
        self
    }

    /// Takes one variable out of the child's environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.std.env_remove(name);
        self
    }

    /// Lets the child inherit none of this process's environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// The child's directory. Whether a relative `program` is looked for there or here, std leaves open.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.std.current_dir(directory);
        self
    }

    /// Whom the child runs as. A child of root has no supplementary groups then.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.std.uid(id);
        self
    }

    /// The group the child runs as.
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.std.gid(id);
        self
    }

    /// The process group of the child, 0 for a new one of its own: what the terminal's Ctrl-C does not reach.
    pub fn process_group(&mut self, id: i32) -> &mut Command {
        self.std.process_group(id);
        self
    }

    /// What the child reads from: [`Stdio::inherit`] (as it is when nothing is said), [`Stdio::null`], [`Stdio::piped`] for
    /// [`Child::stdin`], a file, any descriptor, or the output of another child, by `Stdio::try_from`.
    ///
    /// # Examples
    /// One child's output is the other's input:
    /// ```
    /// use evloop_runtime::process::{Command, Stdio};
    ///
    /// evloop_runtime::block_on(async {
    ///     let mut first = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    ///     let between = Stdio::try_from(first.stdout.take().expect("it is piped"))?;
    ///     let output = Command::new("tr").args(["a-z", "A-Z"]).stdin(between).output().await?;
    ///     assert_eq!(output.stdout, b"HELLO\n");
    ///     assert!(first.wait().await?.success());
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn stdin(&mut self, from: impl Into<Stdio>) -> &mut Command {
        self.chosen[0] = true;
        self.std.stdin(from);
        self
    }

    /// Where the child's output goes, as with [`stdin`](Command::stdin). A descriptor that is given stays open here until the
    /// command is dropped: who reads the other end of a pipe does not come to its end before.
    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Command {
        self.chosen[1] = true;
        self.std.stdout(to);
        self
    }

    /// Where the child's messages go, as with [`stdout`](Command::stdout).
    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Command {
        self.chosen[2] = true;
        self.std.stderr(to);
        self
    }

    /// Whether the child is killed when its [`Child`] is dropped. If not, as when nothing is said, it runs on.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.kill_on_drop = kill;
        self
    }

    /// How many bytes [`output`](Command::output) and [`communicate`](Child::communicate) take at most, of both streams
    /// together; [`OUTPUT_BYTES_MAX`] when nothing is said.
    pub fn output_max(&mut self, bytes: usize) -> &mut Command {
        self.output_max = bytes;
        self
    }

    /// Program, arguments, environment and directory, to be looked at.
    pub fn as_std(&self) -> &std::process::Command {
        &self.std
    }

    /// std's command, for all that only it has: `pre_exec` of its `CommandExt`, or the `command-fds` crate, which passes
    /// descriptors under chosen numbers. The standard streams are chosen here, not there.
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.std
    }

    /// Starts the child.
    ///
    /// It is started on this thread, and the loop stands still until the child has called `exec`: about half a millisecond.
    /// [`Child::from_std`] has another way.
    ///
    /// # Errors
    /// Why the program cannot be run, with its name: `NotFound`, `PermissionDenied`, that there are no descriptors or no
    /// processes to be had; `Unsupported` where the kernel is older than Linux 5.4. No child is left then: one that ran
    /// already when the descriptors ended is killed.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.start([Stdio::inherit; 3])
    }

    /// Starts the child and waits for its end. Its standard streams are this process's, unless they are chosen.
    ///
    /// # Errors
    /// As [`spawn`](Command::spawn) and [`Child::wait`].
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Cancel safety
    /// The child is started by the first poll. Dropped after that, it runs on, or is killed as
    /// [`kill_on_drop`](Command::kill_on_drop) says.
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait().await
    }

    /// Starts the child and gives what it has written and how it has ended. Streams that are not chosen are pipes, its input
    /// is empty. To give it input, see [`Child::communicate`].
    ///
    /// # Errors
    /// As [`spawn`](Command::spawn) and [`Child::communicate`].
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Cancel safety
    /// As [`status`](Command::status); what was read is lost.
    pub async fn output(&mut self) -> io::Result<Output> {
        self.start([Stdio::null, Stdio::piped, Stdio::piped])?.communicate(&[]).await
    }

    #[track_caller]
    fn start(&mut self, unless_chosen: [fn() -> Stdio; 3]) -> io::Result<Child> {
        context::with(Core::check_process)?; // a child that no loop can wait for is not started
        orphan::reap_left();
        let [stdin, stdout, stderr] = unless_chosen;
        let [has_stdin, has_stdout, has_stderr] = self.chosen;
        if !has_stdin {
            self.std.stdin(stdin());
        }
        if !has_stdout {
            self.std.stdout(stdout());
        }
        if !has_stderr {
            self.std.stderr(stderr());
        }
        let mut started = pidfd::check().and_then(|()| self.std.spawn()).map_err(|source| self.not_started(source))?;
        let mut child = match Child::adopt(&mut started) {
            Ok(child) => child,
            Err(source) => {
                drop(started.kill().and_then(|()| started.wait())); // if somebody else has waited for it, it is gone as well
                return Err(self.not_started(source));
            }
        };
        (child.kill_on_drop, child.output_max) = (self.kill_on_drop, self.output_max);
        Ok(child)
    }

    fn not_started(&self, source: io::Error) -> io::Error {
        let mut what = self.std.get_program().display().to_string();
        if let Some(directory) = self.std.get_current_dir() {
            what = format!("{what} in {}", directory.display());
        }
        io::Error::new(source.kind(), NotStarted { what, source })
    }
}

/// Which program could not be run, and why.
#[derive(Debug)]
struct NotStarted {
    what: String,
    source: io::Error,
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot run {}: {}", self.what, self.source)
    }
}

impl error::Error for NotStarted {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}
