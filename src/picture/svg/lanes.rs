//! Rows of bars over an axis of time.

use super::super::lanes::{Arrow, Kind, Lanes, Row, Span};
use super::super::scale::{Scale, spoken};
use super::{MARGIN, Sheet, TEXT, WIDTH, bar, clean, short, width_of, words};
use std::time::Duration;
use svg::node::element::{Circle, Group, Line, Path, Title};

const ROW: f64 = 30.0;
const BAR: f64 = 20.0;
const LABEL: f64 = 12.0;
/// Names take at most so much of the width.
pub(super) const NAMES_MAX: f64 = 240.0;
/// And the label of a mark behind the last span so much.
pub(super) const MARKS_MAX: f64 = 120.0;

/// Where the axis lies.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    scale: Scale,
}

impl Frame {
    fn x(&self, at: Duration) -> f64 {
        self.x_of(at.as_secs_f64())
    }

    fn x_of(&self, seconds: f64) -> f64 {
        self.left + self.scale.place(seconds) * (self.right - self.left)
    }

    /// The middle of a row.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many rows")]
    fn y(&self, row: usize) -> f64 {
        self.top + (row as f64 + 0.5) * ROW
    }
}

pub(super) fn draw(sheet: &mut Sheet, lanes: &Lanes, (from, until): (f64, f64)) {
    sheet.y += 14.0;
    if !lanes.title.is_empty() {
        sheet.write(MARGIN, sheet.y + 12.0, "panel", &lanes.title);
        sheet.y += 24.0;
    }
    let scale = Scale::of_time(from, until);
    let frame = Frame { left: sheet.left, right: sheet.right, top: sheet.y, scale };
    let bottom = frame.y(lanes.rows.len()) - ROW / 2.0;
    draw_axis(sheet, &frame, bottom);
    for (index, row) in lanes.rows.iter().enumerate() {
        let y = frame.y(index);
        let name = fitting(&row.name, TEXT, NAMES_MAX);
        let title = Title::new(clean(&row.name));
        sheet.add(Group::new().add(title).add(words(MARGIN, y + 4.5, "name", &name)));
        let mut occupied = Occupied::of(row, &frame);
        row.spans_from_the_back().for_each(|span| draw_span(sheet, span, row, &frame, y, &mut occupied));
        draw_marks(sheet, row, &frame, y, &mut occupied);
    }
    lanes.arrows.iter().for_each(|arrow| draw_arrow(sheet, arrow, &frame));
    sheet.y = bottom + 24.0;
}

fn draw_axis(sheet: &mut Sheet, frame: &Frame, bottom: f64) {
    let line = |class: &str, (x1, y1), (x2, y2)| {
        let ends = Line::new().set("x1", short(x1)).set("y1", short(y1)).set("x2", short(x2)).set("y2", short(y2));
        ends.set("class", class)
    };
    for (at, name) in &frame.scale.ticks {
        let x = frame.x_of(*at);
        sheet.add(line("rule", (x, frame.top), (x, bottom + 4.0)));
        sheet.write(x, bottom + 16.0, "tick", name);
    }
    sheet.add(line("base", (frame.left, bottom), (frame.right, bottom)));
}

fn draw_span(sheet: &mut Sheet, span: &Span, row: &Row, frame: &Frame, y: f64, occupied: &mut Occupied) {
    let (from, until) = (frame.x(span.from), frame.x(span.until));
    let lasted = spoken(span.until.saturating_sub(span.from));
    let title = format!("{}: {}, {lasted} from {}", row.name, span.label, spoken(span.from));
    let shape = bar(span.kind, from, y - BAR / 2.0, until - from, BAR);
    sheet.add(Group::new().add(Title::new(clean(&title))).add(shape));
    let inside = |label: &str| width_of(label, LABEL) + 8.0 <= until - from;
    let beside = |label: &str| occupied.is_free(until + 1.0, until + 6.0 + width_of(label, LABEL));
    if let Some(label) = span.label_that(inside) {
        let over = match span.kind {
            Kind::Run | Kind::Block | Kind::Away | Kind::Loop => "label in over-dark",
            Kind::Queue => "label in over-light",
            Kind::Wait | Kind::Sleep => "label in",
        };
        sheet.write(f64::midpoint(from, until), y + 4.5, over, label);
    } else if matches!(span.kind, Kind::Run | Kind::Block | Kind::Away)
        && let Some(label) = span.label_that(beside)
    {
        sheet.write(until + 5.0, y + 4.5, "label", label);
        occupied.0.push((until, until + 6.0 + width_of(label, LABEL)));
    }
}

fn draw_marks(sheet: &mut Sheet, row: &Row, frame: &Frame, y: f64, occupied: &mut Occupied) {
    for mark in &row.marks {
        let (x, width) = (frame.x(mark.at), width_of(&mark.label, LABEL));
        let title = Title::new(clean(&format!("{}: {} at {}", row.name, mark.label, spoken(mark.at))));
        let dot = Circle::new().set("cx", short(x)).set("cy", short(y)).set("r", 4).set("class", "mark");
        sheet.add(Group::new().add(title).add(dot));
        let (after, before) = ((x + 4.5, x + 8.0 + width), (x - 8.0 - width, x - 4.5));
        if occupied.is_free(after.0, after.1) {
            sheet.write(x + 8.0, y + 4.5, "label", &mark.label);
            occupied.0.push(after);
        } else if frame.left <= before.0 && occupied.is_free(before.0, before.1) {
            sheet.write(x - 8.0, y + 4.5, "label before", &mark.label);
            occupied.0.push(before);
        }
    }
}

/// From where until where there is something in a row.
struct Occupied(Vec<(f64, f64)>);

impl Occupied {
    fn of(row: &Row, frame: &Frame) -> Occupied {
        let spans = row.spans.iter().map(|span| (frame.x(span.from), frame.x(span.until)));
        Occupied(spans.chain(row.marks.iter().map(|mark| (frame.x(mark.at) - 4.0, frame.x(mark.at) + 4.0))).collect())
    }

    fn is_free(&self, from: f64, until: f64) -> bool {
        until <= WIDTH - 4.0 && self.0.iter().all(|other| other.1 <= from || until <= other.0)
    }
}

/// Text that is shortened to a width.
fn fitting(text: &str, size: f64, width: f64) -> String {
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width_of(&short, size) > width {
            short.pop();
            short.pop();
            short.push('…');
            return short;
        }
    }
    short
}

fn draw_arrow(sheet: &mut Sheet, arrow: &Arrow, frame: &Frame) {
    let (x1, x2) = (frame.x(arrow.from.1), frame.x(arrow.to.1));
    let (row, end) = (frame.y(arrow.from.0), frame.y(arrow.to.0));
    let edge = |towards: f64| towards.signum() * BAR / 2.0;
    let path = if arrow.from.0 == arrow.to.0 {
        let top = row - BAR / 2.0;
        format!("M{x1:.1} {top:.1} C{x1:.1} {y:.1} {x2:.1} {y:.1} {x2:.1} {top:.1}", y = top - 8.0)
    } else {
        let (y1, y2) = (row + edge(end - row), end - edge(end - row));
        let middle = f64::midpoint(y1, y2);
        format!("M{x1:.1} {y1:.1} C{x1:.1} {middle:.1} {x2:.1} {middle:.1} {x2:.1} {y2:.1}")
    };
    let path = Path::new().set("d", path).set("class", "arrow").set("marker-end", "url(#evloop-head)");
    sheet.add(Group::new().add(Title::new(clean(&arrow.label))).add(path));
}
