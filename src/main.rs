//! The command: `evloop` serves the demo, and says how to be asked for more.

mod cli;
mod demo;
mod lab;
mod picture;
mod program;
mod replay;
mod status;
mod step;
mod trace;

use cli::{Command, Lab, Step, Svg, TraceView, say};
use picture::{Picture, Screen};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1), std::env::vars_os()) {
        Ok(Command::Print(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Ok(Command::Serve(options)) => match program::check(&options).map(|()| program::run(&options)) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => complain(&error, error.status()),
            Err(wrong) => complain(&wrong, 2),
        },
        Ok(Command::Status(view)) => match status::show(&view) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error, 1),
        },
        Ok(Command::Lab(options)) => experiment(options),
        Ok(Command::Trace(options)) => shown_trace(&options),
        Ok(Command::Why(options)) => match replay::why(&options.file, &options.tasks) {
            Ok(text) => {
                say(&text);
                ExitCode::SUCCESS
            }
            Err(error) => complain(&error, 1),
        },
        Ok(Command::Step(options)) => step_through(&options),
        Err(error) => complain(&error, 2),
    }
}

/// Lists the experiments, or runs one.
fn experiment(options: Lab) -> ExitCode {
    let Some(name) = options.name else {
        say(&lab::list());
        return ExitCode::SUCCESS;
    };
    let experiment = match lab::find(&name) {
        Ok(experiment) => experiment,
        Err(error) => return complain(&error, 2),
    };
    let file = match options.svg {
        Svg::Named => Some(PathBuf::from(format!("evloop-lab-{}.svg", experiment.name))),
        Svg::File(file) => Some(file),
        Svg::Nowhere => None,
    };
    match (experiment.run)().and_then(|picture| show(&picture, file.as_deref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

/// Prints a trace in numbers and as a time line, and draws that.
fn shown_trace(options: &TraceView) -> ExitCode {
    let (summary, picture) = match replay::show(&options.file, &options.turns) {
        Ok(shown) => shown,
        Err(error) => return complain(&error, 1),
    };
    say(&format!("{summary}\n"));
    match show(&picture, options.svg.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

/// Lists the programs, or steps through one.
fn step_through(options: &Step) -> ExitCode {
    let Some(name) = &options.name else {
        say(&step::list());
        return ExitCode::SUCCESS;
    };
    let program = match step::find(name) {
        Ok(program) => program,
        Err(error) => return complain(&error, 2),
    };
    match step::run(program, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS, // nobody looks any more
        Err(error) => complain(&error, 1),
    }
}

/// Prints a picture, and draws it into a file.
fn show(picture: &Picture, svg: Option<&Path>) -> io::Result<()> {
    say(&picture.to_text(Screen::of_stdout()));
    let Some(file) = svg else { return Ok(()) };
    fs::write(file, picture.to_svg())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    say(&format!("\nThe same as a drawing: {}\n", file.display()));
    Ok(())
}

/// Says what is wrong in one line, whatever is in the names of files.
fn complain(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let text: String = error.to_string().chars().map(shown).collect();
    drop(writeln!(io::stderr(), "evloop: {text}"));
    ExitCode::from(status)
}
