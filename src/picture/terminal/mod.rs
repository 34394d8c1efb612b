//! A picture as text: blocks of Unicode in as many columns as there are.

mod cells;
mod lanes;
mod plot;

use super::{Kind, Panel, Picture};
use anstyle::{AnsiColor, Color, Style};
use cells::Cells;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Narrower than this is drawn as if it were as wide, and the terminal wraps it.
const COLUMNS_MIN: usize = 40;
/// Wider lines are hard to follow, and a file that says it has a million columns gets no such line.
const COLUMNS_MAX: usize = 160;

/// What the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) columns: usize,
    pub(crate) colours: bool,
}

impl Screen {
    /// The standard output: as wide as `COLUMNS` says, else as the terminal is, else 80 columns; in colours if it is a
    /// terminal and `NO_COLOR` is not set (<https://no-color.org>).
    pub(crate) fn of_stdout() -> Screen {
        let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let terminal = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into());
        let columns: usize = told.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(80);
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Screen { columns: columns.clamp(COLUMNS_MIN, COLUMNS_MAX), colours: io::stdout().is_terminal() && !no_colour }
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.colours && style != Style::new() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

impl Picture {
    /// The picture as lines of text.
    pub(crate) fn to_text(&self, screen: Screen) -> String {
        let mut text = String::new();
        let titles = Style::new().bold();
        write_line(&mut text, &screen.styled(titles, &shortened(&visible(&self.title), screen.columns)));
        let times = self.times();
        let widths = self.columns_beside(screen);
        for panel in &self.panels {
            text.push('\n');
            match panel {
                Panel::Lanes(lanes) => lanes::write(&mut text, lanes, times, widths, screen),
                Panel::Plot(plot) => plot::write(&mut text, plot, screen),
            }
        }
        self.legend_text(&mut text, screen);
        if !self.about.is_empty() {
            text.push('\n');
            for line in wrapped(&self.about, screen.columns) {
                write_line(&mut text, &visible(&line));
            }
        }
        text
    }

    /// Names take a quarter of the columns at most, and so does the label of a last mark, with a space before it.
    fn columns_beside(&self, screen: Screen) -> lanes::Widths {
        #[expect(clippy::cast_precision_loss, reason = "a text is not so long")]
        let (names, marks) = self.widths(|text| visible(text).width() as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are numbers of columns")]
        let [names, marks] = [names, marks].map(|width| (width as usize).min(screen.columns / 4));
        (names, if marks > 0 { marks + 1 } else { 0 })
    }

    fn legend_text(&self, text: &mut String, screen: Screen) {
        let mut line = Cells::new(screen.columns);
        let mut at = 0;
        for (kind, meaning) in self.legend() {
            let meaning = shortened(&visible(meaning), screen.columns - 4);
            let width = 3 + meaning.width();
            if at > 0 && at + width > screen.columns {
                write_line(text, &std::mem::replace(&mut line, Cells::new(screen.columns)).written(screen));
                at = 0;
            }
            line.fill(at..at + 2, look(kind, screen));
            line.write(at + 3, &meaning, Style::new());
            at += width + 3;
        }
        if at > 0 {
            write_line(text, &line.written(screen));
        }
    }
}

/// How a kind of span is filled, and the style of what is written in it. Without colours the blocks tell kinds apart.
fn look(kind: Kind, screen: Screen) -> (char, Style) {
    let solid = |front, back, block| {
        let style = Style::new().fg_color(Some(Color::Ansi(front))).bg_color(Some(Color::Ansi(back)));
        if screen.colours { (' ', style) } else { (block, Style::new()) }
    };
    match kind {
        Kind::Run => solid(AnsiColor::BrightWhite, AnsiColor::Blue, '█'),
        Kind::Block => solid(AnsiColor::BrightWhite, AnsiColor::Red, '▓'),
        Kind::Queue => solid(AnsiColor::Black, AnsiColor::Yellow, '▒'),
        Kind::Away => solid(AnsiColor::Black, AnsiColor::Green, '▄'),
        Kind::Loop => solid(AnsiColor::BrightWhite, AnsiColor::Magenta, '▀'),
        Kind::Wait => ('░', Style::new().dimmed()),
        Kind::Sleep => ('·', Style::new().dimmed()),
    }
}

fn write_line(text: &mut String, line: &str) {
    writeln!(text, "{}", line.trim_end()).expect("a string takes what is written");
}

/// Text from outside, without what would move the cursor.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// As much of the text as fits, with a mark where something is left out.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = if fits { left - width } else { 0 };
        fits
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

/// The text in lines of at most so many columns, unless a word is longer. Its own lines stay lines.
pub(in crate::picture) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    text.lines().flat_map(|line| wrapped_line(line, columns)).collect()
}

fn wrapped_line(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the beginning");
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
