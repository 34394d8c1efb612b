//! A chapter as a drawing: a panel of bars for each section, in the light and in the dark.
//!
//! The bars are the main figure, over the floor's where there is one, and begin at nothing, so that twice as long is twice as
//! much. One that is many times as long as most would leave no room for the others; it is cut, slantwise, and its number
//! tells. What has no room at all is in the file of results.

use super::machine::Machine;
use super::number::figure;
use super::{Class, Row, Section};
use crate::options::Options;
use svg::Document;
use svg::node::Text as Words;
use svg::node::element::{Description, Group, Line, Path, Rectangle, Style, TSpan, Text, Title};

/// In units of the drawing, which a browser shows as pixels.
const WIDTH: f64 = 960.0;
const MARGIN: f64 = 28.0;
const BETWEEN: f64 = 36.0;
const PANEL: f64 = (WIDTH - 2.0 * MARGIN - BETWEEN) / 2.0;
const NAMES: f64 = 104.0;
const VALUES: f64 = 116.0;
const BARS: f64 = PANEL - NAMES - VALUES;
const ROW: f64 = 21.0;
const BAR: f64 = 13.0;
const LINE: f64 = 17.0;

/// How many characters of a panel's explanation fit in a line, at the least.
const CHARACTERS: usize = 64;

/// A bar that is longer than so many times the middle one is cut.
const CUT: f64 = 3.0;

/// A chapter's title, and what one unit of its main figure is.
fn words_of(chapter: &str) -> &'static str {
    match chapter {
        "http" => "HTTP servers: CPU time for a request",
        "echo" => "TCP echo: CPU time for a message",
        "operations" => "What a loop does: time for an operation",
        "libuv" => "libuv's own benchmarks, written for evloop",
        _ => "How costs grow",
    }
}

/// Draws the sections of one chapter.
pub(super) fn of(sections: &[&Section], machine: &Machine, options: &Options) -> String {
    let title = words_of(sections.first().map_or("", |section| section.chapter));
    let quick = if options.quick { " A quick run: not to be quoted." } else { "" };
    let about = [format!("{machine}. {}, medians.{quick}", options.conditions()), about(sections).to_owned()];
    let mut group = Group::new().add(words(MARGIN, 44.0, "title", title));
    let mut y = 68.0;
    for line in about.iter().filter(|line| !line.is_empty()) {
        group = group.add(words(MARGIN, y, "about", line));
        y += LINE + 2.0;
    }
    group = group.add(legend(sections, y));
    let mut bottoms = [y + 34.0; 2];
    for section in sections {
        let column = usize::from(bottoms[1] < bottoms[0]);
        #[allow(clippy::cast_precision_loss, reason = "there are two columns")]
        let left = MARGIN + column as f64 * (PANEL + BETWEEN);
        let (panel, bottom) = panel(section, left, bottoms[column]);
        group = group.add(panel);
        bottoms[column] = bottom;
    }
    let height = (bottoms[0].max(bottoms[1]) + MARGIN - 14.0).ceil();
    let paper = Rectangle::new().set("class", "paper").set("width", WIDTH).set("height", height).set("rx", 10);
    let drawing = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("class", "evloop-race")
        .set("role", "img")
        .add(Title::new(title))
        .add(Description::new().add(Words::new(about.join(" "))))
        .add(Style::new(include_str!("style.css").trim_end()))
        .add(paper)
        .add(group);
    format!("{drawing}\n")
}

/// How the bars are to be read.
fn about(sections: &[&Section]) -> &'static str {
    if sections.iter().any(|section| section.rows.iter().any(|row| row.to_floor.is_some())) {
        "Each bar is a ratio to the floor, measured just before and just after: what the kernel takes by itself is 1. \
         Shorter is better."
    } else if sections.iter().all(|section| section.columns.first().is_none_or(|column| column.less_is_better)) {
        "Shorter is better."
    } else {
        ""
    }
}

/// The classes that occur, with their colours.
fn legend(sections: &[&Section], y: f64) -> Group {
    let mut group = Group::new();
    let mut x = MARGIN;
    for (class, meaning) in [
        (Class::Evloop, "evloop"),
        (Class::Peer, "does the same work"),
        (Class::Hand, "does less: by hand, or without the protocol"),
        (Class::Floor, "the floor"),
    ] {
        if sections.iter().flat_map(|section| &section.rows).any(|row| row.class == class) {
            let swatch = Rectangle::new().set("class", class_of(class)).set("x", short(x)).set("y", short(y - 7.0));
            group = group.add(swatch.set("width", 16).set("height", 11).set("rx", 2));
            group = group.add(words(x + 23.0, y + 3.0, "beside", meaning));
            x += 23.0 + width_of(meaning) + 22.0;
        }
    }
    group
}

