//! What happens to files and folders while a loop looks on.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, manual, ms};
use evloop::fs::watch::{Change, Event, Kind, Poller, Watcher};
use evloop::fs::{self, File};
use evloop::future::{Either, race};
use evloop::io::AsyncWrite;
use evloop::time::sleep;
use std::future::poll_fn;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;

/// What a test does with a folder of its own.
fn with_folder<F: Future<Output = ()>>(body: impl FnOnce(PathBuf) -> F) {
    let folder = tempfile::tempdir().unwrap();
    manual().block_on(body(folder.path().to_owned()));
}

async fn watching<const N: usize>(paths: [&Path; N]) -> Watcher {
    let mut watcher = Watcher::new().unwrap();
    for path in paths {
        watcher.add(path).await.unwrap();
    }
    watcher
}

async fn next_change(watcher: &mut Watcher) -> Change {
    match watcher.next_event().await.unwrap() {
        Event::Change(change) => change,
        Event::Overflow => panic!("so few events fit"),
    }
}

/// The next change, by its name and kind.
async fn next(watcher: &mut Watcher) -> (String, Kind) {
    let change = next_change(watcher).await;
    (change.name.unwrap_or_default().into_string().unwrap(), change.kind)
}

/// Nothing has happened: the kernel has nothing to tell at this moment.
async fn assert_silent(watcher: &mut Watcher) {
    let polled = poll_fn(|cx| Poll::Ready(pin!(watcher.next_event()).poll(cx))).await;
    assert!(polled.is_pending(), "{polled:?}");
}

fn named(name: &str, kind: Kind) -> (String, Kind) {
    (name.to_owned(), kind)
}

#[test]
fn fs_event_watch_dir_tells_of_what_is_in_it() {
    with_folder(async |folder| {
        let mut watcher = watching([&folder]).await;
        let path = folder.join("file");
        let mut file = File::create(&path).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("file", Kind::Created));
        file.write_all(b"x").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(next(&mut watcher).await, named("file", Kind::Modified));
        file.close().await.unwrap();
        assert_eq!(next(&mut watcher).await, named("file", Kind::Written));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("file", Kind::Attributes));
        fs::remove_file(&path).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("file", Kind::Removed));

        fs::create_dir(folder.join("folder")).await.unwrap();
        let made = next_change(&mut watcher).await;
        assert!(made.is_dir && made.kind == Kind::Created && *made.watched == *folder);
        assert_eq!(made.path(), folder.join("folder"));
        fs::write(folder.join("folder/deep"), "").await.unwrap();
        assert_silent(&mut watcher).await;
    });
}

#[test]
fn fs_event_watch_file_tells_of_itself_without_a_name() {
    with_folder(async |folder| {
        let (path, other) = (folder.join("file"), folder.join("other"));
        fs::write(&path, "").await.unwrap();
        let mut watcher = watching([&path]).await;
        fs::write(&other, "x").await.unwrap();
        fs::append(&path, "x").await.unwrap();
        let change = next_change(&mut watcher).await;
        assert_eq!((change.name.clone(), change.kind, change.is_dir), (None, Kind::Modified, false));
        assert_eq!(change.path(), path);
        assert_eq!(next(&mut watcher).await, named("", Kind::Written));
        assert_silent(&mut watcher).await;
    });
}

#[test]
fn fs_event_watch_file_twice_is_told_once_by_each_watcher() {
    with_folder(async |folder| {
        let path = folder.join("file");
        fs::write(&path, "").await.unwrap();
        let (mut one, mut other) = (watching([&path, &path]).await, watching([&path]).await);
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"x").unwrap();
        for watcher in [&mut one, &mut other] {
            assert_eq!(next(watcher).await, named("", Kind::Modified));
            assert_eq!(next(watcher).await, named("", Kind::Written));
            assert_silent(watcher).await;
        }
        assert!(one.remove(&path).unwrap(), "and once is enough to end it");
        assert!(!one.remove(&path).unwrap());
    });
}

