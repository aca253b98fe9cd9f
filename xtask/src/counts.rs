//! How many tests passed, failed and were skipped, read from the closing lines of test runners.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Counts {
    pub(crate) const ONE_PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const ONE_FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    pub(crate) const ONE_SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// One check that either holds or does not.
    pub(crate) fn of_check(holds: bool) -> Self {
        if holds { Self::ONE_PASSED } else { Self::ONE_FAILED }
    }

    /// The sum of all `test result: …` lines of `cargo test`.
    pub(crate) fn of_cargo(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().filter_map(|line| line.trim_start().strip_prefix("test result: ")) {
            sum += Self {
                passed: number_before(line, " passed"),
                failed: number_before(line, " failed"),
                skipped: number_before(line, " ignored"),
            };
        }
        sum
    }

    /// The sum of Maven Surefire's closing lines, one a module; lines of single classes carry their time and are left
    /// out.
    pub(crate) fn of_maven(output: &str) -> Self {
        let mut sum = Self::default();
        let closing = |line: &&str| line.contains("Tests run: ") && !line.contains("Time elapsed");
        for line in output.lines().filter(closing) {
            let failed = number_after(line, "Failures: ") + number_after(line, "Errors: ");
            let skipped = number_after(line, "Skipped: ");
            let passed = number_after(line, "Tests run: ").saturating_sub(failed + skipped);
            sum += Self { passed, failed, skipped };
        }
        sum
    }

    /// These counts of a runner that ended well or not. One that ended badly with no failed test (it did not compile,
    /// say), or well without running any, is a failure of its own: silence is not success.
    pub(crate) fn with_status(mut self, success: bool) -> Self {
        let ran = self.passed + self.failed;
        if self.failed == 0 && (!success || ran == 0) {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

fn number_before(line: &str, word: &str) -> usize {
    let Some((before, _)) = line.split_once(word) else { return 0 };
    before.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn number_after(line: &str, word: &str) -> usize {
    let Some((_, after)) = line.split_once(word) else { return 0 };
    after.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_closing_lines_are_added_up() {
        let output = "running 3 tests\ntest a ... ok\n\n\
            test result: ok. 31 passed; 0 failed; 2 ignored; 0 measured; 7 filtered out; finished in 1.20s\n\n\
            test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(Counts::of_cargo(output), Counts { passed: 35, failed: 1, skipped: 2 });
        assert_eq!(Counts::of_cargo("error: could not compile"), Counts::default());
    }

    #[test]
    fn maven_counts_modules_not_classes() {
        let output = "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.4 s -- in A\n\
            [INFO] Tests run: 5, Failures: 0, Errors: 0, Skipped: 1\n\
            [ERROR] Tests run: 9, Failures: 1, Errors: 2, Skipped: 0\n";
        assert_eq!(Counts::of_maven(output), Counts { passed: 10, failed: 3, skipped: 1 });
    }

    #[test]
    fn silence_is_not_success() {
        assert_eq!(Counts::default().with_status(true), Counts::ONE_FAILED);
        assert_eq!(Counts::ONE_PASSED.with_status(false), Counts { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(Counts::ONE_PASSED.with_status(true), Counts::ONE_PASSED);
        assert_eq!(Counts::ONE_FAILED.with_status(false), Counts::ONE_FAILED);
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(Counts { passed: 12, failed: 0, skipped: 3 }.to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
