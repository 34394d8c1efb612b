//! Files: what a job of the pool does to them, in which order, and what is left when nobody waits for it any more.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Counter, in_child, manual, narrow, observed, run_until_done};
use evloop::fs::{self, Access, File, OpenOptions, TempDir, TempFile};
use evloop::future::join;
use evloop::io::{AsyncRead, AsyncWrite, copy};
use evloop::{Runtime, spawn, spawn_blocking};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};

/// What a test does with a folder of its own.
fn with_folder<F: Future<Output = ()>>(body: impl FnOnce(PathBuf) -> F) {
    let folder = tempfile::tempdir().unwrap();
    manual().block_on(body(folder.path().to_owned()));
}

/// As [`with_folder`], on a loop whose pool has one thread.
fn with_one_thread<F: Future<Output = ()>>(body: impl FnOnce(PathBuf) -> F) {
    let folder = tempfile::tempdir().unwrap();
    narrow().block_on(body(folder.path().to_owned()));
}

/// Polls once, so that its job is submitted, and drops it: whether it is pending.
async fn begin_and_drop(future: impl Future) -> bool {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// The same, while the only thread of the pool is busy: so the job cannot have been done.
async fn drop_while_it_waits(future: impl Future) {
    let (open, wait) = mpsc::channel::<()>();
    let busy = spawn_blocking(move || assert!(wait.recv().is_err()));
    assert!(begin_and_drop(future).await);
    drop(open);
    busy.await.unwrap();
}

/// Spawns what a test does, and runs until that and every job of the pool is done.
fn run_to_the_end(runtime: &Runtime, body: impl Future<Output = ()> + 'static) {
    let task = runtime.enter(|| spawn(body));
    assert!(!run_until_done(runtime));
    runtime.block_on(task).unwrap();
}

#[track_caller]
fn assert_tells(error: &io::Error, kind: ErrorKind, beginning: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().starts_with(beginning), "{error}");
}

/// How many bytes that many; no two pages of them are alike.
fn pattern(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_ne_bytes()[0]).collect()
}

// --- In order ---------------------------------------------------------------------------------------------------------

#[test]
fn fs_file_async_is_written_renamed_read_and_removed() {
    with_folder(async |folder| {
        let (first, second) = (folder.join("first"), folder.join("second"));
        let mut file = OpenOptions::new().write(true).create(true).mode(0o600).open(&first).await.unwrap();
        file.write_all(b"test-buffer\n").await.unwrap();
        file.sync_all().await.unwrap();
        file.sync_data().await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 12);
        file.set_len(7).await.unwrap();
        file.close().await.unwrap();
        fs::rename(&first, &second).await.unwrap();
        assert_eq!(fs::read(&second).await.unwrap(), b"test-bu");
        assert_eq!(fs::metadata(&second).await.unwrap().mode() & 0o777, 0o600);
        fs::remove_file(&second).await.unwrap();
        assert!(!fs::try_exists(&second).await.unwrap());
    });
}

#[test]
fn position_is_what_was_read_and_not_what_was_fetched() {
    with_folder(async |folder| {
        let path = folder.join("digits");
        fs::write(&path, "0123456789").await.unwrap();
        let mut file = OpenOptions::new().read(true).write(true).open(&path).await.unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"01");
        assert_eq!(file.stream_position().await.unwrap(), 2);
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(file.seek(SeekFrom::Current(2)).await.unwrap(), 6);
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"67");
        file.write_all(b"x").await.unwrap();
        file.read_exact(&mut two[..1]).await.unwrap();
        assert_eq!(two[0], b'9', "the write has gone to the place of the 8");
        file.flush().await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"01234567x9");
        assert_eq!(file.seek(SeekFrom::End(-3)).await.unwrap(), 7);
        assert_tells(
            &file.seek(SeekFrom::Current(-8)).await.unwrap_err(),
            ErrorKind::InvalidInput,
            &format!("cannot seek in {}: ", path.display()),
        );
        assert_eq!(file.stream_position().await.unwrap(), 7);
    });
}

