//! What is done to a path: one job of the pool each, with the one or two system calls that its name says.

use super::{on_path, on_paths};
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_OMIT, mkfifoat, statvfs, utimensat};
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::ops::BitOr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Length, kind, permissions, times and more of what is there; symbolic links are followed.
///
/// # Errors
/// What `stat(2)` says.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    on_path("look at", path.as_ref(), |path| fs::metadata(path)).await
}

/// As [`metadata`], of a symbolic link itself.
///
/// # Errors
/// What `lstat(2)` says.
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    on_path("look at", path.as_ref(), |path| fs::symlink_metadata(path)).await
}

/// Whether there is something; a symbolic link that leads nowhere is nothing.
///
/// # Errors
/// What `stat(2)` says, but that there is nothing: then it is not known, as in a folder that may not be looked into.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    on_path("look at", path.as_ref(), |path| fs::exists(path)).await
}

/// What may be asked of [`access`].
///
/// # Examples
/// ```
/// use evloop_runtime::fs::{self, Access};
///
/// evloop_runtime::block_on(fs::access("/", Access::READ | Access::EXECUTE)).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(rustix::fs::Access);

impl Access {
    /// That it is there.
    pub const EXISTS: Access = Access(rustix::fs::Access::EXISTS);
    /// To read it.
    pub const READ: Access = Access(rustix::fs::Access::READ_OK);
    /// To write it.
    pub const WRITE: Access = Access(rustix::fs::Access::WRITE_OK);
    /// To execute it; to enter it, if it is a folder.
    pub const EXECUTE: Access = Access(rustix::fs::Access::EXEC_OK);
}

impl BitOr for Access {
    type Output = Access;

    fn bitor(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }
}

/// Asks whether the user who has started the process may do all of that (`access(2)`). By the time of the answer it may be
/// otherwise: to open something, open it.
///
/// # Errors
/// That he may not (`PermissionDenied`), that there is nothing, and what else `access(2)` says.
pub async fn access(path: impl AsRef<Path>, access: Access) -> io::Result<()> {
    on_path("access", path.as_ref(), move |path| Ok(rustix::fs::access(path, access.0)?)).await
}

/// The path without symbolic links, `.` and `..`, from the root.
///
/// # Errors
/// What `realpath(3)` says.
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    on_path("resolve", path.as_ref(), |path| fs::canonicalize(path)).await
}

/// Where a symbolic link leads.
///
/// # Errors
/// What `readlink(2)` says; what is no symbolic link is `InvalidInput`.
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    on_path("read the link", path.as_ref(), |path| fs::read_link(path)).await
}

/// Makes the symbolic link `link`, which leads to `target`.
///
/// # Errors
/// What `symlink(2)` says.
pub async fn symlink(target: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let work = |target: &Path, link: &Path| std::os::unix::fs::symlink(target, link);
    on_paths("link", target.as_ref(), link.as_ref(), work).await
}

/// Gives the file `original` another name, `link`.
///
/// # Errors
/// What `link(2)` says.
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    on_paths("link", original.as_ref(), link.as_ref(), |original, link| fs::hard_link(original, link)).await
}

/// Renames; what has the new name already, if it is of the same kind, is replaced at one stroke.
///
/// # Errors
/// What `rename(2)` says: that the paths are on different file systems, for one.
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    on_paths("rename", from.as_ref(), to.as_ref(), |from, to| fs::rename(from, to)).await
}

/// Removes a file, or a symbolic link.
///
/// # Errors
/// What `unlink(2)` says.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("remove", path.as_ref(), |path| fs::remove_file(path)).await
}

/// Removes an empty folder.
///
/// # Errors
/// What `rmdir(2)` says.
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("remove", path.as_ref(), |path| fs::remove_dir(path)).await
}

/// Removes a folder and all that is in it, in one job. Symbolic links are removed, not followed, also one that is put in a
/// folder's place meanwhile.
///
/// # Errors
/// What the first thing that cannot be removed says; a part is gone then.
///
/// # Cancel safety
/// A job that has begun removes all.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("remove", path.as_ref(), |path| fs::remove_dir_all(path)).await
}

/// Makes a folder.
///
/// # Errors
/// What `mkdir(2)` says.
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("create", path.as_ref(), |path| fs::create_dir(path)).await
}

/// Makes a folder with these permissions, of which the process's umask takes away.
///
/// # Errors
/// What `mkdir(2)` says.
pub async fn create_dir_with_mode(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    on_path("create", path.as_ref(), move |path| DirBuilder::new().mode(mode).create(path)).await
}

/// Makes a folder, and those on the way to it that are missing. One that is there already is no error.
///
/// # Errors
/// What `mkdir(2)` says; some of them may have been made.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("create", path.as_ref(), |path| fs::create_dir_all(path)).await
}

