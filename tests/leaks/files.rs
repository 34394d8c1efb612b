//! Files, folders, and who watches them. A round takes several jobs of the pool.

use crate::{FEW, MANY, Repeats, SOME};
use evloop::fs::watch::{Poller, Watcher};
use evloop::fs::{self, File, TempDir, TempFile, temp_file, walk};
use evloop::future::{Either, race};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::task::yield_now;
use std::time::Duration;
use tempfile::TempDir as Folder;

async fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for name in ["one", "two", "in/three"] {
        std::fs::write(folder.path().join(name), [7; 9000]).unwrap();
    }
    folder
}

pub(crate) fn repeat(repeats: &mut Repeats) {
    files(repeats);
    folders(repeats);
    watchers(repeats);
}

fn files(repeats: &mut Repeats) {
    repeats.each("metadata", MANY, async || assert!(fs::metadata("/").await.unwrap().is_dir()));
    repeats.each("metadata dropped half-way", MANY, async || drop(race(fs::metadata("/"), yield_now()).await));
    repeats.each("open that fails", MANY, async || drop(File::open("/no/such/file").await.unwrap_err()));
    repeats.within("file opened and closed", MANY, folder, async |folder| {
        File::open(folder.path().join("one")).await.unwrap().close().await.unwrap();
    });
    repeats.within("file opened and dropped half-way", MANY, folder, async |folder| {
        drop(race(File::open(folder.path().join("one")), yield_now()).await);
    });
    repeats.within("file read", SOME, folder, async |folder| {
        let mut file = File::open(folder.path().join("one")).await.unwrap();
        file.read_to_end(&mut Vec::new()).await.unwrap();
        file.rewind().await.unwrap();
        let (read, _) = file.read_at(vec![0; 100], 8).await;
        assert_eq!(read.unwrap(), 100);
    });
    repeats.within("file read and dropped half-way", SOME, folder, async |folder| {
        let mut file = File::open(folder.path().join("one")).await.unwrap();
        drop(race(file.read(&mut [0; 100]), yield_now()).await);
        drop(race(file.read_at(vec![0; 100], 8), yield_now()).await);
    });
    repeats.within("file written and synced", FEW, folder, async |folder| {
        let mut file = File::create(folder.path().join("new")).await.unwrap();
        file.write_all(b"text").await.unwrap();
        file.flush().await.unwrap();
        file.sync_data().await.unwrap();
        file.write_all(b"never flushed").await.unwrap();
    });
    repeats.within("whole file", SOME, folder, async |folder| {
        let (path, other) = (folder.path().join("whole"), folder.path().join("renamed"));
        fs::write(&path, "text").await.unwrap();
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "text");
        fs::rename(&path, &other).await.unwrap();
        fs::remove_file(&other).await.unwrap();
    });
    repeats.each("temporary file without a name", SOME, async || {
        let mut file = temp_file().await.unwrap();
        file.write_all(b"text").await.unwrap();
    });
    repeats.within("temporary file", FEW, folder, async |folder| {
        drop(TempFile::new_in(folder.path()).await.unwrap());
        TempFile::new_in(folder.path()).await.unwrap().close().await.unwrap();
        drop(race(TempFile::new_in(folder.path()), yield_now()).await);
        assert!(std::fs::read_dir(folder.path()).unwrap().count() < 20, "they are removed");
    });
}

fn folders(repeats: &mut Repeats) {
    repeats.within("temporary folder", FEW, folder, async |folder| {
        drop(TempDir::new_in(folder.path()).await.unwrap());
        TempDir::new_in(folder.path()).await.unwrap().close().await.unwrap();
        assert!(std::fs::read_dir(folder.path()).unwrap().count() < 20, "they are removed");
    });
    repeats.within("folder read", SOME, folder, async |folder| {
        let mut entries = fs::read_dir(folder.path()).await.unwrap();
        while entries.next_entry().await.unwrap().is_some() {}
        let mut given_up = fs::read_dir(folder.path()).await.unwrap();
        given_up.next_entry().await.unwrap();
    });
    repeats.within("folder walked", SOME, folder, async |folder| {
        let mut entries = walk(folder.path());
        while entries.next_entry().await.unwrap().is_some() {}
        let mut entries = walk(folder.path());
        entries.next_entry().await.unwrap();
        drop(race(entries.next_entry(), yield_now()).await);
    });
}

fn watchers(repeats: &mut Repeats) {
    // Seldom: the kernel takes up to twenty milliseconds to close one that watches.
    repeats.within("watcher", 20, folder, async |folder| {
        let mut watcher = Watcher::new().unwrap();
        watcher.add(folder.path()).await.unwrap();
        std::fs::write(folder.path().join("one"), "x").unwrap();
        watcher.next_event().await.unwrap();
    });
    let watched = async || {
        let (folder, mut watcher) = (folder().await, Watcher::new().unwrap());
        watcher.add(folder.path().join("one")).await.unwrap();
        (folder, watcher)
    };
    repeats.within("watch added and removed", SOME, watched, async |(folder, watcher)| {
        watcher.add(folder.path().join("in")).await.unwrap();
        assert!(watcher.remove(folder.path().join("in")).unwrap());
        while let Either::Left(event) = race(watcher.next_event(), yield_now()).await {
            event.unwrap();
        }
    });
    repeats.within("watched file replaced", SOME, watched, async |(folder, watcher)| {
        let path = folder.path().join("brief");
        std::fs::write(&path, "").unwrap();
        watcher.add(&path).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        while let Either::Left(event) = race(watcher.next_event(), yield_now()).await {
            event.unwrap();
        }
    });
    repeats.within("poller", SOME, folder, async |folder| {
        let mut poller = Poller::new(folder.path(), Duration::from_secs(3600)).await.unwrap();
        assert!(matches!(race(poller.changed(), yield_now()).await, Either::Right(())));
    });
}
