//! The help, made of the table.

use super::row::Row;
use super::rows::GROUPS;

const BEFORE: &str = "\
evloop: an event loop, and a server on it

Usage:
  evloop [serve] [OPTIONS]    serve the demo on http://127.0.0.1:8000
  evloop serve --dir PATH     serve the files of a folder
  evloop status [PID]         how a server that runs does, and its workers
  evloop lab [NAME]           experiments that show how a loop works
  evloop trace FILE           a trace that evloop wrote, as a time line
  evloop why FILE A B         which wakes made task A run before task B
  evloop step [NAME]          small programs, one turn of their loop at a key
The last five have a --help each. What holds if an option is not given stands
behind it in [brackets].
";

const AFTER: &str = "
Other:
  -h, --help                  print this and exit
  -V, --version               print the version and exit

Each option is a variable of the environment, too: --port is EVLOOP_PORT, and
--no-date-header is EVLOOP_DATE_HEADER=0. Several values of --bind are split by
commas there, those of --header by line ends. The command line wins. Besides:
EVLOOP_POOL_THREADS, how many threads the pool of a loop has.

Ctrl-C or SIGTERM ends it: requests that have begun are finished. A second one
does not wait for them, nor does SIGQUIT. SIGUSR1 has it write to stderr what
each task waits for. SIGHUP ends it, too; with workers, it replaces them one by
one, SIGTTIN and SIGTTOU add and remove one, SIGUSR2 hands over to a new master
from the program as it is on the disk then.

It ends with 0 when it was told to, with 1 when it cannot listen, with 2 when an
option is wrong, with 3 when what is served, or a worker, does not start, and
with 130 when it was told twice.
";

/// Where the help of an option begins, and where it ends at the latest.
const MARGIN: usize = 30;
const WIDTH: usize = 80;

/// All that there is to be said.
pub(in crate::cli) fn text() -> String {
    let mut text = BEFORE.to_owned();
    for group in GROUPS {
        text.extend(["\n", group.title, ":\n"]);
        for row in group.rows {
            option(&mut text, row);
        }
    }
    text + AFTER
}

fn option(text: &mut String, row: &Row) {
    let mut line = format!("  --{}", row.name);
    if !row.value.is_empty() {
        line = format!("{line} {}", row.value);
    }
    if row.negated.is_some() {
        line = format!("{line}, --no-{}", row.name);
    }
    let default = if row.default.is_empty() { String::new() } else { format!("[{}]", row.default) };
    if line.len() + 2 > MARGIN {
        text.push_str(&line);
        text.push('\n');
        line.clear();
    }
    // The help is on this line yet, if it fits, and else on lines of its own.
    line = format!("{line:MARGIN$}");
    for word in row.help.split(' ').chain((!default.is_empty()).then_some(&*default)) {
        let at_margin = line.len() == MARGIN;
        if !at_margin && line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(MARGIN);
        } else if !at_margin {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
