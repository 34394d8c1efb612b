//! A server without a master: one process, which opens its sockets, hears the signals and serves.

use super::channel::Why;
use super::lifeline;
use super::loops::{self, Supervisor};
use super::orders::Orders;
use super::pid_file::PidFile;
use super::signals::{Ear, SPARE};
use super::sockets::Sockets;
use super::status::{LoopBeat, OwnStatus, State, Status};
use super::{Config, Control, Error, Instance, notify};
use evloop_http::asgi::App;
use evloop_runtime::Handle;
use evloop_runtime::observe::SlowPoll;
use std::io::{self, Write};
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often loops tell how they do where there is a control socket.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Serves in this process, on as many loops as the configuration says, until it is told to end.
pub(super) fn run<A, F>(config: &Config, make: &F) -> Result<(), Error>
where
    A: App,
    F: Fn(&Instance) -> io::Result<A> + Sync,
{
    let threads = config.threads.max(1);
    let mut sockets = Sockets::open(config)?;
    let _pid_file = config.pid_file.as_deref().map(PidFile::create).transpose()?;
    let for_loops = sockets.for_loops(0..threads)?;
    let (orders, alone) = (Orders::default(), Arc::new(Alone::new(config, sockets.places(), threads)));
    let ear = Ear::new(config, &orders, sockets, &alone)?;
    let supervisor: Arc<dyn Supervisor> = alone;
    let ended = loops::run(config, None, for_loops, make, &orders, &supervisor);
    // From here on no signal is heard, and the last lines may hang: `SPARE` is for them.
    let _lifeline = lifeline::unless_dropped(SPARE, u8::from(ended.is_err()));
    drop(ear);
    match ended? {
        0 => log::info!("stopped, with all requests answered"),
        1 => log::warn!("stopped, and 1 connection was ended before its requests were answered"),
        cut => log::warn!("stopped, and {cut} connections were ended before their requests were answered"),
    }
    Ok(())
}

/// What is known of the loops of this process.
#[derive(Debug)]
pub(super) struct Alone {
    places: Vec<String>,
    status: OwnStatus,
    /// A loop each: it has beaten since that was last asked for.
    beaten: Vec<AtomicBool>,
    /// `None` when nobody wants to know how the loops do.
    beat_every: Option<Duration>,
    ready: AtomicBool,
    loops: Mutex<Vec<Handle>>,
}

impl Alone {
    pub(super) fn new(config: &Config, places: Vec<String>, threads: usize) -> Alone {
        let for_systemd = notify::watchdog().map(|limit| limit / 4);
        let for_control = matches!(config.control, Control::At(_) | Control::On).then_some(TOLD_EVERY);
        Alone {
            status: OwnStatus::new(config, places.clone(), threads),
            places,
            beaten: (0..threads).map(|_| AtomicBool::new(false)).collect(),
            beat_every: for_systemd.into_iter().chain(for_control).min(),
            ready: AtomicBool::new(false),
            loops: Mutex::default(),
        }
    }

    /// Whether it has ever served.
    pub(super) fn was_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// How it does, for who asks at the control socket.
    pub(super) fn status(&self) -> Status {
        self.status.now()
    }

    /// It accepts no more.
    pub(super) fn drains(&self) {
        self.status.set_state(State::Draining);
    }

    /// Whether each loop has turned since the last time this was asked.
    pub(super) fn have_all_beaten(&self) -> bool {
        let all = self.beaten.iter().all(|beaten| beaten.load(Relaxed));
        if all {
            self.beaten.iter().for_each(|beaten| beaten.store(false, Relaxed));
        }
        all
    }

    /// What clients have under way, in words.
    pub(super) fn under_way(&self) -> Option<String> {
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let served = loops.iter().map(|handle| handle.metrics().served);
        let (requests, connections) =
            served.fold((0, 0), |sum, served| (sum.0 + served.requests_open, sum.1 + served.connections_open));
        loops::under_way(requests, connections)
    }
}

impl Supervisor for Alone {
    fn began(&self, _thread: usize, handle: Handle) {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }

    fn ready(&self) {
        self.ready.store(true, Relaxed);
        self.status.set_state(State::Ready);
        let (places, pid) = (self.places.join(", "), process::id());
        let loops = match self.beaten.len() {
            1 => String::new(),
            threads => format!(" with {threads} threads"),
        };
        say(&format!("evloop serves {places}{loops} in process {pid} (Ctrl-C ends it)\n"));
        notify::ready(&format!("serves {places}{loops}"));
    }

    fn beat_every(&self) -> Option<Duration> {
        self.beat_every
    }

    fn beat(&self, thread: usize, beat: LoopBeat) {
        self.status.beat(thread, beat);
        self.beaten[thread].store(true, Relaxed);
    }

    fn slow(&self, _thread: usize, _slow: &SlowPoll) {} // it is logged where it is found

    fn retiring(&self, requests: u64) {
        log::info!("it {}; it ends, for a supervisor to start it again", Why::Requests(requests));
    }
}

/// Writes to the standard output, which may be closed; then nobody wants to know.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
