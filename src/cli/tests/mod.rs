//! Command lines, and what they become.

mod drawn;
mod environment;
mod help;
mod serve;
mod status;

use super::*;

fn parsed(arguments: &[&str]) -> Result<Command, String> {
    parsed_in(&[], arguments)
}

fn parsed_in(environment: &[(&str, &str)], arguments: &[&str]) -> Result<Command, String> {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    parse(arguments.iter().map(OsString::from), environment).map_err(|error| error.to_string())
}

fn served(arguments: &[&str]) -> Serve {
    served_in(&[], arguments)
}

fn served_in(environment: &[(&str, &str)], arguments: &[&str]) -> Serve {
    match parsed_in(environment, arguments) {
        Ok(Command::Serve(serve)) => *serve,
        other => panic!("{arguments:?} in {environment:?} became {other:?}"),
    }
}

/// What is wrong, in one line that has these words.
fn refused(environment: &[(&str, &str)], arguments: &[&str], said: &[&str]) {
    let text = parsed_in(environment, arguments).expect_err("it is refused");
    for said in said {
        assert!(text.contains(said), "{said:?} is not in {text:?}");
    }
    assert!(!text.contains('\n'), "{text}");
}
