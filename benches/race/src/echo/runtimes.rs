//! The echo on each of the runtimes, in one shape, as their users write it: a task for each connection, with a buffer of its
//! own, that reads and then writes all that it has read. Each is by the runtime's public interface alone.

use super::BUFFER_BYTES;
use std::io;
use std::net::TcpListener;

/// evloop, one loop.
///
/// # Errors
///
/// What the system says.
pub(super) fn evloop(listener: TcpListener) -> io::Result<()> {
    use evloop::io::{AsyncRead as _, AsyncWrite as _};

    async fn echo(mut stream: evloop::net::TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let read @ 1.. = stream.read(&mut buffer).await? {
            stream.write_all(&buffer[..read]).await?;
        }
        Ok(())
    }

    evloop::run(async {
        let listener = evloop::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            drop(evloop::spawn(echo(stream))); // the task goes on by itself
        }
    })
}

/// tokio's current-thread runtime; a task that is spawned could move to another thread, as most of its users have it.
///
/// # Errors
///
/// What the system says.
pub(super) fn tokio(listener: TcpListener) -> io::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn echo(mut stream: tokio::net::TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let read @ 1.. = stream.read(&mut buffer).await? {
            stream.write_all(&buffer[..read]).await?;
        }
        Ok(())
    }

    listener.set_nonblocking(true)?;
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(echo(stream));
        }
    })
}

/// smol, a `LocalExecutor` under `smol::block_on`, which polls the reactor on this same thread.
///
/// # Errors
///
/// What the system says.
pub(super) fn smol(listener: TcpListener) -> io::Result<()> {
    use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn echo(mut stream: smol::net::TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let read @ 1.. = stream.read(&mut buffer).await? {
            stream.write_all(&buffer[..read]).await?;
        }
        Ok(())
    }

    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = smol::net::TcpListener::try_from(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            executor.spawn(echo(stream)).detach();
        }
    }))
}

/// monoio on epoll, its `LegacyDriver`, without timers. Buffers go into each operation and come back from it.
///
/// # Errors
///
/// What the system says.
pub(super) fn monoio(listener: TcpListener) -> io::Result<()> {
    use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};

    async fn echo(mut stream: monoio::net::TcpStream) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        loop {
            let (read, filled) = stream.read(buffer).await;
            if read? == 0 {
                return Ok(());
            }
            let (written, whole) = stream.write_all(filled).await;
            written?;
            buffer = whole;
            buffer.clear();
        }
    }

    listener.set_nonblocking(true)?;
    monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().build()?.block_on(async {
        let listener = monoio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            monoio::spawn(echo(stream));
        }
    })
}
