//! Reading and writing at a position.
//!
//! The buffer goes to the thread of the pool with the job and comes back with its result, whatever that is: the kernel
//! copies straight from it or to it, and nobody copies a second time. That is how runtimes on `io_uring` do it (tokio-uring,
//! compio), and for their reason: whoever is in the midst of reading cannot have a borrowed buffer, when the borrower may
//! leave.

use super::{File, Shown};
use crate::failed::failed;
use crate::spawn::blocking_io;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// # At a position
///
/// These leave the file's position alone, so they take `&File`, and several may be under way. A buffer comes back with the
/// result, also with an error; an empty one in its place says that the loop has ended before the job began.
impl File {
    /// Reads at that position, into the front of `buf`, and tells how many bytes; zero is the end of the file. All of
    /// `buf.len()` is offered; its length stays.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::fs::{self, File};
    ///
    /// evloop_runtime::block_on(async {
    ///     let folder = fs::TempDir::new().await?;
    ///     let path = folder.path().join("digits");
    ///     fs::write(&path, "0123456789").await?;
    ///     let file = File::open(&path).await?;
    ///     let (count, buf) = file.read_at(vec![0; 4], 8).await;
    ///     assert_eq!(&buf[..count?], b"89");
    ///     folder.close().await
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What `pread(2)` says.
    ///
    /// # Cancel safety
    /// The buffer is lost, the file as it was.
    pub async fn read_at<B>(&self, buf: B, offset: u64) -> (io::Result<usize>, B)
    where
        B: AsMut<[u8]> + Default + Send + 'static,
    {
        self.lend("read", buf, move |file, buf| file.read_at(buf.as_mut(), offset)).await
    }

    /// Fills all of `buf`, from that position on.
    ///
    /// # Errors
    /// What `pread(2)` says, and [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the file ends before.
    ///
    /// # Cancel safety
    /// The buffer is lost, the file as it was.
    pub async fn read_exact_at<B>(&self, buf: B, offset: u64) -> (io::Result<()>, B)
    where
        B: AsMut<[u8]> + Default + Send + 'static,
    {
        self.lend("read", buf, move |file, buf| file.read_exact_at(buf.as_mut(), offset)).await
    }

    /// Reads at that position into one buffer after the other, as if they were one, and tells how many bytes. At most 1,024
    /// buffers are offered.
    ///
    /// # Errors
    /// What `preadv(2)` says.
    ///
    /// # Cancel safety
    /// The buffers are lost, the file as it was.
    pub async fn read_vectored_at<B>(&self, bufs: Vec<B>, offset: u64) -> (io::Result<usize>, Vec<B>)
    where
        B: AsMut<[u8]> + Send + 'static,
    {
        let work = move |file: &std::fs::File, bufs: &mut Vec<B>| {
            let mut slices: Vec<_> = bufs.iter_mut().map(|buf| IoSliceMut::new(buf.as_mut())).collect();
            Ok(rustix::io::preadv(file, &mut slices, offset)?)
        };
        self.lend("read", bufs, work).await
    }

    /// Writes from `buf` at that position, and tells how many bytes were taken.
    ///
    /// In a file that was opened to append, Linux writes at its end all the same (`pwrite(2)`, BUGS).
    ///
    /// # Errors
    /// What `pwrite(2)` says.
    ///
    /// # Cancel safety
    /// The buffer is lost; it was written, or was not.
    pub async fn write_at<B>(&self, buf: B, offset: u64) -> (io::Result<usize>, B)
    where
        B: AsRef<[u8]> + Default + Send + 'static,
    {
        self.lend("write", buf, move |file, buf| file.write_at(buf.as_ref(), offset)).await
    }

    /// Writes all of `buf`, from that position on.
    ///
    /// # Errors
    /// What `pwrite(2)` says; a part may have been written.
    ///
    /// # Cancel safety
    /// The buffer is lost; it was written, or was not.
    pub async fn write_all_at<B>(&self, buf: B, offset: u64) -> (io::Result<()>, B)
    where
        B: AsRef<[u8]> + Default + Send + 'static,
    {
        self.lend("write", buf, move |file, buf| file.write_all_at(buf.as_ref(), offset)).await
    }

    /// Writes at that position from one buffer after the other, as if they were one, and tells how many bytes were taken. At
    /// most 1,024 buffers are looked at.
    ///
    /// # Errors
    /// What `pwritev(2)` says.
    ///
    /// # Cancel safety
    /// The buffers are lost; they were written, or were not.
    pub async fn write_vectored_at<B>(&self, bufs: Vec<B>, offset: u64) -> (io::Result<usize>, Vec<B>)
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let work = move |file: &std::fs::File, bufs: &mut Vec<B>| {
            let slices: Vec<_> = bufs.iter().map(|buf| IoSlice::new(buf.as_ref())).collect();
            Ok(rustix::io::pwritev(file, &slices, offset)?)
        };
        self.lend("write", bufs, work).await
    }

    /// Lends a buffer to a job.
    async fn lend<B, T, W>(&self, action: &'static str, mut buf: B, work: W) -> (io::Result<T>, B)
    where
        B: Default + Send + 'static,
        T: Send + 'static,
        W: FnOnce(&std::fs::File, &mut B) -> io::Result<T> + Send + 'static,
    {
        let (file, path) = (Arc::clone(self.file()), Arc::clone(self.path()));
        let job = blocking_io(move || {
            let done = work(&file, &mut buf).map_err(failed(action, Shown(&path)));
            Ok((done, buf))
        });
        job.await.unwrap_or_else(|ended| (Err(ended), B::default()))
    }
}
