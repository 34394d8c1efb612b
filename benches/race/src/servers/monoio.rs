//! A handler written by hand on monoio's epoll, its `LegacyDriver`: what monoio costs without a server's work. It has no
//! HTTP server of its own; its other driver, on `io_uring`, is another race.
//!
//! Settings: the runtime without timers, since nothing here waits for one.

use super::by_hand::Answers;
use monoio::buf::SliceMut;
use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};
use monoio::net::TcpStream;
use monoio::{LegacyDriver, RuntimeBuilder};
use std::io;
use std::net::TcpListener;

/// What one `read` can bring at least, in bytes.
const READ_BYTES: usize = 4096;

/// Serves until killed.
///
/// # Errors
///
/// What the system says.
pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    let answers: &Answers = Box::leak(Box::new(Answers::new()));
    RuntimeBuilder::<LegacyDriver>::new().build()?.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = monoio::net::TcpListener::from_std(listener)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true)?;
            // A client that has gone, or sends what is no request, is left.
            monoio::spawn(async move { drop(talk(stream, answers).await) });
        }
    })
}

/// Buffers go into each operation and come back from it, as monoio's traits have it.
async fn talk(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let (mut input, mut output) = (Vec::with_capacity(READ_BYTES), Vec::new());
    loop {
        if input.len() == input.capacity() {
            input.reserve(READ_BYTES); // a request that is longer, which `Answers::answer` bounds
        }
        let (filled, room) = (input.len(), input.capacity());
        let (read, rest) = stream.read(SliceMut::new(input, filled, room)).await;
        input = rest.into_inner();
        if read? == 0 {
            return Ok(());
        }
        let used = answers.answer(&input, &mut output)?;
        input.drain(..used);
        if !output.is_empty() {
            let (written, whole) = stream.write_all(output).await;
            written?;
            output = whole;
            output.clear();
        }
    }
}
