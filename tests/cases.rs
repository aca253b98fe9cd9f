//! The literate cases: every one holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::panic::catch_unwind;

use veldwerk_tests::cases;

#[test]
fn every_case_holds() {
    let cases = cases::all();
    assert!(cases.len() >= 100, "{} cases", cases.len());
    // Each fails by itself, so that one run names them all.
    let (hold, fail): (Vec<_>, Vec<_>) = cases.iter().partition(|case| catch_unwind(|| case.play()).is_ok());
    let names = |cases: &[&cases::Case], open: bool| -> Vec<String> {
        cases.iter().filter(|case| case.open.is_some() == open).map(|case| case.name.clone()).collect()
    };
    println!("{} cases; open, yet hold: {:#?}", cases.len(), names(&hold, true));
    let failed = names(&fail, false);
    assert!(failed.is_empty(), "{} of {} cases do not hold: {failed:#?}", failed.len(), cases.len());
}
