//! What a master starts: itself again, as a worker or as its successor.

use crate::serve::role::{Role, VARIABLE};
use evloop_runtime::process::Command;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The binary that runs, whatever has become of its file.
const RUNNING: &str = "/proc/self/exe";

/// The program as it was started.
#[derive(Debug)]
pub(super) struct Program {
    name: OsString,
    arguments: Vec<OsString>,
    /// Where its file is, which another version may take the place of.
    path: PathBuf,
}

impl Program {
    /// That of this process, to be asked for at its start.
    ///
    /// # Errors
    /// When the system does not tell what runs.
    pub(super) fn of_this_process() -> io::Result<Program> {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_default();
        let running = env::current_exe()?;
        // The name may lead there by a link that is to point to another version one day; but a name can be anything.
        let is = identity(Path::new(RUNNING))?;
        let path = as_found(&name).filter(|path| identity(path).is_ok_and(|found| found == is)).unwrap_or(running);
        Ok(Program { name, arguments: arguments.collect(), path })
    }

    /// A worker: the binary that runs here. So all workers of a master are of one version, whatever is at its path by now.
    pub(super) fn worker(&self, place: usize) -> Command {
        let mut command = self.command(Path::new(RUNNING), Role::Worker(place));
        for of_systemd in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
            command.env_remove(of_systemd); // the master talks with it
        }
        command
    }

    /// A successor: what is at the binary's path now.
    pub(super) fn successor(&self) -> Command {
        self.command(&self.path, Role::Successor)
    }

    fn command(&self, path: &Path, role: Role) -> Command {
        let mut command = Command::new(path);
        command.arg0(&self.name).args(&self.arguments).env(VARIABLE, role.to_variable());
        for of_this_process in ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "WATCHDOG_PID"] {
            command.env_remove(of_this_process);
        }
        command
    }
}

/// The file that a shell would have started by that name.
fn as_found(name: &OsStr) -> Option<PathBuf> {
    if Path::new(name).components().count() > 1 {
        return std::path::absolute(name).ok();
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_looked_for_as_a_shell_does() {
        assert!(as_found(OsStr::new("sh")).is_some_and(|path| path.is_absolute() && path.ends_with("sh")));
        assert_eq!(as_found(OsStr::new("/no/such/program")), Some(PathBuf::from("/no/such/program")));
        assert_eq!(as_found(OsStr::new("no-such-program-anywhere")), None);
    }

    #[test]
    fn successor_is_what_is_at_the_path_of_this_program() {
        let program = Program::of_this_process().unwrap();
        assert_eq!(identity(&program.path).unwrap(), identity(Path::new(RUNNING)).unwrap());
        assert_eq!(program.successor().as_std().get_program(), program.path);
        assert_eq!(program.worker(1).as_std().get_program(), RUNNING);
    }
}
