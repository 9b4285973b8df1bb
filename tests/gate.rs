//! The gate on instructions (`benches/instructions`) shuts: what has grown past its limits is named, with both
//! numbers and by how much.

#[path = "../benches/instructions/gate.rs"]
#[allow(dead_code)] // the program says more than is looked at here
mod rules;

use rules::{Row, Table, too_much};

fn table(rows: &[(&str, f64, f64)]) -> Table {
    let row = |&(case, instructions, allocations): &(&str, f64, f64)| Row {
        case: case.to_owned(),
        instructions,
        allocations,
    };
    Table { target: "here".to_owned(), compiler: "rustc 1".to_owned(), rows: rows.iter().map(row).collect() }
}

#[test]
fn five_percent_more_instructions_are_allowed_and_no_more() {
    let written = table(&[("hit", 1_000.0, 0.0)]);
    assert!(too_much(&written, &table(&[("hit", 1_050.0, 0.0)])).is_empty());
    assert!(too_much(&written, &table(&[("hit", 10.0, 0.0)])).is_empty());
    assert_eq!(
        too_much(&written, &table(&[("hit", 1_061.0, 0.0)])),
        ["hit: 1061 instructions a round, 1000 written down: +6.1 %"]
    );
}

#[test]
fn one_allocation_where_there_was_none_is_too_much() {
    assert_eq!(
        too_much(&table(&[("hit", 1_000.0, 0.0)]), &table(&[("hit", 1_000.0, 1.0)])),
        ["hit: 1.0 allocations a round, 0.0 written down: from none"]
    );
}

#[test]
fn each_case_is_written_down_and_nothing_else() {
    let wrong = too_much(&table(&[("old", 1.0, 0.0)]), &table(&[("new", 1.0, 0.0)]));
    assert_eq!(wrong, ["new: not written down", "old: written down, but there is no such case"]);
}

#[test]
fn tracing_that_takes_more_than_two_percent_is_too_much() {
    let rows = table(&[("note", 4.0, 0.0), ("cold", 10_000.0, 7.0), ("allocates", 4.0, 1.0)]);
    let [note, cold, allocates] = rows.rows.as_slice() else { panic!("three rows") };
    assert!(!rules::tracing(50, note, cold).1);
    assert!(rules::tracing(51, note, cold).1);
    assert!(rules::tracing(1, allocates, cold).1);
}

#[test]
fn the_file_is_read_as_it_is_written() {
    let written = table(&[("hit", 1_000.0, 0.0), ("cold", 400_000.0, 312.5)]);
    assert_eq!(Table::parse(&written.text()), Ok(written));
    assert!(Table::parse("hit 1000").is_err());
    let ours = include_str!("../benches/instructions.txt");
    assert_eq!(Table::parse(ours).map(|table| table.text()).as_deref(), Ok(ours));
}
