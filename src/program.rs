//! The server that the program is: what the options say, with the demo or a folder as its application.

use crate::cli::Serve;
use crate::demo;
use crate::trace::{self, Trace};
use evloop::http::access_log;
use evloop::http::files::Files;
use evloop::serve::{self, Instance};
use evloop::signal::{SignalKind, signal};
use evloop::{spawn_blocking, task, turn};
use log::{Metadata, Record};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::rc::Rc;

/// Whether the folder that is to be served is one: that is a wrong option, and no failure of each loop's.
///
/// # Errors
/// What the system says of it, with the path.
pub(crate) fn check(options: &Serve) -> io::Result<()> {
    options.dir.as_ref().map_or(Ok(()), |folder| Files::new(folder).map(drop))
}

/// Serves until the process is told to end.
pub(crate) fn run(options: &Serve) -> Result<(), serve::Error> {
    log_to_stderr(options);
    if serve::worker().is_none() {
        options.warnings.iter().for_each(|warning| log::warn!("{warning}")); // a worker leaves it to its master
    }
    let config = options.config.clone();
    let (trace, records) = (options.trace.clone(), options.trace_records);
    if let Some(file) = &trace {
        Trace::check(file)?;
    }
    if let Some(folder) = options.dir.clone() {
        let listing = options.listing;
        return serve::run(config, move |instance| {
            look_on(instance, trace.as_ref(), records)?;
            Ok(Files::new(&folder)?.listing(listing))
        });
    }
    serve::run(config, move |instance| {
        let trace = look_on(instance, trace.as_ref(), records)?;
        Ok(trace::with_route(demo::app(&demo::Live::new(instance.stopping())), trace.as_ref()))
    })
}

/// What a signal asks to be told of a loop, and what its file is to hold at the end.
fn look_on(instance: &Instance, file: Option<&PathBuf>, records: usize) -> io::Result<Option<Rc<Trace>>> {
    let whose = format!("{}, loop {}", this_process(), instance.thread());
    tell_on_signal(whose.clone())?;
    let Some(file) = file else { return Ok(None) };
    let trace = Trace::new(whose, &file_of(instance, file), records)?;
    let observed = turn::observe(trace.tape());
    drop(task::Builder::new().name("trace").spawn(Rc::clone(&trace).write_on_signal()?));
    let last = Rc::clone(&trace);
    instance.at_end(move || {
        drop(observed);
        last.write()
    });
    Ok(Some(trace))
}

/// Each loop has a tape of its own: that of the only one is in the file that was named, that of any other beside it, as in
/// `FILE.worker-2.loop-1`.
fn file_of(instance: &Instance, file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    if let Some(worker) = instance.worker() {
        name.push(format!(".worker-{worker}"));
    }
    if instance.thread() > 0 {
        name.push(format!(".loop-{}", instance.thread()));
    }
    name.into()
}

/// Which process this is, as its master calls it: `worker 2 (process 4711)`.
fn this_process() -> String {
    let pid = process::id();
    serve::worker().map_or_else(|| format!("process {pid}"), |number| format!("worker {number} (process {pid})"))
}

/// Writes to the standard error whose loop it is and what each task waits for, whenever SIGUSR1 comes; not SIGQUIT, as the JVM
/// and Go have it, because supervisors end servers of Python and nginx by that.
fn tell_on_signal(whose: String) -> io::Result<()> {
    let mut asked = signal(SignalKind::USER_DEFINED_1)?;
    let teller = async move {
        while asked.recv().await.is_ok() {
            let dump = format!("{whose}: {}", turn::dump());
            // By the pool: who reads the standard error may be slow.
            drop(spawn_blocking(move || io::stderr().write_all(dump.as_bytes())).await);
        }
    };
    drop(task::Builder::new().name("dump").spawn(teller));
    Ok(())
}

/// Lines of the access log are printed as they are, for the programs that read them; others say when, how bad, and of which
/// process if there are several.
fn log_to_stderr(options: &Serve) {
    let mut logger = env_logger::Builder::new();
    logger.filter_level(options.log_level).write_style(options.use_colors);
    let usual = env_logger::fmt::ConfigurableFormat::default();
    let worker = serve::worker().map(|_| this_process());
    logger.format(move |out, record| {
        if record.target() == access_log::TARGET {
            return writeln!(out, "{}", record.args());
        }
        let metadata = Metadata::builder().level(record.level()).target(part(record.target())).build();
        let mut told = Record::builder();
        told.metadata(metadata);
        match &worker {
            Some(worker) => usual.format(out, &told.args(format_args!("{worker}: {}", record.args())).build()),
            None => usual.format(out, &told.args(*record.args()).build()),
        }
    });
    logger.init();
}

/// Which part of the program a line comes from: two names of a module's path, for deeper ones change as the code does, and
/// `evloop::http` for what is in a package of its own.
fn part(target: &str) -> &str {
    match target.split("::").next() {
        Some("evloop_http") => "evloop::http",
        Some("evloop_runtime") => "evloop::runtime",
        _ => target.match_indices("::").nth(1).map_or(target, |(end, _)| &target[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_of_a_part_of_the_program_and_not_of_a_file() {
        for (target, told) in [
            ("evloop", "evloop"),
            ("evloop::master", "evloop::master"),
            ("evloop::serve::signals", "evloop::serve"),
            ("evloop::serve::control::server", "evloop::serve"),
            ("evloop_http::server::call", "evloop::http"),
            ("evloop_runtime::net::accept", "evloop::runtime"),
            ("another", "another"),
        ] {
            assert_eq!(part(target), told);
        }
    }
}
