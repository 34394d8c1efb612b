//! The standard streams and terminals: what is behind them decides how they are read and written, and they are left as they
//! were.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, narrow, open_descriptors};
use evloop::future::{Either, join, race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::stdio::{Input, Kind, Output, RawKind, Tty, WindowSize, restore_terminals, stdin, stdout};
use evloop::time::timeout;
use evloop::{spawn, spawn_blocking};
use rustix::fs::{Mode, OFlags, fcntl_getfl, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, tcgetattr, tcgetwinsize};
use std::fs::File;
use std::future::ready;
use std::io::{ErrorKind, IoSlice, PipeReader, Read, Seek, SeekFrom, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::time::Duration;

/// Runs on a loop of its own; what hangs fails instead.
fn run<F: Future>(future: F) -> F::Output {
    let Ok(output) = evloop::block_on(async { timeout(Duration::from_secs(60), future).await }) else {
        panic!("it waits for ever");
    };
    output
}

/// A pseudo-terminal: who sits before it, and what a program sees, with its path.
fn terminal() -> (OwnedFd, OwnedFd, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
    let terminal = open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    (master, terminal, path)
}

fn waits(fd: impl AsFd) -> bool {
    !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
}

async fn text(reader: &mut impl AsyncRead) -> String {
    let mut buf = [0; 256];
    let read = reader.read(&mut buf).await.unwrap();
    String::from_utf8(buf[..read].to_vec()).unwrap()
}

/// What comes next, as much as `expected`: a pseudo-terminal may give it in pieces.
async fn expect(reader: &mut impl AsyncRead, expected: &str) {
    let mut buf = vec![0; expected.len()];
    reader.read_exact(&mut buf).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&buf), expected);
}

/// Whether nothing comes in some turns.
async fn is_quiet(future: impl Future) -> bool {
    let some_turns = async {
        for _ in 0..5 {
            yield_now().await;
        }
    };
    matches!(race(future, some_turns).await, Either::Right(()))
}

/// More than a pipe, a socket and a terminal hold.
fn much() -> Vec<u8> {
    (0..150_000_u32).flat_map(u32::to_ne_bytes).map(|byte| byte | 0x80).collect()
}

// --- What is behind it -------------------------------------------------------------------------------------------------

#[test]
fn kinds_are_told_apart() {
    let ((master, terminal, _), (reading, _writing)) = (terminal(), pipe().unwrap());
    let (socket, _other) = UnixStream::pair().unwrap();
    assert_eq!(Kind::of(&terminal).unwrap(), Kind::Terminal);
    assert_eq!(Kind::of(&master).unwrap(), Kind::Terminal);
    assert_eq!(Kind::of(&reading).unwrap(), Kind::Pipe);
    assert_eq!(Kind::of(&socket).unwrap(), Kind::Socket);
    assert_eq!(Kind::of(tempfile::tempfile().unwrap()).unwrap(), Kind::File);
    assert_eq!(Kind::of(File::open("/dev/null").unwrap()).unwrap(), Kind::Other);
    assert_eq!(Kind::of(File::open("/").unwrap()).unwrap(), Kind::Other);
}

// --- Reading -----------------------------------------------------------------------------------------------------------

#[test]
fn terminal_gives_a_line_a_read_and_stays_as_it_was() {
    let (master, terminal, _) = terminal();
    run(async {
        let mut input = Input::from_fd(&terminal).unwrap();
        assert!(input.is_terminal());
        assert!(is_quiet(text(&mut input)).await);
        rustix::io::write(&master, b"one\ntwo\nthr").unwrap();
        assert_eq!(text(&mut input).await, "one\n");
        assert_eq!(text(&mut input).await, "two\n", "it was there already, so no edge tells of it");
        assert!(is_quiet(text(&mut input)).await);
        rustix::io::write(&master, b"ee\n\x04").unwrap();
        assert_eq!(text(&mut input).await, "three\n");
        assert_eq!(text(&mut input).await, "", "Ctrl-D");
        assert!(waits(&terminal) && waits(&master), "others on the terminal still wait when they read");
    });
}

