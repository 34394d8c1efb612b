//! What a request takes among more and more connections, all of them busy; and what one keeps that is not.

use crate::http::{self, Cores};
use crate::options::Options;
use crate::report::{Class, Column, Row, Section};
use crate::rounds::Spread;
use crate::servers::answers::GROWING;

/// As on the command line.
pub(super) const NAME: &str = "connections";

/// The same, of those that idle.
pub(super) const IDLE: &str = "idle";

/// How much more than the floor's own growth is still flat.
const FLAT: f64 = 1.15;

/// A section for each number of connections, and one of how the cost grows between them.
pub(super) fn sections(options: &Options, cores: Cores) -> Vec<Section> {
    let options = of_this_chapter(options);
    let mut sections: Vec<Section> = GROWING
        .iter()
        .map(|scenario| {
            let mut section = http::section(&options, scenario, cores);
            section.chapter = "scale";
            section
        })
        .collect();
    sections.push(growth(&sections));
    sections
}

/// What connections keep that idle.
pub(super) fn idle(options: &Options, cores: Cores) -> Section {
    Section { chapter: "scale", ..http::idle(&of_this_chapter(options), cores) }
}

/// Evloop and the floor, unless others are asked for.
fn of_this_chapter(options: &Options) -> Options {
    let mut options = options.clone();
    if options.only.is_empty() {
        options.only.push("evloop".to_owned());
    }
    options
}

/// How each grows from one number of connections to another, itself and over the floor.
///
/// The number before the last section's but one, a hundred, is where the growth that has a mark begins: a server with a
/// single connection sleeps between any two requests, and what it takes to be woken is not the loop's.
fn growth(sections: &[Section]) -> Section {
    let pairs = [(1, 3), (1, 2), (0, 3)];
    let columns = pairs.map(|(from, to)| Column {
        name: format!("{} to {}", sections[from].name, sections[to].name),
        unit: "",
        less_is_better: true,
    });
    let mut notes = Vec::new();
    let row = |first: &Row| {
        let of = |place: usize| sections[place].rows.iter().find(|row| row.name == first.name);
        let own = |(from, to): (usize, usize)| Some(of(to)?.main()?.median / of(from)?.main()?.median);
        let (from, to) = pairs[0];
        let over_floor = || Some(of(to)?.to_floor?.median / of(from)?.to_floor?.median);
        Row {
            name: first.name.clone(),
            class: first.class,
            figures: pairs.into_iter().map(|pair| own(pair).map(Spread::exact)).collect(),
            to_floor: over_floor().map(Spread::exact),
        }
    };
    let rows: Vec<Row> = sections.first().map(|first| first.rows.iter().map(row).collect()).unwrap_or_default();
    for row in rows.iter().filter(|row| row.class == Class::Evloop) {
        notes.push(match row.to_floor {
            Some(growth) => verdict(&columns[0].name, growth.median),
            None => "there is no growth to tell: a number of connections could not be measured".to_owned(),
        });
    }
    Section {
        chapter: "scale",
        name: "growth".to_owned(),
        what: "CPU per request among many connections over that among few; x floor: over the floor's own growth"
            .to_owned(),
        columns: columns.to_vec(),
        rows,
        notes,
    }
}

fn verdict(what: &str, growth: f64) -> String {
    let word = if growth <= FLAT { "flat" } else { "not flat" };
    format!("evloop, {what}: {growth:.2} of the floor's own growth, which is {word}: the mark is {FLAT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, class: Class, cpu: f64, to_floor: Option<f64>) -> Row {
        Row {
            name: name.to_owned(),
            class,
            figures: vec![Some(Spread::exact(cpu))],
            to_floor: to_floor.map(Spread::exact),
        }
    }

    /// With these costs of a request, in this order: floor, evloop.
    fn measured(costs: [[f64; 2]; 4]) -> Vec<Section> {
        let section = |(scenario, [floor, evloop]): (&crate::servers::answers::Scenario, [f64; 2])| Section {
            chapter: "scale",
            name: scenario.name.to_owned(),
            what: String::new(),
            columns: Vec::new(),
            rows: vec![
                row("floor", Class::Floor, floor, None),
                row("evloop", Class::Evloop, evloop, Some(evloop / floor)),
            ],
            notes: Vec::new(),
        };
        GROWING.iter().zip(costs).map(section).collect()
    }

    #[test]
    fn growth_is_told_over_that_of_the_floor() {
        let section = growth(&measured([[9.0, 12.0], [4.0, 5.0], [5.0, 6.0], [6.0, 9.0]]));
        let evloop = &section.rows[1];
        let own: Vec<f64> = evloop.figures.iter().map(|figure| figure.unwrap().median).collect();
        assert_eq!(own, [1.8, 1.2, 0.75]);
        assert!((evloop.to_floor.unwrap().median - 1.2).abs() < 1e-9);
        assert_eq!(section.rows[0].to_floor, None);
        assert_eq!(
            section.notes,
            ["evloop, c100 to c10000: 1.20 of the floor's own growth, which is not flat: the mark is 1.15"]
        );
    }

    #[test]
    fn what_grows_as_the_floor_does_is_flat() {
        let section = growth(&measured([[9.0, 12.0], [4.0, 5.0], [5.0, 6.0], [6.0, 7.5]]));
        assert!(section.notes[0].contains("which is flat"), "{:?}", section.notes);
    }

    #[test]
    fn a_number_that_was_not_measured_gives_no_growth() {
        let mut sections = measured([[9.0, 12.0], [4.0, 5.0], [5.0, 6.0], [6.0, 7.5]]);
        sections[3].rows.clear();
        let section = growth(&sections);
        assert_eq!(section.rows[1].figures[0], None);
        assert!(section.notes[0].starts_with("there is no growth"), "{:?}", section.notes);
    }
}
