//! The tape of the program: written to its file at the end and on a signal, and sent to who asks for it.

use evloop::http::{IntoResponse, Request, Response, Router, StatusCode};
use evloop::observe::{Recording, Tape};
use evloop::signal::{SignalKind, signal};
use evloop::spawn_blocking;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// What the loop did last, and where it is to be written.
pub(crate) struct Trace {
    /// Of which loop.
    whose: String,
    tape: Rc<Tape>,
    file: Arc<TraceFile>,
}

struct TraceFile {
    path: PathBuf,
    /// One writes at a time, so the last to come is whose records stay.
    writes: Mutex<()>,
}

impl Trace {
    /// An empty tape for so many records, and the file made anew, so that it is known now whether that can be written.
    pub(crate) fn new(whose: String, path: &Path, records: usize) -> io::Result<Rc<Trace>> {
        let file = TraceFile { path: path.to_owned(), writes: Mutex::default() };
        drop(file.create()?);
        Ok(Rc::new(Trace { whose, tape: Tape::new(records), file: Arc::new(file) }))
    }

    /// Whether a trace can be written to that file, before there is one.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        let was_there = path.symlink_metadata().is_ok();
        let file = TraceFile { path: path.to_owned(), writes: Mutex::default() };
        File::options().append(true).create(true).open(path).map_err(|error| file.failed(&error))?;
        if was_there {
            return Ok(());
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file.failed(&error)),
            _ => Ok(()), // each loop makes its own, and another worker may have been faster
        }
    }

    /// To look on at a loop.
    pub(crate) fn tape(&self) -> Rc<Tape> {
        Rc::clone(&self.tape)
    }

    /// What is on the tape now.
    fn recording(&self) -> Recording {
        Recording { whose: self.whose.clone(), ..self.tape.recording() }
    }

    /// Writes what is on the tape now, and waits for it: where no loop turns any more. Where it is, the log tells.
    pub(crate) fn write(&self) -> io::Result<()> {
        let recording = self.recording();
        self.file.write(&recording)?;
        self.file.tell(recording.records.len());
        Ok(())
    }

    /// Writes what is on the tape, on a thread of the pool, whenever SIGUSR1 comes.
    pub(crate) fn write_on_signal(self: Rc<Self>) -> io::Result<impl Future<Output = ()>> {
        let mut asked = signal(SignalKind::USER_DEFINED_1)?;
        Ok(async move {
            while asked.recv().await.is_ok() {
                let (file, recording) = (Arc::clone(&self.file), self.recording());
                let records = recording.records.len();
                match spawn_blocking(move || file.write(&recording)).await {
                    Ok(Ok(())) => self.file.tell(records),
                    Ok(Err(error)) => log::error!("{error}"),
                    Err(error) => log::error!("the trace was not written: {error}"),
                }
            }
        })
    }
}

impl TraceFile {
    fn create(&self) -> io::Result<File> {
        File::create(&self.path).map_err(|error| self.failed(&error))
    }

    fn write(&self, recording: &Recording) -> io::Result<()> {
        let _alone = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let out = BufWriter::with_capacity(1 << 16, self.create()?);
        recording.write_chrome(out).map_err(|error| self.failed(&error))
    }

    /// Says what has been written.
    fn tell(&self, records: usize) {
        let last = if records == 1 { "record is".to_owned() } else { format!("{records} records are") };
        log::info!("the last {last} in {}", self.path.display());
    }

    fn failed(&self, error: &io::Error) -> io::Error {
        let why = match self.path.parent() {
            Some(folder) if error.kind() == io::ErrorKind::NotFound => {
                format!("there is no folder {}", folder.display())
            }
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("--trace: cannot write {}: {why}", self.path.display()))
    }
}

/// The demo with a route for what is on the tape.
pub(crate) fn with_route(demo: Router, trace: Option<&Rc<Trace>>) -> Router {
    let trace = trace.map(Rc::clone);
    demo.get("/trace", move |_: Request| {
        let recording = trace.as_ref().map(|trace| trace.recording());
        async move { download(recording).await }
    })
}

async fn download(recording: Option<Recording>) -> Response {
    let Some(recording) = recording else {
        return (StatusCode::NOT_FOUND, "this server has no tape: start it with --trace FILE\n").into_response();
    };
    let json = spawn_blocking(move || {
        let mut json = Vec::new();
        recording.write_chrome(&mut json).map(|()| json)
    });
    match json.await.map_err(io::Error::from).and_then(|json| json) {
        Ok(json) => Response::default()
            .with_body(json)
            .with_header("content-type", "application/json")
            .with_header("content-disposition", "attachment; filename=\"evloop-trace.json\""),
        Err(error) => {
            log::error!("the trace was not written: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
