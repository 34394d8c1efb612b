//! A handler written by hand on tokio's current-thread runtime: what tokio costs without a server's work.

use super::by_hand::Answers;
use std::io;
use std::net::TcpListener;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What one `read` can bring at first, in bytes.
const INPUT_BYTES: usize = 4096;

/// Serves until killed.
///
/// # Errors
///
/// What the system says.
pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(accept(listener, Box::leak(Box::new(Answers::new()))))
}

async fn accept(listener: TcpListener, answers: &'static Answers) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true)?;
        // A client that has gone, or sends what is no request, is left.
        tokio::spawn(async move { drop(talk(stream, answers).await) });
    }
}

async fn talk(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut input = Vec::with_capacity(INPUT_BYTES);
    let mut output = Vec::new();
    // A read fills what the vector has room for and lets it grow, which `Answers::answer` bounds.
    while stream.read_buf(&mut input).await? > 0 {
        let used = answers.answer(&input, &mut output)?;
        input.drain(..used);
        stream.write_all(&output).await?;
        output.clear();
    }
    Ok(())
}
