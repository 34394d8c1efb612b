//! Whole files by their path: one job of the pool each.

use super::{on_path, on_paths};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The permissions of a file that nobody had before, of which the process's umask takes away: those that `open(2)` is given.
const MODE: u32 = 0o666;

/// All bytes of a file.
///
/// There is no bound: the file decides how much memory this takes.
///
/// # Errors
/// What `open(2)` and `read(2)` say.
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    on_path("read", path.as_ref(), |path| std::fs::read(path)).await
}

/// All of a file, as text.
///
/// # Errors
/// As [`read`](read()), and `InvalidData` when it is not UTF-8.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    on_path("read", path.as_ref(), |path| std::fs::read_to_string(path)).await
}

/// Writes a whole file: it is made, or emptied before. Others see it empty and half written meanwhile;
/// [`replace`] has them see the old one or the new one.
///
/// # Errors
/// What `open(2)` and `write(2)` say.
///
/// # Cancel safety
/// The file is written, or as it was.
pub async fn write<C>(path: impl AsRef<Path>, contents: C) -> io::Result<()>
where
    C: AsRef<[u8]> + Send + 'static,
{
    on_path("write", path.as_ref(), move |path| std::fs::write(path, contents)).await
}

/// Writes at the end of a file, which is made if there is none.
///
/// # Errors
/// What `open(2)` and `write(2)` say; a part may have been written.
///
/// # Cancel safety
/// All of it is written, or nothing.
pub async fn append<C>(path: impl AsRef<Path>, contents: C) -> io::Result<()>
where
    C: AsRef<[u8]> + Send + 'static,
{
    let work = move |path: &Path| OpenOptions::new().append(true).create(true).open(path)?.write_all(contents.as_ref());
    on_path("append to", path.as_ref(), work).await
}

/// Puts a whole file in the place of another, or where there was none, at one stroke: who opens the path finds the old file or
/// the new one, also after a crash of the machine.
///
/// The contents are written to a file of another name in the same folder and brought to the disk; that is renamed, and the
/// folder is brought to the disk, too. The new file has the permissions of the old one, but the owner and group of this process,
/// and so none of the bits for running as owner or group (`S_ISUID`, `S_ISGID`).
/// A symbolic link is replaced, not followed.
///
/// # Examples
/// ```
/// use evloop_runtime::fs;
///
/// evloop_runtime::block_on(async {
///     let folder = fs::TempDir::new().await?;
///     let path = folder.path().join("settings");
///     fs::replace(&path, "colour = blue").await?;
///     fs::replace(&path, "colour = green").await?;
///     assert_eq!(fs::read_to_string(&path).await?, "colour = green");
///     folder.close().await
/// }).unwrap();
/// ```
///
/// # Errors
/// What one of these steps says. Until the renaming, the old file is as it was, and the other one is removed.
///
/// # Cancel safety
/// The file is replaced, or as it was.
pub async fn replace<C>(path: impl AsRef<Path>, contents: C) -> io::Result<()>
where
    C: AsRef<[u8]> + Send + 'static,
{
    on_path("replace", path.as_ref(), move |path| replace_now(path, contents.as_ref())).await
}

fn replace_now(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return Err(io::ErrorKind::IsADirectory.into()),
    };
    let old = match std::fs::symlink_metadata(path) {
        // Not the bits that have a program run as its owner (chmod(2)): the owner is another now.
        Ok(old) if old.is_file() => Some(Permissions::from_mode(old.permissions().mode() & 0o777)),
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut new = tempfile::Builder::new().permissions(Permissions::from_mode(MODE)).tempfile_in(folder)?;
    new.write_all(contents)?;
    if let Some(permissions) = old {
        new.as_file().set_permissions(permissions)?;
    }
    new.as_file().sync_all()?;
    new.persist(path).map_err(|refused| refused.error)?;
    File::open(folder)?.sync_all()
}

/// Copies a file's contents and permissions to another, which is made or emptied, and tells how many bytes that were. Where it
/// can, the kernel does it alone (`copy_file_range(2)`), on some file systems without copying anything.
///
/// # Errors
/// What opening, reading and writing say; what is no regular file is `InvalidInput`.
///
/// # Cancel safety
/// The other file is a whole copy, or as it was.
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    on_paths("copy", from.as_ref(), to.as_ref(), |from, to| std::fs::copy(from, to)).await
}
