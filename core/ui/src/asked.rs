//! The questions of a record that a person is asked, one after the other: what Review counts and Overview lists.

use veldwerk::ids::{ControlId, NodeId};
use veldwerk::session::{ScreenKey, Violation, ViolationKind};

use crate::filling::Filling;
use crate::screens::question::sentence;
use crate::text::{Speech, UiText};

/// A question that is asked.
pub(crate) struct Asked {
    pub(crate) node: NodeId,
    pub(crate) path: String,
    /// The part it belongs to; none in a form without parts.
    pub(crate) part: Option<ControlId>,
    pub(crate) is_answered: bool,
    /// Whether it lies before the screen that is shown.
    pub(crate) is_behind: bool,
    /// What is wrong with its answer.
    pub(crate) problem: Option<UiText>,
}

/// All of them, in the order of the form. A question ahead that must be answered is not wrong for that.
pub(crate) fn all(filling: &Filling, speech: Speech) -> Vec<Asked> {
    let session = filling.session.session();
    let (engine, form, tree) = (session.engine(), session.form(), session.engine().tree());
    let violations = session.violations();
    let here = match session.current() {
        ScreenKey::Node(node) => Some(node),
        ScreenKey::Add { .. } | ScreenKey::End => None,
    };
    let mut is_behind = true;
    let mut asked = Vec::new();
    for id in tree.subtree(tree.root()) {
        is_behind &= here != Some(id);
        let node = tree.node(id);
        let control = form.nodes[node.def].control;
        let is_question = control.map(|control| &form.controls[control]);
        let is_question = is_question.is_some_and(|control| control.kind.is_question() && !control.appears("label"));
        if !is_question || !node.relevant || engine.is_readonly(id) {
            continue;
        }
        let path = session.path(id);
        let is_unfit = filling.is_unfit(&path);
        let violation = violations.iter().find(|violation| violation.node == id);
        let counts = |violation: &&Violation| violation.kind != ViolationKind::Required || is_behind;
        let problem = if is_unfit {
            Some(speech.say("error.invalid_answer"))
        } else {
            violation.filter(counts).map(|violation| sentence(violation, speech))
        };
        asked.push(Asked {
            node: id,
            part: control.and_then(|control| filling.parts.of_control(control)),
            is_answered: !node.value.is_empty() || is_unfit,
            is_behind,
            problem,
            path,
        });
    }
    asked
}
