use std::collections::{HashMap, HashSet};

use super::{FormSession, Violation};
use crate::form::{Control, ControlKind};
use crate::ids::{ControlId, DefId, NodeId};

/// A screen, by what it shows and never by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScreenKey {
    /// A question, a field-list group, or an instance of a field-list repeat.
    Node(NodeId),
    /// "Another?" behind the instances of a repeat. Of a counted repeat it is never shown: going there adds the row that is due.
    Add {
        /// The node around the range.
        parent: NodeId,
        /// The repeat.
        repeat: DefId,
    },
    /// After the last question: open violations, finalise.
    End,
}

/// What `next` does with violations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It refuses while a question of the screen violates.
    #[default]
    OnMove,
    /// It never refuses; finalising does.
    OnFinalize,
}

impl FormSession {
    /// Every screen now, in order; the end is the last.
    #[must_use]
    pub fn screens(&self) -> Vec<ScreenKey> {
        let mut screens = Vec::new();
        self.collect(&self.form().body, self.engine.tree().root(), &mut screens);
        screens.push(ScreenKey::End);
        screens
    }

    fn collect(&self, controls: &[ControlId], around: NodeId, screens: &mut Vec<ScreenKey>) {
        let tree = self.engine.tree();
        for &id in controls {
            let control = &self.form().controls[id];
            for node in self.engine.nodes_of(id, around) {
                if !tree.node(node).relevant {
                    continue;
                }
                if control.kind.is_question() {
                    if !is_header(control) {
                        screens.push(ScreenKey::Node(node));
                    }
                } else if control.is_field_list() {
                    if self.has_question(&control.children, node) {
                        screens.push(ScreenKey::Node(node));
                    }
                } else {
                    self.collect(&control.children, node, screens);
                }
            }
            if control.kind == ControlKind::Repeat
                && let Some((parent, repeat)) = self.open_range(control, around)
            {
                screens.push(ScreenKey::Add { parent, repeat });
            }
        }
    }

    /// The range of a repeat that a person may extend now.
    fn open_range(&self, control: &Control, around: NodeId) -> Option<(NodeId, DefId)> {
        let repeat = control.node?;
        let def = self.form().nodes[repeat].parent?;
        let tree = self.engine.tree();
        let parent = tree.ancestor_of(around, def).or_else(|| {
            // The repeat may lie deeper than the node around its control.
            tree.instances_below(self.form(), around, def).first().copied()
        })?;
        (self.engine.is_range_relevant(parent, repeat) && self.engine.may_add(repeat)).then_some((parent, repeat))
    }

    fn has_question(&self, controls: &[ControlId], around: NodeId) -> bool {
        self.questions_below(controls, around).iter().any(|&(control, _)| !is_header(&self.form().controls[control]))
    }

    /// The relevant questions below a node in body order, grid headers included.
    pub(super) fn questions_below(&self, controls: &[ControlId], around: NodeId) -> Vec<(ControlId, NodeId)> {
        let mut questions = Vec::new();
        self.engine.walk_controls(controls, around, &mut |engine, control, node| {
            if engine.form().controls[control].kind.is_question() {
                questions.push((control, node));
            }
        });
        questions
    }

    /// The questions of a screen in order.
    pub(super) fn questions_of(&self, key: &ScreenKey) -> Vec<(ControlId, NodeId)> {
        let ScreenKey::Node(node) = *key else { return Vec::new() };
        let tree = self.engine.tree();
        let Some(known) = tree.get(node).filter(|known| known.relevant) else { return Vec::new() };
        match self.form().nodes[known.def].control {
            Some(control) => vec![(control, node)],
            None => self.questions_of_groups(&self.field_lists(), node),
        }
    }

    /// The groups that are a screen of several questions, by their node.
    fn field_lists(&self) -> HashMap<DefId, Vec<ControlId>> {
        let mut field_lists: HashMap<_, Vec<_>> = HashMap::new();
        for (id, control) in self.form().controls.iter() {
            if let Some(node) = control.node.filter(|_| !control.kind.is_question() && control.is_field_list()) {
                field_lists.entry(node).or_default().push(id);
            }
        }
        field_lists
    }

