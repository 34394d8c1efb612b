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
#[cfg(test)]
mod tests;

pub(crate) use lanes::{Kind, Lanes};
pub(crate) use plot::Plot;
pub(crate) use scale::{counted, spoken};
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

    /// What the picture shows, in a few sentences. Its lines stay lines.
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

    /// What all lanes leave free on the left for names, and on the right for the label of a last mark, measured by `width`.
    fn widths(&self, width: impl Fn(&str) -> f64) -> (f64, f64) {
        let widths = self.all_lanes().map(|lanes| lanes.widths(&width));
        widths.fold((0.0, 0.0), |(names, marks), (name, mark)| (f64::max(names, name), f64::max(marks, mark)))
    }

    /// Where the axis of all lanes begins and ends, in seconds: at zero, unless all of it is long after that.
    fn times(&self) -> (f64, f64) {
        let moments = || self.all_lanes().flat_map(Lanes::moments);
        let (first, last) = (moments().fold(f64::MAX, f64::min), moments().fold(f64::MIN, f64::max));
        match last - first {
            length if length < 0.0 => (0.0, 0.0), // there is nothing
            length if first < length => (0.0, last),
            _ => (first, last),
        }
    }
}

/// `, did you mean ...?`, if there are names that are nearly that.
pub(crate) fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut near: Vec<_> = names.into_iter().map(|name| (strsim::jaro_winkler(wanted, name), name)).collect();
    near.retain(|(likeness, _)| *likeness > 0.75);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup_by_key(|(_, name)| *name);
    near.truncate(3);
    match near.iter().map(|(_, name)| format!("{name:?}")).collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        names => format!(", did you mean {}?", names.join(" or ")),
    }
}
