//! What happens to files and folders while one looks on.
//!
//! A [`Watcher`] is told by the kernel (`inotify(7)`), at the moment and at no cost while nothing happens; a [`Poller`] looks
//! again and again, and works where inotify does not: on a network's file system, where others write.

mod event;
mod poller;

pub use event::{Change, Event, Kind};
pub use poller::Poller;

use super::{Shown, on_path};
use crate::failed::failed;
use crate::registered::Registered;
use crate::sys::source::FdSource;
use crate::trace::Side;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// The bytes that one read takes in: some hundred events with short names, and at least one with the longest. It bounds what a
/// watcher holds; the rest is held by the kernel, which has a bound of its own.
const READ_BYTES: usize = 4096;

/// What the kernel is asked to tell of.
const WATCHED: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO);

/// The number of no watch: the kernel counts from one.
const NO_WATCH: i32 = -1;

/// Watches files and folders.
///
/// A folder tells of what happens to what is directly in it, by name. Who wants to know of the folders in it adds them too;
/// between the making of a folder and its being added, things may happen in it that nobody tells of, so look into it after
/// adding it. A file is watched itself, not its name: editors that write a new file and rename it over the old one leave the
/// watch with the old one. Watch the folder for that.
///
/// The kernel keeps what was not fetched yet, up to `/proc/sys/fs/inotify/max_queued_events`; what comes then is lost, and
/// [`Event::Overflow`] tells that something is.
///
/// # Examples
/// ```
/// use evloop_runtime::fs::{self, TempDir, watch::{Event, Kind, Watcher}};
///
/// evloop_runtime::block_on(async {
///     let folder = TempDir::new().await?;
///     let mut watcher = Watcher::new()?;
///     watcher.add(folder.path()).await?;
///     fs::write(folder.path().join("letter"), "").await?;
///     match watcher.next_event().await? {
///         Event::Change(change) => {
///             assert_eq!(change.kind, Kind::Created);
///             assert_eq!(change.path(), folder.path().join("letter"));
///         }
///         Event::Overflow => println!("look at everything again"),
///     }
///     folder.close().await
/// }).unwrap();
/// ```
pub struct Watcher {
    inotify: Registered<FdSource<Arc<OwnedFd>>>,
    watches: Arc<Mutex<Watches>>,
    /// What was read and not told of yet.
    events: VecDeque<Event>,
}

/// What the kernel calls what was asked for. One thing has one watch, under however many paths: a link leads to the same.
#[derive(Debug, Default)]
struct Watches(HashMap<i32, Vec<Arc<Path>>>);

