use super::*;
use crate::serve::Accept;
use proptest::prelude::*;
use std::time::Duration;

fn beat(connections: u64, requests: u64) -> LoopBeat {
    LoopBeat {
        turns: 2 * requests,
        requests,
        requests_per_second: Some(12.5),
        requests_open: 1,
        connections,
        connections_open: 3,
        lag_us: 1_250,
        pool_threads: 2,
        pool_queued: 0,
        tasks: 7,
    }
}

fn worker(number: usize, loops: Vec<LoopBeat>) -> WorkerStatus {
    WorkerStatus {
        number: Some(number),
        pid: u32::try_from(4710 + number).ok(),
        state: State::Ready,
        age_ms: 3_725_000,
        restarts: 0,
        loops,
        rss_bytes: 12 << 20,
    }
}

fn with_workers() -> Status {
    let hanging =
        WorkerStatus { state: State::Hanging, restarts: 2, age_ms: 42_000, ..worker(2, vec![beat(400, 1_000)]) };
    Status {
        version: "0.1.0".to_owned(),
        pid: 4710,
        master: true,
        state: State::Ready,
        at_ms: 1_770_000_000_000,
        age_ms: 93_784_000,
        binds: vec!["http://127.0.0.1:8000/".to_owned(), "unix:/run/app.sock".to_owned()],
        workers_wanted: 3,
        threads: 1,
        reloads: 1,
        past: Past { requests: 5_000, connections: 50 },
        workers: vec![worker(1, vec![beat(600, 1_234_567)]), hanging, worker(3, vec![beat(200, 99)])],
        ..Status::default()
    }
}

#[test]
fn a_master_is_shown_with_a_row_for_each_worker() {
    let text = "\
evloop 0.1.0, process 4710: ready, 3 workers with 1 loop each, for 1d 2h, reloaded 1 time
  http://127.0.0.1:8000/
  unix:/run/app.sock

                                    connections               requests
worker   pid  state      age  died  open    all  share        all  per s    lag  pool   memory
     1  4711  ready    1h 2m     0     3    600  50.0%  1,234,567   12.5  1.2ms   0/2  12.0MiB
     2  4712  hanging    42s     2     3    400  33.3%      1,000   12.5  1.2ms   0/2  12.0MiB
     3  4713  ready    1h 2m     0     3    200  16.7%         99   12.5  1.2ms   0/2  12.0MiB
  gone                                       50             5,000
   all                           2     9  1,250         1,240,666   37.5  1.2ms   0/6  36.0MiB

With one socket for all, of 800 connections worker 1 took the most, 75.0%,
and worker 3 the fewest, 25.0%; 50.0% each would be even.
";
    assert_eq!(with_workers().to_text(100, false), text);
    assert_eq!(with_workers().to_string(), text);
}

#[test]
fn a_server_without_workers_is_shown_with_its_loops() {
    let process = WorkerStatus { number: None, pid: Some(7), ..worker(0, vec![beat(70, 80), beat(30, 45)]) };
    let status = Status {
        version: "0.1.0".to_owned(),
        pid: 7,
        state: State::Ready,
        age_ms: 61_000,
        binds: vec!["http://127.0.0.1:8000/".to_owned()],
        accept: Accept::ReusePort,
        workers_wanted: 1,
        threads: 2,
        workers: vec![process],
        ..Status::default()
    };
    let text = "\
evloop 0.1.0, process 7: ready, 2 loops, for 1m 1s
  http://127.0.0.1:8000/

                            connections     requests
worker pid state   age died open all  share all per s   lag pool  memory
     -   7 ready 1h 2m    0    6 100 100.0% 125  25.0 1.2ms  0/4 12.0MiB
loop 0                         3  70  70.0%  80  12.5 1.2ms  0/2
loop 1                         3  30  30.0%  45  12.5 1.2ms  0/2

With a socket each, of 100 connections loop 0 took the most, 70.0%,
and loop 1 the fewest, 30.0%; 50.0% each would be even.
";
    assert_eq!(status.to_text(80, false), text);
    assert_eq!(status.to_line(), "ready; connections: 100, open 6; requests: 125, open 2");
}

