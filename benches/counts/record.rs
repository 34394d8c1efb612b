//! What is recorded, and how it stands to what was counted now.

use crate::conditions::Conditions;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How much a cost may differ, as a part of it: ten times what the counts of an unchanged program differ by.
pub(crate) const MARGIN: f64 = 0.02;

/// How many instructions a cost may differ by, however small it is.
pub(crate) const MARGIN_MIN: f64 = 2.0;

/// The file `recorded.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) conditions: Conditions,
    /// Of one operation, by its name.
    pub(crate) instructions: BTreeMap<String, f64>,
}

impl Record {
    /// # Errors
    /// When it is not such a file.
    pub(crate) fn parse(text: &str) -> Result<Record, String> {
        let record: Record = serde_json::from_str(text).map_err(|error| format!("recorded.json: {error}"))?;
        match record.instructions.iter().find(|(_, instructions)| **instructions <= 0.0) {
            Some((name, _)) => Err(format!("recorded.json: {name}: nothing takes no instruction")),
            None => Ok(record),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        writeln!(f, "{text}")
    }
}

/// How an operation stands to its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Standing {
    /// Within the margin.
    AsRecorded,
    More,
    Less,
    /// It has no record.
    New,
    /// It has a record, and is no more.
    Gone,
}

impl Standing {
    fn of(recorded: Option<f64>, now: Option<f64>) -> Standing {
        let (Some(recorded), Some(now)) = (recorded, now) else {
            return if now.is_some() { Standing::New } else { Standing::Gone };
        };
        let margin = (recorded * MARGIN).max(MARGIN_MIN);
        if now > recorded + margin {
            Standing::More
        } else if now < recorded - margin {
            Standing::Less
        } else {
            Standing::AsRecorded
        }
    }

    fn word(self) -> &'static str {
        match self {
            Standing::AsRecorded => "",
            Standing::More => "MORE",
            Standing::Less => "less",
            Standing::New => "NEW",
            Standing::Gone => "GONE",
        }
    }
}

/// The table; written out, it is for a terminal.
#[derive(Debug)]
pub(crate) struct Comparison(Vec<Line>);

#[derive(Debug)]
struct Line {
    name: String,
    recorded: Option<f64>,
    now: Option<f64>,
    standing: Standing,
}

impl Comparison {
    /// Of those with `filter` in their names.
    pub(crate) fn of(recorded: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>, filter: &str) -> Comparison {
        let names: BTreeSet<&String> = recorded.keys().chain(now.keys()).collect();
        let line = |name: &String| {
            let (recorded, now) = (recorded.get(name).copied(), now.get(name).copied());
            Line { name: name.clone(), recorded, now, standing: Standing::of(recorded, now) }
        };
        Comparison(names.into_iter().filter(|name| name.contains(filter)).map(line).collect())
    }

    /// Whether one takes more, or the record is not of what there is.
    pub(crate) fn fails(&self) -> bool {
        self.0.iter().any(|line| matches!(line.standing, Standing::More | Standing::New | Standing::Gone))
    }

    /// Whether one takes less.
    pub(crate) fn gains(&self) -> bool {
        self.0.iter().any(|line| line.standing == Standing::Less)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        writeln!(f, "{:<24} {:>10} {:>10} {:>10} {:>8}", "instructions of one", "recorded", "now", "", "")?;
        for Line { name, recorded, now, standing } in &self.0 {
            let (by, part) = match (recorded, now) {
                (Some(recorded), Some(now)) => {
                    (format!("{:+.1}", now - recorded), format!("{:+.1} %", (now / recorded - 1.0) * 100.0))
                }
                _ => Default::default(),
            };
            let line = format!(
                "{name:<24} {:>10} {:>10} {by:>10} {part:>8} {}",
                number(*recorded),
                number(*now),
                standing.word()
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
