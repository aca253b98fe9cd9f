//! What the walks came to: figures, and the unexplained differences by root.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::compare::Difference;

/// The figures of a run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) n_forms: usize,
    pub(crate) n_walks: u64,
    pub(crate) n_events: u64,
    pub(crate) n_states: u64,
    /// States without any difference.
    pub(crate) n_equal: u64,
    /// States whose differences all stand in the ledger.
    pub(crate) n_explained: u64,
    roots: BTreeMap<(String, &'static str), Root>,
}

/// Differences with the same rule, or at the same place of one form.
struct Root {
    example: String,
    forms: BTreeSet<String>,
    n_walks: u64,
}

/// Where an unexplained difference was met first in a walk.
pub(crate) struct Met<'m> {
    pub(crate) form: &'m str,
    pub(crate) seed: u64,
    /// What was done just before.
    pub(crate) after: &'m str,
    /// The expression behind the place, if there is one.
    pub(crate) rule: Option<String>,
}

impl Report {
    /// Notes a difference that nothing explains.
    pub(crate) fn unexplained(&mut self, met: Met<'_>, difference: &Difference) {
        let Difference { at, kind, theirs, ours } = difference;
        let key = met.rule.clone().unwrap_or_else(|| format!("{} {at}", met.form));
        let root = self.roots.entry((key, *kind)).or_insert_with(|| Root {
            example: format!(
                "{at} in {}, seed {}, after {}\n      JavaRosa {theirs:?}\n      Veldwerk {ours:?}",
                met.form, met.seed, met.after
            ),
            forms: BTreeSet::new(),
            n_walks: 0,
        });
        root.n_walks += 1;
        root.forms.insert(met.form.to_owned());
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.n_equal + self.n_explained == self.n_states
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut roots: Vec<_> = self.roots.iter().collect();
        roots.sort_by_key(|(_, root)| std::cmp::Reverse((root.forms.len(), root.n_walks)));
        for ((rule, kind), root) in roots {
            let (forms, walks) = (root.forms.len(), root.n_walks);
            writeln!(out, "\n{kind}: {rule}\n    {forms} forms, {walks} walks; {}", root.example)?;
        }
        let share = |n: u64| 100.0 * n as f64 / self.n_states.max(1) as f64;
        let unexplained = self.n_states - self.n_equal - self.n_explained;
        writeln!(
            out,
            "\n{} forms, {} walks, {} events, {} states",
            self.n_forms, self.n_walks, self.n_events, self.n_states
        )?;
        writeln!(out, "{:.3} % equal, {:.3} % as the ledger says", share(self.n_equal), share(self.n_explained))?;
        writeln!(out, "{unexplained} states unexplained")
    }
}
