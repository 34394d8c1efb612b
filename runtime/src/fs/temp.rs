//! Files and folders that go when their owner goes.
//!
//! They are made by the crate `tempfile`, and by nobody of our own: their names must not be foreseen by others who may write to
//! the same folder, and must be taken without a moment between looking and making.

use super::{File, drop_on_pool, on_path};
use crate::spawn::blocking_io;
use crate::sys::fork::Generation;
use std::env;
use std::fs::Permissions;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempPath;

/// The permissions of a folder that is its owner's alone, as `mkdtemp(3)` makes it.
const OWNER_ONLY: u32 = 0o700;

/// A file without a name, to read and to write, for its owner alone (`O_TMPFILE`, in the folder that `TMPDIR` names). It is gone
/// when it is closed, however the process ends.
///
/// # Errors
/// What `open(2)` says.
pub async fn temp_file() -> io::Result<File> {
    let file = on_path("create a file in", &env::temp_dir(), |folder| tempfile::tempfile_in(folder)).await?;
    Ok(File::from_std(file))
}

/// A file with a name that nobody can foresee, to read and to write, for its owner alone. Dropping it removes it.
///
/// A loop has its pool remove it, after which nobody waits; without a loop that is done at once. An error is not told then:
/// [`close`](TempFile::close) tells it. A process that is killed leaves the file.
///
/// # Examples
/// ```
/// use evloop_runtime::fs::{TempDir, TempFile, read_to_string};
/// use evloop_runtime::io::AsyncWrite;
///
/// evloop_runtime::block_on(async {
///     let folder = TempDir::new().await?;
///     let mut upload = TempFile::new_in(folder.path()).await?;
///     upload.file_mut().write_all(b"all of it").await?;
///     upload.persist(folder.path().join("upload")).await?;
///     assert_eq!(read_to_string(folder.path().join("upload")).await?, "all of it");
///     folder.close().await
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct TempFile {
    file: File,
    name: Owned<TempPath>,
}

impl TempFile {
    /// Makes one in the folder that `TMPDIR` names, or else in `/tmp`.
    ///
    /// # Errors
    /// What `open(2)` says.
    ///
    /// # Cancel safety
    /// A file that was made for nobody is removed.
    pub async fn new() -> io::Result<TempFile> {
        TempFile::new_in(env::temp_dir()).await
    }

    /// Makes one in that folder.
    ///
    /// # Errors
    /// What `open(2)` says.
    ///
    /// # Cancel safety
    /// A file that was made for nobody is removed.
    pub async fn new_in(folder: impl AsRef<Path>) -> io::Result<TempFile> {
        let make = |folder: &Path| Ok(tempfile::NamedTempFile::new_in(folder)?.into_parts());
        let (file, name) = on_path("create a file in", folder.as_ref(), make).await?;
        let file = File::new(file, Arc::from(&*name));
        Ok(TempFile { file, name: Owned::new(name) })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file, to be read and written in order.
    pub fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Writes what is unwritten and gives it that name, in the place of what may be there: it stays.
    ///
    /// # Errors
    /// What writing says, or `rename(2)`: that the path is on another file system, for one. It is removed then.
    ///
    /// # Cancel safety
    /// It has the new name, or is removed.
    pub async fn persist(mut self, path: impl AsRef<Path>) -> io::Result<File> {
        self.file.settle().await?;
        let name = self.name.take();
        on_path("rename a file to", path.as_ref(), move |path| name.persist(path).map_err(|refused| refused.error))
            .await?;
        Ok(self.file.renamed(path.as_ref()))
    }

    /// Has it stay, under the name it has.
    pub fn keep(mut self) -> (File, PathBuf) {
        let mut name = self.name.take();
        name.disable_cleanup(true);
        (self.file, name.to_path_buf())
    }

    /// Removes it.
    ///
    /// # Errors
    /// What `unlink(2)` says.
    ///
    /// # Cancel safety
    /// It is removed.
    pub async fn close(mut self) -> io::Result<()> {
        let name = self.name.take();
        blocking_io(move || name.close()).await
    }
}

/// A new folder with a name that nobody can foresee, for its owner alone. Dropping it removes it and all that is in it.
///
/// A loop has its pool remove it, after which nobody waits; without a loop that is done at once. An error is not told then:
/// [`close`](TempDir::close) tells it. A process that is killed leaves the folder.
///
/// # Examples
/// ```
/// use evloop_runtime::fs::{self, TempDir};
///
/// evloop_runtime::block_on(async {
///     let folder = TempDir::new().await?;
///     fs::write(folder.path().join("scratch"), "some work").await?;
///     let path = folder.path().to_owned();
///     folder.close().await?;
///     assert!(!fs::try_exists(path).await?);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct TempDir {
    folder: Owned<tempfile::TempDir>,
}

impl TempDir {
    /// Makes one in the folder that `TMPDIR` names, or else in `/tmp`.
    ///
    /// # Errors
    /// What `mkdir(2)` says.
    ///
    /// # Cancel safety
    /// A folder that was made for nobody is removed.
    pub async fn new() -> io::Result<TempDir> {
        TempDir::new_in(env::temp_dir()).await
    }

    /// Makes one in that folder.
    ///
    /// # Errors
    /// What `mkdir(2)` says.
    ///
    /// # Cancel safety
    /// A folder that was made for nobody is removed.
    pub async fn new_in(folder: impl AsRef<Path>) -> io::Result<TempDir> {
        let make =
            |folder: &Path| tempfile::Builder::new().permissions(Permissions::from_mode(OWNER_ONLY)).tempdir_in(folder);
        let folder = on_path("create a folder in", folder.as_ref(), make).await?;
        Ok(TempDir { folder: Owned::new(folder) })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.get().path()
    }

    /// Has it stay, with all that is in it.
    pub fn keep(mut self) -> PathBuf {
        self.folder.take().keep()
    }

    /// Removes it and all that is in it.
    ///
    /// # Errors
    /// What the first thing that cannot be removed says; a part is gone then.
    ///
    /// # Cancel safety
    /// It is removed.
    pub async fn close(mut self) -> io::Result<()> {
        let folder = self.folder.take();
        blocking_io(move || folder.close()).await
    }
}

/// Something whose drop removes files: the pool drops it, if nobody takes it before.
#[derive(Debug)]
struct Owned<T: Send + 'static>(Option<T>, Generation);

impl<T: Send + 'static> Owned<T> {
    fn new(value: T) -> Owned<T> {
        Owned(Some(value), Generation::current())
    }

    fn get(&self) -> &T {
        self.0.as_ref().expect("it is taken with its owner alone")
    }

    fn take(&mut self) -> T {
        self.0.take().expect("it is taken with its owner alone")
    }
}

impl<T: Send + 'static> Drop for Owned<T> {
    fn drop(&mut self) {
        match self.0.take() {
            Some(parents) if self.1.is_past() => _ = ManuallyDrop::new(parents), // this process was forked off since
            Some(owned) => drop_on_pool(owned),
            None => {}
        }
    }
}
