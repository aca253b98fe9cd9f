//! Which journals may have lost something.
//!
//! A draft's journal counts its rows, so a hole inside it shows. One at its end does not: what is known there is which rows were
//! read in one go, from one page or along the tree, because between two of these nothing was ever written.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::tally::ids;
use crate::Result;

/// The table of the journals; its key is a draft and the number of the row.
pub(super) const TABLE: &str = "draft_edit";

/// A row of a journal: its draft and its number.
pub(super) type Place = (i64, i64);

/// Before every row, and behind every row.
pub(super) const START: Place = (i64::MIN, 0);
pub(super) const END: Place = (i64::MAX, i64::MAX);

/// What was read of the journals of all drafts.
#[derive(Default)]
pub(super) struct Journals {
    /// Stretches without a hole, each from its first row to its last.
    stretches: Vec<(Place, Place)>,
    /// Drafts of whose rows one could be read and not be believed.
    garbled: BTreeSet<i64>,
}

impl Journals {
    /// Everything between these two was read, both included.
    pub(super) fn read(&mut self, from: Place, to: Place) {
        self.stretches.push((from, to));
    }

    /// A row of this draft cannot be believed.
    pub(super) fn garbled(&mut self, draft: i64) {
        self.garbled.insert(draft);
    }

    /// What was read once more, of rows that nothing proves: it fills no hole.
    pub(super) fn read_unproved(&mut self, mut again: Self) {
        self.garbled.append(&mut again.garbled);
    }

    /// Those of `drafts` of whose journal something may be missing.
    pub(super) fn incomplete(mut self, drafts: &BTreeSet<i64>) -> BTreeSet<i64> {
        self.stretches.push((END, END));
        self.stretches.sort_unstable();
        let (mut incomplete, mut read_to) = (self.garbled, START);
        for (from, to) in self.stretches {
            if !follows(read_to, from) {
                let is_concerned = |draft: i64| {
                    let ends_before = draft == read_to.0 && read_to.1 == i64::MAX;
                    let begins_behind = draft == from.0 && read_to.0 < draft && from.1 <= 1;
                    !ends_before && !begins_behind
                };
                incomplete.extend(drafts.range(read_to.0..=from.0).copied().filter(|draft| is_concerned(*draft)));
            }
            read_to = read_to.max(to);
        }
        incomplete.retain(|draft| drafts.contains(draft));
        incomplete
    }
}

/// Whether no row can lie between these two, as far as their numbers tell.
fn follows(before: Place, next: Place) -> bool {
    next <= before || (next.0 == before.0 && next.1 <= before.1.saturating_add(1))
}

/// The drafts that have a hole inside their journal.
pub(super) fn gaps(target: &Transaction<'_>) -> Result<BTreeSet<i64>> {
    ids(target, &format!("SELECT draft FROM {TABLE} GROUP BY draft HAVING count(*) <> max(seq) - min(seq) + 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incomplete(stretches: &[(Place, Place)]) -> Vec<i64> {
        let mut journals = Journals::default();
        for (from, to) in stretches {
            journals.read(*from, *to);
        }
        journals.incomplete(&(1..=6).collect()).into_iter().collect()
    }

    #[test]
    fn only_drafts_beside_a_hole_may_have_lost_something() {
        assert_eq!(incomplete(&[]), [1, 2, 3, 4, 5, 6], "nothing was read");
        assert_eq!(incomplete(&[(START, END)]), [0; 0], "everything was");
        let first = (START, (2, 5));
        assert_eq!(incomplete(&[first, ((2, 6), END)]), [0; 0], "two that meet");
        assert_eq!(incomplete(&[first, ((2, 7), END)]), [2], "a hole inside a journal");
        assert_eq!(incomplete(&[first, ((3, 1), END)]), [2], "perhaps behind the last row that is there");
        assert_eq!(incomplete(&[first, ((3, 2), END)]), [2, 3], "or before the first");
        assert_eq!(incomplete(&[first, ((5, 1), END)]), [2, 3, 4], "and every draft between");
        assert_eq!(incomplete(&[first, ((2, 6), (2, i64::MAX)), ((5, 1), END)]), [3, 4], "not one whose end was read");
        assert_eq!(incomplete(&[((4, 0), (4, i64::MAX)), (START, (4, 2)), ((4, 3), (4, 4))]), [5, 6], "in any order");
    }
}