#[test]
fn std_and_a_clone_have_the_position_too() {
    with_folder(async |folder| {
        let path = folder.join("digits");
        fs::write(&path, "0123456789").await.unwrap();
        let mut file = File::open(&path).await.unwrap();
        file.read_exact(&mut [0; 3]).await.unwrap();
        let mut clone = file.try_clone().await.unwrap();
        let mut one = [0];
        clone.read_exact(&mut one).await.unwrap();
        assert_eq!(&one, b"3");
        let mut clone = clone.into_std().await.unwrap();
        assert_eq!(clone.stream_position().unwrap(), 4);
        clone.read_exact(&mut one).unwrap();
        assert_eq!(&one, b"4");
        let mut again = File::from_std(clone);
        again.read_exact(&mut one).await.unwrap();
        assert_eq!(&one, b"5");
        drop(file);
    });
}

#[test]
fn copy_moves_more_than_a_buffer() {
    with_folder(async |folder| {
        let (from, to) = (folder.join("from"), folder.join("to"));
        let bytes = pattern(300_000);
        fs::write(&from, bytes.clone()).await.unwrap();
        let (mut reader, mut writer) = (File::open(&from).await.unwrap(), File::create(&to).await.unwrap());
        assert_eq!(copy(&mut reader, &mut writer).await.unwrap(), 300_000);
        assert!(fs::read(&to).await.unwrap() == bytes);
    });
}

#[test]
fn small_reads_share_a_job() {
    let counter = Rc::new(Counter::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    std::fs::write(&path, pattern(64_000)).unwrap();
    observed(counter.clone()).block_on(async {
        let mut file = File::open(&path).await.unwrap();
        let before = counter.polls.get();
        for _ in 0..1_000 {
            file.read_exact(&mut [0; 64]).await.unwrap();
        }
        let polls = counter.polls.get() - before;
        assert!(polls < 20, "one job, and a poll for each 128 operations, are {polls} polls");
    });
}

#[test]
fn end_is_told_and_what_is_appended_is_read_on() {
    with_folder(async |folder| {
        let path = folder.join("log");
        fs::append(&path, "one").await.unwrap();
        let mut file = File::open(&path).await.unwrap();
        let mut bytes = Vec::new();
        assert_eq!(file.read_to_end(&mut bytes).await.unwrap(), 3);
        fs::append(&path, "two").await.unwrap();
        assert_eq!(file.read_to_end(&mut bytes).await.unwrap(), 3);
        assert_eq!(bytes, b"onetwo");
    });
}

#[test]
fn appending_file_writes_at_the_end_wherever_it_has_read() {
    with_folder(async |folder| {
        let path = folder.join("log");
        fs::write(&path, "0123").await.unwrap();
        let mut file = OpenOptions::new().read(true).append(true).open(&path).await.unwrap();
        file.read_exact(&mut [0; 2]).await.unwrap();
        file.write_all(b"4").await.unwrap();
        file.close().await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"01234");
    });
}

// --- Half-way ---------------------------------------------------------------------------------------------------------

#[test]
fn dropped_read_leaves_its_bytes_to_the_next() {
    with_one_thread(async |folder| {
        let path = folder.join("digits");
        fs::write(&path, "0123456789").await.unwrap();
        let mut file = File::open(&path).await.unwrap();
        drop_while_it_waits(file.read(&mut [0; 4])).await;
        let mut all = Vec::new();
        file.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"0123456789");
    });
}

#[test]
fn dropped_seek_and_flush_are_done_before_what_follows() {
    with_one_thread(async |folder| {
        let path = folder.join("digits");
        let mut file = File::create_new(&path).await.unwrap();
        file.write_all(b"0123").await.unwrap();
        drop_while_it_waits(file.flush()).await;
        file.write_all(b"45").await.unwrap();
        drop_while_it_waits(file.seek(SeekFrom::Start(1))).await;
        file.write_all(b"x").await.unwrap();
        file.rewind().await.unwrap();
        let mut all = Vec::new();
        file.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"0x2345");
    });
}

#[test]
fn dropped_file_has_its_bytes_written() {
    for flush_is_under_way in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        let (runtime, theirs) = (manual(), path.clone());
        run_to_the_end(&runtime, async move {
            let mut file = File::create(&theirs).await.unwrap();
            file.write_all(b"kept").await.unwrap();
            if flush_is_under_way {
                begin_and_drop(file.flush()).await;
            }
        });
        assert_eq!(std::fs::read(&path).unwrap(), b"kept", "{flush_is_under_way}");
    }
}

#[test]
fn file_that_outlives_its_loop_writes_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    let file = manual().block_on(async {
        let mut file = File::create(&path).await.unwrap();
        file.write_all(b"kept").await.unwrap();
        file
    });
    drop(file);
    assert_eq!(std::fs::read(&path).unwrap(), b"kept");
}

