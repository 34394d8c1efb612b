//! A recording as a Chrome trace, which Perfetto and `chrome://tracing` open, and back.
//!
//! The format is the "JSON Object Format" of the [Trace Event Format][1]. The loop is one track: its phases are slices, the
//! polls are slices inside of those, a wake is an arrow from the slice in which it happened to the poll that it brought.
//! The jobs of the pool have tracks of their own, as many as there are jobs at once. Times are microseconds with three
//! digits behind the point, which is exact; what a viewer has no place for stands in `args`, and what belongs to no
//! event beside them, in `otherData` and `evloopTasks`. So nothing of a recording is lost, and [`Recording::read_chrome`] gives back what
//! [`Recording::write_chrome`] was given.
//!
//! [1]: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

use super::record::{After, Record, TapedTask, Wake, What};
use super::recording::Recording;
use super::text;
use crate::arena::Key;
use crate::trace::{Cause, Phase};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::num::NonZeroU32;

/// The only version there is of what stands in `otherData`.
const VERSION: u32 = 1;
/// What is read has no more records and no more tasks than this: 256 MiB of records.
const RECORDS_MAX: usize = 1 << 22;
/// Nor has it events that are longer than this.
const EVENT_BYTES_MAX: usize = 64 * 1024;
/// The track of the loop; those of the pool come behind it.
const LOOP: u32 = 1;

impl Recording {
    /// Writes it as a Chrome trace: what Perfetto (<https://ui.perfetto.dev>) opens. Writes are small, so `out` had better be
    /// buffered.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_chrome(&self, out: impl Write) -> io::Result<()> {
        Writer { recording: self, out }.write()
    }

    /// Reads what [`write_chrome`](Recording::write_chrome) has written. Times are exact, and events that others have added
    /// are left out.
    ///
    /// # Errors
    /// Those of `from`; and [`InvalidData`](io::ErrorKind::InvalidData), with line and column, when it is no Chrome trace, none
    /// of evloop's, or when it has more than 2<sup>22</sup> records, or an event of more than 64 KiB.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::Runtime;
    /// use evloop_runtime::observe::{Recording, Tape};
    ///
    /// let tape = Tape::new(1_000);
    /// Runtime::builder().observer(tape.clone()).build()?.block_on(async {});
    /// let mut file = Vec::new();
    /// tape.recording().write_chrome(&mut file)?;
    /// assert_eq!(Recording::read_chrome(&file[..])?, tape.recording());
    /// assert!(Recording::read_chrome(&file[..50]).unwrap_err().to_string().contains("line 1"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_chrome(from: impl Read) -> io::Result<Recording> {
        let left = Cell::new(EVENT_BYTES_MAX);
        let mut json = serde_json::Deserializer::from_reader(Counted { from: BufReader::new(from), left: &left });
        let read = json.deserialize_map(File { left: &left }).and_then(|recording| json.end().map(|()| recording));
        read.map_err(|error| {
            let kind = error.io_error_kind().unwrap_or(io::ErrorKind::InvalidData);
            io::Error::new(kind, format!("not a trace of evloop: {error}"))
        })
    }
}

// --- The events ------------------------------------------------------------------------------------------------------

#[derive(Serialize)]
struct Event<'a, A> {
    name: &'a str,
    cat: &'a str,
    ph: &'a str,
    ts: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<Box<RawValue>>,
    pid: u32,
    tid: u32,
    /// Of an instant: it belongs to its track.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'a str>,
    /// Of an arrow: both ends have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    /// Of an arrow's end: it points at the slice around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<A>,
}

/// What is read of an event.
#[derive(Deserialize)]
struct ReadEvent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    cat: String,
    ts: Option<Box<RawValue>>,
    dur: Option<Box<RawValue>>,
    args: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