#[test]
fn pipe_is_read_to_its_end_and_stays_as_it_was() {
    let (reading, mut writing) = pipe().unwrap();
    run(async {
        let mut input = Input::from_fd(&reading).unwrap();
        assert_eq!((input.kind(), input.is_terminal()), (Kind::Pipe, false));
        assert!(is_quiet(text(&mut input)).await);
        writing.write_all(b"some").unwrap();
        assert_eq!(text(&mut input).await, "some");
        writing.write_all(b"more").unwrap();
        drop(writing);
        assert!(waits(&reading));
        assert_eq!(text(&mut input).await, "more");
        assert_eq!((text(&mut input).await, text(&mut input).await), (String::new(), String::new()));
    });
}

#[test]
fn two_readers_of_one_pipe_take_turns_and_none_waits_for_the_other() {
    let (reading, mut writing) = pipe().unwrap();
    run(async {
        let (mut one, mut other) = (Input::from_fd(&reading).unwrap(), Input::from_fd(&reading).unwrap());
        for round in 0..50 {
            writing.write_all(&[round]).unwrap();
            let either = race(text(&mut one), text(&mut other)).await.into_inner();
            assert_eq!(either.as_bytes(), [round]);
        }
        assert!(is_quiet(join(text(&mut one), text(&mut other))).await);
    });
}

