//! `tests/matrix.toml`: every row of the support matrix is tried on the engine, and `docs/support-matrix.md` is what the rows say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;

use veldwerk::form::{FormDef, Level};
use veldwerk::xpath::Function;
use veldwerk_tests::matrix::{Matrix, Works, golden};
use veldwerk_tests::scenario::{Files, Scenario};
use veldwerk_tests::{cases, pages};

#[test]
fn every_row_does_what_it_says() {
    let (matrix, cases) = (Matrix::read(), cases::all());
    let rows: Vec<_> = matrix.rows().collect();
    // Each fails by itself, so that one run names them all.
    let failed: Vec<_> = rows
        .iter()
        .filter(|(part, row)| catch_unwind(|| row.try_out(part, &cases)).is_err())
        .map(|(part, row)| format!("{}: {}", part.title, row.what))
        .collect();
    assert!(failed.is_empty(), "{} of {} rows do not hold: {failed:#?}", failed.len(), rows.len());
}

#[test]
fn every_row_is_tried_somewhere() {
    let matrix = Matrix::read();
    let untried = matrix.rows().filter(|(_, row)| !row.is_tried() && row.see.is_empty());
    let untried: Vec<_> = untried.filter(|(_, row)| row.outside.is_empty()).map(|(_, row)| &row.what).collect();
    assert!(untried.is_empty(), "neither tried nor done outside of the core: {untried:#?}");
    for (_, row) in matrix.rows() {
        let seen = matrix.seen_by(row);
        let worst = seen.iter().map(|seen| matrix.works(seen)).max().unwrap_or(Works::Yes);
        assert!(matrix.works(row) >= worst, "{} works better than what it becomes", row.what);
        if matrix.works(row) > Works::Yes {
            let is_said = !row.note.is_empty() || !row.outside.is_empty() || !row.see.is_empty();
            assert!(is_said, "{} does not say what is missing", row.what);
        }
    }
}

#[test]
fn every_function_has_a_row() {
    let matrix = Matrix::read();
    let named: BTreeSet<&str> = matrix
        .rows()
        .flat_map(|(_, row)| row.what.split('`').skip(1).step_by(2))
        .filter_map(|code| code.split_once('(').map(|(name, _)| name))
        .collect();
    for name in Function::ALL.iter().flat_map(|function| function.names()).chain(&["instance", "current"]) {
        assert!(named.contains(name), "{name}() has no row");
    }
}

#[test]
fn what_pyxform_makes_of_every_type_and_column_opens() {
    let told = FormDef::read(&golden("xlsform.xml"), &()).diagnostics;
    let matrix = Matrix::read();
    let rows: BTreeSet<&str> = matrix.rows().flat_map(|(_, row)| &row.says).map(String::as_str).collect();
    for told in told.iter().filter(|told| told.level() < Level::Note) {
        assert!(rows.contains(told.kind.code()), "{told}");
    }
    let mut record = Scenario::begin(&golden("xlsform.xml"), &Files::new(), "Europe/Amsterdam");
    for step in ["answer /all/who nl", "choices of /all/town = ams", "rows of /all/person = 30"] {
        record.play(step);
    }
    record.play("/all/meta/instanceName = Of nl");
}

#[test]
fn the_page_is_rendered_from_the_rows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/support-matrix.md");
    pages::assert_rendered(&page, &Matrix::read().page());
}
