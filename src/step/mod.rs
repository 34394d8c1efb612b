//! Step mode: a small program on a loop, one turn at a key.
//!
//! The program has a loop of its own, whose turns are made here; the keys come over another loop, of another thread, so that
//! nothing of the terminal is seen in what is shown, and a key is heard while a turn waits. Without a terminal each line of the
//! standard input is a key.

mod console;
mod programs;
mod screen;
mod witness;

use crate::cli::Step;
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
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        console::run(program, options.manual)
    } else {
        Stage::new(program, options.manual, false)?.by_lines()
    }
}

impl Stage {
    /// The program before its first turn, on a loop for this thread. Waits are told before they begin if it `announces`.
    fn new(program: &'static Program, manual: bool, announces: bool) -> io::Result<Stage> {
        let witness = Rc::new(Witness::new(announces));
        let limits = PoolLimits { threads_max: 2, ..PoolLimits::default() };
        let builder = Runtime::builder().pool(limits).observer(Rc::<Witness>::clone(&witness));
        let runtime = if manual { builder.manual_clock() } else { builder }.build()?;
        runtime.enter(program.begin)?;
        let mut stage = Stage { program, runtime, witness, turns: 0, alive: true, screen: Screen::default() };
        stage.look();
        Ok(stage)
    }

    /// Each line is a key; the end of the input, and of the program, is the end.
    fn by_lines(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{}", self.text(Size { columns: 80, rows: usize::MAX, coloured: false }))?;
        for line in io::stdin().lock().split(b'\n') {
            match Key::of(line?.first().copied().unwrap_or(b'\n')) {
                Key::Quit => break,
                key => self.obey(key, || false)?,
            }
            write!(out, "\n{}", self.text(Size { columns: 80, rows: usize::MAX, coloured: false }))?;
            if !self.alive {
                break;
            }
        }
        out.flush()
    }

    /// Makes the turns that a key asks for, until somebody leaves.
    fn obey(&mut self, key: Key, leaves: impl Fn() -> bool) -> io::Result<()> {
        let (most, until_end) = match key {
            Key::Turns(turns) => (turns, false),
            Key::Run => (TURNS_MAX, true),
            Key::Quit | Key::None => (0, false),
        };
        for _ in 0..most {
            if leaves() || !self.alive || (self.turn()? && until_end) {
                break;
            }
        }
        Ok(())
    }

    /// Makes one turn; whether a task has ended in it.
    fn turn(&mut self) -> io::Result<bool> {
        self.witness.begin_turn();
        self.alive = self.runtime.run(Mode::Once)?;
        self.witness.end_turn();
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
