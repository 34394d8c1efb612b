//! A folder, the folders in it, and so on.

use super::Shown;
use crate::failed::failed;
use crate::spawn::blocking_io;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::vec;

/// Walks through a folder and all folders in it.
///
/// - **The order** is the same each time: by name, byte for byte, a folder before what is in it.
/// - **Symbolic links** are told of and never followed, but for `path` itself; so no walk goes in circles. One that is put in
///   a folder's place while it is walked is an error of that entry.
/// - **Errors** are those of one entry or one folder: the walk goes on with the next.
/// - **What it holds** is the names of the folders on the way down to where it is, and no descriptor; a job of the pool reads
///   one folder. What changes meanwhile may be told of or not.
///
/// # Examples
/// ```
/// use evloop_runtime::fs;
///
/// evloop_runtime::block_on(async {
///     let folder = fs::TempDir::new().await?;
///     fs::create_dir(folder.path().join("b")).await?;
///     fs::write(folder.path().join("b/c"), "").await?;
///     fs::write(folder.path().join("a"), "").await?;
///     let mut walk = fs::walk(folder.path());
///     let mut names = Vec::new();
///     while let Some(entry) = walk.next_entry().await? {
///         names.push(entry.path().strip_prefix(folder.path()).unwrap().display().to_string());
///     }
///     assert_eq!(names, ["a", "b", "b/c"]);
///     folder.close().await
/// }).unwrap();
/// ```
#[must_use = "a walk does nothing until its entries are asked for"]
pub fn walk(path: impl Into<PathBuf>) -> Walk {
    Walk { depth_max: usize::MAX, levels: Vec::new(), next: Some(path.into()) }
}

/// A walk through folders; see [`walk()`].
#[derive(Debug)]
pub struct Walk {
    depth_max: usize,
    /// What is still to be told of, on the way down.
    levels: Vec<vec::IntoIter<io::Result<WalkEntry>>>,
    /// The folder that is to be read before anything else.
    next: Option<PathBuf>,
}

impl Walk {
    /// How deep it goes: with 1, what is in the folder itself, and no further; with 0, nowhere. The default is without bound.
    #[must_use = "a walk does nothing until its entries are asked for"]
    pub fn depth_max(mut self, levels: usize) -> Walk {
        self.depth_max = levels;
        self.next.take_if(|_| levels == 0);
        self
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// That a folder cannot be read, or an entry of it not be looked at. What follows it comes with the next call.
    ///
    /// # Cancel safety
    /// No entry is lost: a folder whose reading was given up is read again.
    pub async fn next_entry(&mut self) -> io::Result<Option<WalkEntry>> {
        if let Some(folder) = self.next.clone() {
            let (depth, is_root) = (self.levels.len() + 1, self.levels.is_empty());
            let work = move || list(&folder, depth, is_root).map_err(failed("read", Shown(&folder)));
            let listed = blocking_io(work).await;
            self.next = None; // and not before: who drops this future has it read again
            self.levels.push(listed?.into_iter());
        }
        while let Some(level) = self.levels.last_mut() {
            if let Some(entry) = level.next().transpose()? {
                let goes_in = entry.is_dir() && entry.depth < self.depth_max;
                self.next = goes_in.then(|| entry.path.clone());
                return Ok(Some(entry));
            }
            self.levels.pop();
        }
        Ok(None)
    }

    /// Leaves out what is in the folder that was told of last.
    pub fn skip_folder(&mut self) {
        if !self.levels.is_empty() {
            self.next = None;
        }
    }
}

/// Something that a walk has come upon.
#[derive(Debug, Clone)]
pub struct WalkEntry {
    path: PathBuf,
    file_type: FileType,
    depth: usize,
}

impl WalkEntry {
    /// Its path: that of the walk, as it was given, and the way from there.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path, to be kept.
    pub fn into_path(self) -> PathBuf {
        self.path
    }

    /// Its name, in its folder.
    pub fn file_name(&self) -> &OsStr {
        self.path.file_name().expect("its path ends in the name it was found by")
    }

    /// How deep it lies: 1 for what is in the folder itself.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Whether it is a folder, which the walk goes into next.
    pub fn is_dir(&self) -> bool {
        self.file_type == FileType::Directory
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type == FileType::RegularFile
    }

    /// Whether it is a symbolic link, wherever that leads.
    pub fn is_symlink(&self) -> bool {
        self.file_type == FileType::Symlink
    }
}

/// The entries of one folder, by name. Errors of single ones come first.
fn list(folder: &Path, depth: usize, is_root: bool) -> io::Result<Vec<io::Result<WalkEntry>>> {
    let follow = if is_root { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | follow;
    let mut entries = Dir::new(openat(CWD, folder, flags, Mode::empty())?)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let path = folder.join(name);
        match kind(&entries, entry.file_type(), name) {
            Ok(file_type) => found.push(WalkEntry { path, file_type, depth }),
            Err(Errno::NOENT) => {} // removed meanwhile: it is no entry any more
            Err(error) => failures.push(Err(failed("look at", Shown(&path))(error.into()))),
        }
    }
    found.sort_unstable_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
    failures.extend(found.into_iter().map(Ok));
    Ok(failures)
}

/// What an entry is; where the file system does not tell with its name, it is asked.
fn kind(folder: &Dir, told: FileType, name: &OsStr) -> Result<FileType, Errno> {
    if told != FileType::Unknown {
        return Ok(told);
    }
    let stat = statat(folder.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}
