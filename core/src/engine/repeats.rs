use super::budget::Bounds;
use super::lexical::Author;
use super::{Changes, Engine};
use crate::clock::Step;
use crate::form::Control;
use crate::ids::{DefId, NodeId};
use crate::instance::add_instance;
use crate::{Error, ErrorKind, Result};

/// A range never grows beyond this, whatever a count says: a mistyped number must not fill the phone.
pub(super) const MAX_INSTANCES: usize = 10_000;

impl Engine {
    /// Appends an instance at the end of a range.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`], [`ErrorKind::NotAllowed`] (counted or locked), [`ErrorKind::NotRelevant`];
    /// [`ErrorKind::TooLarge`] if what follows from it would pass a budget. The record is unchanged then.
    pub fn add_repeat(&mut self, range: &str, step: Step) -> Result<Changes> {
        let (parent, repeat) = self.find_range(range).ok_or(ErrorKind::NoSuchNode)?;
        self.check_repeat(repeat)?;
        if !self.is_range_relevant(parent, repeat) {
            return Err(ErrorKind::NotRelevant.into());
        }
        if self.tree.children_of(parent, repeat).len() >= MAX_INSTANCES {
            return Err(Error::new(ErrorKind::NotAllowed, "there are too many already"));
        }
        self.change(step, Bounds::OfAChange, |engine| engine.append(parent, repeat))
    }

    /// Appends an instance that a journal row tells of, whatever the form says of it now.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`], [`ErrorKind::NotAllowed`] if the form gives nothing to clone.
    pub fn replay_add(&mut self, range: &str, step: Step) -> Result<Changes> {
        self.change(step, Bounds::None, |engine| {
            engine.reach_around(range)?;
            let (parent, repeat) = engine.find_range(range).ok_or(ErrorKind::NoSuchNode)?;
            engine.append(parent, repeat)
        })
    }

    fn append(&mut self, parent: NodeId, repeat: DefId) -> Result<()> {
        self.new_instances(parent, repeat, 1)?;
        self.propagate();
        self.settle();
        Ok(())
    }

    /// The node that a journal row names. That the row was written says that the rows of counted ranges in its path were
    /// there, however many the form or the program would make now: those that are missing are made.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`] if there is no such node, nor could be one.
    pub(super) fn reach(&mut self, path: &str) -> Result<NodeId> {
        let mut row = String::new();
        for steps in path.split_inclusive(']') {
            row.push_str(steps);
            if row.ends_with(']') && self.find(&row).is_none() {
                self.make_rows_up_to(&row).ok_or(ErrorKind::NoSuchNode)?;
            }
        }
        self.find(path).ok_or_else(|| ErrorKind::NoSuchNode.into())
    }

    /// Makes sure of what is around a node, as [`Engine::reach`] does.
    fn reach_around(&mut self, path: &str) -> Result<()> {
        let (around, _) = path.rsplit_once('/').ok_or(ErrorKind::NoSuchNode)?;
        self.reach(around).map(|_| ())
    }

    fn make_rows_up_to(&mut self, row: &str) -> Option<()> {
        let (range, position) = row.strip_suffix(']')?.rsplit_once('[')?;
        let position: usize = position.parse().ok().filter(|&position| position <= MAX_INSTANCES)?;
        let (parent, repeat) = self.find_range(range).filter(|&(_, repeat)| self.is_counted(repeat))?;
        let missing = position.saturating_sub(self.tree.children_of(parent, repeat).len());
        self.new_instances(parent, repeat, missing).ok()?;
        self.propagate();
        self.settle();
        Some(())
    }

    /// Removes an instance; the ones behind it move up.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`], [`ErrorKind::NotAllowed`] (counted or locked), [`ErrorKind::NotRelevant`];
    /// [`ErrorKind::TooLarge`] if what follows from it would pass a budget. The record is unchanged then.
    pub fn remove_repeat(&mut self, instance: &str, step: Step) -> Result<Changes> {
        let (parent, id) = self.find_instance(instance)?;
        let node = self.tree.node(id);
        self.check_repeat(node.def)?;
        if !node.relevant {
            return Err(ErrorKind::NotRelevant.into());
        }
        self.change(step, Bounds::OfAChange, |engine| {
            engine.take_away(parent, id);
            Ok(())
        })
    }

    /// Removes an instance that a journal row tells of, whatever the form says of it now.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`].
    pub fn replay_remove(&mut self, instance: &str, step: Step) -> Result<Changes> {
        self.change(step, Bounds::None, |engine| {
            engine.reach_around(instance)?;
            let (parent, id) = engine.find_instance(instance)?;
            engine.take_away(parent, id);
            Ok(())
        })
    }

