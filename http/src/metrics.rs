//! The numbers of loops and of the process, as Prometheus takes them.
//!
//! [`Prometheus`] is a handler: mounted at `/metrics`, it answers in the text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), which every collector of today reads. Names follow its
//! conventions: a prefix, units in full and last (`_seconds`, `_bytes`), `_total` for what only grows.
//!
//! To be asked costs a loop some 20 microseconds, and holds nothing up: all that is read is in memory already, or in `/proc`.

use crate::codec::encode::FieldLine;
use crate::router::{Handler, Request, Response};
use evloop_runtime::observe::{HistogramsReader, Metrics, Quantiles};
use evloop_runtime::{ClassLoad, Handle, JobClass, turn};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fmt::{Display, Write as _};
use std::fs;
use std::future::{Ready, ready};
use std::io;

const TEXT_FORMAT: FieldLine = FieldLine::new("content-type: text/plain; version=0.0.4; charset=utf-8\r\n");

/// Answers with the numbers of loops and of the process.
///
/// Without [named](Prometheus::with_loop) loops they are those of the loop that answers. Names and meanings are those of
/// [`Metrics`], and for the process those that all client libraries have
/// (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).
///
/// # Examples
/// ```
/// use evloop_http::Router;
/// use evloop_http::metrics::Prometheus;
/// use evloop_http::testing::TestClient;
///
/// let app = Router::new().get("/metrics", Prometheus::new());
/// evloop_runtime::block_on(async {
///     let response = TestClient::new(app).get("/metrics").send().await;
///     assert!(response.text().contains("\nevloop_requests_open 1\n"));
/// });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Prometheus {
    /// Each with its label, as it is written.
    loops: Vec<(String, Handle)>,
    latencies: Option<HistogramsReader>,
}

impl Prometheus {
    /// The numbers of the loop that answers, and of the process.
    #[must_use]
    pub fn new() -> Prometheus {
        Prometheus::default()
    }

    /// The numbers of this loop, too, with the label `loop="name"`: for processes that have several. Once one is named, the
    /// loop that answers is told of only if it is named as well.
    #[must_use]
    pub fn with_loop(mut self, name: &str, handle: Handle) -> Prometheus {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        self.loops.push((format!("loop=\"{name}\""), handle));
        self
    }

    /// How long things take on a loop, too, as summaries.
    #[must_use]
    pub fn with_histograms(mut self, reader: HistogramsReader) -> Prometheus {
        self.latencies = Some(reader);
        self
    }

    /// The text that is answered with.
    ///
    /// # Panics
    /// When no loop was named and this thread is in none.
    #[must_use]
    pub fn text(&self) -> String {
        let metrics: Vec<(&str, Metrics)> = if self.loops.is_empty() {
            vec![("", turn::metrics())]
        } else {
            self.loops.iter().map(|(label, handle)| (&**label, handle.metrics())).collect()
        };
        let mut text = Text { text: String::with_capacity(8 * 1024), loops: &metrics };
        write_loop(&mut text);
        write_tasks_and_timers(&mut text);
        write_pool(&mut text);
        self.latencies.iter().for_each(|reader| write_latencies(&mut text, reader));
        write_process(&mut text);
        text.text
    }
}

impl Handler for Prometheus {
    type Future = Ready<Response>;

    fn call(&self, _: Request) -> Ready<Response> {
        ready(Response::default().with_body(self.text()).with_line(TEXT_FORMAT))
    }
}

/// The text while it is written, and whose numbers are written.
struct Text<'a> {
    text: String,
    loops: &'a [(&'a str, Metrics)],
}

