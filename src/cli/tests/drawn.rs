//! The commands that draw.

use super::*;

#[test]
fn commands_that_draw_are_read() {
    let lab = |name: Option<&str>, svg| Ok(Command::Lab(Lab { name: name.map(str::to_owned), svg }));
    assert_eq!(parsed(&["lab"]), lab(None, Svg::Named));
    assert_eq!(parsed(&["lab", "pool"]), lab(Some("pool"), Svg::Named));
    assert_eq!(parsed(&["lab", "--svg=-", "pool"]), lab(Some("pool"), Svg::Nowhere));
    assert_eq!(parsed(&["lab", "pool", "--svg", "a.svg"]), lab(Some("pool"), Svg::File("a.svg".into())));

    let trace = |turns, svg: Option<&str>| {
        Ok(Command::Trace(TraceView { file: "t".into(), turns, svg: svg.map(PathBuf::from) }))
    };
    assert_eq!(parsed(&["trace", "t"]), trace(Turns::Longest, None));
    assert_eq!(parsed(&["trace", "t", "--turns=last"]), trace(Turns::Last, None));
    assert_eq!(parsed(&["trace", "t", "--turns=3"]), trace(Turns::Range(3..=3), None));
    assert_eq!(parsed(&["trace", "t", "--svg=-"]), trace(Turns::Longest, None));
    assert_eq!(parsed(&["trace", "--turns", "3..17", "t", "--svg=o"]), trace(Turns::Range(3..=17), Some("o")));

    let why = Why { file: "t".into(), tasks: ["a".to_owned(), "b".to_owned()] };
    assert_eq!(parsed(&["why", "t", "a", "b"]), Ok(Command::Why(why)));
}

#[test]
fn what_is_wrong_with_commands_that_draw_is_said_in_one_line() {
    for (arguments, named) in [
        (&["lab", "--svg", "a"][..], "--svg"),
        (&["lab", "a", "b"], "b"),
        (&["trace"], "trace takes"),
        (&["trace", "a", "b"], "b"),
        (&["trace", "a", "--turns=17..3"], "--turns"),
        (&["trace", "a", "--turns=3..x"], "--turns"),
        (&["trace", "a", "--turns=x"], "--turns"),
        (&["trace", "a", "--svg="], "--svg"),
        (&["why", "a", "b"], "two tasks"),
        (&["why", "a", "b", "c", "d"], "d"),
        (&["why", "a", "--svg=b"], "--svg"),
    ] {
        let text = parsed(arguments).expect_err(named);
        assert!(text.contains(named) && !text.contains('\n'), "{text}");
    }
    for (arguments, command) in [
        (&["--colour"][..], "evloop"),
        (&["lab", "--colour"], "evloop lab"),
        (&["trace"], "evloop trace"),
        (&["why"], "evloop why"),
        (&["step", "a", "b"], "evloop step"),
    ] {
        let text = parsed(arguments).expect_err(command);
        assert!(text.ends_with(&format!("; see `{command} --help`")), "{text}");
    }
}
