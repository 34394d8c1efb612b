//! Numbers as people read them.

/// A figure with its unit, in three or four digits: `4,812 ns`, `48.1 µs`, `1.2 KiB`, `2.18`.
pub(super) fn figure(value: f64, unit: &str) -> String {
    match unit {
        "ns" if value < 99.95 => format!("{value:.1} ns"),
        "ns" if value < 9_999.5 => format!("{} ns", grouped(value)),
        "ns" if value < 9_999_500.0 => format!("{} µs", digits(value / 1e3)),
        "ns" if value < 9_999_500_000.0 => format!("{} ms", digits(value / 1e6)),
        "ns" => format!("{} s", digits(value / 1e9)),
        "B" if value < 1024.0 => format!("{value:.0} B"),
        "B" if value < 1024.0 * 1024.0 => format!("{} KiB", digits(value / 1024.0)),
        "B" => format!("{} MiB", digits(value / (1024.0 * 1024.0))),
        "1/s" => format!("{}/s", grouped(value)),
        "" => count(value),
        unit => format!("{} {unit}", count(value)),
    }
}

/// A count that may be a mean: two places while it is small.
fn count(value: f64) -> String {
    if value < 99.995 { format!("{value:.2}") } else { grouped(value) }
}

/// Three digits, or all that stand before the point.
fn digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => grouped(value),
    }
}

/// A whole number with commas between its thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && text != "-" {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_long_as_they_are_exact() {
        for (value, unit, text) in [
            (43.21, "ns", "43.2 ns"),
            (4812.4, "ns", "4,812 ns"),
            (48_123.0, "ns", "48.1 µs"),
            (312_345.0, "ns", "312 µs"),
            (12_345_678.0, "ns", "12.3 ms"),
            (285.4, "B", "285 B"),
            (1229.0, "B", "1.20 KiB"),
            (3.5 * 1024.0 * 1024.0, "B", "3.50 MiB"),
            (207_113.4, "1/s", "207,113/s"),
            (2.178, "", "2.18"),
            (0.0, "", "0.00"),
            (1199.6, "", "1,200"),
            (1_234_567.0, "", "1,234,567"),
            (5.0, "MiB/s", "5.00 MiB/s"),
        ] {
            assert_eq!(figure(value, unit), text);
        }
    }
}
