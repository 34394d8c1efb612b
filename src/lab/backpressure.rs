//! Where does it all go when a writer is faster than its reader?
//!
//! A writer makes four messages in a millisecond, a reader takes one. Between them is a channel without a bound, a channel
//! of 16, or a TCP connection. Look at the curves: without a bound what is under way grows for as long as the writer writes,
//! and each message is older when it is read. A bound *holds* the writer, which is back-pressure: it can do nothing else
//! until there is room. TCP has it by itself, as its buffers are full at some time. Who is held should pass it on.
//!
//! Change [`BOUND`] to 1 or to 100: how late is a message, and does anything become faster?

use super::{Experiment, measure::millis};
use crate::picture::{Picture, Plot, spoken};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::sync::mpsc;
use evloop::time::interval;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

const MESSAGES: usize = 240;
const BYTES: usize = 4096;
const BOUND: usize = 16;
const BEAT: Duration = Duration::from_millis(1);
const MADE_A_BEAT: usize = 4;

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "backpressure", about: "a fast writer and a slow reader, with and without a bound", run };

fn run() -> io::Result<Picture> {
    evloop::run(async {
        let mut about = Vec::new();
        let plot = Plot::new("handed over, and not read yet", "ms since the start", "KiB");

        let (sender, mut receiver) = mpsc::unbounded();
        let put = async || sender.send(vec![0; BYTES]).map_err(io::Error::other);
        let take = async || receiver.recv().await.map(drop).ok_or_else(|| ErrorKind::BrokenPipe.into());
        let plot = flow("no bound", put, take, plot, &mut about).await?;

        let (sender, mut receiver) = mpsc::channel(BOUND);
        let put = async || sender.send(vec![0; BYTES]).await.map_err(io::Error::other);
        let take = async || receiver.recv().await.map(drop).ok_or_else(|| ErrorKind::BrokenPipe.into());
        let plot = flow(&format!("a bound of {BOUND}"), put, take, plot, &mut about).await?;

        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_receive_buffer(BOUND * BYTES / 2)?; // else the kernel takes megabytes
        let mut writer = TcpStream::connect(listener.local_addr()?).await?;
        writer.set_send_buffer(BOUND * BYTES / 2)?;
        let mut reader = listener.accept().await?.0;
        let put = async || writer.write_all(&[0; BYTES]).await;
        let take = async || reader.read_exact(&mut [0; BYTES]).await;
        let plot = flow("TCP", put, take, plot, &mut about).await?;
        Ok(Picture::new("A fast writer and a slow reader").about(about.join("\n")).plot(plot))
    })
}

/// Writes and reads, draws what is under way, and tells what it came to.
async fn flow(
    name: &str,
    mut put: impl AsyncFnMut() -> io::Result<()>,
    mut take: impl AsyncFnMut() -> io::Result<()>,
    plot: Plot,
    about: &mut Vec<String>,
) -> io::Result<Plot> {
    let began = Instant::now();
    let made = RefCell::new(VecDeque::new());
    let curve = RefCell::new(vec![(0.0, 0.0)]);
    let note = || {
        let kib = u32::try_from(made.borrow().len() * BYTES / 1024).expect("there are some hundred");
        curve.borrow_mut().push((millis(began.elapsed()), f64::from(kib)));
    };
    let writer = async {
        let (mut beat, mut held) = (interval(BEAT), Duration::ZERO);
        for number in 0..MESSAGES {
            if number % MADE_A_BEAT == 0 {
                beat.tick().await;
            }
            let ready = Instant::now();
            put().await?;
            held += ready.elapsed();
            made.borrow_mut().push_back(ready);
            note();
        }
        Ok((began.elapsed(), held))
    };
    let reader = async {
        let (mut beat, mut oldest) = (interval(BEAT), Duration::ZERO);
        for _ in 0..MESSAGES {
            beat.tick().await;
            take().await?;
            let first = made.borrow_mut().pop_front();
            oldest = oldest.max(first.map_or(Duration::ZERO, |made: Instant| made.elapsed()));
            note();
        }
        Ok::<_, io::Error>(oldest)
    };
    let ((done, held), oldest) = evloop::try_join!(writer, reader)?;
    let most = curve.borrow().iter().map(|(_, kib)| *kib).fold(0.0, f64::max);
    let (done, held, oldest) = (spoken(done), spoken(held), spoken(oldest));
    about.push(format!(
        "{name}: the writer was done after {done}, of which handing messages over took {held}. At most {most:.0} KiB were \
         under way; a message was up to {oldest} old when it was read."
    ));
    Ok(plot.series(name, curve.into_inner()))
}
