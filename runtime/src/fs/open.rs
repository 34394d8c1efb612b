//! How a file is opened.

use super::{File, on_path};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How a file is opened: what std's [`OpenOptions`](std::fs::OpenOptions) has, by the same names.
///
/// # Examples
/// ```
/// use evloop_runtime::fs::{OpenOptions, TempDir};
/// use evloop_runtime::io::AsyncWrite;
///
/// evloop_runtime::block_on(async {
///     let folder = TempDir::new().await?;
///     let path = folder.path().join("journal");
///     let mut options = OpenOptions::new();
///     let mut journal = options.append(true).create_new(true).mode(0o600).open(&path).await?;
///     journal.write_all(b"began\n").await?;
///     journal.close().await?;
///     assert!(options.open(&path).await.is_err(), "it is there already");
///     folder.close().await
/// }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions(std::fs::OpenOptions);

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions::new()
    }
}

impl OpenOptions {
    /// Options of which none is set.
    #[must_use]
    pub fn new() -> OpenOptions {
        OpenOptions(std::fs::OpenOptions::new())
    }

    /// To read.
    pub fn read(&mut self, on: bool) -> &mut OpenOptions {
        self.0.read(on);
        self
    }

    /// To write, from the file's beginning.
    pub fn write(&mut self, on: bool) -> &mut OpenOptions {
        self.0.write(on);
        self
    }

    /// To write at the file's end, wherever that is at the moment of each write (`O_APPEND`).
    pub fn append(&mut self, on: bool) -> &mut OpenOptions {
        self.0.append(on);
        self
    }

    /// To empty it when it is opened.
    pub fn truncate(&mut self, on: bool) -> &mut OpenOptions {
        self.0.truncate(on);
        self
    }

    /// To make the file, if there is none.
    pub fn create(&mut self, on: bool) -> &mut OpenOptions {
        self.0.create(on);
        self
    }

    /// To make the file, and to fail if there is one (`O_EXCL`).
    pub fn create_new(&mut self, on: bool) -> &mut OpenOptions {
        self.0.create_new(on);
        self
    }

    /// The permissions of a file that is made, of which the process's umask takes away. The default is 0o666.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    /// Further flags of `open(2)`, as `O_NOFOLLOW`.
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }

    /// Opens.
    ///
    /// A named pipe whose other end nobody opens holds a thread of the pool until somebody does. To open one, pass
    /// `O_NONBLOCK` as a custom flag; to read one, use [`AsyncFd`](crate::fd::AsyncFd).
    ///
    /// # Errors
    /// What `open(2)` says, and a combination of options that makes no sense (`InvalidInput`).
    ///
    /// # Cancel safety
    /// A file that is opened for nobody is closed; one that was made for it stays.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (options, path) = (self.0.clone(), path.as_ref());
        let file = on_path("open", path, move |path| options.open(path)).await?;
        Ok(File::new(file, path.into()))
    }
}
