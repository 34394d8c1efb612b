//! Rows along an axis of time: who did what, from when until when.

use std::time::Duration;

/// One panel of rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
    pub(super) arrows: Vec<Arrow>,
}

/// One row.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) spans: Vec<Span>,
    pub(super) marks: Vec<Mark>,
}

impl Row {
    /// What the others stand before first: they may overlap what waits meanwhile.
    pub(super) fn spans_from_the_back(&self) -> impl Iterator<Item = &Span> {
        let is_back = |span: &&Span| matches!(span.kind, Kind::Wait | Kind::Sleep);
        self.spans.iter().filter(is_back).chain(self.spans.iter().filter(move |span| !is_back(span)))
    }
}

/// From a moment until a moment, both since the picture's beginning.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) label: String,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Span {
    /// The label in as few words as fit: all of it, what stands before its first comma, or nothing.
    pub(super) fn label_that(&self, fits: impl Fn(&str) -> bool) -> Option<&str> {
        let short = self.label.split(',').next().unwrap_or_default();
        [&*self.label, short].into_iter().find(|label| !label.is_empty() && fits(label))
    }
}

/// A moment.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) label: String,
    pub(super) at: Duration,
}

/// From a row at a moment to a row at a moment: what caused what.
#[derive(Debug, Clone)]
pub(super) struct Arrow {
    pub(super) from: (usize, Duration),
    pub(super) to: (usize, Duration),
    pub(super) label: String,
}

/// What happens in a span, which is its colour and its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Somebody holds a thread and works.
    Run,
    /// A thread is held by somebody who does nothing with it.
    Block,
    /// Others have the thread meanwhile.
    Wait,
    /// In a line, until there is a thread.
    Queue,
    /// Done elsewhere: in the kernel, on a thread of the pool.
    Away,
    /// The loop is asleep in the kernel.
    Sleep,
    /// What the loop does for itself.
    Loop,
}

impl Kind {
    pub(super) const ALL: [Kind; 7] =
        [Kind::Run, Kind::Block, Kind::Wait, Kind::Queue, Kind::Away, Kind::Sleep, Kind::Loop];

    pub(super) fn usual_meaning(self) -> &'static str {
        match self {
            Kind::Run => "runs",
            Kind::Block => "holds the thread, and is blocked",
            Kind::Wait => "waits; the thread is free",
            Kind::Queue => "in the queue",
            Kind::Away => "done elsewhere",
            Kind::Sleep => "asleep in the kernel",
            Kind::Loop => "the loop itself",
        }
    }
}

impl Lanes {
    pub(crate) fn new(title: impl Into<String>) -> Lanes {
        Lanes { title: title.into(), ..Lanes::default() }
    }

    /// The same under another title.
    pub(crate) fn titled(self, title: impl Into<String>) -> Lanes {
        Lanes { title: title.into(), ..self }
    }

    /// A row, which is also made by the first thing in it: to fix the order of rows, and for one that stays empty.
    pub(crate) fn row(&mut self, name: &str) -> &mut Lanes {
        self.index(name);
        self
    }

    /// Something that lasts. Where its label has no room, what stands before the first comma is written, if that fits.
    pub(crate) fn span(&mut self, row: &str, kind: Kind, label: impl Into<String>, from: Duration, until: Duration) {
        let row = self.index(row);
        self.rows[row].spans.push(Span { kind, label: label.into(), from, until: until.max(from) });
    }

    /// A moment with a name.
    pub(crate) fn mark(&mut self, row: &str, label: impl Into<String>, at: Duration) {
        let row = self.index(row);
        self.rows[row].marks.push(Mark { label: label.into(), at });
    }

    /// What was caused by what.
    pub(crate) fn arrow(&mut self, from: (&str, Duration), to: (&str, Duration), label: impl Into<String>) {
        let (from, to) = ((self.index(from.0), from.1), (self.index(to.0), to.1));
        self.arrows.push(Arrow { from, to, label: label.into() });
    }

    fn index(&mut self, name: &str) -> usize {
        self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_owned(), ..Row::default() });
            self.rows.len() - 1
        })
    }

    /// The longest of its names and the longest label of its marks, measured by `width`.
    pub(super) fn widths(&self, width: impl Fn(&str) -> f64) -> (f64, f64) {
        let names = self.rows.iter().map(|row| width(&row.name));
        let marks = self.rows.iter().flat_map(|row| &row.marks).map(|mark| width(&mark.label));
        (names.fold(0.0, f64::max), marks.fold(0.0, f64::max))
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.rows.iter().any(|row| row.spans.iter().any(|span| span.kind == kind))
    }

    /// All moments that occur, in seconds.
    pub(super) fn moments(&self) -> impl Iterator<Item = f64> {
        let spans = self.rows.iter().flat_map(|row| row.spans.iter().flat_map(|span| [span.from, span.until]));
        let marks = self.rows.iter().flat_map(|row| row.marks.iter().map(|mark| mark.at));
        let arrows = self.arrows.iter().flat_map(|arrow| [arrow.from.1, arrow.to.1]);
        spans.chain(marks).chain(arrows).map(|moment| moment.as_secs_f64())
    }
}
