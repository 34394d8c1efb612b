//! Pictures of all kinds, the hostile ones too, in both renderings.

use super::terminal::wrapped;
use super::*;
use proptest::prelude::*;
use roxmltree::Document;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

const HOSTILE: &str = "<&>\"' \0\u{1b}[31m\n]]>\u{fffe}제어권";

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn screen(columns: usize) -> Screen {
    Screen { columns, colours: false }
}

/// The text between all tags.
fn words_of(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    document.descendants().filter(roxmltree::Node::is_text).filter_map(|node| node.text().map(str::to_owned)).collect()
}

fn two_tasks() -> Picture {
    let mut lanes = Lanes::new("one thread");
    lanes.row("first").row("second");
    lanes.span("second", Kind::Queue, "queued, woken by first", ms(1), ms(600));
    lanes.span("first", Kind::Run, "works", ms(0), ms(600));
    lanes.mark("second", "polled", ms(600));
    lanes.arrow(("first", ms(1)), ("second", ms(1)), "woken by first");
    Picture::new("Two tasks").about("They take turns.\nOne waits.").lanes(lanes).meaning(Kind::Run, "has the thread")
}

#[test]
fn drawing_says_all_that_it_was_told() {
    let svg = two_tasks().to_svg();
    let words = words_of(&svg);
    for said in ["Two tasks", "one thread", "first", "second", "works", "polled", "has the thread", "in the queue"] {
        assert!(words.iter().any(|text| text.trim() == said), "{said} is not in\n{svg}");
    }
    for told in ["second: queued, woken by first, 599 ms from 1 ms", "woken by first", "second: polled at 600 ms"] {
        assert!(words.iter().any(|text| text.trim() == told), "{told} is no title in\n{svg}");
    }
    assert!(!svg.contains("href") && !svg.contains("@import"), "nothing is fetched from elsewhere");
}