impl Text<'_> {
    /// What only grows; its name ends in `_total`.
    fn counter<N: Display>(&mut self, name: &str, help: &str, read: impl Fn(&Metrics) -> N) {
        self.labelled("counter", name, help, |metrics| [("", read(metrics))]);
    }

    /// What goes up and down.
    fn gauge<N: Display>(&mut self, name: &str, help: &str, read: impl Fn(&Metrics) -> N) {
        self.labelled("gauge", name, help, |metrics| [("", read(metrics))]);
    }

    /// Several values of each loop, by a label.
    fn labelled<N: Display, const LABELS: usize>(
        &mut self,
        kind: &str,
        name: &str,
        help: &str,
        read: impl Fn(&Metrics) -> [(&'static str, N); LABELS],
    ) {
        self.head(kind, name, help);
        for (of, metrics) in self.loops {
            for (label, value) in read(metrics) {
                let comma = if of.is_empty() || label.is_empty() { "" } else { "," };
                match (*of, label) {
                    ("", "") => line(&mut self.text, format_args!("{name} {value}")),
                    _ => line(&mut self.text, format_args!("{name}{{{of}{comma}{label}}} {value}")),
                }
            }
        }
    }

    /// One number of the process.
    fn process(&mut self, kind: &str, name: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.head(kind, name, help);
            line(&mut self.text, format_args!("{name} {value}"));
        }
    }

    /// A distribution.
    fn summary(&mut self, name: &str, help: &str, of: &Quantiles) {
        self.head("summary", name, help);
        for (quantile, value) in
            [("0.5", of.median), ("0.9", of.p90), ("0.99", of.p99), ("0.999", of.p999), ("1", of.max)]
        {
            line(&mut self.text, format_args!("{name}{{quantile=\"{quantile}\"}} {}", value.as_secs_f64()));
        }
        line(&mut self.text, format_args!("{name}_sum {}", of.sum.as_secs_f64()));
        line(&mut self.text, format_args!("{name}_count {}", of.count));
    }

    fn head(&mut self, kind: &str, name: &str, help: &str) {
        line(&mut self.text, format_args!("# HELP {name} {help}"));
        line(&mut self.text, format_args!("# TYPE {name} {kind}"));
    }
}

fn line(text: &mut String, line: impl Display) {
    writeln!(text, "{line}").expect("memory takes what is written");
}

fn write_loop(text: &mut Text<'_>) {
    text.counter("evloop_turns_total", "Turns that were begun.", |loops| loops.turns);
    text.counter("evloop_events_total", "Events that the kernel has told.", |loops| loops.events);
    text.counter("evloop_polls_total", "Polls of tasks.", |loops| loops.polls);
    text.labelled("counter", "evloop_wakes_total", "Why tasks became runnable.", |loops| {
        let wakes = loops.wakes;
        [
            ("cause=\"spawn\"", wakes.spawn),
            ("cause=\"task\"", wakes.task),
            ("cause=\"io\"", wakes.io),
            ("cause=\"timer\"", wakes.timer),
            ("cause=\"mail\"", wakes.mail),
            ("cause=\"outside\"", wakes.outside),
        ]
    });
    text.counter("evloop_busy_seconds_total", "Time in which the loop has worked.", |loops| loops.busy.as_secs_f64());
    text.counter("evloop_asleep_seconds_total", "Time in which the loop has waited for the kernel.", |loops| {
        loops.asleep.as_secs_f64()
    });
    text.gauge("evloop_sources", "Descriptors that are registered.", |loops| loops.sources);
    text.counter("evloop_connections_total", "Connections that were accepted.", |loops| loops.served.connections);
    text.gauge("evloop_connections_open", "Connections that are open.", |loops| loops.served.connections_open);
    text.counter("evloop_requests_total", "Requests that were begun.", |loops| loops.served.requests);
    text.gauge("evloop_requests_open", "Requests that are not answered yet.", |loops| loops.served.requests_open);
}

fn write_tasks_and_timers(text: &mut Text<'_>) {
    text.gauge("evloop_tasks", "Tasks that have not ended, or whose output nobody has taken.", |loops| loops.tasks);
    text.gauge("evloop_tasks_ready", "Tasks in the run queue.", |loops| loops.ready);
    text.gauge("evloop_timers_armed", "Timers that have not fired.", |loops| loops.timers.armed);
    text.counter("evloop_timers_set_total", "How often a timer was set, also anew.", |loops| loops.timers.set);
    text.counter("evloop_timers_fired_total", "Timers that fired.", |loops| loops.timers.fired);
    text.counter(
        "evloop_timers_cancelled_total",
        "Timers that were cancelled or set anew before they fired.",
        |loops| loops.timers.cancelled,
    );
    text.counter("evloop_timers_late_seconds_total", "How late timers fired, all together.", |loops| {
        loops.timers.late.as_secs_f64()
    });
    text.gauge("evloop_timers_late_max_seconds", "How late the latest timer fired.", |loops| {
        loops.timers.late_max.as_secs_f64()
    });
}

