//! One line of a terminal, cell by cell.

use super::Screen;
use anstyle::Style;
use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// Stands after a character that is two cells wide.
const CONTINUED: char = '\0';

/// A line of so many cells; what lies outside of it is not drawn.
#[derive(Debug, Clone)]
pub(super) struct Cells(Vec<(char, Style)>);

impl Cells {
    pub(super) fn new(columns: usize) -> Cells {
        Cells(vec![(' ', Style::new()); columns])
    }

    pub(super) fn fill(&mut self, range: Range<usize>, look: (char, Style)) {
        range.for_each(|at| self.put(at, look));
    }

    /// Whether nothing is drawn there.
    pub(super) fn is_free(&self, mut range: Range<usize>) -> bool {
        range.end <= self.0.len() && range.all(|at| self.0[at] == (' ', Style::new()))
    }

    pub(super) fn put(&mut self, at: usize, look: (char, Style)) {
        if let Some(cell) = self.0.get_mut(at) {
            *cell = look;
        }
    }

    pub(super) fn write(&mut self, mut at: usize, text: &str, style: Style) {
        for c in text.chars() {
            let width = c.width().unwrap_or(0);
            if width == 0 || at + width > self.0.len() {
                continue;
            }
            self.put(at, (c, style));
            (1..width).for_each(|n| self.put(at + n, (CONTINUED, style)));
            at += width;
        }
    }

    /// The line as text, neighbours of one style together.
    pub(super) fn written(&self, screen: Screen) -> String {
        let same = |a: &(char, Style), b: &(char, Style)| a.1 == b.1;
        let runs = self.0.chunk_by(same).map(|run| {
            let text: String = run.iter().map(|(c, _)| *c).filter(|c| *c != CONTINUED).collect();
            screen.styled(run[0].1, &text)
        });
        runs.collect()
    }
}
