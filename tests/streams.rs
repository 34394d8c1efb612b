//! What is built on streams, over the kernel's: a proxy, lines, and messages.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::manual;
use evloop::future::join;
use evloop::io::framed::{Framed, LengthDelimited, LengthPrefix};
use evloop::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, BufWriter, TooLong, copy_both_ways, split};
use evloop::net::{TcpListener, TcpStream};
use evloop::spawn;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[test]
fn proxy_passes_on_all_bytes_and_each_half_close() {
    manual().block_on(async {
        let ((mut client, mut front), (mut back, mut server)) = (pair().await, pair().await);
        let proxy = spawn(async move { copy_both_ways(&mut front, &mut back).await });
        // The server answers only when it has seen the client's end, so that must have been passed on.
        let serve = spawn(async move {
            let mut question = Vec::new();
            server.read_to_end(&mut question).await.unwrap();
            question.reverse();
            question.push(b'.');
            server.write_all(&question).await.unwrap();
        });
        let question: Vec<u8> = (0..=250).cycle().take(1_000_000).collect(); // more than the sockets hold
        client.write_all(&question).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer.pop(), Some(b'.'));
        assert!(answer.iter().rev().eq(&question));
        serve.await.unwrap();
        assert_eq!(proxy.await.unwrap().unwrap(), (1_000_000, 1_000_001));
    });
}

#[test]
fn line_that_is_too_long_is_refused_and_the_connection_goes_on() {
    manual().block_on(async {
        let (client, server) = pair().await;
        let (mut client, mut server) = (BufWriter::new(client), BufReader::new(server));
        let long = "x".repeat(100_000);
        let write = async {
            for line in ["hello\n", &long, "\n", "quit\n"] {
                client.write_all(line.as_bytes()).await.unwrap();
            }
            client.shutdown().await.unwrap();
        };
        let read = async {
            let mut line = String::new();
            server.read_line(&mut line, 512).await.unwrap();
            let refused = server.read_line(&mut line, 512).await.unwrap_err();
            assert!(refused.get_ref().unwrap().is::<TooLong>());
            assert_eq!(server.skip_until(b'\n').await.unwrap(), 100_001);
            server.read_line(&mut line, 512).await.unwrap();
            assert_eq!(line, "hello\nquit\n");
            assert_eq!(server.read_line(&mut line, 512).await.unwrap(), 0);
        };
        join(write, read).await;
    });
}

#[test]
fn messages_go_both_ways_over_two_halves() {
    manual().block_on(async {
        let codec = LengthDelimited::new(LengthPrefix::U32, 100_000);
        let (client, server) = pair().await;
        let echo = spawn(async move {
            let mut server = Framed::new(server, codec);
            while let Some(message) = server.next().await.unwrap() {
                server.send(message).await.unwrap();
            }
            server.close().await.unwrap();
        });
        let (reader, writer) = split(client);
        let send = spawn(async move {
            let mut writer = Framed::new(writer, codec);
            for len in 0..200 {
                writer.feed(vec![7; len * 100]).await.unwrap();
            }
            writer.close().await.unwrap();
        });
        let (mut reader, mut lens) = (Framed::new(reader, codec), Vec::new());
        while let Some(message) = reader.next().await.unwrap() {
            lens.push(message.len());
        }
        assert!(lens.into_iter().eq((0..200).map(|len| len * 100)));
        send.await.unwrap();
        echo.await.unwrap();
    });
}