#[test]
fn a_worker_without_a_process_is_shown_without_numbers() {
    let pausing = WorkerStatus { number: Some(1), state: State::Pausing, restarts: 9, ..WorkerStatus::default() };
    let status = Status { workers: vec![pausing], master: true, workers_wanted: 1, threads: 1, ..Status::default() };
    let text = status.to_text(80, false);
    assert_eq!(text.lines().last(), Some("     1    -  pausing    -     9"));
    assert!(status.to_text(80, true).contains("\u{1b}[31mpausing\u{1b}[0m "), "{text}");
}

#[test]
fn a_line_has_the_workers_by_their_states() {
    let line =
        "ready, workers: 2 ready, 1 hanging, died 2 times; connections: 1,250, open 9; requests: 1,240,666, open 3";
    assert_eq!(with_workers().to_line(), line);
}

#[test]
fn those_who_are_gone_count_in_a_line_as_in_the_table() {
    let gone = Status { past: Past { requests: 7, connections: 5 }, ..with_workers() };
    let none = Status { past: Past::default(), ..with_workers() };
    assert!(gone.to_line().contains("connections: 1,205, open 9; requests: 1,235,673, open 3"), "{}", gone.to_line());
    assert!(none.to_line().contains("connections: 1,200, open 9; requests: 1,235,666, open 3"), "{}", none.to_line());
}

#[test]
fn spread_of_few_connections_is_not_judged() {
    let spread = |one, other| {
        let workers = vec![worker(1, vec![beat(one, 1)]), worker(2, vec![beat(other, 1)])];
        let text = Status { workers, past: Past::default(), ..with_workers() }.to_text(100, false);
        text.trim_end()
            .rsplit_once("\n\n")
            .map(|(_, spread)| spread.to_owned())
            .filter(|spread| !spread.contains("worker   pid"))
    };
    assert_eq!(spread(0, 0), None);
    let one = "The workers of now have had 1 connection: too few to tell how evenly they fall.";
    assert_eq!(spread(1, 0).as_deref(), Some(one));
    assert!(spread(19, 0).unwrap().contains("have had 19 connections: too few"));
    assert!(spread(19, 1).unwrap().contains("of 20 connections worker 1 took the most, 95.0%"));
}

#[test]
fn text_from_outside_moves_no_cursor() {
    let binds = vec!["unix:\u{1b}[2J\n".to_owned()];
    let text = Status { binds, version: "\u{7}".to_owned(), ..Status::default() }.to_text(80, true);
    assert!(
        !text.contains("\u{1b}[2J") && !text.contains('\u{7}') && text.contains("unix:\u{fffd}[2J\u{fffd}"),
        "{text:?}"
    );
}

#[test]
fn the_names_in_json_are_these() {
    let status = Status { workers: vec![worker(1, vec![beat(2, 3)])], ..with_workers() };
    assert_eq!(
        status.to_json(),
        concat!(
            r#"{"version":"0.1.0","pid":4710,"master":true,"state":"ready","at_ms":1770000000000,"age_ms":93784000,"#,
            r#""binds":["http://127.0.0.1:8000/","unix:/run/app.sock"],"accept":"shared","workers_wanted":3,"threads":1,"#,
            r#""reloads":1,"past":{"requests":5000,"connections":50},"workers":[{"number":1,"pid":4711,"state":"ready","#,
            r#""age_ms":3725000,"restarts":0,"loops":[{"turns":6,"requests":3,"requests_per_second":12.5,"requests_open":1,"#,
            r#""connections":2,"connections_open":3,"lag_us":1250,"pool_threads":2,"pool_queued":0,"tasks":7}],"#,
            r#""rss_bytes":12582912}]}"#,
        )
    );
}