    fn questions_of_groups(&self, groups: &HashMap<DefId, Vec<ControlId>>, node: NodeId) -> Vec<(ControlId, NodeId)> {
        let groups = groups.get(&self.engine.tree().node(node).def).into_iter().flatten();
        groups.flat_map(|&group| self.questions_below(&self.form().controls[group].children, node)).collect()
    }

    /// The screen a move last went to, or the nearest earlier one if it has disappeared since.
    #[must_use]
    pub fn current(&self) -> ScreenKey {
        self.nearest(&self.current)
    }

    /// The first screen.
    #[must_use]
    pub fn first(&self) -> ScreenKey {
        self.screens().first().copied().unwrap_or(ScreenKey::End)
    }

    /// The screen itself if it is there, else the nearest earlier one, else the first.
    #[must_use]
    pub fn nearest(&self, key: &ScreenKey) -> ScreenKey {
        self.nearest_of(&self.screens(), key)
    }

    pub(super) fn nearest_of(&self, screens: &[ScreenKey], key: &ScreenKey) -> ScreenKey {
        if screens.contains(key) {
            return *key;
        }
        let ranks = self.body_ranks();
        let place = self.place(key, &ranks);
        let is_before = |screen: &&ScreenKey| **screen != ScreenKey::End && self.place(screen, &ranks) < place;
        screens.iter().rev().find(is_before).or(screens.first()).copied().unwrap_or(ScreenKey::End)
    }

    /// Where a screen stands in the order of the body, whether it is there or not.
    fn place(&self, key: &ScreenKey, ranks: &HashMap<DefId, usize>) -> Vec<usize> {
        let rank = |def| ranks.get(&def).copied().unwrap_or(usize::MAX);
        let tree = self.engine.tree();
        let (node, last) = match *key {
            ScreenKey::Node(node) => (node, None),
            ScreenKey::Add { parent, repeat } => (parent, Some(repeat)),
            ScreenKey::End => return vec![usize::MAX],
        };
        let mut steps: Vec<_> = tree.ancestors(node).collect();
        steps.reverse();
        let mut place = Vec::new();
        for id in steps {
            place.push(rank(tree.node(id).def));
            place.push(tree.position(id));
        }
        if let Some(repeat) = last {
            place.extend([rank(repeat), usize::MAX]);
        }
        place
    }

    /// The position of the first control on (or below) each node.
    fn body_ranks(&self) -> HashMap<DefId, usize> {
        let form = self.form();
        let mut ranks = HashMap::new();
        for (rank, (_, control)) in form.controls.iter().enumerate() {
            for def in control.node.into_iter().flat_map(|node| form.ancestors(node)) {
                ranks.entry(def).or_insert(rank);
            }
        }
        ranks
    }

    /// The screen behind `key`. Behind the last row of a repeat whose count follows from its own rows it is
    /// [`ScreenKey::Add`] while another is due.
    ///
    /// # Errors
    /// Under [`Policy::OnMove`]: the violations of the questions on it.
    pub fn next(&self, key: &ScreenKey, policy: Policy) -> Result<ScreenKey, Vec<Violation>> {
        let screens = self.screens();
        let key = self.nearest_of(&screens, key);
        if policy == Policy::OnMove {
            let questions = self.questions_of(&key);
            let found = questions.iter().filter_map(|&(_, node)| self.engine.violation(node));
            let violations = self.of_what_is_asked(found);
            if !violations.is_empty() {
                return Err(violations);
            }
        }
        let next = behind(&screens, &key);
        Ok(self.row_due_between(&key, &next).unwrap_or(next))
    }

    /// The row that is due where the last row of a repeat is left whose count follows from its own rows: going there adds it.
    fn row_due_between(&self, key: &ScreenKey, next: &ScreenKey) -> Option<ScreenKey> {
        if self.form().graph.own_row_counts().is_empty() {
            return None;
        }
        let tree = self.engine.tree();
        let stays = self.rows_of(next);
        self.rows_of(key).into_iter().filter(|row| !stays.contains(row)).find_map(|row| {
            let node = tree.node(row);
            let (parent, repeat) = (node.parent?, node.def);
            let is_last = tree.children_of(parent, repeat).last() == Some(&row);
            (is_last && self.engine.is_row_due(parent, repeat)).then_some(ScreenKey::Add { parent, repeat })
        })
    }

