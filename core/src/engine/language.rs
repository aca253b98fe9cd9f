//! The language shown, and what follows from it.

use super::budget::Bounds;
use super::{Changes, Engine};
use crate::clock::Step;
use crate::form::Facet;
use crate::text::language;
use crate::xpath::Function;
use crate::{ErrorKind, Result};

impl Engine {
    /// Shows another language, by tag or full name, ignoring case; what says something in the language (`jr:choice-name`,
    /// `jr:itext`, names of months) is calculated anew.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchLanguage`]; [`ErrorKind::TooLarge`] if what follows from it would pass a budget. The record is
    /// unchanged then.
    pub fn set_language(&mut self, wanted: &str, step: Step) -> Result<Changes> {
        self.change_language(wanted, step, Bounds::OfAChange)
    }

    /// Shows a language that a journal row tells of, whatever follows from it.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchLanguage`].
    pub fn replay_language(&mut self, wanted: &str, step: Step) -> Result<Changes> {
        self.change_language(wanted, step, Bounds::None)
    }

    /// Shows another language of a record that is only looked at: nothing is calculated.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchLanguage`].
    pub fn choose_language(&mut self, wanted: &str) -> Result<()> {
        self.language = language::choose(&self.languages, wanted).ok_or(ErrorKind::NoSuchLanguage)?;
        Ok(())
    }

    fn change_language(&mut self, wanted: &str, step: Step, bounds: Bounds) -> Result<Changes> {
        let before = self.language;
        let changed = self.change(step, bounds, |engine| {
            engine.choose_language(wanted)?;
            engine.changes.language = true;
            if engine.language != before {
                engine.wake_what_follows_the_language();
                engine.propagate();
                engine.settle();
            }
            Ok(())
        });
        changed.inspect_err(|_| self.language = before)
    }

    fn wake_what_follows_the_language(&mut self) {
        let form = std::sync::Arc::clone(&self.form);
        for (id, rule) in form.graph.rules.iter() {
            let expr = rule.formula.map(|formula| &form.formulas[formula].expr);
            let follows = expr.is_some_and(|expr| expr.functions().any(Function::follows_language));
            // Every text is drawn anew anyway.
            if follows && !matches!(rule.facet, Facet::Label(_)) {
                self.wake_below(id, self.tree.root());
            }
        }
    }
}