#[test]
fn json_of_other_versions_is_read_as_far_as_it_is_known() {
    let text = r#"{"pid":5,"state":"dreaming","mood":{"of":["the","day"]},"workers":[{"state":"draining","hat":1}]}"#;
    let status = Status::from_json(text).unwrap();
    assert_eq!((status.pid, status.state, status.workers[0].state), (5, State::Unknown, State::Draining));
    for text in ["", "{", "7", r#"{"pid":-1}"#, r#"{"workers":{}}"#, "GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(Status::from_json(text).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text}");
    }
}

#[test]
fn states_are_called_in_text_as_in_json() {
    for state in [
        State::Starting,
        State::Ready,
        State::Reloading,
        State::Upgrading,
        State::Draining,
        State::Hanging,
        State::Pausing,
        State::Unknown,
    ] {
        assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
    }
}

#[test]
fn a_late_beat_tells_the_lag_and_moves_the_count_of_turns() {
    let runtime = evloop_runtime::Runtime::builder().manual_clock().build().unwrap();
    runtime.block_on(async {
        let mut last = LastBeat::new();
        let first = LoopBeat::read(&mut last, Duration::ZERO);
        evloop_runtime::time::sleep(Duration::from_secs(1)).await;
        let second = LoopBeat::read(&mut last, Duration::from_micros(1_500));
        assert!(second.turns > first.turns);
        assert_eq!((first.lag_us, second.lag_us), (0, 1_500));
    });
}

#[test]
fn requests_are_counted_by_the_second_between_two_beats() {
    let runtime = evloop_runtime::Runtime::builder().manual_clock().build().unwrap();
    runtime.block_on(async {
        let counts = evloop_runtime::engine::ServedCounts::current();
        let mut last = LastBeat::new();
        counts.connection_opened();
        for _ in 0..5 {
            counts.request_begun();
        }
        counts.request_ended();
        evloop_runtime::time::sleep(Duration::from_secs(2)).await;
        let beat = LoopBeat::read(&mut last, Duration::ZERO);
        assert_eq!((beat.requests, beat.requests_open, beat.connections, beat.connections_open), (5, 4, 1, 1));
        assert_eq!(beat.requests_per_second, Some(2.5));
        evloop_runtime::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(LoopBeat::read(&mut last, Duration::ZERO).requests_per_second, Some(0.0), "none since then");
    });
}

#[test]
fn rate_is_not_counted_in_less_than_half_a_second() {
    let runtime = evloop_runtime::Runtime::builder().manual_clock().build().unwrap();
    runtime.block_on(async {
        let counts = evloop_runtime::engine::ServedCounts::current();
        let mut last = LastBeat::new();
        let mut rate_after = async |millis| {
            counts.request_begun();
            evloop_runtime::time::sleep(Duration::from_millis(millis)).await;
            LoopBeat::read(&mut last, Duration::ZERO).requests_per_second
        };
        assert_eq!(rate_after(1).await, None);
        assert_eq!(rate_after(498).await, None);
        assert_eq!(rate_after(501).await, Some(3.0), "since the beginning");
        assert_eq!(rate_after(1).await, Some(3.0), "a beat upon another has the rate of that");
        assert_eq!(rate_after(999).await, Some(2.0));
    });
    let young = beat(1, 1);
    let text =
        Status { workers: vec![worker(1, vec![LoopBeat { requests_per_second: None, ..young }])], ..with_workers() };
    let text = text.to_text(100, false);
    assert!(text.lines().any(|line| line.contains("     1      -  1.2ms")), "{text}");
}