struct PollArgs {
    task: String,
    cause: String,
    /// The waker's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    waited_ns: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wake: Option<NonZeroU32>,
    #[serde(default)]
    from: u32,
    /// For people, where there is a number of a wait.
    then: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waits: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct KernelArgs {
    /// `null` is for ever.
    asked_ns: Option<u64>,
    slept_ns: u64,
    events: u32,
}

#[derive(Serialize, Deserialize)]
struct TimersArgs {
    fired: u32,
    latest_ns: u64,
}

#[derive(Serialize, Deserialize)]
struct JobArgs {
    task: String,
    queued_ns: u64,
    /// How long after its end its result was taken in.
    taken_ns: u64,
}

#[derive(Serialize, Deserialize)]
struct CancelArgs {
    task: String,
}

#[derive(Serialize)]
struct NameArgs<'a> {
    name: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Task {
    key: String,
    name: Option<String>,
    spawned_at: String,
    parent: String,
}

#[derive(Serialize, Deserialize)]
struct Other {
    evloop: Option<Head>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    dropped: u64,
    shuffled: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    whose: String,
}

// --- Writing ---------------------------------------------------------------------------------------------------------

struct Writer<'a, W> {
    recording: &'a Recording,
    out: W,
}

impl<W: Write> Writer<'_, W> {
    fn write(mut self) -> io::Result<()> {
        let Recording { whose, records, tasks, waits, dropped, shuffled } = self.recording;
        let head = Head { version: VERSION, dropped: *dropped, shuffled: *shuffled, whose: whose.clone() };
        let other = Other { evloop: Some(head) };
        self.out.write_all(b"{\"displayTimeUnit\":\"ns\",\"otherData\":")?;
        serde_json::to_writer(&mut self.out, &other)?;
        self.out.write_all(b",\n\"evloopTasks\":[")?;
        for (place, TapedTask { key, name, spawned_at, parent }) in tasks.iter().enumerate() {
            self.out.write_all(if place == 0 { b"\n" } else { b",\n" })?;
            let (key, parent) = (format!("{key:?}"), format!("{parent:?}"));
            let task = Task { key, name: name.clone(), spawned_at: spawned_at.clone(), parent };
            serde_json::to_writer(&mut self.out, &task)?;
        }
        self.out.write_all(b"],\n\"evloopWaits\":")?;
        serde_json::to_writer(&mut self.out, waits)?;
        self.out.write_all(b",\n\"traceEvents\":[\n")?;
        let lanes = Lanes::of(records);
        let process = if whose.is_empty() { "evloop" } else { whose };
        serde_json::to_writer(&mut self.out, &name("process_name", LOOP, &NameArgs { name: process }))?;
        self.event(&name("thread_name", LOOP, &NameArgs { name: "loop" }))?;
        for lane in 1..=lanes.len {
            self.event(&name("thread_name", LOOP + lane, &NameArgs { name: &format!("pool {lane}") }))?;
        }
        for (at, record) in records.iter().enumerate() {
            self.record(at, record, lanes.of[at])?;
        }
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()
    }

    /// One more event, which is not the first.
    fn event(&mut self, event: &impl Serialize) -> io::Result<()> {
        self.out.write_all(b",\n")?;
        serde_json::to_writer(&mut self.out, event)?;
        Ok(())
    }

    fn slice<A>(&mut self, name: &str, cat: &str, record: &Record, track: u32, args: Option<A>) -> io::Result<()>
    where
        A: Serialize,
    {
        let dur = Some(micros(record.lasted()));
        self.event(&Event { dur, ..event(name, cat, "X", record.begin, track, args) })
    }

    fn instant<A: Serialize>(&mut self, name: &str, cat: &str, at: u64, args: Option<A>) -> io::Result<()> {
        self.event(&Event { s: Some("t"), ..event(name, cat, "i", at, LOOP, args) })
    }

    fn record(&mut self, at: usize, record: &Record, lane: u32) -> io::Result<()> {
        let recording = self.recording;
        match record.what {
            What::Phase(phase) => self.slice(text::phase_word(phase), "phase", record, LOOP, None::<()>),
            What::Kernel { asked, slept, events } => {
                let args = KernelArgs { asked_ns: asked, slept_ns: slept, events };
                self.slice(text::phase_word(Phase::Poll), "phase", record, LOOP, Some(args))
            }
            What::Timers { fired, latest } => {
                let args = TimersArgs { fired, latest_ns: latest };
                self.slice(text::phase_word(Phase::Timers), "phase", record, LOOP, Some(args))
            }
            What::Poll { task, cause, wake, then } => {
                let args = PollArgs {
                    task: format!("{task:?}"),
                    cause: text::cause_word(cause),
                    by: if let Cause::Task(waker) = cause { Some(recording.name(waker)) } else { None },
                    waited_ns: record.waited(),
                    wake: wake.map(|wake| wake.number),
                    from: wake.map_or(0, |wake| wake.from),
                    then: self.then_words(then),
                    waits: if let After::Waits(wait) = then { Some(wait) } else { None },
                };
                self.slice(&recording.name(task), "poll", record, LOOP, Some(args))?;
                self.arrow(at, record)
            }
            What::Job { class, task, taken } => {
                let (queued_ns, taken_ns) = (record.waited(), taken.saturating_sub(record.end));
                let args = JobArgs { task: format!("{task:?}"), queued_ns, taken_ns };
                self.slice(text::class_word(class), "job", record, LOOP + lane, Some(args))
            }
            What::Cancel { task } => {
                let name = format!("{} is cancelled", recording.name(task));
                self.instant(&name, "cancel", record.begin, Some(CancelArgs { task: format!("{task:?}") }))
            }
            What::Attached => self.instant("the tape looks on", "attached", record.begin, None::<()>),
            What::Left => self.instant("the loop leaves its run", "left", record.begin, None::<()>),
        }
    }

    fn then_words(&self, then: After) -> String {
        match then {
            After::Waits(wait) => format!("waits for {}", self.recording.wait(wait)),
            After::Ended => "ended".to_owned(),
            After::Open => "open".to_owned(),
        }
    }

    /// From the slice in which the wake happened, within which its beginning must lie, to the poll.
    fn arrow(&mut self, at: usize, poll: &Record) -> io::Result<()> {
        let recording = self.recording;
        let Some(waker) = recording.waker(at) else { return Ok(()) };
        let from = &recording.records[waker];
        let woken = poll.since.min(from.end.saturating_sub(1)).max(from.begin);
        let id = Some(recording.dropped + at as u64);
        self.event(&Event::<()> { id, ..event("wake", "wake", "s", woken, LOOP, None) })?;
        self.event(&Event::<()> { id, bp: Some("e"), ..event("wake", "wake", "f", poll.begin, LOOP, None) })
    }
}

