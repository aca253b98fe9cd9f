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
    /// [`ErrorKind::NoSuchNode`], [`ErrorKind::NotAllowed`] (counted or locked), [`ErrorKind::NotRelevant`].
    pub fn add_repeat(&mut self, range: &str, step: Step) -> Result<Changes> {
        let (parent, repeat) = self.find_range(range).ok_or(ErrorKind::NoSuchNode)?;
        self.check_repeat(repeat)?;
        if !self.tree.node(parent).relevant {
            return Err(ErrorKind::NotRelevant.into());
        }
        if self.tree.children_of(parent, repeat).count() >= MAX_INSTANCES {
            return Err(Error::new(ErrorKind::NotAllowed, "there are too many already"));
        }
        self.append(parent, repeat, step)
    }

    /// Appends an instance that a journal row tells of, whatever the form says of it now.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`], [`ErrorKind::NotAllowed`] if the form gives nothing to clone.
    pub fn replay_add(&mut self, range: &str, step: Step) -> Result<Changes> {
        let (parent, repeat) = self.find_range(range).ok_or(ErrorKind::NoSuchNode)?;
        self.append(parent, repeat, step)
    }

    fn append(&mut self, parent: NodeId, repeat: DefId, step: Step) -> Result<Changes> {
        self.enter(step);
        self.new_instance(parent, repeat).ok_or(ErrorKind::NotAllowed)?;
        self.propagate();
        self.settle();
        Ok(self.take_changes())
    }

    /// Removes an instance; the ones behind it move up.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`], [`ErrorKind::NotAllowed`] (counted or locked), [`ErrorKind::NotRelevant`].
    pub fn remove_repeat(&mut self, instance: &str, step: Step) -> Result<Changes> {
        let (parent, id) = self.find_instance(instance)?;
        let node = self.tree.node(id);
        self.check_repeat(node.def)?;
        if !node.relevant {
            return Err(ErrorKind::NotRelevant.into());
        }
        Ok(self.take_away(parent, id, step))
    }

    /// Removes an instance that a journal row tells of, whatever the form says of it now.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`].
    pub fn replay_remove(&mut self, instance: &str, step: Step) -> Result<Changes> {
        let (parent, id) = self.find_instance(instance)?;
        Ok(self.take_away(parent, id, step))
    }

    fn take_away(&mut self, parent: NodeId, id: NodeId, step: Step) -> Changes {
        self.enter(step);
        self.tree.remove(id);
        self.changes.removed.push(id);
        self.changes.touched.insert(parent);
        self.wake_readers_of_range(parent, self.tree.node(id).def);
        self.propagate();
        self.settle();
        self.take_changes()
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

    /// Clone of the template → preloads → new-repeat actions; its rules are queued.
    pub(super) fn new_instance(&mut self, parent: NodeId, repeat: DefId) -> Option<NodeId> {
        let form = std::sync::Arc::clone(&self.form);
        let id = add_instance(&form, &mut self.tree, parent, repeat)?;
        self.changes.added.push(id);
        self.changes.touched.insert(parent);
        self.preload(id);
        for node in self.tree.subtree(id) {
            self.wake_rules_of(node, &|_| true);
            self.check_choices_later(node);
        }
        self.run_new_repeat_actions(id);
        self.wake_readers_of_range(parent, repeat);
        Some(id)
    }
}
