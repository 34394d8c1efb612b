//! The command line: what is run, how often, how long, and where the files go.

use crate::load::Orders;
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// What `race` and `race --help` print.
const HELP: &str = "\
evloop beside its peers, in the same conditions and in one run

Usage:
  race http [OPTIONS]         HTTP servers: CPU per request, throughput, latency,
                              system calls, instructions, allocations, memory
  race echo [OPTIONS]         TCP echo of 1, 10 and 100 KiB
  race operations [OPTIONS]   what loops do: spawn, yield, wake, timers, channels
  race libuv [OPTIONS]        libuv's own benchmark list, written for evloop
  race scale [OPTIONS]        costs as connections, timers and tasks grow
  race all [OPTIONS]          all of them

Options:
  --only A,B                  these contestants alone (the floor always runs)
  --scenarios A,B             these workloads alone
  --rounds N                  how often each is measured [5]
  --seconds S                 how long each slot lasts [3]
  --quick                     one round of half a second: does all of it work?
  --libuv-bench PATH          libuv's own uv_run_benchmarks_a, to stand beside
  --out DIR                   where results.json and the drawings go [target/race]
  -h, --help                  print this and exit

A name that there is not is answered with those that there are. The server runs
on the first core that this program may use, the load on the second.
";

/// What a run is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    /// Contestants by name; empty: all.
    pub(crate) only: Vec<String>,
    /// Workloads by name; empty: all.
    pub(crate) scenarios: Vec<String>,
    /// How often each contestant is measured in each workload, at least 1.
    pub(crate) rounds: usize,
    /// How long one slot lasts, in seconds.
    pub(crate) seconds: f64,
    /// Whether this is a look at whether all works; its figures are not to be quoted.
    pub(crate) quick: bool,
    /// libuv's own program for its benchmarks.
    pub(crate) libuv_bench: Option<PathBuf>,
    /// The directory of the results.
    pub(crate) out: PathBuf,
}

impl Options {
    /// Whether a contestant of this name takes part.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Whether a workload of this name is run.
    pub(crate) fn runs(&self, scenario: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|only| only == scenario)
    }

    /// How often and how long, in words.
    pub(crate) fn conditions(&self) -> String {
        let (rounds, plural) = (self.rounds, if self.rounds == 1 { "" } else { "s" });
        format!("{rounds} round{plural} of {} s for each", self.seconds)
    }

    /// Refuses names that nobody has.
    ///
    /// # Errors
    ///
    /// The first such name, with those that there are.
    pub(crate) fn check(&self, names: &Names) -> Result<(), Refusal> {
        let kinds = [("contestant", &self.only, &names.contestants), ("scenario", &self.scenarios, &names.scenarios)];
        for (kind, asked, known) in kinds {
            if let Some(name) = asked.iter().find(|name| !known.contains(&name.as_str())) {
                return Err(Refusal(unknown(kind, name, known)));
            }
        }
        Ok(())
    }
}

/// What names there are.
#[derive(Debug, Default)]
pub(crate) struct Names {
    contestants: Vec<&'static str>,
    scenarios: Vec<&'static str>,
}

impl Names {
    /// Adds those of a chapter: contestants, scenarios.
    pub(crate) fn add(&mut self, (contestants, scenarios): (Vec<&'static str>, Vec<&'static str>)) {
        for (all, more) in [(&mut self.contestants, contestants), (&mut self.scenarios, scenarios)] {
            all.extend(more);
            all.sort_unstable();
            all.dedup();
        }
    }
}

/// One part of the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chapter {
    /// HTTP servers.
    Http,
    /// TCP echo.
    Echo,
    /// The operations of a loop.
    Operations,
    /// libuv's own list.
    Libuv,
    /// How costs grow.
    Scale,
}

/// What this process is to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Prints a text and ends.
    Print(String),
    /// The harness.
    Race {
        /// In this order.
        chapters: Vec<Chapter>,
        /// For all of them.
        options: Options,
    },
    /// A contestant: `serve NAME SCENARIO`.
    Serve {
        /// Which server.
        name: String,
        /// For which workload; only the floor wants to know.
        scenario: String,
    },
    /// A contestant: `operation RUNTIME NAME COUNT`.
    Operation {
        /// On which runtime.
        runtime: String,
        /// Which operation.
        name: String,
        /// How often.
        count: u64,
    },
    /// The load generator: `load ORDERS`.
    Load(Orders),
    /// A program that is pinned to a core and ends with its parent: `tied CORE PARENT PROGRAM ARGUMENTS...`.
    Tied {
        /// The core.
        core: usize,
        /// The process that started it.
        parent: i32,
        /// What this process becomes.
        program: OsString,
        /// And with what arguments.
        arguments: Vec<OsString>,
    },
}

