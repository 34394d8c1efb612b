//! One body, many seeds.

use crate::context;
use crate::runtime::Runtime;
use crate::time::timeout;
use crate::work::WorkKind;
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use std::{env, fmt, thread};

/// How long a body may take by its own clock, so that one that waits in vain fails and does not hang.
pub const SEED_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Says which seed a test runs under.
const SEED: &str = "EVLOOP_SEED";

/// Says how many.
const SEEDS: &str = "EVLOOP_SEEDS";

/// Runs `body` once under each of these seeds, in a loop of its own whose time moves by hand. When it panics, that seed is
/// told on the standard error stream, with how to run it again, and the panic goes on.
///
/// Two variables of the environment overrule the seeds: with `EVLOOP_SEED=17` it runs under that one alone, and with
/// `EVLOOP_SEEDS=10000` under so many, from the first on.
///
/// A body that waits for what never comes fails as well, with a list of what else was there, once [`SEED_TIME_MAX`] has
/// passed by its clock, which is at once when nothing else happens. As always with a manual clock, time passes as usual
/// while a job of the pool is under way or a source of the kernel is waited for.
///
/// # Panics
/// When `body` does or waits in vain; when a variable is no number; when this thread is in a loop already, or there are no
/// descriptors for one.
///
/// # Examples
/// ```
/// use evloop_runtime::testing::{self, Faults, Network};
/// use evloop_runtime::io::AsyncWrite;
/// use evloop_runtime::spawn;
///
/// testing::seeds(0..20, async || {
///     let network = Network::with_faults(Faults::rough());
///     let server = network.clone();
///     let task = spawn(async move { server.accept().await?.write_all(b"Hello").await });
///     assert_eq!(network.connect(2).rest().await, b"Hello");
///     task.await.unwrap().unwrap();
/// });
/// ```
pub fn seeds(seeds: Range<u64>, body: impl AsyncFn()) {
    let number = |name| read(name, env::var_os(name));
    let seeds = match (number(SEED), number(SEEDS)) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, Some(count)) => seeds.start..seeds.start.saturating_add(count),
        (None, None) => seeds,
    };
    if let Some(failure) = first_failure(seeds, body) {
        let thread = thread::current();
        let test = thread.name().filter(|&name| name != "main").unwrap_or("");
        eprintln!("failed under the seed {0}; to run it alone: {SEED}={0} cargo test {test}", failure.seed);
        resume_unwind(failure.panic);
    }
}

/// Runs `body` as [`seeds`] does, without a word and without a look at the environment, until it fails: to show that a test
/// finds what it is to find.
///
/// # Panics
/// When this thread is in a loop already, or there are no descriptors for one.
///
/// # Examples
/// See [`testing`](super).
pub fn first_failure(seeds: Range<u64>, body: impl AsyncFn()) -> Option<SeedFailure> {
    seeds.into_iter().find_map(|seed| {
        let runtime = of_seed(Some(seed));
        let run = || {
            runtime.block_on(async {
                let ended = timeout(SEED_TIME_MAX, body()).await;
                assert!(ended.is_ok(), "the test waits for something that never comes; there is {}", others());
            });
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
        Some(SeedFailure { seed, panic })
    })
}

/// A loop for a test that runs once: its time moves by hand, and it has the seed that the environment gives, if it does, as
/// `EVLOOP_SEED=17`.
///
/// # Panics
/// When the variable is no number, or there are no descriptors for a loop.
///
/// # Examples
/// ```
/// use evloop_runtime::testing;
///
/// testing::runtime().block_on(async { evloop_runtime::spawn(async {}).await }).unwrap();
/// ```
#[must_use]
pub fn runtime() -> Runtime {
    of_seed(read(SEED, env::var_os(SEED)))
}

fn of_seed(seed: Option<u64>) -> Runtime {
    let builder = Runtime::builder().manual_clock();
    let builder = match seed {
        Some(seed) => builder.seed(seed),
        None => builder,
    };
    builder.build().expect("there are descriptors for a loop")
}

fn read(name: &str, value: Option<std::ffi::OsString>) -> Option<u64> {
    let value = value?;
    let number = value.to_str().and_then(|value| value.parse().ok());
    Some(
        number.unwrap_or_else(|| {
            panic!("{name} is a number of the test's choice, but it is set to `{}`", value.display())
        }),
    )
}

/// What is in the loop besides the body.
fn others() -> String {
    let work = context::current().work().into_iter().filter(|work| !matches!(work.kind, WorkKind::Timer { .. }));
    let work: Vec<String> = work.map(|work| work.to_string()).collect();
    if work.is_empty() { "nothing else in the loop".to_owned() } else { work.join("; ") }
}

/// The seed under which a body has failed, and how.
pub struct SeedFailure {
    seed: u64,
    panic: Box<dyn Any + Send>,
}

impl SeedFailure {
    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What the body's panic said.
    #[must_use]
    pub fn text(&self) -> &str {
        let text = self.panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| self.panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
    }
}

impl fmt::Display for SeedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed under the seed {}: {}", self.seed, self.text())
    }
}

impl fmt::Debug for SeedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedFailure").field("seed", &self.seed).field("text", &self.text()).finish_non_exhaustive()
    }
}
