//! Pictures of what happened when: time lines, and curves beside them. One description, two renderings.
//!
//! A [`Picture`] has a title, a text that explains it, and panels. A panel is either [`Lanes`], rows with [spans](Span)
//! along an axis of time, or a [`Plot`], curves over numbers. All lanes of a picture share one axis, so that what took
//! 600 ms is three times as wide as what took 200 ms, in whichever panel it is.
//!
//! `terminal.rs` prints it as text, `svg.rs` as a drawing that stands by itself; `scale.rs` finds round numbers for both.
//!
//! ```ignore
//! let mut lanes = Lanes::new("one thread");
//! lanes.span("task a", Kind::Run, "first", ms(0), ms(20));
//! lanes.mark("task a", "woken", ms(30));
//! let picture = Picture::new("Two tasks").about("They take turns.").lanes(lanes);
//! print!("{}", picture.to_text(&Screen::of_stdout()));
//! fs::write("two.svg", picture.to_svg())?;
//! ```

mod lanes;
mod plot;
mod scale;
mod svg;
mod terminal;

pub(crate) use lanes::{Kind, Lanes};
pub(crate) use plot::Plot;
pub(crate) use scale::spoken;
pub(crate) use terminal::Screen;

/// A title, an explanation, and panels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picture {
    title: String,
    about: String,
    panels: Vec<Panel>,
    /// What a colour means here, where that is not the usual.
    meanings: Vec<(Kind, String)>,
}

#[derive(Debug, Clone)]
enum Panel {
    Lanes(Lanes),
    Plot(Plot),
}

impl Picture {
    pub(crate) fn new(title: impl Into<String>) -> Picture {
        Picture { title: title.into(), ..Picture::default() }
    }

    /// What the picture shows, in a few sentences.
    pub(crate) fn about(mut self, text: impl Into<String>) -> Picture {
        self.about = text.into();
        self
    }

    /// One more panel, of rows over time.
    pub(crate) fn lanes(mut self, lanes: Lanes) -> Picture {
        self.panels.push(Panel::Lanes(lanes));
        self
    }

    /// One more panel, of curves.
    pub(crate) fn plot(mut self, plot: Plot) -> Picture {
        self.panels.push(Panel::Plot(plot));
        self
    }

    /// What a kind of span means in this picture, for its legend.
    pub(crate) fn meaning(mut self, kind: Kind, meaning: impl Into<String>) -> Picture {
        self.meanings.push((kind, meaning.into()));
        self
    }

    /// The kinds that occur, each with its meaning.
    fn legend(&self) -> Vec<(Kind, &str)> {
        let occurs = |kind: &Kind| self.all_lanes().any(|lanes| lanes.has(*kind));
        Kind::ALL.into_iter().filter(occurs).map(|kind| (kind, self.meaning_of(kind))).collect()
    }

    fn meaning_of(&self, kind: Kind) -> &str {
        let own = self.meanings.iter().rev().find(|(other, _)| *other == kind);
        own.map_or(kind.usual_meaning(), |(_, meaning)| meaning)
    }

    fn all_lanes(&self) -> impl Iterator<Item = &Lanes> {
        self.panels.iter().filter_map(|panel| match panel {
            Panel::Lanes(lanes) => Some(lanes),
            Panel::Plot(_) => None,
        })
    }

    /// The first and the last moment of all lanes, in seconds.
    fn times(&self) -> (f64, f64) {
        let moments = || self.all_lanes().flat_map(Lanes::moments);
        let (first, last) = (moments().fold(f64::MAX, f64::min), moments().fold(f64::MIN, f64::max));
        if first <= last { (first, last) } else { (0.0, 0.0) }
    }
}
