//! Processes, signals, and the standard streams.

use crate::{FEW, MANY, Repeats, SOME, until};
use evloop::future::{Either, race};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::process::{Command, Stdio};
use evloop::signal::{SignalKind, once, raise, signal, signals};
use evloop::stdio::{Input, Output, RawKind, Tty};
use evloop::task::yield_now;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::path::PathBuf;
use std::thread;

pub(crate) fn repeat(repeats: &mut Repeats) {
    processes(repeats);
    hear(repeats);
    standard_streams(repeats);
}

/// The letter by which the kernel tells how that process fares; `None` when somebody has waited for it.
fn state(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(stat.rsplit(") ").next()?.split(' ').next()?.to_owned())
}

/// Turns the loop until it has waited for that process.
async fn gone(id: u32) {
    while state(id).is_some() {
        thread::yield_now();
        yield_now().await;
    }
}

fn processes(repeats: &mut Repeats) {
    repeats.each("process", FEW, async || assert!(Command::new("true").status().await.unwrap().success()));
    repeats.each("process with pipes", FEW, async || {
        let mut cat = Command::new("cat");
        let child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.communicate(b"text").await.unwrap().stdout, b"text");
    });
    repeats.each("process with pipes, dropped half-way", FEW, async || {
        let mut cat = Command::new("cat");
        let child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let id = child.id();
        assert!(matches!(race(child.communicate(&vec![7; 1_000_000]), yield_now()).await, Either::Right(())));
        gone(id).await;
    });
    repeats.each("process killed", FEW, async || {
        let mut child = Command::new("sleep").arg("3600").spawn().unwrap();
        assert!(matches!(race(child.wait(), yield_now()).await, Either::Right(())));
        child.kill().await.unwrap();
    });
    repeats.each("process that nobody waits for", FEW, async || {
        let id = Command::new("true").spawn().unwrap().id();
        gone(id).await;
    });
    repeats.each("program that there is not", SOME, async || {
        let mut command = Command::new("evloop-no-such-program");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_err();
    });
    repeats.outside("process that outlives its loop", FEW, || {
        let id = evloop::block_on(async { Command::new("true").spawn().unwrap().id() });
        until(|| state(id).is_none_or(|state| state == "Z"));
        evloop::block_on(async { assert!(Command::new("true").status().await.unwrap().success()) });
        assert_eq!(state(id), None, "the next loop with a process waits for it");
    });
}

fn hear(repeats: &mut Repeats) {
    repeats.within(
        "signal",
        MANY,
        async || signal(SignalKind::USER_DEFINED_1).unwrap(),
        async |stream| {
            raise(SignalKind::USER_DEFINED_1).unwrap();
            stream.recv().await.unwrap();
            assert!(matches!(race(stream.recv(), yield_now()).await, Either::Right(())));
        },
    );
    repeats.each("streams of signals", MANY, async || {
        let (mut one, mut any) = (
            signal(SignalKind::USER_DEFINED_1).unwrap(),
            signals(&[SignalKind::USER_DEFINED_1, SignalKind::USER_DEFINED_2]).unwrap(),
        );
        assert!(matches!(race(one.recv(), yield_now()).await, Either::Right(())));
        raise(SignalKind::USER_DEFINED_1).unwrap();
        any.recv().await.unwrap();
    });
    repeats.each("signal heard once", MANY, async || {
        drop(once(SignalKind::USER_DEFINED_2).unwrap());
        let next = once(SignalKind::USER_DEFINED_2).unwrap();
        raise(SignalKind::USER_DEFINED_2).unwrap();
        next.await.unwrap();
    });
    repeats.outside("loop that listens for signals", SOME, || {
        evloop::block_on(async {
            let mut stream = signal(SignalKind::USER_DEFINED_1).unwrap();
            raise(SignalKind::USER_DEFINED_1).unwrap();
            stream.recv().await.unwrap();
        });
    });
}

fn standard_streams(repeats: &mut Repeats) {
    repeats.each("standard streams that are pipes", MANY, async || {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (mut input, mut output) = (Input::from_fd(&reading).unwrap(), Output::from_fd(&writing).unwrap());
        output.write_all(b"text").await.unwrap();
        input.read_exact(&mut [0; 4]).await.unwrap();
        assert!(matches!(race(input.read(&mut [0; 4]), yield_now()).await, Either::Right(())));
    });
    let file = async || {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), "text").unwrap();
        path
    };
    repeats.within("standard streams that are files", SOME, file, async |path| {
        let file = File::open(path.path()).unwrap();
        let mut input = Input::from_fd(&file).unwrap();
        assert_eq!(input.read(&mut [0; 4]).await.unwrap(), 4);
        drop(race(input.read(&mut [0; 4]), yield_now()).await);
    });
    repeats.each("terminal in raw mode", SOME, async || {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
        let tty = Tty::from_fd(File::options().read(true).write(true).open(path).unwrap()).unwrap();
        drop(tty.raw_mode(RawKind::Bytes).unwrap());
    });
}
