//! Child processes. Each test whose twin libuv has in `test-spawn.c`, `test-kill.c` or their neighbours names it.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, manual, run_until_done, until};
use evloop::future::{Either, race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::pipe::pipe;
use evloop::process::{Child, Command, Stdio};
use evloop::signal::SignalKind;
use evloop::{Mode, Runtime};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::{env, process};

const SIGKILL: i32 = 9;
const ESRCH: i32 = 3;

/// More than a pipe holds: until its own `exec`, another test's child has each pipe of ours open, too.
static LONG: [u8; 200_000] = [b'x'; 200_000];

/// A folder for one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = env::temp_dir().join(format!("evloop-{}-{test}", process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What the shell does with that script; all streams are ours, as they are when nothing is said.
fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that ends with its input.
fn cat() -> Command {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// What a child wrote, as text.
async fn said(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn rest(reader: &mut (impl AsyncRead + Sized)) -> String {
    let mut all = Vec::new();
    reader.read_to_end(&mut all).await.unwrap();
    String::from_utf8(all).unwrap()
}

/// A field of the status of a process, counted from the one after its name: `proc_pid_stat(5)`.
fn stat(id: &str, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(field).map(str::to_owned)
}

/// The states of all children of this process, `Z` for one that nobody has waited for.
fn children() -> Vec<String> {
    let ours = process::id().to_string();
    let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ids.filter(|id| stat(id, 1).as_deref() == Some(&ours)).filter_map(|id| stat(&id, 0)).collect()
}

/// Turns the loop until it has waited for all children, of which this process has no others.
fn until_no_child_is_left(runtime: &Runtime) {
    until(|| {
        runtime.run(Mode::NoWait).unwrap();
        children().is_empty()
    });
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

// --- Its end ---------------------------------------------------------------------------------------------------------

/// libuv: `spawn_exit_code`.
#[test]
fn status_tells_the_exit_code_and_tells_it_again() {
    manual().block_on(async {
        for code in [0, 1, 255] {
            let mut child = sh(&format!("exit {code}")).spawn().unwrap();
            assert_eq!(child.wait().await.unwrap().code(), Some(code));
            assert_eq!(child.wait().await.unwrap().code(), Some(code));
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(code));
        }
        assert!(Command::new("true").status().await.unwrap().success());
    });
}

#[test]
fn wait_that_is_dropped_loses_nothing() {
    manual().block_on(async {
        let mut child = cat().spawn().unwrap();
        let stdin = child.stdin.take();
        assert!(matches!(race(child.wait(), yield_now()).await, Either::Right(())));
        assert!(child.try_wait().unwrap().is_none());
        drop(stdin);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn wait_ends_the_input_first() {
    manual().block_on(async { assert!(cat().spawn().unwrap().wait().await.unwrap().success()) });
}

#[test]
fn children_of_others_stay_theirs() {
    manual().block_on(async {
        let mut theirs = process::Command::new("sh").args(["-c", "exit 5"]).spawn().unwrap();
        until(|| stat(&theirs.id().to_string(), 0).as_deref() == Some("Z"));
        assert!(Command::new("true").status().await.unwrap().success());
        assert_eq!(theirs.wait().unwrap().code(), Some(5));
    });
}

#[test]
fn many_children_at_once_are_each_heard_of() {
    manual().block_on(async {
        let started: Vec<(i32, Child)> =
            (0..50).map(|code| (code, sh(&format!("exit {code}")).spawn().unwrap())).collect();
        for (code, mut child) in started.into_iter().rev() {
            assert_eq!(child.wait().await.unwrap().code(), Some(code));
        }
    });
}

// --- What fails ------------------------------------------------------------------------------------------------------

/// libuv: `spawn_fails`, `spawn_fails_check_for_waitpid_cleanup`.
#[test]
fn program_that_cannot_be_run_is_named_and_leaves_no_zombie() {
    in_child("program_that_cannot_be_run_is_named_and_leaves_no_zombie", "", || {
        manual().block_on(async {
            let before = open_descriptors();
            let mut piped = Command::new("evloop-no-such-program");
            piped.process_group(0).stdin(Stdio::piped());
            let mut forked = Command::new("evloop-no-such-program"); // std cannot use posix_spawn for it
            forked.env("PATH", "/nowhere").stdout(Stdio::piped());
            for command in [&mut Command::new("evloop-no-such-program"), &mut piped, &mut forked] {
                let error = command.spawn().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotFound);
                assert!(error.to_string().starts_with("cannot run evloop-no-such-program: "), "{error}");
            }
            let error = Command::new("true").current_dir("/nowhere").spawn().unwrap_err();
            assert!(error.to_string().starts_with("cannot run true in /nowhere: "), "{error}");
            let error = Command::new("/etc/passwd").status().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(children().is_empty());
            assert_eq!(open_descriptors(), before);
        });
    });
}

#[test]
fn lack_of_descriptors_is_an_error_and_leaves_no_child() {
    in_child("lack_of_descriptors_is_an_error_and_leaves_no_child", "ulimit -n 32;", || {
        manual().block_on(async {
            assert!(Command::new("true").status().await.unwrap().success());
            let mut taken = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                taken.push(file);
            }
            // It is started without any, but cannot be waited for: it is killed, for else this test would never end.
            let error = Command::new("sleep").arg("1000").spawn().unwrap_err();
            assert!(error.to_string().starts_with("cannot run sleep: "), "{error}");
            for free in 0..12 {
                let mut command = cat();
                match command.stderr(Stdio::piped()).spawn() {
                    Ok(mut child) => assert!(child.wait().await.unwrap().success()),
                    Err(error) => assert!(error.to_string().starts_with("cannot run cat: "), "{free}: {error}"),
                }
                taken.pop();
            }
            drop(taken);
            assert!(children().is_empty());
        });
    });
}

#[test]
#[should_panic(expected = "there is no event loop on this thread")]
fn child_is_not_started_without_a_loop() {
    drop(Command::new("true").spawn());
}

// --- Its streams -----------------------------------------------------------------------------------------------------

/// libuv: `spawn_stdin`, `spawn_stdout`, `spawn_stdin_stdout`, `spawn_and_ping`.
#[test]
fn child_is_talked_with_word_by_word() {
    manual().block_on(async {
        let mut child = cat().spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        for word in ["TEST", "again", "and again"] {
            stdin.write_all(word.as_bytes()).await.unwrap();
            let mut heard = vec![0; word.len()];
            stdout.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, word.as_bytes());
        }
        drop(stdin);
        assert_eq!(rest(&mut stdout).await, "");
        assert!(child.wait().await.unwrap().success());
    });
}

/// libuv: `spawn_stdout_to_file`, `spawn_stdout_and_stderr_to_file`, `_to_file2`, `_to_file_swap`.
#[test]
fn streams_go_to_files() {
    let folder = Folder::new("files");
    let (one, other) = (folder.0.join("one"), folder.0.join("other"));
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let script = "echo out; echo err >&2";
    manual().block_on(async {
        let mut swapped = sh(script);
        swapped.stdout(File::create(&other).unwrap()).stderr(File::create(&one).unwrap());
        assert!(swapped.status().await.unwrap().success());
        assert_eq!((read(&one), read(&other)), ("err\n".to_owned(), "out\n".to_owned()));

        let both = File::create(&one).unwrap();
        let mut together = sh(script);
        together.stdout(both.try_clone().unwrap()).stderr(both).stdin(File::open("/dev/null").unwrap());
        assert!(together.status().await.unwrap().success());
        assert_eq!(read(&one), "out\nerr\n");
    });
}

/// libuv: `spawn_same_stdout_stderr`.
#[test]
fn both_outputs_go_to_one_pipe() {
    manual().block_on(async {
        let (mut reader, writer) = pipe().unwrap();
        let writer = writer.into_fd().unwrap();
        let mut command = sh("echo out; echo err >&2");
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        drop(command); // it has the pipe open, and would keep it from its end
        assert_eq!(rest(&mut reader).await, "out\nerr\n");
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn childs_end_of_a_pipe_blocks() {
    manual().block_on(async {
        let script = "for fd in 0 1 2; do grep flags /proc/self/fdinfo/$fd >&1; done";
        let child = sh(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.communicate(b"").await.unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let nonblocking = |line: &str| {
            let octal = line.rsplit('\t').next().unwrap();
            u32::from_str_radix(octal, 8).unwrap() & 0o4000 != 0
        };
        assert_eq!(lines.lines().count(), 3);
        assert!(!lines.lines().any(nonblocking), "{lines}");
    });
}

/// libuv: `spawn_inherit_streams`.
#[test]
fn inherited_streams_are_ours() {
    const MARK: &str = "EVLOOP_TEST_INHERIT";
    manual().block_on(async {
        if env::var_os(MARK).is_some() {
            // The first with what stands when nothing is said, the second after that was something else.
            assert!(sh("read line; echo \"heard $line\"; echo told >&2").status().await.unwrap().success());
            let mut again = sh("echo again");
            assert_eq!(said(&mut again).await, "again\n");
            return assert!(again.status().await.unwrap().success());
        }
        let mut ourselves = Command::new(env::current_exe().unwrap());
        ourselves.args(["inherited_streams_are_ours", "--exact", "--nocapture"]).env(MARK, "1").stdin(Stdio::piped());
        ourselves.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = ourselves.spawn().unwrap().communicate(b"hello\n").await.unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains("heard hello\nagain\n"), "{stdout}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("told\n"));
    });
}

/// libuv: `spawn_closed_process_io`.
#[test]
fn writing_to_a_child_that_has_ended_is_a_broken_pipe() {
    manual().block_on(async {
        let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        child.wait().await.unwrap();
        assert_eq!(stdin.write_all(&LONG).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// libuv: `spawn_fs_open`.
#[test]
fn child_gets_no_descriptor_of_ours() {
    manual().block_on(async {
        let by_std = process::Command::new("ls").arg("/proc/self/fd").output().unwrap().stdout;
        let _pipe = pipe().unwrap();
        let _listener = evloop::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _signal = evloop::signal::signal(SignalKind::USER_DEFINED_2).unwrap();
        let _other = cat().stderr(Stdio::piped()).spawn().unwrap();
        let _file = File::open("/dev/null").unwrap();
        let by_us = said(Command::new("ls").arg("/proc/self/fd").stdin(Stdio::null())).await;
        assert_eq!(by_us, String::from_utf8(by_std).unwrap());
    });
}

// --- All it says -----------------------------------------------------------------------------------------------------

#[test]
fn output_has_both_streams_and_the_status() {
    manual().block_on(async {
        let output = sh("cat; echo out; echo err >&2; exit 7").output().await.unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(output.status.code(), Some(7));
    });
}

#[test]
fn streams_that_were_chosen_stay_so_in_output() {
    manual().block_on(async {
        let mut command = sh("echo out; echo err >&2");
        let output = command.stdout(Stdio::null()).output().await.unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b""[..], &b"err\n"[..]));
    });
}

#[test]
fn long_input_and_long_output_do_not_wait_for_each_other() {
    manual().block_on(async {
        let long = "0123456789".repeat(300_000).into_bytes();
        let child = sh("tee /dev/stderr").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let output = child.unwrap().communicate(&long).await.unwrap();
        assert!(output.stdout == long && output.stderr == long);
    });
}

#[test]
fn input_that_nobody_reads_is_no_error() {
    manual().block_on(async {
        let child = sh("exec <&-; echo enough").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.communicate(&vec![0; 1_000_000]).await.unwrap();
        assert_eq!(output.stdout, b"enough\n");
    });
}

#[test]
fn output_is_taken_up_to_its_bound_and_no_further() {
    in_child("output_is_taken_up_to_its_bound_and_no_further", "", || {
        let runtime = manual();
        runtime.block_on(async {
            assert_eq!(sh("printf 12345").output_max(5).output().await.unwrap().stdout, b"12345");
            for script in ["printf 123456", "printf 123 >&2; printf 456", "yes"] {
                let error = sh(script).output_max(5).output().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
                assert_eq!(error.to_string(), "the child has written more than 5 bytes, and was killed");
            }
        });
        until_no_child_is_left(&runtime);
    });
}

// --- Its environment -------------------------------------------------------------------------------------------------

/// libuv: `spawn_preserve_env`, `spawn_empty_env`.
#[test]
fn environment_is_kept_changed_or_cleared() {
    manual().block_on(async {
        let script = "echo $HOME-$ONE-$TWO-$THREE";
        let mut command = sh(script);
        command.env("HOME", "here").env("ONE", "1").envs([("TWO", "2"), ("THREE", "3")]).env_remove("TWO");
        assert_eq!(said(&mut command).await, "here-1--3\n");
        let path = env::var("PATH").unwrap();
        assert_eq!(said(&mut sh("echo $PATH")).await.trim(), path);
        assert_eq!(said(Command::new("/usr/bin/env").env_clear()).await, "");
    });
}

/// libuv: `spawn_reads_child_path`.
#[test]
fn program_is_looked_for_in_the_childs_path() {
    let folder = Folder::new("path");
    let script = folder.0.join("evloop-test-script");
    fs::write(&script, "#!/bin/sh\necho found as $0\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    manual().block_on(async {
        let mut command = Command::new("evloop-test-script");
        assert_eq!(command.output().await.unwrap_err().kind(), ErrorKind::NotFound);
        // Another test's child may have the script open for writing, as it was here, until its own `exec`.
        let found = loop {
            match command.env("PATH", &folder.0).output().await {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
                found => break found.unwrap(),
            }
        };
        assert_eq!(String::from_utf8(found.stdout).unwrap(), format!("found as {}\n", script.display()));
    });
}

/// A path that is relative leads on from the child's directory.
#[test]
fn spawn_relative_path() {
    let folder = Folder::new("relative");
    std::os::unix::fs::symlink("/bin/sh", folder.0.join("program")).unwrap();
    manual().block_on(async {
        let mut command = Command::new("./program");
        command.args(["-c", "echo $0"]).stdout(Stdio::piped());
        assert_eq!(command.output().await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(said(command.current_dir(&folder.0)).await, "./program\n");
    });
}

#[test]
fn directory_and_name_are_as_told() {
    let folder = Folder::new("directory");
    manual().block_on(async {
        let directory = said(Command::new("pwd").arg("-P").current_dir(&folder.0)).await;
        assert_eq!(Path::new(directory.trim()), folder.0.canonicalize().unwrap());
        let mut command = sh("echo $0 $1");
        command.arg("name").as_std_mut().arg("and more");
        assert_eq!(said(&mut command).await, "name and more\n");
        assert_eq!(command.as_std().get_args().count(), 4);
        assert!(said(Command::new("cat").arg("/proc/self/cmdline").arg0("another")).await.starts_with("another\0"));
    });
}

/// libuv: `spawn_setuid_setgid`, `spawn_setuid_fails`, `spawn_setgid_fails`.
#[test]
fn user_and_group_are_changed_by_root_alone() {
    const NOBODY: u32 = 65_534;
    manual().block_on(async {
        let mut command = sh("id -u; id -g; id -G");
        let output = command.uid(NOBODY).gid(NOBODY).current_dir("/").output().await;
        if is_root() {
            assert_eq!(output.unwrap().stdout, b"65534\n65534\n65534\n");
        } else {
            assert_eq!(output.unwrap_err().kind(), ErrorKind::PermissionDenied);
        }
        // -1 is nobody's number.
        assert_eq!(Command::new("true").uid(u32::MAX).spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(Command::new("true").gid(u32::MAX).spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

/// libuv: `spawn_detached`, as far as it goes without a session of its own.
#[test]
fn process_group_is_its_own() {
    manual().block_on(async {
        let child = cat().process_group(0).spawn().unwrap();
        let group = |id: &str| stat(id, 2).unwrap();
        assert_eq!(group(&child.id().to_string()), child.id().to_string());
        let other = cat().spawn().unwrap();
        assert_eq!(group(&other.id().to_string()), group("self"));
    });
}

// --- Signals ---------------------------------------------------------------------------------------------------------

/// libuv: `spawn_and_kill`, `kill`.
#[test]
fn signals_end_it_and_the_status_tells_which() {
    manual().block_on(async {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        child.signal(0).unwrap();
        child.signal(SignalKind::TERMINATE).unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(SignalKind::TERMINATE.as_raw()));
        let error = child.signal(SignalKind::TERMINATE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(ESRCH));
        assert!(child.signal(0).is_err());
        child.start_kill().unwrap();
    });
}

/// libuv: `spawn_and_kill_with_std`.
#[test]
fn killed_child_ends_its_streams() {
    manual().block_on(async {
        let mut child = cat().stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        assert_eq!(child.kill().await.unwrap().signal(), Some(SIGKILL));
        assert_eq!(child.kill().await.unwrap().signal(), Some(SIGKILL));
        assert_eq!(rest(&mut stdout).await, "");
        assert_eq!(stdin.write_all(&LONG).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// libuv: `kill_invalid_signum`.
#[test]
fn number_that_is_no_signal_is_refused() {
    manual().block_on(async {
        let child = cat().spawn().unwrap();
        for number in [-1, 65, 4096] {
            let error = child.signal(number).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("{number} is not a signal"));
        }
    });
}

/// libuv: `process_priority`.
#[test]
fn priority_is_set_while_it_runs() {
    manual().block_on(async {
        let mut child = cat().spawn().unwrap();
        let before = child.priority().unwrap();
        child.set_priority((before + 3).min(19)).unwrap();
        assert_eq!(child.priority().unwrap(), (before + 3).min(19));
        child.wait().await.unwrap();
        assert!(child.priority().is_err() && child.set_priority(19).is_err());
    });
}

// --- Nobody waits ----------------------------------------------------------------------------------------------------

/// libuv: `process_ref`.
#[test]
fn child_counts_for_the_loop_when_told_so() {
    let runtime = manual();
    let child = runtime.enter(|| cat().spawn().unwrap());
    assert!(!runtime.is_alive());
    child.set_referenced(true);
    assert!(runtime.is_alive());
    child.set_referenced(false);
    assert!(!runtime.is_alive());
}

#[test]
fn dropped_child_runs_on_and_is_waited_for_without_keeping_the_loop() {
    in_child("dropped_child_runs_on_and_is_waited_for_without_keeping_the_loop", "", || {
        let runtime = manual();
        let mut child = runtime.enter(|| cat().spawn().unwrap());
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        child.set_referenced(true);
        drop(child);
        assert!(!run_until_done(&runtime), "it does not keep the loop alive");
        runtime.block_on(async {
            stdin.write_all(b"still there").await.unwrap();
            stdin.shutdown().await.unwrap();
            assert_eq!(rest(&mut stdout).await, "still there");
        });
        until_no_child_is_left(&runtime);
        assert!(runtime.tasks().is_empty());
    });
}

#[test]
fn child_that_had_ended_is_waited_for_as_it_is_dropped() {
    in_child("child_that_had_ended_is_waited_for_as_it_is_dropped", "", || {
        let runtime = manual();
        let child = runtime.enter(|| Command::new("true").spawn().unwrap());
        until(|| children() == ["Z"]);
        drop(child);
        assert!(children().is_empty());
    });
}

#[test]
fn child_is_killed_on_drop_when_asked_for() {
    in_child("child_is_killed_on_drop_when_asked_for", "", || {
        let runtime = manual();
        runtime.block_on(async {
            drop(Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap());
            let mut sleep = Command::new("sleep");
            let output = sleep.arg("1000").kill_on_drop(true).output();
            assert!(matches!(race(output, yield_now()).await, Either::Right(())));
        });
        until_no_child_is_left(&runtime);
    });
}

#[test]
fn child_that_outlives_its_loop_is_waited_for_with_the_next_start() {
    in_child("child_that_outlives_its_loop_is_waited_for_with_the_next_start", "", || {
        let before = open_descriptors();
        let runtime = manual();
        let (mut held, mut left) = runtime.enter(|| (cat().spawn().unwrap(), cat().spawn().unwrap()));
        let inputs = (held.stdin.take(), left.stdin.take());
        drop(left);
        drop(runtime);
        drop(held); // after its loop has ended
        assert_eq!(children().len(), 2);
        drop(inputs);
        until(|| children() == ["Z", "Z"]);
        manual().block_on(async { assert!(Command::new("true").status().await.unwrap().success()) });
        assert!(children().is_empty());
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn thousand_children_leave_no_zombie_and_no_descriptor() {
    in_child("thousand_children_leave_no_zombie_and_no_descriptor", "", || {
        let runtime = manual();
        runtime.block_on(async {
            let before = open_descriptors();
            for _ in 0..900 {
                assert!(Command::new("true").status().await.unwrap().success());
            }
            for _ in 0..100 {
                let child = cat().stderr(Stdio::piped()).spawn().unwrap();
                assert_eq!(child.communicate(b"x").await.unwrap().stdout, b"x");
            }
            assert_eq!(open_descriptors(), before);
        });
        assert!(children().is_empty());
    });
}

// --- From elsewhere --------------------------------------------------------------------------------------------------

#[test]
fn child_of_std_is_taken_over_with_its_pipes() {
    manual().block_on(async {
        let piped = |program| {
            let mut command = process::Command::new(program);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command.spawn().unwrap()
        };
        let output = Child::from_std(piped("cat")).unwrap().communicate(b"taken over").await.unwrap();
        assert_eq!(output.stdout, b"taken over");

        let mut ended = piped("true");
        ended.wait().unwrap();
        let mut child = Child::from_std(ended).unwrap();
        assert!(child.wait().await.unwrap().success());
        assert!(child.signal(SignalKind::TERMINATE).is_err(), "the number may be another's by now");
    });
}