fn write_pool(text: &mut Text<'_>) {
    fn by_class<N>(metrics: &Metrics, read: impl Fn(ClassLoad) -> N) -> [(&'static str, N); 3] {
        JobClass::ALL.map(|class| {
            let label = match class {
                JobClass::General => "class=\"general\"",
                JobClass::Files => "class=\"files\"",
                JobClass::Names => "class=\"names\"",
            };
            (label, read(metrics.pool.class(class)))
        })
    }
    text.gauge("evloop_pool_threads", "Threads of the blocking pool.", |loops| loops.pool.threads);
    text.gauge("evloop_pool_threads_idle", "Those of them that have nothing to do.", |loops| loops.pool.idle);
    let mut of = |kind, name, help, read: fn(ClassLoad) -> u64| {
        text.labelled(kind, name, help, |metrics| by_class(metrics, read));
    };
    of("gauge", "evloop_pool_jobs_running", "Jobs under way.", |load| load.running as u64);
    of("gauge", "evloop_pool_jobs_queued", "Jobs that wait for a thread.", |load| load.queued as u64);
    of("gauge", "evloop_pool_jobs_queued_peak", "The most that ever waited at once.", |load| load.queued_peak as u64);
    of("gauge", "evloop_pool_jobs_waiting", "Those who wait for a place in the queue.", |load| load.waiting as u64);
    of("counter", "evloop_pool_jobs_submitted_total", "Jobs that the queue took.", |load| load.submitted);
    of("counter", "evloop_pool_jobs_finished_total", "Jobs that ran to their end.", |load| load.finished);
    of("counter", "evloop_pool_jobs_cancelled_total", "Jobs that were dropped unbegun.", |load| load.cancelled);
}

fn write_latencies(text: &mut Text<'_>, reader: &HistogramsReader) {
    let latencies = reader.read();
    text.summary("evloop_poll_seconds", "How long a poll takes.", &latencies.polls);
    text.summary("evloop_wake_delay_seconds", "From a task's wake until its poll.", &latencies.delays);
    text.summary("evloop_work_seconds", "From one wait of the loop to the next.", &latencies.work);
    text.summary("evloop_timer_late_seconds", "How late the latest timer of a turn fires.", &latencies.late);
    text.summary("evloop_pool_job_waiting_seconds", "How long a job waits for a thread.", &latencies.jobs_waiting);
    text.summary("evloop_pool_job_running_seconds", "How long a job runs.", &latencies.jobs_running);
}

/// What the system keeps of the process. What it does not tell is left out.
fn write_process(text: &mut Text<'_>) {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = seconds(cpu.tv_sec) + seconds(cpu.tv_nsec) / 1e9;
    text.process("counter", "process_cpu_seconds_total", "Time spent on processors, by all threads.", Some(cpu));
    text.process("gauge", "process_open_fds", "Descriptors that are open.", open_descriptors().ok());
    let most = getrlimit(Resource::Nofile).current;
    text.process("gauge", "process_max_fds", "Descriptors that may be open.", most);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name| field(&status, name).map(|kibibytes| kibibytes * 1024);
    text.process("gauge", "process_resident_memory_bytes", "Memory that is resident.", bytes("VmRSS:"));
    text.process("gauge", "process_virtual_memory_bytes", "Memory that is mapped.", bytes("VmSize:"));
    text.process("gauge", "process_threads", "Threads there are.", field(&status, "Threads:"));
    let help = "When the process was started, in seconds since 1970.";
    text.process("gauge", "process_start_time_seconds", help, started_at());
}

#[expect(clippy::cast_precision_loss, reason = "seconds and nanoseconds of a process's life are small")]
fn seconds(number: i64) -> f64 {
    number as f64
}

/// Since Linux 6.2 the folder's size says it; before that, its entries are counted.
fn open_descriptors() -> io::Result<u64> {
    match fs::metadata("/proc/self/fd")?.len() {
        0 => Ok(fs::read_dir("/proc/self/fd")?.count() as u64 - 1), // one is the folder's own
        open => Ok(open),
    }
}

/// The number behind a name, in a file of `/proc`.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// From when the system was started, and how many ticks later the process was; proc(5).
fn started_at() -> Option<f64> {
    let booted = field(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let behind_name = stat.rsplit_once(") ")?.1; // which may have spaces, and is the second of its fields
    let ticks: f64 = behind_name.split(' ').nth(22 - 3)?.parse().ok()?;
    let a_second = f64::from(u32::try_from(clock_ticks_per_second()).ok()?);
    Some(f64::from(u32::try_from(booted).ok()?) + ticks / a_second)
}