#[test]
fn two_names_of_one_file_are_told_both_and_removed_one_by_one() {
    with_folder(async |folder| {
        let (one, other) = (folder.join("one"), folder.join("other"));
        fs::write(&one, "").await.unwrap();
        fs::hard_link(&one, &other).await.unwrap();
        let mut watcher = watching([&one, &other]).await;
        fs::set_permissions(&one, fs::Permissions::from_mode(0o600)).await.unwrap();
        assert_eq!(*next_change(&mut watcher).await.watched, *one);
        assert_eq!(*next_change(&mut watcher).await.watched, *other);
        assert!(watcher.remove(&one).unwrap());
        fs::set_permissions(&one, fs::Permissions::from_mode(0o640)).await.unwrap();
        assert_eq!(*next_change(&mut watcher).await.watched, *other);
        assert_silent(&mut watcher).await;
    });
}

#[test]
fn fs_event_no_callback_after_close_of_one_path() {
    with_folder(async |folder| {
        let (one, other) = (folder.join("one"), folder.join("other"));
        for path in [&one, &other] {
            fs::create_dir(path).await.unwrap();
        }
        let mut watcher = watching([&one, &other]).await;
        fs::write(one.join("a"), "").await.unwrap();
        fs::create_dir(other.join("b")).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("a", Kind::Created));
        // What it has read and not told of, and what it has not read: neither is told of.
        fs::write(one.join("c"), "").await.unwrap();
        assert!(watcher.remove(&one).unwrap());
        assert_eq!(next(&mut watcher).await, named("b", Kind::Created));
        assert_silent(&mut watcher).await;
    });
}

#[test]
fn fs_event_error_reporting_names_the_path() {
    manual().block_on(async {
        let mut watcher = Watcher::new().unwrap();
        let error = watcher.add("/no/such/thing").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("cannot watch /no/such/thing: "), "{error}");
        let error = watcher.add("a\0b").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(r#""a\0b""#), "{error}");
        assert!(!watcher.remove("/no/such/thing").unwrap());
    });
}

#[test]
fn renaming_is_told_from_both_ends_by_one_number() {
    with_folder(async |folder| {
        let (one, other) = (folder.join("one"), folder.join("other"));
        for path in [&one, &other] {
            fs::create_dir(path).await.unwrap();
        }
        fs::write(one.join("before"), "").await.unwrap();
        let mut watcher = watching([&one, &other]).await;
        fs::rename(one.join("before"), other.join("after")).await.unwrap();
        let (from, to) = (next_change(&mut watcher).await, next_change(&mut watcher).await);
        assert_eq!((from.path(), to.path()), (one.join("before"), other.join("after")));
        let (Kind::MovedFrom(left), Kind::MovedTo(came)) = (from.kind, to.kind) else { panic!("{from:?} {to:?}") };
        assert_eq!(left, came);
        fs::rename(&one, folder.join("three")).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("", Kind::WatchedMoved));
    });
}

#[test]
fn what_is_watched_goes_and_that_is_the_last_of_it() {
    with_folder(async |folder| {
        let (file, inner) = (folder.join("file"), folder.join("folder"));
        fs::write(&file, "").await.unwrap();
        fs::create_dir(&inner).await.unwrap();
        let mut watcher = watching([&file, &inner]).await;
        fs::remove_file(&file).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("", Kind::Attributes), "a name less");
        assert_eq!(next(&mut watcher).await, named("", Kind::Gone));
        fs::remove_dir(&inner).await.unwrap();
        let gone = next_change(&mut watcher).await;
        assert_eq!((gone.kind, gone.path()), (Kind::Gone, inner.clone()));
        fs::write(&file, "made anew").await.unwrap();
        assert_silent(&mut watcher).await;
        assert!(!watcher.remove(&file).unwrap());
        watcher.add(&file).await.unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("", Kind::Attributes));
    });
}

