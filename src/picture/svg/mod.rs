//! A picture as a drawing: one SVG that needs nothing else, in the light and in the dark.
//!
//! Its colours are those of `style.css`, which stands inside of it. What has no room as text is in a `<title>`, which a
//! browser shows under the pointer; a screen reader is told the picture's title and its explanation.

mod lanes;
mod plot;

use super::terminal::wrapped;
use super::{Kind, Panel, Picture};
use svg::Document;
use svg::node::element::{Definitions, Description, Group, Marker, Path, Pattern, Rectangle, Style, Text, Title};
use svg::node::{Text as Words, Value};
use unicode_width::UnicodeWidthStr;

/// In units of the drawing, which a browser shows as pixels.
const WIDTH: f64 = 960.0;
const MARGIN: f64 = 28.0;
/// What text takes that does not tell its size.
const TEXT: f64 = 13.0;
/// How wide a character is on average, as a part of its height.
const CHARACTER: f64 = 0.55;

/// Groups of the drawing, one under the other.
struct Sheet {
    group: Group,
    /// Where the next one begins.
    y: f64,
    /// Where the axes of all lanes begin and end.
    left: f64,
    right: f64,
}

impl Sheet {
    fn add(&mut self, node: impl Into<Box<dyn svg::Node>>) {
        self.group = std::mem::take(&mut self.group).add(node);
    }

    fn write(&mut self, x: f64, y: f64, class: &str, text: &str) {
        if !text.is_empty() {
            self.add(words(x, y, class, text));
        }
    }
}

impl Picture {
    /// The picture as the text of an SVG.
    pub(crate) fn to_svg(&self) -> String {
        let (names, marks) = self.widths(|text| width_of(text, TEXT));
        let left = MARGIN + names.min(lanes::NAMES_MAX) + 14.0;
        let right = WIDTH - MARGIN - marks.clamp(12.0, lanes::MARKS_MAX);
        let mut sheet = Sheet { group: Group::new(), y: MARGIN, left, right };
        sheet.write(MARGIN, sheet.y + 16.0, "title", &self.title);
        sheet.y += 34.0;
        self.draw_about(&mut sheet);
        self.draw_legend(&mut sheet);
        let times = self.times();
        for panel in &self.panels {
            match panel {
                Panel::Lanes(lanes) => lanes::draw(&mut sheet, lanes, times),
                Panel::Plot(plot) => plot::draw(&mut sheet, plot),
            }
        }
        let height = (sheet.y + MARGIN - 10.0).ceil();
        let paper = Rectangle::new().set("class", "paper").set("width", WIDTH).set("height", height).set("rx", 10);
        let drawing = Document::new()
            .set("viewBox", (0, 0, WIDTH, height))
            .set("width", WIDTH)
            .set("height", height)
            .set("class", "evloop-picture")
            .set("role", "img")
            .add(Title::new(clean(&self.title)))
            .add(Description::new().add(Words::new(clean(&self.about.replace('\n', " ")))))
            .add(Style::new(include_str!("style.css").trim_end()))
            .add(definitions())
            .add(paper)
            .add(sheet.group);
        format!("{drawing}\n")
    }

    fn draw_about(&self, sheet: &mut Sheet) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred characters")]
        let characters = ((WIDTH - 2.0 * MARGIN) / (TEXT * CHARACTER * 0.95)) as usize;
        for line in wrapped(&self.about, characters).iter().filter(|line| !line.is_empty()) {
            sheet.write(MARGIN, sheet.y + 10.0, "about", line);
            sheet.y += 19.0;
        }
    }

    fn draw_legend(&self, sheet: &mut Sheet) {
        let legend = self.legend();
        if legend.is_empty() {
            return;
        }
        let mut x = MARGIN;
        sheet.y += 12.0;
        for (kind, meaning) in legend {
            let width = 24.0 + width_of(meaning, TEXT) + 18.0;
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, sheet.y) = (MARGIN, sheet.y + 22.0);
            }
            sheet.add(bar(kind, x, sheet.y - 1.0, 16.0, 12.0));
            sheet.write(x + 24.0, sheet.y + 9.5, "small", meaning);
            x += width;
        }
        sheet.y += 22.0;
    }
}

/// The patterns that tell kinds apart without their colours, and the head of an arrow.
fn definitions() -> Definitions {
    let pattern = |id: &str, size: f64, path: &str| {
        Pattern::new()
            .set("id", id)
            .set("width", size)
            .set("height", size)
            .set("patternUnits", "userSpaceOnUse")
            .add(Path::new().set("d", path).set("class", "grain"))
    };
    let head = Marker::new()
        .set("id", "evloop-head")
        .set("viewBox", "0 0 8 8")
        .set("refX", 7)
        .set("refY", 4)
        .set("markerWidth", 7)
        .set("markerHeight", 7)
        .set("orient", "auto")
        .add(Path::new().set("d", "M0 0.5 L8 4 L0 7.5 z").set("class", "head"));
    Definitions::new()
        .add(pattern("evloop-hatch", 7.0, "M-1 8 L8 -1 M-1 1 L1 -1 M6 8 L8 6"))
        .add(pattern("evloop-dots", 6.0, "M1 3 h2 M4 6 h2 M4 0 h2"))
        .add(head)
}

/// A bar of a kind: its colour, and over it its pattern.
fn bar(kind: Kind, x: f64, y: f64, width: f64, height: f64) -> Group {
    let shape = |class: &str| {
        Rectangle::new()
            .set("x", short(x))
            .set("y", short(y))
            .set("width", short(width.max(1.0)))
            .set("height", short(height))
            .set("rx", short((width / 4.0).min(3.0)))
            .set("class", class)
    };
    let group = Group::new().add(shape(class_of(kind)));
    match kind {
        Kind::Block => group.add(shape("hatch")),
        Kind::Queue => group.add(shape("dots")),
        _ => group,
    }
}

fn class_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Run => "run",
        Kind::Block => "block",
        Kind::Wait => "wait",
        Kind::Queue => "queue",
        Kind::Away => "away",
        Kind::Sleep => "sleep",
        Kind::Loop => "loop",
    }
}

fn words(x: f64, y: f64, class: &str, text: &str) -> Text {
    Text::new(clean(text)).set("x", short(x)).set("y", short(y)).set("class", class)
}

/// Text from outside, without what XML cannot hold.
fn clean(text: &str) -> String {
    let allowed = |c: char| !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}';
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

/// How wide a text will be, about.
fn width_of(text: &str, size: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a text is not so long")]
    let columns = text.width() as f64;
    columns * size * CHARACTER
}

/// A number without digits that nobody sees.
fn short(value: f64) -> Value {
    Value::from((value * 100.0).round() / 100.0)
}