impl Watcher {
    /// One that watches nothing yet.
    ///
    /// # Errors
    /// What `inotify_init(2)` says: that this user has too many already (`max_user_instances`), for one.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn new() -> io::Result<Watcher> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(io::Error::from);
        let inotify = inotify.map_err(failed("create", "a watcher of files"))?;
        let inotify = Registered::new(FdSource(Arc::new(inotify)))?;
        Ok(Watcher { inotify, watches: Arc::default(), events: VecDeque::new() })
    }

    /// Watches that path, too. The same path a second time is no error, and changes nothing; where it leads to something else by
    /// now, that is watched instead. Another path of what is watched already has its changes told twice, once for each.
    ///
    /// # Errors
    /// What `inotify_add_watch(2)` says: that there is nothing, or that this user watches too much already
    /// (`max_user_watches`, which is "no space left on device").
    ///
    /// # Cancel safety
    /// A job that has begun adds the path all the same.
    pub async fn add(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let (inotify, watches) = (Arc::clone(&self.inotify.get().0), Arc::clone(&self.watches));
        let work = move |path: &Path| {
            let watch = inotify::add_watch(&inotify, path, WATCHED)?;
            let mut watches = locked(&watches);
            let (_, unused) = watches.forget(path, watch); // what the path has led to before
            let paths = watches.0.entry(watch).or_default();
            if !paths.iter().any(|known| &**known == path) {
                paths.push(path.into());
            }
            drop(watches);
            end_watches(&inotify, unused)
        };
        on_path("watch", path.as_ref(), work).await
    }

    /// Watches that path no longer: from now on no event tells of it, also none that has happened before. `false`: it was not
    /// watched, or not any more, because it is gone.
    ///
    /// # Errors
    /// What `inotify_rm_watch(2)` says.
    pub fn remove(&mut self, path: impl AsRef<Path>) -> io::Result<bool> {
        let path = path.as_ref();
        let (known, unused) = locked(&self.watches).forget(path, NO_WATCH);
        self.events.retain(|event| !matches!(event, Event::Change(change) if &*change.watched == path));
        end_watches(&self.inotify.get().0, unused).map_err(failed("stop watching", Shown(path)))?;
        Ok(known)
    }

    /// The next thing that happens, or has happened since it was added.
    ///
    /// # Errors
    /// What reading from inotify says, or that the loop has ended.
    ///
    /// # Cancel safety
    /// No event is lost.
    pub fn next_event(&mut self) -> NextEvent<'_> {
        NextEvent { watcher: self, waits: false }
    }

    /// Polls for the next event; see [`next_event`](Watcher::next_event).
    ///
    /// # Errors
    /// As [`next_event`](Watcher::next_event).
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Event>> {
        let (watches, events) = (&self.watches, &mut self.events);
        // While events wait here, the edge is not spent: only an empty read spends it.
        self.inotify.poll_io(Side::Read, cx, |source| {
            loop {
                if let Some(event) = events.pop_front() {
                    return Ok(event);
                }
                read_events(source, &mut locked(watches), events)?; // of watches that are gone, nothing is told
            }
        })
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.inotify.set_referenced(referenced);
    }
}

/// What a job adds is added whole, or not at all.
fn locked(watches: &Mutex<Watches>) -> MutexGuard<'_, Watches> {
    watches.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end_watches(inotify: &OwnedFd, watches: Vec<i32>) -> io::Result<()> {
    for watch in watches {
        match inotify::remove_watch(inotify, watch) {
            Ok(()) | Err(Errno::INVAL) => {} // what was watched is gone, and its watch with it
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Takes in what there is, up to [`READ_BYTES`].
fn read_events(
    source: &FdSource<Arc<OwnedFd>>,
    watches: &mut Watches,
    events: &mut VecDeque<Event>,
) -> Result<(), Errno> {
    let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
    let mut reader = inotify::Reader::new(source, &mut bytes);
    loop {
        let raw = reader.next()?;
        let flags = raw.events();
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            events.push_back(Event::Overflow);
        }
        for path in watches.0.get(&raw.wd()).into_iter().flatten() {
            events.extend(Change::new(path, &raw).map(Event::Change));
        }
        if flags.contains(ReadFlags::IGNORED) {
            watches.0.remove(&raw.wd());
        }
        if reader.is_buffer_empty() {
            return Ok(());
        }
    }
}

impl Watches {
    /// Forgets a path, but for the watch `kept`: whether it was known, and the watches that serve no path any more.
    fn forget(&mut self, path: &Path, kept: i32) -> (bool, Vec<i32>) {
        let mut known = false;
        for (_, paths) in self.0.iter_mut().filter(|(watch, _)| **watch != kept) {
            let before = paths.len();
            paths.retain(|other| &**other != path);
            known |= paths.len() < before;
        }
        let unused = self.0.extract_if(|_, paths| paths.is_empty()).map(|(watch, _)| watch);
        (known, unused.collect())
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("watches", &locked(&self.watches).0).finish_non_exhaustive()
    }
}

/// An event to come; see [`Watcher::next_event`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct NextEvent<'a> {
    watcher: &'a mut Watcher,
    waits: bool,
}

impl Future for NextEvent<'_> {
    type Output = io::Result<Event>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.watcher.poll_event(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl Drop for NextEvent<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.watcher.inotify.give_up_last(Side::Read);
        }
    }
}
