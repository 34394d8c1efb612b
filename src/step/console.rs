//! The terminal: its keys are read on this thread, while the program turns on another.

use super::programs::Program;
use super::screen::Size;
use super::{Key, Stage};
use evloop::io::AsyncRead;
use evloop::signal::{Signal, SignalKind, Signals, signal, signals};
use evloop::stdio::{RawKind, Tty};
use evloop::sync::oneshot;
use evloop::{Handle, Runtime, select};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

/// What would end the process with the terminal left as no shell wants it.
const ENDS: &[SignalKind] = &[SignalKind::INTERRUPT, SignalKind::TERMINATE, SignalKind::HANGUP, SignalKind::QUIT];

/// A key, and how large the screen is on which what it does is shown.
#[derive(Debug)]
struct Order {
    key: Key,
    size: Size,
}

/// Steps through a program key by key. The terminal is as it was afterwards, however this ends.
pub(super) fn run(program: &'static Program, manual: bool) -> io::Result<()> {
    let runtime = Runtime::new()?;
    let mut terminal = runtime.enter(Terminal::open)?;
    let _raw = terminal.tty.raw_mode(RawKind::Keys)?;
    let leaves = Arc::new(AtomicBool::new(false));
    let (orders, taken) = mpsc::channel();
    let (begun, program_loop) = mpsc::channel();
    let (over, ended) = oneshot::channel();
    let stage = {
        let leaves = Arc::clone(&leaves);
        move || drop(over.send(perform(program, manual, &begun, &taken, &leaves)))
    };
    let stage = thread::Builder::new().name(program.name.to_owned()).spawn(stage)?;
    let result = runtime.block_on(terminal.listen(&orders, ended));
    leaves.store(true, Relaxed); // the wake below, and the channel's end, are what it is seen by
    if let Ok(program_loop) = program_loop.recv() {
        program_loop.wake();
    }
    drop(orders);
    stage.join().map_err(|_| io::Error::other("the program has panicked"))?;
    result
}

/// The program's thread: obeys, and shows what has come of it, until the orders end.
fn perform(
    program: &'static Program,
    manual: bool,
    begun: &mpsc::Sender<Handle>,
    orders: &mpsc::Receiver<Order>,
    leaves: &AtomicBool,
) -> io::Result<()> {
    let mut stage = Stage::new(program, manual, true)?;
    drop(begun.send(stage.runtime.enter(Handle::current))); // nobody asks for it until the end
    for Order { key, size } in orders {
        stage.obey(key, || leaves.load(Relaxed))?;
        let mut out = io::stdout().lock();
        if leaves.load(Relaxed) {
            return writeln!(out); // below what was waited for
        }
        write!(out, "\x1b[H\x1b[2J{}", stage.text(size))?;
        out.flush()?;
    }
    Ok(())
}

struct Terminal {
    tty: Tty,
    resized: Signal,
    told_to_end: Signals,
    coloured: bool,
}

impl Terminal {
    fn open() -> io::Result<Terminal> {
        Ok(Terminal {
            tty: Tty::from_fd(io::stdin())?,
            resized: signal(SignalKind::WINDOW_CHANGE)?,
            told_to_end: signals(ENDS)?,
            coloured: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        })
    }

    fn size(&self) -> Size {
        let size = self.tty.size().ok().filter(|size| size.columns > 0 && size.rows > 0);
        let (columns, rows) = size.map_or((80, 24), |size| (size.columns.into(), size.rows.into()));
        Size { columns, rows, coloured: self.coloured }
    }

    /// Hands on the keys until one, or a signal, says that it is enough, or the program's thread has ended.
    async fn listen(
        &mut self,
        orders: &mpsc::Sender<Order>,
        mut ended: oneshot::Receiver<io::Result<()>>,
    ) -> io::Result<()> {
        let order = |key, size| drop(orders.send(Order { key, size })); // who does not take it has ended, and says so
        order(Key::None, self.size());
        let mut bytes = [0; 16];
        loop {
            select! {
                read = self.tty.read(&mut bytes) => match read? {
                    0 => return Ok(()),
                    read => {
                        for key in bytes[..read].iter().map(|byte| Key::of(*byte)) {
                            if key == Key::Quit {
                                return Ok(());
                            }
                            order(key, self.size());
                        }
                    }
                },
                _ = self.resized.recv() => order(Key::None, self.size()),
                _ = self.told_to_end.recv() => return Ok(()),
                result = &mut ended => return result.unwrap_or(Ok(())), // a panic is told by who joins the thread
            }
        }
    }
}
