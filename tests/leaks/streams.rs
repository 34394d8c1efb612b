//! Streams of bytes that need no kernel.

use crate::{MANY, Repeats};
use evloop::future::{Either, join, race};
use evloop::io::framed::{Framed, LinesCodec};
use evloop::io::{
    AsyncBufRead, AsyncRead, AsyncWrite, BufReader, BufWriter, chain, copy, copy_both_ways, copy_buf, duplex, simplex,
    sink, split, take,
};
use evloop::task::yield_now;

pub(crate) fn repeat(repeats: &mut Repeats) {
    repeats.each("duplex", MANY, async || {
        let (mut near, mut far) = duplex(4);
        let mut back = [0; 8];
        let (written, read) = join(near.write_all(b"12345678"), far.read_exact(&mut back)).await;
        written.and(read).unwrap();
        let waits = far.read(&mut back);
        assert!(matches!(race(waits, yield_now()).await, Either::Right(())));
        let fills = near.write_all(b"12345678");
        assert!(matches!(race(fills, yield_now()).await, Either::Right(())));
        drop(near.into_split());
    });
    repeats.each("simplex", MANY, async || {
        let (mut reader, mut writer) = simplex(4);
        writer.write_all(b"1234").await.unwrap();
        drop(writer);
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await.unwrap();
    });
    repeats.each("framed", MANY, async || {
        let (near, far) = duplex(64);
        let (mut near, mut far) = (Framed::new(near, LinesCodec::new(64)), Framed::new(far, LinesCodec::new(64)));
        near.send("one").await.unwrap();
        assert_eq!(far.next().await.unwrap().unwrap(), "one");
        assert!(matches!(race(far.next(), yield_now()).await, Either::Right(())));
        near.feed("never written").await.unwrap();
    });
    repeats.each("buffered lines", MANY, async || {
        let mut lines = BufReader::with_capacity(4, &b"one\ntwo\n"[..]).lines(64);
        while lines.next().await.unwrap().is_some() {}
        let mut writer = BufWriter::with_capacity(4, sink());
        writer.write_all(b"123456").await.unwrap();
    });
    repeats.each("copies", MANY, async || {
        copy(&mut take(chain(&b"one"[..], &b"two"[..]), 5), &mut sink()).await.unwrap();
        copy_buf(&mut &b"three"[..], &mut sink()).await.unwrap();
    });
    repeats.each("copy both ways", MANY, async || {
        let ((mut near, mut a), (mut b, mut far)) = (duplex(64), duplex(64));
        let talk = async {
            near.write_all(b"there").await.unwrap();
            near.shutdown().await.unwrap();
            far.read_exact(&mut [0; 5]).await.unwrap();
            far.shutdown().await.unwrap();
        };
        join(copy_both_ways(&mut a, &mut b), talk).await.0.unwrap();
    });
    repeats.each("copy both ways dropped", MANY, async || {
        let ((_near, mut a), (mut b, _far)) = (duplex(64), duplex(64));
        assert!(matches!(race(copy_both_ways(&mut a, &mut b), yield_now()).await, Either::Right(())));
    });
    repeats.each("split and rejoined", MANY, async || {
        let (near, _far) = duplex(64);
        let (read, write) = split(near);
        write.rejoin(read).unwrap();
    });
}
