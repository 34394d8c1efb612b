//! Curves as marks, with dots between them.

use super::super::plot::Plot;
use super::super::scale::Scale;
use super::cells::Cells;
use super::{Screen, shortened, visible, write_line};
use anstyle::{AnsiColor, Color, Style};
use unicode_width::UnicodeWidthStr;

const ROWS: usize = 14;
/// One for each curve; after the last they begin again.
const MARKS: [(char, AnsiColor); 6] = [
    ('●', AnsiColor::Blue),
    ('○', AnsiColor::Red),
    ('▲', AnsiColor::Green),
    ('△', AnsiColor::Magenta),
    ('■', AnsiColor::Cyan),
    ('□', AnsiColor::Yellow),
];

pub(super) fn write(text: &mut String, plot: &Plot, screen: Screen) {
    if !plot.title.is_empty() {
        let title = shortened(&visible(&plot.title), screen.columns);
        write_line(text, &screen.styled(Style::new().underline(), &title));
    }
    write_line(text, &shortened(&visible(&plot.y.name), screen.columns));
    let (x, y) = plot.scales();
    let gutter = y.ticks.iter().map(|(_, name)| name.width()).max().unwrap_or(0).min(screen.columns / 4);
    let left = gutter + 2;
    let columns = screen.columns - left;
    let mut lines = vec![Cells::new(screen.columns); ROWS];
    for (at, name) in &y.ticks {
        let line = &mut lines[row(y.place_of_tick(*at))];
        line.write(gutter - name.width().min(gutter), name, Style::new().dimmed());
    }
    for line in &mut lines {
        line.put(left - 1, ('│', Style::new()));
    }
    for (series, (mark, colour)) in plot.series.iter().zip(MARKS.into_iter().cycle()) {
        let style = Style::new().fg_color(Some(Color::Ansi(colour)));
        let places: Vec<_> = plot.points(series).map(|(px, py)| (x.place(px), y.place(py))).collect();
        for pair in places.windows(2) {
            for column in column(pair[0].0, columns)..column(pair[1].0, columns) {
                let part = (fraction(column, columns) - pair[0].0) / (pair[1].0 - pair[0].0).max(f64::MIN_POSITIVE);
                let at = row(pair[0].1 + part.clamp(0.0, 1.0) * (pair[1].1 - pair[0].1));
                if lines[at].is_free(left + column..left + column + 1) {
                    lines[at].put(left + column, ('·', style));
                }
            }
        }
        for (x, y) in places {
            lines[row(y)].put(left + column(x, columns), (mark, style));
        }
    }
    for line in &lines {
        write_line(text, &line.written(screen));
    }
    write_axis(text, &x, left, screen);
    write_line(text, &format!("{:>1$}", shortened(&visible(&plot.x.name), screen.columns), screen.columns));
    for (series, (mark, colour)) in plot.series.iter().zip(MARKS.into_iter().cycle()) {
        let mark = screen.styled(Style::new().fg_color(Some(Color::Ansi(colour))), &mark.to_string());
        write_line(text, &format!("{mark} {}", shortened(&visible(&series.name), screen.columns - 2)));
    }
}

fn write_axis(text: &mut String, x: &Scale, left: usize, screen: Screen) {
    let (mut line, mut names) = (Cells::new(screen.columns), Cells::new(screen.columns));
    line.put(left - 1, ('└', Style::new()));
    line.fill(left..screen.columns, ('─', Style::new()));
    let mut free = 0;
    for (at, name) in &x.ticks {
        let column = left + column(x.place_of_tick(*at), screen.columns - left);
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

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place lies between 0 and 1")]
#[expect(clippy::cast_precision_loss, reason = "a line has a few hundred columns")]
fn column(place: f64, columns: usize) -> usize {
    (place.clamp(0.0, 1.0) * (columns - 1) as f64).round() as usize
}

/// The row of a height, counted from above.
fn row(place: f64) -> usize {
    ROWS - 1 - column(place, ROWS)
}

#[expect(clippy::cast_precision_loss, reason = "a line has a few hundred columns")]
fn fraction(column: usize, columns: usize) -> f64 {
    column as f64 / (columns - 1) as f64
}