#[test]
fn failed_write_is_told_once_and_to_the_next_if_nobody_waited() {
    narrow().block_on(async {
        let mut full = OpenOptions::new().write(true).open("/dev/full").await.unwrap();
        full.write_all(b"x").await.unwrap();
        let error = full.flush().await.unwrap_err();
        assert_tells(&error, ErrorKind::StorageFull, "cannot write /dev/full: ");
        full.flush().await.unwrap();

        full.write_all(b"x").await.unwrap();
        drop_while_it_waits(full.flush()).await;
        assert_eq!(full.sync_data().await.unwrap_err().kind(), ErrorKind::StorageFull);
        full.flush().await.unwrap();
    });
}

#[test]
fn file_not_opened_for_it_refuses_to_be_read_or_written() {
    with_folder(async |folder| {
        let path = folder.join("a");
        let mut writes = File::create(&path).await.unwrap();
        let error = writes.read(&mut [0]).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot read {}: ", path.display())), "{error}");
        writes.write_all(b"and goes on").await.unwrap();
        writes.close().await.unwrap();
        let mut reads = File::open(&path).await.unwrap();
        reads.write_all(b"x").await.unwrap();
        assert!(reads.flush().await.unwrap_err().to_string().starts_with("cannot write "));
        let mut all = Vec::new();
        reads.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"and goes on");
    });
}

#[test]
fn nothing_stays_open_for_nobody() {
    in_child("nothing_stays_open_for_nobody", "", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "").unwrap();
        let (runtime, theirs) = (manual(), path.clone());
        run_to_the_end(&runtime, async move {
            for _ in 0..200 {
                begin_and_drop(File::open(&theirs)).await;
                begin_and_drop(fs::read_dir(theirs.parent().unwrap())).await;
                begin_and_drop(TempFile::new_in(theirs.parent().unwrap())).await;
                begin_and_drop(TempDir::new_in(theirs.parent().unwrap())).await;
                drop(File::open(&theirs).await.unwrap());
                fs::temp_file().await.unwrap().close().await.unwrap();
            }
        });
        let open =
            std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.unwrap().path().read_link().ok());
        let ours: Vec<PathBuf> = open.filter(|open| open.starts_with(folder.path())).collect();
        assert_eq!(ours, [""; 0].map(PathBuf::from));
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "what was made for nobody is removed");
    });
}

// --- At a position ----------------------------------------------------------------------------------------------------

#[test]
fn fs_read_bufs_fills_one_after_the_other() {
    with_folder(async |folder| {
        let file = File::create_new(folder.join("a")).await.unwrap();
        let (written, _) = file.write_vectored_at(vec!["012", "", "3456789"], 0).await;
        assert_eq!(written.unwrap(), 10);
        let (read, bufs) = file.read_vectored_at(vec![vec![0; 4], vec![0; 2], vec![0; 8]], 1).await;
        assert_eq!(read.unwrap(), 9);
        assert_eq!(bufs, [&b"1234"[..], b"56", b"789\0\0\0\0\0"]);
        let (read, none) = file.read_vectored_at(Vec::<Vec<u8>>::new(), 0).await;
        assert_eq!((read.unwrap(), none.len()), (0, 0));
    });
}

#[test]
fn fs_partial_read_is_short_and_exact_is_an_error() {
    with_folder(async |folder| {
        let path = folder.join("a");
        fs::write(&path, "0123456789").await.unwrap();
        let file = File::open(&path).await.unwrap();
        let (read, buf) = file.read_at(vec![b'-'; 4], 8).await;
        assert_eq!((read.unwrap(), &buf[..]), (2, &b"89--"[..]));
        let (read, buf) = file.read_exact_at(buf, 8).await;
        assert_tells(&read.unwrap_err(), ErrorKind::UnexpectedEof, &format!("cannot read {}: ", path.display()));
        assert_eq!(buf.len(), 4, "it has come back with the error");
        assert_eq!(file.read_at(buf, 99).await.0.unwrap(), 0);
    });
}

