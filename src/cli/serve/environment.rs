//! Options out of variables of the environment.

use super::{Setting, nearest, rows};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What the names of all our variables begin with.
pub(super) const PREFIX: &str = "EVLOOP_";

/// Variables of ours that are no options: they are read where they count.
const OTHERS: [&str; 3] = ["EVLOOP_POOL_THREADS", "EVLOOP_SEED", "EVLOOP_SEEDS"];

/// What the child of a master is told by it. Users do not set it, and to nobody else does it mean anything.
const ROLE: &str = "EVLOOP_ROLE";

/// What Kubernetes sets for a service named evloop begins with one of these, and was not meant for us.
const KUBERNETES: [&str; 2] = ["EVLOOP_SERVICE_", "EVLOOP_PORT_"];

/// The variables that could be options, by name. One that is empty is one that is not set, as with uvicorn.
pub(super) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        Environment(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The settings that those of the command line leave standing. The command line takes the place of what it sets itself,
    /// and of what does not go together with it.
    pub(super) fn settings(&self, said: &[Setting]) -> Vec<Setting> {
        let mut settings = Vec::new();
        for row in rows() {
            if said.iter().any(|setting| setting.row.name == row.name || setting.row.excludes(row)) {
                continue;
            }
            let names = [Some(row.variable()), row.shared_variable.map(str::to_owned)];
            let found = names.into_iter().flatten().find_map(|name| Some((self.0.get(OsStr::new(&name))?, name)));
            let Some((value, said)) = found else { continue };
            for value in values(value, row.split) {
                settings.push(Setting { row, said: said.clone(), value });
            }
        }
        settings
    }

    /// A line for each variable that looks like one of ours and is none.
    pub(super) fn warnings(&self) -> Vec<String> {
        let ours = |name: &&OsString| name.as_bytes().starts_with(PREFIX.as_bytes());
        self.0.keys().filter(ours).filter_map(|name| warning(&name.to_string_lossy())).collect()
    }
}

/// All values in that of a variable; without the space around them, for a list may be written on several lines.
fn values(value: &OsStr, split: Option<char>) -> Vec<OsString> {
    let Some(split) = split else { return vec![value.to_owned()] };
    let values = value.as_bytes().split(|&byte| char::from(byte) == split).map(<[u8]>::trim_ascii);
    values.filter(|value| !value.is_empty()).map(|value| OsString::from_vec(value.to_owned())).collect()
}

fn warning(name: &str) -> Option<String> {
    let is_ours = rows().any(|row| row.variable() == name) || OTHERS.contains(&name) || name == ROLE;
    if is_ours || KUBERNETES.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let names = rows().map(super::Row::variable).chain(OTHERS.map(str::to_owned));
    // What they all begin with makes none of them likelier.
    let names = names.map(|name| name[PREFIX.len()..].to_owned());
    let near = nearest(&name[PREFIX.len()..], names);
    let hint = near.map(|near| format!(" (did you mean {PREFIX}{near}?)")).unwrap_or_default();
    Some(format!("the variable {} means nothing to evloop{hint}", name.escape_debug()))
}
