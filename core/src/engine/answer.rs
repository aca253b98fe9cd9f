use super::{Changes, Engine};
use crate::clock::Step;
use crate::form::ControlKind;
use crate::ids::NodeId;
use crate::instance::canonical;
use crate::{ErrorKind, Result};

impl Engine {
    /// Sets the answer of a question: the lexical form of the submission; none or empty clears. A value that violates a
    /// constraint is kept, and reported by [`Engine::violation`].
    ///
    /// # Errors
    /// Checked in this order (driver.md): [`ErrorKind::NotAQuestion`], [`ErrorKind::NotRelevant`],
    /// [`ErrorKind::Readonly`], [`ErrorKind::InvalidChoice`], [`ErrorKind::InvalidValue`]. The record is unchanged then.
    pub fn answer(&mut self, id: NodeId, value: Option<&str>, step: Step) -> Result<Changes> {
        let value = self.check_answer(id, value.unwrap_or_default(), step)?;
        self.enter(step);
        if self.set_value(id, value) {
            self.propagate();
            self.run_value_changed_actions(id);
        }
        self.settle();
        Ok(self.take_changes())
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
            ControlKind::Select1 if !self.offered_values(control, id).contains(value) => {
                return Err(ErrorKind::InvalidChoice.into());
            }
            ControlKind::Select | ControlKind::Rank => {
                let offered = self.offered_values(control, id);
                if !value.split_ascii_whitespace().all(|value| offered.contains(value)) {
                    return Err(ErrorKind::InvalidChoice.into());
                }
                return Ok(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
            }
            ControlKind::Trigger if value != "OK" => return Err(ErrorKind::InvalidValue.into()),
            _ => {}
        }
        let value = canonical(value, definition.data_type, &self.settings.time_zone, step.at);
        Ok(value.ok_or(ErrorKind::InvalidValue)?)
    }
}
