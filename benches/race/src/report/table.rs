//! A section as text for a terminal.

use super::number::figure;
use super::{Class, Row, Section};
use std::fmt::Write as _;

/// The section as a table with its title and its notes.
pub(super) fn of(section: &Section) -> String {
    let mut text = format!("{} {}: {}\n", section.chapter, section.name, section.what);
    let rows = section.sorted();
    let has_ratio = rows.iter().any(|row| row.to_floor.is_some());
    let has_peer = section.best_peer().is_some();
    let mut cells = vec![header(section, has_ratio, has_peer)];
    cells.extend(rows.into_iter().map(|row| line(section, row, has_ratio, has_peer)));
    for line in aligned(&cells) {
        let _ = writeln!(text, "  {line}");
    }
    for note in &section.notes {
        let _ = writeln!(text, "  note: {note}");
    }
    text
}

fn header(section: &Section, has_ratio: bool, has_peer: bool) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut columns = section.columns.iter().map(|column| column.name.clone());
    cells.extend(columns.next());
    cells.push("spread".to_owned());
    if has_ratio {
        cells.push("x floor".to_owned());
    }
    if has_peer {
        cells.push("x best peer".to_owned());
    }
    cells.extend(columns);
    cells
}

fn line(section: &Section, row: &Row, has_ratio: bool, has_peer: bool) -> Vec<String> {
    let mark = match row.class {
        Class::Evloop => "> ",
        Class::Floor | Class::Hand | Class::Peer => "  ",
    };
    let mut cells = vec![format!("{mark}{}", row.name)];
    let told = |place: usize| match (row.figures.get(place).copied().flatten(), section.columns.get(place)) {
        (Some(spread), Some(column)) => figure(spread.median, column.unit),
        _ => "-".to_owned(),
    };
    cells.push(told(0));
    let spread = row.main().filter(|main| main.runs > 1);
    cells.push(spread.map_or_else(|| "-".to_owned(), |main| format!("{:.1} %", main.relative() * 100.0)));
    let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    if has_ratio {
        cells.push(ratio(row.to_floor.map(|spread| spread.median)));
    }
    if has_peer {
        cells.push(ratio(section.to_best_peer(row)));
    }
    cells.extend((1..section.columns.len()).map(told));
    cells
}

/// The cells in columns: the first to the left, the others to the right, two spaces between.
fn aligned(cells: &[Vec<String>]) -> Vec<String> {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = if column == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        line.trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}
