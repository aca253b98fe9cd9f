//! Consent: a select-one with the appearance token `consent` (ui.md, Decisions).
//!
//! Where only notes come before it, the record is in memory alone until the choice, and the screen says so.

use veldwerk::form::{Condition, ControlKind, FormDef};
use veldwerk::ids::ControlId;
use veldwerk::session::{QuestionView, ScreenKey};

use crate::filling::Filling;

const TOKEN: &str = "consent";

/// Whether a question asks for consent.
pub(crate) fn is_asked_by(question: &QuestionView) -> bool {
    question.control == ControlKind::Select1 && question.widget.appearances.iter().any(|word| word == TOKEN)
}

/// Whether a form asks for consent before it asks anything else.
pub(crate) fn comes_first(form: &FormDef) -> bool {
    first_asked(form, &form.body).is_some_and(|control| {
        let control = &form.controls[control];
        control.kind == ControlKind::Select1 && control.appears(TOKEN)
    })
}

/// The first control that is no note, in the order of the form.
fn first_asked(form: &FormDef, controls: &[ControlId]) -> Option<ControlId> {
    controls.iter().find_map(|&id| {
        let control = &form.controls[id];
        match control.kind {
            ControlKind::Group => first_asked(form, &control.children),
            ControlKind::Input if is_note(form, id) => None,
            _ => Some(id),
        }
    })
}

fn is_note(form: &FormDef, control: ControlId) -> bool {
    let mut around = form.controls[control].node.into_iter().flat_map(|def| form.ancestors(def));
    around.any(|def| form.nodes[def].readonly == Condition::Constant(true))
}

/// Whether a questionnaire is at its end and has asked for consent alone.
pub(crate) fn is_all(filling: &Filling) -> bool {
    let session = filling.session.session();
    let (tree, form) = (session.engine().tree(), session.form());
    let mut asked = tree.subtree(tree.root()).into_iter().filter_map(|id| {
        let node = tree.node(id);
        let control = form.controls.get(form.nodes[node.def].control?)?;
        let is_asked = control.kind.is_question() && node.relevant && !session.engine().is_readonly(id);
        is_asked.then(|| control.appears(TOKEN))
    });
    session.current() == ScreenKey::End && asked.next() == Some(true) && asked.next().is_none()
}
