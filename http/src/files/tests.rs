//! The whole application, on a server, over a real folder: bytes in, bytes out.

mod clauses;
mod content;
mod places;

use super::Files;
use crate::asgi::App;
use crate::server::Server;
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::net::TcpStream;
use evloop_runtime::sync::oneshot;
use evloop_runtime::time::timeout;
use evloop_runtime::{block_on, spawn};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

/// Serves for as long as `test` takes.
fn serve<A: App>(app: A, test: impl AsyncFnOnce(SocketAddr)) {
    block_on(async {
        let (stop, stopped) = oneshot::channel();
        let server = Server::bind("127.0.0.1:0").expect("there is a free port");
        let address = server.local_addr().expect("a socket that is bound has an address");
        let server = spawn(server.serve_until(app, async { stopped.await.unwrap_or(()) }));
        // A minute: none of the tests needs a second, but one that waits in vain shall fail and not hang.
        timeout(Duration::from_secs(60), test(address)).await.expect("the test waits for something that never comes");
        stop.send(()).expect("the server waits for it");
        server.await.expect("the server does not panic").expect("accepting does not fail here");
    });
}

/// All that an application answers to these bytes, without what depends on the day.
fn transcript<A: App>(app: A, bytes: &str) -> String {
    let mut answer = Vec::new();
    serve(app, async |address| {
        let mut client = TcpStream::connect(address).await.expect("the server listens");
        client.write_all(bytes.as_bytes()).await.expect("the server reads");
        client.shutdown().await.expect("the connection is open");
        client.read_to_end(&mut answer).await.expect("the server ends the connection in order");
    });
    let text = String::from_utf8_lossy(&answer);
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

/// The answer to a request with this method and target, and these further fields, each with its line end.
fn answer(app: Files, request: &str, fields: &str) -> String {
    transcript(app, &format!("{request} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

/// The three digits of the status.
fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).expect("an answer has a status")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("an answer has a head").1
}

/// The value of a field of the head.
fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Files by name and content, in a folder that is gone with the value; all were modified at the same time.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("there is a place for temporary files");
    for (name, content) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("the folder is ours");
        fs::write(&path, content).expect("the folder is ours");
        let file = File::options().write(true).open(&path).expect("it was just made");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).expect("the file is ours");
    }
    root
}

/// Serves a folder as it will be seen in the year 2096, when all its files are settled.
fn files(root: &Path) -> Files {
    let mut files = Files::new(root).expect("the folder is there");
    Arc::make_mut(&mut files.site).now = || 4_000_000_000;
    files
}

const NOT_FOUND: &str =
    "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 9\r\n\r\nNot Found";
