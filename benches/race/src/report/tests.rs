use super::*;

fn column(name: &str, unit: &'static str, less_is_better: bool) -> Column {
    Column { name: name.to_owned(), unit, less_is_better }
}

fn row(name: &str, class: Class, main: f64, to_floor: Option<f64>) -> Row {
    let spread = Spread { median: main, low: main * 0.99, high: main * 1.01, runs: 5 };
    let figures = vec![Some(spread), None];
    Row { name: name.to_owned(), class, figures, to_floor: to_floor.map(Spread::exact) }
}

fn section() -> Section {
    Section {
        chapter: "http",
        name: "c64".to_owned(),
        what: "GET /plaintext, 64 connections & more".to_owned(),
        columns: vec![column("CPU", "ns", true), column("requests", "1/s", false)],
        rows: vec![
            row("hyper", Class::Peer, 5500.0, Some(1.2)),
            row("floor", Class::Floor, 5000.0, None),
            row("by-hand", Class::Hand, 5100.0, Some(1.01)),
            row("evloop", Class::Evloop, 5200.0, Some(1.05)),
            row("uvicorn", Class::Peer, 90_000.0, Some(18.0)),
        ],
        notes: vec!["node is left out: it is not on this machine".to_owned()],
    }
}

#[test]
fn rows_are_sorted_by_their_ratios_behind_the_floor() {
    let section = section();
    let names: Vec<&str> = section.sorted().iter().map(|row| &*row.name).collect();
    assert_eq!(names, ["floor", "by-hand", "evloop", "hyper", "uvicorn"]);
}

#[test]
fn best_peer_is_one_that_does_the_same_work() {
    let section = section();
    assert_eq!(section.best_peer().unwrap().name, "hyper");
    let of = |name: &str| section.to_best_peer(section.rows.iter().find(|row| row.name == name).unwrap()).unwrap();
    assert!((of("evloop") - 1.05 / 1.2).abs() < 1e-9);
    assert!((of("floor") - 1.0 / 1.2).abs() < 1e-9);
    assert!((of("hyper") - 1.0).abs() < 1e-9);
}

#[test]
fn best_peer_has_the_most_where_more_is_better() {
    let mut section = section();
    section.columns[0].less_is_better = false;
    section.rows.iter_mut().for_each(|row| row.to_floor = None);
    assert_eq!(section.best_peer().unwrap().name, "uvicorn");
}

#[test]
fn table_has_a_line_for_each_contestant_and_each_note() {
    assert_eq!(
        table::of(&section()),
        "http c64: GET /plaintext, 64 connections & more\n\
         \x20                 CPU  spread  x floor  x best peer  requests\n\
         \x20   floor    5,000 ns   2.0 %        -         0.83         -\n\
         \x20   by-hand  5,100 ns   2.0 %     1.01         0.84         -\n\
         \x20 > evloop   5,200 ns   2.0 %     1.05         0.88         -\n\
         \x20   hyper    5,500 ns   2.0 %     1.20         1.00         -\n\
         \x20   uvicorn   90.0 µs   2.0 %    18.00        15.00         -\n\
         \x20 note: node is left out: it is not on this machine\n"
    );
}

fn options() -> Options {
    let names = Vec::new;
    let (rounds, seconds, quick) = (5, 3.0, false);
    Options { only: names(), scenarios: names(), rounds, seconds, quick, libuv_bench: None, out: "out".into() }
}

#[test]
fn drawing_is_xml_with_each_name_and_each_number() {
    let drawing = drawing::of(&[&section(), &section()], &Machine::here(), &options());
    let document = roxmltree::Document::parse(&drawing).unwrap();
    let texts: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text().map(str::trim))
        .collect();
    for expected in ["evloop", "uvicorn", "1.05", "18.00", "5,000 ns", "GET /plaintext, 64 connections & more"] {
        assert_eq!(texts.iter().filter(|text| **text == expected).count(), if expected == "evloop" { 3 } else { 2 });
    }
}

#[test]
fn nothing_is_drawn_past_the_edge() {
    let drawing = drawing::of(&[&section()], &Machine::here(), &options());
    let document = roxmltree::Document::parse(&drawing).unwrap();
    let places = document.descendants().filter_map(|node| node.attribute("x")?.parse::<f64>().ok());
    assert!(places.into_iter().all(|x| (0.0..=960.0).contains(&x)));
}

#[test]
fn a_section_without_rows_is_drawn() {
    let mut section = section();
    section.rows.clear();
    assert!(roxmltree::Document::parse(&drawing::of(&[&section], &Machine::here(), &options())).is_ok());
    assert!(table::of(&section).contains("note: node"));
}
