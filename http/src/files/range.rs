//! Which bytes are asked for (RFC 9110 section 14).

use std::ops::Range;

/// How many ranges a request may name; one that names more gets the whole.
///
/// A range costs a client two bytes to ask for, `0-,` and the like, and the server the head of a part, about a hundred
/// bytes, and a read. Without a bound, and with ranges that overlap, a request of a kilobyte makes a response of
/// hundreds of copies of a file: that is how Apache was brought down in 2011 (CVE-2011-3192). So ranges that overlap
/// are not answered either (RFC 9110 section 14.2 allows both), and a response is never longer than the whole and 64
/// heads. Clients that fetch documents and updates in pieces ask for some dozen at a time.
pub(super) const RANGES_MAX: usize = 64;

/// What is to be sent of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it, as without a Range field.
    Whole,
    /// These parts, in the order in which they were asked for. Invariant: at least one, at most [`RANGES_MAX`]; none is
    /// empty, none ends past the content's end, no two overlap.
    Parts(Vec<Range<u64>>),
    /// None of what was asked for is there.
    Unsatisfiable,
}

impl Selection {
    /// Reads the value of a Range field, for a content of this length.
    ///
    /// What is malformed, too much, or in a unit other than bytes selects the whole: a Range field is a wish (RFC 9110
    /// section 14.2). So does any range of an empty content: there is no way to write a range of no bytes, and 416
    /// would be a failure where all there is can be sent.
    pub(super) fn parse(value: &[u8], length: u64) -> Selection {
        let Some((unit, set)) = value.split_at_checked(6) else { return Selection::Whole };
        if !unit.eq_ignore_ascii_case(b"bytes=") || length == 0 {
            return Selection::Whole;
        }
        let mut parts = Vec::new();
        let mut seen = 0;
        // Empty members are to be read over (RFC 9110 section 5.6.1.2).
        for spec in set.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|spec| !spec.is_empty()) {
            seen += 1;
            match resolve(spec, length) {
                Some(part) if seen <= RANGES_MAX => parts.extend(Some(part).filter(|part| !part.is_empty())),
                _ => return Selection::Whole,
            }
        }
        match (seen, parts.is_empty()) {
            (0, _) => Selection::Whole,
            (_, true) => Selection::Unsatisfiable,
            (_, false) if overlap(&parts) => Selection::Whole,
            (_, false) => Selection::Parts(parts),
        }
    }
}

/// `first-last`, `first-` or `-suffix`, as a range that is empty if it is not satisfiable; `None` when it is malformed.
fn resolve(spec: &[u8], length: u64) -> Option<Range<u64>> {
    let dash = spec.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => Some(length.saturating_sub(number(last)?)..length),
        (false, true) => Some(number(first)?.min(length)..length),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first.min(length)..last.saturating_add(1).min(length))
        }
    }
}

/// A decimal number of any length; one that is too large is the largest, which is past every content's end as well.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, byte| {
        byte.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
    })
}

