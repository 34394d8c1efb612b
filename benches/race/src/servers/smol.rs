//! A handler written by hand on smol: what smol costs without a server's work. It has no HTTP server of its own.
//!
//! Settings: a `LocalExecutor` under `smol::block_on`, which polls the reactor on this same thread, as smol's documents have
//! it for one thread.

use super::by_hand::Answers;
use smol::LocalExecutor;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::TcpStream;
use std::io;
use std::net::TcpListener;

/// What one `read` can bring, in bytes.
const READ_BYTES: usize = 4096;

/// Serves until killed.
///
/// # Errors
///
/// What the system says.
pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    let executor = LocalExecutor::new();
    let answers: &Answers = Box::leak(Box::new(Answers::new()));
    smol::block_on(executor.run(async {
        let listener = smol::net::TcpListener::try_from(listener)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true)?;
            // A client that has gone, or sends what is no request, is left.
            executor.spawn(async move { drop(talk(stream, answers).await) }).detach();
        }
    }))
}

async fn talk(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let (mut input, mut output) = (vec![0; READ_BYTES], Vec::new());
    let mut filled = 0;
    loop {
        if filled == input.len() {
            input.resize(2 * filled, 0); // a request that is longer, which `Answers::answer` bounds
        }
        let read = stream.read(&mut input[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let used = answers.answer(&input[..filled], &mut output)?;
        input.copy_within(used..filled, 0);
        filled -= used;
        stream.write_all(&output).await?;
        output.clear();
    }
}