/// One section; returns where the next can begin.
fn panel(section: &Section, left: f64, top: f64) -> (Group, f64) {
    let rule = Line::new().set("class", "rule").set("x1", short(left)).set("x2", short(left + PANEL));
    let mut group = Group::new().add(rule.set("y1", short(top)).set("y2", short(top)));
    group = group.add(words(left, top + 22.0, "panel", &section.name));
    let mut y = top + 40.0;
    for line in wrapped(&section.what) {
        group = group.add(words(left, y, "what", &line));
        y += LINE;
    }
    y += 2.0;
    let rows: Vec<(&Row, f64)> =
        section.sorted().into_iter().filter_map(|row| Some((row, length(section, row)?))).collect();
    let longest = longest(&rows.iter().map(|(_, length)| *length).collect::<Vec<_>>());
    let has_floor = section.rows.iter().any(|row| row.to_floor.is_some());
    let first = y;
    let bars = rows.iter().zip(0_u32..).map(|((row, length), place)| {
        let y = first + ROW * f64::from(place);
        Bar { row, length: *length, longest, x: left + NAMES, y }
    });
    let bars: Vec<Bar<'_>> = bars.collect();
    for bar in &bars {
        group = group.add(bar.shape());
        y += ROW;
    }
    if has_floor && longest >= 1.0 {
        let x = short(left + NAMES + BARS / longest);
        let line = Line::new().set("class", "one").set("x1", x.clone()).set("x2", x);
        group = group.add(line.set("y1", short(first - 1.0)).set("y2", short(y)));
    }
    let unit = section.columns.first().map_or("", |column| column.unit);
    for bar in &bars {
        group = group.add(bar.words(unit));
    }
    (group, y + 20.0)
}

/// How long a row's bar is: its ratio to the floor, or its figure.
fn length(section: &Section, row: &Row) -> Option<f64> {
    let has_floor = section.rows.iter().any(|row| row.to_floor.is_some());
    match row.to_floor {
        Some(ratio) => Some(ratio.median),
        None if has_floor => (row.class == Class::Floor).then_some(1.0),
        None => row.main().map(|main| main.median),
    }
}

/// What the whole width of the bars stands for.
fn longest(lengths: &[f64]) -> f64 {
    let mut sorted = lengths.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
    let most = sorted.last().copied().unwrap_or(1.0);
    most.min(middle * CUT).max(f64::MIN_POSITIVE)
}

/// A row where it is drawn. Words come after all shapes, so that no line goes through them.
#[derive(Debug)]
struct Bar<'a> {
    row: &'a Row,
    length: f64,
    /// What the whole width stands for.
    longest: f64,
    /// Where the bar begins.
    x: f64,
    /// Where the row begins.
    y: f64,
}

impl Bar<'_> {
    fn is_cut(&self) -> bool {
        self.length > self.longest * 1.001
    }

    /// Where a length ends.
    fn place(&self, length: f64) -> f64 {
        self.x + (length / self.longest).clamp(0.0, 1.0) * BARS
    }

    /// Where this bar ends: one of nothing is seen, too.
    fn end(&self) -> f64 {
        self.place(self.length).max(self.x + 1.5)
    }

    /// Where the quartiles are, if there was more than one round.
    fn quartiles(&self) -> Option<(f64, f64)> {
        let spread = self.row.to_floor.or(self.row.main());
        let spread = spread.filter(|spread| spread.runs > 1 && spread.median > 0.0 && !self.is_cut())?;
        let place = |value: f64| self.place(value / spread.median * self.length);
        Some((place(spread.low), place(spread.high)))
    }

    /// Where nothing more is drawn.
    fn shape_end(&self) -> f64 {
        self.quartiles().map_or(self.end(), |(_, high)| high.max(self.end()))
    }

    /// The bar, and over its end how far the quartiles are apart.
    fn shape(&self) -> Group {
        let (top, end) = (self.y + (ROW - BAR) / 2.0, self.end());
        let slant = if self.is_cut() { 6.0 } else { 0.0 };
        let outline = format!(
            "M{x} {top} H{end} L{cut} {bottom} H{x} z",
            x = short(self.x),
            top = short(top),
            end = short(end),
            cut = short(end - slant),
            bottom = short(top + BAR)
        );
        let group = Group::new().add(Path::new().set("class", class_of(self.row.class)).set("d", outline));
        match self.quartiles() {
            Some((low, high)) => {
                let line = Line::new().set("class", "spread").set("x1", short(low)).set("x2", short(high));
                let middle = short(top + BAR / 2.0);
                group.add(line.set("y1", middle.clone()).set("y2", middle))
            }
            None => group,
        }
    }

    /// The name before the bar, and behind it the number.
    fn words(&self, unit: &str) -> Group {
        let class = class_of(self.row.class);
        let baseline = self.y + ROW / 2.0 + 4.5;
        let name = words(self.x - 9.0, baseline, &format!("name {class}"), &self.row.name);
        let told = self.row.main().map_or_else(String::new, |main| figure(main.median, unit));
        let value = |text: &str| words(self.shape_end() + 8.0, baseline, &format!("value {class}"), text);
        let value = match self.row.to_floor {
            Some(ratio) => {
                let told = TSpan::new(told).set("class", "beside").set("dx", 7);
                value(&format!("{:.2}", ratio.median)).add(told)
            }
            None => value(&told),
        };
        Group::new().add(name).add(value)
    }
}

/// A class's name in the style.
fn class_of(class: Class) -> &'static str {
    match class {
        Class::Floor => "floor",
        Class::Evloop => "evloop",
        Class::Peer => "peer",
        Class::Hand => "hand",
    }
}

fn words(x: f64, y: f64, class: &str, text: &str) -> Text {
    Text::new(text).set("class", class).set("x", short(x)).set("y", short(y))
}

/// About how wide a text is; characters differ, and it is room that is kept.
fn width_of(text: &str) -> f64 {
    f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX)) * 6.2
}

/// A text in lines that fit a panel.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= CHARACTERS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A place with no more digits than anybody sees.
fn short(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}