fn event<'a, A>(name: &'a str, cat: &'a str, ph: &'a str, at: u64, tid: u32, args: Option<A>) -> Event<'a, A> {
    Event { name, cat, ph, ts: micros(at), dur: None, pid: 1, tid, s: None, id: None, bp: None, args }
}

/// What the process or a track is called.
fn name<'a>(what: &'a str, track: u32, args: &'a NameArgs<'a>) -> Event<'a, &'a NameArgs<'a>> {
    event(what, "__metadata", "M", 0, track, Some(args))
}

/// Nanoseconds as microseconds.
fn micros(nanos: u64) -> Box<RawValue> {
    let text = format!("{}.{:03}", nanos / 1_000, nanos % 1_000);
    RawValue::from_string(text).expect("digits around a point are a number")
}

/// Tracks on which jobs do not overlap.
struct Lanes {
    len: u32,
    /// By the place of the record, from 1; 0 is no job.
    of: Vec<u32>,
}

impl Lanes {
    /// Each job takes the first track that is free when it begins: so there are as many as there were jobs at once.
    fn of(records: &[Record]) -> Lanes {
        let mut jobs: Vec<usize> =
            (0..records.len()).filter(|at| matches!(records[*at].what, What::Job { .. })).collect();
        jobs.sort_by_key(|at| (records[*at].begin, records[*at].end));
        let (mut free_at, mut of) = (Vec::new(), vec![0; records.len()]);
        for at in jobs {
            let Record { begin, end, .. } = records[at];
            let lane = free_at.iter().position(|free_at| *free_at <= begin).unwrap_or(free_at.len());
            if lane == free_at.len() {
                free_at.push(0);
            }
            free_at[lane] = end;
            of[at] = u32::try_from(lane + 1).unwrap_or(u32::MAX);
        }
        Lanes { len: u32::try_from(free_at.len()).unwrap_or(u32::MAX), of }
    }
}

