//! What is written is read again; what is broken is refused.

use super::*;
use crate::trace::JobClass;
use proptest::collection::vec;
use proptest::prelude::*;

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![Just(Key::NONE), (0..9_u32, any::<u32>()).prop_map(|(index, stamp)| Key::new(index, stamp))]
}

fn causes() -> impl Strategy<Value = Cause> {
    let others = [Cause::Spawn, Cause::Io, Cause::Timer, Cause::Mail, Cause::Outside];
    prop_oneof![keys().prop_map(Cause::Task), proptest::sample::select(others.to_vec())]
}

/// Each poll waits for one of so many things.
const WAITS: u32 = 5;

fn things() -> impl Strategy<Value = What> {
    let phases = [Phase::Run, Phase::Idle, Phase::Prepare, Phase::Poll, Phase::Mail, Phase::Check, Phase::Timers];
    let then = prop_oneof![Just(After::Ended), Just(After::Open), (0..WAITS).prop_map(After::Waits)];
    let wake = proptest::option::of((any::<NonZeroU32>(), any::<u32>()));
    prop_oneof![
        proptest::sample::select(phases.to_vec()).prop_map(What::Phase),
        any::<(Option<u64>, u64, u32)>().prop_map(|(asked, slept, events)| What::Kernel { asked, slept, events }),
        any::<(u32, u64)>().prop_map(|(fired, latest)| What::Timers { fired, latest }),
        (keys(), causes(), wake, then).prop_map(|(task, cause, wake, then)| {
            let wake = wake.map(|(number, from)| Wake { number, from });
            What::Poll { task, cause, wake, then }
        }),
        (proptest::sample::select(JobClass::ALL.to_vec()), keys(), any::<u64>())
            .prop_map(|(class, task, taken)| What::Job { class, task, taken }),
        keys().prop_map(|task| What::Cancel { task }),
        Just(What::Attached),
        Just(What::Left),
    ]
}

/// Any record that has been ready before it began, and begun before it ended; what is no matter of time takes none.
fn records() -> impl Strategy<Value = Record> {
    (any::<[u64; 3]>(), things()).prop_map(|(mut times, mut what)| {
        times.sort_unstable();
        let [mut since, begin, mut end] = times;
        match &mut what {
            What::Poll { .. } => {}
            What::Job { taken, .. } => *taken = end.max(*taken),
            What::Cancel { .. } | What::Attached | What::Left => (since, end) = (begin, begin),
            _ => since = begin,
        }
        Record { since, begin, end, what }
    })
}

prop_compose! {
    fn recordings()(
        records in vec(records(), 0..40),
        tasks in vec((keys(), proptest::option::of(any::<String>()), any::<String>(), keys()), 0..9),
        waits in vec(any::<String>(), WAITS as usize),
        dropped: u32,
        shuffled: bool,
        whose in any::<String>(),
    ) -> Recording {
        let tasks = tasks.into_iter();
        let tasks = tasks.map(|(key, name, spawned_at, parent)| TapedTask { key, name, spawned_at, parent }).collect();
        Recording { whose, records, tasks, waits, dropped: u64::from(dropped), shuffled }
    }
}

fn written(recording: &Recording) -> Vec<u8> {
    let mut file = Vec::new();
    recording.write_chrome(&mut file).unwrap();
    file
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(recording in recordings()) {
        prop_assert_eq!(Recording::read_chrome(&written(&recording)[..]).unwrap(), recording);
    }

    #[test]
    fn broken_file_is_an_error_that_says_where(recording in recordings(), cut: proptest::sample::Index, put: u8) {
        let mut file = written(&recording);
        let at = cut.index(file.len() - 2);
        let error = Recording::read_chrome(&file[..at]).unwrap_err().to_string();
        prop_assert!(error.contains("line"), "{}", error);
        file[at] = put;
        drop(Recording::read_chrome(&file[..])); // right or wrong, it comes back
    }
}

fn refused(file: &str) -> String {
    let error = Recording::read_chrome(file.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    error.to_string()
}

#[test]
fn what_is_no_trace_of_ours_is_refused_by_name() {
    let with = |event: &str| {
        let head =
            r#"{"otherData":{"evloop":{"version":1,"dropped":0,"shuffled":false}},"evloopTasks":[],"evloopWaits":[],"#;
        format!("{head}\n\"traceEvents\":[{event}]}}")
    };
    for (file, named) in [
        ("[]".to_owned(), "a Chrome trace, which is an object"),
        ("{}".to_owned(), "traceEvents"),
        (r#"{"traceEvents":[]}"#.to_owned(), "without `evloop`"),
        (r#"{"traceEvents":[],"traceEvents":[]}"#.to_owned(), "`traceEvents` is there twice"),
        (with("").replace(":1,", ":2,"), "version 2"),
        (with(r#"{"cat":"phase","name":"lunch","ts":0}"#), "\"lunch\" is no phase at line 2"),
        (with(r#"{"cat":"phase","name":"run","ts":0.0001}"#), "0.0001 is no time"),
        (with(r#"{"cat":"phase","name":"run","ts":1e3}"#), "1e3 is no time"),
        (with(r#"{"cat":"phase","name":"run","ts":18446744073709551.615,"dur":1}"#), "beyond all counting"),
        (with(r#"{"cat":"phase","name":"run"}"#), "without `ts`"),
        (with(r#"{"cat":"poll","name":"a","ts":0}"#), "without `args`"),
        (with(r#"{"cat":"cancel","name":"a","ts":0,"args":{"task":"+1#2"}}"#), "\"+1#2\" is no key"),
        (with(&format!("{{\"name\":\"{}\"}}", "a".repeat(EVENT_BYTES_MAX))), "more than 64 KiB"),
    ] {
        let error = refused(&file);
        assert!(error.contains(named) && error.contains("line"), "{error}");
    }
}

#[test]
fn events_of_others_are_left_out() {
    let mut file = String::from_utf8(written(&Recording::default())).unwrap();
    file.insert_str(file.rfind(']').unwrap(), r#",{"ph":"C","name":"load","ts":7,"args":{"load":3}}"#);
    assert_eq!(Recording::read_chrome(file.as_bytes()).unwrap(), Recording::default());
}

#[test]
fn jobs_at_once_have_a_track_each() {
    let job = |begin: u64, end: u64| {
        let what = What::Job { class: JobClass::Files, task: Key::NONE, taken: end };
        Record { since: begin, begin, end, what }
    };
    let jobs = [job(5, 9), job(0, 3), job(2, 6), job(3, 4), job(6, 6), job(9, 12)];
    let Lanes { len, of } = Lanes::of(&jobs);
    assert_eq!((len, of), (2, vec![1, 1, 2, 1, 2, 1]));
}