    /// The instances of repeats that a screen shows something of, inner ones before those around them.
    fn rows_of(&self, key: &ScreenKey) -> Vec<NodeId> {
        let (form, tree) = (self.form(), self.engine.tree());
        let own = match *key {
            ScreenKey::Node(node) | ScreenKey::Add { parent: node, .. } => Some(node),
            ScreenKey::End => None,
        };
        let shown = self.questions_of(key).into_iter().map(|(_, node)| node).chain(own);
        let around = shown.flat_map(|node| tree.ancestors(node));
        let mut rows: Vec<_> = around.filter(|&node| form.nodes[tree.node(node).def].repeat.is_some()).collect();
        let mut known = HashSet::new();
        rows.retain(|&row| known.insert(row));
        rows
    }

    /// The first screen of the last row of a range; if it has none, the one that follows the range.
    pub(super) fn first_of_last_row(&self, parent: NodeId, repeat: DefId) -> ScreenKey {
        let screens = self.screens();
        let row = self.engine.tree().children_of(parent, repeat).last();
        let own = row.and_then(|row| screens.iter().find(|screen| self.rows_of(screen).contains(row)));
        let key = self.nearest_of(&screens, &ScreenKey::Add { parent, repeat });
        own.copied().unwrap_or_else(|| behind(&screens, &key))
    }

    /// The screen before `key`; none before the first.
    #[must_use]
    pub fn previous(&self, key: &ScreenKey) -> Option<ScreenKey> {
        let screens = self.screens();
        let key = self.nearest_of(&screens, key);
        let at = screens.iter().position(|screen| *screen == key)?;
        screens.get(at.checked_sub(1)?).copied()
    }

    /// The screen that shows a node.
    #[must_use]
    pub fn goto(&self, node: NodeId) -> Option<ScreenKey> {
        let screens = self.screens();
        let own = ScreenKey::Node(node);
        if screens.contains(&own) {
            return Some(own);
        }
        let field_lists = self.field_lists();
        let shows = |screen: &&ScreenKey| match **screen {
            ScreenKey::Node(group) => {
                self.questions_of_groups(&field_lists, group).iter().any(|&(_, question)| question == node)
            }
            ScreenKey::Add { .. } | ScreenKey::End => false,
        };
        screens.iter().find(shows).copied()
    }

    /// A screen as the journal names it: a path, for `add` the path of the range with `+`, or `end`.
    #[must_use]
    pub fn screen_path(&self, key: &ScreenKey) -> String {
        match *key {
            ScreenKey::Node(node) => self.path(node),
            ScreenKey::Add { parent, repeat } => {
                let name = self.form().nodes.get(repeat).map_or("", |repeat| self.form().names.get(repeat.name));
                format!("{}/{name}+", self.path(parent))
            }
            ScreenKey::End => "end".to_owned(),
        }
    }

    /// The screen behind a name of the journal; none if the node is gone.
    #[must_use]
    pub fn screen_at(&self, path: &str) -> Option<ScreenKey> {
        match path.strip_suffix('+') {
            _ if path == "end" => Some(ScreenKey::End),
            Some(range) => self.engine.find_range(range).map(|(parent, repeat)| ScreenKey::Add { parent, repeat }),
            None => self.engine.find(path).map(ScreenKey::Node),
        }
    }
}

/// The screen behind another.
fn behind(screens: &[ScreenKey], key: &ScreenKey) -> ScreenKey {
    let at = screens.iter().position(|screen| screen == key);
    at.and_then(|at| screens.get(at + 1)).copied().unwrap_or(ScreenKey::End)
}

/// The header row of a grid is shown, never asked.
pub(super) fn is_header(control: &Control) -> bool {
    control.appears("label")
}
