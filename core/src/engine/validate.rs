use super::{Engine, Words};
use crate::form::Label;
use crate::ids::{ControlId, NodeId};

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViolationKind {
    /// It is missing.
    Required,
    /// It breaks the constraint of the question, or is no value of its type: what another program wrote, or an earlier version
    /// of the form took, is kept as it is until a person has looked.
    Constraint,
}

impl ViolationKind {
    /// The word of the driver's output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Constraint => "constraint",
        }
    }
}

/// An answer that stands in the way of finalising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The question.
    pub node: NodeId,
    /// What is wrong.
    pub kind: ViolationKind,
    /// What the form says about it; none if it says nothing.
    pub message: Option<Words>,
}

impl Engine {
    /// What is wrong with a question now; `required` before `constraint`. Nodes that nobody asks are never wrong.
    #[must_use]
    pub fn violation(&self, id: NodeId) -> Option<Violation> {
        let node = self.tree.get(id)?;
        let definition = &self.form.nodes[node.def];
        if definition.control.is_none() || !node.relevant {
            return None;
        }
        let (kind, label) = if node.required && node.value.is_empty() {
            (ViolationKind::Required, &definition.required_message)
        } else if !self.is_of_its_type(id) {
            (ViolationKind::Constraint, &None)
        } else if !self.constraint_holds(id) {
            (ViolationKind::Constraint, &definition.constraint_message)
        } else {
            return None;
        };
        let message = label.as_ref().map(|label: &Label| self.words(label, id));
        Some(Violation { node: id, kind, message })
    }

    /// Every violation, in the order of the body.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        self.walk(&mut |engine, control, node| {
            if engine.form.controls[control].kind.is_question() {
                found.extend(engine.violation(node));
            }
        });
        found
    }

    /// Visits the relevant controls in the order of the body, with the node each stands on (for a group without `ref` the
    /// node around it); a repeat once per instance.
    pub fn walk(&self, visit: &mut impl FnMut(&Self, ControlId, NodeId)) {
        self.walk_controls(&self.form.body, self.tree.root(), visit);
    }

    /// The same for some controls below one node.
    pub fn walk_controls(
        &self,
        controls: &[ControlId],
        around: NodeId,
        visit: &mut impl FnMut(&Self, ControlId, NodeId),
    ) {
        for &control in controls {
            for node in self.nodes_of(control, around) {
                if self.tree.node(node).relevant {
                    visit(self, control, node);
                    self.walk_controls(&self.form.controls[control].children, node, visit);
                }
            }
        }
    }

    /// The nodes a control stands on below (or at) a node: one, or for a repeat its instances.
    #[must_use]
    pub fn nodes_of(&self, control: ControlId, around: NodeId) -> Vec<NodeId> {
        let Some(def) = self.form.controls[control].node else { return vec![around] };
        // A control may stand in a group of another branch: start from what both share.
        self.nodes_beside(around, def)
    }
}
