//! What `evloop serve` is asked for, by arguments and by variables of the environment.
//!
//! All options stand in one table, `rows.rs`; arguments (here), variables (`environment.rs`) and the help (`help.rs`) are
//! read off it. What was said becomes a list of settings: first those of the environment that the command line leaves
//! standing, then those of the command line. They are applied to a draft in this order, so the last one counts.

pub(super) mod absent;
mod draft;
mod environment;
mod help;
mod read;
mod row;
mod rows;

use super::{Command, Error, missing, nearest};
use draft::Draft;
use env_logger::WriteStyle;
use environment::Environment;
use evloop::serve::{Bind, Config};
use lexopt::{Arg, Parser};
use log::LevelFilter;
use row::{Place, Row};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

pub(super) use help::text as help;
pub(super) use rows::GROUPS;

/// What to serve, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Serve {
    pub(crate) config: Config,
    /// A folder; `None`: the demo.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) listing: bool,
    pub(crate) log_level: LevelFilter,
    /// Whether the log has colours.
    pub(crate) use_colors: WriteStyle,
    /// The file for what the loop did last.
    pub(crate) trace: Option<PathBuf>,
    pub(crate) trace_records: usize,
    /// What is to be told before it begins, a line each.
    pub(crate) warnings: Vec<String>,
}

/// 4 MiB: the last ten thousand requests, or hours of a loop that has few.
const TRACE_RECORDS: usize = 1 << 16;

impl Default for Serve {
    fn default() -> Serve {
        Serve {
            config: Config::new(),
            dir: None,
            listing: false,
            log_level: LevelFilter::Info,
            use_colors: WriteStyle::Auto,
            trace: None,
            trace_records: TRACE_RECORDS,
            warnings: Vec::new(),
        }
    }
}

/// An option with its value.
#[derive(Debug)]
struct Setting {
    row: &'static Row,
    /// How it was written: `--port`, `EVLOOP_PORT`.
    said: String,
    value: OsString,
}

impl Setting {
    fn apply(&self, draft: &mut Draft) -> Result<(), Error> {
        (self.row.set)(draft, &self.value).map_err(|read::Wrong(besides)| {
            let colon = if besides.is_empty() { "" } else { ": " };
            let value = self.value.to_string_lossy();
            Error(format!("{} takes {}, not {value:?}{colon}{besides}", self.said, self.row.takes))
        })
    }

    /// The one place among several that it names. A free port is another one each time.
    fn place(&self) -> Option<Bind> {
        let place = (self.row.place == Some(Place::Any)).then(|| read::bind(&self.value).ok())?;
        place.filter(|place| !matches!(place, Bind::Inet(_, 0)))
    }
}

/// Reads the options of `serve`, which may also stand before its name. An environment is given to it, so that tests need not
/// change the one of their process.
pub(super) fn parse(
    mut parser: Parser,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Error> {
    let (mut said, mut named) = (Vec::new(), false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::help()),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::version()),
            Arg::Value(command) if !named && command == "serve" => named = true,
            Arg::Value(word) => return Err(unexpected(&word)),
            Arg::Short(letter) => return Err(unknown(&format!("-{letter}"))),
            Arg::Long(option) => {
                let option = option.to_owned();
                said.push(setting(&option, &mut parser)?);
            }
        }
    }
    let environment = Environment::new(environment);
    let mut settings = environment.settings(&said);
    let typed = settings.len();
    settings.append(&mut said);
    check(&settings, typed)?;
    let mut draft = Draft::default();
    settings.iter().try_for_each(|setting| setting.apply(&mut draft))?;
    draft.serve.warnings = environment.warnings();
    Ok(Command::Serve(Box::new(draft.finish())))
}

/// Reads an option's value, if it has one.
fn setting(option: &str, parser: &mut Parser) -> Result<Setting, Error> {
    let said = format!("--{option}");
    if let Some(row) = row(option) {
        let value = match row.bare {
            Some(bare) if row.value.is_empty() => bare.into(),
            Some(bare) => optional(parser).unwrap_or_else(|| bare.into()),
            None => value(parser).ok_or_else(|| missing(&said, row.takes))?,
        };
        return Ok(Setting { row, said, value });
    }
    let negated = option.strip_prefix("no-").and_then(row).and_then(|row| Some((row, row.negated?)));
    let (row, value) = negated.ok_or_else(|| unknown(&said))?;
    Ok(Setting { row, said, value: value.into() })
}