#[test]
fn socket_is_read_and_written_and_stays_as_it_was() {
    let (mut near, far) = UnixStream::pair().unwrap();
    run(async {
        let (mut input, mut output) = (Input::from_fd(&far).unwrap(), Output::from_fd(&far).unwrap());
        assert!(is_quiet(text(&mut input)).await);
        near.write_all(b"question").unwrap();
        assert_eq!(text(&mut input).await, "question");
        let answer = [IoSlice::new(b"ans"), IoSlice::new(b""), IoSlice::new(b"wer")];
        assert_eq!(output.write_vectored(&answer).await.unwrap(), 6);
        let mut buf = [0; 6];
        near.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"answer");
        assert!(waits(&far));
        drop(near);
        assert_eq!(text(&mut input).await, "");
        assert_eq!(output.write_all(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn file_is_read_in_order_and_no_further_than_asked_for() {
    let (mut file, content) = (tempfile::tempfile().unwrap(), much());
    file.write_all(&content).unwrap();
    file.rewind().unwrap();
    run(async {
        let mut input = Input::from_fd(&file).unwrap();
        let mut start = [0; 5];
        input.read_exact(&mut start).await.unwrap();
        assert_eq!(file.stream_position().unwrap(), 5, "who is started now, goes on there");
        let mut all = start.to_vec();
        input.read_to_end(&mut all).await.unwrap();
        assert!(all == content);
        assert_eq!(input.read(&mut start).await.unwrap(), 0);
        assert_eq!(input.read(&mut []).await.unwrap(), 0);
    });
}

#[test]
fn read_of_a_file_that_is_given_up_loses_nothing() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    file.rewind().unwrap();
    narrow().block_on(async {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let holds_the_pool = spawn_blocking(move || gate.recv());
        let mut input = Input::from_fd(&file).unwrap();
        let mut large = [0; 8];
        assert!(matches!(race(input.read(&mut large), ready(())).await, Either::Right(())));
        drop(open);
        assert!(holds_the_pool.await.unwrap().is_err());
        let mut small = [0; 3];
        input.read_exact(&mut small).await.unwrap();
        assert_eq!(&small, b"012");
        let mut rest = Vec::new();
        input.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"3456789");
    });
}

#[test]
fn folder_cannot_be_read_and_null_is_at_its_end() {
    run(async {
        let mut folder = Input::from_fd(File::open("/").unwrap()).unwrap();
        assert_eq!(folder.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::IsADirectory);
        let mut null = Input::from_fd(File::open("/dev/null").unwrap()).unwrap();
        assert_eq!(null.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn what_cannot_be_opened_anew_is_asked_before_it_is_read() {
    let (master, terminal, _) = terminal();
    run(async {
        // To open a master anew would make another terminal.
        let (mut input, mut output) = (Input::from_fd(&master).unwrap(), Output::from_fd(&master).unwrap());
        assert!(is_quiet(text(&mut input)).await, "the loop goes on");
        rustix::io::write(&terminal, b"shown").unwrap();
        expect(&mut input, "shown").await;
        assert!(is_quiet(text(&mut input)).await);
        output.write_all(b"typed\n").await.unwrap();
        assert_eq!(text(&mut Input::from_fd(&terminal).unwrap()).await, "typed\n");
        assert!(waits(&master));
    });
}

// --- Writing -----------------------------------------------------------------------------------------------------------

/// Reads all that `output` is given, which is more than there is room for.
async fn carried(mut output: Output, mut reader: impl AsyncRead) {
    let content = much();
    let write = async {
        output.write_all(&content).await.unwrap();
        drop(output);
    };
    let read = async {
        let mut all = vec![0; content.len()];
        reader.read_exact(&mut all).await.unwrap();
        all
    };
    assert!(join(write, read).await.1 == content);
}

#[test]
fn full_pipe_is_waited_for_and_stays_as_it_was() {
    let (reading, writing) = pipe().unwrap();
    run(async {
        carried(Output::from_fd(&writing).unwrap(), Input::from_fd(&reading).unwrap()).await;
        assert!(waits(&writing));
    });
}

#[test]
fn full_socket_is_waited_for_and_stays_as_it_was() {
    let (near, far) = UnixStream::pair().unwrap();
    run(async {
        carried(Output::from_fd(&far).unwrap(), Input::from_fd(&near).unwrap()).await;
        assert!(waits(&near) && waits(&far));
    });
}

#[test]
fn full_terminal_is_waited_for_and_stays_as_it_was() {
    let (master, terminal, _) = terminal();
    run(async {
        let tty = Tty::from_fd(&terminal).unwrap();
        let _raw = tty.raw_mode(RawKind::Bytes).unwrap();
        carried(Output::from_fd(&terminal).unwrap(), Input::from_fd(&master).unwrap()).await;
        assert!(waits(&terminal));
    });
}

#[test]
fn pipe_that_nobody_reads_is_broken() {
    let (reading, writing) = pipe().unwrap();
    run(async {
        let mut output = Output::from_fd(&writing).unwrap();
        drop(reading);
        assert_eq!(output.write_all(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(output.write(b"").await.unwrap(), 0);
    });
}

#[test]
fn writers_of_one_file_do_not_write_over_each_other() {
    let mut file = tempfile::tempfile().unwrap();
    run(async {
        let (mut one, mut other) = (Output::from_fd(&file).unwrap(), Output::from_fd(&file).unwrap());
        one.write_all(b"one ").await.unwrap();
        other.write_all(b"other ").await.unwrap();
        (&file).write_all(b"std ").unwrap();
        one.write_all(b"one").await.unwrap();
        let mut null = Output::from_fd(File::create("/dev/null").unwrap()).unwrap();
        null.write_all(&much()).await.unwrap();
    });
    let mut all = String::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut all).unwrap();
    assert_eq!(all, "one other std one");
}

#[test]
fn short_writes_of_many_lie_together() {
    const RECORD: usize = 4096;
    let (reading, writing) = pipe().unwrap();
    run(async {
        let writers = [b'a', b'b', b'c'].map(|letter| {
            let mut output = Output::from_fd(&writing).unwrap();
            spawn(async move {
                for _ in 0..40 {
                    assert_eq!(output.write(&[letter; RECORD]).await.unwrap(), RECORD, "wholly or not at all");
                }
            })
        });
        drop(writing);
        let mut all = Vec::new();
        Input::from_fd(&reading).unwrap().read_to_end(&mut all).await.unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(all.len(), 3 * 40 * RECORD);
        assert!(all.chunks(RECORD).all(|record| record.iter().all(|byte| *byte == record[0])));
    });
}

#[test]
fn full_disk_is_an_error() {
    run(async {
        let mut full = Output::from_fd(File::create("/dev/full").unwrap()).unwrap();
        assert_eq!(full.write_all(b"x").await.unwrap_err().kind(), ErrorKind::StorageFull);
    });
}

// --- Terminals ---------------------------------------------------------------------------------------------------------

fn is_raw(terminal: &OwnedFd) -> bool {
    !tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ICANON)
}

fn translates(terminal: &OwnedFd) -> bool {
    tcgetattr(terminal).unwrap().output_modes.contains(OutputModes::OPOST)
}

#[test]
fn raw_terminal_gives_keys_at_once_and_unseen() {
    let (master, terminal, _) = terminal();
    run(async {
        let (mut tty, mut person) = (Tty::from_fd(&terminal).unwrap(), Input::from_fd(&master).unwrap());
        let types = |keys: &[u8]| rustix::io::write(&master, keys).unwrap();
        let raw = tty.raw_mode(RawKind::Keys).unwrap();
        types(b"a\x03\r");
        let mut keys = [0; 3];
        tty.read_exact(&mut keys).await.unwrap();
        assert_eq!(&keys, b"a\x03\r", "Ctrl-C is a key as another, and Enter is what was pressed");
        tty.write_all(b"shown\n").await.unwrap();
        expect(&mut person, "shown\r\n").await; // nothing of the keys is to be seen
        let bytes = tty.raw_mode(RawKind::Bytes).unwrap();
        tty.write_all(b"as it is\n").await.unwrap();
        expect(&mut person, "as it is\n").await;
        drop((bytes, raw));
        types(b"li");
        assert!(is_quiet(text(&mut tty)).await);
        types(b"ne\r");
        assert_eq!(text(&mut tty).await, "line\n");
        expect(&mut person, "line\r\n").await; // the terminal shows what is typed
    });
}

#[test]
fn raw_modes_nest_and_end_in_any_order() {
    let (_master, terminal, _) = terminal();
    run(async {
        let (one, other) = (Tty::from_fd(&terminal).unwrap(), Tty::from_fd(&terminal).unwrap());
        let state = || (is_raw(&terminal), translates(&terminal));
        assert_eq!(state(), (false, true));
        let first = one.raw_mode(RawKind::Keys).unwrap();
        let second = other.raw_mode(RawKind::Bytes).unwrap();
        let third = one.raw_mode(RawKind::Keys).unwrap();
        assert_eq!(state(), (true, true));
        drop((one, other)); // a mode outlives the terminal that it was asked of
        drop(third);
        assert_eq!(state(), (true, false));
        drop(first);
        assert_eq!(state(), (true, false));
        drop(second);
        assert_eq!(state(), (false, true));
    });
}

#[test]
fn raw_mode_ends_with_a_panic() {
    let (_master, terminal, _) = terminal();
    run(async {
        let tty = Tty::from_fd(&terminal).unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _raw = tty.raw_mode(RawKind::Bytes).unwrap();
            assert!(is_raw(&terminal));
            resume_unwind(Box::new("quietly"));
        }));
        assert!(panicked.is_err() && !is_raw(&terminal));
    });
}

#[test]
fn raw_mode_outlives_the_terminal() {
    let (master, terminal, _) = terminal();
    run(async {
        let raw = Tty::from_fd(&terminal).unwrap().raw_mode(RawKind::Bytes).unwrap();
        drop((master, terminal));
        drop(raw);
    });
}

#[test]
fn restored_terminals_are_left_alone_by_modes_that_live() {
    in_child("restored_terminals_are_left_alone_by_modes_that_live", "", || {
        let ((_master, one, _), (_other_master, other, _)) = (terminal(), terminal());
        run(async {
            let ttys = [Tty::from_fd(&one).unwrap(), Tty::from_fd(&other).unwrap()];
            let outer = ttys[0].raw_mode(RawKind::Keys).unwrap();
            let inner = ttys[0].raw_mode(RawKind::Bytes).unwrap();
            let _other = ttys[1].raw_mode(RawKind::Bytes).unwrap();
            restore_terminals().unwrap();
            assert!(!is_raw(&one) && !is_raw(&other));
            drop(inner);
            assert!(!is_raw(&one), "the outer mode lives, and has no say any more");
            let anew = ttys[0].raw_mode(RawKind::Keys).unwrap();
            assert!(is_raw(&one));
            drop(outer);
            assert!(is_raw(&one));
            drop(anew);
            assert!(!is_raw(&one));
            restore_terminals().unwrap();
        });
    });
}

#[test]
fn size_of_the_window_is_told() {
    let (_master, terminal, _) = terminal();
    run(async {
        let tty = Tty::from_fd(&terminal).unwrap();
        assert_eq!(tty.size().unwrap(), WindowSize { columns: 0, rows: 0 });
        tty.set_size(WindowSize { columns: 80, rows: 24 }).unwrap();
        assert_eq!(tty.size().unwrap(), WindowSize { columns: 80, rows: 24 });
        assert_eq!(tcgetwinsize(&terminal).unwrap().ws_row, 24);
    });
}

#[test]
fn what_is_no_terminal_is_refused() {
    let (master, _terminal, _) = terminal();
    run(async {
        for (fd, word) in [(OwnedFd::from(pipe().unwrap().0), "no terminal"), (master, "master")] {
            let error = Tty::from_fd(&fd).unwrap_err();
            assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains(word), "{error}");
        }
    });
}

#[test]
fn key_that_comes_after_a_wait_was_given_up_is_not_lost() {
    let (master, terminal, _) = terminal();
    run(async {
        let mut tty = Tty::from_fd(&terminal).unwrap();
        let _raw = tty.raw_mode(RawKind::Keys).unwrap();
        assert!(is_quiet(text(&mut tty)).await);
        rustix::io::write(&master, b"k").unwrap();
        assert_eq!(text(&mut tty).await, "k");
        assert_eq!(tty.write(b"").await.unwrap(), 0);
    });
}

#[test]
fn terminal_that_hangs_up_is_at_its_end() {
    let (master, terminal, _) = terminal();
    run(async {
        let mut input = Input::from_fd(&terminal).unwrap();
        assert!(is_quiet(text(&mut input)).await);
        drop(master);
        assert_eq!(text(&mut input).await, "");
    });
}

#[test]
fn ten_thousand_of_each_leave_no_descriptor() {
    in_child("ten_thousand_of_each_leave_no_descriptor", "", || {
        let ((_master, terminal, _), (reading, writing)) = (terminal(), pipe().unwrap());
        let file = tempfile::tempfile().unwrap();
        run(async {
            let before = open_descriptors();
            for _ in 0..10_000 {
                let tty = Tty::from_fd(&terminal).unwrap();
                drop((tty.raw_mode(RawKind::Keys).unwrap(), tty.raw_mode(RawKind::Bytes).unwrap()));
                let (_other, _file) = (Input::from_fd(&terminal).unwrap(), Output::from_fd(&file).unwrap());
                let (mut output, mut input) = (Output::from_fd(&writing).unwrap(), Input::from_fd(&reading).unwrap());
                output.write_all(b"x").await.unwrap();
                assert_eq!(text(&mut input).await, "x");
            }
            assert_eq!(open_descriptors(), before);
        });
    });
}

// --- As a process has them ---------------------------------------------------------------------------------------------

const MARK: &str = "EVLOOP_TEST_STDIO";

/// This program again, to run the body of that test.
fn again(program: &str, before: &[&str], test: &str) -> Command {
    let mut command = Command::new(program);
    command.args(before).args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, "1");
    command
}

fn this_program() -> String {
    std::env::current_exe().unwrap().into_os_string().into_string().unwrap()
}

/// Gives a child these as its standard input, and tells what it wrote to its standard output.
fn said_by(mut child: Command, input: impl Into<Stdio>) -> Vec<u8> {
    let output = child.stdin(input).output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{complained}", output.status);
    output.stdout
}

/// Echoes its standard input, and ends at once.
fn echo() -> ! {
    run(async {
        let (mut stdin, mut stdout) = (stdin().unwrap(), stdout().unwrap());
        std::io::stdout().write_all(b"begun by std, ").unwrap(); // which keeps it, as a line that is not finished
        drop(stdout);
        stdout = evloop::stdio::stdout().unwrap();
        evloop::io::copy(&mut stdin, &mut stdout).await.unwrap();
    });
    process::exit(0)
}

fn ends_with(said: &[u8], end: &[u8]) {
    let tail = &said[said.len().saturating_sub(end.len())..];
    assert!(tail == end, "{} bytes end with {:?}", said.len(), String::from_utf8_lossy(&tail[..tail.len().min(200)]));
}

#[test]
fn all_that_was_written_is_there_when_the_process_has_ended() {
    if std::env::var_os(MARK).is_some() {
        echo();
    }
    let test = "all_that_was_written_is_there_when_the_process_has_ended";
    let content = [b"begun by std, ".to_vec(), much()].concat();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content[14..]).unwrap();
    file.rewind().unwrap();
    ends_with(&said_by(again(&this_program(), &[], test), file), &content);

    let (reading, mut writing) = pipe().unwrap();
    let writer = std::thread::spawn(move || writing.write_all(&content[14..]).map(|()| content));
    let said = said_by(again(&this_program(), &[], test), reading.try_clone().unwrap());
    let _: PipeReader = reading;
    ends_with(&said, &writer.join().unwrap().unwrap());

    ends_with(&said_by(again(&this_program(), &[], test), Stdio::null()), b"begun by std, ");
    let closed = again("sh", &["-c", "exec \"$0\" \"$@\" <&-", &this_program()], test);
    ends_with(&said_by(closed, Stdio::null()), b"begun by std, ");
}