fn overlap(parts: &[Range<u64>]) -> bool {
    let mut sorted: Vec<&Range<u64>> = parts.iter().collect();
    sorted.sort_by_key(|part| part.start);
    sorted.windows(2).any(|pair| pair[1].start < pair[0].end)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of one range is what is meant")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn parse(value: &str, length: u64) -> Selection {
        Selection::parse(value.as_bytes(), length)
    }

    fn parts(parts: impl Into<Vec<Range<u64>>>) -> Selection {
        Selection::Parts(parts.into())
    }

    #[test]
    fn examples_of_rfc_9110_section_14_1_2() {
        for (value, selected) in [
            ("bytes=0-499", parts([0..500])),
            ("bytes=500-999", parts([500..1_000])),
            ("bytes=-500", parts([9_500..10_000])),
            ("bytes=9500-", parts([9_500..10_000])),
            ("bytes=0-0,-1", parts([0..1, 9_999..10_000])),
            ("bytes= 0-999, 4500-5499, -1000", parts([0..1_000, 4_500..5_500, 9_000..10_000])),
            ("bytes=500-600,601-999", parts([500..601, 601..1_000])),
            ("bytes=500-700,601-999", Selection::Whole), // they overlap
        ] {
            assert_eq!(parse(value, 10_000), selected, "{value}");
        }
    }

    #[test]
    fn range_is_cut_at_the_end() {
        assert_eq!(parse("bytes=0-9", 10), parts([0..10]));
        assert_eq!(parse("bytes=9-10", 10), parts([9..10]));
        assert_eq!(parse("bytes=0-99999999999999999999999999", 10), parts([0..10]));
        assert_eq!(parse("bytes=-99999999999999999999999999", 10), parts([0..10]));
        assert_eq!(parse("bytes=18446744073709551614-18446744073709551615", u64::MAX), parts([u64::MAX - 1..u64::MAX]));
    }

    #[test]
    fn range_past_the_end_is_unsatisfiable() {
        for value in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=10-,-0", "bytes=99999999999999999999999999-"] {
            assert_eq!(parse(value, 10), Selection::Unsatisfiable, "{value}");
        }
        assert_eq!(parse("bytes=10-,-1", 10), parts([9..10]), "one that is satisfiable suffices");
    }

    #[test]
    fn range_of_an_empty_content_is_the_whole() {
        for value in ["bytes=0-", "bytes=-1", "bytes=0-0", "bytes=-0"] {
            assert_eq!(parse(value, 0), Selection::Whole, "{value}");
        }
    }

    #[test]
    fn malformed_range_is_the_whole() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=1",
            "bytes=a-",
            "bytes=1-a",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=2-1",
            "bytes=0-1,2-1",
            "bytes=0 - 1",
            "bytes=0-1;2-3",
            "bytes 0-1",
            "bytes =0-1",
            " bytes=0-1",
            "lines=0-1",
            "bytes=0x1-2",
            "bytes=0-1/10",
        ] {
            assert_eq!(parse(value, 10), Selection::Whole, "{value}");
        }
        assert_eq!(
            parse("BYTES=,0-1 ,\t,3-3,", 10),
            parts([0..2, 3..4]),
            "names have no case, empty members no meaning"
        );
    }

    #[test]
    fn ranges_up_to_the_bound_are_parts_and_past_it_the_whole() {
        let list = |count: usize| (0..count).map(|at| format!("{0}-{0}", at * 2)).collect::<Vec<_>>().join(",");
        let Selection::Parts(parts) = parse(&format!("bytes={}", list(RANGES_MAX)), 1_000) else { panic!("no parts") };
        assert_eq!(parts.len(), RANGES_MAX);
        assert_eq!(parse(&format!("bytes={}", list(RANGES_MAX + 1)), 1_000), Selection::Whole);
        assert_eq!(parse(&format!("bytes=0-0{}", ",2000-".repeat(RANGES_MAX)), 1_000), Selection::Whole);
    }

    /// What a byte range says, before it is written.
    #[derive(Debug, Clone)]
    enum Spec {
        FromTo(u8, u8),
        From(u8),
        Last(u8),
        Broken(&'static str),
    }

    fn specs() -> impl Strategy<Value = Vec<Spec>> {
        let spec = prop_oneof![
            6 => (0..30_u8, 0..30_u8).prop_map(|(a, b)| Spec::FromTo(a.min(b), a.max(b))),
            2 => (0..30_u8).prop_map(Spec::From),
            2 => (0..30_u8).prop_map(Spec::Last),
            1 => prop::sample::select(&["-", "1", "5-4", "x-1", "1-x", "1--2", "0 -1"][..]).prop_map(Spec::Broken),
        ];
        prop::collection::vec(spec, 0..5)
    }

    /// The twin: asks of each byte whether a range means it.
    fn naive(specs: &[Spec], length: u64) -> Selection {
        let meant = |spec: &Spec, at: u64| match *spec {
            Spec::FromTo(first, last) => u64::from(first) <= at && at <= u64::from(last),
            Spec::From(first) => u64::from(first) <= at,
            Spec::Last(count) => at + u64::from(count) >= length,
            Spec::Broken(_) => false,
        };
        if length == 0 || specs.is_empty() || specs.iter().any(|spec| matches!(spec, Spec::Broken(_))) {
            return Selection::Whole;
        }
        let mut seen = BTreeSet::new();
        let mut parts = Vec::new();
        for spec in specs {
            let bytes: Vec<u64> = (0..length).filter(|at| meant(spec, *at)).collect();
            if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
                parts.push(*first..last + 1);
            }
            if !bytes.into_iter().all(|at| seen.insert(at)) {
                return Selection::Whole;
            }
        }
        if parts.is_empty() { Selection::Unsatisfiable } else { Selection::Parts(parts) }
    }

    proptest! {
        #[test]
        fn parser_agrees_with_its_twin(specs in specs(), length in 0..25_u64, comma in ",[ \t,]{0,2}") {
            let written: Vec<String> = specs.iter().map(|spec| match spec {
                Spec::FromTo(first, last) => format!("{first}-{last}"),
                Spec::From(first) => format!("{first}-"),
                Spec::Last(count) => format!("-{count}"),
                Spec::Broken(text) => (*text).to_owned(),
            }).collect();
            let value = format!("bytes={}", written.join(&comma));
            prop_assert_eq!(parse(&value, length), naive(&specs, length), "{}", value);
        }

        #[test]
        fn parts_of_any_value_hold_to_the_invariant(value in "bytes=[0-9, -]{0,30}", length in 0..1_000_u64) {
            if let Selection::Parts(parts) = parse(&value, length) {
                prop_assert!(!parts.is_empty() && parts.len() <= RANGES_MAX);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
                prop_assert!(!overlap(&parts));
            }
        }
    }
}