#[test]
fn path_that_is_added_again_follows_what_it_leads_to_now() {
    with_folder(async |folder| {
        let (path, away) = (folder.join("path"), folder.join("away"));
        fs::write(&path, "").await.unwrap();
        let mut watcher = watching([&path]).await;
        fs::rename(&path, &away).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("", Kind::WatchedMoved));
        fs::write(&path, "").await.unwrap();
        watcher.add(&path).await.unwrap();
        fs::append(&away, "x").await.unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).await.unwrap();
        assert_eq!(next(&mut watcher).await, named("", Kind::Attributes));
        assert!(watcher.remove(&path).unwrap());
        fs::append(&path, "x").await.unwrap();
        assert_silent(&mut watcher).await;
    });
}

#[test]
fn dropped_wait_loses_no_event() {
    with_folder(async |folder| {
        let mut watcher = watching([&folder]).await;
        assert_silent(&mut watcher).await;
        fs::create_dir(folder.join("a")).await.unwrap();
        fs::create_dir(folder.join("b")).await.unwrap();
        for name in ["a", "b"] {
            assert_eq!(next(&mut watcher).await, named(name, Kind::Created));
        }
    });
}

#[test]
fn long_names_and_many_events_fit() {
    with_folder(async |folder| {
        let mut watcher = watching([&folder]).await;
        let names: Vec<String> = (0..60).map(|n| format!("{n:0>255}")).collect();
        for name in &names {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        for name in &names {
            assert_eq!(next(&mut watcher).await, named(name, Kind::Created));
        }
        assert_silent(&mut watcher).await;
    });
}

#[test]
fn overflow_is_told() {
    with_folder(async |folder| {
        let queued_max = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let queued_max: usize = queued_max.trim().parse().unwrap();
        let mut watcher = watching([&folder]).await;
        // Events that are alike are one, if they follow each other: so by turns.
        let (one, other) = (folder.join("one"), folder.join("other"));
        for path in [&one, &other] {
            std::fs::write(path, "").unwrap();
        }
        for n in 0..=queued_max {
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(if n % 2 == 0 { &one } else { &other }, mode).unwrap();
        }
        let mut told = 0;
        while watcher.next_event().await.unwrap() != Event::Overflow {
            told += 1;
        }
        assert_eq!(told, queued_max);
        std::fs::create_dir(folder.join("after")).unwrap();
        assert_eq!(next(&mut watcher).await, named("after", Kind::Created));
    });
}

#[test]
fn dropping_closes() {
    in_child("dropping_closes", "", || {
        with_folder(async |folder| {
            let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            drop(watching([&folder]).await);
            let before = open();
            for _ in 0..200 {
                drop(watching([&folder]).await);
            }
            assert_eq!(open(), before);
        });
    });
}

#[test]
fn poller_tells_of_each_difference_and_of_nothing_else() {
    with_folder(async |folder| {
        let path = folder.join("file");
        let mut poller = Poller::new(&path, ms(100)).await.unwrap();
        assert_eq!(poller.path(), path);
        assert!(matches!(race(poller.changed(), sleep(ms(1_050))).await, Either::Right(())));

        fs::write(&path, "one").await.unwrap();
        let (before, now) = poller.changed().await.unwrap();
        assert!(before.is_none() && now.unwrap().len() == 3);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).await.unwrap();
        assert!(poller.changed().await.unwrap().0.is_some());
        fs::append(&path, "two").await.unwrap();
        let (before, now) = poller.changed().await.unwrap();
        assert_eq!((before.unwrap().len(), now.unwrap().len()), (3, 6));
        assert!(matches!(race(poller.changed(), sleep(ms(1_050))).await, Either::Right(())));
        fs::remove_file(&path).await.unwrap();
        let (before, now) = poller.changed().await.unwrap();
        assert!(before.is_some() && now.is_none());

        let error = Poller::new(folder.join("a\0b"), ms(100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}