#[test]
fn standard_input_on_a_terminal_leaves_it_as_it_was_for_others() {
    if std::env::var_os(MARK).is_some() {
        echo();
    }
    let test = "standard_input_on_a_terminal_leaves_it_as_it_was_for_others";
    let (master, terminal, _) = terminal();
    rustix::io::write(&master, b"typed\n\x04").unwrap();
    let said = said_by(again(&this_program(), &[], test), terminal.try_clone().unwrap());
    ends_with(&said, b"begun by std, typed\n");
    assert!(waits(&terminal), "what the child had was this very description");
}

#[test]
fn controlling_terminal_is_one_by_each_of_its_names() {
    let test = "controlling_terminal_is_one_by_each_of_its_names";
    if std::env::var_os(MARK).is_some() {
        return run(async {
            let terminal = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
            let (named, inherited) = (Tty::open().unwrap(), Tty::from_fd(&terminal).unwrap());
            let first = named.raw_mode(RawKind::Keys).unwrap();
            let second = inherited.raw_mode(RawKind::Bytes).unwrap();
            drop(first);
            assert!(is_raw(&terminal) && !translates(&terminal), "another name, the same terminal");
            drop(second);
            assert!(!is_raw(&terminal));
        });
    }
    let (_master, _terminal, path) = terminal();
    // The first terminal that the leader of a session opens controls it.
    let script = format!("exec \"$0\" \"$@\" <{}", path.display());
    let child = again("setsid", &["sh", "-c", &script, &this_program()], test);
    let said = said_by(child, Stdio::null());
    assert!(String::from_utf8_lossy(&said).contains("1 passed"));
}
