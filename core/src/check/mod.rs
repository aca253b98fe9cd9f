//! What can be said of a form before anybody fills it: what its author meant otherwise, left out, or made dear.
//!
//! [`lint`] looks at the form alone; [`check`] reads a form as far as it can be read, adds what [`lint`] finds, and fills a
//! record once to count how much work each expression is. Places are named as the author of an XLSForm knows them: the path
//! of a question, whose last step is its name, and the column the expression stands in.

mod choices;
mod cost;
mod defaults;
mod paths;
mod questions;
mod spots;
mod tables;
mod texts;

use std::sync::Arc;

use crate::form::{Diagnostic, DiagnosticKind, Files, FormDef, Level, Reading};

pub use cost::Cost;
pub use texts::LanguageSummary;

/// What [`check`] finds.
#[derive(Debug)]
pub struct Report {
    /// The form's title; empty if there is no form.
    pub title: String,
    /// Its id.
    pub form_id: String,
    /// Its version; empty if it has none.
    pub version: String,
    /// How many questions it has.
    pub n_questions: usize,
    /// What is said in which language.
    pub languages: Vec<LanguageSummary>,
    /// All that its author should know, the worst first, else in the order of the form.
    pub diagnostics: Vec<Diagnostic>,
    /// The expressions that are most work, the dearest first. Empty for a form that cannot be filled.
    pub dearest: Vec<Cost>,
}

impl Report {
    /// How many diagnostics of this level there are.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.level() == level).count()
    }
}

/// Looks at a form from all sides. `media` are the files that its texts show; none where they are not at hand, and then
/// nothing is said of them.
#[must_use]
pub fn check(xml: &str, files: &dyn Files, media: Option<&dyn Files>) -> Report {
    let Reading { form, mut diagnostics, failure } = FormDef::read(xml, files);
    let mut report = Report {
        title: String::new(),
        form_id: String::new(),
        version: String::new(),
        n_questions: 0,
        languages: Vec::new(),
        diagnostics: Vec::new(),
        dearest: Vec::new(),
    };
    if let Some(mut form) = form {
        diagnostics.extend(lint(&form, media));
        report.title.clone_from(&form.title);
        report.form_id.clone_from(&form.id);
        form.version_text().clone_into(&mut report.version);
        report.n_questions = form.controls.iter().filter(|(_, control)| control.kind.is_question()).count();
        report.languages = texts::summaries(&form);
        diagnostics.extend(form.ensure_instance_id());
        if failure.is_none() {
            let (dearest, told) = cost::dearest(&Arc::new(form));
            report.dearest = dearest;
            diagnostics.extend(told);
        }
    }
    diagnostics.sort_by_key(Diagnostic::level);
    let mut seen = std::collections::BTreeSet::new();
    diagnostics.retain(|told| seen.insert((told.kind, told.place.clone(), told.detail.clone())));
    report.diagnostics = diagnostics;
    report
}

/// What the form alone shows. `media` as in [`check`].
#[must_use]
pub fn lint(form: &FormDef, media: Option<&dyn Files>) -> Vec<Diagnostic> {
    let mut told = Told(Vec::new());
    questions::look(form, &mut told);
    choices::look(form, &mut told);
    defaults::look(form, &mut told);
    paths::look(form, &mut told);
    texts::look(form, media, &mut told);
    told.0
}

/// What has been found so far.
struct Told(Vec<Diagnostic>);

impl Told {
    fn tell(&mut self, kind: DiagnosticKind, place: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Diagnostic { kind, place: place.into(), detail: detail.into() });
    }
}

#[cfg(test)]
mod tests;
