//! Where and with what it was measured.

use procfs::{CpuInfo, Current as _};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Those of whose version a reader would ask.
const PEERS: [&str; 10] =
    ["actix-web", "evloop", "futures", "hyper", "may", "may_minihttp", "monoio", "ntex", "smol", "tokio"];

/// A machine and what is raced on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    /// Its processor, by the name it has itself.
    pub(super) processor: String,
    /// How many cores this process may use.
    pub(super) cores: usize,
    /// The kernel's version.
    pub(super) kernel: String,
    /// The contestants' versions.
    pub(super) versions: BTreeMap<String, String>,
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Self {
        let processor = CpuInfo::current().ok().and_then(|info| info.model_name(0).map(str::to_owned));
        let kernel = procfs::sys::kernel::Version::current().ok();
        let kernel = kernel.map(|version| format!("{}.{}.{}", version.major, version.minor, version.patch));
        Self {
            processor: processor.unwrap_or_else(|| "a processor without a name".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: kernel.unwrap_or_else(|| "of no known version".to_owned()),
            versions: versions(include_str!("../../Cargo.lock")),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, {} cores, Linux {}", self.processor, self.cores, self.kernel)
    }
}

/// The versions of the contestants in a lock file, where each name stands on the line before its version.
fn versions(lock: &str) -> BTreeMap<String, String> {
    let value = |line: &str, key: &str| {
        let quoted = line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?;
        Some(quoted.to_owned())
    };
    let pairs = lock.lines().zip(lock.lines().skip(1));
    let found = pairs.filter_map(|(name, version)| Some((value(name, "name")?, value(version, "version")?)));
    found.filter(|(name, _)| PEERS.contains(&&**name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contestant_has_a_version_in_the_lock_file() {
        let here = Machine::here();
        for peer in PEERS {
            assert!(here.versions.contains_key(peer), "{peer} in {:?}", here.versions);
        }
    }
}