// --- Reading ---------------------------------------------------------------------------------------------------------

/// Ends where an event is longer than events are.
struct Counted<'a, R> {
    from: R,
    left: &'a Cell<usize>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        let left = self.left.get().checked_sub(read);
        self.left.set(left.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a value of more than 64 KiB"))?);
        Ok(read)
    }
}

/// The whole file.
struct File<'a> {
    left: &'a Cell<usize>,
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = Recording;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Chrome trace, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Recording, A::Error> {
        let (mut head, mut records, mut tasks, mut waits) = (None, None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            self.left.set(EVENT_BYTES_MAX);
            let repeated = match &*key {
                "otherData" => head.replace(map.next_value::<Other>()?.evloop).is_some(),
                "evloopTasks" => tasks.replace(map.next_value_seed(Each { left: self.left, read: task })?).is_some(),
                "evloopWaits" => waits.replace(map.next_value_seed(Each { left: self.left, read: wait })?).is_some(),
                "traceEvents" => {
                    records.replace(map.next_value_seed(Each { left: self.left, read: record })?).is_some()
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if repeated {
                return Err(A::Error::custom(format_args!("`{key}` is there twice")));
            }
        }
        let records = records.ok_or_else(|| A::Error::missing_field("traceEvents"))?;
        let head = head.flatten().ok_or_else(|| A::Error::custom("a Chrome trace without `evloop` in `otherData`"))?;
        let tasks = tasks.ok_or_else(|| A::Error::missing_field("evloopTasks"))?;
        if head.version != VERSION {
            return Err(A::Error::custom(format_args!("version {} of it is not known, {VERSION} is", head.version)));
        }
        let waits: Vec<String> = waits.ok_or_else(|| A::Error::missing_field("evloopWaits"))?;
        let unknown = |record: &&Record| match record.what {
            What::Poll { then: After::Waits(wait), .. } => {
                usize::try_from(wait).map_or(true, |wait| wait >= waits.len())
            }
            _ => false,
        };
        if let Some(record) = records.iter().find(unknown) {
            return Err(A::Error::custom(format_args!("`evloopWaits` has not what {:?} waits for", record.what)));
        }
        let Head { dropped, shuffled, whose, .. } = head;
        Ok(Recording { whose, records, tasks, waits, dropped, shuffled })
    }
}

/// A list whose elements are read one by one, so that there is never more than one of them in memory as JSON.
struct Each<'a, E, T> {
    left: &'a Cell<usize>,
    /// What an element means; `None` if nothing to us.
    read: fn(&E) -> Result<Option<T>, String>,
}

impl<'de, E: Deserialize<'de>, T> DeserializeSeed<'de> for Each<'_, E, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<T>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, E: Deserialize<'de>, T> Visitor<'de> for Each<'_, E, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        self.left.set(EVENT_BYTES_MAX);
        while let Some(element) = from.next_element()? {
            self.left.set(EVENT_BYTES_MAX);
            if all.len() == RECORDS_MAX {
                return Err(A::Error::custom(format_args!("more than {RECORDS_MAX} records")));
            }
            all.extend((self.read)(&element).map_err(A::Error::custom)?);
        }
        Ok(all)
    }
}

fn task(Task { key, name, spawned_at, parent }: &Task) -> Result<Option<TapedTask>, String> {
    let (name, spawned_at) = (name.clone(), spawned_at.clone());
    Ok(Some(TapedTask { key: key_of(key)?, name, spawned_at, parent: key_of(parent)? }))
}

#[expect(clippy::unnecessary_wraps, clippy::ptr_arg, reason = "as the elements of other lists, which may be wrong")]
fn wait(words: &String) -> Result<Option<String>, String> {
    Ok(Some(words.clone()))
}

