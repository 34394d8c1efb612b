//! Curves over a grid.

use super::super::plot::Plot;
use super::{MARGIN, Sheet, WIDTH, clean, short, width_of};
use svg::node::element::{Circle, Group, Line, Polyline, Title};

const HEIGHT: f64 = 260.0;
/// As many colours as `style.css` has for curves; after the last they begin again.
const COLOURS: usize = 6;
/// A curve of more points is drawn without its dots, which would hide it.
const DOTS_MAX: usize = 60;

pub(super) fn draw(sheet: &mut Sheet, plot: &Plot) {
    sheet.y += 14.0;
    if !plot.title.is_empty() {
        sheet.write(MARGIN, sheet.y + 12.0, "panel", &plot.title);
        sheet.y += 24.0;
    }
    draw_legend(sheet, plot);
    sheet.write(MARGIN, sheet.y + 10.0, "small", &plot.y.name);
    sheet.y += 22.0;
    let (x, y) = plot.scales();
    let names = y.ticks.iter().map(|(_, name)| width_of(name, 11.0)).fold(0.0, f64::max);
    let (left, right) = (MARGIN + names + 10.0, WIDTH - MARGIN - 12.0);
    let (top, bottom) = (sheet.y, sheet.y + HEIGHT);
    let at_x = |place: f64| left + place * (right - left);
    let at_y = |place: f64| bottom - place * HEIGHT;
    let line = |class: &str, (x1, y1), (x2, y2)| {
        let ends = Line::new().set("x1", short(x1)).set("y1", short(y1)).set("x2", short(x2)).set("y2", short(y2));
        ends.set("class", class)
    };
    for (tick, name) in &y.ticks {
        let y = at_y(y.place_of_tick(*tick));
        sheet.add(line("rule", (left, y), (right, y)));
        sheet.write(left - 8.0, y + 4.0, "tick left", name);
    }
    for (tick, name) in &x.ticks {
        let x = at_x(x.place_of_tick(*tick));
        sheet.add(line("rule", (x, top), (x, bottom + 4.0)));
        sheet.write(x, bottom + 17.0, "tick", name);
    }
    sheet.add(line("base", (left, bottom), (right, bottom)));
    for (index, series) in plot.series.iter().enumerate() {
        let colour = index % COLOURS;
        let points: Vec<_> = plot.points(series).collect();
        let places: Vec<String> =
            points.iter().map(|(px, py)| format!("{:.1},{:.1}", at_x(x.place(*px)), at_y(y.place(*py)))).collect();
        sheet.add(Polyline::new().set("points", places.join(" ")).set("class", format!("curve s{colour}")));
        for (px, py) in points.into_iter().filter(|_| places.len() <= DOTS_MAX) {
            let dot =
                Circle::new().set("cx", short(at_x(x.place(px)))).set("cy", short(at_y(y.place(py)))).set("r", 3.5);
            let title = Title::new(clean(&format!("{}: {} {px}, {} {py}", series.name, plot.x.name, plot.y.name)));
            sheet.add(Group::new().add(title).add(dot.set("class", format!("p{colour}"))));
        }
    }
    sheet.write(f64::midpoint(left, right), bottom + 36.0, "small in", &plot.x.name);
    sheet.y = bottom + 44.0;
}

fn draw_legend(sheet: &mut Sheet, plot: &Plot) {
    let mut x = MARGIN;
    for (index, series) in plot.series.iter().enumerate() {
        let width = 24.0 + width_of(&series.name, 12.0) + 18.0;
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, sheet.y) = (MARGIN, sheet.y + 22.0);
        }
        let y = sheet.y + 6.0;
        let stroke = Line::new().set("x1", x).set("y1", y).set("x2", x + 18.0).set("y2", y);
        sheet.add(stroke.set("class", format!("curve s{}", index % COLOURS)));
        sheet.write(x + 24.0, sheet.y + 10.0, "small", &series.name);
        x += width;
    }
    sheet.y += 28.0;
}
