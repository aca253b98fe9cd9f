//! The table: what was measured, and whether it keeps its bound.

use std::process::ExitCode;

pub(crate) struct Table {
    missed: usize,
}

impl Table {
    pub(crate) fn begin() -> Self {
        println!("{:<62} {:>14} {:>10}", "what", "measured", "bound");
        Self { missed: 0 }
    }

    /// A row without a bound.
    pub(crate) fn say(&mut self, what: &str, value: f64, unit: &str) {
        println!("{what:<62} {:>14}", text(value, unit));
    }

    /// A row whose value must not be higher.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, unit: &str, bound: f64) {
        // A value that could not be measured keeps no bound.
        self.bounded(what, value, unit, &format!("≤ {bound}{}", space(unit)), value <= bound);
    }

    /// A row whose value must not be lower.
    pub(crate) fn at_least(&mut self, what: &str, value: f64, unit: &str, bound: f64) {
        self.bounded(what, value, unit, &format!("≥ {bound}{}", space(unit)), value >= bound);
    }

    fn bounded(&mut self, what: &str, value: f64, unit: &str, bound: &str, holds: bool) {
        self.missed += usize::from(!holds);
        let missed = if holds { "" } else { "  bound missed" };
        println!("{what:<62} {:>14} {bound:>10}{missed}", text(value, unit));
    }

    pub(crate) fn end(self) -> ExitCode {
        println!(
            "\n{}",
            if self.missed == 0 { "every bound kept".to_owned() } else { format!("{} bounds missed", self.missed) }
        );
        if self.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn text(value: f64, unit: &str) -> String {
    match unit {
        "×" => format!("{value:.2}{unit}"),
        _ if value < 100.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

fn space(unit: &str) -> String {
    if unit == "×" { unit.to_owned() } else { format!(" {unit}") }
}
