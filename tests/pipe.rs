//! Pipes: within the process, by a name, and by a descriptor.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::manual;
use evloop::future::{Either, join, race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::pipe::{PipeReader, PipeWriter, pipe};
use evloop::spawn;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, process, thread};

/// A named pipe for one test, which goes with it.
struct Fifo(PathBuf);

impl Fifo {
    fn new(test: &str) -> Fifo {
        let path = env::temp_dir().join(format!("evloop-{}-{test}.fifo", process::id()));
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Fifo(path)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

async fn rest(mut reader: PipeReader) -> String {
    let mut all = Vec::new();
    reader.read_to_end(&mut all).await.unwrap();
    String::from_utf8(all).unwrap()
}

/// Reads a few bytes, as many as are expected.
async fn read(reader: &mut PipeReader, bytes: usize) -> String {
    let mut buf = vec![0; bytes];
    reader.read_exact(&mut buf).await.unwrap();
    String::from_utf8(buf).unwrap()
}

// --- Within the process ----------------------------------------------------------------------------------------------

#[test]
fn pipe_carries_more_than_it_holds_and_ends_with_its_writer() {
    manual().block_on(async {
        let (reader, mut writer) = pipe().unwrap();
        let text = "0123456789".repeat(100_000);
        let write = async {
            writer.write_all(text.as_bytes()).await.unwrap();
            drop(writer);
        };
        assert!(join(write, rest(reader)).await.1 == text);
    });
}

#[test]
fn shut_down_writer_ends_the_stream_and_takes_no_more() {
    manual().block_on(async {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"all").await.unwrap();
        writer.shutdown().await.unwrap();
        assert_eq!(rest(reader).await, "all");
        assert_eq!(writer.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        writer.shutdown().await.unwrap();
        assert_eq!(writer.into_fd().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn writer_that_waits_for_room_hears_that_the_reader_has_gone() {
    manual().block_on(async {
        let (reader, mut writer) = pipe().unwrap();
        let task = spawn(async move { writer.write_all(&vec![0; 1_000_000]).await });
        yield_now().await;
        assert!(!task.is_finished());
        drop(reader);
        assert_eq!(task.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn reader_that_waits_hears_of_bytes_and_of_the_end() {
    manual().block_on(async {
        let (mut reader, mut writer) = pipe().unwrap();
        let task = spawn(async move { (read(&mut reader, 2).await, rest(reader).await) });
        yield_now().await;
        writer.write_all(b"ab").await.unwrap();
        yield_now().await;
        drop(writer);
        assert_eq!(task.await.unwrap(), ("ab".to_owned(), String::new()));
    });
}

// --- By a descriptor -------------------------------------------------------------------------------------------------

#[test]
fn descriptor_comes_and_goes_and_blocks_again() {
    manual().block_on(async {
        let (reading, writing) = std::io::pipe().unwrap();
        let (reader, mut writer) = (PipeReader::from_fd(reading).unwrap(), PipeWriter::from_fd(writing).unwrap());
        writer.write_all(b"through").await.unwrap();
        let mut std_reader = File::from(reader.into_fd().unwrap());
        let mut buf = [0; 7];
        std_reader.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"through");

        let late = thread::spawn(move || {
            let mut all = String::new();
            std_reader.read_to_string(&mut all).map(|_| all)
        });
        File::from(writer.into_fd().unwrap()).write_all(b"waited for").unwrap();
        assert_eq!(late.join().unwrap().unwrap(), "waited for");
    });
}

#[test]
fn descriptor_that_is_no_such_end_is_refused() {
    manual().block_on(async {
        let (reading, writing) = std::io::pipe().unwrap();
        let file = File::open("/proc/self/status").unwrap();
        let socket = std::os::unix::net::UnixStream::pair().unwrap().0;
        for (error, reason) in [
            (PipeReader::from_fd(writing).unwrap_err(), "not for reading"),
            (PipeWriter::from_fd(reading).unwrap_err(), "not for writing"),
            (PipeReader::from_fd(file).unwrap_err(), "not a pipe"),
            (PipeWriter::from_fd(socket).unwrap_err(), "not a pipe"),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(reason), "{error}");
        }
    });
}

// --- By a name -------------------------------------------------------------------------------------------------------

#[test]
fn named_reader_waits_for_the_first_writer_and_ends_with_the_last() {
    let fifo = Fifo::new("first");
    manual().block_on(async {
        let reader = PipeReader::open(&fifo.0).unwrap();
        let task = spawn(rest(reader));
        yield_now().await;
        assert!(!task.is_finished(), "nobody has written yet: that is no end");
        let mut one = PipeWriter::open(&fifo.0).unwrap();
        let mut other = PipeWriter::open(&fifo.0).unwrap();
        one.write_all(b"one ").await.unwrap();
        drop(one);
        yield_now().await;
        other.write_all(b"other").await.unwrap();
        drop(other);
        assert_eq!(task.await.unwrap(), "one other");
    });
}

#[test]
fn named_reader_has_what_was_written_before_it_came() {
    let fifo = Fifo::new("before");
    // Open for both, as a shell's `<>`, it waits for nobody.
    let mut std_end = OpenOptions::new().read(true).write(true).open(&fifo.0).unwrap();
    std_end.write_all(b"early").unwrap();
    manual().block_on(async {
        let mut reader = PipeReader::open(&fifo.0).unwrap();
        assert_eq!(read(&mut reader, 5).await, "early");
        drop(std_end);
        assert_eq!(rest(reader).await, "");
    });
}

#[test]
fn named_reader_goes_on_with_another_writer() {
    let fifo = Fifo::new("another");
    manual().block_on(async {
        let mut reader = PipeReader::open(&fifo.0).unwrap();
        for word in ["first", "again"] {
            let mut writer = PipeWriter::open(&fifo.0).unwrap();
            let write = async {
                yield_now().await; // the reader finds nothing, though it has seen an end before
                writer.write_all(word.as_bytes()).await.unwrap();
                drop(writer);
            };
            assert_eq!(join(read(&mut reader, 5), write).await.0, word);
            assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
        }
    });
}

#[test]
fn endless_reader_outlasts_its_writers() {
    let fifo = Fifo::new("endless");
    manual().block_on(async {
        let mut reader = PipeReader::open_endless(&fifo.0).unwrap();
        for word in ["first", "again"] {
            PipeWriter::open(&fifo.0).unwrap().write_all(word.as_bytes()).await.unwrap();
            assert_eq!(read(&mut reader, 5).await, word);
        }
        let task = spawn(rest(reader));
        yield_now().await;
        assert!(!task.is_finished());
    });
}

#[test]
fn name_that_nobody_reads_or_that_is_no_pipe_is_refused() {
    let fifo = Fifo::new("refused");
    manual().block_on(async {
        for (error, kind, reason) in [
            (PipeWriter::open(&fifo.0).unwrap_err(), ErrorKind::ConnectionRefused, "for reading"),
            (PipeReader::open("/proc/self/status").unwrap_err(), ErrorKind::InvalidInput, "something else"),
            (PipeReader::open("/nowhere/at/all").unwrap_err(), ErrorKind::NotFound, "No such file"),
        ] {
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    });
}

// --- The loop --------------------------------------------------------------------------------------------------------

#[test]
fn end_counts_for_the_loop_when_told_so() {
    let runtime = manual();
    let (reader, mut writer) = runtime.enter(|| pipe().unwrap());
    assert!(!runtime.is_alive());
    reader.set_referenced(true);
    assert!(runtime.is_alive());
    drop(reader);
    assert!(!runtime.is_alive());
    writer.set_referenced(true);
    assert!(runtime.is_alive());
    runtime.block_on(async { writer.shutdown().await.unwrap() });
    assert!(!runtime.is_alive());
}

#[test]
fn ten_thousand_pipes_leave_no_descriptor() {
    common::in_child("ten_thousand_pipes_leave_no_descriptor", "", || {
        let open = || fs::read_dir(Path::new("/proc/self/fd")).unwrap().count();
        manual().block_on(async {
            let before = open();
            for _ in 0..10_000 {
                let (reader, mut writer) = pipe().unwrap();
                writer.write_all(b"x").await.unwrap();
                let fd: OwnedFd = reader.into_fd().unwrap();
                drop(writer);
                assert_eq!(rest(PipeReader::from_fd(fd).unwrap()).await, "x");
            }
            assert_eq!(open(), before);
        });
    });
}

#[test]
fn packets_of_whom_writes_are_all_read() {
    use rustix::fs::{OFlags, fcntl_setfl};
    manual().block_on(async {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut reader = PipeReader::from_fd(reader).unwrap();
        fcntl_setfl(&writer, OFlags::DIRECT).unwrap(); // at that end alone
        for packet in [b"one", b"two"] {
            rustix::io::write(&writer, packet).unwrap();
        }
        for packet in [b"one", b"two"] {
            for _ in 0..2 {
                yield_now().await; // the edge is in
            }
            let mut buf = [0; 16];
            let Either::Left(count) = race(reader.read(&mut buf), yield_now()).await else { panic!("it is there") };
            assert_eq!(&buf[..count.unwrap()], packet);
        }
    });
}