/// Why a command line was refused: one line, in the words of its user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<lexopt::Error> for Refusal {
    fn from(error: lexopt::Error) -> Self {
        Refusal(error.to_string())
    }
}

/// Reads the command line.
///
/// # Errors
///
/// A line that says what was not understood.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Command, Refusal> {
    let mut parser = Parser::from_iter(arguments);
    let Some(first) = parser.next()? else { return Ok(Command::Print(HELP.to_owned())) };
    let chapters = match first {
        Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP.to_owned())),
        Arg::Value(word) => match word.to_str().unwrap_or_default() {
            "http" => vec![Chapter::Http],
            "echo" => vec![Chapter::Echo],
            "operations" => vec![Chapter::Operations],
            "libuv" => vec![Chapter::Libuv],
            "scale" => vec![Chapter::Scale],
            "all" => vec![Chapter::Http, Chapter::Echo, Chapter::Operations, Chapter::Libuv, Chapter::Scale],
            "serve" => return serve(&mut parser),
            "operation" => return operation(&mut parser),
            "load" => return load(&mut parser),
            "tied" => return tied(&mut parser),
            other => return Err(Refusal(unknown("command", other, &COMMANDS))),
        },
        other => return Err(other.unexpected().into()),
    };
    race(&mut parser, chapters)
}

/// The commands that help tells of.
const COMMANDS: [&str; 6] = ["http", "echo", "operations", "libuv", "scale", "all"];

/// Says that there is no such name, which it is nearest to, and which there are.
pub(crate) fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let nearest = known.iter().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)));
    match nearest.filter(|nearest| strsim::jaro(nearest, name) > 0.8) {
        Some(nearest) => format!("no {kind} {name:?}; did you mean {nearest}? There are {}", known.join(", ")),
        None => format!("no {kind} {name:?}; there are {}", known.join(", ")),
    }
}

fn race(parser: &mut Parser, chapters: Vec<Chapter>) -> Result<Command, Refusal> {
    let (mut rounds, mut seconds, mut quick, mut libuv_bench) = (None, None, false, None);
    let (mut only, mut scenarios, mut out) = (Vec::new(), Vec::new(), PathBuf::from("target/race"));
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Arg::Long("only") => only = list(parser)?,
            Arg::Long("scenarios") => scenarios = list(parser)?,
            Arg::Long("rounds") => {
                rounds = Some(number::<usize>(parser, "--rounds", "from 1 to 1000", |n| (1..=1000).contains(n))?);
            }
            Arg::Long("seconds") => {
                seconds = Some(number::<f64>(parser, "--seconds", "from 0.1 to 600", |s| (0.1..=600.0).contains(s))?);
            }
            Arg::Long("quick") => quick = true,
            Arg::Long("libuv-bench") => libuv_bench = Some(parser.value()?.into()),
            Arg::Long("out") => out = parser.value()?.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    let (default_rounds, default_seconds) = if quick { (1, 0.5) } else { (5, 3.0) };
    let rounds = rounds.unwrap_or(default_rounds);
    let seconds = seconds.unwrap_or(default_seconds);
    Ok(Command::Race { chapters, options: Options { only, scenarios, rounds, seconds, quick, libuv_bench, out } })
}

/// Names between commas.
fn list(parser: &mut Parser) -> Result<Vec<String>, Refusal> {
    let names = parser.value()?.string()?;
    let names: Vec<String> =
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() { Err(Refusal("a list of names is empty".to_owned())) } else { Ok(names) }
}

/// A number that the option can take.
fn number<N: std::str::FromStr>(
    parser: &mut Parser,
    option: &str,
    range: &str,
    fits: impl Fn(&N) -> bool,
) -> Result<N, Refusal> {
    let text = parser.value()?.string()?;
    let number = text.parse().ok().filter(fits);
    number.ok_or_else(|| Refusal(format!("{option} takes a number {range}, not {text:?}")))
}

/// The next word, which must be there.
fn word_of(parser: &mut Parser, what: &str) -> Result<String, Refusal> {
    match parser.next()? {
        Some(Arg::Value(word)) => Ok(word.string()?),
        Some(other) => Err(other.unexpected().into()),
        None => Err(Refusal(format!("{what} is missing"))),
    }
}

