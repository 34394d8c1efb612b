//! What may go wrong on a network, and how often.

use crate::chance::Chance;
use std::time::Duration;

/// What goes wrong on a [network in memory](super::Network), and how often. By default, nothing does.
///
/// # Examples
/// ```
/// use evloop_runtime::testing::Faults;
/// use std::time::Duration;
///
/// let slow = Faults { delay_max: Duration::from_millis(200), ..Faults::rough() };
/// assert_eq!(Faults::default().delay_max, Duration::ZERO);
/// assert_eq!(slow.cut_percent, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// In so many of a hundred connects nobody listens: what is read or written there is an error of the kind
    /// [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused).
    pub refused_percent: u8,
    /// So many of a hundred connections break on their way, as by a reset.
    pub cut_percent: u8,
    /// A connection that breaks does so within so many bytes in one direction; with none, when something is written.
    pub cut_bytes_max: usize,
    /// So many of a hundred writes take only a part of what there is room for.
    pub split_percent: u8,
    /// So many of a hundred reads bring only a part of what has come.
    pub short_percent: u8,
    /// What is written arrives after so long at most, in whole milliseconds, drawn for each write. The order in a direction
    /// is kept, so several writes may arrive as one, and the end of a direction comes behind them. A reset comes at once.
    pub delay_max: Duration,
}

impl Faults {
    /// A network that is rough and loses nothing: whatever a program does on it, it has to do.
    #[must_use]
    pub fn rough() -> Faults {
        Faults { split_percent: 50, short_percent: 50, delay_max: Duration::from_millis(20), ..Faults::default() }
    }

    /// A rough network on which, besides, one connection in ten breaks within 4 KiB, and one connect in ten is refused.
    #[must_use]
    pub fn hostile() -> Faults {
        Faults { refused_percent: 10, cut_percent: 10, cut_bytes_max: 4_096, ..Faults::rough() }
    }
}

/// Faults, and the chance from which they are drawn.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) faults: Faults,
    pub(super) chance: Chance,
}

impl Weather {
    /// The same, with chance of its own.
    pub(super) fn split(&self) -> Weather {
        Weather { faults: self.faults, chance: self.chance.split() }
    }

    /// How much of so many bytes is written at once.
    pub(super) fn written(&self, bytes: usize) -> usize {
        self.part(bytes, self.faults.split_percent)
    }

    /// How much of so many bytes is read at once.
    pub(super) fn read(&self, bytes: usize) -> usize {
        self.part(bytes, self.faults.short_percent)
    }

    fn part(&self, bytes: usize, percent: u8) -> usize {
        if bytes > 1 && self.chance.happens(percent) { 1 + self.chance.below(bytes - 1) } else { bytes }
    }

    /// For how long something is under way, if there is a delay.
    pub(super) fn delay(&self) -> Option<Duration> {
        let most = u64::try_from(self.faults.delay_max.as_millis()).unwrap_or(u64::MAX);
        let most = usize::try_from(most).ok().filter(|&most| most > 0)?;
        Some(Duration::from_millis(self.chance.below(most.saturating_add(1)) as u64))
    }
}