fn record(event: &ReadEvent) -> Result<Option<Record>, String> {
    let phase = |event: &ReadEvent| text::phase(&event.name).ok_or_else(|| unknown("phase", &event.name));
    let mut since_before = 0;
    let what = match (&*event.cat, &event.args) {
        ("phase", None) => What::Phase(phase(event)?),
        ("phase", Some(args)) => match phase(event)? {
            Phase::Poll => {
                let KernelArgs { asked_ns, slept_ns, events } = parsed(args)?;
                What::Kernel { asked: asked_ns, slept: slept_ns, events }
            }
            Phase::Timers => {
                let TimersArgs { fired, latest_ns } = parsed(args)?;
                What::Timers { fired, latest: latest_ns }
            }
            _ => return Err(format!("the phase {:?} has no `args`", event.name)),
        },
        ("poll", Some(args)) => {
            let args: PollArgs = parsed(args)?;
            since_before = args.waited_ns;
            poll(&args)?
        }
        ("job", Some(args)) => return job(event, &parsed(args)?).map(Some),
        ("cancel", Some(args)) => What::Cancel { task: key_of(&parsed::<CancelArgs>(args)?.task)? },
        ("attached", _) => What::Attached,
        ("left", _) => What::Left,
        ("poll" | "job" | "cancel", None) => return Err(format!("a {} without `args`", event.cat)),
        _ => return Ok(None), // a name, an arrow, or somebody else's
    };
    let (begin, end) = span(event)?;
    Ok(Some(Record { since: earlier(begin, since_before)?, begin, end, what }))
}

fn poll(args: &PollArgs) -> Result<What, String> {
    Ok(What::Poll {
        task: key_of(&args.task)?,
        cause: text::cause(&args.cause).ok_or_else(|| unknown("cause", &args.cause))?,
        wake: args.wake.map(|number| Wake { number, from: args.from }),
        then: match (&*args.then, args.waits) {
            (_, Some(wait)) => After::Waits(wait),
            ("ended", None) => After::Ended,
            ("open", None) => After::Open,
            (other, None) => return Err(unknown("end of a poll", other)),
        },
    })
}

fn job(event: &ReadEvent, args: &JobArgs) -> Result<Record, String> {
    let (begin, end) = span(event)?;
    let class = text::class(&event.name).ok_or_else(|| unknown("class of jobs", &event.name))?;
    let taken = end.checked_add(args.taken_ns).ok_or("a time beyond all counting")?;
    let what = What::Job { class, task: key_of(&args.task)?, taken };
    Ok(Record { since: earlier(begin, args.queued_ns)?, begin, end, what })
}

fn span(event: &ReadEvent) -> Result<(u64, u64), String> {
    let begin = nanos(event.ts.as_deref().ok_or("an event without `ts`")?.get())?;
    let lasted = event.dur.as_deref().map_or(Ok(0), |dur| nanos(dur.get()))?;
    Ok((begin, begin.checked_add(lasted).ok_or("a time beyond all counting")?))
}

fn earlier(begin: u64, by: u64) -> Result<u64, String> {
    begin.checked_sub(by).ok_or_else(|| "a wait that is longer than the clock has been there".to_owned())
}

/// Microseconds as nanoseconds, to the last digit.
fn nanos(micros: &str) -> Result<u64, String> {
    let (whole, part) = micros.split_once('.').unwrap_or((micros, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exact = digits(whole) && digits(part) && part.len() <= 3;
    let nanos = if exact { format!("{whole}{part:0<3}").parse().ok() } else { None };
    nanos.ok_or_else(|| format!("{micros} is no time in microseconds with three digits behind the point"))
}

fn key_of(text: &str) -> Result<Key, String> {
    text::key(text).ok_or_else(|| unknown("key", text))
}

fn unknown(what: &str, text: &str) -> String {
    format!("{text:?} is no {what}")
}

fn parsed<T: DeserializeOwned>(args: &RawValue) -> Result<T, String> {
    serde_json::from_str(args.get()).map_err(|error| format!("in `args`: {error}"))
}

#[cfg(test)]
mod tests;