/// Makes a named pipe with these permissions, of which the process's umask takes away.
///
/// # Errors
/// What `mknod(2)` says.
pub async fn mkfifo(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    on_path("create", path.as_ref(), move |path| Ok(mkfifoat(CWD, path, Mode::from_raw_mode(mode))?)).await
}

/// Sets the permissions; symbolic links are followed.
///
/// # Errors
/// What `chmod(2)` says.
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    on_path("set the permissions of", path.as_ref(), move |path| fs::set_permissions(path, permissions)).await
}

/// Sets owner and group; `None` leaves one as it is. Symbolic links are followed.
///
/// # Errors
/// What `chown(2)` says.
pub async fn chown(path: impl AsRef<Path>, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    let work = move |path: &Path| std::os::unix::fs::chown(path, user, group);
    on_path("change the owner of", path.as_ref(), work).await
}

/// As [`chown`], of a symbolic link itself.
///
/// # Errors
/// What `lchown(2)` says.
pub async fn lchown(path: impl AsRef<Path>, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    let work = move |path: &Path| std::os::unix::fs::lchown(path, user, group);
    on_path("change the owner of", path.as_ref(), work).await
}

/// Sets the times of the last access and of the last change; `None` leaves one as it is. Symbolic links are followed.
///
/// # Errors
/// What `utimensat(2)` says.
pub async fn set_times(
    path: impl AsRef<Path>,
    accessed: Option<SystemTime>,
    modified: Option<SystemTime>,
) -> io::Result<()> {
    set_times_with(path.as_ref(), accessed, modified, AtFlags::empty()).await
}

/// As [`set_times`], of a symbolic link itself.
///
/// # Errors
/// What `utimensat(2)` says.
pub async fn set_symlink_times(
    path: impl AsRef<Path>,
    accessed: Option<SystemTime>,
    modified: Option<SystemTime>,
) -> io::Result<()> {
    set_times_with(path.as_ref(), accessed, modified, AtFlags::SYMLINK_NOFOLLOW).await
}

async fn set_times_with(
    path: &Path,
    accessed: Option<SystemTime>,
    modified: Option<SystemTime>,
    flags: AtFlags,
) -> io::Result<()> {
    let times = Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
    on_path("set the times of", path, move |path| Ok(utimensat(CWD, path, &times, flags)?)).await
}

/// A time as the kernel has it: seconds since 1970, and nanoseconds that count forwards, before 1970 too.
fn timespec(time: Option<SystemTime>) -> Timespec {
    let seconds = |seconds: u64| i64::try_from(seconds).expect("std's times are the kernel's: 64 bits with a sign");
    let Some(time) = time else { return Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT } };
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Timespec { tv_sec: seconds(since.as_secs()), tv_nsec: since.subsec_nanos().into() },
        Err(error) => {
            let before = error.duration();
            match before.subsec_nanos() {
                0 => Timespec { tv_sec: 0_i64.wrapping_sub_unsigned(before.as_secs()), tv_nsec: 0 },
                nanos => Timespec { tv_sec: -1 - seconds(before.as_secs()), tv_nsec: (1_000_000_000 - nanos).into() },
            }
        }
    }
}

/// How large a file system is, and how full: see [`space`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What is not used, in bytes.
    pub free_bytes: u64,
    /// What is not used and not kept back for the administrator, in bytes.
    pub available_bytes: u64,
    /// The unit in which it gives space away, in bytes.
    pub block_bytes: u64,
    /// How many files it can have; zero where that is not fixed.
    pub files_max: u64,
    /// How many more files it can have.
    pub files_free: u64,
    /// The longest name of a file, in bytes.
    pub name_bytes_max: u64,
    /// Nothing can be written.
    pub is_read_only: bool,
}

/// How large the file system is that the path lies in, and how full.
///
/// # Errors
/// What `statfs(2)` says.
pub async fn space(path: impl AsRef<Path>) -> io::Result<Space> {
    let work = |path: &Path| {
        let stat = statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space {
            total_bytes: bytes(stat.f_blocks),
            free_bytes: bytes(stat.f_bfree),
            available_bytes: bytes(stat.f_bavail),
            block_bytes: stat.f_frsize,
            files_max: stat.f_files,
            files_free: stat.f_ffree,
            name_bytes_max: stat.f_namemax,
            is_read_only: stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        })
    };
    on_path("look at the file system of", path.as_ref(), work).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_before_1970_count_forwards() {
        let at = |time| {
            let spec = timespec(Some(time));
            (spec.tv_sec, spec.tv_nsec)
        };
        assert_eq!(at(UNIX_EPOCH + Duration::new(3, 4)), (3, 4));
        assert_eq!(at(UNIX_EPOCH), (0, 0));
        assert_eq!(at(UNIX_EPOCH - Duration::new(0, 1)), (-1, 999_999_999));
        assert_eq!(at(UNIX_EPOCH - Duration::new(2, 0)), (-2, 0));
        assert_eq!(timespec(None).tv_nsec, UTIME_OMIT);
    }
}
