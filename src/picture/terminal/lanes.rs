//! Rows of blocks over an axis of time.

use super::super::lanes::{Lanes, Row};
use super::super::scale::Scale;
use super::cells::Cells;
use super::{Screen, look, shortened, visible, write_line};
use anstyle::Style;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// Where the axis lies in a line.
struct Frame {
    /// The first column of the axis, after the names and a bar.
    left: usize,
    columns: usize,
    scale: Scale,
}

impl Frame {
    fn column(&self, seconds: f64) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place lies between 0 and 1")]
        #[expect(clippy::cast_precision_loss, reason = "a line has a few hundred columns")]
        let column = (self.scale.place(seconds) * self.columns as f64) as usize;
        self.left + column.min(self.columns - 1)
    }

    fn column_of(&self, at: Duration) -> usize {
        self.column(at.as_secs_f64())
    }
}

pub(super) fn write(text: &mut String, lanes: &Lanes, (from, until): (f64, f64), screen: Screen) {
    if !lanes.title.is_empty() {
        let title = shortened(&visible(&lanes.title), screen.columns);
        write_line(text, &screen.styled(Style::new().underline(), &title));
    }
    let longest = lanes.rows.iter().map(|row| visible(&row.name).width()).max().unwrap_or(0);
    let names = longest.min(screen.columns / 4);
    let left = names + 2;
    let frame = Frame { left, columns: screen.columns - left, scale: Scale::of_time(from, until) };
    let mut lines: Vec<Cells> = lanes.rows.iter().map(|row| row_line(row, names, &frame, screen)).collect();
    write_arrows(&mut lines, lanes, &frame);
    lines.iter().for_each(|line| write_line(text, &line.written(screen)));
    write_axis(text, &frame, screen);
}

fn row_line(row: &Row, names: usize, frame: &Frame, screen: Screen) -> Cells {
    let mut line = Cells::new(screen.columns);
    line.write(0, &shortened(&visible(&row.name), names), Style::new());
    line.put(frame.left - 1, ('│', Style::new()));
    for span in &row.spans {
        let from = frame.column_of(span.from);
        let until = frame.column_of(span.until).max(from + 1); // even the shortest is seen
        let look = look(span.kind, screen);
        line.fill(from..until, look);
        let room = (until - from).saturating_sub(2); // a cell of the span's own on either side
        let label = visible(&span.label);
        if room >= 3 && !label.is_empty() {
            let label = shortened(&label, room);
            let at = from + (until - from - label.width()) / 2;
            line.write(at, &label, look.1);
        }
    }
    for mark in &row.marks {
        let at = frame.column_of(mark.at);
        line.put(at, ('◆', Style::new().bold()));
        let label = visible(&mark.label);
        let width = label.width();
        if line.is_free(at + 1..at + 2 + width) {
            line.write(at + 2, &label, Style::new());
        } else if at >= frame.left + width + 1 && line.is_free(at - width - 1..at) {
            line.write(at - width - 1, &label, Style::new());
        }
    }
    line
}

/// A line through what is free between two rows, and its head in the row where it ends.
fn write_arrows(lines: &mut [Cells], lanes: &Lanes, frame: &Frame) {
    for arrow in &lanes.arrows {
        let (from, to, at) = (arrow.from.0, arrow.to.0, frame.column_of(arrow.to.1));
        for line in &mut lines[from.min(to)..from.max(to)] {
            if line.is_free(at..at + 1) {
                line.put(at, ('│', Style::new().dimmed()));
            }
        }
        if from != to {
            lines[to].put(at, (if from < to { '▼' } else { '▲' }, Style::new().bold()));
        }
    }
}

fn write_axis(text: &mut String, frame: &Frame, screen: Screen) {
    let (mut line, mut names) = (Cells::new(screen.columns), Cells::new(screen.columns));
    line.put(frame.left - 1, ('└', Style::new()));
    line.fill(frame.left..screen.columns, ('─', Style::new()));
    let mut free = 0;
    for (at, name) in &frame.scale.ticks {
        let column = frame.column(*at);
        line.put(column, ('┴', Style::new()));
        let begin = column.saturating_sub(name.width() / 2).min(screen.columns - name.width());
        if begin >= free {
            names.write(begin, name, Style::new().dimmed());
            free = begin + name.width() + 1;
        }
    }
    write_line(text, &line.written(screen));
    write_line(text, &names.written(screen));
}