/// What follows as a value, unless it is the next option. A value that looks like one is written as `--uds=--port`.
fn value(parser: &mut Parser) -> Option<OsString> {
    parser
        .optional_value()
        .or_else(|| parser.raw_args().ok()?.next_if(|word| !word.as_encoded_bytes().starts_with(b"--")))
}

/// What follows as a value, if it can be nothing else.
fn optional(parser: &mut Parser) -> Option<OsString> {
    let is_value = |word: &OsStr| word != "serve" && !word.as_encoded_bytes().starts_with(b"-");
    parser.optional_value().or_else(|| parser.raw_args().ok()?.next_if(is_value))
}

fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|group| group.rows)
}

fn row(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.name == name)
}

/// Places exclude each other wherever they come from, and the same one is not had twice. What means nothing without another option is a mistake only of who has
/// typed it, in the settings from that one on: an environment is made for more than one command.
fn check(settings: &[Setting], typed: usize) -> Result<(), Error> {
    for (at, one) in settings.iter().enumerate() {
        if let Some(other) = settings[at..].iter().find(|other| one.row.excludes(other.row)) {
            return Err(Error(format!("{} and {} exclude each other", one.said, other.said)));
        }
        if let Some(place) = one.place()
            && settings[at + 1..].iter().any(|other| other.place().as_ref() == Some(&place))
        {
            return Err(Error(format!("{} names {:?} twice", one.said, one.value.to_string_lossy())));
        }
    }
    for one in &settings[typed..] {
        if let Some(other) = one.row.belongs_to
            && one.row.negated.is_none_or(|negated| one.value != negated)
            && !settings.iter().any(|setting| setting.row.name == other)
        {
            return Err(Error(format!("{} belongs to --{other}", one.said)));
        }
    }
    Ok(())
}

/// There is no such option. What is done instead of one that another server has by that name, or the nearest name, is told.
fn unknown(option: &str) -> Error {
    let shown = option.escape_debug();
    if let Some(instead) = absent::instead(option) {
        return Error(format!("there is no option {shown}: {instead}"));
    }
    if let Some(meant) = absent::meant(option) {
        return Error(format!("there is no option {shown} (did you mean {meant})"));
    }
    let name = option.trim_start_matches('-');
    let known = rows().find(|row| row.elsewhere.contains(&name) || row.elsewhere.contains(&option));
    let negated = rows().filter(|row| row.negated.is_some()).map(|row| format!("no-{}", row.name));
    let names = rows().map(|row| row.name.to_owned()).chain(negated).chain(["help".to_owned(), "version".to_owned()]);
    match known.map(|row| row.name.to_owned()).or_else(|| nearest(name, names)) {
        Some(near) => Error(format!("there is no option {shown} (did you mean --{near}?)")),
        None => Error(format!("there is no option {shown}")),
    }
}

/// There is nothing that this word can be. What was probably meant is told: a command, a port, a folder.
fn unexpected(word: &OsStr) -> Error {
    let text = word.to_string_lossy();
    if let Some(instead) = absent::application(&text) {
        return Error(format!("unexpected argument {text:?}: {instead}"));
    }
    let names = ["serve", "--help", "--version"].into_iter().chain(super::COMMANDS.iter().map(|command| command.name));
    let meant = match nearest(&text, names.map(str::to_owned)) {
        Some(near) if near == text => {
            return Error(format!("unexpected argument {text:?}: a command stands first, and once"));
        }
        Some(near) => near,
        None if text.parse::<u16>().is_ok() => format!("--port {text}"),
        None if Path::new(word).is_dir() => format!("--dir {}", text.escape_debug()),
        None => return Error(format!("unexpected argument {text:?}")),
    };
    Error(format!("unexpected argument {text:?} (did you mean {meant}?)"))
}
