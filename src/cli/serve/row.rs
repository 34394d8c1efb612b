//! What there is to know of one option.

use super::draft::Draft;
use super::read::Wrong;
use std::ffi::OsStr;

/// One option of `serve`. Arguments, variables of the environment and the help are all read off it.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Row {
    /// Without the dashes.
    pub(in crate::cli) name: &'static str,
    /// What stands for the value in the help; empty where none follows.
    pub(in crate::cli) value: &'static str,
    /// What it takes, for who gave it something else.
    pub(super) takes: &'static str,
    pub(in crate::cli) help: &'static str,
    /// The value that holds if nothing is said; empty where there is none.
    pub(in crate::cli) default: &'static str,
    /// The value that it has where none follows.
    pub(in crate::cli) bare: Option<&'static str>,
    /// The value that `--no-NAME` stands for.
    pub(super) negated: Option<&'static str>,
    /// It may be given more than once, and this splits its values in a variable.
    pub(super) split: Option<char>,
    /// What kind of place it tells, which excludes the other kinds.
    pub(super) place: Option<Place>,
    /// The option without which it means nothing.
    pub(super) belongs_to: Option<&'static str>,
    /// A variable that other servers read, too; ours counts for more.
    pub(super) shared_variable: Option<&'static str>,
    /// What other servers call it, for who comes from there.
    pub(in crate::cli) elsewhere: &'static [&'static str],
    pub(super) set: Set,
}

/// Takes a value into account.
pub(super) type Set = fn(&mut Draft, &OsStr) -> Result<(), Wrong>;

/// The kinds of places to listen, of which one is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Address,
    Unix,
    Inherited,
    Any,
}

impl Row {
    /// An option with a value.
    pub(super) const fn new(name: &'static str, value: &'static str, takes: &'static str, set: Set) -> Row {
        Row {
            name,
            value,
            takes,
            help: "",
            default: "",
            bare: None,
            negated: None,
            split: None,
            place: None,
            belongs_to: None,
            shared_variable: None,
            elsewhere: &[],
            set,
        }
    }

    /// An option that is on or off.
    pub(super) const fn flag(name: &'static str, default: &'static str, set: Set) -> Row {
        Row::new(name, "", "1, true, yes or on, or else 0, false, no or off", set)
            .default(default)
            .bare("on")
            .negated("off")
    }

    pub(super) const fn help(self, help: &'static str) -> Row {
        Row { help, ..self }
    }

    pub(super) const fn default(self, default: &'static str) -> Row {
        Row { default, ..self }
    }

    pub(super) const fn bare(self, value: &'static str) -> Row {
        Row { bare: Some(value), ..self }
    }

    pub(super) const fn negated(self, value: &'static str) -> Row {
        Row { negated: Some(value), ..self }
    }

    pub(super) const fn split(self, at: char) -> Row {
        Row { split: Some(at), ..self }
    }

    pub(super) const fn place(self, place: Place) -> Row {
        Row { place: Some(place), ..self }
    }

    pub(super) const fn belongs_to(self, option: &'static str) -> Row {
        Row { belongs_to: Some(option), ..self }
    }

    pub(super) const fn shared_variable(self, name: &'static str) -> Row {
        Row { shared_variable: Some(name), ..self }
    }

    pub(super) const fn elsewhere(self, names: &'static [&'static str]) -> Row {
        Row { elsewhere: names, ..self }
    }

    /// Its variable: that of `--timeout-head` is `EVLOOP_TIMEOUT_HEAD`.
    pub(in crate::cli) fn variable(&self) -> String {
        format!("{}{}", super::environment::PREFIX, self.name.to_uppercase().replace('-', "_"))
    }

    /// Both tell a place, and places of these kinds are not told together.
    pub(super) fn excludes(&self, other: &Row) -> bool {
        matches!((self.place, other.place), (Some(one), Some(other)) if one != other)
    }
}
