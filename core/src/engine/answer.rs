use super::budget::Bounds;
use super::{Changes, Engine};
use crate::clock::Step;
use crate::form::ControlKind;
use crate::ids::NodeId;
use crate::{ErrorKind, Result, xml};

impl Engine {
    /// Sets the answer of a question: the lexical form of the submission; none or empty clears. A value that violates a
    /// constraint is kept, and reported by [`Engine::violation`].
    ///
    /// # Errors
    /// Checked in this order (driver.md): [`ErrorKind::NotAQuestion`], [`ErrorKind::NotRelevant`],
    /// [`ErrorKind::Readonly`], [`ErrorKind::InvalidChoice`], [`ErrorKind::InvalidValue`]; then [`ErrorKind::TooLarge`] if
    /// what follows from it would pass a budget. The record is unchanged then.
    pub fn answer(&mut self, id: NodeId, value: Option<&str>, step: Step) -> Result<Changes> {
        let value = self.check_answer(id, value.unwrap_or_default(), step)?;
        self.change(step, Bounds::OfAChange, |engine| {
            engine.put_answer(id, value);
            Ok(())
        })
    }

    /// Sets an answer that a journal row tells of: it was accepted once, so it is not checked again, and what it makes the
    /// record calculate may take as long as it likes. Rows of a counted range up to the one it stands in are made.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchNode`] if nothing can hold it: there is no such node, or it is a group, or the text is none that
    /// XML can carry. The record is unchanged then.
    pub fn replay_answer(&mut self, path: &str, value: Option<&str>, step: Step) -> Result<Changes> {
        let value = value.unwrap_or_default();
        self.change(step, Bounds::None, |engine| {
            let id = engine.reach(path)?;
            if engine.tree.has_elements(&engine.form, id) || !xml::is_allowed(value) {
                return Err(ErrorKind::NoSuchNode.into());
            }
            let value = engine.lexical(id, value, step.at).unwrap_or_else(|| value.to_owned());
            engine.put_answer(id, value);
            Ok(())
        })
    }

    fn put_answer(&mut self, id: NodeId, value: String) {
        if self.set_value(id, value) {
            self.propagate();
            self.run_value_changed_actions(id);
        }
        self.settle();
    }

    fn check_answer(&self, id: NodeId, value: &str, step: Step) -> Result<String> {
        let node = self.tree.get(id).ok_or(ErrorKind::NoSuchNode)?;
        let definition = &self.form.nodes[node.def];
        let control = definition.control.ok_or(ErrorKind::NotAQuestion)?;
        if !node.relevant {
            return Err(ErrorKind::NotRelevant.into());
        }
        if self.is_readonly(id) {
            return Err(ErrorKind::Readonly.into());
        }
        if value.is_empty() {
            return Ok(String::new());
        }
        match self.form.controls[control].kind {
            kind if kind.has_choices() => Ok(self.chosen(control, id, value)?.ok_or(ErrorKind::InvalidChoice)?),
            ControlKind::Trigger if value != "OK" => Err(ErrorKind::InvalidValue.into()),
            _ => Ok(self.lexical(id, value, step.at).ok_or(ErrorKind::InvalidValue)?),
        }
    }
}
