//! The table at the end of `test` and `ci`, and the line below it that other programs read.

use std::fmt;
use std::time::Duration;

use crate::counts::Counts;

/// What happened, one row per suite or step.
pub(crate) struct Table {
    /// Heading of the first column.
    what: &'static str,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    /// `yes`, or why not.
    ran: String,
    counts: Counts,
    took: Duration,
}

impl Table {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, rows: Vec::new() }
    }

    /// Adds something that ran.
    pub(crate) fn ran(&mut self, name: impl Into<String>, counts: Counts, took: Duration) {
        self.rows.push(Row { name: name.into(), ran: "yes".to_owned(), counts, took });
    }

    /// Adds something that did not run, which counts as `counts` (skipped, or failed where everything has to run).
    pub(crate) fn not_run(&mut self, name: impl Into<String>, why: &str, counts: Counts) {
        self.rows.push(Row { name: name.into(), ran: format!("not run: {why}"), counts, took: Duration::ZERO });
    }

    pub(crate) fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        self.rows.iter().for_each(|row| sum += row.counts);
        sum
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |cells: &mut dyn Iterator<Item = &str>| cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        let name = widest(&mut self.rows.iter().map(|row| row.name.as_str()).chain([self.what]));
        let ran = widest(&mut self.rows.iter().map(|row| row.ran.as_str()).chain(["ran"]));
        writeln!(f, "{:name$}  {:ran$}  passed  failed  skipped  seconds", self.what, "ran")?;
        for row in &self.rows {
            let Counts { passed, failed, skipped } = row.counts;
            let seconds = row.took.as_secs_f64();
            writeln!(f, "{:name$}  {:ran$}  {passed:6}  {failed:6}  {skipped:7}  {seconds:7.1}", row.name, row.ran)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_add_up() {
        let mut table = Table::new("suite");
        table.ran("unit", Counts { passed: 120, failed: 1, skipped: 0 }, Duration::from_millis(4_250));
        table.not_run("kotlin", "needs Maven", Counts::ONE_SKIPPED);
        assert_eq!(
            table.to_string(),
            "suite   ran                   passed  failed  skipped  seconds\n\
             unit    yes                      120       1        0      4.2\n\
             kotlin  not run: needs Maven       0       0        1      0.0\n"
        );
        assert_eq!(table.sum(), Counts { passed: 120, failed: 1, skipped: 1 });
    }
}
