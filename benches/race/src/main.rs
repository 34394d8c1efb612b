//! evloop beside its peers, measured in one run: HTTP servers, TCP echo, the operations of a loop, libuv's own benchmark
//! list, and how the costs grow with the number of connections, timers and tasks.
//!
//! Every figure is a ratio within a run. One server at a time is loaded, in turn with a bare floor that does the same work
//! of the kernel and nothing else; its core does nothing else meanwhile, and rounds are interleaved so that a machine that
//! grows slower does so for all. `README.md` tells how to run it and how to read what it prints.
//!
//! The modules: [`options`] reads the command line; [`servers`] and [`echo`] hold the programs that are compared, which this
//! same program becomes when it is started as `serve NAME`; [`load`] asks them; [`measure`] watches them; [`rounds`] puts
//! the slots in order and makes medians and ratios; [`report`] tells it. [`operations`], [`libuv`] and [`scale`] measure loops
//! by themselves.

#![allow(clippy::print_stdout, reason = "a benchmark talks to the person who runs it")]

mod echo;
mod http;
mod libuv;
mod load;
mod measure;
mod operations;
mod options;
mod report;
mod rounds;
mod scale;
mod servers;

use options::{Command, Names, Options};
use report::Report;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match options::read(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("race: {error}");
            return ExitCode::from(2);
        }
    };
    if let Command::Race { chapters, options } = &command
        && let Err(refusal) = options.check(&known(chapters))
    {
        eprintln!("race: {refusal}");
        return ExitCode::from(2);
    }
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("race: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The contestants and workloads of these chapters, by the names that `--only` and `--scenarios` take.
fn known(chapters: &[options::Chapter]) -> Names {
    let mut names = Names::default();
    for chapter in chapters {
        match chapter {
            options::Chapter::Http => names.add(http::names()),
            options::Chapter::Echo => names.add(echo::names()),
            options::Chapter::Operations => names.add(operations::names()),
            options::Chapter::Libuv => names.add(libuv::names()),
            options::Chapter::Scale => names.add(scale::names()),
        }
    }
    names
}

/// Does what was asked.
fn run(command: Command) -> io::Result<()> {
    match command {
        Command::Print(text) => {
            print!("{text}");
            Ok(())
        }
        Command::Serve { name, scenario } => servers::serve(&name, &scenario),
        Command::Operation { runtime, name, count } if runtime == libuv::RUNTIME => libuv::one(&name, count),
        Command::Operation { runtime, name, count } if runtime == scale::RUNTIME => scale::one(&name, count),
        Command::Operation { runtime, name, count } => operations::one(&runtime, &name, count),
        Command::Load(orders) => load::run(&orders),
        Command::Tied { core, parent, program, arguments } => {
            measure::child::become_program(core, parent, &program, &arguments)
        }
        Command::Race { chapters, options } => race(&chapters, &options),
    }
}

/// Runs the chapters in their order and tells what each found.
fn race(chapters: &[options::Chapter], options: &Options) -> io::Result<()> {
    let mut report = Report::begin(options)?;
    for chapter in chapters {
        match chapter {
            options::Chapter::Http => http::run(options, &mut report)?,
            options::Chapter::Echo => echo::run(options, &mut report)?,
            options::Chapter::Operations => operations::run(options, &mut report)?,
            options::Chapter::Libuv => libuv::run(options, &mut report)?,
            options::Chapter::Scale => scale::run(options, &mut report)?,
        }
    }
    report.finish()
}