#[test]
fn text_says_all_that_has_room_and_has_its_rows_in_order() {
    let text = two_tasks().to_text(screen(80));
    let places = [
        "Two tasks",
        "one thread",
        "first",
        "works",
        "second",
        "queued, woken by first",
        "has the thread",
        "One waits.",
    ]
    .map(|said| text.find(said).unwrap_or_else(|| panic!("{said} is not in\n{text}")));
    assert!(places.is_sorted(), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours were asked for");
    assert!(two_tasks().to_text(Screen { columns: 80, colours: true }).contains("\u{1b}["));
}

#[test]
fn what_lasts_three_times_as_long_is_three_times_as_wide() {
    let mut lanes = Lanes::new("");
    lanes.span("long", Kind::Run, "", ms(0), ms(600));
    lanes.span("short", Kind::Block, "", ms(0), ms(200));
    let text = Picture::new("").lanes(lanes).to_text(screen(67)); // 60 columns beside the names
    let cells =
        |block| text.lines().find(|line| line.contains(" │") && line.contains(block)).unwrap().matches(block).count();
    assert_eq!((cells('█'), cells('▓')), (60, 20), "{text}");
}

#[test]
fn label_that_has_no_room_is_written_up_to_its_comma() {
    let picture = |until| {
        let mut lanes = Lanes::new("");
        lanes.span("row", Kind::Run, "2 ms, waits for something that did not tell", ms(0), ms(until));
        lanes.span("row", Kind::Run, "", ms(99), ms(100));
        Picture::new("").lanes(lanes).to_text(screen(80))
    };
    assert!(picture(80).contains(" 2 ms, waits for something that did not tell "));
    assert!(picture(20).contains("█ 2 ms █") && !picture(20).contains("waits"));
    assert!(!picture(5).contains("2 ms"));
}

#[test]
fn label_without_width_fits_into_the_shortest_span() {
    let mut lanes = Lanes::new("");
    lanes.span("row", Kind::Run, "\u{301}", ms(1), ms(1));
    lanes.span("row", Kind::Block, "", ms(50), ms(99));
    assert!(Picture::new("").lanes(lanes).to_text(screen(40)).contains('█'));
}

#[test]
fn hostile_text_stays_text() {
    let mut lanes = Lanes::new(HOSTILE);
    lanes.span(HOSTILE, Kind::Run, HOSTILE, ms(0), ms(9));
    lanes.mark(HOSTILE, HOSTILE, ms(3));
    lanes.arrow((HOSTILE, ms(1)), (HOSTILE, ms(2)), HOSTILE);
    let plot = Plot::new(HOSTILE, HOSTILE, HOSTILE).series(HOSTILE, [(1.0, 1.0)]);
    let picture = Picture::new(HOSTILE).about(HOSTILE).meaning(Kind::Run, HOSTILE).lanes(lanes).plot(plot);
    let words = words_of(&picture.to_svg());
    assert!(words.iter().filter(|text| text.contains("제어권")).count() >= 9, "{words:?}");
    let text = picture.to_text(screen(100));
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

/// An empty line would end the drawing where it stands within a page of Markdown.
#[test]
fn drawing_has_no_empty_line_whatever_has_no_name() {
    let mut lanes = Lanes::new("");
    lanes.span("row", Kind::Run, "", ms(0), ms(9));
    lanes.mark("row", "", ms(3));
    let svg = Picture::new("").about("").lanes(lanes).to_svg();
    assert!(svg.lines().all(|line| !line.trim().is_empty()), "{svg}");
}

#[test]
fn curves_without_points_and_points_without_a_place_are_drawn_as_nothing() {
    let odd = [(f64::NAN, 1.0), (1.0, f64::INFINITY), (0.0, -1.0), (1e300, 2.0), (-1e300, 2.0)];
    for plot in [
        Plot::new("none", "x", "y"),
        Plot::new("empty", "x", "y").series("nothing", []),
        Plot::new("odd", "x", "y").series("odd", odd),
        Plot::new("powers", "x", "y").series("odd", odd).x_in_powers().y_in_powers(),
        Plot::new("one", "x", "y").series("one", [(7.0, 7.0)]).series("same", [(7.0, 7.0), (7.0, 7.0)]),
        Plot::new("steep", "x", "y").series("steep", [(0.0, 0.0), (0.0, 1e99), (1e-99, -1e99)]),
    ] {
        let picture = Picture::new("odd").plot(plot);
        let svg = picture.to_svg();
        words_of(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(picture.to_text(screen(60)).lines().all(|line| line.width() <= 60));
    }
}

#[test]
fn times_are_spoken_with_three_digits_and_a_unit() {
    let said = [0, 1, 999, 1_000, 12_345, 99_960, 1_500_000, 283_400_000, 60_000_000_000]
        .map(Duration::from_nanos)
        .map(spoken);
    assert_eq!(said, ["0 ns", "1 ns", "999 ns", "1 µs", "12.3 µs", "100 µs", "1.5 ms", "283 ms", "60 s"]);
    assert_eq!([0, 999, 1_000, 1_234_567].map(counted), ["0", "999", "1,000", "1,234,567"]);
}

#[test]
fn near_names_are_offered_and_far_ones_are_not() {
    let names = ["quadrants", "blocking", "pool"];
    assert_eq!(near("qadrants", names), ", did you mean \"quadrants\"?");
    assert_eq!(near("zzz", names), "");
    assert_eq!(near("conection", ["connection"; 3]), ", did you mean \"connection\"?");
}

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..5_000_000_000_u64).prop_map(Duration::from_nanos),
        any::<u64>().prop_map(Duration::from_nanos)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_picture_is_well_formed_and_fits(
        spans in prop::collection::vec((".{0,12}", 0..7_usize, ".{0,40}", any_time(), any_time()), 0..20),
        columns in 40..160_usize,
    ) {
        let mut lanes = Lanes::new("");
        for (row, kind, label, from, until) in &spans {
            lanes.span(row, Kind::ALL[*kind], label.as_str(), *from, *until);
            lanes.mark(row, label.as_str(), *until);
            lanes.arrow((row, *from), (&spans[0].0, *until), label.as_str());
        }
        let picture = Picture::new("any").about("about").lanes(lanes);
        let svg = picture.to_svg();
        prop_assert!(Document::parse(&svg).is_ok(), "{}", svg);
        prop_assert!(!svg.contains("NaN"), "{}", svg);
        for line in picture.to_text(screen(columns)).lines() {
            prop_assert!(line.width() <= columns, "{}", line);
        }
    }

    #[test]
    fn ticks_are_few_lie_on_the_axis_and_rise(from in 0.0..1e6_f64, length in 1e-9..1e6_f64) {
        for scale in [scale::Scale::of_time(from, from + length), scale::Scale::of_numbers(from, from + length)] {
            let ticks: Vec<f64> = scale.ticks.iter().map(|(at, _)| *at).collect();
            prop_assert!(!ticks.is_empty() && ticks.len() <= 10, "{:?}", ticks);
            prop_assert!(ticks.is_sorted());
            prop_assert!(ticks.iter().all(|tick| (0.0..=1.0).contains(&scale.place_of_tick(*tick))));
        }
    }

    #[test]
    fn wrapped_text_keeps_its_words(text in "[a-z ]{0,200}", columns in 10..80_usize) {
        let lines = wrapped(&text, columns);
        prop_assert!(lines.iter().flat_map(|line| line.split_whitespace()).eq(text.split_whitespace()));
        prop_assert!(lines.iter().all(|line| line.width() <= columns || !line.contains(' ')));
    }
}
