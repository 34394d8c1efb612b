//! What counts of instructions depend on besides the code: who translated it, and for what.

use serde::{Deserialize, Serialize};
use std::env;
use std::error::Error;
use std::fmt::Write;
use std::process::Command;

/// Where all of these are the same, so are the counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conditions {
    /// As the first line of `rustc -vV`.
    pub(crate) rustc: String,
    pub(crate) host: String,
    pub(crate) llvm: String,
    /// What the environment has the compiler told besides: none, as a rule.
    pub(crate) rustflags: String,
    /// The C library's name and version: its `malloc` and `memcpy` are in the counts.
    pub(crate) libc: String,
    /// What of the processor is asked for while the program runs: memchr and httparse choose their loops by it.
    pub(crate) processor: String,
    pub(crate) valgrind: String,
}

impl Conditions {
    /// Those of this machine.
    ///
    /// # Errors
    /// When rustc or valgrind is not here, or says nothing that we know.
    pub(crate) fn here() -> Result<Conditions, Box<dyn Error>> {
        if cfg!(debug_assertions) {
            return Err("this is a debug build: run it by cargo bench".into());
        }
        let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let rustc = told_by(&rustc, "-vV")?;
        let of = |name| rustc.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("unknown").trim().to_owned();
        let flags = |name| env::var(name).ok().filter(|flags| !flags.is_empty());
        Ok(Conditions {
            host: of("host:"),
            llvm: of("LLVM version:"),
            rustflags: flags("CARGO_ENCODED_RUSTFLAGS").or_else(|| flags("RUSTFLAGS")).unwrap_or_default(),
            libc: told_by("getconf", "GNU_LIBC_VERSION").unwrap_or_else(|_| "unknown".to_owned()),
            processor: processor(),
            valgrind: told_by("valgrind", "--version")?,
            rustc: of("rustc "),
        })
    }

    /// Which of them are others there, in a line each; nothing if none is.
    pub(crate) fn differences(&self, there: &Conditions) -> String {
        let Conditions { rustc, host, llvm, rustflags, libc, processor, valgrind } = self;
        let pairs = [
            ("rustc", rustc, &there.rustc),
            ("host", host, &there.host),
            ("LLVM", llvm, &there.llvm),
            ("rustflags", rustflags, &there.rustflags),
            ("C library", libc, &there.libc),
            ("processor", processor, &there.processor),
            ("valgrind", valgrind, &there.valgrind),
        ];
        pairs.into_iter().filter(|(_, recorded, now)| recorded != now).fold(
            String::new(),
            |mut lines, (name, recorded, now)| {
                writeln!(lines, "    {name}: recorded for '{recorded}', this is '{now}'")
                    .expect("a string takes all that is written");
                lines
            },
        )
    }
}

fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        return "x86_64 with AVX2".to_owned();
    }
    env::consts::ARCH.to_owned()
}

fn told_by(program: &str, argument: &str) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).arg(argument).output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} {argument}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