#[test]
fn fs_partial_write_is_told_and_write_all_goes_on() {
    with_folder(async |folder| {
        let file = File::create_new(folder.join("a")).await.unwrap();
        assert_eq!(file.write_at("0123", 0).await.0.unwrap(), 4);
        file.write_all_at(vec![b'x'; 100_000], 2).await.0.unwrap();
        file.write_all_at(String::from("yz"), 3).await.0.unwrap();
        let (read, bytes) = file.read_at(vec![0; 6], 0).await;
        assert_eq!((read.unwrap(), &bytes[..]), (6, &b"01xyzx"[..]));
        assert_eq!(file.metadata().await.unwrap().len(), 100_002);
        let (failed, back) = file.write_at(vec![1, 2, 3], u64::MAX).await;
        assert!(failed.is_err());
        assert_eq!(back, [1, 2, 3]);
    });
}

#[test]
fn buffers_are_lent_and_several_are_under_way() {
    with_folder(async |folder| {
        let path = folder.join("a");
        let bytes = pattern(1 << 20);
        fs::write(&path, bytes.clone()).await.unwrap();
        let file = File::open(&path).await.unwrap();
        let (first, second) = (vec![0; 1 << 19], vec![0; 1 << 19]);
        let places = (first.as_ptr() as usize, second.as_ptr() as usize);
        let ((one, first), (other, second)) =
            join(file.read_exact_at(first, 0), file.read_exact_at(second, 1 << 19)).await;
        one.and(other).unwrap();
        assert_eq!((first.as_ptr() as usize, second.as_ptr() as usize), places, "the same memory comes back");
        assert!([first, second].concat() == bytes);
    });
}

// --- Locks ------------------------------------------------------------------------------------------------------------

#[test]
fn lock_waits_and_a_lock_for_nobody_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let runtime = manual();
    run_to_the_end(&runtime, async move {
        let (first, second) = (File::create_new(&path).await.unwrap(), File::open(&path).await.unwrap());
        first.lock().await.unwrap();
        assert!(!second.try_lock().await.unwrap());
        assert!(!second.try_lock_shared().await.unwrap());
        begin_and_drop(second.lock()).await;
        let third = File::open(&path).await.unwrap();
        let waits = spawn(async move {
            third.lock().await.unwrap();
            third.unlock().await.unwrap();
            third.lock_shared().await.unwrap();
            third
        });
        first.unlock().await.unwrap();
        let third = waits.await.unwrap();
        assert!(second.try_lock_shared().await.unwrap());
        second.unlock().await.unwrap();
        drop(third);
    });
}

// --- Paths ------------------------------------------------------------------------------------------------------------

#[test]
fn fs_stat_missing_path_is_told_by_operation_and_path() {
    manual().block_on(async {
        let missing = "/no/such/thing";
        let error = fs::metadata(missing).await.unwrap_err();
        assert_tells(&error, ErrorKind::NotFound, "cannot look at /no/such/thing: ");
        let source = error.get_ref().unwrap().source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
        for (error, beginning) in [
            (File::open(missing).await.map(drop).unwrap_err(), "cannot open "),
            (fs::read(missing).await.map(drop).unwrap_err(), "cannot read "),
            (fs::write(missing, "x").await.unwrap_err(), "cannot write "),
            (fs::replace(missing, "x").await.unwrap_err(), "cannot replace "),
            (fs::remove_file(missing).await.unwrap_err(), "cannot remove "),
            (fs::rename(missing, "/tmp/x").await.unwrap_err(), "cannot rename /no/such/thing to /tmp/x: "),
            (fs::copy(missing, "/tmp/x").await.map(drop).unwrap_err(), "cannot copy /no/such/thing to /tmp/x: "),
            (fs::read_dir(missing).await.map(drop).unwrap_err(), "cannot read "),
            (fs::walk(missing).next_entry().await.map(drop).unwrap_err(), "cannot read "),
            (TempDir::new_in(missing).await.map(drop).unwrap_err(), "cannot create a folder in "),
            (TempFile::new_in(missing).await.map(drop).unwrap_err(), "cannot create a file in "),
            (fs::space(missing).await.map(drop).unwrap_err(), "cannot look at the file system of "),
            (fs::access(missing, Access::EXISTS).await.unwrap_err(), "cannot access "),
        ] {
            assert_tells(&error, ErrorKind::NotFound, beginning);
            assert!(error.to_string().contains(missing), "{error}");
        }
    });
}