    fn take_away(&mut self, parent: NodeId, id: NodeId) {
        self.tree.remove(id);
        self.changes.removed.push(id);
        self.changes.touched.insert(parent);
        self.wake_range_later(parent, self.tree.node(id).def);
        self.propagate();
        self.settle();
    }

    /// An instance of a repeat with the node around it.
    fn find_instance(&self, path: &str) -> Result<(NodeId, NodeId)> {
        let id = self.find(path).ok_or(ErrorKind::NoSuchNode)?;
        let node = self.tree.node(id);
        let parent = node.parent.filter(|_| self.form.nodes[node.def].repeat.is_some());
        Ok((parent.ok_or(ErrorKind::NoSuchNode)?, id))
    }

    fn check_repeat(&self, repeat: DefId) -> Result<()> {
        match self.repeat_control(repeat) {
            Some(control) if control.count.is_none() && !control.fixed => Ok(()),
            Some(_) => Err(ErrorKind::NotAllowed.into()),
            None => Err(ErrorKind::NoSuchNode.into()),
        }
    }

    /// The control of a repeat.
    #[must_use]
    pub fn repeat_control(&self, repeat: DefId) -> Option<&Control> {
        self.form.nodes[repeat].repeat.map(|control| &self.form.controls[control])
    }

    /// Whether a person may add to a range or remove from it.
    #[must_use]
    pub fn may_add(&self, repeat: DefId) -> bool {
        self.check_repeat(repeat).is_ok()
    }

    /// Whether the form says how many rows a repeat has.
    #[must_use]
    pub fn is_counted(&self, repeat: DefId) -> bool {
        self.repeat_control(repeat).is_some_and(|control| control.count.is_some())
    }

    /// Whether the count of a repeat follows from its own rows: `count(/d/r) + 1` until the last one says stop.
    #[must_use]
    pub fn follows_own_rows(&self, repeat: DefId) -> bool {
        self.form.nodes[repeat].repeat.is_some_and(|control| self.form.graph.own_row_counts().contains(&control))
    }

    /// Whether a person who leaves the last row of a range should find another: its count follows from its own rows, and there
    /// are fewer than it says.
    #[must_use]
    pub fn is_row_due(&self, parent: NodeId, repeat: DefId) -> bool {
        self.follows_own_rows(repeat) && self.missing_rows(parent, repeat) > 0
    }

    /// Appends the one row that is due ([`Engine::is_row_due`]), by the range's path.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`], [`ErrorKind::NotAllowed`] if none is due; [`ErrorKind::TooLarge`] if what follows from it
    /// would pass a budget. The record is unchanged then.
    pub fn add_due_row(&mut self, range: &str, step: Step) -> Result<Changes> {
        let (parent, repeat) = self.find_range(range).ok_or(ErrorKind::NoSuchNode)?;
        if !self.is_row_due(parent, repeat) {
            return Err(ErrorKind::NotAllowed.into());
        }
        self.change(step, Bounds::OfAChange, |engine| engine.append(parent, repeat))
    }

    /// Whether a range is asked about: the node around it is relevant, and so would its next row be.
    #[must_use]
    pub fn is_range_relevant(&self, parent: NodeId, repeat: DefId) -> bool {
        self.tree.node(parent).relevant && self.is_row_to_come_relevant(parent, repeat)
    }

    /// Appends instances to a range, each a clone of the template → preloads → new-repeat actions; their rules are queued,
    /// and once for all of them the rules that read the range.
    pub(super) fn new_instances(&mut self, parent: NodeId, repeat: DefId, number: usize) -> Result<()> {
        let made = (0..number).try_for_each(|_| self.new_instance(parent, repeat));
        self.wake_range_later(parent, repeat);
        made
    }

    fn new_instance(&mut self, parent: NodeId, repeat: DefId) -> Result<()> {
        if !self.has_room() || self.budget.is_passed() {
            return Err(ErrorKind::TooLarge.into());
        }
        let form = std::sync::Arc::clone(&self.form);
        let id = add_instance(&form, &mut self.tree, parent, repeat).ok_or(ErrorKind::NotAllowed)?;
        self.changes.added.push(id);
        self.changes.touched.insert(parent);
        self.normalise(id, Author::Form);
        self.preload(id);
        for node in self.tree.subtree(id) {
            self.wake_rules_of(node, &|_| true);
            self.check_choices_later(node);
        }
        self.run_new_repeat_actions(id);
        Ok(())
    }
}