/// The next word, which must be a number.
fn number_of<N: std::str::FromStr>(parser: &mut Parser, what: &str) -> Result<N, Refusal> {
    let word = word_of(parser, what)?;
    word.parse().map_err(|_| Refusal(format!("{what} is a number, not {word:?}")))
}

fn serve(parser: &mut Parser) -> Result<Command, Refusal> {
    let name = word_of(parser, "a server")?;
    let scenario = word_of(parser, "a scenario").unwrap_or_else(|_| "c1".to_owned());
    Ok(Command::Serve { name, scenario })
}

fn operation(parser: &mut Parser) -> Result<Command, Refusal> {
    let runtime = word_of(parser, "a runtime")?;
    let name = word_of(parser, "an operation")?;
    let count = number_of(parser, "a count")?;
    Ok(Command::Operation { runtime, name, count })
}

fn load(parser: &mut Parser) -> Result<Command, Refusal> {
    let orders = word_of(parser, "an order")?;
    serde_json::from_str(&orders).map(Command::Load).map_err(|error| Refusal(format!("an order is not one: {error}")))
}

fn tied(parser: &mut Parser) -> Result<Command, Refusal> {
    let core = number_of(parser, "a core")?;
    let parent = number_of(parser, "a process")?;
    let mut words = parser.raw_args()?;
    let program = words.next().ok_or_else(|| Refusal("a program is missing".to_owned()))?;
    Ok(Command::Tied { core, parent, program, arguments: words.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Result<Command, String> {
        let words = std::iter::once("race").chain(line.split_whitespace()).map(OsString::from);
        read(words).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn without_a_command_there_is_help() {
        for line in ["", "-h", "--help", "http --help"] {
            assert_eq!(told(line), Ok(Command::Print(HELP.to_owned())), "{line:?}");
        }
    }

    #[test]
    fn all_is_every_chapter_with_its_options() {
        let Ok(Command::Race { chapters, options }) =
            told("all --only evloop,hyper --rounds 7 --seconds 0.5 --out there")
        else {
            panic!("it was understood");
        };
        assert_eq!(chapters.len(), 5);
        let expected = Options {
            only: vec!["evloop".to_owned(), "hyper".to_owned()],
            scenarios: Vec::new(),
            rounds: 7,
            seconds: 0.5,
            quick: false,
            libuv_bench: None,
            out: PathBuf::from("there"),
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn a_quick_run_is_short_unless_told_otherwise() {
        for (line, rounds, seconds) in [("http", 5, 3.0), ("http --quick", 1, 0.5), ("http --rounds 2 --quick", 2, 0.5)]
        {
            let Ok(Command::Race { options, .. }) = told(line) else { panic!("{line} was understood") };
            assert_eq!((options.rounds, options.seconds), (rounds, seconds), "{line}");
        }
    }

    #[test]
    fn names_that_nobody_has_are_refused() {
        let mut names = Names::default();
        names.add((vec!["floor", "hyper"], vec!["c64"]));
        names.add((vec!["floor"], Vec::new()));
        for (line, why) in [
            ("http --only hyper --scenarios c64", None),
            ("http --only hypr", Some("no contestant \"hypr\"; did you mean hyper? There are floor, hyper")),
            ("http --scenarios zzz", Some("no scenario \"zzz\"; there are c64")),
        ] {
            let Ok(Command::Race { options, .. }) = told(line) else { panic!("{line} was understood") };
            assert_eq!(options.check(&names).err().map(|refusal| refusal.to_string()).as_deref(), why, "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_told_in_one_line() {
        for (line, why) in [
            ("htp", "no command \"htp\"; did you mean http? There are http, echo, operations, libuv, scale, all"),
            ("x", "no command \"x\"; there are http, echo, operations, libuv, scale, all"),
            ("http --rounds 0", "--rounds takes a number from 1 to 1000, not \"0\""),
            ("http --seconds soon", "--seconds takes a number from 0.1 to 600, not \"soon\""),
            ("http --seconds NaN", "--seconds takes a number from 0.1 to 600, not \"NaN\""),
            ("http --only ,", "a list of names is empty"),
            ("http --slow", "invalid option '--slow'"),
            ("http more", "unexpected argument \"more\""),
            ("http --out", "missing argument for option '--out'"),
            ("serve", "a server is missing"),
            ("operation tokio yield often", "a count is a number, not \"often\""),
        ] {
            assert_eq!(told(line), Err(why.to_owned()), "{line}");
        }
    }
}
