//! From values to places: an axis that ends at round numbers, and what they are called.

/// Values from one end of an axis to its other end, and the places between 0 and 1 that they get.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
    /// Round values, with what is written at them.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Scale {
    /// An axis of seconds, which ends where the last span does, with its unit in each tick.
    pub(super) fn of_time(from: f64, to: f64) -> Scale {
        let to = to.max(from + from.max(1.0) * 1e-9); // no axis is so short that its ends are one number
        let (unit, name) = unit_of(to);
        let ticks = round_values(from, to, 7).map(|at| (at, format!("{} {name}", number(at / unit)))).collect();
        Scale { from, to, logarithmic: false, ticks }
    }

    /// An axis of numbers.
    pub(super) fn of_numbers(from: f64, to: f64) -> Scale {
        let to = if to > from { to } else { from + from.abs().max(1.0) };
        let step = round_step(from, to, 6);
        let (from, to) = ((from / step).floor() * step, (to / step).ceil() * step);
        let ticks = round_values(from, to, 6).map(|at| (at, number(at))).collect();
        Scale { from, to, logarithmic: false, ticks }
    }

    /// An axis of powers of ten; both ends are above zero.
    pub(super) fn of_powers(from: f64, to: f64) -> Scale {
        let (low, high) = (from.log10().floor(), to.log10().ceil());
        let high = if high > low { high } else { low + 1.0 };
        let step = ((high - low) / 8.0).ceil().max(1.0);
        let powers = (0..=8).map(|n| low + f64::from(n) * step).take_while(|power| *power <= high);
        let ticks = powers.map(|power| (power, number(10_f64.powf(power)))).collect();
        Scale { from: low, to: high, logarithmic: true, ticks }
    }

    /// Where a value lies: 0 is one end, 1 the other.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.log10() } else { value };
        self.place_of_tick(value)
    }

    /// The same for a tick, which a scale of powers keeps as its power.
    pub(super) fn place_of_tick(&self, tick: f64) -> f64 {
        ((tick - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// One, two or five times a power of ten, so that at most `parts` of them fit.
fn round_step(from: f64, to: f64, parts: u32) -> f64 {
    let rough = (to - from) / f64::from(parts);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

fn round_values(from: f64, to: f64, parts: u32) -> impl Iterator<Item = f64> {
    let step = round_step(from, to, parts);
    let first = (from / step - 1e-9).ceil();
    let reach = to + step * 1e-9;
    (0..=parts + 2).map(move |n| (first + f64::from(n)) * step).take_while(move |value| *value <= reach)
}

fn unit_of(seconds: f64) -> (f64, &'static str) {
    match seconds {
        s if s >= 1.0 => (1.0, "s"),
        s if s >= 1e-3 => (1e-3, "ms"),
        s if s >= 1e-6 => (1e-6, "µs"),
        _ => (1e-9, "ns"),
    }
}

/// A length of time as a person says it: three digits, and a unit.
pub(crate) fn spoken(time: std::time::Duration) -> String {
    let seconds = time.as_secs_f64();
    let (unit, name) = unit_of(seconds);
    let value = seconds / unit;
    let digits = if value >= 99.95 || time.is_zero() { 0 } else { usize::from(value < 9.995) + 1 };
    let text = format!("{value:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {name}")
}

/// A count, by thousands: `1,048,576`.
pub(crate) fn counted(count: u64) -> String {
    let digits = count.to_string();
    let begins = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits.char_indices().map(|(at, c)| if begins(at) { format!(",{c}") } else { c.to_string() }).collect()
}

/// A number with as many digits as it needs, long ones by thousands.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if (1e6..1e15).contains(&magnitude) {
        let (unit, name) = if magnitude >= 1e9 { (1e9, "G") } else { (1e6, "M") };
        return format!("{}{name}", number(value / unit));
    }
    if !(1e-6..1e15).contains(&magnitude) && value != 0.0 {
        return format!("{value:e}");
    }
    if magnitude >= 1e4 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 1e4 and 1e6")]
        let whole = counted(magnitude.round() as u64);
        return if value < 0.0 { format!("-{whole}") } else { whole };
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