#[test]
fn a_server_without_workers_tells_what_its_loops_told_last() {
    let own = OwnStatus::new(&Config::new(), vec!["unix:a".to_owned()], 2);
    assert_eq!(own.now().state, State::Starting);
    own.set_state(State::Ready);
    own.beat(1, beat(1, 1));
    own.beat(1, beat(5, 9));
    own.beat(2, beat(7, 7)); // there is no such loop
    let status = own.now();
    assert_eq!((status.master, status.state, status.pid), (false, State::Ready, process::id()));
    assert_eq!(status.workers[0].loops, [LoopBeat::default(), beat(5, 9)]);
    assert!(status.workers[0].rss_bytes > 1 << 16, "it is in RAM");
    assert_eq!(status.binds, ["unix:a"]);
}

#[test]
fn memory_of_no_process_is_none() {
    assert_eq!(rss_bytes(u32::MAX), None);
}

fn any_beat() -> impl Strategy<Value = LoopBeat> {
    let numbers = (any::<[u64; 6]>(), any::<[u32; 3]>(), 0..1_000_000_u32);
    numbers.prop_map(|(wide, narrow, tenths)| LoopBeat {
        turns: wide[0],
        requests: wide[1],
        requests_per_second: (tenths > 0).then_some(f64::from(tenths) / 10.0),
        requests_open: wide[2],
        connections: wide[3],
        connections_open: wide[4],
        lag_us: wide[5],
        pool_threads: narrow[0] as usize,
        pool_queued: narrow[1] as usize,
        tasks: narrow[2] as usize,
    })
}

fn any_state() -> impl Strategy<Value = State> {
    use State::{Draining, Hanging, Pausing, Ready, Reloading, Starting, Unknown, Upgrading};
    prop::sample::select(vec![Starting, Ready, Reloading, Upgrading, Draining, Hanging, Pausing, Unknown])
}

fn any_worker() -> impl Strategy<Value = WorkerStatus> {
    let loops = prop::collection::vec(any_beat(), 0..4);
    (any::<Option<usize>>(), any::<Option<u32>>(), any_state(), any::<[u64; 3]>(), loops).prop_map(
        |(number, pid, state, [age_ms, restarts, rss_bytes], loops)| WorkerStatus {
            number,
            pid,
            state,
            age_ms,
            restarts,
            loops,
            rss_bytes,
        },
    )
}

fn any_status() -> impl Strategy<Value = Status> {
    let workers = prop::collection::vec(any_worker(), 0..5);
    let binds = prop::collection::vec(any::<String>(), 0..3);
    (any::<String>(), any::<(u32, bool, bool)>(), any_state(), any::<[u64; 5]>(), binds, any::<[u32; 2]>(), workers)
        .prop_map(|(version, (pid, master, shared), state, numbers, binds, [workers_wanted, threads], workers)| {
            Status {
                version,
                pid,
                master,
                state,
                at_ms: numbers[0],
                age_ms: numbers[1],
                binds,
                accept: if shared { Accept::Shared } else { Accept::ReusePort },
                workers_wanted: workers_wanted as usize,
                threads: threads as usize,
                reloads: numbers[2],
                past: Past { requests: numbers[3], connections: numbers[4] },
                workers,
            }
        })
}

proptest! {
    #[test]
    fn what_is_told_in_one_line_is_what_is_read(status in any_status()) {
        let line = status.to_json();
        prop_assert!(!line.contains(['\n', '\r']));
        prop_assert_eq!(Status::from_json(&line).unwrap(), status);
    }

    #[test]
    fn any_status_can_be_shown(status in any_status(), columns in 0..200_usize, coloured: bool) {
        let text = status.to_text(columns, coloured);
        prop_assert!(text.lines().count() > status.workers.len() + status.binds.len());
        let shown = |c: char| c == '\n' || (c == '\x1b' && coloured) || !c.is_control();
        prop_assert!(text.chars().all(shown));
        prop_assert_eq!(status.to_line().lines().count(), 1);
    }

    #[test]
    fn any_text_is_a_status_or_none(text: String) {
        drop(Status::from_json(&text));
    }
}