#[test]
fn path_with_a_nul_is_refused_and_shown() {
    manual().block_on(async {
        let path = "/tmp/a\0b\n";
        for error in [
            File::open(path).await.map(drop).unwrap_err(),
            fs::metadata(path).await.map(drop).unwrap_err(),
            fs::mkfifo(path, 0o600).await.unwrap_err(),
            fs::replace(path, "").await.unwrap_err(),
            fs::set_times(path, None, None).await.unwrap_err(),
            fs::walk(path).next_entry().await.map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains(r#""/tmp/a\0b\n""#), "{error}");
        }
        assert_tells(&fs::metadata("").await.unwrap_err(), ErrorKind::NotFound, r#"cannot look at "": "#);
    });
}

#[test]
fn fs_symlink_is_followed_or_not_as_asked() {
    with_folder(async |folder| {
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, "content").await.unwrap();
        fs::symlink("file", &link).await.unwrap();
        assert_eq!(fs::read_link(&link).await.unwrap(), Path::new("file"));
        assert!(fs::metadata(&link).await.unwrap().is_file());
        assert!(fs::symlink_metadata(&link).await.unwrap().is_symlink());
        assert_eq!(fs::canonicalize(&link).await.unwrap(), fs::canonicalize(&file).await.unwrap());
        fs::hard_link(&file, folder.join("other")).await.unwrap();
        assert_eq!(fs::metadata(&file).await.unwrap().nlink(), 2);
        fs::remove_file(&file).await.unwrap();
        assert!(!fs::try_exists(&link).await.unwrap(), "it leads nowhere");
        assert_eq!(fs::read_link(folder.join("other")).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn fs_utime_sets_the_times_that_it_is_given() {
    with_folder(async |folder| {
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, "").await.unwrap();
        fs::symlink("file", &link).await.unwrap();
        let (long_ago, then) = (UNIX_EPOCH - Duration::new(400_000, 250), UNIX_EPOCH + Duration::new(1_000, 5));
        fs::set_times(&link, Some(long_ago), Some(then)).await.unwrap();
        let found = fs::metadata(&file).await.unwrap();
        assert_eq!((found.accessed().unwrap(), found.modified().unwrap()), (long_ago, then));
        fs::set_times(&file, None, Some(long_ago)).await.unwrap();
        fs::set_symlink_times(&link, None, Some(then)).await.unwrap();
        assert_eq!(fs::metadata(&file).await.unwrap().modified().unwrap(), long_ago);
        assert_eq!(fs::symlink_metadata(&link).await.unwrap().modified().unwrap(), then);
        let open = File::open(&file).await.unwrap();
        open.set_times(fs::FileTimes::new().set_modified(then)).await.unwrap();
        assert_eq!(open.metadata().await.unwrap().modified().unwrap(), then);
    });
}

#[test]
fn fs_rename_to_existing_file_replaces_it() {
    with_folder(async |folder| {
        let (new, old) = (folder.join("new"), folder.join("old"));
        fs::write(&new, "new").await.unwrap();
        fs::write(&old, "old").await.unwrap();
        fs::rename(&new, &old).await.unwrap();
        assert_eq!(fs::read_to_string(&old).await.unwrap(), "new");
        assert!(!fs::try_exists(&new).await.unwrap());
    });
}

#[test]
fn fs_open_dir_can_be_opened_and_not_be_read() {
    with_folder(async |folder| {
        let mut open = File::open(&folder).await.unwrap();
        assert!(open.metadata().await.unwrap().is_dir());
        assert_tells(&open.read(&mut [0]).await.unwrap_err(), ErrorKind::IsADirectory, "cannot read ");
        assert_eq!(File::create(&folder).await.unwrap_err().kind(), ErrorKind::IsADirectory);
    });
}

#[test]
fn fs_access_and_permissions() {
    with_folder(async |folder| {
        let file = folder.join("file");
        fs::write(&file, "").await.unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).await.unwrap();
        fs::access(&file, Access::EXISTS).await.unwrap();
        fs::access(&file, Access::READ | Access::WRITE).await.unwrap();
        // Even the administrator may not execute what nobody may.
        let error = fs::access(&file, Access::EXECUTE).await.unwrap_err();
        assert_tells(&error, ErrorKind::PermissionDenied, "cannot access ");
        File::open(&file).await.unwrap().set_permissions(fs::Permissions::from_mode(0o700)).await.unwrap();
        fs::access(&file, Access::EXECUTE).await.unwrap();
    });
}

#[test]
fn fs_chown_to_its_owner_is_allowed() {
    with_folder(async |folder| {
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, "").await.unwrap();
        fs::symlink("nowhere", &link).await.unwrap();
        let found = fs::metadata(&file).await.unwrap();
        let (user, group) = (Some(found.uid()), Some(found.gid()));
        fs::chown(&file, user, group).await.unwrap();
        fs::chown(&file, None, None).await.unwrap();
        fs::lchown(&link, user, group).await.unwrap();
        assert_tells(
            &fs::chown(&link, user, group).await.unwrap_err(),
            ErrorKind::NotFound,
            "cannot change the owner of ",
        );
        File::open(&file).await.unwrap().chown(user, group).await.unwrap();
    });
}

#[test]
fn fs_copyfile_copies_contents_and_permissions() {
    with_folder(async |folder| {
        let (from, to) = (folder.join("from"), folder.join("to"));
        let bytes = pattern(200_000);
        fs::write(&from, bytes.clone()).await.unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).await.unwrap();
        fs::write(&to, "something else").await.unwrap();
        assert_eq!(fs::copy(&from, &to).await.unwrap(), 200_000);
        assert!(fs::read(&to).await.unwrap() == bytes);
        assert_eq!(fs::metadata(&to).await.unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::copy(&folder, &to).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn fs_statfs_tells_how_large_the_file_system_is() {
    manual().block_on(async {
        let space = fs::space("/").await.unwrap();
        assert!(space.total_bytes >= space.free_bytes && space.free_bytes >= space.available_bytes, "{space:?}");
        assert!(space.total_bytes > 0 && space.block_bytes > 0 && space.name_bytes_max >= 14, "{space:?}");
    });
}

#[test]
fn folders_are_made_and_removed() {
    with_folder(async |folder| {
        let deep = folder.join("a/b/c");
        assert_eq!(fs::create_dir(&deep).await.unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir_all(&deep).await.unwrap();
        fs::create_dir_all(&deep).await.unwrap();
        assert_eq!(fs::create_dir(&deep).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs::create_dir_with_mode(deep.join("d"), 0o700).await.unwrap();
        assert_eq!(fs::metadata(deep.join("d")).await.unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::remove_dir(&deep).await.unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_dir(deep.join("d")).await.unwrap();
        fs::remove_dir_all(folder.join("a")).await.unwrap();
        assert!(!fs::try_exists(folder.join("a")).await.unwrap());
    });
}

#[test]
fn loop_turns_while_a_named_pipe_is_opened() {
    with_folder(async |folder| {
        let path = folder.join("pipe");
        fs::mkfifo(&path, 0o600).await.unwrap();
        assert!(fs::metadata(&path).await.unwrap().file_type().is_fifo());
        let reading = async {
            let mut text = Vec::new();
            File::open(&path).await.unwrap().read_to_end(&mut text).await.unwrap();
            text
        };
        let writing = async {
            let mut pipe = OpenOptions::new().write(true).open(&path).await.unwrap();
            pipe.write_all(b"through the pipe").await.unwrap();
            pipe.close().await.unwrap();
        };
        assert_eq!(join(reading, writing).await.0, b"through the pipe");
    });
}

// --- Whole files ------------------------------------------------------------------------------------------------------

#[test]
fn replacement_keeps_the_permissions_and_leaves_nothing_beside() {
    with_folder(async |folder| {
        let (path, link) = (folder.join("a"), folder.join("link"));
        fs::replace(&path, "one").await.unwrap();
        let umask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(umask);
        assert_eq!(fs::metadata(&path).await.unwrap().mode() & 0o777, 0o666 & !umask.bits());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).await.unwrap();
        fs::replace(&path, "two").await.unwrap();
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "two");
        assert_eq!(fs::metadata(&path).await.unwrap().mode() & 0o777, 0o604);
        fs::symlink("a", &link).await.unwrap();
        fs::replace(&link, "three").await.unwrap();
        assert!(fs::symlink_metadata(&link).await.unwrap().is_file());
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "two");
        fs::create_dir(folder.join("folder")).await.unwrap();
        assert!(fs::replace(folder.join("folder"), "").await.is_err());
        assert_eq!(names(&folder).await, ["a", "folder", "link"]);
    });
}

#[test]
fn text_that_is_none_is_refused() {
    with_folder(async |folder| {
        let path = folder.join("a");
        fs::write(&path, [0xff]).await.unwrap();
        assert_tells(&fs::read_to_string(&path).await.unwrap_err(), ErrorKind::InvalidData, "cannot read ");
    });
}

// --- Folders ----------------------------------------------------------------------------------------------------------

async fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut entries = fs::read_dir(folder).await.unwrap();
    while let Some(entry) = entries.next_entry().await.unwrap() {
        names.push(entry.file_name().to_str().unwrap().to_owned());
    }
    names.sort();
    names
}

#[test]
fn fs_scandir_tells_what_each_entry_is() {
    with_folder(async |folder| {
        assert_eq!(names(&folder).await, [""; 0], "an empty one has none");
        fs::write(folder.join("file"), "").await.unwrap();
        fs::create_dir(folder.join("folder")).await.unwrap();
        fs::symlink("file", folder.join("link")).await.unwrap();
        let mut entries = fs::read_dir(&folder).await.unwrap();
        let mut found = BTreeSet::new();
        while let Some(entry) = entries.next_entry().await.unwrap() {
            assert_eq!(entry.path(), folder.join(entry.file_name()));
            assert_eq!(entry.metadata().await.unwrap().ino(), entry.inode());
            let kind = entry.file_type();
            found.insert((entry.file_name().to_owned(), kind.is_file(), kind.is_dir(), kind.is_symlink()));
        }
        let expected = [("file", true, false, false), ("folder", false, true, false), ("link", false, false, true)];
        assert_eq!(found, BTreeSet::from(expected.map(|(name, file, dir, link)| (name.into(), file, dir, link))));
        assert!(entries.next_entry().await.unwrap().is_none(), "and the end stays the end");
    });
}

#[test]
fn fs_scandir_file_is_no_folder() {
    with_folder(async |folder| {
        let file = folder.join("file");
        fs::write(&file, "").await.unwrap();
        assert_tells(&fs::read_dir(&file).await.unwrap_err(), ErrorKind::NotADirectory, "cannot read ");
        assert_tells(&fs::walk(&file).next_entry().await.unwrap_err(), ErrorKind::NotADirectory, "cannot read ");
    });
}

#[test]
fn fs_readdir_gives_each_of_many_once_also_when_dropped_half_way() {
    with_folder(async |folder| {
        let expected: BTreeSet<String> = (0..1_000).map(|n| format!("entry {n}")).collect();
        for name in &expected {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let mut entries = fs::read_dir(&folder).await.unwrap();
        let mut found = BTreeSet::new();
        loop {
            let dropped = poll_fn(|cx| Poll::Ready(pin!(entries.next_entry()).poll(cx))).await;
            let entry = match dropped {
                Poll::Ready(entry) => entry,
                Poll::Pending => entries.next_entry().await,
            };
            let Some(entry) = entry.unwrap() else { break };
            assert!(found.insert(entry.file_name().to_str().unwrap().to_owned()));
        }
        assert_eq!(found, expected);
    });
}

/// What a walk finds, below the folder.
async fn walked(folder: &Path, mut walk: fs::Walk) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(entry) = walk.next_entry().await.unwrap() {
        let below = entry.path().strip_prefix(folder).unwrap();
        assert_eq!(below.components().count(), entry.depth());
        found.push(below.to_str().unwrap().to_owned());
        if entry.file_name() == "skipped" {
            walk.skip_folder();
        }
    }
    found
}

#[test]
fn walk_goes_by_name_and_not_through_links() {
    with_folder(async |folder| {
        for path in ["b/d/e", "a", "skipped"] {
            fs::create_dir_all(folder.join(path)).await.unwrap();
        }
        for path in ["b/c", "b/d/e/f", "skipped/g", "a.txt"] {
            fs::write(folder.join(path), "").await.unwrap();
        }
        fs::symlink("..", folder.join("b/up")).await.unwrap();
        let all = ["a", "a.txt", "b", "b/c", "b/d", "b/d/e", "b/d/e/f", "b/up", "skipped"];
        assert_eq!(walked(&folder, fs::walk(&folder)).await, all);
        assert_eq!(walked(&folder, fs::walk(&folder).depth_max(1)).await, ["a", "a.txt", "b", "skipped"]);
        assert_eq!(walked(&folder, fs::walk(&folder).depth_max(0)).await, [""; 0]);
        let through = folder.join("b/up");
        assert_eq!(walked(&through, fs::walk(&through)).await, all, "but the path itself may be a link");
    });
}

#[test]
fn walk_goes_on_after_an_error_and_does_not_follow_what_was_swapped() {
    with_one_thread(async |folder| {
        for name in ["a", "b", "c"] {
            fs::create_dir(folder.join(name)).await.unwrap();
        }
        let mut walk = fs::walk(&folder);
        assert_eq!(walk.next_entry().await.unwrap().unwrap().file_name(), "a");
        fs::remove_dir(folder.join("a")).await.unwrap();
        assert_tells(&walk.next_entry().await.unwrap_err(), ErrorKind::NotFound, "cannot read ");
        assert_eq!(walk.next_entry().await.unwrap().unwrap().file_name(), "b");
        fs::remove_dir(folder.join("b")).await.unwrap();
        fs::symlink("/", folder.join("b")).await.unwrap();
        let error = walk.next_entry().await.unwrap_err();
        assert!(error.to_string().contains("/b: "), "{error}");
        assert_eq!(walk.next_entry().await.unwrap().unwrap().file_name(), "c");
        drop_while_it_waits(walk.next_entry()).await;
        assert!(walk.next_entry().await.unwrap().is_none());
    });
}

// --- Temporary ones ---------------------------------------------------------------------------------------------------

#[test]
fn fs_mkdtemp_folder_goes_with_its_owner() {
    let (runtime, paths) = (manual(), Rc::new(RefCell::new(Vec::new())));
    let theirs = Rc::clone(&paths);
    run_to_the_end(&runtime, async move {
        let (dropped, closed, kept) =
            (TempDir::new().await.unwrap(), TempDir::new().await.unwrap(), TempDir::new().await);
        fs::create_dir_all(dropped.path().join("a/b")).await.unwrap();
        assert_eq!(fs::metadata(dropped.path()).await.unwrap().mode() & 0o777, 0o700);
        let both = [dropped.path().to_owned(), closed.path().to_owned()];
        closed.close().await.unwrap();
        let kept = kept.unwrap().keep();
        fs::remove_dir(kept).await.unwrap();
        theirs.borrow_mut().extend(both);
    });
    for path in &*paths.borrow() {
        assert!(!path.exists());
    }
    let outlives = runtime.block_on(TempDir::new()).unwrap();
    let path = outlives.path().to_owned();
    drop(outlives);
    assert!(!path.exists(), "outside of the loop it is removed at once");
}

#[test]
fn fs_mkstemp_file_goes_or_stays_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (runtime, path) = (manual(), folder.path().to_owned());
    run_to_the_end(&runtime, async move {
        let mut dropped = TempFile::new_in(&path).await.unwrap();
        dropped.file_mut().write_all(b"lost").await.unwrap();
        assert_eq!(fs::metadata(dropped.path()).await.unwrap().mode() & 0o777, 0o600);
        assert_eq!(dropped.file().metadata().await.unwrap().len(), 0, "it is not flushed");
        TempFile::new_in(&path).await.unwrap().close().await.unwrap();

        let mut persisted = TempFile::new_in(&path).await.unwrap();
        persisted.file_mut().write_all(b"stays").await.unwrap();
        let mut file = persisted.persist(path.join("persisted")).await.unwrap();
        file.write_all(b" and goes on").await.unwrap();
        file.close().await.unwrap();
        assert_eq!(fs::read_to_string(path.join("persisted")).await.unwrap(), "stays and goes on");

        let refused = TempFile::new_in(&path).await.unwrap();
        let error = refused.persist("/no/such/folder/a").await.unwrap_err();
        assert_tells(&error, ErrorKind::NotFound, "cannot rename a file to /no/such/folder/a: ");

        let (kept, name) = TempFile::new_in(&path).await.unwrap().keep();
        drop(kept);
        fs::rename(name, path.join("kept")).await.unwrap();
    });
    assert_eq!(runtime.block_on(names(folder.path())), ["kept", "persisted"]);
}

#[test]
fn nameless_file_is_read_and_written() {
    manual().block_on(async {
        let mut file = fs::temp_file().await.unwrap();
        file.write_all(b"for a moment").await.unwrap();
        file.rewind().await.unwrap();
        let mut text = Vec::new();
        file.read_to_end(&mut text).await.unwrap();
        assert_eq!(text, b"for a moment");
        assert_eq!(file.metadata().await.unwrap().nlink(), 0);
    });
}

#[test]
fn replaced_file_does_not_make_a_program_run_as_its_new_owner() {
    with_folder(async |folder| {
        let path = folder.join("program");
        fs::write(&path, "old").await.unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o6755)).await.unwrap();
        fs::replace(&path, "new").await.unwrap();
        assert_eq!(fs::metadata(&path).await.unwrap().mode() & 0o7777, 0o755);
    });
}
