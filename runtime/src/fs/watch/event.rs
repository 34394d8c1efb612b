//! What a watcher tells of.

use rustix::fs::inotify::{self, ReadFlags};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a [`Watcher`](super::Watcher) tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something has happened to what is watched.
    Change(Change),
    /// More has happened than the kernel could keep: what, is not known, so whoever has a copy of what is watched looks at
    /// everything again.
    Overflow,
}

/// Something that has happened to what is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path that was added.
    pub watched: Arc<Path>,
    /// The name, in the watched folder, of what has changed; `None` when it is the watched thing itself.
    pub name: Option<OsString>,
    /// What has happened.
    pub kind: Kind,
    /// What has changed is a folder.
    pub is_dir: bool,
}

/// What has happened to a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It was made: opened anew, linked, made as a folder (`IN_CREATE`).
    Created,
    /// It was written or cut (`IN_MODIFY`). Many of them may come for one that is being written.
    Modified,
    /// It was closed by who could write it (`IN_CLOSE_WRITE`): now it may be complete.
    Written,
    /// Its permissions, owner, times or number of names have changed (`IN_ATTRIB`).
    Attributes,
    /// It was removed from the folder (`IN_DELETE`).
    Removed,
    /// It was renamed, and this was its name (`IN_MOVED_FROM`). Where its new name is watched as well, a
    /// [`MovedTo`](Kind::MovedTo) of the same number follows, as a rule at once.
    MovedFrom(u32),
    /// It was renamed, and this is its name now (`IN_MOVED_TO`). Where its old name was watched as well, a
    /// [`MovedFrom`](Kind::MovedFrom) of the same number came before.
    MovedTo(u32),
    /// The watched thing itself was renamed (`IN_MOVE_SELF`). It is watched on, but the path that was added leads elsewhere, or
    /// nowhere.
    WatchedMoved,
    /// The watched thing itself is gone: nothing has it open or as a name any more, or its file system was unmounted
    /// (`IN_DELETE_SELF`, `IN_UNMOUNT`). This is the last of it; what is made there anew is not watched.
    Gone,
}

impl Change {
    /// The path of what has changed: the one that was added, and the name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.name {
            Some(name) => self.watched.join(name),
            None => self.watched.to_path_buf(),
        }
    }

    /// What the kernel tells of; `None` when it only says that the watch has ended.
    pub(super) fn new(watched: &Arc<Path>, event: &inotify::Event<'_>) -> Option<Change> {
        let kinds = [
            (ReadFlags::CREATE, Kind::Created),
            (ReadFlags::MODIFY, Kind::Modified),
            (ReadFlags::CLOSE_WRITE, Kind::Written),
            (ReadFlags::ATTRIB, Kind::Attributes),
            (ReadFlags::DELETE, Kind::Removed),
            (ReadFlags::MOVED_FROM, Kind::MovedFrom(event.cookie())),
            (ReadFlags::MOVED_TO, Kind::MovedTo(event.cookie())),
            (ReadFlags::MOVE_SELF, Kind::WatchedMoved),
            (ReadFlags::DELETE_SELF, Kind::Gone),
            (ReadFlags::UNMOUNT, Kind::Gone),
        ];
        let flags = event.events();
        let (_, kind) = kinds.into_iter().find(|(flag, _)| flags.contains(*flag))?; // the kernel sets one of them
        Some(Change {
            watched: Arc::clone(watched),
            name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned()),
            kind,
            is_dir: flags.contains(ReadFlags::ISDIR),
        })
    }
}
