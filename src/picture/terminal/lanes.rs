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
    /// The border between two columns that is nearest to a moment.
    fn border(&self, seconds: f64) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place lies between 0 and 1")]
        #[expect(clippy::cast_precision_loss, reason = "a line has a few hundred columns")]
        let border = (self.scale.place(seconds) * self.columns as f64).round() as usize;
        self.left + border
    }

    /// The column that begins there; the last one, for the end of the axis.
    fn column(&self, seconds: f64) -> usize {
        self.border(seconds).min(self.left + self.columns - 1)
    }

    fn column_of(&self, at: Duration) -> usize {
        self.column(at.as_secs_f64())
    }
}

/// How many columns are left free for names, and for the label of a last mark.
pub(super) type Widths = (usize, usize);

pub(super) fn write(text: &mut String, lanes: &Lanes, (from, until): (f64, f64), widths: Widths, screen: Screen) {
    if !lanes.title.is_empty() {
        let title = shortened(&visible(&lanes.title), screen.columns);
        write_line(text, &screen.styled(Style::new().underline(), &title));
    }
    let (names, marks) = widths;
    let left = names + 2;
    let frame = Frame { left, columns: screen.columns - left - marks, scale: Scale::of_time(from, until) };
    let mut drawn: Vec<Cells> = lanes.rows.iter().map(|row| row_line(row, names, &frame, screen)).collect();
    write_arrows(&mut drawn, lanes, &frame);
    for line in &drawn {
        write_line(text, &line.written(screen));
    }
    write_axis(text, &frame, screen);
}

fn row_line(row: &Row, names: usize, frame: &Frame, screen: Screen) -> Cells {
    let mut line = Cells::new(screen.columns);
    line.write(0, &shortened(&visible(&row.name), names), Style::new());
    line.put(frame.left - 1, ('│', Style::new()));
    for span in row.spans_from_the_back() {
        let from = frame.column_of(span.from);
        let until = frame.border(span.until.as_secs_f64()).max(from + 1); // even the shortest is seen
        let look = look(span.kind, screen);
        line.fill(from..until, look);
        // A space and a cell of the span's own on either side.
        let room = (until - from).saturating_sub(4);
        if let Some(label) = span.label_that(|label| room > 0 && visible(label).width() <= room) {
            let label = format!(" {} ", visible(label));
            line.write(from + (until - from - label.width()) / 2, &label, look.1);
        }
    }
    for mark in &row.marks {
        let at = frame.column_of(mark.at);
        line.put(at, ('◆', Style::new().bold()));
        let label = visible(&mark.label);
        let width = label.width();
        if line.is_free(at + 1..at + 2 + width) {
            line.write(at + 2, &label, Style::new());
        } else if at > frame.left + width && line.is_free(at - width - 1..at) {
            line.write(at - width - 1, &label, Style::new());
        }
    }
    line
}

/// A line through what is free between two rows, and its head in the row where it ends.
fn write_arrows(drawn: &mut [Cells], lanes: &Lanes, frame: &Frame) {
    for arrow in &lanes.arrows {
        let (from, to, at) = (arrow.from.0, arrow.to.0, frame.column_of(arrow.to.1));
        for line in &mut drawn[from.min(to)..from.max(to)] {
            if line.is_free(at..at + 1) {
                line.put(at, ('│', Style::new().dimmed()));
            }
        }
        if from != to {
            drawn[to].put(at, (if from < to { '▼' } else { '▲' }, Style::new().bold()));
        }
    }
}

fn write_axis(text: &mut String, frame: &Frame, screen: Screen) {
    let (mut line, mut names) = (Cells::new(screen.columns), Cells::new(screen.columns));
    line.put(frame.left - 1, ('└', Style::new()));
    line.fill(frame.left..frame.left + frame.columns, ('─', Style::new()));
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
