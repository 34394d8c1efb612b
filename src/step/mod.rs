//! Step mode: a small program on a loop, one turn at a key.
//!
//! The program has a loop of its own, whose turns are made here; the keys come over another loop of the same thread, so that
//! nothing of the terminal is seen in what is shown. Without a terminal each line of the standard input is a key.

mod programs;
mod screen;
mod witness;

use crate::cli::Step;
use evloop::future::{Either, race};
use evloop::io::AsyncRead;
use evloop::signal::{SignalKind, signal};
use evloop::stdio::{RawKind, Tty};
use evloop::task::PoolLimits;
use evloop::{Mode, Runtime};
use programs::Program;
use screen::{Screen, Size};
use std::io::{self, BufRead, IsTerminal, Write};
use std::rc::Rc;
use witness::Witness;

pub(crate) use programs::{find, list};

/// How many turns a key makes that goes on until something happens.
const TURNS_MAX: u32 = 1_000;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Turns(u32),
    /// Until a task has ended.
    Run,
    Quit,
    None,
}

impl Key {
    fn of(byte: u8) -> Key {
        match byte {
            b' ' | b'\r' | b'\n' => Key::Turns(1),
            b'n' => Key::Turns(10),
            b'r' => Key::Run,
            b'q' | CTRL_C | CTRL_D => Key::Quit,
            _ => Key::None,
        }
    }
}

/// A program under way, and what is known of its last turn.
struct Stage {
    program: &'static Program,
    runtime: Runtime,
    witness: Rc<Witness>,
    turns: u32,
    alive: bool,
    screen: Screen,
}

/// Runs a program step by step.
///
/// # Errors
/// What the kernel says to the program's loop, or to the terminal.
pub(crate) fn run(program: &'static Program, options: &Step) -> io::Result<()> {
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let witness = Rc::new(Witness::new(at_terminal));
    let limits = PoolLimits { threads_max: 2, ..PoolLimits::default() };
    let builder = Runtime::builder().pool(limits).observer(Rc::<Witness>::clone(&witness));
    let runtime = if options.manual { builder.manual_clock() } else { builder }.build()?;
    runtime.enter(program.begin)?;
    let mut stage = Stage { program, runtime, witness, turns: 0, alive: true, screen: Screen::default() };
    stage.look();
    if at_terminal { stage.by_keys() } else { stage.by_lines() }
}

impl Stage {
    /// Each line is a key; the end of the input, and of the program, is the end.
    fn by_lines(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{}", self.text(Size { columns: 80, rows: usize::MAX, coloured: false }))?;
        for line in io::stdin().lock().split(b'\n') {
            match Key::of(line?.first().copied().unwrap_or(b'\n')) {
                Key::Quit => break,
                key => self.obey(key)?,
            }
            write!(out, "\n{}", self.text(Size { columns: 80, rows: usize::MAX, coloured: false }))?;
            if !self.alive {
                break;
            }
        }
        out.flush()
    }

    /// Each key is one; the terminal is as it was afterwards, however this ends.
    fn by_keys(&mut self) -> io::Result<()> {
        let console = Runtime::new()?;
        let opened = || io::Result::Ok((Tty::from_fd(io::stdin())?, signal(SignalKind::WINDOW_CHANGE)?));
        let (mut tty, mut resized) = console.enter(opened)?;
        let mut told_to_end = console.enter(|| signal(SignalKind::TERMINATE))?;
        let coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let _raw = tty.raw_mode(RawKind::Keys)?;
        loop {
            let size = tty.size().ok().filter(|size| size.columns > 0 && size.rows > 0);
            let (columns, rows) = size.map_or((80, 24), |size| (size.columns.into(), size.rows.into()));
            let mut out = io::stdout().lock();
            write!(out, "\x1b[H\x1b[2J{}", self.text(Size { columns, rows, coloured }))?;
            out.flush()?;
            drop(out);
            let mut bytes = [0; 16];
            let next = async { race(race(tty.read(&mut bytes), resized.recv()), told_to_end.recv()).await };
            let read = match console.block_on(next) {
                Either::Left(Either::Left(read)) => read?,
                Either::Left(Either::Right(_)) => continue,
                Either::Right(_) => return Ok(()),
            };
            let keys = bytes[..read].iter().map(|byte| Key::of(*byte));
            for key in if read == 0 { vec![Key::Quit] } else { keys.collect() } {
                if key == Key::Quit {
                    return Ok(());
                }
                self.obey(key)?;
            }
        }
    }

    fn obey(&mut self, key: Key) -> io::Result<()> {
        let (most, until_end) = match key {
            Key::Turns(turns) => (turns, false),
            Key::Run => (TURNS_MAX, true),
            Key::Quit | Key::None => (0, false),
        };
        for _ in 0..most {
            if !self.alive || (self.turn()? && until_end) {
                break;
            }
        }
        Ok(())
    }

    /// Makes one turn; whether a task has ended in it.
    fn turn(&mut self) -> io::Result<bool> {
        self.witness.begin_turn();
        self.alive = self.runtime.run(Mode::Once)?;
        self.turns += 1;
        self.look();
        Ok(self.witness.has_ended_task())
    }

    fn look(&mut self) {
        self.screen.look(&self.runtime, &self.witness);
    }

    fn text(&self, size: Size) -> String {
        let Program { name, look, .. } = self.program;
        let heading = match self.turns {
            0 => format!("evloop step {name}: before the first turn"),
            turns => format!("evloop step {name}: turn {turns}"),
        };
        let last = if self.alive {
            "space: one turn   n: ten   r: until a task has ended   q: quit"
        } else {
            "Nothing keeps the loop alive any more: the program is over.   q: quit"
        };
        self.screen.text(&heading, look, &self.witness.turn(), last, size)
    }
}
