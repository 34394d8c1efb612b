//! Children: started, read from, waited for, one after the other.

use super::{check, per_second};
use evloop::block_on;
use evloop::io::AsyncRead;
use evloop::process::{Command, Stdio};
use std::io;
use std::time::Instant;

/// The variable with the path of libuv's program, which is then the child here as it is there: what a child costs is
/// for the most part what it takes to load it.
pub(super) const HELPER: &str = "RACE_LIBUV_BENCH";

/// What a child says, and the status with which it ends.
const SAID: &str = "hello world\n";
const STATUS: i32 = 42;

/// A child is started with a pipe for what it says, read to its end, and waited for; then the next.
pub(super) fn spawn(children: u64) -> io::Result<Vec<f64>> {
    let mut command = child();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    block_on(async {
        let begin = Instant::now();
        for _ in 0..children {
            let mut child = command.spawn()?;
            let mut said = String::new();
            let mut stdout = child.stdout.take().expect("it has a pipe");
            stdout.read_to_string(&mut said).await?;
            check("what a child said", said.as_str(), SAID)?;
            check("how a child ended", child.wait().await?.code(), Some(STATUS))?;
        }
        Ok(vec![per_second(children, begin.elapsed())])
    })
}

/// libuv's own helper, or a shell that does the same.
fn child() -> Command {
    if let Some(program) = std::env::var_os(HELPER) {
        let mut command = Command::new(program);
        command.arg("spawn_helper");
        return command;
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo hello world; exit 42"]);
    command
}
