//! libuv's tests of files, under its names, as far as `fs.rs` and `watch.rs` do not have them. `libuv.md` says where
//! each of them is.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{manual, run_until_done, until};
use evloop::fs::watch::Watcher;
use evloop::fs::{self, File};
use evloop::io::{AsyncRead, AsyncWrite};
use std::io::{ErrorKind, SeekFrom};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

/// What a test does with a folder of its own.
fn with_folder<F: Future<Output = ()>>(body: impl FnOnce(PathBuf) -> F) {
    let folder = tempfile::tempdir().unwrap();
    manual().block_on(body(folder.path().to_owned()));
}

#[test]
fn fs_file_noent() {
    with_folder(async |folder| {
        assert_eq!(File::open(folder.join("nothing")).await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn fs_file_nametoolong() {
    with_folder(async |folder| {
        let error = File::open(folder.join("x".repeat(5_000))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidFilename, "{error}");
    });
}

/// A link to itself leads nowhere.
#[test]
fn fs_file_loop() {
    with_folder(async |folder| {
        let link = folder.join("link");
        fs::symlink(&link, &link).await.unwrap();
        let error = File::open(&link).await.unwrap_err();
        assert!(error.to_string().contains("symbolic links"), "{error}");
    });
}

/// A link to a folder is read as the folder, and removed as a link.
#[test]
fn fs_symlink_dir() {
    with_folder(async |folder| {
        fs::create_dir(folder.join("real")).await.unwrap();
        fs::write(folder.join("real/file"), "x").await.unwrap();
        fs::symlink("real", folder.join("link")).await.unwrap();
        assert!(fs::metadata(folder.join("link")).await.unwrap().is_dir());
        assert!(fs::symlink_metadata(folder.join("link")).await.unwrap().is_symlink());
        let mut entries = fs::read_dir(folder.join("link")).await.unwrap();
        assert_eq!(entries.next_entry().await.unwrap().unwrap().file_name(), "file");
        fs::remove_file(folder.join("link")).await.unwrap();
        assert!(fs::try_exists(folder.join("real/file")).await.unwrap());
    });
}

/// An open file tells what its path tells.
#[test]
fn fs_fstat() {
    with_folder(async |folder| {
        let mut file = File::create(folder.join("file")).await.unwrap();
        file.write_all(b"test-buffer\n").await.unwrap();
        file.flush().await.unwrap();
        let (open, named) = (file.metadata().await.unwrap(), fs::metadata(folder.join("file")).await.unwrap());
        assert_eq!((open.len(), open.ino(), open.dev()), (12, named.ino(), named.dev()));
        assert_eq!((open.uid(), open.mode(), open.mtime_nsec()), (named.uid(), named.mode(), named.mtime_nsec()));
    });
}

/// A file is removed by who may write to its folder, whatever its own permissions.
#[test]
fn fs_unlink_readonly() {
    with_folder(async |folder| {
        fs::write(folder.join("file"), "x").await.unwrap();
        fs::set_permissions(folder.join("file"), fs::Permissions::from_mode(0o444)).await.unwrap();
        fs::remove_file(folder.join("file")).await.unwrap();
        assert!(!fs::try_exists(folder.join("file")).await.unwrap());
    });
}

/// The bytes of many buffers, more of them than one system call takes, stand one after the other at the place that was
/// named.
async fn write_many(folder: PathBuf, offset: u64) {
    const BUFFERS: usize = 2_500;
    let path = folder.join("file");
    fs::write(&path, vec![b'.'; usize::try_from(offset).unwrap()]).await.unwrap();
    let file = File::options().read(true).write(true).open(&path).await.unwrap();
    let (mut left, mut at) = (vec![b"0123456789".to_vec(); BUFFERS], offset);
    while !left.is_empty() {
        let (written, buffers) = file.write_vectored_at(left, at).await;
        let written = written.unwrap();
        assert!(written > 0 && written % 10 == 0, "whole buffers on a disk with room: {written}");
        left = buffers[written / 10..].to_vec();
        at += u64::try_from(written).unwrap();
    }
    let mut expected = vec![b'.'; usize::try_from(offset).unwrap()];
    expected.extend(b"0123456789".repeat(BUFFERS));
    assert!(fs::read(&path).await.unwrap() == expected);
}

#[test]
fn fs_write_alotof_bufs() {
    with_folder(|folder| write_many(folder, 0));
}

#[test]
fn fs_write_alotof_bufs_with_offset() {
    with_folder(|folder| write_many(folder, 10));
}

/// Reading and writing at a place that is named leaves the file's own place where it was.
#[test]
fn fs_file_pos_after_op_with_offset() {
    with_folder(async |folder| {
        fs::write(folder.join("file"), "0123456789").await.unwrap();
        let mut file = File::options().read(true).write(true).open(folder.join("file")).await.unwrap();
        file.seek(SeekFrom::Start(2)).await.unwrap();
        file.write_all_at(b"xy".to_vec(), 6).await.0.unwrap();
        let (read, buf) = file.read_at(vec![0; 4], 5).await;
        assert_eq!((read.unwrap(), &*buf), (4, &b"5xy8"[..]));
        assert_eq!(file.stream_position().await.unwrap(), 2);
        let mut next = [0; 2];
        file.read_exact(&mut next).await.unwrap();
        assert_eq!(&next, b"23");
    });
}

#[test]
fn fs_scandir_empty_dir() {
    with_folder(async |folder| {
        let mut entries = fs::read_dir(&folder).await.unwrap();
        assert!(entries.next_entry().await.unwrap().is_none());
        assert!(entries.next_entry().await.unwrap().is_none(), "the end stays the end");
    });
}

#[test]
fn fs_scandir_non_existent_dir() {
    with_folder(async |folder| {
        let error = fs::read_dir(folder.join("nothing")).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

/// A watcher that is closed with events that nobody has taken, that of a removed file among them, leaves nothing that
/// waits.
#[test]
fn fs_event_close_with_pending_event() {
    let (runtime, folder) = (manual(), tempfile::tempdir().unwrap());
    runtime.block_on(async {
        let mut watcher = Watcher::new().unwrap();
        watcher.add(folder.path()).await.unwrap();
        fs::write(folder.path().join("file"), "x").await.unwrap();
        fs::remove_file(folder.path().join("file")).await.unwrap();
        watcher.set_referenced(true);
    });
    until(|| runtime.pool_load().total().running == 0);
    assert!(!run_until_done(&runtime));
    runtime.close().unwrap();
}
